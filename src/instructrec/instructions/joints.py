"""Seventh pass: what the commas of a list stand for ("A, B or C": or throughout)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.marks import Mark
from instructrec.instructions.scope import Joint, Read, ScopeReader
from instructrec.instructions.tokens import Token


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
            closing = _default(reads, index)
        if read.joint == "comma" and closing == "or" and position and _is_other(reads[content[position - 1]], read):
            closing = "and"  # "a lipstick, red or pink"
        if read.joint == "comma":
            reads[index] = replace(read, joint=closing, comma=True)
        elif read.joint in ("and", "or"):
            closing = read.joint
    return reads


def _is_other(before: Read, read: Read) -> bool:
    """Whether two values cannot be alternatives, because they speak of different attributes."""
    attributes = [{ref.attribute for ref in one.mark.refs} for one in (before, read)]
    return all(attributes) and not attributes[0] & attributes[1]


def _default(reads: Sequence[Read], index: int) -> Joint:
    """Without a closing word a comma means "and", except between plurals ("comedies, dramas")."""
    return "or" if reads[index].mark.plural else "and"
