"""Clicks: a dislike raises no score and touches only what resembles the item, pulls lower none, and both can be taken back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.models.test_lm import TINY

from instructrec import feedback, wire
from instructrec.core import Instruction, Query, Quota, Reaction
from instructrec.data.split import Holdout
from instructrec.data.synthetic import genres
from instructrec.errors import QueryError
from instructrec.evaluation.protocol import evaluate, total_scores
from instructrec.explain import explain, measure_influence
from instructrec.explain.influence import without
from instructrec.feedback import FEEDBACK, Likeness
from instructrec.models.item_knn import ItemKnn
from instructrec.models.lm import LanguageModelRecommender
from instructrec.models.popular import Popular
from instructrec.models.ridge import Ridge
from instructrec.recommender import Recommender, allowed, steered
from instructrec.tables import Catalog, Labels, Limit

WORLD = genres(num_users=36, num_items=60, seed=2)
CATALOG = WORLD.catalog
IDS = CATALOG.item_ids
REASONS = ("", "attribute:genres", "seen", "not_now")
MODELS = {
    "popular": Popular,
    "ridge": Ridge,
    "item_knn": ItemKnn,
    "lm": lambda: LanguageModelRecommender(replace(TINY, epochs=5)),
}
ITEMS = st.sampled_from(IDS)
REACTIONS = st.builds(
    lambda item, kind, reason, weight: Reaction(item, kind, reason if kind == "dislike" else "", weight),
    ITEMS,
    st.sampled_from(["like", "dislike", "similar"]),
    st.sampled_from(REASONS),
    st.floats(0.01, 1.0),
)
QUERIES = st.builds(
    lambda history, reactions: Query(history=tuple(history), reactions=tuple(reactions)),
    st.lists(ITEMS, max_size=8, unique=True),
    st.lists(REACTIONS, max_size=4),
)
SOME = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)


@pytest.fixture(scope="module", params=list(MODELS))
def model(request: pytest.FixtureRequest) -> Recommender:
    return MODELS[request.param]().fit(WORLD)


@pytest.fixture(scope="module")
def ridge() -> Recommender:
    return Ridge().fit(WORLD)


def history_of(user: int) -> tuple[str, ...]:
    return tuple(IDS[code] for code in WORLD.interactions.history(user))


def total(model: Recommender, query: Query) -> np.ndarray:
    return total_scores(model, [query])[0]


def plus(query: Query, *reactions: Reaction) -> Query:
    return replace(query, reactions=(*query.reactions, *reactions))


def sharing(item: str) -> np.ndarray:
    return CATALOG.labels["genres"].any_of(CATALOG.labels["genres"].of(CATALOG.index[item]))


# Dislikes


@SOME
@given(query=QUERIES, item=ITEMS, reason=st.sampled_from(REASONS), weight=st.floats(0.01, 1.0))
def test_a_dislike_raises_no_score_and_leaves_what_is_not_alike(model, query, item, reason, weight):
    before, after = total(model, query), total(model, plus(query, Reaction(item, "dislike", reason, weight)))
    assert (after <= before).all()
    alike = np.zeros(len(IDS), dtype=bool)
    if not reason:
        alike[Likeness.of(model).alike(CATALOG.index[item], model).codes] = True
        assert alike.mean() <= 0.1
    elif reason == "attribute:genres":
        alike = sharing(item)
    np.testing.assert_array_equal(after[~alike], before[~alike])


@pytest.mark.parametrize("user", range(3))
def test_what_resembles_it_leaves_the_list_and_the_rest_keeps_its_order(model, user):
    plain = Query(history=history_of(user), n=12)
    [before] = model.recommend([plain])
    item = before.items[0].item
    codes = Likeness.of(model).alike(CATALOG.index[item], model).codes
    [after] = model.recommend([plus(plain, Reaction(item, "dislike"))])
    names = [entry.item for entry in after.items]
    assert item not in names
    assert len(names) == 12
    if model.name == "popular":
        assert len(codes) == 0, "nothing resembles anything where everybody gets the same list"
        assert names[:11] == [entry.item for entry in before.items[1:]]
        return
    assert len(codes) > 0
    fallen = total(model, plain) - total(model, plus(plain, Reaction(item, "dislike")))
    assert (fallen[codes] > 0).all()
    kept = [entry.item for entry in before.items if entry.item in names]
    alike = {IDS[code] for code in codes}
    assert [name for name in names if name in kept and name not in alike] == [name for name in kept if name not in alike]


def test_what_is_as_like_as_can_be_falls_out_of_the_list(ridge):
    plain = Query(history=history_of(4), n=10)
    alike = Likeness.of(ridge).alike(CATALOG.index[history_of(4)[-1]], ridge)
    [after] = ridge.recommend([plus(plain, Reaction(history_of(4)[-1], "dislike"))])
    full = {IDS[code] for code in alike.codes[alike.full == 1]}
    [before] = ridge.recommend([plain])
    assert full & {entry.item for entry in before.items}
    assert not full & {entry.item for entry in after.items}


def test_weights_scale_what_a_reaction_does(model):
    plain, item = Query(history=history_of(1)), history_of(1)[0]
    for kind, reason in (("dislike", ""), ("dislike", "attribute:genres"), ("similar", ""), ("like", "")):
        steps = [steered(model, [plus(plain, Reaction(item, kind, reason, weight))])[FEEDBACK][0] for weight in (0.25, 0.5, 1.0)]
        np.testing.assert_allclose(steps[0], steps[2] / 4, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(steps[1], steps[2] / 2, rtol=1e-4, atol=1e-6)


def test_a_genre_that_somebody_chooses_all_the_time_is_pressed_less_than_one_they_hardly_choose(ridge):
    labels = CATALOG.labels["genres"]
    item = next(name for name in IDS if len(labels.of(CATALOG.index[name])) == 2)
    often, seldom = labels.of(CATALOG.index[item])
    without_seldom = [name for name in IDS if seldom not in labels.of(CATALOG.index[name])]
    chosen = [name for name in without_seldom if often in labels.of(CATALOG.index[name])][:5]
    other = next(name for name in without_seldom if name not in chosen and often not in labels.of(CATALOG.index[name]))
    query = Query(history=(*chosen, other))
    found = steered(ridge, [plus(query, Reaction(item, "dislike", "attribute:genres"))])[FEEDBACK][0]
    only_often = [code for code in range(len(IDS)) if often in labels.of(code) and seldom not in labels.of(code)]
    with_seldom = np.flatnonzero(labels.any_of((seldom,)))
    np.testing.assert_allclose(found[only_often], found[with_seldom].min() / 6, rtol=1e-4)
    assert (found[with_seldom] < 0).all()


def test_a_disliked_item_is_never_shown_whatever_the_reason(model):
    for reason in REASONS:
        [answer] = model.recommend([Query(n=60, hide_seen=False, reactions=(Reaction(IDS[3], "dislike", reason),))])
        assert IDS[3] not in {entry.item for entry in answer.items}
        assert len(answer.items) == 59


# Pulls


@SOME
@given(query=QUERIES, item=ITEMS, kind=st.sampled_from(["like", "similar"]))
def test_a_pull_lowers_no_score(model, query, item, kind):
    assert (total(model, plus(query, Reaction(item, kind))) >= total(model, query)).all()


def test_more_like_this_fills_the_list_with_its_genre_and_a_like_moves_less(model):
    share = {"plain": 0.0, "like": 0.0, "similar": 0.0}
    for user, item in product_of(6):
        for kind in share:
            query = Query(history=history_of(user), n=6)
            [answer] = model.recommend([query if kind == "plain" else plus(query, Reaction(item, kind))])
            share[kind] += float(np.mean([sharing(item)[CATALOG.index[entry.item]] for entry in answer.items]))
    assert share["similar"] > 1.5 * share["plain"]
    assert share["plain"] <= share["like"] + 0.5
    assert share["like"] < share["similar"]


def product_of(users: int) -> list[tuple[int, str]]:
    """Users and items of genres that they do not choose."""
    return [(user, IDS[(user + 1 + step) % 6 + 6 * step]) for user in range(users) for step in range(3)]


def test_somebody_new_with_a_pull_is_no_stranger(ridge):
    [nobody, somebody] = ridge.recommend([Query(), Query(reactions=(Reaction(IDS[5], "similar"),))])
    assert nobody.degraded
    assert not somebody.degraded
    assert IDS[5] not in {entry.item for entry in somebody.items}
    assert {entry.source for entry in somebody.items} == {FEEDBACK}


# Taking back, order, what is not known


@SOME
@given(query=QUERIES, more=st.lists(REACTIONS, min_size=1, max_size=3))
def test_taking_back_gives_the_list_that_was_there(model, query, more):
    [before] = model.recommend([query])
    clicked = plus(query, *more)
    [other] = model.recommend([clicked])
    assert other.query.reactions != query.reactions or set(more) <= set(query.reactions)
    [after] = model.recommend([replace(clicked, reactions=query.reactions)])
    assert after == before


@SOME
@given(query=QUERIES, data=st.data())
def test_the_order_of_reactions_means_nothing(model, query, data):
    turned = replace(query, reactions=tuple(data.draw(st.permutations(query.reactions))))
    assert turned == query
    assert model.recommend([turned]) == model.recommend([query])


def test_items_and_attributes_that_are_not_there_are_left_out_and_named(model):
    plain = Query(history=history_of(2))
    unknown = plus(plain, Reaction("nowhere", "dislike"), Reaction("nothing", "similar"))
    [before, after] = model.recommend([plain, unknown])
    assert [(entry.item, entry.score) for entry in after.items] == [(entry.item, entry.score) for entry in before.items]
    assert after.notes == (*before.notes, "unknown_reactions:nothing,nowhere")
    odd = plus(plain, Reaction(IDS[0], "dislike", "attribute:maker"))
    [hidden] = model.recommend([odd])
    assert "unknown_reasons:maker" in hidden.notes
    np.testing.assert_array_equal(total(model, odd), total(model, plain))
    for language in wire.LANGUAGES:
        for code in ("unknown_reactions:nowhere", "unknown_reasons:maker"):
            sentence = wire.note(code, language=language)
            assert sentence != code
            assert code.partition(":")[2] in sentence


def test_an_item_that_the_model_has_never_met_resembles_nothing_but_pulls_by_its_values(ridge, tmp_path):
    ridge.save(tmp_path)
    new = Catalog(item_ids=("new",), titles=("New",), texts=("",), labels={"genres": Labels.build([("Horror",)])})
    grown = Ridge.load(tmp_path, CATALOG.add(new))
    query = Query(history=history_of(0))
    np.testing.assert_array_equal(total(grown, plus(query, Reaction("new", "dislike"))), total(grown, query))
    pull = steered(grown, [plus(query, Reaction("new", "similar"))])[FEEDBACK][0]
    np.testing.assert_array_equal(pull > 0, grown.catalog.labels["genres"].any_of(("Horror",)))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: Reaction("a", "hate"), "no reaction 'hate'"),
        (lambda: Reaction("a", "like", weight=0.0), "weight of a reaction is 0.0"),
        (lambda: Reaction("a", "like", weight=1.5), "weight of a reaction is 1.5"),
        (lambda: Reaction("a", "dislike", "boring"), "'boring' is no reason"),
        (lambda: Reaction("a", "dislike", "attribute:"), "is no reason"),
    ],
)
def test_what_is_no_reaction_is_refused_in_words(made, words):
    with pytest.raises(QueryError, match=words):
        made()


def test_what_is_remembered_is_bounded_and_changes_nothing(monkeypatch):
    model = ItemKnn().fit(WORLD)
    queries = [Query(history=history_of(3), reactions=(Reaction(item, "dislike"),)) for item in IDS[:20]]
    before = [total(model, query) for query in queries]
    known = Likeness.of(model)
    assert len(known._found) == 20
    monkeypatch.setattr(feedback, "MOST_BYTES", 400)
    fresh = ItemKnn().fit(WORLD)
    after = [total(fresh, query) for query in (*queries, *queries)]
    np.testing.assert_array_equal(after, [*before, *before])
    assert Likeness.of(fresh)._bytes <= 400
    assert len(Likeness.of(fresh)._found) < 20


# One rule for lists, reasons and evaluation


@SOME
@given(query=QUERIES, n=st.integers(1, 12))
def test_reactions_break_no_limit_and_no_quota(model, query, n):
    comedy = Limit(attribute="genres", operator="include", values=("Comedy",))
    no_drama = Limit(attribute="genres", operator="exclude", values=("Drama",))
    words = Instruction(text="", limits=(no_drama,), quotas=(Quota(limits=(comedy,), at_least=1, at_most=2),))
    asked = replace(query, n=n, instruction=words)
    [answer] = model.recommend([asked])
    codes = CATALOG.codes([entry.item for entry in answer.items])
    comedies = CATALOG.matching([comedy])
    mask = allowed(asked, CATALOG)
    assume((mask & comedies).any())
    assert mask[codes].all()
    assert 1 <= comedies[codes].sum() <= 2
    assert len(codes) == min(n, int((mask & ~comedies).sum()) + min(2, int((mask & comedies).sum())))


def test_evaluation_ranks_as_lists_do(model):
    reactions = (Reaction(IDS[7], "dislike"), Reaction(IDS[8], "similar"))
    queries = tuple(Query(user=f"u{user}", history=history_of(user), reactions=reactions) for user in range(5))
    targets = tuple(np.array([40 + user], dtype=np.int64) for user in range(5))
    found = evaluate(model, Holdout(queries=queries, targets=targets, user_codes=np.arange(5)), k=10)
    for query, codes in zip(queries, found.top, strict=True):
        [answer] = model.recommend([query])
        assert [IDS[code] for code in codes] == [entry.item for entry in answer.items]


def test_reasons_never_name_what_is_disliked_and_stay_true(model):
    history = history_of(6)
    query = Query(user="u6", history=history, n=8)
    query = plus(query, *(Reaction(item, "dislike") for item in history[::2]), Reaction(history[1], "similar"))
    [answer] = model.recommend([query])
    [influence] = measure_influence(model, [answer])
    assert not {IDS[code] for code in influence.history} & set(history[::2])
    found = explain(model, answer, WORLD, counterfactual=True)
    assert len(found) == 8
    titles = {CATALOG.titles[CATALOG.index[item]] for item in history[::2]}
    for one in found:
        assert one.status in ("verified", "fallback")
        assert not {fact.item for fact in one.evidence} & set(history[::2])
        assert not set(one.counterfactual) & set(history[::2])
        assert not any(title in f"{one.text}{one.counterfactual_text}" for title in titles)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_reason_can_be_that_more_was_asked_for(ridge, language):
    [answer] = ridge.recommend([Query(reactions=(Reaction(IDS[5], "similar"),), n=5)])
    phrase = {"en": "what you liked or asked to see more of", "zh": "您喜欢或希望多看到的内容"}[language]
    found = explain(ridge, answer, WORLD, language=language, max_evidence=9)
    assert {one.status for one in found} == {"verified"}
    assert all(phrase in one.text for one in found)


def test_an_item_taken_away_takes_its_reactions_with_it():
    query = Query(history=IDS[:3], reactions=(Reaction(IDS[0], "similar"), Reaction(IDS[9], "dislike")))
    left = without(query, [0], CATALOG)
    assert left.reactions == (Reaction(IDS[9], "dislike"),)
    assert left.history == IDS[1:3]
    assert IDS[0] in left.exclude
