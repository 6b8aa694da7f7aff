"""Chinese clauses that refuse what lacks something, and those that may refuse what they name: none may turn round what is meant.

"不是喜剧的就别给我了" demands comedies. Where a clause holds words nobody knows that may refuse ("喜剧我早就弃了"),
what it names is handed back rather than demanded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.marks import Mark
from instructrec.instructions.reads import Read
from instructrec.instructions.tokens import Token
from instructrec.instructions.wholes import clause_spans

_PASSED = ("filler", "of_what", "all", "alone", "exactly", "article", "noun", "back", "any_other", "rest")


def turned(marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> list[Mark]:
    """The marks, with what a clause refuses to lack as what it demands."""
    out = list(marks)
    if lexicon.script != "han":
        return out
    for start, end in clause_spans(out, tokens):
        _turn(out, start, end)
    return out


def _turn(marks: list[Mark], start: int, end: int) -> None:
    lacking = [place for place in range(start, end) if marks[place].plays("lacks")]
    if not lacking:
        return
    named = [place for place in range(lacking[0], end) if marks[place].plays("value")]
    if not named or any(marks[place].is_content and place not in named for place in range(lacking[0], end)):
        return
    behind = marks[named[-1] + 1 : end]
    at = next((place for place, mark in enumerate(behind) if not _is_passed(mark)), None)
    ends = at is not None and all(_is_passed(mark) for mark in behind[at + 1 :])
    if at is None or not ends or not behind[at].plays("negation_after", "negation", "back_only", "nothing_else"):
        return
    if any(marks[place].plays("negation") and place not in lacking for place in range(start, named[-1])):
        return
    for place in range(lacking[0], end):
        mark = marks[place]
        joins = place > named[0] and place < named[-1] and mark.plays("and", "or", "further", "lacks")
        if joins and (len(lacking) > 1 or mark.plays("or")):
            marks[place] = replace(mark, roles=("or",))
        elif place == lacking[0]:
            marks[place] = replace(mark, roles=("firm",))
        elif not mark.is_content and not joins:
            marks[place] = replace(mark, roles=("filler",))


def _is_passed(mark: Mark) -> bool:
    return mark.plays(*_PASSED) and not mark.plays("negation", "negation_after", "back_only", "nothing_else")


def doubted(reads: Sequence[Read], tokens: Sequence[Token], lexicon: Lexicon) -> list[Read]:
    """The reads, with values that the words around them may refuse as unclear."""
    out = list(reads)
    if lexicon.script != "han":
        return out
    for start, end in clause_spans([read.mark for read in reads], tokens):
        wanted = [at for at in range(start, end) if _is_demanded(reads[at])]
        if not wanted:
            continue
        handled = any(read.mark.plays("handled") for read in reads[start : wanted[-1]])
        behind = reads[wanted[-1] + 1 : end]
        refused = any(_may_refuse(reads, at, start, end, tokens, lexicon) for at in range(start, end))
        strange = handled and any(read.mark.plays("unknown") for read in behind)
        if refused or strange or _is_judged(behind, tokens, lexicon):
            for at in wanted:
                out[at] = replace(out[at], polarity="unclear", trigger=None)
    return out


def _is_judged(behind: Sequence[Read], tokens: Sequence[Token], lexicon: Lexicon) -> bool:
    """Whether words that nobody knows say what one thinks of the thing named before: "喜剧已经看伤了"."""
    judging = False
    for read in behind:
        if read.mark.plays("of_what", "soft_after", "negation_after"):
            return False
        strange = read.mark.plays("unknown")
        if strange and (judging or (read.polarity == "exclude" and not behind[-1].mark.plays("of_what"))):
            return True
        judging = judging or any(token.key in lexicon.judging for token in tokens[read.mark.first : read.mark.last])
    return (
        judging and tokens[behind[-1].mark.last - 1].key in lexicon.judging and any(read.mark.plays("unknown") for read in behind)
    )


def _is_demanded(read: Read) -> bool:
    return read.polarity == "include" and not read.soft and read.mark.plays("value")


def _may_refuse(reads: Sequence[Read], at: int, start: int, end: int, tokens: Sequence[Token], lexicon: Lexicon) -> bool:
    """Whether a word that nobody knows has a character that refuses, and does not just describe: "无聊的"."""
    mark = reads[at].mark
    if not mark.plays("unknown", "known"):
        return False
    told = any(lexicon.is_subject(tokens[read.mark.first].key) for read in reads[start:at])
    after = next((read for read in reads[at + 1 : end] if not read.mark.plays("unknown", "known")), None)
    if after is not None and after.mark.plays("of_what") and not told:
        return False
    return any(token.key in lexicon.refusing for token in tokens[mark.first : mark.last])
