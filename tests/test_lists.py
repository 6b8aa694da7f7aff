"""The best list under quotas, against trying every list."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructrec.lists import BLOCK, Extension, Group, best_list, missing, nth_best, top_n

SIZE = 8


@st.composite
def _worlds(draw: st.DrawFn):
    scores = np.array(draw(st.permutations(range(SIZE))), dtype=np.float32) * draw(st.sampled_from([0.01, 1.0, 50.0]))
    flags = st.lists(st.booleans(), min_size=SIZE, max_size=SIZE).map(lambda row: np.array(row, dtype=np.bool_))
    groups = []
    for _ in range(draw(st.integers(0, 3))):
        least = draw(st.integers(0, 4))
        most = draw(st.none() | st.integers(least, 5))
        groups.append(Group(draw(flags), least, most))
    return scores, draw(flags), draw(st.integers(1, 5)), groups


def _worth(codes, scores, groups):
    """What is given up last comes first: missing items, length, scores."""
    return (-sum(missing(group, codes) for group in groups), len(codes), float(scores[list(codes)].sum()))


def _permitted(codes, groups):
    return all(group.at_most is None or group.members[list(codes)].sum() <= group.at_most for group in groups)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(_worlds())
def test_no_other_list_is_better(world):
    scores, mask, n, groups = world
    found = best_list(scores, mask, n, groups)
    items = np.flatnonzero(mask)
    every = [codes for size in range(min(n, len(items)) + 1) for codes in combinations(items, size) if _permitted(codes, groups)]
    best = max(_worth(codes, scores, groups) for codes in every)
    assert _permitted(found, groups)
    assert mask[found].all()
    np.testing.assert_allclose(_worth(found, scores, groups), best, rtol=1e-5)
    assert list(scores[found]) == sorted(scores[found], reverse=True)


def test_without_quotas_it_is_the_top():
    scores = np.array([1, 3, 2, 3], dtype=np.float32)
    mask = np.array([True, True, True, True])
    assert best_list(scores, mask, 3, []) == top_n(scores, mask, 3) == [1, 3, 2]


def test_a_quota_of_many_in_a_large_catalog_is_quick():
    rng = np.random.default_rng(0)
    scores, mask = rng.normal(size=100_000).astype(np.float32), np.ones(100_000, dtype=np.bool_)
    groups = [Group(rng.random(100_000) < 0.05, 3), Group(rng.random(100_000) < 0.2, 0, 2), Group(rng.random(100_000) < 0.01, 2)]
    found = best_list(scores, mask, 20, groups)
    assert len(found) == 20
    assert [missing(group, found) for group in groups] == [0, 0, 0]


@settings(deadline=None)
@given(st.integers(1, 9 * BLOCK), st.integers(0, 2**32 - 1), st.data())
def test_the_nth_best_is_that_of_the_sorted_scores(size, seed, data):
    scores = np.random.default_rng(seed).integers(-40, 40, size=size).astype(np.float32)
    n = data.draw(st.integers(1, min(size, 12)) | st.integers(1, size))
    assert nth_best(scores, n) == np.sort(scores)[size - n]


@pytest.mark.parametrize("size", [BLOCK - 1, 7 * BLOCK + 3, 40 * BLOCK])
def test_the_nth_best_of_many_different_scores(size):
    scores = np.random.default_rng(size).permutation(size).astype(np.float32)
    for n in (1, 2, 6, 7, 39, 60):
        assert nth_best(scores, n) == size - n


def _reached(extension, length, begun=()):
    """Every list that comes of taking what may come next."""
    if len(begun) == length:
        yield begun
        return
    following = np.flatnonzero(extension(begun))
    assert len(following) and not set(following) & set(begun), "a list that was begun can be finished, by new items"
    for code in following:
        yield from _reached(extension, length, (*begun, int(code)))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(_worlds())
def test_a_list_that_is_made_item_by_item_keeps_every_quota_as_well(world):
    scores, _, n, groups = world
    groups, n = groups or [Group(np.arange(SIZE) % 2 == 0, 1, 2)], min(n, 4)
    whole = best_list(scores, np.ones(SIZE, dtype=np.bool_), n, groups)
    lacks = [missing(group, whole) for group in groups]
    found = set(_reached(Extension(whole, groups), len(whole)))
    assert tuple(whole) in found
    for codes in found:
        assert len(set(codes)) == len(whole) and _permitted(codes, groups)
        assert [missing(group, codes) for group in groups] == lacks
    if len(groups) > 1 and np.any(groups[0].members & groups[1].members) or len(groups) > 2:
        return
    # No item is counted twice, so that nothing is left out.
    wanted = {
        codes
        for codes in permutations(range(SIZE), len(whole))
        if _permitted(codes, groups) and all(missing(group, codes) <= lack for group, lack in zip(groups, lacks, strict=True))
    }
    assert found == wanted


def test_what_may_come_next_does_not_depend_on_what_was_asked_before():
    groups = [Group(np.arange(9) < 3, 1, 2)]
    fresh, used = (lambda: Extension([0, 3, 4, 5], groups)), Extension([0, 3, 4, 5], groups)
    for begun in ([], [1], [1, 2], [8], [8, 7], [8, 7, 6], [], [2, 0, 8]):
        np.testing.assert_array_equal(used(begun), fresh()(begun))
