"""After the scopes: ranges with two ends that are unwanted ("not from the 80s") become quotas that allow none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.core import Quota
from instructrec.instructions.reading.combined import Quotas
from instructrec.instructions.reading.reads import Read
from instructrec.instructions.vocabulary import Vocabulary
from instructrec.tables import Limit

_NEAR = 8


def bar(reads: Sequence[Read], vocabulary: Vocabulary) -> tuple[list[Read], Quotas]:
    """The reads, with such ranges used up, and the quotas that keep them out, each with its first and last read."""
    out, quotas = list(reads), Quotas()
    for index, read in enumerate(reads):
        mark = read.mark
        both = mark.low is not None and mark.high is not None
        if not mark.plays("range") or read.polarity != "exclude" or not both or _is_part(reads, index):
            continue
        if mark.low == mark.high and not vocabulary.is_integral(mark.attribute or ""):
            continue  # nobody means one price and none beside it
        limit = Limit(attribute=mark.attribute or "", operator="range", low=mark.low, high=mark.high)
        quotas.append((Quota(limits=(limit,), at_least=0, at_most=0), (index, index)))
        out[index] = replace(read, polarity="counted", trigger=None)
    return out, quotas


def _is_part(reads: Sequence[Read], index: int) -> bool:
    """Whether the range only narrows something else that is unwanted ("no comedies from the 80s"), which is not barred alone."""
    read = reads[index]
    before = next((near for near in reversed(reads[max(0, index - _NEAR) : index]) if near.mark.is_content), None)
    after = next((near for near in reads[index + 1 : index + 1 + _NEAR] if near.mark.is_content), None)
    narrows = before is not None and before.polarity == "exclude" and read.joint == "adjacent"
    narrowed = after is not None and after.polarity == "exclude" and after.joint == "adjacent"
    return narrows or narrowed
