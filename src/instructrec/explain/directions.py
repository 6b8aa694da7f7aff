"""Which titles of a text are said to speak against the item, and which are said to count more than others."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.explain.clauses import TITLE, Part, Title
from instructrec.explain.cues import Cues

_NEAR = 8
"""Letters between "not" and what it denies, at most: "not a reason", but no longer "not the only reason"."""


def lowering(sentences: Sequence[Sequence[Part]], cues: Cues) -> set[int]:
    """Numbers of the titles, as they come in the text, that are said to lower the score."""
    flat = [part for parts in sentences for part in parts]
    found: set[int] = set()
    number = 0
    for at, part in enumerate(flat):
        for title in part.titles:
            if _lowers(flat, at, title, cues):
                found.add(number)
            number += 1
    return found


def _lowers(flat: Sequence[Part], at: int, title: Title, cues: Cues) -> bool:
    own = _own_direction(flat[at], title, cues)
    if own is None:
        own = _behind(flat, at, cues)
    if own is None:
        own = _ahead(flat, at, cues)
    return own or False


def _own_direction(part: Part, title: Title, cues: Cues) -> bool | None:
    """What the nearest cue of a title's own part says; None where there is none."""
    up, down = _cues(part.text, cues)
    if not down or not up:
        return bool(down) if down or up else None
    place = title.place - part.start

    def near(spans: list[tuple[int, int]]) -> int:
        return min(first - place if first > place else place - last + 1 for first, last in spans)

    return near(down) <= near(up)


def _cues(text: str, cues: Cues) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Where a text says that something raises the score, and where that it lowers it: "doesn't speak for it" does."""
    up = [found.span() for found in cues.raises.finditer(text)]
    denied = [found.end() for found in cues.negating.finditer(text)]
    down = [(first, last) for first, last in up if any(0 <= first - end <= _NEAR for end in denied)]
    up = [span for span in up if span not in down]
    down += [found.span() for pattern in (cues.lowers, cues.drawbacks) for found in pattern.finditer(text)]
    return _without_parts(up, down), _without_parts(down, up)


def _without_parts(spans: list[tuple[int, int]], longer: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that are no part of a longer one of the other direction: "doesn't help" is no "help"."""
    return [
        (first, last)
        for first, last in spans
        if not any(low <= first and last <= high and high - low > last - first for low, high in longer)
    ]


def _behind(flat: Sequence[Part], at: int, cues: Cues) -> bool | None:
    """A verb in the parts behind, up to the next title ("“Title”, also yours, lowers it"), or in a sentence "That lowers it"."""
    for part in flat[at + 1 :]:
        part_of_sentence = part.sentence == flat[at].sentence and part.lead == flat[at].lead
        opens = part.sentence == flat[at].sentence + 1 and part.start == 0 and cues.subjects.match(part.text)
        if part.titles or not (part_of_sentence or opens):
            return None
        up, down = _cues(part.text, cues)
        if up and not down:
            return False if part_of_sentence else None
        if cues.lowers.search(part.text) or (down and not cues.drawbacks.search(part.text)):
            return True
    return None


def _ahead(flat: Sequence[Part], at: int, cues: Cues) -> bool | None:
    """What is announced before a title: "One doubt: “Title”", or "There is a catch" as a sentence of its own."""
    for part in reversed(flat[:at]):
        near = part.sentence == flat[at].sentence
        alone = part.sentence == flat[at].sentence - 1 and not any(
            each.titles or each.values for each in flat if each.sentence == part.sentence
        )
        if part.titles or not (near or alone):
            return None
        if cues.drawbacks.search(part.text) or (near and part.lead != flat[at].lead and cues.lowers.search(part.text)):
            return True
        if cues.raises.search(part.text):
            return False
    return None


# What counts more


def groups(part: Part, wanted: set[int], first: int, cues: Cues) -> list[list[str]]:
    """Titles of a part in groups of those joined by nothing but "and" and commas; `first`: number of its first title in the text;
    `wanted`: the numbers of those to be grouped. A group behind "than" comes last.
    """
    found: list[list[str]] = []
    last: list[list[str]] = []
    group: list[str] = []
    end = 0
    for number, title in enumerate(part.titles, first):
        if number not in wanted:
            continue
        place = title.place - part.start
        between = part.text[end:place]
        if group and len(between.split()) <= 1 and not cues.sequence.search(between):
            group.append(title.name)
        else:
            group = [title.name]
            lesser = any(not between[than.end() :].strip() for than in cues.lesser.finditer(between))
            (last if lesser else found).append(group)
        end = place + len(TITLE)
    return found + last
