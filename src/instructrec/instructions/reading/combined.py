"""After the counts: what several conditions describe together is unwanted as a whole ("no romantic comedies"), not its parts.

It becomes a quota that allows none. So does what is unwanted but for an exception ("no horror unless it's Japanese"). A kind of
which only words that no limit can hold say which of it is unwanted ("no cheesy romance") is handed back.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from instructrec.core import Quota
from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.bounds import outside
from instructrec.instructions.reading.exclusions import is_each, meant
from instructrec.instructions.reading.reads import Read
from instructrec.instructions.tokens import Token
from instructrec.instructions.vocabulary import Vocabulary
from instructrec.tables import Limit

_NEAR = 8
"""Marks that may stand between an unwanted thing and its exception."""
_SAID = ("value", "range")
_DESCRIBING = ("quality", "known", "unknown")
_MOST = 8
"""Quotas that one unwanted thing may become."""


@dataclass(slots=True)
class _Thing:
    """Something unwanted: indices of the values and ranges that describe it; `vague`: with words that no limit can hold."""

    indices: list[int]
    vague: bool = False
    spared: list[int] = field(default_factory=list)
    """Indices of its exceptions."""


Quotas = list[tuple[Quota, tuple[int, int]]]
"""Quotas, each with the first and last read of its words."""


def combined(reads: Sequence[Read], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> tuple[list[Read], Quotas]:
    """The reads, with such things used up, and the quotas that keep them out, each with its first and last read."""
    at_once = _at_once(reads, tokens, lexicon)
    reads = _with_ranges(reads, at_once)
    out, quotas = list(reads), Quotas()
    things = [_described(reads, thing, lexicon) for thing in _things(reads, at_once)]
    for first, second in zip(things, things[1:], strict=False):
        _share(reads, first, second, vocabulary)
    things = _with_exceptions(out, things, lexicon)
    for thing in things:
        if thing.vague:
            for index in thing.indices:
                out[index] = replace(out[index], polarity="unclear")
            continue
        if len(thing.indices) + len(thing.spared) < 2:
            continue
        limits = _conditions(reads, thing, vocabulary)
        if limits is None:
            continue
        used = sorted({*thing.indices, *thing.spared})
        quotas += [(Quota(limits=each, at_least=0, at_most=0), (used[0], used[-1])) for each in limits]
        for index in used:
            out[index] = replace(out[index], polarity="counted", trigger=None)
    return out, quotas


def _at_once(reads: Sequence[Read], tokens: Sequence[Token], lexicon: Lexicon) -> set[int]:
    """Indices of the unwanted values that begin what is said of one item: "nothing that is both A and B"."""
    lengths = {len(words) for words in lexicon.at_once}
    found = set()
    for index, read in enumerate(reads):
        start = next((at for at in range(index, 0, -1) if not reads[at - 1].mark.plays("article")), index)
        first = reads[start].mark.first
        if read.polarity == "exclude" and read.mark.plays("value") and first:
            before = {tuple(token.key for token in tokens[max(0, first - length) : first]) for length in lengths}
            found |= {index} if before & lexicon.at_once else set()
    return found


def _with_ranges(reads: Sequence[Read], at_once: Container[int]) -> list[Read]:
    """The reads, with a range that is said of one item too as unwanted as what it is joined to: "both A and from the 90s"."""
    out, last = list(reads), -1
    for index, read in enumerate(reads):
        if not read.mark.is_content:
            continue
        if last in at_once and read.mark.plays("range") and read.joint == "and" and read.sentence == reads[last].sentence:
            out[index] = replace(read, polarity="exclude", trigger=reads[last].trigger, segment=reads[last].segment)
        last = index
    return out


def _things(reads: Sequence[Read], at_once: Container[int]) -> list[_Thing]:
    """Unwanted things in order; what stands side by side describes one of them."""
    things: list[_Thing] = []
    last = -1
    for index, read in enumerate(reads):
        if not read.mark.is_content:
            continue
        if read.mark.plays(*_SAID) and read.polarity == "exclude" and not read.mark.plays("negated"):
            linked = read.joint == "and" and bool(things) and things[-1].indices[0] in at_once
            if things and things[-1].indices[-1] == last and _goes_on(reads, last, index, linked=linked):
                things[-1].indices.append(index)
            else:
                things.append(_Thing([index]))
        last = index
    return things


def _goes_on(reads: Sequence[Read], before: int, index: int, *, linked: bool) -> bool:
    read = reads[index]
    together = (
        (linked or read.joint == "adjacent") and read.trigger == reads[before].trigger and read.segment == reads[before].segment
    )
    if read.mark.plays("range") and _belongs_to_demand(reads, index):
        return False
    return together and not is_each(reads, read)


def _belongs_to_demand(reads: Sequence[Read], index: int) -> bool:
    """Whether a range after an unwanted value goes with what was demanded before: "comedies without horror from the 90s"."""
    trigger = reads[index].trigger
    if trigger is None or trigger > index:
        return False
    for read in reversed(reads[max(0, trigger - _NEAR) : trigger]):
        if read.segment != reads[index].segment or read.mark.plays("sign"):
            return False
        if read.mark.plays("value"):
            return read.polarity == "include" and not read.soft
    return False


def _described(reads: Sequence[Read], thing: _Thing, lexicon: Lexicon) -> _Thing:
    """The thing with the words before it that say which of it is unwanted ("no cheesy romance")."""
    first = reads[thing.indices[0]]
    at = thing.indices[0] - 1
    while at >= 0 and reads[at].mark.plays("graded", "of_what") and reads[at].trigger == first.trigger:
        at -= 1
    before = reads[at] if at >= 0 else None
    beside = before is not None and before.polarity == "exclude" and before.trigger == first.trigger and first.joint == "adjacent"
    if before is None or not beside or not before.mark.plays(*_DESCRIBING) or before.mark.plays("leading"):
        return thing
    han = lexicon.script == "han"
    named = not han or any(read.mark.plays("of_what") for read in reads[at : thing.indices[0]])
    return replace(thing, vague=named)


def _share(reads: Sequence[Read], first: _Thing, second: _Thing, vocabulary: Vocabulary) -> None:
    """Of alternatives of one attribute, what stands behind the last, or before the first, is said of all.

    "No red or pink lipstick", "no lipsticks in red or pink", "no French comedies or dramas", if there are any.
    """
    read = reads[second.indices[0]]
    joined = read.joint in ("or", "and") and read.trigger == reads[first.indices[-1]].trigger and not read.article
    names = [_attributes(reads[index]) for index in second.indices]
    alike = len(first.indices) == 1 and bool(_attributes(reads[first.indices[0]]) & names[0])
    if joined and alike and not any(names[0] & other for other in names[1:]):
        first.indices += second.indices[1:]
        first.vague = first.vague or second.vague
    last = _attributes(reads[first.indices[-1]])
    before = [index for index in first.indices if not last & _attributes(reads[index])]
    if joined and len(second.indices) == 1 and before and last & names[0] and not first.vague:
        shared = _Thing([*before, *second.indices])
        led = any(read.mark.plays("from") for read in reads[before[-1] : first.indices[-1]])
        if led or any(vocabulary.catalog.matching(limits).any() for limits in _conditions(reads, shared, vocabulary) or ()):
            second.indices = shared.indices


def _attributes(read: Read) -> set[str]:
    mark = read.mark
    return {mark.attribute or ""} if mark.plays("range") else {ref.attribute for ref in mark.refs}


def _with_exceptions(reads: list[Read], things: Sequence[_Thing], lexicon: Lexicon) -> list[_Thing]:
    """The things, with what an "except" right behind says of it as their exceptions; one that no limit can hold is left open."""
    kept: list[_Thing] = []
    base: list[_Thing] = []
    for index in _excepting(reads):
        after = next((at for at in range(index + 1, min(index + 1 + _NEAR, len(reads))) if reads[at].mark.is_content), None)
        if after is not None and reads[after].polarity == "exclude" and not reads[after].mark.plays(*_SAID):
            for at in range(after, len(reads)):
                if reads[at].trigger == index and reads[at].mark.is_content:
                    reads[at] = replace(reads[at], polarity="open")
    for thing in things:
        trigger = reads[thing.indices[0]].trigger
        if trigger is None or not _excepts(reads, trigger):
            base = base if base and reads[thing.indices[0]].trigger == reads[base[0].indices[0]].trigger else []
            base.append(thing)
            kept.append(thing)
        elif thing.vague or len(thing.indices) > 1 or not base or any(reads[i].polarity == "open" for i in thing.indices):
            for at in thing.indices:
                reads[at] = replace(reads[at], polarity="open")
        else:
            for other in base:
                other.spared += thing.indices
    return kept


def _excepting(reads: Sequence[Read]) -> Iterator[int]:
    return (index for index, read in enumerate(reads) if read.trigger == index and _excepts(reads, index))


def _excepts(reads: Sequence[Read], trigger: int) -> bool:
    """Whether the words that refuse make an exception to what is refused right before."""
    joined = trigger > 0 and reads[trigger - 1].mark.plays("and", "or")  # "no A, and except B"
    if not reads[trigger].mark.plays("excepting") or joined:
        return False
    for read in reversed(reads[max(0, trigger - _NEAR) : trigger]):
        if read.sentence != reads[trigger].sentence:
            return False
        if read.mark.is_content:
            return read.polarity in ("exclude", "unclear") and read.mark.plays(*_SAID)
        if read.mark.plays("sign", "and", "or") and reads[trigger].mark.plays("close"):
            return False
    return False


def _conditions(reads: Sequence[Read], thing: _Thing, vocabulary: Vocabulary) -> list[tuple[Limit, ...]] | None:
    """The conditions of each quota; several where an exception is a range with two ends, or a value has two meanings."""
    choices: list[list[Limit]] = []
    for index in thing.indices:
        mark = reads[index].mark
        if mark.plays("range"):
            choices.append([Limit(attribute=mark.attribute or "", operator="range", low=mark.low, high=mark.high)])
        else:
            refs = meant(reads, index)
            choices.append([Limit(attribute=ref.attribute, operator="include", values=(ref.value,)) for ref in refs])
    spared: dict[str, dict[str, None]] = {}
    for index in thing.spared:
        mark = reads[index].mark
        if mark.plays("range"):
            choices.append(outer_limits(reads[index], vocabulary))
            continue
        ref = vocabulary.narrow(mark.refs, None)
        spared.setdefault(ref.attribute, {})[ref.value] = None
    choices += [[Limit(attribute=name, operator="exclude", values=tuple(values))] for name, values in spared.items()]
    size = 1
    for choice in choices:
        size *= len(choice)
    return [tuple(sorted(dict.fromkeys(each), key=_order)) for each in product(*choices)] if 0 < size <= _MOST else None


def _order(limit: Limit) -> int:
    """What is wanted of them before what is not, and numbers last: so descriptions are read again."""
    return ("include", "exclude", "range").index(limit.operator)


def outer_limits(read: Read, vocabulary: Vocabulary) -> list[Limit]:
    """What a range leaves out, below it and above it."""
    attribute = read.mark.attribute or ""
    spans = outside(read.mark.low, read.mark.high, whole=vocabulary.is_integral(attribute))
    return [Limit(attribute=attribute, operator="range", low=low, high=high) for low, high in spans]
