"""Over a thousand everyday Chinese phrasings (`phrasings.zh.toml`): said alone, nearly all of them must be understood."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from tests.instructions.shelves import SHELVES

from instructrec.instructions import parse
from instructrec.instructions.sentences import SentenceWriter, hard_part


def phrasings(name):
    """The phrasings of one file."""
    return tomllib.loads((Path(__file__).parent / f"{name}.zh.toml").read_text(encoding="utf-8"))


PHRASINGS = phrasings("phrasings")
LATER = {"phrasings.second": 0.97, "phrasings.third": 0.94, "phrasings.fourth": 0.97}
"""Later files, each with the share of it that must be understood."""
FRAMES = {"opening": "{}喜剧", "opening_apart": "{}不要喜剧", "ending": "不要喜剧{}"}
WRITER = SentenceWriter(SHELVES["films"]("zh"), language="zh")


def said(kind, form, rng):
    """A clause of this wording."""
    WRITER.forms = {**WRITER.forms, kind: (form,)}
    first, second = (WRITER.values[int(at)] for at in rng.choice(len(WRITER.values), size=2, replace=False))
    while second.attribute != first.attribute or second == first:
        second = WRITER.values[int(rng.integers(len(WRITER.values)))]
    count, year = int(rng.integers(2, 6)), int(rng.integers(1960, 2000))
    makers = {
        "include": lambda: WRITER.include(first, rng),
        "noun": lambda: WRITER.include(first, rng, kind="noun"),
        "count_noun": lambda: WRITER.counted(first, count, rng),
        "either": lambda: WRITER.either(first, second, rng),
        "exclude": lambda: WRITER.exclude([first], rng),
        "exclude_two": lambda: WRITER.exclude([first, second], rng),
        "count": lambda: WRITER.count(count, rng),
        "new": lambda: WRITER.seen("new", rng),
        "known": lambda: WRITER.seen("known", rng),
        "like": lambda: WRITER.example(next(iter(WRITER.titles)), wanted=True, rng=rng),
        "unlike": lambda: WRITER.example(next(iter(WRITER.titles)), wanted=False, rng=rng),
        "quota_before": lambda: WRITER.quota_before(year, count, rng),
        "soft": lambda: WRITER.soft(first, rng),
        "mood": lambda: WRITER.mood(rng),
    }
    if kind in makers:
        return makers[kind]()
    if kind.startswith("quota"):
        return WRITER.quota(first, count, kind.removeprefix("quota_"), rng)
    draw = (lambda: WRITER.number("rating", 3.4, rng)) if kind.startswith("number") else (lambda: WRITER.years(year, rng))
    return next(clause for clause in (draw() for _ in range(300)) if clause.kind == kind)


@pytest.mark.parametrize("kind", [kind for kind in PHRASINGS if kind not in FRAMES])
def test_phrasings_say_what_they_mean(kind):
    rng = np.random.default_rng(3)
    # The films have no Chinese word for what their labels are.
    forms = [form for form in PHRASINGS[kind] if kind != "include" or "{attribute}" not in form]
    clauses = [said(kind, form, rng) for form in forms]
    read = [hard_part(parse(clause.text, WRITER.catalog, language="zh")) == hard_part(clause.means) for clause in clauses]
    assert np.mean(read) >= 0.95, [clause.text for clause, right in zip(clauses, read, strict=True) if not right]


@pytest.mark.parametrize("kind", FRAMES)
def test_what_stands_around_a_request_asks_for_nothing(kind):
    bare = hard_part(parse(FRAMES[kind].format(""), WRITER.catalog, language="zh"))
    texts = [FRAMES[kind].format(form) for form in PHRASINGS[kind]]
    assert [text for text in texts if hard_part(parse(text, WRITER.catalog, language="zh")) != bare] == []


@pytest.mark.parametrize("name", LATER)
def test_later_phrasings_say_what_they_mean(name):
    rng = np.random.default_rng(11)
    right, wrong = 0, []
    for kind, forms in phrasings(name).items():
        for form in forms:
            if kind in FRAMES:
                read = parse(FRAMES[kind].format(form), WRITER.catalog, language="zh")
                same = hard_part(read) == hard_part(parse(FRAMES[kind].format(""), WRITER.catalog, language="zh"))
            else:
                clause = said(kind, form, rng)
                same = hard_part(parse(clause.text, WRITER.catalog, language="zh")) == hard_part(clause.means)
            right += same
            wrong += [] if same else [form]
    assert right >= LATER[name] * (right + len(wrong)), wrong
