"""After the scopes: clauses that only tell something ("My ex was obsessed with horror") demand nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.reads import Read

_CUTS = ("sign", "contrast", "clause", "firm", "soft", "negation", "negation_after")
_STARTS = ("firm", "soft")


def without_stories(reads: Sequence[Read], lexicon: Lexicon) -> list[Read]:
    """The reads, with what is only told left open, so that it is handed back."""
    out = list(reads)
    for start, end in _clauses(reads):
        if any(read.mark.plays("tale") for read in reads[start:end]):
            told = set(range(start, end))
            out[start:end] = [_untold(read, end) for read in out[start:end]]
        else:
            told = {
                *_dates(reads, start, end),
                *_seasons(reads, start, end),
                *_ages(reads, start, end, lexicon),
                *_owned(reads, start, end),
            }
        for index in told:
            read = out[index]
            if read.polarity == "include" and not read.mark.plays("quality", "known", "unknown"):
                out[index] = replace(read, polarity="open", trigger=None)
    return out


def _untold(read: Read, end: int) -> Read:
    """What is told to be bad, by words at the end of what is told, is no more unwanted than what is told to be good."""
    return replace(read, polarity="include") if read.polarity == "exclude" and read.trigger == end else read


def _clauses(reads: Sequence[Read]) -> Iterator[tuple[int, int]]:
    """First and last index of each clause: up to a sign, a contrast, or the words that ask or refuse."""
    start = 0
    for index, read in enumerate(reads):
        if read.mark.plays(*_CUTS) and not read.mark.plays("tale"):
            yield start, index
            start = index if read.mark.plays(*_STARTS) else index + 1
    yield start, len(reads)


def _dates(reads: Sequence[Read], start: int, end: int) -> Iterator[int]:
    """Years in which something happened to somebody: "In 2019 my cat died"."""
    if any(read.mark.plays("event") for read in reads[start:end]):
        yield from (index for index in range(start, end) if reads[index].mark.plays("range", "amount"))


def _seasons(reads: Sequence[Read], start: int, end: int) -> Iterator[int]:
    """Years of which only a season is spoken of: "in the summer of 1998"."""
    for index in range(start, end):
        if reads[index].mark.plays("range"):
            near = reads[max(start, index - 2) : min(end, index + 3)]
            if any(read.mark.plays("season") for read in near):
                yield index


def _ages(reads: Sequence[Read], start: int, end: int, lexicon: Lexicon) -> Iterator[int]:
    """Numbers that say how old or how many somebody is: "I am 35"."""
    for index in range(start + 1, end):
        last = index + 1 == end or not reads[index + 1].mark.is_content
        counts = reads[index].mark.plays("amount", "number") and not reads[index].mark.plays("at_least", "at_most")
        aged = reads[index - 1].mark.plays("aged") and lexicon.script != "han"
        if counts and last and aged and _is_told(reads, index):
            yield index


def _is_told(reads: Sequence[Read], index: int) -> bool:
    """Whether the words before speak of a person."""
    return any(read.mark.plays("teller", "aged") for read in reads[max(0, index - 3) : index])


def _owned(reads: Sequence[Read], start: int, end: int) -> Iterator[int]:
    """Numbers of what somebody has at home: "have two kids"."""
    for index in range(start + 1, end):
        if (
            reads[index].mark.plays("amount", "count")
            and reads[index - 1].mark.plays("owning")
            and not reads[index].mark.plays("list")
        ):
            if index + 1 == end:
                # "hey, got three?" asks, "I have three" tells.
                if not reads[index].mark.plays("asked") or reads[index - 1].mark.plays("filler"):
                    yield index
                return
            after = reads[index + 1].mark
            if after.plays("unknown", "quality", "known", "people") and not any(
                read.mark.plays("value", "noun", "range") for read in reads[index + 1 : min(end, index + 4)]
            ):
                yield index
