"""A finished text cut into parts of sentences, each with the titles, values and numbers that stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from instructrec.explain.cues import Cues
from instructrec.explain.facts import Lore
from instructrec.instructions.lexicon import Comparison
from instructrec.instructions.parse import Reading
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.reads import Polarity, Read
from instructrec.instructions.vocabulary import Ref

TITLE, WORD, VALUE = "\ue000", "\ue001", "\ue002"
"""What stands in a text for a title, for a word of the wish, and for each letter of a value."""
_SENTENCE = re.compile(r"(?<=[.!?。！？])(?:\s+|$)|(?<=[。！？])")
_MAJOR = re.compile(r"[;；—–]|\s-\s|(?<!\d)[:：]|[:：](?!\d)")
_COMMA = re.compile(r"(?<!\d)[,，]|[,，](?!\d)")
_LIST = re.compile(rf"{TITLE}[,，]\s*(?:\w+ )?{TITLE}")
_NUMERIC = ("number", "year", "decade", "range", "count")


@dataclass(frozen=True, slots=True)
class Title:
    """A title in its quotation marks, and where it stands."""

    name: str
    place: int


@dataclass(slots=True)
class Said:
    """A value or number that a part of a sentence speaks of.

    `refs`: what it may mean; `about`: names of the titles of which it is said beside the item; `of_item`: whether it is said of
    the item at all; `asked`: whether it is said to have been asked for; `low`, `high`: whether the user is said
    to rate it low, or high;
    `behind`: whether it is the number of the item that is said to be as asked.
    """

    read: Read
    index: int
    place: int
    end: int
    words: str
    polarity: Polarity
    refs: tuple[Ref, ...] = ()
    about: list[str] = field(default_factory=list)
    of_item: bool = True
    asked: bool = False
    behind: bool = False
    low: bool = False
    high: bool = False


@dataclass(slots=True)
class Part:
    """A part of a sentence between commas, colons and joints.

    `text`: in lower case, titles and values masked; `lead`: number of the stretch between colons and semicolons; `named`:
    attributes, and where they are named; `compared`: comparisons, and where they end.
    """

    text: str
    start: int
    lead: int
    sentence: int
    reading: Reading
    titles: list[Title] = field(default_factory=list)
    values: list[Said] = field(default_factory=list)
    numbers: list[Said] = field(default_factory=list)
    named: list[tuple[int, str]] = field(default_factory=list)
    compared: list[tuple[int, Comparison]] = field(default_factory=list)

    @property
    def end(self) -> int:
        """Where it ends in its sentence."""
        return self.start + len(self.text)

    def until(self, place: int) -> str:
        """What stands before a place of the sentence."""
        return self.text[: place - self.start]

    def after(self, place: int) -> str:
        """What stands behind a place of the sentence."""
        return self.text[place - self.start :]


def parts_of(masked: str, titles: Sequence[str], lore: Lore, cues: Cues) -> list[list[Part]]:
    """The parts of each sentence of a masked text."""
    names = iter(titles)
    sentences = [sentence for sentence in _sentences(masked, lore) if sentence]
    return [_sentence(sentence, names, number, lore, cues) for number, sentence in enumerate(sentences)]


def _sentences(text: str, lore: Lore) -> Iterator[str]:
    """Sentences; a full stop inside a value ("Dr. Brandt") ends none."""
    names = [found.span() for found in lore.dotted.finditer(text)] if lore.dotted else []
    start = 0
    for found in _SENTENCE.finditer(text):
        if not any(first < found.start() < last for first, last in names):
            yield text[start : found.start()]
            start = found.end()
    yield text[start:]


def _sentence(text: str, names: Iterator[str], number: int, lore: Lore, cues: Cues) -> list[Part]:
    reading = lore.read(text)
    text = reading.text
    low = text.lower() if len(text.lower()) == len(text) else text
    parts: list[Part] = []
    lead = 0
    for start, end, major in _pieces(low, cues, _spans(reading, lore)):
        lead += major
        parts.append(Part(text=low[start:end], start=start, lead=lead, sentence=number, reading=reading))
    for found in re.finditer(TITLE, low):
        _at(parts, found.start()).titles.append(Title(next(names), found.start()))
    for index, read in enumerate(reading.reads):
        _place(read, index, reading, parts, lore)
    for index, mark in _overlooked(parts, reading, lore):
        _place(Read(mark, "include", False, "new", False, 0, 0, None), index, reading, parts, lore)
    for mark in lore.marks(reading):
        _name(mark, reading, parts, lore)
    for part in parts:
        part.text = _without_values(part)
    return parts


def _name(mark: Mark, reading: Reading, parts: Sequence[Part], lore: Lore) -> None:
    """Note an attribute or a comparison."""
    place = reading.tokens[mark.first].start
    words = tuple(lore.lexicon.stem(token.key) for token in reading.tokens[mark.first : mark.last])
    name = mark.attribute if mark.plays("attribute") else lore.vocabulary.attributes.get(words)
    if name in lore.catalog.labels or name in lore.catalog.numbers:
        _at(parts, place).named.append((place, str(name)))
    if mark.compare is not None:
        _at(parts, place).compared.append((reading.tokens[mark.last - 1].end, mark.compare))


def _without_values(part: Part) -> str:
    """The text of a part with a sign for every letter of a value: no name is taken for a word of the language."""
    text = part.text
    for said in part.values:
        first, last = said.place - part.start, said.end - part.start
        text = text[:first] + VALUE * (last - first) + text[last:]
    return text


def _overlooked(parts: Sequence[Part], reading: Reading, lore: Lore) -> Iterator[tuple[int, Mark]]:
    """Values and numbers that the reading makes nothing of, and the places of the reads they belong to: none may hide."""
    said = [each.read.mark for part in parts for each in (*part.values, *part.numbers)]
    known = {token for mark in said for token in range(mark.first, mark.last)}
    for mark in lore.marks(reading):
        if mark.plays("value", *_NUMERIC) and known.isdisjoint(range(mark.first, mark.last)):
            yield next((at for at, read in enumerate(reading.reads) if read.mark.last > mark.first), len(reading.reads)), mark


def _spans(reading: Reading, lore: Lore) -> list[tuple[int, int]]:
    """Where values begin and end: nothing is cut inside them."""
    marks = (mark for mark in lore.marks(reading) if mark.plays("value") and mark.last - mark.first > 1)
    return [(reading.tokens[mark.first].start, reading.tokens[mark.last - 1].end) for mark in marks]


def _pieces(text: str, cues: Cues, whole: Sequence[tuple[int, int]]) -> list[tuple[int, int, bool]]:
    """Where parts begin and end, and whether a colon or the like stands before them; `whole`: stretches that are not cut."""
    cuts = {found.end(): True for found in _MAJOR.finditer(text)}
    lists = {found.start() + 1 for found in re.finditer(rf"(?=({_LIST.pattern}))", text)}
    for found in _COMMA.finditer(text):
        if found.start() not in lists:
            cuts.setdefault(found.end(), False)
    for place in _joints(text, cues):
        cuts.setdefault(place, False)
    inner = {place for place in cuts if not any(first < place < last for first, last in whole)}
    edges = [0, *sorted(place for place in inner if 0 < place < len(text)), len(text)]
    return [(first, last, cuts.get(first, False)) for first, last in zip(edges, edges[1:], strict=False)]


def _joints(text: str, cues: Cues) -> Iterator[int]:
    """Where a joint begins another part: "but ...", "and it ...", "and “Title” ..." behind what is no title."""
    yield from (found.start() for found in cues.joints.finditer(text))
    for found in cues.ands.finditer(text):
        before, behind = text[: found.start()].rstrip(), text[found.end() :].lstrip()
        speaks = cues.subjects.match(behind) or (cues.asked.search(before) and cues.asked.search(behind))
        follows = speaks is not None or behind.startswith(TITLE)
        if follows and before and not before.endswith(TITLE) and not before.endswith((",", "，")):
            yield found.start()


def _at(parts: Sequence[Part], place: int) -> Part:
    return next(part for part in reversed(parts) if part.start <= place)


def _place(read: Read, index: int, reading: Reading, parts: Sequence[Part], lore: Lore) -> None:
    mark = read.mark
    place, end = reading.tokens[mark.first].start, reading.tokens[mark.last - 1].end
    part, words = _at(parts, place), reading.text[place:end]
    if mark.plays("value"):
        refs = _meant(reading, index, mark.refs)
        part.values.append(Said(read, index, place, end, words, _polarity(read, place, part, reading, lore, parts), refs))
    elif mark.plays(*_NUMERIC) and (any(map(str.isdigit, words)) or not mark.plays("share", "rest", "attribute")):
        part.numbers.append(Said(read, index, place, end, words, read.polarity))


def _meant(reading: Reading, index: int, refs: tuple[Ref, ...]) -> tuple[Ref, ...]:
    """The meanings of a value, only those of the attribute that is named right after it in brackets."""
    for after in reading.reads[index + 1 : index + 3]:
        if after.mark.plays("attribute"):
            return tuple(ref for ref in refs if ref.attribute == after.mark.attribute) or refs
        if not after.mark.plays("sign"):
            break
    return refs


def _polarity(read: Read, place: int, part: Part, reading: Reading, lore: Lore, parts: Sequence[Part]) -> Polarity:
    """Whether a value is affirmed or denied; a "no" reaches beyond no colon."""
    if read.polarity in ("include", "open"):
        return "include"  # "not only a comedy"
    if read.polarity == "unclear" and read.trigger is None and not any(each.mark.plays("negation") for each in reading.reads):
        return "include"
    stretch = [each for each in parts if each.lead == part.lead]
    if len(stretch) == len(parts):
        return read.polarity
    start = stretch[0].start
    alone = lore.read(reading.text[start : stretch[-1].end].rstrip(":;：；—– "))
    for other in alone.reads:
        if other.mark.plays("value") and alone.tokens[other.mark.first].start == place - start:
            return other.polarity
    return read.polarity
