"""Whether a number of a text is one of the facts: how many people, a number of the item, a limit of the request."""

from __future__ import annotations

from math import isclose

from instructrec.explain.clauses import Part, Said
from instructrec.explain.cues import Cues
from instructrec.explain.facts import Facts
from instructrec.explain.linking import right_before
from instructrec.tables import Limit

MOST_NAMED = 4
"""So many things a text may count of those it names."""

_ABOUT = 0.1
"""How far "about" may be off, as a part of the number."""


def number_holds(said: Said, part: Part, facts: Facts, cues: Cues, titles: int) -> bool:
    """Whether a number has a source; `titles`: how many titles are named around it."""
    if said.polarity == "exclude" and not (said.asked and any(other.polarity == "exclude" for other in part.values)):
        return False  # but "a drama, no horror from 2010 on"
    if cues.reviewers.match(part.after(said.end).lstrip()):
        return _reviewers_hold(said, part, facts, cues)
    if _counts_people(said, part, cues):
        return _people_hold(said, part, facts.people, cues)
    attribute = _attribute(said, part, facts)
    names = [attribute] if attribute else [name for name in facts.lore.catalog.numbers if _can_be(said, name, facts)]
    return any(_holds(said, part, name, facts, cues) for name in names) or _counts_named(said, part, facts, cues, titles)


def _counts_people(said: Said, part: Part, cues: Cues) -> bool:
    behind = part.reading.reads[said.index + 1 : said.index + 2]
    named = any(read.mark.plays("people") for read in behind) or cues.people.match(part.after(said.end).lstrip())
    return bool(named) or right_before(cues.by_people, part, said.place)


def _reviewers_hold(said: Said, part: Part, facts: Facts, cues: Cues) -> bool:
    """Whether so many reviewers say each value of the part."""
    counts = [{facts.reviewers(ref) for ref in value.refs} - {0} for value in part.values]
    return bool(counts) and all(any(_people_hold(said, part, count, cues) for count in some) for some in counts)


def _people_hold(said: Said, part: Part, people: int, cues: Cues) -> bool:
    """Whether so many people it is, or more or fewer than the number where that is said."""
    low, high = _ends(said)
    if low is not None and low == high:
        if right_before(cues.more, part, said.place):
            return people >= low
        if right_before(cues.fewer, part, said.place):
            return people <= low
        if right_before(cues.about, part, said.place):
            return isclose(people, low, rel_tol=_ABOUT)
    return _inside(float(people), said)


def _attribute(said: Said, part: Part, facts: Facts) -> str | None:
    """The attribute that is named beside a number, or that the form of the number tells."""
    reads, known = part.reading.reads, facts.lore.vocabulary.attributes
    reading = part.reading
    for place in (said.index + 1, said.index - 1):
        if 0 <= place < len(reads):
            mark = reads[place].mark
            words = tuple(facts.lore.lexicon.stem(token.key) for token in reading.tokens[mark.first : mark.last])
            name = mark.attribute if mark.plays("attribute") else known.get(words)
            if name in facts.lore.catalog.numbers:
                return name
    return said.read.mark.attribute


def _can_be(said: Said, attribute: str, facts: Facts) -> bool:
    """A number without a name can be any but a year, where it is no year itself."""
    return attribute != facts.lore.vocabulary.year or said.read.mark.plays("year", "decade")


def _inside(number: float, said: Said) -> bool:
    low, high = _ends(said)
    return (low is None or low <= number) and (high is None or number <= high)


def _ends(said: Said) -> tuple[float | None, float | None]:
    mark = said.read.mark
    return (None if mark.low == 0 and mark.high else mark.low), mark.high


def _holds(said: Said, part: Part, attribute: str, facts: Facts, cues: Cues) -> bool:
    """A single number is the item's own or a bound of a limit; an interval holds the item's number, and is a limit where it was
    asked for.
    """
    own = facts.number(attribute)
    if own is None:
        return False
    limits = [limit for limit in facts.limits if limit.operator == "range" and limit.attribute == attribute]
    low, high = _ends(said)
    if low is not None and low == high:
        if said.asked or right_before(cues.own, part, said.place):
            bound = any(_near(low, end) for limit in limits for end in (limit.low, limit.high) if end is not None)
            return bound or (low == own and (said.behind or not said.asked) and bool(limits))
        about = right_before(cues.about, part, said.place) and attribute != facts.lore.vocabulary.year
        return low == own or (about and isclose(low, own, rel_tol=_ABOUT))
    if said.asked:
        return _inside(own, said) and any(_is_limit(low, high, limit) for limit in limits)
    return _inside(own, said)


def _is_limit(low: float | None, high: float | None, limit: Limit) -> bool:
    return all(
        (mine is None) is (other is None) and (mine is None or other is None or _near(mine, other))
        for mine, other in ((low, limit.low), (high, limit.high))
    )


def _near(one: float, other: float) -> bool:
    """Equal, or one apart: "under 60" is a limit of 59 where all numbers are whole."""
    return isclose(one, other) or abs(one - other) == 1


def _counts_named(said: Said, part: Part, facts: Facts, cues: Cues, titles: int) -> bool:
    """A small number in words, of what the text itself names ("all three", "two things"), or of values ("two genres")."""
    mark = said.read.mark
    if mark.low is None or mark.low != mark.high or mark.low > MOST_NAMED or any(map(str.isdigit, said.words)):
        return False
    values = {read.mark.attribute for read in part.reading.reads[said.index + 1 : said.index + 2]}
    counted = [labels for name, labels in facts.lore.catalog.labels.items() if name in values]
    if counted:
        return mark.low == len(counted[0].of(facts.item))
    behind = part.after(said.end).strip()
    text = facts.lore.catalog.texts[facts.item].lower() if facts.lore.catalog.texts else ""
    if behind and f"{said.words} {behind.split()[0].strip('.,;:')}".lower() in text:
        return True
    if mark.low == 1:
        return _attribute(said, part, facts) is None  # "one cookbook"
    free = any(cues.things.match(words) for words in (behind, *behind.split(" ", 1)[1:]))
    return free or (bool(titles) and mark.low in (titles, titles + 1))
