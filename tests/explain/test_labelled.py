"""The checker as a detector of false explanations, over texts that were written by hand and labelled by the facts."""

from collections import Counter

import pytest
from tests.explain.labelled_world import labelled_cases, labelled_world, more_cases

from instructrec.explain.verification import problems

ENGLISH, CHINESE = labelled_cases("en"), labelled_cases("zh")
LEAST = 0.97


def precision_and_recall(cases):
    found = Counter((bool(case.error), bool(problems(case.text, case.facts))) for case in cases)
    refused = found[True, True] + found[False, True]
    return found[True, True] / refused, found[True, True] / (found[True, True] + found[True, False])


def test_the_labels_are_as_they_should_be():
    assert len({case.text for case in ENGLISH}) == 300
    assert Counter((case.part, bool(case.error)) for case in ENGLISH) == {
        ("seen", True): 100,
        ("seen", False): 100,
        ("kept", True): 50,
        ("kept", False): 50,
    }
    errors = Counter(case.error for case in ENGLISH if case.error)
    assert len(errors) == 13 and min(errors.values()) >= 8


def test_the_world_counts_people_as_it_says():
    world = labelled_world()
    people = {row: len(set(world.interactions.users[world.interactions.items == row])) for row in range(len(world.catalog))}
    assert people[world.catalog.index["f01"]] == 12 and people[world.catalog.index["f05"]] == 9
    assert all(case.facts.people == people[case.facts.item] for case in ENGLISH)


def test_false_texts_are_found_and_true_ones_pass():
    precision, recall = precision_and_recall(ENGLISH)
    assert precision >= LEAST and recall >= LEAST


def test_the_same_of_texts_that_were_not_read_while_the_checker_was_mended():
    precision, recall = precision_and_recall([case for case in ENGLISH if case.part == "kept"])
    assert precision >= 0.95 and recall >= 0.95


@pytest.mark.parametrize("error", sorted({case.error for case in ENGLISH if case.error}))
def test_every_kind_of_error_is_found(error):
    found = [bool(problems(case.text, case.facts)) for case in ENGLISH if case.error == error]
    assert sum(found) >= len(found) - 1


def test_chinese_texts_are_told_apart_as_well():
    assert len(CHINESE) == 60 and sum(bool(case.error) for case in CHINESE) == 30
    precision, recall = precision_and_recall(CHINESE)
    assert precision >= LEAST and recall >= LEAST


@pytest.mark.parametrize("language", ["en", "zh"])
def test_other_turns_of_phrase_are_told_apart(language):
    precision, recall = precision_and_recall(more_cases(language))
    assert precision >= 0.95 and recall >= LEAST
