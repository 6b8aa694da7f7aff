"""Small expressions that say which interactions count, such as `rating>=4` or `kind==purchase and rating>2`; parsed, never run."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from instructrec.data.raw import Log
from instructrec.errors import ConfigError, nearest
from instructrec.tables import BoolArray

FIELDS = ("rating", "timestamp", "kind")
_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
_CONDITION = re.compile(r"\s*([A-Za-z_]+)\s*(>=|<=|==|!=|>|<|=)\s*(.+?)\s*")


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison: a field of FIELDS, an operator, and a number (rating, timestamp in seconds) or a word (kind)."""

    name: str
    symbol: str
    value: float | str

    def holds(self, log: Log) -> BoolArray:
        """Rows for which the comparison is true; a missing value compares as false."""
        if self.name == "kind":
            return self._kind_holds(log)
        values = log.ratings if self.name == "rating" else log.times
        return np.asarray(_OPERATORS[self.symbol](values, self.value) & ~np.isnan(values), dtype=np.bool_)

    def _kind_holds(self, log: Log) -> BoolArray:
        if not log.kind_names:
            raise ConfigError(
                f"The rule asks for kind {self.symbol} {self.value}, but the interactions have no kind column. Map one, or drop it."
            )
        if self.value not in log.kind_names:
            hint = nearest(str(self.value), log.kind_names)
            raise ConfigError(f"No interaction has the kind '{self.value}'.{hint} Kinds: {', '.join(log.kind_names)}.")
        same = log.kinds == log.kind_names.index(str(self.value))
        return np.asarray(same if self.symbol in ("=", "==") else ~same & (log.kinds >= 0), dtype=np.bool_)


def parse_rule(text: str) -> tuple[Condition, ...]:
    """Conditions that must all hold; an empty text has none. Raises ConfigError unless it reads `field op value [and ...]`."""
    if not text.strip():
        return ()
    return tuple(_condition(part, text) for part in re.split(r"\s+and\s+", text.strip()))


def matching(log: Log, conditions: tuple[Condition, ...]) -> BoolArray:
    """Rows of the log for which every condition holds."""
    rows = np.ones(len(log), dtype=np.bool_)
    for condition in conditions:
        rows &= condition.holds(log)
    return rows


def _condition(part: str, text: str) -> Condition:
    match = _CONDITION.fullmatch(part)
    if match is None:
        raise ConfigError(
            f"The rule '{text}' cannot be read at '{part}'. Write for example rating>=4, or kind==purchase and rating>2."
        )
    name, symbol, value = match.groups()
    if name not in FIELDS:
        raise ConfigError(
            f"The rule '{text}' asks for '{name}', which interactions do not have.{nearest(name, FIELDS)} Use {', '.join(FIELDS)}."
        )
    if name == "kind":
        if symbol not in ("=", "==", "!="):
            raise ConfigError(f"The rule '{text}' compares kind with {symbol}; a kind is a word. Use == or !=.")
        return Condition(name, symbol, value.strip("'\""))
    try:
        return Condition(name, symbol, float(value))
    except ValueError as error:
        raise ConfigError(
            f"The rule '{text}' compares {name} with '{value}', which is no number. Write for example {name}>=4."
        ) from error
