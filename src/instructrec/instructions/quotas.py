"""Fifth pass: which amounts say how many items of the list meet a condition, and which how long the list is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from instructrec.core import Quota
from instructrec.instructions.assembly import excludes, includes, ranges
from instructrec.instructions.scope import Read
from instructrec.instructions.vocabulary import Vocabulary
from instructrec.tables import Limit

_MOST_BEHIND = 20
"""A greater number behind a value rather counts something else ("lamps under 50")."""
_LONGEST_BODY = 40
"""Marks that one condition may have; keeps the reading linear."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The reads (polarity "counted": used up), the quotas with the first and last read of their words, and the length."""

    reads: tuple[Read, ...]
    quotas: tuple[tuple[Quota, tuple[int, int]], ...]
    n: int | None


@dataclass(slots=True)
class _Group:
    """An amount at `at` and the indices of the content that says of what; `joint`: how it hangs on what stands before."""

    at: int
    roles: tuple[str, ...]
    low: float | None
    high: float | None
    body: list[int]
    joint: str
    comma: bool = False
    is_quota: bool = False
    inherits: bool = False

    @property
    def is_plain(self) -> bool:
        return "plain" in self.roles or "few" in self.roles

    @property
    def first(self) -> int:
        return min([self.at, *self.body])

    @property
    def last(self) -> int:
        return max([self.at, *self.body])


def read_quotas(reads: Sequence[Read], vocabulary: Vocabulary, *, n: int) -> Counted:
    """Quotas and the length of the list; `n` is the length where none is said."""
    groups = _groups(reads)
    if not groups:
        return Counted(tuple(reads), (), None)
    length, used = _length(groups, reads)
    _choose(groups, reads, length)
    if length is None:
        length, listed = _sum_or_first(groups)
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


def _groups(reads: Sequence[Read]) -> list[_Group]:
    """Every firm amount with its condition; an article counts as one in a list that counts ("two comedies and a western")."""
    groups: list[_Group] = []
    for index, read in enumerate(reads):
        if not read.mark.plays("amount") or read.soft or read.polarity not in ("include", "exclude"):
            continue
        low, high, roles = read.mark.low, read.mark.high, read.mark.roles
        if read.polarity == "exclude":
            if "at_least" not in roles or low is None:
                continue
            low, high, roles = 0, low - 1, ("amount", "at_most", *roles[3:])  # "don't give me more than two comedies"
        groups.append(_Group(index, roles, low, high, _body(reads, index), read.joint, read.comma))
        _limited(groups[-1], reads)
        if groups[-1].body and all(reads[place].mark.plays("range") for place in groups[-1].body):
            groups[-1].roles = (*roles, "ranged")
        few = low is None or low <= _MOST_BEHIND and (high is None or high <= _MOST_BEHIND)
        trails = not groups[-1].is_plain or ("measured" in roles and "asked" not in roles)
        if not groups[-1].body and trails and "list" not in roles and few:
            groups[-1].body = _behind(reads, index, groups[:-1])
    return _with_articles(groups, reads)


def _limited(group: _Group, reads: Sequence[Read]) -> None:
    """Words behind the condition that make a plain number a bound: "two thrillers at most"."""
    after = reads[group.last + 1].mark if group.body and group.last + 1 < len(reads) else None
    if after is None or "plain" not in group.roles or not after.plays("since_after", "until_after"):
        return
    at_least = after.plays("since_after")
    group.roles = ("amount", "at_least" if at_least else "at_most", *group.roles[2:])
    group.low, group.high = (group.low, None) if at_least else (0, group.high)


def _body(reads: Sequence[Read], at: int) -> list[int]:
    """Indices of the values and ranges that directly follow an amount."""
    found: list[int] = []
    named = False
    for index in range(at + 1, min(at + _LONGEST_BODY, len(reads))):
        read = reads[index]
        if read.sentence != reads[at].sentence or read.mark.plays("amount"):
            break
        if read.mark.plays("named"):
            named = True  # "at least 2 with genre: Comedy and year: 1990": a condition for each name
        if not read.mark.is_content:
            continue
        if not named and not _goes_on(reads, at, index, found):
            break
        if read.mark.plays("value", "range"):
            found.append(index)
        elif read.mark.plays("title"):
            break
    return found


def _goes_on(reads: Sequence[Read], at: int, index: int, found: Sequence[int]) -> bool:
    """Whether the content at `index` still belongs to the condition that began behind `at`."""
    read = reads[index]
    if read.polarity != reads[at].polarity or read.soft or read.joint == "new":
        return False
    if read.joint in ("adjacent", "or"):
        return True
    before = reads[found[-1]] if found else None
    if read.joint != "and" or before is None or not (read.mark.plays("value") and before.mark.plays("value")):
        return False
    return not read.article and read.mark.plural == before.mark.plural


def _behind(reads: Sequence[Read], at: int, groups: Sequence[_Group]) -> list[int]:
    """The values and ranges right before an amount that has none behind it: "comedies, at least three"."""
    taken = {index for group in groups[-_LONGEST_BODY:] for index in (*group.body, group.at)}
    found: list[int] = []
    exact = reads[at].mark.plays("exactly")
    joint = "adjacent" if reads[at].joint == "adjacent" or (reads[at].comma and not exact) else ""
    for index in range(at - 1, max(-1, at - _LONGEST_BODY), -1):
        read = reads[index]
        if read.sentence != reads[at].sentence:
            break
        if not read.mark.is_content:
            continue
        if index in taken or not joint or not read.mark.plays("value", "range") or read.polarity != "include" or read.soft:
            break
        found.insert(0, index)
        joint = read.joint if read.joint in ("adjacent", "or") else ""
    return found


def _with_articles(groups: Sequence[_Group], reads: Sequence[Read]) -> list[_Group]:
    out: list[_Group] = []
    for group in groups:
        out.append(group)
        start = group.last + 1 if group.body else len(reads)
        while (index := next((i for i in range(start, len(reads)) if reads[i].mark.is_content), None)) is not None:
            read = reads[index]
            if not (read.mark.plays("value") and read.article and read.joint == "and" and read.polarity == "include") or read.soft:
                break
            body = [index, *_body(reads, index)]
            out.append(_Group(index, ("amount", "plain", "article"), 1, 1, body, "and"))
            start = body[-1] + 1
    return [*_article_before(groups, reads), *out]


def _article_before(groups: Sequence[_Group], reads: Sequence[Read]) -> list[_Group]:
    """A thing with an article in front of the first amount: "a western and two comedies"."""
    first = groups[0] if groups else None
    if first is None or not first.is_plain or first.joint != "and" or not first.body:
        return []
    before = [index for index in range(first.at) if reads[index].mark.is_content]
    alone = all(reads[i].mark.plays("value") and reads[i].polarity == "include" and not reads[i].soft for i in before)
    if not before or not alone or not reads[before[0]].article or any(reads[i].joint != "adjacent" for i in before[1:]):
        return []
    return [_Group(before[0], ("amount", "plain", "article"), 1, 1, before, "new")]


def _length(groups: Sequence[_Group], reads: Sequence[Read]) -> tuple[int | None, set[int]]:
    """The length that an amount without a condition states; the last one holds."""
    length, used = None, set()
    for group in groups:
        states = not group.body and "asked" in group.roles and group.roles[1] != "few"
        listed = "list" in group.roles
        if (states or listed) and group.low is not None and "share" not in group.roles and "rest" not in group.roles:
            if ("partitive" in group.roles and group is not groups[0]) or reads[group.at].polarity == "exclude":
                continue
            if length is not None and not listed and not (group.is_plain and "noun" in group.roles):
                continue
            length = int(group.high if group.roles[1] == "at_most" and group.high else group.low)
            used.add(group.at)
            group.body = []
        elif not group.body and group.roles[1] in ("few", "share"):
            used.add(group.at)
    return length, used


def _choose(groups: Sequence[_Group], reads: Sequence[Read], length: int | None) -> None:
    """Mark the groups that are quotas for sure."""
    before: _Group | None = None
    for group in groups:
        if not group.body:
            before = None
            continue
        follows = (
            before is not None and before.is_quota and before.roles[1] in ("at_least", "at_most") and group.joint in ("and", "or")
        )
        if "alone" in group.roles and not _has_content(reads, 0, group.at):
            group.roles = ("amount", "plain", *group.roles[2:])  # "just one comedy" asks for one, "..., just one comedy" allows one
        said = not group.is_plain
        if said or "partitive" in group.roles or ("with" in group.roles and (group.at > 0)) or length is not None:
            group.is_quota = True
        elif follows and before is not None:
            group.is_quota = True
            if before.roles[1] == "at_most":
                group.roles, group.low, group.high = before.roles, 0, group.high
        elif group.roles[1] == "few" or "vague" in group.roles:
            group.is_quota = len(groups) > 1 or _has_more(reads, group)
        before = group
    if "article" in (groups[0].roles if groups else ()) and groups[0].is_quota and length is None:
        groups[0].is_quota = False


def _has_content(reads: Sequence[Read], start: int, end: int) -> bool:
    return any(read.mark.is_content and read.polarity == "include" for read in reads[start:end])


def _has_more(reads: Sequence[Read], group: _Group) -> bool:
    """Whether something else is asked for beside the condition of a group."""
    own = {group.at, *group.body}
    return any(read.mark.is_content and index not in own and read.polarity == "include" for index, read in enumerate(reads))


def _sum_or_first(groups: Sequence[_Group]) -> tuple[int | None, set[int]]:
    """The length where it is only said with conditions: "five comedies" (all five), "two comedies and one western" (three)."""
    plain = [group for group in groups if group.is_plain and group.body and not group.is_quota]
    if not plain:
        return None, {group.at for group in groups if group.roles[1] == "few" and not group.is_quota}
    first = plain[0]
    counted = [group for group in plain if group.roles[1] != "few"]
    parts = plain[1:]
    if "noun" in first.roles and parts and (parts[0].joint != "and" or parts[0].comma):
        whole = True
    else:
        whole = not parts or all(_is_part(group, first) for group in parts)
    if any(group.roles[1] == "rest" and group.body for group in groups):
        for group in plain:
            group.is_quota = True  # "four comedies and the rest dramas" leaves the length open
        return None, set()
    if whole and "article" not in first.roles:
        for group in parts:
            group.is_quota = True
        return (int(first.low or 0) or None) if first.roles[1] != "few" else None, {first.at}
    if "article" in first.roles and len(plain) == 1:
        return None, set()
    for group in plain:
        group.is_quota = True
    vague = len(counted) < len(plain) or any(
        group.is_quota and ("few" in group.roles or "vague" in group.roles) for group in groups
    )
    return (None if vague else sum(int(group.low or 0) for group in counted)), set()


def _is_part(group: _Group, first: _Group) -> bool:
    """Whether a group counts among the items of the first: "ten comedies, three from the 80s"."""
    return (
        "noun" not in group.roles
        and (group.joint != "and" or group.comma)
        and (group.low or 0) < (first.low or 0)
        and "ranged" in group.roles
    )


def _bounds(group: _Group, length: int, spent: int) -> tuple[int, int | None] | None:
    low, high = group.low, group.high
    kind = group.roles[1]
    if kind == "share":
        low = 0 if not low else math.floor(low * length) + 1 if _is_most(low) else math.ceil(low * length - 0.001)
        return int(low), math.floor(high * length) if high is not None else None
    if kind == "rest":
        return (length - spent, None) if length > spent else None
    if low is None:
        return None
    most = None if high is None or group.is_plain or kind == "list" else int(high)
    return int(low), most


def _is_most(share: float) -> bool:
    return 0.5 < share < 0.51


def _conditions(reads: Sequence[Read], group: _Group, vocabulary: Vocabulary) -> tuple[Limit, ...]:
    """The limits of a condition, read by the same rules as those of the whole list."""
    own = set(group.body)
    turned = reads[group.at].polarity == "exclude"
    start = max(0, group.first - 3)
    inside = [
        replace(read, polarity="include" if index in own and turned else read.polarity if index in own else "counted")
        for index, read in enumerate(reads[start : group.last + 1], start)
    ]
    wanted, _ = includes(inside, vocabulary)
    spans, _, _, _ = ranges(inside, vocabulary)
    return (*wanted, *spans, *excludes(inside, vocabulary, {value for limit in wanted for value in limit.values})[0])
