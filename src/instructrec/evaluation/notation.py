"""How numbers are written on the report's page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

PERCENT: Final = frozenset({"coverage", "serendipity", "popularity", "lift"})
"""Measures beyond accuracy that are shares."""
NOTHING: Final = "–"
"""Stands for a value that does not exist."""


def number(value: float) -> str:
    """A metric: four places after the point, or a dash for no value."""
    return NOTHING if math.isnan(value) else f"{value:.4f}"


def metric_title(name: str) -> str:
    """A metric as it is written in a heading: "NDCG@10", "Recall@10"."""
    base, at, depth = name.partition("@")
    return f"{base.upper() if len(base) <= 4 else base.capitalize()}{at}{depth}"


def signed(value: float) -> str:
    """A difference with its sign, or a dash for no value."""
    return NOTHING if math.isnan(value) else f"{value:+.4f}".replace("-", "\u2212")


def signed3(value: float) -> str:
    """A difference with its sign in three places, for small fields."""
    return NOTHING if math.isnan(value) else f"{value:+.3f}".replace("-", "\u2212")


def short(value: float) -> str:
    """A number as short as it can be said, for axes."""
    return f"{value:.4g}"


def places(value: float) -> str:
    """A number for bars and axes: three places, zeros kept so that rows line up."""
    return f"{value:.3f}"


def hundredths(value: float) -> str:
    """A number with two places, for bars and axes of larger values."""
    return f"{value:.2f}"


def whole_percent(value: float) -> str:
    """A share as per cent without decimals, for axes."""
    return f"{100 * value:.0f} %"


def percent(value: float) -> str:
    """A share as per cent, or a dash for no value."""
    return NOTHING if math.isnan(value) else f"{100 * value:.1f} %"


def percent_of(value: float) -> str:
    """A share as per cent with one decimal, for bars."""
    return f"{100 * value:.1f} %"


def seconds(value: float) -> str:
    """A time in the unit in which it is read with ease: "0.4 ms", "12 s", "3.5 min", "2 h"."""
    for limit, unit, name in ((1.0, 1e-3, "ms"), (120.0, 1.0, "s"), (7200.0, 60.0, "min")):
        if value < limit:
            return f"{float(f'{value / unit:.2g}'):g} {name}"
    return f"{float(f'{value / 3600:.2g}'):g} h"


def milliseconds(value: float) -> str:
    """As `seconds`, from milliseconds."""
    return seconds(value / 1e3)


def size(value: int | None) -> str:
    """A number of bytes in MB or GB, or a dash for none."""
    if value is None:
        return NOTHING
    return f"{value / 1e9:.2f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB"


def measured(value: float, name: str) -> str:
    """A measure of `BEYOND` in its own unit."""
    return percent(value) if name in PERCENT else (NOTHING if math.isnan(value) else f"{value:.3f}")


def p_value(p: float) -> str:
    """A p-value in at most four places."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def thousands(value: int) -> str:
    """A count with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "number": number,
    "measure": measured,
    "pvalue": p_value,
    "thousands": thousands,
    "signed": signed,
    "signed3": signed3,
    "metric": metric_title,
    "seconds": seconds,
    "milliseconds": milliseconds,
    "size": size,
}
