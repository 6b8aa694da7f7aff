"""Free text to Instruction, by rules: what must hold, what is wished, what was not understood. Nothing in a text is obeyed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from instructrec.core import Instruction
from instructrec.instructions.agreement import Reader, agree
from instructrec.instructions.lexicon import Lexicon, lexicon_for
from instructrec.instructions.reading.apart import set_apart
from instructrec.instructions.reading.assembly import Sorted, sort_reads
from instructrec.instructions.reading.bare import read_sums
from instructrec.instructions.reading.barred import bar
from instructrec.instructions.reading.budgets import read_budgets
from instructrec.instructions.reading.combined import combined
from instructrec.instructions.reading.comparisons import ComparisonReader
from instructrec.instructions.reading.context import in_context
from instructrec.instructions.reading.corrections import corrected
from instructrec.instructions.reading.counts import CountReader
from instructrec.instructions.reading.doubts import doubted, turned
from instructrec.instructions.reading.frames import FrameReader
from instructrec.instructions.reading.inequalities import read_inequalities
from instructrec.instructions.reading.joints import read_scopes
from instructrec.instructions.reading.marks import Mark, Scanner
from instructrec.instructions.reading.quotas import read_quotas
from instructrec.instructions.reading.ranges import RangeReader
from instructrec.instructions.reading.reads import Polarity, Read
from instructrec.instructions.reading.remarks import read_remarks
from instructrec.instructions.reading.sayings import read_sayings
from instructrec.instructions.reading.settling import settle
from instructrec.instructions.reading.stories import without_stories
from instructrec.instructions.reading.tellings import read_tellings
from instructrec.instructions.reading.unrelated import without_other_scales, without_unrelated
from instructrec.instructions.reading.wholes import read_wholes, without_remarks
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
    "noun",
    "attribute",
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


def read(text: str, vocabulary: Vocabulary, lexicon: Lexicon, *, asks: bool = True) -> Reading:
    """Read a text against a vocabulary, in time linear in its length.

    A text that `asks` for something is freed from what people tell beside it; of one that states facts every word counts.
    """
    cleaned = clean(text)
    tokens = [_as_usual(token, vocabulary, lexicon) for token in tokenize(cleaned)]
    scanned = Scanner(tokens, vocabulary, lexicon).scan()
    told = _asking(scanned, tokens, vocabulary, lexicon) if asks else scanned
    marks = FrameReader(told, tokens, vocabulary, lexicon).read()
    compared = ComparisonReader(marks, tokens, vocabulary, lexicon).read()
    compared = read_inequalities(without_remarks(compared, tokens, lexicon), tokens, vocabulary, lexicon)
    ranged = read_remarks(RangeReader(compared, tokens, vocabulary, lexicon).read(), tokens, vocabulary, lexicon)
    ranged = without_other_scales(ranged, vocabulary) if lexicon.script == "han" else ranged
    counted = CountReader(read_wholes(ranged, tokens, vocabulary, lexicon), tokens, lexicon).read()
    reads = read_scopes(in_context(turned(counted, tokens, lexicon), tokens, lexicon), tokens)
    reads = doubted(corrected(reads), tokens, lexicon)
    return Reading(cleaned, tuple(tokens), tuple(without_stories(reads, lexicon)))


def _as_usual(token: Token, vocabulary: Vocabulary, lexicon: Lexicon) -> Token:
    """A token compared by the usual spelling of its word ("nowt": "nothing"), unless the catalog knows it as it is."""
    usual = lexicon.spoken.get(token.key)
    return token if usual is None or token.key in vocabulary.words else replace(token, key=usual)


def _asking(marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> Sequence[Mark]:
    """The marks of a request without what only tells: numbers that count nothing wanted, money had, stories, complaints."""
    found = without_unrelated(marks, tokens, lexicon)
    found = read_budgets(read_sums(found, tokens, vocabulary, lexicon), tokens, vocabulary, lexicon)
    return (read_sayings if lexicon.script == "han" else read_tellings)(found, tokens, lexicon)


def parse(text: str, catalog: Catalog, *, language: str = "en", n: int = 10, lm: Reader | None = None) -> Instruction:
    """Understand an instruction with the words of this catalog; `n` is the length of the list where the text says none.

    Demands on attribute values and numbers become limits, on how many items of the list meet them quotas; titles named as
    examples become `like` and `unlike`; what the user knows already or not becomes `seen`, and a number of items `n`.
    Preferences ("ideally", "I'd prefer"), examples, moods and other words the catalog knows become the wish. Handed back as
    not understood: unknown words and names, unwanted things that no limit can express ("no violence"), and what stands beyond
    `MAX_CHARACTERS`.
    A text in a language without wording is not understood as a whole. Never raises.

    `lm` is a model that reads beside the rules, such as `Run.understander`: asked about texts that the rules can read and that are
    in its language. Where both differ the safer reading holds, and notes say what each of them read.
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
    found = _assembled(reading, text, left_over, Vocabulary.of(catalog, lexicon), n)
    if lm is None or lm.language != lexicon.language:
        return found
    return agree(found, lm.understand(text), catalog, language=language)


def _assembled(reading: Reading, text: str, left_over: tuple[str, ...], vocabulary: Vocabulary, n: int) -> Instruction:
    counted = read_quotas(reading.reads, vocabulary, n=n)
    kept, unwanted = combined(counted.reads, reading.tokens, vocabulary, vocabulary.lexicon)
    kept, own, held = set_apart(kept, vocabulary)
    kept, barred = bar(kept, vocabulary)
    reading = replace(reading, reads=tuple(kept))
    found = sort_reads(reading.reads, vocabulary)
    settled = settle(
        (*own, *found.limits),
        [(quota, _between(reading, *span)) for quota, span in (*counted.quotas, *unwanted, *held, *barred)],
        like=_named(reading, "include"),
        unlike=_named(reading, "exclude"),
        catalog=vocabulary.catalog,
        n=counted.n or n,
    )
    return Instruction(
        text=text,
        limits=settled.limits,
        quotas=settled.quotas,
        like=settled.like,
        unlike=settled.unlike,
        seen=_seen(reading),
        n=counted.n,
        wish=_wished(reading, found, vocabulary.catalog) if found.wishes else "",
        not_understood=tuple(dict.fromkeys((*_not_understood(reading, found), *settled.dropped, *left_over))),
        notes=tuple(dict.fromkeys((*found.notes, *settled.notes))),
    )


def _between(reading: Reading, first: int, last: int) -> str:
    """The words from one read to another."""
    marks = (reading.reads[first].mark, reading.reads[last].mark)
    return reading.text[reading.tokens[marks[0].first].start : reading.tokens[marks[1].last - 1].end]


def _named(reading: Reading, polarity: Polarity) -> list[int]:
    """Codes of the items named as examples of what is wanted, or not."""
    return [code for read in reading.reads if read.polarity == polarity and read.mark.plays("title") for code in read.mark.items]


def _seen(reading: Reading) -> Literal["", "new", "known"]:
    """Whether only new or only known items are wanted; the last word on it holds, and a negation turns it round."""
    reads = reading.reads
    for index, read in reversed(list(enumerate(reads))):
        if index + 1 < len(reads) and reads[index + 1].mark.plays("title"):
            continue  # "I have seen X" speaks of one item only
        if index and reads[index - 1].mark.plays("title") and reads[index].mark.plays("familiar"):
            continue
        if reads[index].mark.plays("familiar") and (_repeats(reads, index) or _refused_again(reads, index)):
            continue  # "no repeats of what I have seen", "no horror again"
        if read.mark.plays("fresh", "familiar") and read.polarity in ("include", "exclude"):
            return "new" if read.mark.plays("fresh") == (read.polarity == "include") else "known"
    return ""


def _repeats(reads: Sequence[Read], index: int) -> bool:
    """Whether what is known only says of what there should be nothing more."""
    for read in reversed(reads[max(0, index - 4) : index]):
        if read.mark.plays("fresh"):
            return True
        if not read.mark.plays("filler", "from", "firm"):
            return False
    return False


def _refused_again(reads: Sequence[Read], index: int) -> bool:
    """Whether a single word for what is known only follows something unwanted."""
    before = reads[index - 1] if index else None
    single = reads[index].mark.last - reads[index].mark.first == 1
    return single and before is not None and before.mark.plays("value") and before.polarity == "exclude"


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


def _wished(reading: Reading, found: Sorted, catalog: Catalog) -> str:
    """The words that wish, from the first to the last of each clause.

    Demands are left out, for the list holds nothing else anyway, but where they stand at a wish: "a dark comedy".
    A value that is also called otherwise goes by its own name.
    """
    wishes, clauses = found.wishes, dict[int, list[int]]()
    for index, item in enumerate(reading.reads):
        kept = not item.mark.is_content or {index - 1, index, index + 1} & wishes
        if item.polarity == "include" and index not in found.unused and kept:
            clauses.setdefault(item.segment, []).append(index)
    parts = [_clause(reading, indices, catalog) for indices in clauses.values()]
    return ", ".join(part for part in parts if part)


def _clause(reading: Reading, indices: Sequence[int], catalog: Catalog) -> str:
    content = [place for place, index in enumerate(indices) if reading.reads[index].mark.is_content]
    if not content:
        return ""
    start = content[0]
    while start > 0 and _introduces(reading.reads[indices[start - 1]].mark):
        start -= 1
    kept = [index for index in indices[start : content[-1] + 1] if _belongs(reading, index)]
    text, end = "", None
    for index in kept:
        token = reading.tokens[reading.reads[index].mark.first]
        if token.key == "," and text.endswith(","):
            continue
        gap = "" if end is None or token.start == end or token.key == "," else " "
        text += gap + (_own_name(reading.reads[index].mark, catalog) or reading.words(reading.reads[index]))
        end = reading.tokens[reading.reads[index].mark.last - 1].end
    return " ".join(text.split())


def _own_name(mark: Mark, catalog: Catalog) -> str:
    """The name in the catalog of a value that people also call otherwise: models know it by no other."""
    if not mark.plays("value") or len(mark.refs) != 1:
        return ""
    ref = mark.refs[0]
    return ref.value if catalog.also_called.get(ref.attribute, {}).get(ref.value) else ""


def _introduces(mark: Mark) -> bool:
    """Whether a wish may begin with it; a "than" needs something before."""
    return mark.plays("article", "like") and not mark.plays("than")


def _belongs(reading: Reading, index: int) -> bool:
    mark = reading.reads[index].mark
    if mark.plays("negated"):
        return False  # no model follows a "not" dependably
    return mark.is_content or mark.plays("like", *_KEPT_IN_WISH) or (mark.plays("sign") and reading.tokens[mark.first].key == ",")


def _not_understood(reading: Reading, found: Sorted) -> list[str]:
    """Unused words, neighbours together; unwanted ones with the word that made them so, when it stands close before."""
    out: list[str] = []
    last, start = -2, -1
    for index in sorted(found.unused):
        item = reading.reads[index]
        first = item.mark.first
        if item.polarity in ("exclude", "unclear", "open") and item.trigger is not None and item.trigger < index:
            trigger = reading.reads[item.trigger].mark
            beside = all(at in found.unused or not reading.reads[at].mark.is_content for at in range(item.trigger, index))
            first = trigger.first if first - trigger.last <= 2 and beside else first
        words = reading.text[reading.tokens[first].start : reading.tokens[item.mark.last - 1].end]
        if out and first == start:
            out[-1] = words
        elif index == last + 1 and out and first == item.mark.first:
            parted = reading.tokens[reading.reads[last].mark.last - 1].end < reading.tokens[first].start
            out[-1] += (" " if parted else "") + words
        else:
            out.append(words)
        last, start = index, first
    return out
