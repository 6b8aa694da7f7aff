"""Eighth pass: which amounts say how many items of the list meet a condition, and which how long the list is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from instructrec.core import Quota
from instructrec.instructions.reading.assembly import includes, ranges
from instructrec.instructions.reading.exclusions import excludes
from instructrec.instructions.reading.groups import Group, read_groups
from instructrec.instructions.reading.reads import Read
from instructrec.instructions.vocabulary import Vocabulary
from instructrec.tables import Limit


@dataclass(frozen=True, slots=True)
class Counted:
    """The reads (polarity "counted": used up), the quotas with the first and last read of their words, and the length."""

    reads: tuple[Read, ...]
    quotas: tuple[tuple[Quota, tuple[int, int]], ...]
    n: int | None


def read_quotas(reads: Sequence[Read], vocabulary: Vocabulary, *, n: int) -> Counted:
    """Quotas and the length of the list; `n` is the length where none is said."""
    groups, reads = _without_seen(read_groups(reads), reads)
    if not groups:
        return Counted(tuple(reads), (), None)
    _drop_rest(groups)
    length, used = _length(groups, reads)
    _choose(groups, reads, length)
    if length is None:
        length, listed = _sum_or_first(groups, reads, n)
        used |= listed
    quotas, out = [], list(reads)
    spent = 0
    for group in groups:
        if not group.is_quota:
            continue
        bounds = _bounds(group, length or n, spent)
        limits = _conditions(reads, group, vocabulary)
        if not limits or bounds is None:
            continue
        spent += bounds[0]
        quotas.append((Quota(limits=limits, at_least=bounds[0], at_most=bounds[1]), (group.first, group.last)))
        used |= {group.at, *group.body}
    for index in used:
        out[index] = replace(out[index], polarity="counted")
    return Counted(tuple(out), tuple(quotas), length)


def _without_seen(groups: list[Group], reads: Sequence[Read]) -> tuple[list[Group], Sequence[Read]]:
    """Amounts that count what is new or known ("ten films, 3 I haven't seen") are no condition that can be kept: handed back."""
    kept, out = [], list(reads)
    for group in groups:
        at = next(
            (i for i in range(group.at + 1, min(group.at + 4, len(reads))) if not reads[i].mark.plays("filler", "of_them")), None
        )
        counted = at is not None and not group.body and reads[at].mark.plays("fresh", "familiar")
        if at is not None and counted and (group is not groups[0] or not group.is_plain) and "noun" not in group.roles:
            for index in (group.at, at):
                out[index] = replace(out[index], polarity="open", trigger=None)
        else:
            kept.append(group)
    return kept, out


def _drop_rest(groups: Sequence[Group]) -> None:
    """Without anything else that is counted "the others" are no rest of the list: "no A, other Bs"."""
    if all(group.roles[1] == "rest" for group in groups):
        for group in groups:
            group.body = []


def _length(groups: Sequence[Group], reads: Sequence[Read]) -> tuple[int | None, set[int]]:
    """The length that an amount without a condition states; the last one holds."""
    length, used = None, set()
    for group in groups:
        states = not group.body and "asked" in group.roles and group.roles[1] != "few"
        listed = "list" in group.roles
        if (states or listed) and group.low is not None and "share" not in group.roles and "rest" not in group.roles:
            earlier = groups[: groups.index(group)]
            among = "partitive" in group.roles and any(one.is_plain and one.roles[1] != "few" for one in earlier)
            if among or reads[group.at].polarity == "exclude":
                continue
            if length is not None and not listed and not (group.is_plain and "noun" in group.roles):
                continue
            length = int(group.high if group.roles[1] in ("at_most", "span") and group.high else group.low)
            used.add(group.at)
            group.body = []
        elif not group.body and group.roles[1] in ("few", "share"):
            used.add(group.at)
    return length, used


def _choose(groups: Sequence[Group], reads: Sequence[Read], length: int | None) -> None:
    """Mark the groups that are quotas for sure."""
    before: Group | None = None
    for group in groups:
        if not group.body:
            before = None
            continue
        follows = (
            before is not None and before.is_quota and before.roles[1] in ("at_least", "at_most") and group.joint in ("and", "or")
        ) and group.roles[1] != "few"
        if "alone" in group.roles and "partitive" not in group.roles and not _has_content(reads, 0, group.at):
            group.roles = ("amount", "plain", *group.roles[2:])  # "just one comedy" asks for one, "..., just one comedy" allows one
        said = not group.is_plain
        if (
            said
            or "partitive" in group.roles
            or ("with" in group.roles and (group.at > 0))
            or (length is not None and group.roles[1] != "few")
        ):
            group.is_quota = True
        elif follows and before is not None:
            group.is_quota = True
            if before.roles[1] == "at_most":
                group.roles, group.low, group.high = before.roles, 0, group.high
        elif group.roles[1] == "few" or "vague" in group.roles:
            listed = group.joint == "and" and not group.comma and not _is_asked(reads, group) and _has_more(reads, group)
            group.is_quota = _counts_more(groups, group) or listed
        before = group
    if "article" in (groups[0].roles if groups else ()) and groups[0].is_quota and length is None:
        groups[0].is_quota = False


def _has_content(reads: Sequence[Read], start: int, end: int) -> bool:
    said = [read.mark for read in reads[start:end] if read.polarity == "include" and read.mark.is_content]
    return any(mark.plays("handed_back") or not mark.plays("known", "unknown", "quality") for mark in said)


def _counts_more(groups: Sequence[Group], group: Group) -> bool:
    """Whether something else is counted beside a group, or is a part of the list before it ("mostly comedies, a few dramas")."""
    shares = [other for other in groups if other.roles[1] == "share" and other.body and other.first < group.first]
    plain = [other for other in groups if other is not group and other.is_plain and other.body]
    return bool(shares) or any("partitive" not in other.roles and _are_counted(group, other) for other in plain)


def _are_counted(group: Group, other: Group) -> bool:
    """Whether two groups are parts of one list, rather than a few of this or that of which proposals are asked for."""
    later = group if group.first > other.first else other
    return other.roles[1] != "few" or (later.joint in ("and", "or") and not later.comma)


def _is_asked(reads: Sequence[Read], group: Group) -> bool:
    """Whether a general noun behind it says that all proposals are spoken of: "a handful of western recommendations"."""
    last = max((index for index in group.body if reads[index].mark.plays("value")), default=group.last)
    return last + 1 < len(reads) and reads[last + 1].mark.plays("noun")


def _has_more(reads: Sequence[Read], group: Group) -> bool:
    """Whether something else is asked for beside the condition of a group."""
    own = {group.at, *group.body}
    before = next((read for read in reversed(reads[: group.first]) if read.mark.is_content), None)
    if before is not None and before.polarity == "exclude":
        return False  # "no A, and a few B": nothing else is counted
    return any(read.mark.is_content and index not in own and read.polarity == "include" for index, read in enumerate(reads))


def _sum_or_first(groups: Sequence[Group], reads: Sequence[Read], n: int) -> tuple[int | None, set[int]]:
    """The length where it is only said with conditions: "five comedies" (all five), "two comedies and one western" (three)."""
    plain = [group for group in groups if group.is_plain and group.body and not group.is_quota]
    if not plain:
        return None, {group.at for group in groups if group.roles[1] == "few" and not group.is_quota}
    few = all(group.roles[1] == "few" and _is_asked(reads, group) for group in plain)
    if few and all(group.joint != "and" or group.comma for group in plain[1:]):
        return None, {group.at for group in plain}  # "a few comedy titles, some drama picks"
    first = plain[0]
    counted = [group for group in plain if group.roles[1] != "few"]
    parts = [group for group in groups if group is not first and group.is_plain and group.body and _is_apart(group, first, reads)]
    if "noun" in first.roles and parts and (parts[0].joint != "and" or parts[0].comma):
        whole = True
    else:
        whole = not parts or all(_is_part(group, first, reads) for group in parts)
    if any(group.roles[1] == "rest" and group.body for group in groups):
        for group in plain:
            group.is_quota = True  # "four comedies and the rest dramas" leaves the length open
        return None, set()
    if whole and "article" not in first.roles:
        for group in parts:
            group.is_quota = True
        number = first.high if first.roles[1] == "span" else first.low
        return (int(number or 0) or None) if first.roles[1] != "few" else None, {first.at}
    if "article" in first.roles and len(plain) == 1:
        return None, set()
    for group in plain:
        group.is_quota = True
    vague = len(counted) < len(plain) or any(
        group.is_quota and ("few" in group.roles or "vague" in group.roles) for group in groups
    )
    number = sum(int(group.low or 0) for group in (groups if vague else counted) if group.is_plain and group.body)
    return (None if vague and number <= n else number), set()


def _is_part(group: Group, first: Group, reads: Sequence[Read]) -> bool:
    """Whether a group counts among the items of the first: "ten comedies, three from the 80s"."""
    return (
        "noun" not in group.roles
        and (group.joint != "and" or group.comma)
        and (group.low or 0) < (first.low or 0)
        and ("ranged" in group.roles or _speaks_of_other(group, first, reads))
    )


def _is_apart(group: Group, first: Group, reads: Sequence[Read]) -> bool:
    """Whether it is no quota yet, or a vague one of another value of the attribute: "a dozen comedies, a couple of dramas"."""
    if not group.is_quota or not {"vague", "few"}.intersection(group.roles):
        return not group.is_quota
    kinds = [{ref.attribute for index in one.body for ref in reads[index].mark.refs} for one in (group, first)]
    return bool(kinds[0] & kinds[1])


def _speaks_of_other(group: Group, first: Group, reads: Sequence[Read]) -> bool:
    """Whether a group is of values of other attributes: "two lipsticks, one red"."""
    kinds = [{ref.attribute for index in one.body for ref in reads[index].mark.refs} for one in (group, first)]
    return all(kinds) and not kinds[0] & kinds[1]


def _bounds(group: Group, length: int, spent: int) -> tuple[int, int | None] | None:
    low, high = group.low, group.high
    kind = group.roles[1]
    if kind == "share":
        low = 0 if not low else math.floor(low * length) + 1 if _is_most(low) else math.ceil(low * length - 0.001)
        return int(low), math.floor(high * length) if high is not None else None
    if kind == "rest":
        return (length - spent, None) if length > spent else None
    if low is None:
        return None
    most = None if high is None or kind in ("plain", "few", "list") else int(high)
    return int(low), most


def _is_most(share: float) -> bool:
    return 0.5 < share < 0.51


def _conditions(reads: Sequence[Read], group: Group, vocabulary: Vocabulary) -> tuple[Limit, ...]:
    """The limits of a condition, read by the same rules as those of the whole list."""
    own = set(group.body)
    turned = reads[group.at].polarity == "exclude"
    start = max(0, group.first - 3)
    inside = [
        replace(
            read,
            polarity="include" if index in own and turned else read.polarity if index in own else "counted",
            # Triggers are places, and places are counted from `start` here.
            trigger=None if read.trigger is None or not start <= read.trigger <= group.last else read.trigger - start,
        )
        for index, read in enumerate(reads[start : group.last + 1], start)
    ]
    wanted, loose = includes(inside, vocabulary)
    unwanted, _ = excludes(inside, {value for limit in wanted for value in limit.values})
    held = {value for limit in (*wanted, *unwanted) for value in limit.values}
    named = [reads[index].mark.refs for index in group.body if reads[index].mark.plays("value")]
    if loose or any(not held & {ref.value for ref in refs} for refs in named):
        return ()  # no condition can hold all of it
    spans, _, _, _ = ranges(inside, vocabulary)
    return (*wanted, *spans, *unwanted)
