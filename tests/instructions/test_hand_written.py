"""How people ask, written by hand without a look at the rules: nearly all is understood exactly, in any words of the domain."""

from functools import cache

import pytest
from tests.instructions.sentences import PARTS, Hard, expected, load, rename
from tests.instructions.shelves import SHELVES, renamed

from instructrec.instructions import parse

EXACT = 0.97
SEEDS = (None, 1, 2)
"""Seeds of the invented words; none for the catalogs as they are."""
CASES = [(language, part, seed) for language in ("en", "zh") for part in PARTS for seed in SEEDS]


@cache
def readings(language, part, seed):
    """(sentence, what it demands, what was understood) for every sentence of one set in a language."""
    found = []
    for shelf, make in SHELVES.items():
        catalog = make(language)
        new = None if seed is None else renamed(catalog, seed)
        items = catalog if new is None else new.catalog
        for sentence in load(language, shelf, part):
            said = sentence if new is None else rename(sentence, catalog, new)
            found.append((said, expected(said, items), parse(said.text, items, language=language)))
    return found


def values(demand, operator):
    """(attribute, value) of all limits of one kind, and of what quotas want at least."""
    counted = [limit for limits, at_least, _ in demand.quotas if at_least for limit in limits]
    return {(limit[1], value) for limit in (*demand.limits, *counted) if limit[0] == operator for value in limit[2]}


@pytest.mark.parametrize(("language", "part", "seed"), CASES)
def test_demands_are_understood_exactly(language, part, seed):
    found = readings(language, part, seed)
    wrong = [said.text for said, demand, instruction in found if Hard.of(instruction) != demand]
    assert len(wrong) <= (1 - EXACT) * len(found), wrong


@pytest.mark.parametrize(("language", "part", "seed"), CASES)
def test_nothing_unwanted_becomes_wanted(language, part, seed):
    wrong = [
        said.text
        for said, demand, instruction in readings(language, part, seed)
        if values(demand, "exclude") & values(Hard.of(instruction), "include")
    ]
    assert wrong == []


@pytest.mark.parametrize(("language", "part", "seed"), CASES)
def test_wishes_are_kept_and_strange_words_handed_back(language, part, seed):
    found = readings(language, part, seed)
    wrong = [
        said.text
        for said, _, instruction in found
        if (said.wish and not instruction.wish)
        or any(all(word not in left for left in instruction.not_understood) for word in said.unknown)
    ]
    assert len(wrong) <= (1 - EXACT) * len(found), wrong
