"""Rules are parsed, never run, and a wrong one is explained."""

from __future__ import annotations

import numpy as np
import pytest

from instructrec.data.raw import Log
from instructrec.data.rules import matching, parse_rule
from instructrec.errors import ConfigError

NONE = float("nan")


def log():
    return Log(
        user_ids=("u",),
        item_ids=("i",),
        users=np.zeros(4, dtype=np.int64),
        items=np.zeros(4, dtype=np.int64),
        times=np.array([10.0, 20.0, 30.0, 40.0]),
        ratings=np.array([3.0, 4.0, 5.0, NONE]),
        kinds=np.array([0, 1, 1, -1]),
        kind_names=("click", "purchase"),
        lines=np.arange(4),
    )


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [1, 1, 1, 1]),
        ("rating>=4", [0, 1, 1, 0]),
        ("rating > 4", [0, 0, 1, 0]),
        ("rating < 4.5", [1, 1, 0, 0]),
        ("rating != 4", [1, 0, 1, 0]),
        ("rating == 4", [0, 1, 0, 0]),
        ("kind==purchase", [0, 1, 1, 0]),
        ("kind = 'click'", [1, 0, 0, 0]),
        ("kind != click", [0, 1, 1, 0]),
        ("kind==purchase and rating>4", [0, 0, 1, 0]),
        ("timestamp >= 20 and timestamp <= 30", [0, 1, 1, 0]),
    ],
)
def test_rules_hold_for_the_right_rows(text, rows):
    assert matching(log(), parse_rule(text)).tolist() == [bool(row) for row in rows]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rating", "cannot be read"),
        ("ratng>=4", "Did you mean 'rating'"),
        ("rating>=four", "no number"),
        ("kind>=click", "Use == or !="),
        ("__import__('os').system('true')", "cannot be read"),
        ("rating>=4 or rating<2", "no number"),
    ],
)
def test_other_words_are_refused_with_an_example(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_rule(text)


def test_an_unknown_kind_names_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'purchase'.*Kinds: click, purchase"):
        matching(log(), parse_rule("kind==purchas"))
