"""Amounts of a list and what they count: "at least three" with "comedies from the 80s"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.reads import Read

_MOST_BEHIND = 20
"""A greater number behind a value rather counts something else ("lamps under 50")."""
_BOUNDS = ("since_after", "until_after", "exact_after")
_NEAR = 6
_LONGEST_BODY = 40
"""Marks that one condition may have; keeps the reading linear."""


@dataclass(slots=True)
class Group:
    """An amount at `at` and the indices of the content that says of what; `joint`: how it hangs on what stands before."""

    at: int
    roles: tuple[str, ...]
    low: float | None
    high: float | None
    body: list[int]
    joint: str
    comma: bool = False
    is_quota: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether nothing says that the number is a bound."""
        return self.roles[1] in ("plain", "few", "span")

    @property
    def first(self) -> int:
        """Index of its first read."""
        return min([self.at, *self.body])

    @property
    def last(self) -> int:
        """Index of its last read."""
        return max([self.at, *self.body])


def read_groups(reads: Sequence[Read]) -> list[Group]:
    """Every firm amount with its condition; an article counts as one in a list that counts ("two comedies and a western")."""
    groups: list[Group] = []
    for index, read in enumerate(reads):
        if _sums_up(reads, index):
            continue
        if not read.mark.plays("amount") or read.soft or read.polarity not in ("include", "exclude"):
            continue
        low, high, roles = read.mark.low, read.mark.high, read.mark.roles
        if read.polarity == "exclude":
            if "at_least" not in roles or low is None:
                continue
            low, high, roles = 0, low - 1, ("amount", "at_most", *roles[3:])  # "don't give me more than two comedies"
        groups.append(Group(index, roles, low, high, _body(reads, index), read.joint, read.comma))
        _limited(groups[-1], reads)
        if groups[-1].body and all(reads[place].mark.plays("range") for place in groups[-1].body):
            groups[-1].roles = (*roles, "ranged")
        few = low is None or low <= _MOST_BEHIND and (high is None or high <= _MOST_BEHIND)
        trails = not groups[-1].is_plain or ("measured" in roles and "asked" not in roles)
        if not groups[-1].body and trails and "list" not in roles and few:
            groups[-1].body = _behind(reads, index, groups[:-1])
        if "each" in roles:
            groups[-1:] = _each(groups[-1], reads)
    return _with_articles(groups, reads)


def _sums_up(reads: Sequence[Read], at: int) -> bool:
    """Whether a number only counts what was listed before it: "科幻、冒险两个元素缺一不可"."""
    mark = reads[at].mark
    if not mark.plays("plain") or at + 1 >= len(reads) or not reads[at + 1].mark.plays("kinds_of", "all"):
        return False
    values = 0
    for read in reversed(reads[max(0, at - _LONGEST_BODY) : at]):
        if read.mark.plays("each") or read.mark.is_content and not read.mark.plays("value"):
            break
        if read.mark.plays("value"):
            values += 1
            if read.joint == "new" or (read.joint == "adjacent" and read is not reads[at - 1] and values > 1):
                break
    return values > 1 and values == mark.low


def _each(group: Group, reads: Sequence[Read]) -> list[Group]:
    """One group for each thing that is listed: "two each of comedy and drama", "西部和犯罪各两部"."""
    behind = bool(group.body) and group.body[0] > group.at
    body = group.body if behind else _listed_before(reads, group.at)
    units: list[list[int]] = []
    for index in body:
        units += [] if units and reads[index].joint == "adjacent" and index == units[-1][-1] + 1 else [[]]
        units[-1].append(index)
    if len(units) < 2:
        return [group]
    roles = ("amount", "plain", "count") if group.is_plain else group.roles
    return [Group(group.at, roles, group.low, group.high, unit, "and" if place else "new") for place, unit in enumerate(units)]


def _listed_before(reads: Sequence[Read], at: int) -> list[int]:
    """The values of the list right before an amount, whatever joins them."""
    found: list[int] = []
    for index in range(at - 1, max(-1, at - _LONGEST_BODY), -1):
        read = reads[index]
        if read.sentence != reads[at].sentence or (read.mark.is_content and not read.mark.plays("value", "unknown")):
            break
        if read.mark.plays("value") and read.polarity == "include" and not read.soft:
            found.insert(0, index)
            if read.joint == "new":
                break
    return found


def _limited(group: Group, reads: Sequence[Read]) -> None:
    """Words behind the condition that make a plain number a bound: "two thrillers at most"."""
    after = _bound_after(reads, group.last + 1) if group.body else None
    if (
        after is None
        or not {"plain", "exactly"}.intersection(group.roles)
        or not after.plays("since_after", "until_after", "exact_after")
    ):
        return
    if after.plays("exact_after"):
        group.roles = ("amount", "exactly", *group.roles[2:])
        return
    at_least = after.plays("since_after")
    group.roles = ("amount", "at_least" if at_least else "at_most", *group.roles[2:])
    group.low, group.high = (group.low, None) if at_least else (0, group.high)


def _bound_after(reads: Sequence[Read], start: int) -> Mark | None:
    """The bound that ends the clause which begins at `start`, if nothing else is said in it."""
    for index in range(start, min(start + _NEAR, len(reads))):
        mark = reads[index].mark
        if mark.plays(*_BOUNDS):
            return mark
        if mark.is_content or mark.plays("negation", "contrast", "and", "or") or (mark.plays("sign") and index > start):
            return None
        if mark.plays("sign"):
            ends = index + 2 >= len(reads) or reads[index + 2].mark.plays("sign", "and", "contrast")
            after = reads[index + 1].mark if index + 1 < len(reads) else None
            return after if ends and after is not None and after.plays(*_BOUNDS) else None
    return None


def _body(reads: Sequence[Read], at: int) -> list[int]:
    """Indices of the values and ranges that directly follow an amount."""
    found: list[int] = []
    named = False
    for index in range(at + 1, min(at + _LONGEST_BODY, len(reads))):
        read = reads[index]
        if read.sentence != reads[at].sentence or read.mark.plays("amount") or (found and _ends_body(reads, index, named=named)):
            break
        if read.mark.plays("named") and not named:
            # "at least 2 with genre: Comedy and year: 1990": a condition for each name
            named = not any(between.mark.plays("and", "sign") for between in reads[at + 1 : index])
        if not read.mark.is_content:
            continue
        if not named and (not _goes_on(reads, at, index, found) or _has_own_amount(reads, index)):
            break
        if read.mark.plays("value", "range"):
            found.append(index)
        elif read.mark.plays("title"):
            break
    return found


def _ends_body(reads: Sequence[Read], index: int, *, named: bool) -> bool:
    """Whether a condition of the whole list begins: "at least two comedies, and it must be ...", "..., with ..."."""
    mark = reads[index].mark
    apart = mark.plays("including", "clause", "of_them") and reads[index - 1].mark.plays("sign")
    return apart or mark.plays("firm", "contrast", "list") or (mark.plays("named") and not named)


def _has_own_amount(reads: Sequence[Read], index: int) -> bool:
    """Whether a value behind a comma has an amount right behind it: "a few comedies, dramas at most two"."""
    if not reads[index].comma:
        return False
    after = next((read for read in reads[index + 1 : index + 5] if read.mark.is_content), None)
    return after is not None and after.mark.plays("amount") and after.joint == "adjacent"


def _goes_on(reads: Sequence[Read], at: int, index: int, found: Sequence[int]) -> bool:
    """Whether the content at `index` still belongs to the condition that began behind `at`."""
    read = reads[index]
    if read.polarity != reads[at].polarity or read.soft or read.joint == "new" or (read.comma and (read.article or not found)):
        return False
    if read.polarity == "exclude" and read.trigger != reads[at].trigger:
        return False
    if read.comma and not found:
        return False  # "just three, comedies or dramas"
    if read.joint in ("adjacent", "or"):
        return True
    before = reads[found[-1]] if found else None
    if read.joint != "and" or before is None or not (read.mark.plays("value") and before.mark.plays("value")):
        return False
    return not read.article and read.mark.plural == before.mark.plural


def _behind(reads: Sequence[Read], at: int, groups: Sequence[Group]) -> list[int]:
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
        if read.mark.plays("unknown") and read.joint == "adjacent" and joint and not found:
            continue  # "给敏感肌用的至少四款"
        if index in taken or not joint or not read.mark.plays("value", "range") or read.polarity != "include" or read.soft:
            break
        found.insert(0, index)
        joint = read.joint if read.joint in ("adjacent", "or") else ""
    return [] if found and _is_mixed(reads, found[0], at) else found


def _is_mixed(reads: Sequence[Read], index: int, at: int) -> bool:
    """Whether a value ends a list of kinds that an amount behind it counts: "a mix of comedies and dramas, at most six"."""
    if reads[index].joint != "and" or reads[index].comma:
        return False
    kinds = {ref.attribute for ref in reads[index].mark.refs}
    for read in reversed(reads[max(0, index - _NEAR) : index]):
        mark = read.mark
        if mark.plays("value") and mark.plural and reads[index].mark.plural and reads[at].comma:
            return any(ref.attribute in kinds for ref in mark.refs)
        if not mark.plays("value", "and", "article", "list") or mark.plays("list"):
            return mark.plays("list")
    return False


def _with_articles(groups: Sequence[Group], reads: Sequence[Read]) -> list[Group]:
    out: list[Group] = []
    for group in groups:
        out.append(group)
        start = group.last + 1 if group.body else len(reads)
        while (index := next((i for i in range(start, len(reads)) if reads[i].mark.is_content), None)) is not None:
            read = reads[index]
            if not (read.mark.plays("value") and read.article and read.joint == "and" and read.polarity == "include") or read.soft:
                break
            if any(between.mark.plays("some", "including", "definite") for between in reads[group.last + 1 : index]):
                break  # "at least two comedies among them, and some dramas": how many goes without saying
            body = [index, *_body(reads, index)]
            out.append(Group(index, ("amount", "plain", "article"), 1, 1, body, "and"))
            start = body[-1] + 1
    return [*_article_before(groups, reads), *out]


def _article_before(groups: Sequence[Group], reads: Sequence[Read]) -> list[Group]:
    """A thing with an article in front of the first amount: "a western and two comedies"."""
    first = groups[0] if groups else None
    if first is None or not first.is_plain or first.joint != "and" or not first.body:
        return []
    before = [index for index in range(first.at) if reads[index].mark.is_content]
    alone = all(reads[i].mark.plays("value") and reads[i].polarity == "include" and not reads[i].soft for i in before)
    if any(read.mark.plays("some") for read in reads[: first.at]):
        return []
    if not before or not alone or not reads[before[0]].article or any(reads[i].joint != "adjacent" for i in before[1:]):
        return []
    return [Group(before[0], ("amount", "plain", "article"), 1, 1, before, "new")]
