"""The hand-written sentences: every expectation can be read, names what the catalog has, and differs from every other meaning."""

import math

import pytest
from tests.instructions.sentences import PARTS, Hard, Sentence, expected, load, marks, rename
from tests.instructions.shelves import SHELVES, renamed

from instructrec.core import Instruction, Quota
from instructrec.tables import Limit

FILES = [(language, shelf, part) for part in PARTS for language in ("en", "zh") for shelf in SHELVES]
COUNTS = {
    **{("en", "first"): 150, ("zh", "first"): 300, ("en", "second"): 160, ("zh", "second"): 310},
    **{("en", "third"): 155, ("zh", "third"): 300},
}
FILMS = SHELVES["films"]()


def hard(*expect: str, shelf: str = "films") -> Hard:
    return expected(Sentence(text="", marked="", expect=expect, kind="simple"), SHELVES[shelf]())


@pytest.mark.parametrize(("language", "shelf", "part"), FILES)
def test_every_expectation_and_mark_is_of_the_catalog(language, shelf, part):
    catalog = SHELVES[shelf](language)
    for sentence in load(language, shelf, part=part):
        assert len(set(sentence.expect)) == len(sentence.expect), sentence
        assert expected(sentence, catalog) is not None
        assert sentence.text.strip(), sentence
        assert not {letter for letter in sentence.text if letter in "{}"}, sentence
        assert [word for word in sentence.unknown if word not in sentence.text] == [], sentence
        marked = {(attribute, value) for attribute, value, _ in marks(sentence, catalog)}
        for condition in sentence.expect:
            assert named(condition, catalog) <= marked, (condition, sentence.marked)


@pytest.mark.parametrize(("language", "shelf", "part"), FILES)
def test_no_value_stands_in_a_text_unmarked(language, shelf, part):
    """Outside of titles: else it would be a value in the catalog as it is and none in the renamed one."""
    catalog = SHELVES[shelf](language)
    new = renamed(catalog, 7)
    values = {value.casefold() for labels in catalog.labels.values() for value in labels.names}
    for sentence in load(language, shelf, part=part):
        text = rename(sentence, catalog, new).text.casefold()
        for title in sorted(catalog.titles, key=len, reverse=True):
            text = text.replace(title.casefold(), " ")
        found = [value for value in values if (value in text if language == "zh" else f" {value} " in f" {text} ")]
        assert found == [], sentence.marked


@pytest.mark.parametrize(("language", "part"), COUNTS)
def test_there_are_as_many_as_claimed_and_none_twice(language, part):
    sentences = [sentence for shelf in SHELVES for sentence in load(language, shelf, part=part)]
    assert len(sentences) >= COUNTS[language, part]
    assert len({sentence.text.casefold() for sentence in sentences}) == len(sentences)
    kinds = [sentence.kind for sentence in sentences]
    assert all(kinds.count(kind) >= len(kinds) / 8 for kind in ("simple", "composite", "hard"))


@pytest.mark.parametrize("language", ("en", "zh"))
def test_the_sets_share_no_sentence(language):
    sets = [{plain(sentence.text) for shelf in SHELVES for sentence in load(language, shelf, part=part)} for part in PARTS]
    assert len(set.union(*sets)) == sum(map(len, sets))


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_set_is_the_first_unless_told(shelf):
    assert load("en", shelf) == load("en", shelf, part="first")
    assert load("en", shelf) != load("en", shelf, part="second")
    with pytest.raises(KeyError):
        load("en", shelf, part="fourth")


@pytest.mark.parametrize(("language", "shelf", "part"), FILES)
def test_kinds_say_how_many_conditions(language, shelf, part):
    for sentence in load(language, shelf, part=part):
        many = len(sentence.expect) + sentence.wish > 1 or " | " in "".join(sentence.expect)
        assert sentence.kind != "simple" or len(sentence.expect) == 1, sentence
        assert sentence.kind != "composite" or many, sentence


@pytest.mark.parametrize(("language", "shelf", "part"), FILES)
def test_renaming_changes_words_and_meaning_together(language, shelf, part):
    catalog = SHELVES[shelf](language)
    old = {value for labels in catalog.labels.values() for value in labels.names}
    for seed in range(3):
        new = renamed(catalog, seed)
        assert new.catalog.titles == catalog.titles
        assert not old & {value for labels in new.catalog.labels.values() for value in labels.names}
        for sentence in load(language, shelf, part=part):
            other = rename(sentence, catalog, new)
            before, after = expected(sentence, catalog), expected(other, new.catalog)
            assert (after.like, after.unlike, after.seen, after.n) == (before.like, before.unlike, before.seen, before.n)
            assert (other.text == sentence.text) == (not marks(sentence, catalog))
            assert len(after.limits) == len(before.limits)
            for condition in other.expect:
                words = {new_word for _, new_word in named(condition, new.catalog)}
                assert all(word.casefold() in other.text.casefold() for word in words), other


def test_renaming_keeps_what_an_item_has():
    new = renamed(FILMS, 1)
    for (attribute, value), word in new.values.items():
        rows = FILMS.labels[attribute].any_of([value])
        assert (new.catalog.labels[new.attributes[attribute]].any_of([word]) == rows).all()


def test_plurals_typos_and_names_of_attributes_are_renamed():
    catalog = SHELVES["shop"]()
    new = renamed(catalog, 3)
    sentence = Sentence(
        text="", marked="{Lipstiks=lipsticks}, any {@skin types}, {dry}", expect=("not skin_type: Dry",), kind="hard"
    )
    other = rename(sentence, catalog, new)
    lipstick, dry, name = new.values["category", "Lipstick"], new.values["skin_type", "Dry"], new.attributes["skin_type"]
    assert other.text == f"{lipstick}s, any {name.replace('_', ' ')}s, {dry.lower()}"
    assert other.expect == (f"not {name}: {dry}",)


@pytest.mark.parametrize(
    "condition",
    [
        "genres: Comdy",
        "genre: Comedy",
        "like: Gladiator",
        "price < 20",
        "year 1990",
        "at least x: new",
        "at least 2: n = 3",
        "n = many",
        "",
    ],
)
def test_a_condition_that_is_none_is_an_error(condition):
    with pytest.raises(ValueError):
        hard(condition)


@pytest.mark.parametrize("mark", ["{comidy}", "{@genrez}", "{commedies=comedys}"])
def test_a_mark_that_names_nothing_is_an_error(mark):
    with pytest.raises(ValueError):
        marks(Sentence(text="", marked=mark, expect=(), kind="hard"), FILMS)


DIFFERENT = [
    ("genres: Comedy | Drama",),
    ("genres: Comedy", "genres: Drama"),
    ("not genres: Comedy | Drama",),
    ("genres: Comedy",),
    ("year 1990..1999",),
    ("year 1990..",),
    ("year ..1990",),
    ("rating > 4",),
    ("rating >= 4",),
    ("at least 2: genres: Comedy",),
    ("at most 2: genres: Comedy",),
    ("exactly 2: genres: Comedy",),
    ("at least 2: genres: Comedy & year 1990..",),
    ("at least 2: genres: Comedy", "at least 2: year 1990.."),
    ("like: Static",),
    ("unlike: Static",),
    ("new",),
    ("known",),
    ("n = 2",),
    (),
]


def test_hard_tells_meanings_apart():
    assert len({hard(*expect) for expect in DIFFERENT}) == len(DIFFERENT)


def test_hard_does_not_count_order_and_grouping():
    assert hard("new", "genres: Drama", "genres: Comedy") == hard("genres: Comedy", "genres: Drama", "new")
    assert hard("genres: Drama | Comedy") == hard("genres: Comedy | Drama")
    assert hard("not genres: Drama", "not genres: Comedy") == hard("not genres: Comedy | Drama")
    assert hard("year 1990..", "year ..1999") == hard("year 1990..1999")


def test_strict_bounds_are_the_next_number_there_is():
    assert hard("year > 1990", "year < 2000") == hard("year 1991..1999")
    assert hard("rating > 4").limits == {("range", "rating", math.nextafter(4, 5), math.inf)}
    assert hard("price < 20", shelf="shop").limits == {("range", "price", -math.inf, math.nextafter(20, 0))}
    assert hard("runtime > 100").limits == {("range", "runtime", 101.0, math.inf)}


def test_a_title_that_is_there_twice_means_both():
    assert hard("like: The Long Harvest").like == {"1", "2"}
    assert hard("unlike: First Rain", shelf="shop").unlike == {"18", "19"}


def test_an_instruction_with_the_same_demands_is_equal():
    comedy = Limit(attribute="genres", operator="include", values=("Drama", "Comedy"))
    unwanted = tuple(Limit(attribute="genres", operator="exclude", values=(value,)) for value in ("War", "Horror"))
    old = Limit(attribute="year", operator="range", high=1979.0)
    instruction = Instruction(
        text="whatever",
        limits=(*unwanted, comedy),
        quotas=(Quota(limits=(old,), at_most=2), Quota(limits=(unwanted[0], old), at_least=1, at_most=1)),
        like=("3",),
        seen="new",
        n=5,
        wish="cosy",
        not_understood=("hm",),
        notes=("note",),
    )
    expect = (
        "genres: Comedy | Drama",
        "not genres: Horror | War",
        "at most 2: year ..1979",
        "exactly 1: year < 1980 & not genres: War",
    )
    assert Hard.of(instruction) == hard(*expect, "like: Static", "new", "n = 5")
    assert Hard.of(instruction) != hard(*expect, "like: Static", "new")
    assert Hard.of(Instruction(text="")) == Hard()


def plain(text: str) -> str:
    """The text without case, spaces and punctuation."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def named(condition: str, catalog) -> set[tuple[str, str]]:
    """The label values that a condition names."""
    demand = expected(Sentence(text="", marked="", expect=(condition,), kind="hard"), catalog)
    limits = demand.limits | {limit for quota, _, _ in demand.quotas for limit in quota}
    return {(limit[1], value) for limit in limits if limit[0] != "range" for value in limit[2]}
