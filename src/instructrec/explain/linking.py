"""What belongs to what in a text: of whom a value is said, what was asked for, what is rated low, what is announced."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from instructrec.explain.clauses import Part, Said, Title
from instructrec.explain.cues import Cues

_FAR = 16
"""Letters before "rate low" in which a "not" denies it."""


def link(sentences: Sequence[Sequence[Part]], item: str, cues: Cues) -> None:
    """Settle for every value and number of a text of whom it is said, and whether it is said to be asked for or rated low."""
    before: list[str] = []
    for parts in sentences:
        for part in parts:
            _assert(part, cues)
        _share(parts, before, item, cues)
        for part in parts:
            for found in cues.asked.finditer(part.text):
                _ask(parts, part, part.start + found.start(), part.start + found.end(), cues)
        for part in parts:
            _rate(parts, part, cues)
        _announced(parts, cues)
        before = _names((title for part in parts for title in part.titles), item) or before


def _names(titles: Iterable[Title], item: str) -> list[str]:
    return [title.name for title in titles if title.name != item]


# Of whom a value is said


def _share(parts: Sequence[Part], before: list[str], item: str, cues: Cues) -> None:
    for number, part in enumerate(parts):
        names = _names(part.titles, item)
        if names and part.values:
            for said in part.values:
                _beside(said, part, parts[number + 1 : number + 2], item, cues)
        elif names:
            _lend(parts, number, names, cues)
        elif part.values:
            _borrow(parts, number, before, item, cues)


def _beside(said: Said, part: Part, later: Sequence[Part], item: str, cues: Cues) -> None:
    """A value in one part with titles: said of them and of the item, if it is not "this comedy" or "“Title” is a comedy"."""
    if is_this(said, part, cues):
        return
    apart = [title for title in part.titles if contrasted(title, part, cues) or right_before(cues.lesser, part, title.place)]
    apart += [title for title in part.titles if _is_other(said, title, part)]
    said.about += _names((title for title in part.titles if title not in apart), item)
    subject = next((title for title in part.titles if title.place < said.place and _is_said_of(title, said, part, cues)), None)
    if subject is not None and not any(cues.shared.search(each.text) for each in (part, *later)):
        said.of_item = False
        said.about = [subject.name]


def _is_other(said: Said, title: Title, part: Part) -> bool:
    """Whether something else is said to be shared: "a drama from the director of “Title”"."""
    between = [name for place, name in part.named if said.end <= place < title.place]
    return bool(between) and all(ref.attribute not in between for ref in said.refs)


def _assert(part: Part, cues: Cues) -> None:
    """What "this comedy" is called, it is, whatever is denied beside it; "hardly a comedy" and "comedy-free" it is not."""
    for said in part.values:
        denied = cues.denied_by.match(part.after(said.end).lstrip()) or right_before(cues.denying, part, said.place)
        if denied and said.polarity == "include":
            said.polarity = "exclude"
        elif not denied and said.polarity == "exclude" and is_this(said, part, cues):
            said.polarity = "include"


def contrasted(title: Title, part: Part, cues: Cues) -> bool:
    """Whether "unlike" stands right before a title."""
    return right_before(cues.contrast, part, title.place)


def right_before(cue: re.Pattern[str], part: Part, place: int) -> bool:
    """Whether a cue stands right before a place of a part."""
    before = part.until(place)
    return any(not before[found.end() :].strip() for found in cue.finditer(before))


def is_this(said: Said, part: Part, cues: Cues) -> bool:
    """Whether the words right before a value, other values apart, are "this" or "these"."""
    start = said.place
    for other in reversed(part.values):
        if other.place < start and not part.text[other.end - part.start : start - part.start].strip(" -"):
            start = other.place
    return right_before(cues.this, part, start)


def _is_said_of(title: Title, said: Said, part: Part, cues: Cues) -> bool:
    between = part.text[title.place + 1 - part.start : said.place - part.start]
    found = cues.copula.match(between.lstrip())
    return found is not None and len(between.split()) <= 3


def _lend(parts: Sequence[Part], number: int, names: list[str], cues: Cues) -> None:
    """Titles without values beside them: what they are compared with, or whose director or brand is named next to them."""
    part = parts[number]
    earlier = parts[number - 1] if number else None
    later = parts[number + 1] if number + 1 < len(parts) else None
    text = part.text.lstrip()
    if cues.comparing.match(text) or cues.relative.match(text):
        if earlier is not None and earlier.values and not earlier.titles:
            earlier.values[-1].about += names
        elif later is not None and cues.comparing.match(text) and not later.titles:
            for said in later.values:
                said.about += names
        return
    attributes = {name for _, name in part.named}
    for near in (earlier, later):
        if near is None or near.titles or (near is later and cues.ands.match(later.text.lstrip())):
            continue
        if _is_bare(near):
            near.values[-1].about += names
        else:
            common = near is earlier and (cues.shared_far.search(near.text) is not None or _counts(near, len(names)))
            for said in near.values:
                said.about += names if common or any(ref.attribute in attributes for ref in said.refs) else []


def _counts(part: Part, titles: int) -> bool:
    """Whether a part says how many titles follow: "two comedies"."""
    return titles > 1 and any(said.read.mark.low == titles and said.words.isalpha() for said in part.numbers)


def _is_bare(part: Part) -> bool:
    """Whether a part is nothing but a value between commas."""
    return bool(part.values) and sum(map(str.isalnum, part.text)) <= 3


def _borrow(parts: Sequence[Part], number: int, before: list[str], item: str, cues: Cues) -> None:
    """Values without titles beside them, said of titles before or behind by "both", "another" or "like this one"."""
    part = parts[number]
    earlier = [_names(each.titles, item) for each in reversed(parts[:number]) if each.titles]
    later = [_names(each.titles, item) for each in parts[number + 1 :] if each.titles]
    text, at = part.text, number - 1
    while at >= 0 and not parts[at].titles and not parts[at].values:
        text, at = f"{parts[at].text} {text}", at - 1
    near = at >= 0 and bool(parts[at].titles)
    far = cues.shared_far.search(text)
    if not (far or (near and cues.shared.search(text))):
        return
    names = earlier[0] if earlier else before or (later[0] if later else [])
    if far and number and not near and earlier and not earlier[0]:
        return
    for said in part.values:
        if not is_this(said, part, cues):
            said.about += names


# What was asked for, and what is rated low


def _governed(parts: Sequence[Part], part: Part, last: int, cues: Cues, *, numbers: bool = True) -> list[Said]:
    """What a cue that ends at `last` is said of: what follows it in its part, else what stands before it, else the parts around."""
    own = _said(part, numbers=numbers)
    behind = [said for said in own if said.place >= last]
    if behind or own:
        return behind or own
    number = list(parts).index(part)
    for at in range(number - 1, -1, -1):
        if _said(parts[at], numbers=numbers):
            return [said for each in _with_dependent(parts, at, cues) for said in _said(each, numbers=numbers)]
    return _listed(parts[number + 1 :], numbers=numbers)


def _listed(parts: Sequence[Part], *, numbers: bool) -> list[Said]:
    """What the first part that says something says, and the parts behind it that are nothing but another value."""
    found: list[Said] = []
    for part in parts:
        if found and not _is_bare(part):
            break
        found += _said(part, numbers=numbers)
    return found


def _with_dependent(parts: Sequence[Part], at: int, cues: Cues) -> list[Part]:
    """A part, and those before it on which it depends: "A comedy, without war"."""
    found = [parts[at]]
    while (
        at and parts[at - 1].lead == parts[at].lead and not parts[at - 1].titles and cues.dependent.match(parts[at].text.lstrip())
    ):
        at -= 1
        found.append(parts[at])
    return found


def _said(part: Part, *, numbers: bool) -> list[Said]:
    """Values and numbers of a part; "two things" is no number to ask for."""
    own = [said for said in part.numbers if said.read.mark.plays("range", "decade") or any(map(str.isdigit, said.words))]
    return [*part.values, *(own if numbers else ())]


def _ask(parts: Sequence[Part], part: Part, first: int, last: int, cues: Cues) -> None:
    governed = _governed(parts, part, last, cues)
    refused = cues.unasked.search(part.text) is not None
    for said in governed:
        if said.polarity == "include" and any(said in each.values and is_this(said, each, cues) for each in parts):
            continue  # "You asked for a drama, and this comedy ..."
        said.asked = True
        said.behind = said.place < first or said not in _said(part, numbers=True)
        if refused and said.polarity == "include" and said in part.values:
            said.polarity = "exclude"


def _rate(parts: Sequence[Part], part: Part, cues: Cues) -> None:
    """Note which values are said to be rated low, and which high, or not low."""
    lows = [found.span() for found in cues.rated_low.finditer(part.text)]
    highs = [found.span() for found in cues.rated_high.finditer(part.text)]
    spans = [(*span, False) for span in lows]
    spans += [(*span, True) for span in highs if not any(low <= span[0] and span[1] <= high for low, high in lows)]
    for first, last, high in spans:
        before = part.text[max(0, first - _FAR) : first]
        for said in _governed(parts, part, part.start + last, cues, numbers=False):
            said.high = high or cues.negating.search(before) is not None
            said.low = not said.high
            if said in part.values:
                said.polarity = "include"  # "you don't rate lamps highly"


def _announced(parts: Sequence[Part], cues: Cues) -> None:
    """A value that is announced as speaking against, as in "One drawback: it is a comedy", is rated low, if nobody else is said to
    object to it.
    """
    said_so = (cues.rated_low, cues.criticising)
    if any(part.titles or any(cue.search(part.text) for cue in said_so) for part in parts):
        return
    for number, part in enumerate(parts):
        if cues.drawbacks.search(part.text):
            near = [each for each in parts[number : number + 2] if each.values] or [each for each in parts[:number] if each.values]
            for said in near[0].values if near else ():
                said.low = True
