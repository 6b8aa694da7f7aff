"""After the scopes: things that each have a range ("口红20块以内，面霜30块以内") are alternatives, none beyond its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from instructrec.core import Quota
from instructrec.instructions.reading.combined import Quotas, outer_limits
from instructrec.instructions.reading.reads import Read
from instructrec.instructions.vocabulary import Vocabulary
from instructrec.tables import Limit

_PARTING = ("sign", "and", "or", "contrast", "further")
_SAID = ("value", "range", "title", "amount")


def set_apart(reads: Sequence[Read], vocabulary: Vocabulary) -> tuple[list[Read], list[Limit], Quotas]:
    """The reads, with such things used up, the limit of which things there may be, and the quotas that hold each to its range."""
    pairs = list(_pairs(reads)) if vocabulary.lexicon.script == "han" else []
    out, refs = list(reads), []
    if len(pairs) < 2 or any(pair is None for pair in pairs):
        return out, [], []
    quotas = Quotas()
    for value, span in (pair for pair in pairs if pair is not None):
        refs.append(vocabulary.narrow(reads[value].mark.refs, None))
        own = Limit(attribute=refs[-1].attribute, operator="include", values=(refs[-1].value,))
        ends = (min(value, span), max(value, span))
        quotas += [(Quota(limits=(own, other), at_most=0), ends) for other in outer_limits(reads[span], vocabulary)]
        for index in ends:
            out[index] = replace(reads[index], polarity="counted", trigger=None)
    spans = {reads[pair[1]].mark.attribute for pair in pairs if pair is not None}
    if len(set(refs)) < len(refs) or len({ref.attribute for ref in refs}) > 1 or len(spans) > 1:
        return list(reads), [], []
    either = Limit(attribute=refs[0].attribute, operator="include", values=tuple(ref.value for ref in refs))
    return out, [either, *_around([reads[pair[1]] for pair in pairs if pair is not None])], quotas


def _around(spans: Sequence[Read]) -> list[Limit]:
    """The range that holds all of them, which also keeps out what has no known number."""
    lows, highs = (
        [end for end in ends if end is not None] for ends in zip(*((read.mark.low, read.mark.high) for read in spans), strict=True)
    )
    low = min(lows) if len(lows) == len(spans) else None
    high = max(highs) if len(highs) == len(spans) else None
    name = spans[0].mark.attribute or ""
    return [] if low is None and high is None else [Limit(attribute=name, operator="range", low=low, high=high)]


def _pairs(reads: Sequence[Read]) -> Iterator[tuple[int, int] | None]:
    """The value and the range of each part that says something, or None for a part that says something else."""
    start = 0
    for end in (*(index for index, read in enumerate(reads) if read.mark.plays(*_PARTING)), len(reads)):
        said = [index for index in range(start, end) if reads[index].mark.plays(*_SAID)]
        start = end + 1
        if not said:
            continue
        firm = all(reads[index].polarity == "include" and not reads[index].soft for index in said)
        values = [index for index in said if reads[index].mark.plays("value")]
        spans = [index for index in said if reads[index].mark.plays("range") and reads[index].mark.attribute is not None]
        yield (values[0], spans[0]) if firm and len(values) == len(spans) == 1 and len(said) == 2 else None
