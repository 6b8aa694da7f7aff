"""Chinese requests for six small catalogs: nearly all is understood exactly, also with foreign words for values."""

from functools import cache

import pytest
from tests.instructions.stalls import KINDS, NAMES, PARTS, load, stall, values

EXACT = {("fourth", False): 0.97, ("fifth", False): 0.97, ("sixth", False): 0.93}
EXACT |= {("fourth", True): 0.96, ("fifth", True): 0.96, ("sixth", True): 0.92}
"""Share of each set that must be understood, with values as they are and with Latin words for them."""


@cache
def readings(part, latin):
    """(sentence, what it means, what was understood) of a set."""
    found = []
    for said in load(part):
        place = stall(said.stall, latin=latin)
        found.append((said, place.meant(said.conditions), place.understood(said.text)))
    return found


@pytest.mark.parametrize(("part", "latin"), EXACT)
def test_nearly_all_is_understood_exactly(part, latin):
    found = readings(part, latin)
    wrong = [said.text for said, meant, understood in found if meant != understood]
    assert len(wrong) <= (1 - EXACT[part, latin]) * len(found), wrong


@pytest.mark.parametrize(("part", "latin"), EXACT)
def test_nothing_unwanted_becomes_wanted(part, latin):
    turned = [
        said.text
        for said, meant, understood in readings(part, latin)
        if values(meant, unwanted=True) & values(understood, unwanted=False)
    ]
    assert turned == []


def test_every_condition_is_of_its_catalog():
    for said in (said for part in PARTS for said in load(part)):
        catalog = stall(said.stall).catalog
        assert said.kind in KINDS and said.stall in NAMES
        for unwanted in (False, True):
            for attribute, value in values(set(said.conditions), unwanted=unwanted):
                assert value in catalog.labels[attribute].names, said
        for condition in said.conditions:
            if condition.startswith(("like: ", "unlike: ")):
                assert condition.split(": ")[1] in catalog.titles, said


def test_there_are_many_and_none_twice():
    texts = [said.text for part in PARTS for said in load(part)]
    assert len(texts) > 650
    assert len(set(texts)) == len(texts)


def test_latin_words_stand_for_values_and_leave_titles_alone():
    place = stall("recipes", latin=True)
    text = place.said("川菜湘菜，像《红烧肉方》的")
    assert "《红烧肉方》" in text and "川菜" not in text
    assert text.startswith(f"{place.words['川菜']} {place.words['湘菜']}，")


def test_values_of_conditions():
    conditions = {"not 类型: 恐怖 | 战争", "at least 2: 类型: 喜剧 & 年份 >= 1990", "at most 1: 类型: 爱情", "like: 长街笑谈"}
    assert values(conditions, unwanted=True) == {("类型", "恐怖"), ("类型", "战争")}
    assert values(conditions, unwanted=False) == {("类型", "喜剧")}
