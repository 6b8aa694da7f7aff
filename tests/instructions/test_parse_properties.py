"""Properties of understanding: words and limits go round, nothing raises, and limits can always be applied."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.instructions.films import films

from instructrec.core import Instruction, Quota
from instructrec.instructions import describe, limits_from_json, limits_to_json, parse
from instructrec.tables import Catalog, Labels, Limit

FILMS = films()
GENRES = FILMS.labels["genres"].names
FRAGMENTS = [
    *GENRES,
    "no",
    "not",
    "or",
    "and",
    ",",
    ".",
    "like",
    "ideally",
    "between",
    "1990",
    "the 90s",
    "before",
    "“",
    "Toy Story",
    "free",
    "nor",
    "a",
    "7",
    "不要",
]

ODD_VALUES = (
    "Action & Adventure",
    "Not Rated",
    "18+",
    "R&B",
    "Rock 'n' Roll",
    "1990s",
    "No Wave",
    "Or",
    "New York",
    "Children’s",
    "Bed and Breakfast",
    "50/50",
)
ODD = Catalog(
    item_ids=tuple(str(place) for place in range(len(ODD_VALUES))),
    titles=tuple(f"Thing {place}" for place in range(len(ODD_VALUES))),
    labels={
        "product_type": Labels.build([[value] for value in ODD_VALUES]),
        "maker": Labels.build([["Acme"]] + [["Bolt"]] * (len(ODD_VALUES) - 1)),
    },
    numbers={"price": np.linspace(0.5, 99.25, len(ODD_VALUES)), "released": np.arange(1990.0, 1990.0 + len(ODD_VALUES))},
)


def label_limits(attribute, names):
    some = st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True).map(tuple)
    return st.builds(
        lambda operator, values: Limit(attribute=attribute, operator=operator, values=values),
        st.sampled_from(["include", "exclude"]),
        some,
    )


def ranges(attribute, numbers):
    pair = st.tuples(st.none() | numbers, st.none() | numbers).filter(lambda bounds: bounds != (None, None))
    ordered = pair.map(lambda bounds: bounds if None in bounds else tuple(sorted(bounds)))
    return ordered.map(lambda bounds: Limit(attribute=attribute, operator="range", low=bounds[0], high=bounds[1]))


def canonical(limits):
    """Limits without order; exclusions of one attribute together, and without demands that they contradict, which they win over."""
    banned = {}
    for limit in limits:
        if limit.operator == "exclude":
            banned.setdefault(limit.attribute, set()).update(limit.values)
    rest = {
        (limit.attribute, limit.operator, frozenset(limit.values) - banned.get(limit.attribute, set()), limit.low, limit.high)
        for limit in limits
        if limit.operator != "exclude" and (limit.operator == "range" or set(limit.values) - banned.get(limit.attribute, set()))
    }
    return rest, {name: frozenset(values) for name, values in banned.items()}


years = st.integers(1800, 2100).map(float)
film_limits = st.tuples(st.lists(label_limits("genres", GENRES), max_size=3), st.lists(ranges("year", years), max_size=1)).map(
    lambda parts: (*parts[0], *parts[1])
)
odd_limits = st.tuples(
    st.lists(label_limits("product_type", ODD_VALUES) | label_limits("maker", ("Acme", "Bolt")), max_size=3),
    st.lists(ranges("price", st.decimals(-50, 500, places=2).map(float)), max_size=1),
    st.lists(ranges("released", years), max_size=1),
).map(lambda parts: tuple(limit for part in parts for limit in part))


@settings(max_examples=150, deadline=None)
@given(film_limits)
def test_limits_described_in_english_are_understood_as_they_were(limits):
    assert canonical(parse(describe(limits), FILMS).limits) == canonical(limits)


@settings(max_examples=80, deadline=None)
@given(film_limits)
def test_limits_described_in_chinese_are_understood_as_they_were(limits):
    assert canonical(parse(describe(limits, "zh"), FILMS, language="zh").limits) == canonical(limits)


@settings(max_examples=200, deadline=None)
@given(odd_limits)
def test_values_that_look_like_other_words_go_round_too(limits):
    assert canonical(parse(describe(limits), ODD).limits) == canonical(limits)


@settings(max_examples=100, deadline=None)
@given(odd_limits)
def test_limits_go_round_as_json(limits):
    assert limits_from_json(limits_to_json(limits), ODD) == limits


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300), st.sampled_from(["en", "zh", "de", ""]))
def test_any_text_gives_an_instruction(text, language):
    found = parse(text, FILMS, language=language)
    assert isinstance(found, Instruction) and found.text == text
    assert FILMS.matching(found.limits).shape == (len(FILMS),)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25))
def test_any_order_of_meaningful_words_gives_limits_that_can_be_applied(words):
    found = parse(" ".join(words), FILMS)
    assert FILMS.matching(found.limits).shape == (len(FILMS),)
    assert limits_from_json(limits_to_json(found.limits), FILMS) == found.limits


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(GENRES), min_size=1, max_size=4, unique=True),
    st.sampled_from(["no", "without", "anything but", "I hate", "never"]),
)
def test_a_list_of_unwanted_values_never_lets_one_through(values, negation):
    listed = " or ".join([", ".join(values[:-1]), values[-1]] if len(values) > 1 else values)
    shown = FILMS.matching(parse(f"{negation} {listed}", FILMS).limits)
    rows = FILMS.label_rows("genres")
    assert not any(set(rows[item]) & set(values) for item in np.flatnonzero(shown))


half, other_half = GENRES[::2], GENRES[1::2]
films_quotas = st.lists(
    st.builds(
        lambda limits, low, more: Quota(limits=limits, at_least=low, at_most=None if more is None else low + more),
        st.tuples(label_limits("genres", half)) | st.tuples(label_limits("genres", half), ranges("year", years)),
        st.integers(0, 4),
        st.none() | st.integers(0, 4),
    ).filter(lambda quota: quota.at_least or quota.at_most is not None),
    max_size=2,
)
examples = st.lists(st.sampled_from(FILMS.item_ids), max_size=3, unique=True).map(tuple)
wholes = st.builds(
    lambda limits, quotas, items, split, seen, n: Instruction(
        text="", limits=limits, quotas=tuple(quotas), like=items[:split], unlike=items[split:], seen=seen, n=n
    ),
    st.tuples() | st.tuples(label_limits("genres", other_half)),
    films_quotas,
    examples,
    st.integers(0, 3),
    st.sampled_from(["", "new", "known"]),
    st.none() | st.integers(8, 40),
)


def counted(quotas):
    """Every bound of every quota by itself: one quota with two bounds says the same as two quotas."""
    low = {(canonical_quota(quota), "at_least", quota.at_least) for quota in quotas if quota.at_least}
    return low | {(canonical_quota(quota), "at_most", quota.at_most) for quota in quotas if quota.at_most is not None}


def canonical_quota(quota):
    rest, banned = canonical(quota.limits)
    return frozenset(rest), frozenset(banned.items())


def check_round_trip(whole, language):
    found = parse(describe(whole, language, catalog=FILMS), FILMS, language=language)
    assert canonical(found.limits) == canonical(whole.limits)
    assert counted(found.quotas) == counted(whole.quotas)
    assert (set(found.like), set(found.unlike)) == (set(whole.like), set(whole.unlike))
    assert (found.seen, found.n) == (whole.seen, whole.n)


@settings(max_examples=200, deadline=None)
@given(wholes)
def test_instructions_described_in_english_are_understood_as_they_were(whole):
    check_round_trip(whole, "en")


@settings(max_examples=200, deadline=None)
@given(wholes)
def test_instructions_described_in_chinese_are_understood_as_they_were(whole):
    check_round_trip(whole, "zh")


MORE = [
    "at least",
    "three",
    "2",
    "of them",
    "half",
    "mostly",
    "newer",
    "than",
    "Alien",
    "another",
    "again",
    "haven't seen",
    "the rest",
    "stars",
    "one",
    "just",
    "top",
    "films",
    "exactly",
    "more than",
    "up to",
    "with",
    "early",
    "year",
    "year:",
    "cheaper",
    "since",
    "don't",
    "best",
    "5",
    "item",
]
ZH = [
    *(
        [
            "至少",
            "三部",
            "2",
            "其中",
            "一半",
            "比",
            "《Alien》",
            "新",
            "更",
            "没看过",
            "看过的",
            "不要",
            "像",
            "前",
            "十",
            "和",
            "或",
            "，",
            "。",
            "1980",
            "年",
            "以前",
            "90年代",
            "分",
            "其余",
            "只要",
            "最多",
            "一部",
        ]
    ),
    *(["为主", "year", "不超过", "片", "都不要", "以上", "到"]),
    *GENRES[:6],
]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from([*FRAGMENTS, *MORE]), max_size=20), st.lists(st.sampled_from(ZH), max_size=20))
def test_any_order_of_words_that_count_and_compare_gives_an_instruction_that_can_be_applied(english, chinese):
    for text, language in ((" ".join(english), "en"), ("".join(chinese), "zh")):
        found = parse(text, FILMS, language=language)
        for quota in found.quotas:
            assert FILMS.matching(quota.limits).shape == (len(FILMS),) and quota.limits
        assert not FILMS.unknown((*found.like, *found.unlike)) and not set(found.like) & set(found.unlike)
        assert found.n is None or found.n >= 1


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.sampled_from([*FRAGMENTS, *MORE]), max_size=15),
    st.lists(st.sampled_from(["zorgly", "blimfest", *(genre.lower() for genre in GENRES)]), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_no_content_word_is_dropped_in_silence(words, content, random):
    mixed = [*words, *content]
    random.shuffle(mixed)
    found = parse(" ".join(mixed), FILMS)
    limits = [*found.limits, *(limit for quota in found.quotas for limit in quota.limits)]
    kept = " ".join([*(value for limit in limits for value in limit.values), found.wish, *found.not_understood, *found.notes])
    titles = " ".join(FILMS.titles[FILMS.index[item]] for item in (*found.like, *found.unlike))
    heard = f"{kept} {titles}".lower()
    assert [word for word in content if word not in heard] == []


@pytest.mark.parametrize(
    "text",
    [
        "half year: don't Animation adventure",
        "mostly year: like crime to reorder comedy free",
        "half year: Romance like animation war",
        "Action Action Action year: don't Action half Animation Action Action adventure Action",
    ],
)
def test_a_quota_that_cannot_hold_all_its_words_hands_them_back(text):
    found = parse(text, FILMS)
    limits = [*found.limits, *(limit for quota in found.quotas for limit in quota.limits)]
    values = [value for limit in limits for value in limit.values]
    heard = " ".join([*values, found.wish, *found.not_understood, *found.notes]).lower()
    genres = {genre.lower() for genre in GENRES}
    assert [word for word in text.lower().split() if word in genres and word not in heard] == []
