"""Lists whose items differ: nothing that must hold is given up for it, and more diversity never makes a list more alike."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructrec.core import Instruction, Query, Quota
from instructrec.data.synthetic import genres
from instructrec.errors import QueryError
from instructrec.evaluation.beyond import diversity as measured
from instructrec.explain import explain
from instructrec.feedback import resemblance
from instructrec.lists import Group, best_list, missing, varied_list
from instructrec.models import resolve
from instructrec.recommender import allowed
from instructrec.tables import Limit

WORLD = genres()
RIDGE = resolve("ridge")().fit(WORLD)
STEPS = np.arange(0, 1.01, 0.05)
COMEDY = Limit(attribute="genres", operator="include", values=("Comedy",))
PAST = WORLD.catalog.item_ids[:4]


@st.composite
def _worlds(draw: st.DrawFn):
    size = draw(st.integers(4, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = np.round(rng.normal(size=size) * draw(st.sampled_from([0.01, 1.0, 50.0])), 3).astype(np.float32)
    near = rng.random((size, size)) * (rng.random((size, size)) < draw(st.sampled_from([0.2, 1.0])))
    near = (near + near.T) / 2
    np.fill_diagonal(near, 0.0)
    groups = []
    for _ in range(draw(st.integers(0, 3))):
        least = draw(st.integers(0, 5))
        groups.append(Group(rng.random(size) < 0.4, least, draw(st.none() | st.integers(least, 6))))
    return scores, rng.random(size) < 0.8, draw(st.integers(1, 9)), groups, near


def _alike(codes, near):
    return float(near[np.ix_(codes, codes)].sum()) / max(1, len(codes) * (len(codes) - 1))


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(_worlds())
def test_what_must_hold_holds_and_more_diversity_is_never_more_alike(world):
    scores, mask, n, groups, near = world
    best = best_list(scores, mask, n, groups)
    lists = [varied_list(scores, mask, n, groups, diversity=step, alike=lambda codes: near[np.ix_(codes, codes)]) for step in STEPS]
    assert lists[0] == best
    for found in lists:
        assert len(set(found)) == len(best) and mask[found].all()
        assert list(scores[found]) == sorted(scores[found], reverse=True)
        assert sum(missing(group, found) for group in groups) == sum(missing(group, best) for group in groups)
        assert all(group.at_most is None or group.members[found].sum() <= group.at_most for group in groups)
    likeness = [_alike(found, near) for found in lists]
    assert all(after <= before + 1e-9 for before, after in zip(likeness, likeness[1:], strict=False))
    worth = [float(scores[found].mean()) for found in lists]
    assert all(after <= before + 1e-4 * abs(scores).max() for before, after in zip(worth, worth[1:], strict=False))


def test_without_quotas_full_diversity_finds_items_that_share_nothing():
    near = np.kron(np.eye(5), np.ones((4, 4)))
    np.fill_diagonal(near, 0.0)
    scores = -np.arange(20, dtype=np.float32)
    found = varied_list(scores, np.ones(20, dtype=bool), 5, [], diversity=0.9, alike=lambda codes: near[np.ix_(codes, codes)])
    assert found == [0, 4, 8, 12, 16], "the best of each kind"


def test_a_list_of_a_large_catalog_with_quotas_is_quick():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=100_000).astype(np.float32)
    groups = [Group(rng.random(100_000) < 0.05, 30), Group(rng.random(100_000) < 0.2, 0, 40)]
    kinds = rng.integers(0, 30, 100_000)

    def alike(codes):
        return (kinds[codes][:, None] == kinds[codes]) * (1.0 - np.eye(len(codes)))

    found = varied_list(scores, np.ones(100_000, dtype=bool), 200, groups, diversity=0.7, alike=alike)
    assert len(set(found)) == 200 and [missing(group, found) for group in groups] == [0, 0]
    assert len(set(kinds[found])) == 30


def test_no_diversity_is_todays_list_with_todays_id():
    [plain] = RIDGE.recommend([Query(history=PAST)])
    [none, some] = RIDGE.recommend([Query(history=PAST, diversity=0.0), Query(history=PAST, diversity=0.8)])
    assert none == plain
    assert some.id != plain.id and some.items != plain.items
    assert "diversity" not in repr(plain.query), "what is not asked for names no list"


def test_items_of_a_list_share_less_where_diversity_is_asked_for():
    catalog, labels = WORLD.catalog, WORLD.catalog.label_matrix()
    past = [tuple(catalog.item_ids[code] for code in history[:8]) for history in WORLD.interactions.histories()[:30]]

    def apart(step):
        found = RIDGE.recommend([Query(history=one, diversity=step) for one in past])
        top = np.array([[catalog.index[entry.item] for entry in answer.items] for answer in found])
        return np.nan_to_num(measured(top, labels))

    none, some, most = (apart(step) for step in (0.0, 0.4, 1.0))
    assert (some >= none - 1e-9).all() and (most >= some - 1e-9).all()
    assert most.mean() > some.mean() > none.mean()


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_a_varied_list_obeys_what_was_asked(data):
    items = st.sampled_from(WORLD.catalog.item_ids)
    quotas = (Quota(limits=(COMEDY,), at_least=data.draw(st.integers(0, 3)), at_most=data.draw(st.none() | st.just(4))),)
    words = Instruction(text="as said", quotas=quotas, limits=data.draw(st.sampled_from([(), (COMEDY,)])))
    query = Query(
        history=tuple(data.draw(st.lists(items, max_size=8))),
        instruction=data.draw(st.sampled_from([None, words])),
        exclude=frozenset(data.draw(st.lists(items, max_size=8))),
        n=data.draw(st.integers(1, 30)),
    )
    plain, varied = RIDGE.recommend([query, replace(query, diversity=data.draw(st.sampled_from([0.2, 0.6, 1.0])))])
    codes = WORLD.catalog.codes([entry.item for entry in varied.items])
    assert allowed(query, WORLD.catalog)[codes].all()
    assert (len(varied.items), varied.notes) == (len(plain.items), plain.notes)
    if query.instruction:
        comedies = WORLD.catalog.matching([COMEDY])
        count, before = int(comedies[codes].sum()), int(comedies[WORLD.catalog.codes([one.item for one in plain.items])].sum())
        assert quotas[0].at_most is None or count <= quotas[0].at_most
        assert count >= min(before, quotas[0].at_least)


def test_reasons_of_a_varied_list_are_about_that_list():
    query = Query(history=WORLD.catalog.item_ids[:6], n=5, diversity=0.7)
    [found] = RIDGE.recommend([query])
    told = explain(RIDGE, found, WORLD, counterfactual=True)
    assert [why.item for why in told] == [entry.item for entry in found.items]
    for why in told:
        if why.counterfactual:
            past = tuple(item for item in query.history if item not in why.counterfactual)
            [again] = RIDGE.recommend([replace(query, history=past, exclude=frozenset(why.counterfactual))])
            assert why.item not in {entry.item for entry in again.items}
    assert any(why.counterfactual for why in told)


class Vectored(type(RIDGE)):
    """A model with vectors, in a catalog without labels."""

    def __init__(self, vectors):
        self.__dict__ |= RIDGE.__dict__
        self.catalog, self.vectors = replace(WORLD.catalog, labels={}), vectors

    def item_vectors(self):
        return self.vectors


def test_without_labels_vectors_or_the_model_itself_say_what_is_alike():
    codes = np.arange(12, dtype=np.int64)
    vectors = np.random.default_rng(0).normal(size=(len(WORLD.catalog), 6)).astype(np.float32)
    vectors[1] = 3 * vectors[0]
    for model in (RIDGE, Vectored(vectors), Vectored(None)):
        near = resemblance(codes, model)
        assert near.shape == (12, 12) and (near == near.T).all() and (near >= 0).all() and (near <= 1).all()
        assert not np.diag(near).any() and near.any()
    assert resemblance(codes, Vectored(vectors))[0, 1] == pytest.approx(1.0)


def test_items_that_nothing_is_known_of_are_as_alike_as_others_in_the_mean():
    rows = [("Comedy",), ("Comedy",), ("Horror",), ()]
    catalog = replace(
        WORLD.catalog, item_ids=("a", "b", "c", "d"), titles=("A",) * 4, texts=(), numbers={}, measures={},
        labels={"genres": type(WORLD.catalog.labels["genres"]).build(rows)},
    )  # fmt: skip
    model = Vectored(None)
    model.catalog = catalog
    near = resemblance(np.arange(4, dtype=np.int64), model)
    assert near[0, 1] == 1 and near[0, 2] == 0 and near[3, :3] == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_a_diversity_that_is_none_is_refused_in_words(wrong):
    with pytest.raises(QueryError, match="between 0"):
        Query(diversity=wrong)
