"""Ninth pass: what was read becomes limits that can be checked item by item, and the rest a wish.

How the rules read:

* values side by side or joined by "and" must all hold ("a romantic comedy"); joined by "or" one is enough; plurals joined
  by "and" or a comma are alternatives too ("comedies and dramas");
* a mixture ("a romantic comedy or a thriller") is rewritten as a conjunction of alternatives, which says exactly the same;
  an adjective before "A or B" without a second article goes with both;
* an unwanted combination ("no romantic comedies") is no limit, but a quota of none (`combined.py`);
* exclusions are limits even when put softly, because no model follows a "not" dependably;
* values that no item has together ("a lipstick and a mascara") are alternatives, however they are joined, and so is what is
  only granted beside another value ("a red lipstick, pink is fine too");
* what limits cannot hold (alternatives across attributes, "the 20s or the 90s") becomes a wish;
* of two ranges that cannot both hold, the later one holds, with a note.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from instructrec.instructions.reading.bounds import outside
from instructrec.instructions.reading.exclusions import excludes, named_attribute
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.reads import Read
from instructrec.instructions.vocabulary import Ref, Vocabulary
from instructrec.tables import Limit

_MOST_CLAUSES = 16
_LONGEST_GROUP = 8


@dataclass(frozen=True, slots=True)
class Sorted:
    """What became of the reads: the limits, the indices of those that are wishes or could not be used, and notes."""

    limits: tuple[Limit, ...]
    wishes: frozenset[int]
    unused: frozenset[int]
    notes: tuple[str, ...]


def sort_reads(reads: Sequence[Read], vocabulary: Vocabulary) -> Sorted:
    """Split reads into limits, wishes and leftovers."""
    reads = _without_pairs(reads)
    wishes, unused = set(_soft(reads)), {*_leftover(reads), *_told(reads)}
    wanted, softened = includes(reads, vocabulary)
    wished = [replace(read, soft=True) if index in softened else read for index, read in enumerate(reads)]
    spans, loose, impossible, notes = ranges(wished, vocabulary)
    wishes.update(softened, loose)
    unwanted, spared = excludes(reads, {value for limit in wanted for value in limit.values})
    limits = (*_merged_alternatives(wanted, reads, vocabulary), *spans, *unwanted)
    return Sorted(limits, frozenset(wishes - impossible), frozenset(unused | impossible | spared), tuple(notes))


def _merged_alternatives(limits: Sequence[Limit], reads: Sequence[Read], vocabulary: Vocabulary) -> list[Limit]:
    """Demands that no item can meet at once, because each has one value only, are alternatives ("a lipstick and a mascara")."""
    if any(read.mark.plays("named") for read in reads):
        return list(limits)
    granted = {ref.value for read in reads if read.mark.plays("granted") for ref in read.mark.refs}
    out: list[Limit] = []
    for limit in limits:
        at = next((n for n, other in enumerate(out) if other.attribute == limit.attribute), None)
        alone = not vocabulary.is_exclusive(limit.attribute) and not granted.intersection(limit.values)
        if at is None or alone or set(out[at].values) & set(limit.values):
            out.append(limit)
        else:
            out[at] = replace(out[at], values=(*out[at].values, *limit.values))
    return out


def _without_pairs(reads: Sequence[Read]) -> list[Read]:
    """Alternatives that each have a range of their own ("1990s comedies and 1980s dramas") are wishes: no limit can hold them."""
    out = list(reads)
    before: list[int] = []
    for unit in _side_by_side(reads):
        if before and reads[unit[0]].joint in ("and", "or") and _are_apart(reads, before, unit):
            for index in (*before, *unit):
                out[index] = replace(reads[index], soft=True)
        before = unit
    return out


def _side_by_side(reads: Sequence[Read]) -> list[list[int]]:
    """Indices of wanted content, one list for each stretch that nothing joins or parts."""
    units: list[list[int]] = []
    for index, read in enumerate(reads):
        if read.mark.is_content and read.polarity == "include" and not read.soft:
            units += [] if units and read.joint == "adjacent" else [[]]
            units[-1].append(index)
    return units


def _are_apart(reads: Sequence[Read], first: Sequence[int], second: Sequence[int]) -> bool:
    """Whether both hold a value and a range, and no number lies in both ranges."""
    spans = [[reads[i].mark for i in unit if reads[i].mark.plays("range")] for unit in (first, second)]
    named = all(any(reads[i].mark.plays("value") for i in unit) for unit in (first, second))
    if not named or any(len(found) != 1 for found in spans) or spans[0][0].attribute != spans[1][0].attribute:
        return False
    (one,), (other,) = spans
    return _merged([Limit(attribute="", operator="range", low=mark.low, high=mark.high) for mark in (one, other)]) is None


def _soft(reads: Sequence[Read]) -> list[int]:
    wished = ("title", "known", "quality")
    return [
        index
        for index, read in enumerate(reads)
        if read.polarity == "include" and read.mark.is_content
        if read.mark.plays(*wished) or (read.soft and read.mark.plays("value", "range", "amount"))
    ]


def _leftover(reads: Sequence[Read]) -> list[int]:
    """Words nobody knows, stray numbers, and unwanted, open or graded things that no limit can express."""
    strange = ("unknown", "number", "year", "decade", "count", "unit", "amount")
    return [
        index
        for index, read in enumerate(reads)
        if (read.mark.is_content and read.polarity != "counted")
        or (read.mark.plays("fresh", "familiar") and read.polarity == "open")
        if (read.mark.plays(*strange) and not (read.soft and read.mark.plays("amount")))
        or read.polarity in ("unclear", "open")
        or (read.soft and read.mark.plays("range") and read.mark.plays("negated"))  # no wish can hold a "not"
        or (read.polarity == "exclude" and not read.mark.plays("value", "range", "title"))
    ]


def _told(reads: Sequence[Read]) -> list[int]:
    """Words that only tell what happened."""
    return [index for index, read in enumerate(reads) if read.mark.plays("tale", "event")]


def includes(reads: Sequence[Read], vocabulary: Vocabulary) -> tuple[list[Limit], set[int]]:
    """Limits of the demanded values, and the indices of those that no limit can hold together."""
    limits: list[Limit] = []
    softened: set[int] = set()
    for expression in _expressions(reads):
        groups, dropped = _groups(reads, expression)
        softened.update(dropped)
        clauses = _clauses(_distributed([[_ref(reads, index, vocabulary) for index in group] for group in groups]))
        crossing = _crossing(reads, expression)
        if clauses is None or crossing:
            softened.update([*expression, *crossing])
            continue
        held = {ref for clause in clauses for ref in clause}
        softened.update(index for group in groups for index in group if _ref(reads, index, vocabulary) not in held)
        for clause in clauses:
            limit = Limit(attribute=clause[0].attribute, operator="include", values=tuple(ref.value for ref in clause))
            if limit not in limits:
                limits.append(limit)
    return limits, softened


def _expressions(reads: Sequence[Read]) -> list[list[int]]:
    """Indices of demanded values, cut where a new clause or sentence begins."""
    found: list[list[int]] = []
    for index, read in enumerate(reads):
        if not read.mark.plays("value") or read.polarity != "include" or read.soft:
            continue
        apart = read.comma and read.joint == "and" and not (found and _attributes(reads, index) & _attributes(reads, found[-1][-1]))
        own = read.comma and read.article and bool(found) and not any(reads[other].article for other in found[-1])
        if read.joint == "new" or not found or apart or own or _broken(reads, found[-1][-1], index):
            found.append([])
        found[-1].append(index)
    return found


def _attributes(reads: Sequence[Read], index: int) -> set[str]:
    return {ref.attribute for ref in reads[index].mark.refs}


def _broken(reads: Sequence[Read], first: int, second: int) -> bool:
    """Whether something with another polarity, or a new clause, stands between two values."""
    if reads[second].comma and any(read.mark.plays("fresh", "familiar") for read in reads[first + 1 : second]):
        return True  # "A that I know, B or C"
    between = [read for read in reads[first + 1 : second] if read.mark.is_content]
    other = (reads[second].joint == "and" or reads[second].comma) and any(read.mark.plays("range", "title") for read in between)
    return other or any(read.polarity != "include" or read.soft or read.joint == "new" for read in between)


def _crossing(reads: Sequence[Read], expression: Sequence[int]) -> list[int]:
    """A range that is an alternative to a value ("a comedy or something from the 90s"), if any."""
    for index in range(expression[-1] + 1, len(reads)):
        read = reads[index]
        if read.mark.is_content:
            return [index] if read.mark.plays("range") and read.joint == "or" and read.polarity == "include" else []
    return []


def _groups(reads: Sequence[Read], expression: Sequence[int]) -> tuple[list[list[int]], list[int]]:
    """Alternatives, each a list of values that must hold together; and what is one too many."""
    groups: list[list[int]] = []
    dropped: list[int] = []
    for index in expression:
        read = reads[index]
        plurals = bool(groups) and read.mark.plural and reads[groups[-1][-1]].mark.plural and read.joint != "adjacent"
        if not groups:
            groups.append([index])
        elif read.joint == "or" or plurals:
            groups.append([*_shared(reads, groups[-1], read), index])
        elif len(groups[-1]) < _LONGEST_GROUP:
            groups[-1].append(index)
        else:
            dropped.append(index)
    return groups, dropped


def _shared(reads: Sequence[Read], group: Sequence[int], read: Read) -> list[int]:
    """Adjectives of the alternative before that also go with this one: "a romantic comedy or drama", not "... or a drama"."""
    if read.article:
        return []
    start = len(group) - 1
    if start and reads[group[-1]].joint == "or":
        return list(group[:-1])  # shared already with the one before
    while start > 0 and reads[group[start]].joint == "adjacent":
        start -= 1
    return list(group[start:-1])


def _ref(reads: Sequence[Read], index: int, vocabulary: Vocabulary) -> Ref:
    mark = reads[index].mark
    return vocabulary.narrow(mark.refs, named_attribute(reads, index))


def _distributed(groups: list[list[Ref]]) -> list[list[Ref]]:
    """Alternatives of one attribute, with what stands behind the last of them for all: "a red or pink lipstick"."""
    shared = set.intersection(*({ref.attribute for ref in group} for group in groups))
    if len(groups) < 2 or not shared or any(ref.attribute not in shared for group in groups[:-1] for ref in group):
        return groups
    further = [ref for ref in groups[-1] if ref.attribute not in shared]
    return [*([*group, *further] for group in groups[:-1]), groups[-1]] if further else groups


def _clauses(groups: Sequence[Sequence[Ref]]) -> list[tuple[Ref, ...]] | None:
    """Alternatives of conjunctions as a conjunction of alternatives; None when one would cross attributes or they are too many."""
    size = 1
    for group in groups:
        size *= len(group)
        if size > _MOST_CLAUSES:
            return None
    clauses = list(dict.fromkeys(tuple(dict.fromkeys(choice)) for choice in product(*groups)))
    kept = [clause for clause in clauses if not any(set(other) < set(clause) for other in clauses)]
    unique = list({frozenset(clause): clause for clause in kept}.values())
    return None if any(len({ref.attribute for ref in clause}) > 1 for clause in unique) else unique


def ranges(reads: Sequence[Read], vocabulary: Vocabulary) -> tuple[list[Limit], set[int], set[int], list[str]]:
    """Limits of the demanded ranges, and what gave way.

    Returns them, the indices of alternatives that lie apart and of unwanted ranges whose complement is no range, and notes on
    ranges that gave way to later ones.
    """
    bounds: dict[str, list[tuple[int, Limit]]] = {}
    impossible: set[int] = set()
    for index, read in enumerate(reads):
        mark = read.mark
        if not mark.plays("range") or mark.attribute is None or read.polarity not in ("include", "exclude"):
            continue
        if read.polarity == "exclude" and not _belongs_to_demand(reads, index):
            other = None if _follows_value(reads, index) else _flipped(mark, integral=vocabulary.is_integral(mark.attribute))
            if other is None:
                impossible.add(index)
                continue
            mark = other
        elif read.soft:
            continue
        limit = Limit(attribute=mark.attribute or "", operator="range", low=mark.low, high=mark.high)
        bounds.setdefault(limit.attribute, []).append((index, limit))
    limits: list[Limit] = []
    loose: set[int] = set()
    notes: list[str] = []
    for attribute, found in bounds.items():
        merged = _merged([limit for _, limit in found])
        if merged is None and any(reads[index].joint == "or" for index, _ in found):
            loose.update(index for index, _ in found)
            continue
        if merged is None:
            notes.append(f"contradiction:{attribute}")
        limits.append(merged or _later([limit for _, limit in found]))
    return limits, loose, impossible, notes


def _later(limits: Sequence[Limit]) -> Limit:
    """The range in which the last ones hold, as many as can."""
    held = limits[-1]
    for limit in reversed(limits[:-1]):
        held = _merged([limit, held]) or held
    return held


def _follows_value(reads: Sequence[Read], index: int) -> bool:
    """Whether an unwanted range only narrows an unwanted value ("no comedies from before 1980")."""
    before = next((read for read in reversed(reads[max(0, index - 8) : index]) if read.mark.is_content), None)
    return before is not None and before.polarity == "exclude" and reads[index].joint == "adjacent"


def _belongs_to_demand(reads: Sequence[Read], index: int) -> bool:
    """Whether a range after an unwanted value goes with what was demanded before: "comedies without horror from the 90s"."""
    if not _follows_value(reads, index):
        return False
    earlier = reads[max(0, index - 40) : index]
    return any(
        read.polarity == "include" and not read.soft and read.segment == reads[index].segment and read.mark.plays("value")
        for read in earlier
    )


def _merged(limits: Sequence[Limit]) -> Limit | None:
    """The range in which all of them hold, or None when there is none."""
    lows = [limit.low for limit in limits if limit.low is not None]
    highs = [limit.high for limit in limits if limit.high is not None]
    low, high = max(lows, default=None), min(highs, default=None)
    if low is not None and high is not None and low > high:
        return None
    return replace(limits[0], low=low, high=high)


def _flipped(mark: Mark, *, integral: bool) -> Mark | None:
    """The range of everything a one-sided range leaves out; None for a two-sided one, which has no single complement."""
    if mark.low is not None and mark.high is None and mark.plays("loose"):
        return replace(mark, low=None, high=mark.low)  # "1990年以后的不要" leaves 1990
    spans = outside(mark.low, mark.high, whole=integral)
    return replace(mark, low=spans[0][0], high=spans[0][1]) if len(spans) == 1 else None
