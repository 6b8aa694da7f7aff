"""Seventh pass: what the commas of a list stand for ("A, B or C": or throughout)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.reads import Joint, Read
from instructrec.instructions.reading.scope import ScopeReader
from instructrec.instructions.tokens import Token

_NEAR = 6
"""Words that may stand between the members of a list; keeps the reading linear."""


def read_scopes(marks: Sequence[Mark], tokens: Sequence[Token]) -> list[Read]:
    """What holds for every mark; lists separated by commas take the word that closes them ("A, B or C": or throughout)."""
    reads = ScopeReader(marks, tokens).read()
    content = [index for index, read in enumerate(reads) if read.mark.is_content]
    closing: Joint = "and"
    for position in range(len(content) - 1, -1, -1):
        index = content[position]
        read = reads[index]
        after = reads[content[position + 1]] if position + 1 < len(content) else None
        if after is None or (after.polarity, after.soft) != (read.polarity, read.soft) or after.joint == "new":
            closing = _default(reads, index, content[position - 1] if position else None)
        if read.joint == "comma" and closing == "or" and _is_other(_named_before(reads, content[:position]), read):
            closing = "and"  # "a lipstick, red or pink"
        if read.joint == "comma" and closing == "or" and _is_led_in(reads, index, tokens):
            reads[index] = replace(read, joint="new", comma=True)
            continue
        if read.joint == "comma" and closing == "and" and position and _ends_list(reads[content[position - 1]], read):
            reads[index] = replace(read, joint="new", comma=True)
            continue
        if read.joint == "comma":
            reads[index] = replace(read, joint=closing, comma=True)
        elif read.joint in ("and", "or"):
            closing = read.joint
    return reads


def _is_led_in(reads: Sequence[Read], index: int, tokens: Sequence[Token]) -> bool:
    """Whether a Chinese clause leads to alternatives by words of its own: "来点喜剧，得沾上剧情或者动画"."""
    for at in range(index - 1, max(-1, index - _NEAR), -1):
        mark = reads[at].mark
        if mark.plays("sign"):
            return at < index - 1 and tokens[mark.first].key == "," and tokens[reads[at + 1].mark.first].is_han
        if mark.plays("or", "and", "article", "noun", "quality", "choice") or mark.is_content:
            return False
    return False


def _ends_list(before: Read, read: Read) -> bool:
    """Whether a list of alternatives is complete before a comma: "a comedy or a drama, a western"."""
    wanted = read.polarity == before.polarity == "include" and read.mark.plays("value") and before.mark.plays("value")
    return wanted and before.joint == "or"


def _named_before(reads: Sequence[Read], content: Sequence[int]) -> Read | None:
    """What the list before would have to be of: the last value or range, whatever words nobody can check stand between."""
    near = (reads[index] for index in reversed(content[-_NEAR:]))
    return next((read for read in near if read.mark.plays("value", "range", "amount")), None)


def _is_other(before: Read | None, read: Read) -> bool:
    """Whether two things cannot be alternatives, because they speak of different attributes."""
    attributes = [_attributes(one) for one in (before, read) if one is not None]
    return len(attributes) == 2 and all(attributes) and not attributes[0] & attributes[1]


def _attributes(read: Read) -> set[str]:
    mark = read.mark
    return {mark.attribute} if mark.plays("range") and mark.attribute else {ref.attribute for ref in mark.refs}


def _default(reads: Sequence[Read], index: int, before: int | None) -> Joint:
    """Without a closing word a comma means "and", except between plurals ("comedies, dramas")."""
    plurals = before is None or reads[before].mark.plural or not reads[before].mark.plays("value")
    return "or" if reads[index].mark.plural and plurals else "and"
