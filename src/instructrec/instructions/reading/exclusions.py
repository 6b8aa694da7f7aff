"""What is unwanted becomes limits, as far as limits can say it."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.instructions.reading.reads import Read
from instructrec.instructions.vocabulary import Ref
from instructrec.tables import Limit


def named_attribute(reads: Sequence[Read], index: int) -> str | None:
    """The attribute named last in the same clause ("genres: comedy or drama"), or right after ("comedy genre")."""
    for read in reversed(reads[max(0, index - 40) : index]):
        if read.segment != reads[index].segment:
            break
        if read.mark.plays("attribute"):
            return read.mark.attribute
    after = reads[index + 1].mark if index + 1 < len(reads) else None
    return after.attribute if after is not None and after.plays("attribute") and not after.plays("named") else None


def excludes(reads: Sequence[Read], wanted: set[str]) -> tuple[list[Limit], set[int]]:
    """One limit an attribute, and the unwanted values that stay allowed. An ambiguous value is kept out of every attribute.

    What several values describe together no limit can keep out (`combined.py`).
    """
    values: dict[str, dict[str, None]] = {}
    spared: set[int] = set()
    for group in _unwanted(reads):
        free = [index for index in group if not wanted & {ref.value for ref in reads[index].mark.refs}]
        if len(group) > 1 or (not free and _is_qualified(reads, group[0])):
            spared.update(group)  # "a comedy, but no dark ones": only the quality is unwanted, and it is handed back
            continue
        for ref in meant(reads, group[0]):
            values.setdefault(ref.attribute, {})[ref.value] = None
    return [Limit(attribute=name, operator="exclude", values=tuple(found)) for name, found in values.items()], spared


def _is_qualified(reads: Sequence[Read], index: int) -> bool:
    """Whether a word that no limit can hold narrows an unwanted value ("no dark comedies")."""
    before = next((read for read in reversed(reads[max(0, index - 8) : index]) if read.mark.is_content), None)
    return (
        before is not None and before.polarity == "exclude" and reads[index].joint == "adjacent" and not before.mark.plays("value")
    )


def meant(reads: Sequence[Read], index: int) -> tuple[Ref, ...]:
    """The meanings of an unwanted value."""
    attribute = named_attribute(reads, index)
    refs = reads[index].mark.refs
    return tuple(ref for ref in refs if ref.attribute == attribute) or refs


def is_each(reads: Sequence[Read], read: Read) -> bool:
    """Whether the words that refuse it say "not one of all these"."""
    trigger = reads[read.trigger].mark if read.trigger is not None else None
    return trigger is not None and trigger.plays("every_one", "all") and not trigger.plays("shared")


def _unwanted(reads: Sequence[Read]) -> list[list[int]]:
    """Unwanted values; those side by side form one combination."""
    groups: list[list[int]] = []
    last = -1
    for index, read in enumerate(reads):
        if not read.mark.is_content:
            continue
        if read.mark.plays("value") and read.polarity == "exclude":
            together = read.joint == "adjacent" and read.trigger == reads[last].trigger and not is_each(reads, read)
            if groups and groups[-1][-1] == last and together:
                groups[-1].append(index)
            else:
                groups.append([index])
        last = index
    return groups
