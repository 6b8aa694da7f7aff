"""The checker reads finished texts and finds every seeded lie, whoever wrote them."""

import pytest
from tests.explain.worlds import Linear, film_world, shown

from instructrec.core import Instruction, Query
from instructrec.explain import measure_influence
from instructrec.explain.facts import Lore, collect
from instructrec.explain.phrases import phrases
from instructrec.explain.verification import problems
from instructrec.instructions import parse

WORLD = film_world()


def facts_of(
    item="i4", *, history=("i0", "i1", "i2", "i3"), text="a comedy from the 1990s, no romance", language="en", source="linear"
):
    words = parse(text, WORLD.catalog) if text else Instruction(text="")
    recommendation = shown(Query(history=history, instruction=words), item, source=source)
    model = Linear().fit(WORLD)
    [influence] = measure_influence(model, [recommendation])
    [facts] = collect(Lore(WORLD, phrases(language)), recommendation, influence)
    return facts


TRUE = [
    "It is Comedy (genres).",
    "This animated comedy is from 1999.",
    "It has Comedy (genres), as you asked.",
    "It is not Romance (genres), as you asked.",
    "You asked for no romance.",
    "You picked “Toy Story” and “Aladdin”, and that weighs most here.",
    "It shares Animation (genres) with “Toy Story” and “Aladdin”.",
    "Both “Drama Queen” and this one have Comedy (genres).",
    "You picked “Drama Queen”.",
    "It is from 1999, and you asked for 1990 to 1999.",
    "1 person has picked it.",
    "“Toy Story 2” is Comedy.",
]

LIES = [
    # wrong genre
    "It is Drama (genres).",
    "It is a drama.",
    "This romantic comedy is for you.",
    "A great film noir, dramas included.",
    "It shares Comedy (genres) with “Aladdin”.",
    "Like “Toy Story”, it has Musical among its genres.",
    # wrong title
    "You picked “Casablanca”, and that weighs most here.",
    "You picked “Jaws”, and that weighs most here.",
    "You picked “Aladdin”, and that weighs most here.",
    "You picked “Romance”.",
    "Because you chose Toy Story before.",
    "You picked “Toy Story.",
    # wrong year or number
    "It is from 1995.",
    "It is from 1990, and you asked for 1990 to 1999.",
    "It is from 1999, and you asked for 1980 to 1999.",
    "It is from the 1980s.",
    "It is from before 1990.",
    "2 people have picked it.",
    "It was picked by 42 people.",
    "It has 7 prizes.",
    # swapped polarity
    "It is not Comedy (genres).",
    "It is Romance (genres), as you asked.",
    "You asked for no comedy.",
    "You asked for romance.",
    "It is without animation.",
    "You asked for Animation (genres).",
    "It is not from 1999.",
    # hidden from the eye
    "It is a ｄｒａｍａ.",
    "It is D-R-A-M-A, a DRAMA.",
    "You wished for ‘drama’.",
    "Mainly the language model put it here.",
]


@pytest.mark.parametrize("text", TRUE)
def test_true_claims_pass(text):
    assert problems(text, facts_of()) == []


@pytest.mark.parametrize("text", LIES)
def test_every_seeded_lie_is_found(text):
    assert problems(text, facts_of()) != []


@pytest.mark.parametrize("text", LIES)
def test_a_lie_behind_a_true_sentence_is_found(text):
    assert problems(f"It is Comedy (genres). {text}", facts_of()) != []


def test_genre_words_and_titles_inside_a_title_claim_nothing():
    facts = facts_of("i5", history=("i3", "i2"), text="")
    assert problems("You picked “Romance”, and that weighs most here.", facts) == []
    assert problems("“The Comedy of Romance” is from 1999.", facts) == []
    assert problems("It is “Romance”, a romance.", facts) != []


CHINESE_LIES = [
    "它属于Drama（genres）。",
    "它不是Comedy（genres），符合你的要求。",
    "它属于Romance（genres），符合你的要求。",
    "最主要的依据是你选过的《Casablanca》。",
    "最主要的依据是你选过的《Aladdin》。",
    "它来自1995年。",
    "有 42 人选过它。",
    "它和《Aladdin》一样属于Comedy（genres）。",
]


@pytest.mark.parametrize("text", CHINESE_LIES)
def test_lies_in_chinese_are_found(text):
    assert problems(text, facts_of(language="zh")) != []


@pytest.mark.parametrize(
    "text",
    [
        "它属于Comedy（genres）。",
        "它不是Romance（genres），符合你的要求。",
        "最主要的依据是你选过的《Toy Story》和《Aladdin》。",
        "它来自1999年。",
        "有 1 人选过它。",
    ],
)
def test_true_claims_in_chinese_pass(text):
    assert problems(text, facts_of(language="zh")) == []


def test_the_main_source_may_be_named():
    assert problems("Mainly the language model put it here.", facts_of(source="lm")) == []
    assert problems("Mainly what is popular put it here.", facts_of(source="lm")) != []


def test_kept_signs_and_endless_texts_are_refused():
    assert problems("It is \ue000.", facts_of()) != []
    assert problems("It is Comedy. " * 1000, facts_of()) != []
