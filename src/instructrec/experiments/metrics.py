"""What one unit (a user or session) did after its first exposure, as one number; each metric with the sentence that defines it.

Every metric counts all exposed units that could have acted, not only those that did: what an arm makes people do must not decide
who is counted, or the arms are no longer comparable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

DAY_S: Final = 86_400.0
RETENTION_DAYS: Final = (7.0, 14.0)
"""From when to when after the first exposure a unit must come back to be retained."""
PRE_PERIOD_DAYS: Final = 28.0
"""How long before the first exposure the same metric is measured for CUPED."""
NONE: Final = math.nan
LISTS: Final = ("list", "empty_list", "degraded_list")
"""Kinds of events of the lists that a unit was shown: each list, those without an item, those where a better model was late or
failed."""
CREDITED: Final[Mapping[str, str]] = {"ctr": "click", "like_rate": "like", "conversion": "purchase"}
"""Metrics whose events speak for single items of a list -> the kind of event."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a unit did, or that was done for it: its kind ("impression", "click", ..., or one of `LISTS`), when (seconds
    since 1970), and an answer if it has one.
    """

    kind: str
    time: float
    value: float = NONE


Measure: TypeAlias = Callable[[Sequence[Event], float, float], float]
"""(events, exposed, until) -> value: `exposed` and `until` in seconds since 1970; NaN where the unit has no value (yet).

`until` should lie as long after `exposed` for every unit, or units that came early have had more time than others.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A measure of one unit, what it means in words, and which direction is good."""

    measure: Measure
    definition: str
    better: Literal["higher", "lower"] = "higher"


def ctr(events: Sequence[Event], exposed: float, until: float) -> float:
    """Clicks an impression; see `METRICS`."""
    return _share(events, "click", "impression", exposed, until)


def like_rate(events: Sequence[Event], exposed: float, until: float) -> float:
    """Likes an impression; see `METRICS`."""
    return _share(events, "like", "impression", exposed, until)


def dislike_rate(events: Sequence[Event], exposed: float, until: float) -> float:
    """Dislikes an impression; see `METRICS`."""
    return _share(events, "dislike", "impression", exposed, until)


def conversion(events: Sequence[Event], exposed: float, until: float) -> float:
    """Whether the unit bought; see `METRICS`."""
    return float(bool(_times(events, "purchase", exposed, until)))


def repeat_purchase(events: Sequence[Event], exposed: float, until: float) -> float:
    """Whether the unit bought at two times or more; see `METRICS`."""
    return float(len(set(_times(events, "purchase", exposed, until))) >= 2)


def retention(events: Sequence[Event], exposed: float, until: float) -> float:
    """Whether the unit came back in the second week; see `METRICS`."""
    first, last = (exposed + days * DAY_S for days in RETENTION_DAYS)
    if until < last:
        return NONE
    return float(any(first <= event.time < last and event.kind not in LISTS for event in events))


def satisfaction(events: Sequence[Event], exposed: float, until: float) -> float:
    """Mean answer to the one question; see `METRICS`."""
    answers = [event.value for event in _of_kind(events, "satisfaction", exposed, until) if not math.isnan(event.value)]
    return math.fsum(answers) / len(answers) if answers else NONE


def empty_lists(events: Sequence[Event], exposed: float, until: float) -> float:
    """Lists without an item; see `METRICS`."""
    return _share(events, "empty_list", "list", exposed, until)


def degraded_lists(events: Sequence[Event], exposed: float, until: float) -> float:
    """Lists by a lower model; see `METRICS`."""
    return _share(events, "degraded_list", "list", exposed, until)


METRICS: Final[Mapping[str, Metric]] = {
    "ctr": Metric(
        measure=ctr,
        definition="Clicks divided by impressions after the first exposure, at most 1; units without impressions have no value.",
    ),
    "like_rate": Metric(
        measure=like_rate,
        definition="Likes divided by impressions after the first exposure, at most 1; units without impressions have no value.",
    ),
    "dislike_rate": Metric(
        measure=dislike_rate,
        definition="Dislikes divided by impressions after the first exposure, at most 1; units without impressions have no value.",
        better="lower",
    ),
    "conversion": Metric(
        measure=conversion, definition="1 if the unit bought anything after its first exposure, else 0; every unit counts."
    ),
    "repeat_purchase": Metric(
        measure=repeat_purchase,
        definition="1 if the unit bought at two different times or more after its first exposure, else 0; every unit counts.",
    ),
    "retention": Metric(
        measure=retention,
        definition="1 if the unit did anything from day 7 to before day 14 after its first exposure, else 0; "
        "units that were exposed less than 14 days ago have no value yet.",
    ),
    "satisfaction": Metric(
        measure=satisfaction,
        definition="Mean of the unit's answers to the satisfaction question after its first exposure; "
        "units that did not answer have no value, so compare the share of units that answered, too.",
    ),
    "empty_lists": Metric(
        measure=empty_lists,
        definition="Lists without any item divided by different lists shown after the first exposure; units without lists have no "
        "value.",
        better="lower",
    ),
    "degraded_lists": Metric(
        measure=degraded_lists,
        definition="Lists where a better model was late or failed divided by different lists shown after the first exposure; units "
        "without lists have no value.",
        better="lower",
    ),
}


def pre_period(name: str, events: Sequence[Event], exposed: float, *, days: float = PRE_PERIOD_DAYS) -> float:
    """The same metric over the `days` before the first exposure: what CUPED takes out. No event after the exposure is read.

    `name` is one of `METRICS`. NaN where the unit was not there before.
    """
    before = [event for event in events if exposed - days * DAY_S <= event.time < exposed]
    # One moment earlier than the exposure, so that nothing the arm did can be in it.
    return METRICS[name].measure(before, exposed - days * DAY_S, math.nextafter(exposed, -math.inf)) if before else NONE


def _of_kind(events: Sequence[Event], kind: str, exposed: float, until: float) -> list[Event]:
    return [event for event in events if event.kind == kind and exposed <= event.time <= until]


def _times(events: Sequence[Event], kind: str, exposed: float, until: float) -> list[float]:
    return [event.time for event in _of_kind(events, kind, exposed, until)]


def _share(events: Sequence[Event], part: str, whole: str, exposed: float, until: float) -> float:
    """Events of one kind for each of another, at most 1; none where there is none of the other."""
    of = len(_of_kind(events, whole, exposed, until))
    return min(1.0, len(_of_kind(events, part, exposed, until)) / of) if of else NONE
