"""After the scopes: a correction takes back what it replaces ("a comedy, no wait, a drama")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.reading.reads import Read

_NEAR = 8
"""Words that may stand between a correction and what it speaks of; keeps the reading linear."""
_LONGEST_LIST = 40


def corrected(reads: Sequence[Read]) -> list[Read]:
    """The reads, with what was taken back left open: values and amounts for which something of the same kind follows."""
    out = list(reads)
    for index, read in enumerate(reads):
        if read.mark.plays("correction") and not _begins_anew(reads, index):
            _take_back(out, index)
    return out


def _begins_anew(reads: Sequence[Read], at: int) -> bool:
    """Whether words that also just demand something open a sentence or a further condition: "其中喜剧最多三个；应该是法国的"."""
    before = reads[at - 1].mark if at and reads[at].mark.plays("firm") else None
    if before is not None and any(_is_bounded(read) for read in reads[max(0, at - _NEAR) : at]):
        return True
    return before is not None and (before.plays("contrast", "further") or reads[at - 1].sentence != _sentence_before(reads, at))


def _is_bounded(read: Read) -> bool:
    """Whether it says of how many of the list something must hold, which what follows leaves as it is."""
    return read.mark.plays("amount") and read.mark.plays("at_least", "at_most", "partitive")


def _sentence_before(reads: Sequence[Read], at: int) -> int:
    """The sentence of what was named last."""
    return next((read.sentence for read in reversed(reads[max(0, at - _NEAR) : at]) if read.mark.is_content), reads[at].sentence)


def _take_back(reads: list[Read], at: int) -> None:
    new = _after(reads, at)
    kinds = {kind for read in new for kind in _kinds(read)}
    if not kinds or any(read.polarity != "include" for read in new):
        return
    for index in _before(reads, at):
        if reads[index].polarity == "include" and kinds & _kinds(reads[index]):
            reads[index] = replace(reads[index], polarity="open", trigger=None)


def _after(reads: Sequence[Read], at: int) -> list[Read]:
    """What stands right behind the correction, up to the next sign."""
    found: list[Read] = []
    for read in reads[at + 1 : at + 1 + _NEAR]:
        if found and read.mark.plays("sign"):
            break
        if read.mark.is_content:
            found.append(read)
    return found


def _before(reads: Sequence[Read], at: int) -> list[int]:
    """Indices of what hangs together right before the correction."""
    found: list[int] = []
    for index in range(at - 1, max(-1, at - _LONGEST_LIST), -1):
        read = reads[index]
        if not read.mark.is_content:
            if not found and at - index > _NEAR:
                break
            continue
        found.append(index)
        if read.comma or read.joint == "new":
            break
    return found


def _kinds(read: Read) -> set[str]:
    """What a thing says something about: an attribute, or how many."""
    if read.mark.plays("amount"):
        return {"\0amount"}
    if read.mark.plays("title"):
        return {"\0title"}
    return {ref.attribute for ref in read.mark.refs} if read.mark.plays("value") else set()
