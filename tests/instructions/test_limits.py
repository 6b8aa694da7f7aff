"""Limits from and to JSON, and in words: every mistake is named with its field and the nearest thing there is."""

import math

import pytest
from tests.instructions.films import between, films, unwanted, wanted

from instructrec.core import Instruction, Quota
from instructrec.errors import QueryError
from instructrec.instructions import describe, instruction_from_json, instruction_to_json, limits_from_json, limits_to_json

FILMS = films()

MISTAKES = [
    ({"attribute": "genres"}, ["list of objects"]),
    (["comedy"], ["limits[0]", "object"]),
    ([{"operator": "includes", "attribute": "genres"}], ["limits[0].operator", "'includes'", "'include'"]),
    ([{"attribute": "genres", "operator": "include", "value": ["Comedy"]}], ["limits[0]", "'value'", "'values'"]),
    ([{"attribute": "genre", "operator": "include", "values": ["Comedy"]}], ["limits[0].attribute", "'genre'", "'genres'"]),
    (
        [{"attribute": "genres", "operator": "include", "values": ["Comedy", "Horor"]}],
        ["limits[0].values[1]", "'Horor'", "'Horror'"],
    ),
    ([{"attribute": "genres", "operator": "exclude", "values": []}], ["limits[0].values", "empty"]),
    ([{"attribute": "genres", "operator": "exclude", "values": "Horror"}], ["limits[0].values", "str"]),
    ([{"attribute": "genres", "operator": "include"}], ["limits[0].values", "missing"]),
    ([{"attribute": "genres", "operator": "range", "low": 1}], ["limits[0].attribute", "year"]),
    ([{"attribute": "year", "operator": "range"}], ["neither low nor high"]),
    ([{"attribute": "year", "operator": "range", "low": 2000, "high": 1990}], ["limits[0].low", "2000", "1990"]),
    ([{"attribute": "year", "operator": "range", "low": "1990"}], ["limits[0].low", "'1990'", "number"]),
    ([{"attribute": "year", "operator": "range", "low": math.nan}], ["limits[0].low", "finite"]),
    ([{"attribute": "year", "operator": "range", "low": True}], ["limits[0].low"]),
]


@pytest.mark.parametrize(("obj", "parts"), MISTAKES)
def test_a_mistake_is_named_with_field_and_nearest_value(obj, parts):
    with pytest.raises(QueryError) as caught:
        limits_from_json(obj, FILMS)
    assert [part for part in parts if part not in str(caught.value)] == []


def test_json_goes_round_with_whole_numbers_as_floats():
    limits = (wanted("Comedy", "Drama"), between(1990.0, None), unwanted("Horror"))
    obj = limits_to_json(limits)
    assert obj[0] == {"attribute": "genres", "operator": "include", "values": ["Comedy", "Drama"]}
    assert obj[1] == {"attribute": "year", "operator": "range", "low": 1990.0, "high": None}
    assert limits_from_json(obj, FILMS) == limits


def test_words_of_limits():
    limits = (wanted("Comedy", "Film-Noir"), between(1990.0, 1999.0), unwanted("Romance"))
    assert describe(limits) == "genres: Comedy or Film-Noir; year: 1990 to 1999; genres: not Romance"
    assert describe((between(None, 1979.0),)) == "year: at most 1979"
    assert describe(limits, "zh") == "genres：Comedy或Film-Noir；year：1990 到 1999；genres：不要Romance"
    assert describe(()) == ""


def test_words_of_a_whole_instruction():
    quotas = (Quota(limits=(wanted("Comedy"), between(None, 1979.0)), at_least=2), Quota(limits=(unwanted("War"),), at_most=3))
    whole = Instruction(text="", quotas=quotas, like=("6",), unlike=("0",), seen="new", n=5)
    spelled = "5 items; at least 2 with genres: Comedy and year: at most 1979; at most 3 with genres: not War; "
    assert describe(whole, catalog=FILMS) == spelled + "like “Alien”; not like “Toy Story”; new to me"
    with pytest.raises(QueryError, match="'6'"):
        describe(whole)


WRONG_WHOLES = [
    ([], ["instruction", "empty", "object"]),
    ({"limit": []}, ["'limit'", "'limits'"]),
    ({"limits": 3}, ["limits", "int"]),
    ({"quotas": {}}, ["quotas", "list"]),
    ({"quotas": [{"limits": []}]}, ["quotas[0].limits", "empty"]),
    ({"quotas": [{"limits": [{"attribute": "genres", "operator": "include", "values": ["Comedy"]}]}]}, ["quotas[0]", "at_least"]),
    (
        {"quotas": [{"limits": [{"attribute": "genres", "operator": "include", "values": ["Comdy"]}], "at_least": 1}]},
        ["quotas[0].limits[0].values[0]", "'Comdy'", "'Comedy'"],
    ),
    (
        {"quotas": [{"limits": [{"attribute": "year", "operator": "range", "low": 1}], "at_least": 3, "at_most": 2}]},
        ["quotas[0].at_least", "3", "2"],
    ),
    (
        {"quotas": [{"limits": [{"attribute": "year", "operator": "range", "low": 1}], "at_most": 1.5}]},
        ["quotas[0].at_most", "1.5"],
    ),
    ({"quotas": [{"limits": [], "atleast": 2}]}, ["quotas[0]", "'atleast'", "'at_least'"]),
    ({"quotas": ["x"]}, ["quotas[0]", "str", "object"]),
    ({"like": "6"}, ["like", "list"]),
    ({"unlike": ["6", "66"]}, ["unlike[1]", "'66'"]),
    ({"like": [6]}, ["like[0]", "6", "item id"]),
    ({"seen": "knwn"}, ["seen", "'knwn'", "'known'"]),
    ({"n": 0}, ["n is 0", "whole number"]),
    ({"n": True}, ["n is True"]),
    ({"wish": 3}, ["wish", "int"]),
    ({"limits": [{"attribute": [], "operator": "include"}]}, ["limits[0].attribute"]),
    ({"limits": [{"attribute": "genres", "operator": {}}]}, ["limits[0].operator"]),
]


@pytest.mark.parametrize(("obj", "parts"), WRONG_WHOLES)
def test_a_mistake_in_an_instruction_is_named_with_its_field(obj, parts):
    with pytest.raises(QueryError) as caught:
        instruction_from_json(obj, FILMS)
    assert [part for part in parts if part not in str(caught.value)] == []


def test_an_instruction_goes_round_as_json():
    quota = Quota(limits=(wanted("Comedy"), between(1990.0, None)), at_least=2, at_most=4)
    whole = Instruction(
        text="dark", limits=(unwanted("War"),), quotas=(quota,), like=("6",), unlike=("0",), seen="known", n=5, wish="dark"
    )
    obj = instruction_to_json(whole)
    assert list(obj) == ["limits", "quotas", "like", "unlike", "seen", "n", "wish"]
    assert instruction_from_json(obj, FILMS) == whole
    assert instruction_from_json({}, FILMS) == Instruction(text="")


def test_words_in_an_unknown_language_name_the_known_ones():
    with pytest.raises(QueryError, match="en, zh"):
        describe((), "fr")
