"""Conditions that several words far apart say together, and things said of a value that nobody knows. One line each."""

import pytest
from tests.instructions.shelves import SHELVES
from tests.instructions.worlds import hard

from instructrec.instructions import parse

CATALOG = SHELVES["films"]("en")
SENTENCES = [
    ("1990 is the oldest year I'd accept", ["year >= 1990"]),
    ("the most recent year I'd accept is 1999", ["year <= 1999"]),
    ("3.5 is the lowest rating I'd take", ["rating >= 3.5"]),
    ("the highest rating I'd take is 4", ["rating <= 4"]),
    ("the cut-off is 1990, nothing older", ["year >= 1990"]),
    ("I'll take a value of 4 or lower for the rating", ["rating <= 4"]),
    ("3 <= rating <= 4", ["rating 3..4"]),
    ("3 < rating", ["rating > 3"]),
    ("1980 <= year <= 1989", ["year 1980..1989"]),
    ("more than three comedies would be too many", ["at most 3: genres: Comedy"]),
    ("fewer than two comedies in the list would be too few", ["at least 2: genres: Comedy"]),
    ("two of them can be horror, but not more", ["at most 2: genres: Horror"]),
    ("don't give horror more than two of the spots", ["at most 2: genres: Horror"]),
    ("horror shouldn't appear more than two times", ["at most 2: genres: Horror"]),
    ("I won't be happy with fewer than two comedies", ["at least 2: genres: Comedy"]),
    ("the number of comedies on the list must be four", ["exactly 4: genres: Comedy"]),
    ("if it's not a comedy, skip it", ["genres: Comedy"]),
    ("if it's neither a comedy nor a drama, leave it out", ["genres: Comedy | Drama"]),
    ("unless it's a comedy or a drama, I don't want it", ["genres: Comedy | Drama"]),
    ("I won't accept anything that isn't a western", ["genres: Western"]),
    ("whatever isn't horror can go", ["genres: Horror"]),
    ("anything but horror is out", ["genres: Horror"]),
    ("no other genre than drama", ["genres: Drama"]),
    ("if not horror, then comedy", ["genres: Comedy | Horror"]),
    ("it must be one of these: drama, comedy", ["genres: Comedy | Drama"]),
    ("a comedy, and if it's a horror film, I don't want it", ["genres: Comedy", "not genres: Horror"]),
    ("horror has no place on my list", ["not genres: Horror"]),
    ("no war, furthermore two comedies", ["genres: Comedy", "n = 2", "not genres: War"]),
    ("I want to feel like a kid again", []),
    ("if I had a choice, I'd go for a western", []),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES, ids=[text for text, _ in SENTENCES])
def test_sentences(text, expected):
    assert hard(parse(text, CATALOG), CATALOG) == set(expected)


@pytest.mark.parametrize("text", ["I zorgle horror", "horror zorgles me", "horror is zorgly", "horror and war zorgle me"])
def test_what_an_unknown_word_says_of_a_thing_is_handed_back(text):
    found = parse(text, CATALOG)
    assert not found.limits and "horror" in " ".join(found.not_understood)


def test_what_stands_beside_an_unknown_word_is_still_asked_for():
    assert hard(parse("a zorgly comedy", CATALOG), CATALOG) == {"genres: Comedy"}
