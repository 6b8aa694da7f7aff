"""Properties of understanding: words and limits go round, nothing raises, and limits can always be applied."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.instructions.films import films

from instructrec.core import Instruction
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
