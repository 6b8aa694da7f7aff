"""Explanations as a whole: right reasons, right words, nothing unverified, and every odd catalog."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from tests.explain.worlds import WEIGHTS, Doubled, Linear, film_world, rated_world, shown, without_titles

from instructrec.core import Query
from instructrec.data.synthetic import genres
from instructrec.errors import QueryError
from instructrec.explain import Manner, explain, explain_batch, measure_influence
from instructrec.explain.facts import Lore, collect
from instructrec.explain.phrases import phrases
from instructrec.explain.selection import select
from instructrec.explain.verification import problems
from instructrec.explain.writing import write
from instructrec.instructions import parse
from instructrec.tables import Catalog, Dataset, Labels

WORLD = film_world()
HISTORY = ("i0", "i1", "i2", "i3")


def model():
    return Linear().fit(WORLD)


def asked(text, *items, history=HISTORY):
    return shown(Query(history=history, instruction=parse(text, WORLD.catalog)), *items)


def kinds(explanation):
    return [entry.kind for entry in explanation.evidence]


def test_the_strongest_history_items_are_named_and_what_is_shared_with_them():
    [found] = explain(model(), shown(Query(history=HISTORY), "i4"), WORLD)
    assert found.item == "i4" and found.status == "verified"
    assert "“Toy Story”" in found.text and "“Aladdin”" in found.text
    assert kinds(found) == ["history", "history", "history", "attribute", "rank"]
    assert [entry.item for entry in found.evidence[:3]] == ["i0", "i1", "i2"]
    assert found.evidence[0].weight == pytest.approx(9 - 15 / 8)
    assert found.evidence[3].value in ("Animation", "Comedy") and found.evidence[3].value in found.text


def test_a_history_item_that_lowers_the_score_is_never_a_reason():
    [found] = explain(model(), shown(Query(history=("i3", "i6")), "i4"), WORLD)
    assert "“Romance”" not in found.text
    assert all(entry.weight >= 0 for entry in found.evidence)


def test_limits_that_are_met_come_first():
    [found] = explain(model(), asked("a comedy from the 1990s, no romance", "i4"), WORLD)
    assert kinds(found) == ["instruction", "history", "history", "history", "attribute", "rank"]
    assert (found.evidence[0].attribute, found.evidence[0].value) == ("genres", "Comedy")
    assert "you asked" in found.text.lower() and found.status == "verified"


def test_an_exclusion_and_a_range_are_said_as_they_were_asked():
    [exclusion] = explain(model(), asked("no romance", "i4"), WORLD)
    assert exclusion.evidence[0].value == "not Romance" and exclusion.status == "verified"
    [span] = explain(model(), asked("between 1990 and 2000", "i4"), WORLD)
    assert span.evidence[0].value == "1990..2000" and "1999" in span.text and span.status == "verified"


def test_a_wished_word_found_in_the_title_is_evidence():
    [found] = explain(model(), asked("ideally something with a queen", "i2"), WORLD)
    assert ("instruction", "queen") in [(entry.kind, entry.value) for entry in found.evidence]
    assert "‘queen’" in found.text and found.status == "verified"


def test_somebody_without_a_history_hears_exact_counts():
    [first, second] = explain(model(), shown(Query(), "i0", "i4"), WORLD, max_evidence=2)
    assert "4 people" in first.text and "1 person" in second.text
    assert kinds(first) == ["attribute", "popularity", "rank"] and first.evidence[1].value == "4"


def test_unknown_history_is_no_history():
    [found] = explain(model(), shown(Query(history=("nobody", "knows")), "i0"), WORLD)
    assert "history" not in kinds(found) and found.status == "verified"


def test_the_part_of_a_fusion_that_contributed_most_is_named_when_there_is_room():
    fusion = Doubled().fit(WORLD)
    [recommendation] = fusion.recommend([Query(history=("i0",), n=1)])
    [found] = explain(fusion, recommendation, WORLD)
    assert kinds(found) == ["history", "attribute", "source", "rank"] and found.evidence[2].value == "lm"
    assert "the language model" in found.text.lower() and found.status == "verified"


def test_an_item_of_which_nothing_is_known_gets_a_fallback_without_claims():
    [found] = explain(model(), shown(Query(), "i7"), WORLD)
    assert (found.status, found.evidence) == ("fallback", ()) and found.text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_catalogs_without_attributes_and_without_titles(language):
    bare = film_world(attributes=False)
    [found] = explain(Linear().fit(bare), shown(Query(history=HISTORY), "i4"), bare, language=language)
    assert found.status == "verified" and kinds(found) == ["history", "history", "history", "popularity", "rank"]
    unnamed = without_titles(WORLD)
    [found] = explain(Linear().fit(unnamed), shown(Query(history=HISTORY), "i4"), unnamed, language=language)
    assert found.status == "verified" and "i0" in found.text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_same_answer_reads_the_same_and_different_ones_vary(language):
    recommendation = shown(Query(history=HISTORY), "i4")
    assert explain(model(), recommendation, WORLD, language=language) == explain(model(), recommendation, WORLD, language=language)
    texts = {explain(model(), replace(recommendation, id=f"r{n}"), WORLD, language=language)[0].text for n in range(20)}
    assert len(texts) > 1


def test_chinese_explanations_are_chinese_and_verified():
    found = explain(model(), asked("a comedy from the 1990s, no romance", "i4", "i0"), WORLD, language="zh")
    assert all(entry.status == "verified" and "《" in entry.text and "要求" in entry.text for entry in found)


def test_a_language_without_wording_names_the_known_ones():
    with pytest.raises(QueryError, match="en, zh"):
        explain(model(), shown(Query(), "i0"), WORLD, language="xx")


def test_many_lists_share_one_call_and_equal_single_ones():
    lists = [shown(Query(history=HISTORY), "i4", "i5"), shown(Query(history=("i4",)), "i0")]
    together = model()
    found = explain_batch(together, lists, WORLD)
    assert len(together.calls) == 1
    assert found == [explain(model(), recommendation, WORLD) for recommendation in lists]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_variant_of_the_grammar_is_read_back_as_true(language):
    for history in (HISTORY[:1], HISTORY[:2], HISTORY, ()):
        recommendation = shown(Query(history=history), "i4", "i1", "i5")
        [influence] = measure_influence(model(), [recommendation])
        for facts in collect(Lore(WORLD, phrases(language)), recommendation, influence):
            evidence = select(facts)
            texts = [write(evidence, facts, variant=variant) for variant in range(40)]
            assert [problems(text, facts) for text in texts] == [[]] * len(texts)
            assert len(set(texts)) > 1


LIES = {
    "wrong genre": lambda text: text.replace("Comedy", "Drama").replace("Animation", "Drama"),
    "wrong title": lambda text: text.replace("“Toy Story”", "“Casablanca”"),
    "invented title": lambda text: text.replace("“Toy Story”", "“Jaws”"),
    "wrong year": lambda text: f"{text} It is from 1942.",
    "swapped polarity": lambda text: f"{text} It is not Comedy, as you asked.",
    "wrong count": lambda text: f"{text} 42 people have picked it.",
    "says nothing": lambda text: "",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_lying_writer_is_never_shown(lie):
    def liar(evidence, facts, *, variant):
        return lie(write(evidence, facts, variant=variant))

    recommendation = shown(Query(history=HISTORY), "i4")
    [[found]] = explain_batch(model(), [recommendation], WORLD, manner=Manner(grammar=liar))
    assert found.status == "fallback" and "1 person" in found.text
    assert [(entry.kind, entry.value) for entry in found.evidence] == [("popularity", "1")]


def test_values_that_are_words_of_the_grammar_are_never_shown_unverified():
    values = ["History", "People", "Most", "No", "Like", "Asked", "You", "Its"]
    catalog = Catalog(
        item_ids=WORLD.catalog.item_ids,
        titles=("History", "Like You", "No", "It", "People", "The Most", "Asked", "Its"),
        labels={"genres": Labels.build([[value] for value in values])},
    )
    odd = Dataset(name="odd", interactions=WORLD.interactions, catalog=catalog)
    for found in explain(Linear().fit(odd), shown(Query(history=HISTORY), "i4", "i5"), odd):
        assert found.status in ("verified", "fallback") and found.text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_in_a_whole_world_nearly_everything_is_verified_and_linked(language):
    world = genres()
    rng = np.random.default_rng(0)
    linear = Linear(rng.normal(size=(len(world.catalog), len(world.catalog))).astype(np.float32)).fit(world)
    queries = [
        Query(
            history=tuple(world.catalog.item_ids[code] for code in world.interactions.history(user)),
            instruction=parse(["no horror", "ideally a comedy", "after 1980"][user % 3], world.catalog),
            n=5,
        )
        for user in range(20)
    ]
    lists = linear.recommend(queries)
    found = [entry for entries in explain_batch(linear, lists, world, language=language) for entry in entries]
    counts = Counter(entry.status for entry in found)
    assert counts["verified"] >= 0.95 * len(found) and counts["none"] == 0
    assert np.mean([bool({"history", "instruction"} & set(kinds(entry))) for entry in found]) >= 0.95


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_history_item_that_lowers_the_score_is_what_speaks_against_it(language):
    [found, other] = explain(model(), shown(Query(history=HISTORY), "i4", "i5"), WORLD, language=language)
    assert [(entry.kind, entry.item) for entry in found.against] == [("history", "i3")] and found.against[0].weight < 0
    assert "Romance" in found.caveat and "Romance" not in found.text
    # A fifth of what the strongest gives is not worth a caveat.
    assert (other.against, other.caveat) == ((), "")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_value_that_is_rated_lower_than_the_rest_speaks_against_an_item_and_is_no_reason(language):
    world = rated_world()
    rated = Linear().fit(world)
    [found] = explain(rated, shown(Query(user="u0", history=("i0", "i3")), "i5"), world, language=language)
    [entry] = found.against
    # Horror: 1, 2, 1 and 2 against 5, 4, 5: 1.5 against 4.67, drawn towards it by three ratings.
    assert (entry.attribute, entry.value) == ("genres", "Horror") and entry.weight == pytest.approx((1.5 - 14 / 3) * 4 / 7)
    assert "Horror" in found.caveat and "Horror" not in found.text
    [unrated] = explain(rated, shown(Query(history=("i0", "i3")), "i5"), world, language=language)
    assert all(entry.kind == "history" for entry in unrated.against)


def test_what_lowers_no_score_is_not_said_to():
    class Backward(Linear):
        """Alone an item lowers what it raises beside others."""

        def score(self, queries):
            scores = super().score(queries)
            return np.stack([row if len(query.history) > 1 else -row for row, query in zip(scores, queries, strict=True)])

    weights = np.zeros((8, 8), dtype=np.float32)
    weights[0, 4], weights[1, 4] = 8.0, 1.0
    backward = Backward(weights).fit(WORLD)
    [influence] = measure_influence(backward, [shown(Query(history=("i0", "i1", "i2")), "i4")])
    assert influence.effects.max() <= 0 < influence.losses.max()
    [found] = explain(backward, shown(Query(history=("i0", "i1", "i2")), "i4"), WORLD)
    assert found.caveat == ""


def test_what_nothing_speaks_against_has_no_caveat():
    [found] = explain(model(), shown(Query(history=("i0",)), "i4"), WORLD)
    assert (found.caveat, found.against) == ("", ())


def test_weights_used_here_have_a_lowering_item():
    assert WEIGHTS[3, 4] < 0
