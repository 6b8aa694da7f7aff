"""Quotas, lengths, examples and the rest beyond limits: notes, wishes, what is handed back, other words in the catalog, time."""

import re
import time

import numpy as np
import pytest
from tests.instructions.test_sentences import FILM_WORDS, GOODS_WORDS
from tests.instructions.test_sentences_zh import FILM_WORDS as ZH_FILM_WORDS
from tests.instructions.worlds import films, goods, hard, zh_films

from instructrec.instructions import parse
from instructrec.instructions.lexicon import lexicon
from instructrec.instructions.parse import read
from instructrec.instructions.vocabulary import Vocabulary
from instructrec.tables import Catalog, Labels

FILMS = films()

NOTES = [
    ("a comedy but no comedies", ("contradiction:Comedy",)),
    ("from the 80s, no, from the 90s", ("contradiction:year",)),
    ("no horror, at least two horror films", ("contradiction:Horror",)),
    ("like Monsoon but not like Monsoon", ("contradiction:Monsoon",)),
    ("five films, at least eight comedies", ("impossible_quota:at least eight comedies",)),
    ("four films, at least three westerns and at least two musicals", ("impossible_quota:at least two musicals",)),
    ("from the 90s, at least two from the 70s", ("contradiction:year",)),
    ("ten films, at least three comedies", ()),
]


@pytest.mark.parametrize(("text", "notes"), NOTES, ids=[text for text, _ in NOTES])
def test_what_does_not_agree_is_settled_with_a_note(text, notes):
    assert parse(text, FILMS).notes == notes


WISHES = [
    ("something like Glass Harbour", "something like Glass Harbour"),
    ("darker than Monsoon", "darker than Monsoon"),
    ("something funnier than Last Radio", "funnier than Last Radio"),
    ("ideally two comedies", "two comedies"),
    ("five funny films", "funny"),
    ("something popular with a rating above 4", "popular"),
]


@pytest.mark.parametrize(("text", "wish"), WISHES, ids=[text for text, _ in WISHES])
def test_the_wish_reads_naturally(text, wish):
    assert parse(text, FILMS).wish == wish


LEFT = [
    ("something like Blue Meridian", ("Blue Meridian",)),
    ("something newer", ("newer",)),
    ("films of 2 hours", ("2 hours",)),
    ("for my 3 cats", ("3", "cats")),
    ("at least three zorglies", ("at least three zorglies",)),
    ("show only item 7", ("7",)),
    ("less violent than Monsoon", ("less violent",)),
    ("not only comedies", ("not only comedies",)),
]


@pytest.mark.parametrize(("text", "left"), LEFT, ids=[text for text, _ in LEFT])
def test_what_nothing_can_use_is_handed_back(text, left):
    assert " ".join(parse(text, FILMS).not_understood) == " ".join(left)


def test_a_share_is_of_the_length_that_was_said_or_given():
    assert hard(parse("half of them comedies", FILMS, n=6), FILMS) == {"at least 3: genre: Comedy"}
    assert hard(parse("half of them comedies, 8 films", FILMS, n=6), FILMS) == {"at least 4: genre: Comedy", "n = 8"}


def test_a_title_that_several_items_have_is_all_of_them_or_that_of_the_year():
    twice = Catalog(item_ids=("a", "b", "c"), titles=("Heat", "Heat", "Cold"), numbers={"year": np.array([1986.0, 1995.0, 1990.0])})
    assert parse("like Heat", twice).like == ("a", "b")
    assert parse("like Heat (1995)", twice).like == ("b",)
    assert parse("newer than Heat", twice).limits[0].low == 1996


def test_a_comparison_without_a_number_to_compare_is_not_understood():
    items = Catalog(item_ids=("a", "b"), titles=("Heat", "Cold"), numbers={"year": np.array([np.nan, 1990.0])})
    found = parse("newer than Heat", items)
    assert (found.limits, found.like, found.not_understood) == ((), (), ("newer than Heat",))


def renamed(items):
    """The catalog with invented words for its label attributes and their values, and the word for each old one."""
    values = sorted({name for labels in items.labels.values() for name in labels.names})
    words = {value: f"{'bdfgklmnprtvz'[place % 13]}o{'bdfgklmnprtvz'[place // 13]}ander" for place, value in enumerate(values)}
    names = {name: f"{'xq'[place]}orvel" for place, name in enumerate(items.labels)}
    labels = {
        names[name]: Labels.build([[words[value] for value in row] for row in items.label_rows(name)]) for name in items.labels
    }
    return Catalog(item_ids=items.item_ids, titles=items.titles, labels=labels, numbers=items.numbers), {**words, **names}


def put(text, words):
    """The text with the new words, plural where the old ones were."""
    plural = {old.lower()[:-1] + "ies" if old.endswith("y") else old.lower() + "s": new + "s" for old, new in words.items()}
    table = {**{old.lower(): new for old, new in words.items()}, **plural}
    table |= {"romantic": words.get("Romance", ""), "animated": words.get("Animation", ""), "knives": words.get("Knife", "")}
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(old)}(?!\w)" for old in sorted(table, key=len, reverse=True) if old), re.I)
    return pattern.sub(lambda match: table[match.group().lower()] or match.group(), text)


def unspelled(text):
    """Whether a sentence plays with the form of a word rather than with what it says."""
    return any(part in text for part in ("comdies", "the action", "category", "brand"))


@pytest.mark.parametrize(("make", "sentences"), [(films, FILM_WORDS), (goods, GOODS_WORDS)])
def test_no_word_of_a_domain_is_built_in(make, sentences):
    """The same sentences over a catalog whose attributes and values have invented names mean the same."""
    items = make()
    other, words = renamed(items)
    titles = sorted(items.titles, key=len, reverse=True)
    wrong = []
    for text, expected in sentences:
        if unspelled(text) or any(title.lower().removeprefix("the ") in text.lower() for title in titles):
            continue
        wanted = {" | ".join(sorted(put(part, words).split(" | "))) if " | " not in part else None for part in expected}
        found = hard(parse(put(text, words), other), other)
        if None not in wanted and found != wanted:
            wrong.append((put(text, words), sorted(found), sorted(wanted)))
    assert wrong == []


@pytest.mark.parametrize(
    "text",
    [
        '{"limits": [], "quotas": [{"at_least": 3}], "n": 50}',
        "for i in range(10): print(films[i])",
        "SELECT * FROM items WHERE genre = 'Horror' LIMIT 5;",
        "at least at least at most exactly of them of them",
        "like like like “ “ (1995) ( (",
        "\x00\x01\x02 at least \x00 three",
        "比比比《《》》至少至少",
        "1e309 99999999999999999999 films 0 films -3 films",
        "half half half the rest the rest",
        "newer than newer than than than",
    ],
)
def test_no_text_raises(text):
    for language in ("en", "zh", ""):
        for items in (FILMS, Catalog(item_ids=(), titles=()), zh_films()):
            parse(text, items, language=language)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("text", ["", " ", "。", "-", "\n"])
def test_what_holds_no_word_is_read_as_nothing(text, language):
    words = lexicon(language)
    for asks in (True, False):
        assert [one for one in read(text, Vocabulary.of(FILMS, words), words, asks=asks).reads if one.mark.is_content] == []


@pytest.mark.parametrize(
    "word",
    ["at least ", "three ", "at least three comedies and ", "like “", "newer than ", "of them ", "half ", "like Glass ", "one "],
)
def test_two_thousand_characters_are_read_in_linear_time(word):
    parse("x", FILMS)
    text = word * (2000 // len(word))
    short, long = (min(_seconds(text[:length]) for _ in range(3)) for length in (500, 2000))
    assert long < 0.15 and long < 12 * short + 0.01


def test_sentences_are_read_at_once():
    spent = sorted(_seconds(text) for text, _ in FILM_WORDS)
    assert spent[len(spent) // 2] < 0.01
    chinese = zh_films()
    parse("x", chinese, language="zh")
    start = time.process_time()
    for text, _ in ZH_FILM_WORDS:
        parse(text, chinese, language="zh")
    assert (time.process_time() - start) / len(ZH_FILM_WORDS) < 0.01


def _seconds(text):
    start = time.process_time()
    parse(text, FILMS)
    return time.process_time() - start
