"""Free text to Instruction, by rules only: what must hold, what is wished, what was not understood. Nothing in a text is obeyed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from instructrec.core import Instruction
from instructrec.instructions.assembly import Sorted, sort_reads
from instructrec.instructions.lexicon import Lexicon, lexicon_for
from instructrec.instructions.marks import Scanner
from instructrec.instructions.ranges import RangeReader
from instructrec.instructions.scope import Read, read_scopes
from instructrec.instructions.tokens import Token, clean, foreign_script_share, han_share, tokenize
from instructrec.instructions.vocabulary import Vocabulary
from instructrec.tables import Catalog

MAX_CHARACTERS = 2000
"""Characters of an instruction that are read; the rest is handed back as not understood."""

_KEPT_IN_WISH = (
    "article",
    "and",
    "or",
    "from",
    "filler",
    "between",
    "to",
    "before",
    "after",
    "since",
    "until",
    "since_after",
    "until_after",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A text word by word: its tokens, and what every stretch of them is and whether it is wanted."""

    text: str
    tokens: tuple[Token, ...]
    reads: tuple[Read, ...]

    def words(self, read: Read) -> str:
        """The words of one read, as written."""
        return self.text[self.tokens[read.mark.first].start : self.tokens[read.mark.last - 1].end]


def read(text: str, vocabulary: Vocabulary, lexicon: Lexicon) -> Reading:
    """Read a text against a vocabulary, in time linear in its length."""
    cleaned = clean(text)
    tokens = tokenize(cleaned)
    marks = Scanner(tokens, vocabulary, lexicon).scan()
    ranged = RangeReader(marks, tokens, vocabulary, lexicon).read()
    return Reading(cleaned, tuple(tokens), tuple(read_scopes(ranged, tokens)))


def parse(text: str, catalog: Catalog, *, language: str = "en") -> Instruction:
    """Understand an instruction with the words of this catalog.

    Demands on attribute values and numbers become limits; preferences ("ideally", "in the mood for"), titles, moods and other
    words the catalog knows become the wish, which is then the whole affirmative text without filler. Handed back as not
    understood: unknown words, how many items are asked for, unwanted things that no limit can express ("no violence"), and
    what stands beyond `MAX_CHARACTERS`.
    A text in a language without wording is not understood as a whole. Never raises.
    """
    head, rest = _cut(text)
    lexicon = lexicon_for(head, language, han=han_share(head))
    left_over = (rest,) if rest else ()
    if not head.strip():
        return Instruction(text=text, not_understood=left_over)
    if lexicon is None or foreign_script_share(head, lexicon.script) > 0.5:
        return Instruction(text=text, not_understood=(head.strip(), *left_over))
    reading = read(head, Vocabulary.of(catalog, lexicon), lexicon)
    if _is_foreign(reading, lexicon):
        return Instruction(text=text, not_understood=(head.strip(), *left_over))
    found = sort_reads(reading.reads, Vocabulary.of(catalog, lexicon))
    return Instruction(
        text=text,
        limits=found.limits,
        wish=_wish(reading, found),
        not_understood=tuple(dict.fromkeys((*_not_understood(reading, found), *left_over))),
    )


def _cut(text: str) -> tuple[str, str]:
    """The part that is read, cut at a space where there is one, and the rest."""
    if len(text) <= MAX_CHARACTERS:
        return text, ""
    space = text.rfind(" ", MAX_CHARACTERS // 2, MAX_CHARACTERS + 1)
    end = space if space > 0 else MAX_CHARACTERS
    return text[:end], text[end:].strip()


def _is_foreign(reading: Reading, lexicon: Lexicon) -> bool:
    """Whether the function words are rather those of another language that shares the script."""
    named = [item.mark for item in reading.reads if item.mark.plays("title", "value")]
    inside = {place for mark in named for place in range(mark.first, mark.last)}
    words = [token.key for place, token in enumerate(reading.tokens) if place not in inside]
    foreign = sum(word in lexicon.foreign for word in words)
    own = sum(word in lexicon.words and word not in lexicon.foreign for word in words)
    negated = any(word in lexicon.foreign_negation for word in words)
    return foreign > own and (foreign > 1 or negated)


def _wish(reading: Reading, found: Sorted) -> str:
    """The affirmative text from the first to the last content of each clause, when any of it is a wish; empty otherwise."""
    if not found.wishes:
        return ""
    clauses: dict[int, list[int]] = {}
    for index, item in enumerate(reading.reads):
        if item.polarity == "include" and index not in found.unused:
            clauses.setdefault(item.segment, []).append(index)
    parts = [_clause(reading, indices) for indices in clauses.values()]
    return ", ".join(part for part in parts if part)


def _clause(reading: Reading, indices: Sequence[int]) -> str:
    content = [place for place, index in enumerate(indices) if reading.reads[index].mark.is_content]
    if not content:
        return ""
    start = content[0]
    while start > 0 and reading.reads[indices[start - 1]].mark.plays("article", "like"):
        start -= 1
    kept = [index for index in indices[start : content[-1] + 1] if _belongs(reading, index)]
    text, end = "", None
    for index in kept:
        token = reading.tokens[reading.reads[index].mark.first]
        gap = "" if end is None or token.start == end or token.key == "," else " "
        text += gap + reading.words(reading.reads[index])
        end = reading.tokens[reading.reads[index].mark.last - 1].end
    return " ".join(text.split())


def _belongs(reading: Reading, index: int) -> bool:
    mark = reading.reads[index].mark
    return mark.is_content or mark.plays("like", *_KEPT_IN_WISH) or (mark.plays("sign") and reading.tokens[mark.first].key == ",")


def _not_understood(reading: Reading, found: Sorted) -> list[str]:
    """Unused words, neighbours together; unwanted ones with the word that made them so, when it stands close before."""
    out: list[str] = []
    last, start = -2, -1
    for index in sorted(found.unused):
        item = reading.reads[index]
        first = item.mark.first
        if item.polarity in ("exclude", "unclear") and item.trigger is not None and item.trigger < index:
            trigger = reading.reads[item.trigger].mark
            first = trigger.first if first - trigger.last <= 2 else first
        words = reading.text[reading.tokens[first].start : reading.tokens[item.mark.last - 1].end]
        if out and first == start:
            out[-1] = words
        elif index == last + 1 and out and first == item.mark.first:
            out[-1] = f"{out[-1]} {words}"
        else:
            out.append(words)
        last, start = index, first
    return out
