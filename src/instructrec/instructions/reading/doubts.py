"""Chinese clauses that refuse what lacks something, and those that may refuse what they name: none may turn round what is meant.

"不是喜剧的就别给我了" demands comedies. Where a clause holds words nobody knows that may refuse ("喜剧我早就弃了"),
what it names is handed back rather than demanded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.reads import Read
from instructrec.instructions.reading.wholes import clause_spans
from instructrec.instructions.tokens import Token

_PASSED = ("filler", "of_what", "all", "alone", "exactly", "article", "noun", "back", "any_other", "rest")


def turned(marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> list[Mark]:
    """The marks, with what a clause refuses to lack as what it demands."""
    out = list(marks)
    if lexicon.script != "han":
        return out
    spans = clause_spans(out, tokens)
    for before, after in zip(spans, spans[1:], strict=False):
        _exchange(out, tokens, before, after, lexicon)
    for start, end in spans:
        _keep_only(out, start, end)
        _spare(out, tokens, start, end)
        _turn(out, start, end)
        _part_from(out, start, end)
    return out


def _part_from(marks: list[Mark], start: int, end: int) -> None:
    """What has nothing to do with a thing: alone it refuses that thing, and refused it demands it ("跟喜剧不沾边的不要")."""
    named = [place for place in range(start, end) if marks[place].plays("value")]
    parts = next((place for place in range(start, end) if marks[place].plays("differs")), None)
    if parts is None or not named or named[-1] > parts or any(mark.plays("title", "range", "amount") for mark in marks[start:end]):
        return
    led = any(mark.plays("and", "than", "further") for mark in marks[start : named[0]])
    behind = [place for place in range(parts + 1, end) if not _is_passed(marks[place])]
    if not led or any(marks[place].plays("negation", "negation_after") for place in range(start, parts)):
        return
    if not behind:
        marks[parts] = replace(marks[parts], roles=("negation_after",))
        marks[start : named[0]] = [replace(mark, roles=("filler",)) for mark in marks[start : named[0]]]
    elif len(behind) == 1 and marks[behind[0]].plays("negation_after", "negation", "back_only", "nothing_else"):
        for place in range(start, end):
            if place not in named:
                role = "or" if named[0] < place < named[-1] and marks[place].plays("and", "or") else "filler"
                marks[place] = replace(marks[place], roles=(role,))


def _keep_only(marks: list[Mark], start: int, end: int) -> None:
    """What lies outside of what is named is refused: "喜剧以外的都不要", "90年代之外的别给我"."""
    outside = [place for place in range(start, end) if marks[place].plays("outside")]
    if len(outside) != 1 or not any(mark.plays("value", "range") for mark in marks[start : outside[0]]):
        return
    behind = [place for place in range(outside[0] + 1, end) if not _is_passed(marks[place])]
    if len(behind) != 1 or not marks[behind[0]].plays("negation_after", "negation", "back_only", "nothing_else"):
        return
    if any(mark.plays("negation", "negation_after", "title", "amount") for mark in marks[start : outside[0]]):
        return
    named = [place for place in range(start, outside[0]) if marks[place].plays("value")]
    for place in range(start, end):
        joins = named and named[0] < place < named[-1] and marks[place].plays("and", "or")
        if place >= outside[0]:
            marks[place] = replace(marks[place], roles=("filler",))
        elif joins:
            marks[place] = replace(marks[place], roles=("or",))


def _exchange(
    marks: list[Mark], tokens: Sequence[Token], before: tuple[int, int], after: tuple[int, int], lexicon: Lexicon
) -> None:
    """What may be put in place of something is an alternative: "喜剧行，换成剧情也可以"."""
    start, end = after
    named = [place for place in range(start, end) if marks[place].plays("value")]
    last = next(
        (place for place in range(end - 1, start, -1) if not _is_passed(marks[place]) or marks[place].plays("or_after")), start
    )
    if len(named) != 1 or not marks[last].plays("or_after") or tokens[marks[last].first].key not in "也亦" or last < named[0]:
        return
    for place in range(start - (marks[start - 1].plays("contrast") and start - 1 >= before[1]), named[0]):
        lacks = marks[place].plays("soft") and any(tokens[at].key == "没" for at in range(marks[place].first, marks[place].last))
        if marks[place].plays("correction", "contrast") or lacks:
            marks[place] = replace(marks[place], roles=("filler",))
    for place in range(before[0] + 1, before[1]):
        words = tuple(token.key for token in tokens[marks[place].first : marks[before[1] - 1].last])
        if marks[place - 1].plays("value") and "or_after" in lexicon.strong.get(("也", *words), ()):
            marks[place : before[1]] = [replace(mark, roles=("filler",)) for mark in marks[place : before[1]]]


def _spare(marks: list[Mark], tokens: Sequence[Token], start: int, end: int) -> None:
    """What may as well be missing is only wished for: "没有喜剧也没关系"."""
    lacking = [place for place in range(start, end) if marks[place].plays("lacks")]
    named = [place for place in range(start, end) if marks[place].plays("value", "range", "title")]
    content = [place for place in range(start, end) if marks[place].is_content]
    if len(lacking) != 1 or not named or named != content or lacking[0] > named[0]:
        return
    behind = [place for place in range(named[-1] + 1, end) if not _is_passed(marks[place]) or marks[place].plays("or_after")]
    spares = len(behind) == 1 and marks[behind[0]].plays("or_after", "soft_after") and tokens[marks[behind[0]].first].key == "也"
    if spares and not any(mark.plays("negation") for mark in marks[start : lacking[0]]):
        marks[lacking[0]] = replace(marks[lacking[0]], roles=("soft",))
        marks[behind[0]] = replace(marks[behind[0]], roles=("filler",))


def _turn(marks: list[Mark], start: int, end: int) -> None:
    lacking = [place for place in range(start, end) if marks[place].plays("lacks")]
    if not lacking:
        return
    named = [place for place in range(lacking[0], end) if marks[place].plays("value", "range")]
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
    idle = _idle(reads)
    spans = _listing(reads, tokens)
    for before, after in zip(spans, spans[1:], strict=False):
        _refuse_likewise(out, before, after)
    for start, end in spans:
        wanted = [at for at in range(start, end) if _is_demanded(out[at])]
        if not wanted:
            continue
        handled = any(read.mark.plays("handled") for read in reads[start : wanted[-1]])
        behind = range(wanted[-1] + 1, end)
        refused = any(_may_refuse(reads, at, start, end, tokens, lexicon) for at in range(start, end))
        strange = handled and any(reads[at].mark.plays("unknown") for at in behind)
        closing = _closing(reads, start, end)
        spare = any(wanted[-1] < at < closing for at in idle)
        if refused or strange or spare or _is_judged(reads, behind, idle, tokens, lexicon):
            for at in wanted:
                out[at] = replace(out[at], polarity="unclear", trigger=None)
    return out


def _listing(reads: Sequence[Read], tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """The clauses, those that a "、" parts as one: "恐怖、战争这俩给我剔了"."""
    out: list[tuple[int, int]] = []
    for start, end in clause_spans([read.mark for read in reads], tokens):
        lists = bool(out) and tokens[reads[start - 1].mark.first].text == "、"
        out[-1:] = [(out[-1][0], end)] if lists else [*out[-1:], (start, end)]
    return out


def _refuse_likewise(reads: list[Read], before: tuple[int, int], after: tuple[int, int]) -> None:
    """Refuse what is said to be as what was refused in the clause before it: "恐怖片别来，战争片同理"."""
    start, end = after
    said = [read for read in reads[before[0] : before[1]] if read.mark.is_content]
    named = [at for at in range(start, end) if reads[at].mark.is_content]
    alike = any(read.mark.plays("likewise") for read in reads[named[-1] if named else end : end])
    if alike and said and said[-1].polarity == "exclude" and said[-1].mark.plays("value"):
        for at in named:
            if _is_demanded(reads[at]):
                reads[at] = replace(reads[at], polarity="exclude", trigger=said[-1].trigger)


def _closing(reads: Sequence[Read], start: int, end: int) -> int:
    """Where what is said of things ends: at the next sign, or behind a clause that names nothing where nothing asked for them."""
    first = _next_sign(reads, end)
    asked = any(read.mark.plays("firm", "must", "amount", "soft", "like") for read in reads[start:end])
    second = first if asked else _next_sign(reads, first + 1)
    return first if any(read.mark.is_content for read in reads[first:second]) else second


def _next_sign(reads: Sequence[Read], start: int) -> int:
    """The first sign from a place on, or the end."""
    return next((at for at in range(start, len(reads)) if reads[at].mark.plays("sign")), len(reads))


def _idle(reads: Sequence[Read]) -> list[int]:
    """Words that refuse where nothing that they do was found: they may speak of what their clause named before."""
    busy = {
        read.trigger
        for at, read in enumerate(reads)
        if read.trigger != at and (read.mark.is_content or read.mark.plays("fresh", "familiar"))
    }
    return [
        at
        for at, read in enumerate(reads)
        if at not in busy
        and read.mark.plays("negation", "negation_after")
        and all(one.polarity != "open" for one in reads[at : at + 2])  # a negated negation: "也不怕"
    ]


def _is_judged(reads: Sequence[Read], behind: range, idle: Sequence[int], tokens: Sequence[Token], lexicon: Lexicon) -> bool:
    """Whether words that nobody knows say what one thinks of the thing named before: "喜剧已经看伤了"."""
    judging = False
    for at in behind:
        read = reads[at]
        if read.mark.plays("of_what", "soft_after", "negation_after") and at not in idle:
            return False
        strange = read.mark.plays("unknown") and not read.mark.plays("handed_back")
        if strange and (judging or (read.polarity == "exclude" and not reads[behind[-1]].mark.plays("of_what"))):
            return True
        judging = judging or any(token.key in lexicon.judging for token in tokens[read.mark.first : read.mark.last])
    ends = judging and tokens[reads[behind[-1]].mark.last - 1].key in lexicon.judging
    return ends and any(reads[at].mark.plays("unknown") for at in behind)


def _is_demanded(read: Read) -> bool:
    return read.polarity == "include" and not read.soft and read.mark.plays("value")


def _may_refuse(reads: Sequence[Read], at: int, start: int, end: int, tokens: Sequence[Token], lexicon: Lexicon) -> bool:
    """Whether a word that nobody knows has a character that refuses, and does not just describe: "无聊的"."""
    mark = reads[at].mark
    if not mark.plays("unknown", "known") or mark.plays("handed_back"):
        return False
    told = any(lexicon.is_subject(tokens[read.mark.first].key) for read in reads[start:at])
    after = next((read for read in reads[at + 1 : end] if not read.mark.plays("unknown", "known")), None)
    if after is not None and after.mark.plays("of_what") and not told:
        return False
    return any(token.key in lexicon.refusing for token in tokens[mark.first : mark.last])
