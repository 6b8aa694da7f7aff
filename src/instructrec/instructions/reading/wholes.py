"""Chinese clauses that are read as a whole: what they count or bound is clear, whatever other words stand between.

A clause that names one number of things and one condition says of how many the condition must hold, in whatever order a bound, the
number and the condition come: "最多给喜剧留三个名额", "其中喜剧要是超过三个就太多了".
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.bounds import amount, beyond
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.tokens import Token
from instructrec.instructions.vocabulary import Vocabulary

_MOST_COUNTED = 20
_LEADING = ("unknown", "known", "filler", "firm", "handing", "alone")
"""What may stand before a number of things in a clause that asks for no more than them."""
_MOST_UNKNOWN = 4
"""Characters that nobody knows and that may stand between what counts: more of them would say something."""
_LONGEST_REMARK = 6
_KINDS = {
    "since": "since", "since_after": "since", "until": "until", "until_after": "until", "before": "before", "after": "after",
    "exactly": "exactly", "exact_after": "exactly",
}  # fmt: skip
_TURNED = {"after": "until", "since": "before", "before": "since"}
"""What a bound says where its clause refuses it: "超过三个就太多了"."""
_OTHER = (
    "title", "amount", "share", "fresh", "familiar", "year", "decade", "quality", "contrast", "soft", "soft_after", "each", "few",
)  # fmt: skip


def read_wholes(marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> list[Mark]:
    """The marks, with the number of each clause that is clear as a whole as one amount."""
    out = list(marks)
    if lexicon.script != "han":
        return out
    _pass_remarks(out, tokens, vocabulary)
    for start, end in _with_allowances(out, _parted(out, tokens)):
        whole = Whole(out, tokens, start, end)
        whole.read()
        whole.ask(lexicon.around.get("had", ()))
    return out


def clause_spans(marks: Sequence[Mark], tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """Stretches of marks between signs and words that begin a further thought."""
    found: list[tuple[int, int]] = []
    start = 0
    for place, mark in enumerate(marks):
        parts = mark.plays("sign") and tokens[mark.first].key not in (":", "(", ")")
        if parts or mark.plays("contrast", "further"):
            found.append((start, place))
            start = place + 1
    return [(first, last) for first, last in (*found, (start, len(marks))) if first < last]


def _parted(marks: Sequence[Mark], tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """The clauses, one that begins with the list that it speaks of as two: "七部里 | 恐怖最多一部"."""
    out: list[tuple[int, int]] = []
    for start, end in clause_spans(marks, tokens):
        inside = start + 2 < end and marks[start].plays("count", "number") and marks[start + 1].plays("measure")
        parts = inside and tokens[marks[start + 2].first].key in "里中内" and marks[start + 2].plays("filler", "of_them")
        out += [(start, start + 3), (start + 3, end)] if parts and start + 3 < end else [(start, end)]
    return out


def _with_allowances(marks: list[Mark], spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The clauses, one that allows something together with the bound behind it: "可以有喜剧，但不超过三个"."""
    out: list[tuple[int, int]] = []
    for start, end in spans:
        named = any(mark.plays("value", "range") for mark in marks[start:end])
        bounded = any(mark.plays(*_KINDS) for mark in marks[start:end])
        before = marks[out[-1][0] : out[-1][1]] if out else ()
        if bounded and not named and any(mark.plays("allows") for mark in before):
            for place in range(out[-1][0], start):
                if marks[place].plays("contrast", "allows"):
                    marks[place] = replace(marks[place], roles=("allows", "filler"))
            out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
    return out


def _pass_remarks(marks: list[Mark], tokens: Sequence[Token], vocabulary: Vocabulary) -> None:
    """What only says whether the end of a bound counts says nothing else: "五席以上（含五席）", "1990年以前，含1990年"."""
    for place, mark in enumerate(marks):
        if not mark.plays("counted_in") or not place or not marks[place - 1].plays("sign", "contrast"):
            continue
        end = next((at for at in range(place + 1, len(marks)) if _ends_remark(marks, at)), len(marks))
        said = {one.low for one in marks[place + 1 : end] if one.low is not None and one.low in (one.high, None)}
        others = any(one.is_content and one.low is None for one in marks[place + 1 : end])
        if len(said) != 1 or others or end - place > _LONGEST_REMARK:
            continue
        bound = next((at for at in range(place - 2, max(-1, place - 2 - _LONGEST_REMARK), -1) if _is_bound(marks[at])), None)
        if bound is not None and _ends_at(marks[bound], number := said.pop()):
            closed = end < len(marks) and tokens[marks[end].first].key == ")"
            for at in range(place - 1, end + closed):
                marks[at] = replace(marks[at], roles=("filler",), low=None, high=None)
            if marks[bound].plays("range"):
                whole = vocabulary.is_integral(marks[bound].attribute or "")
                counts = not mark.plays("negation", "except")
                marks[bound] = ending_at(marks[bound], number, counts=counts, whole=whole)


def _ends_remark(marks: Sequence[Mark], at: int) -> bool:
    """Whether a remark on a bound ends: at a sign, or where a noun begins right behind its number ("不含2001年一些喜剧")."""
    return marks[at].plays("sign") or (marks[at].plays("article", "quality", "firm") and _is_bound(marks[at - 1]))


def ending_at(mark: Mark, number: float, *, counts: bool, whole: bool) -> Mark:
    """A range with the end that a remark says to count, or not to."""
    low, high = mark.low, mark.high
    if low == high:
        return mark
    if counts:
        return replace(mark, low=low and min(low, number), high=high and max(high, number))
    low = beyond(low, 1, whole=whole) if low == number else low
    return replace(mark, low=low, high=beyond(high, -1, whole=whole) if high == number else high)


def _is_bound(mark: Mark) -> bool:
    return mark.low is not None or mark.high is not None


def _ends_at(mark: Mark, number: float) -> bool:
    """Whether a number is an end of it, or lies right beyond one."""
    return any(end is not None and abs(end - number) <= 1 for end in (mark.low, mark.high))


def without_remarks(marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> list[Mark]:
    """The marks, without brackets that only say that the end of a bound counts, which parts no number from its bound."""
    if lexicon.script != "han":
        return list(marks)
    out: list[Mark] = []
    place = 0
    while place < len(marks):
        said, last = _remark(marks, place)
        if said is None:
            out.append(marks[place])
            place += 1
            continue
        place = last + (tokens[marks[last].first].key == ")")
        after = marks[place] if place < len(marks) else None
        at = next((at for at in (len(out) - 1, len(out) - 2, len(out) - 3) if at >= 0 and out[at].plays(*_SIDES)), None)
        if after is not None and after.plays(*_SIDES):
            marks = [*marks[:place], _sided(after, said), *marks[place + 1 :]]
        elif at is not None:
            out[at] = _sided(out[at], said)
    return out


_SIDES = {
    "since_after": ("since_after", "after_after"), "after_after": ("since_after", "after_after"),
    "until_after": ("until_after", "before_after"), "before_after": ("until_after", "before_after"),
    "since": ("since", "after"), "after": ("since", "after"), "until": ("until", "before"), "before": ("until", "before"),
}  # fmt: skip
"""What a bound is where its end counts, and where it does not."""


def _sided(mark: Mark, counts: bool) -> Mark:
    """A bound whose end counts or not, as brackets beside it say."""
    role = next(role for role in mark.roles if role in _SIDES)
    return replace(mark, roles=(_SIDES[role][not counts],))


def _remark(marks: Sequence[Mark], place: int) -> tuple[bool | None, int]:
    """Whether the end of a bound counts, if brackets say only that, and where they end: "1990年（含）", "1990年（含1990年）"."""
    if not marks[place].plays("sign") or place + 2 >= len(marks) or not marks[place + 1].plays("counted_in"):
        return None, place
    last = next((at for at in range(place + 2, min(place + 5, len(marks))) if marks[at].plays("sign")), place)
    inner = [mark for mark in marks[place + 2 : last] if not mark.plays("year_suffix")]
    before = [mark.low for mark in marks[max(0, place - 2) : place] if mark.low is not None]
    if last == place or [mark.low for mark in inner] not in ([], before[-1:]):
        return None, place
    return not marks[place + 1].plays("negation", "except"), last


class Whole:
    """One clause, [start, end) of the marks."""

    def __init__(self, marks: list[Mark], tokens: Sequence[Token], start: int, end: int) -> None:
        self.marks = marks
        self.tokens = tokens
        self.start = start
        self.end = end

    def _places(self, *roles: str) -> list[int]:
        return [place for place in range(self.start, self.end) if self.marks[place].plays(*roles)]

    def read(self) -> None:
        """Rewrite the clause where it is clear and the readers to come would not see it."""
        numbers = [place for place in range(self.start, self.end) if self._counts(place)]
        named, tallies = self._places("value", "range"), self._places("tally")
        if len(numbers) != 1 or self._places(*_OTHER) or self._unknown() > _MOST_UNKNOWN:
            return
        number = numbers[0]
        if not named:
            if tallies and tallies[0] < number and self._kind() in ("", "exactly"):
                self._write(number, "list", tallies[0], ("asked",))
            return
        if named[0] < number < named[-1]:
            return
        refused = self._refused(max(number, named[-1]))
        forbidding = self._places("negation", "negation_after", "back_only")
        if refused is None and len(forbidding) == 1 and forbidding[0] < named[0] < number and self._kind() in ("after", "before"):
            refused = forbidding[0]  # "别让喜剧超过三个"
        kind = self._kind() or ("exactly" if tallies and tallies[0] < number and refused is None else "")
        kind = _TURNED.get(kind, "") if refused is not None else kind
        first, last = min(number, named[0]), max(number, named[-1])
        if number - 1 in self._places("lacks"):
            first = min(first, number - 1)  # "没有三个喜剧不行"
        if refused is None and self._places("negation", "negation_after"):
            return
        if kind and (
            refused is not None
            or tallies
            or self.marks[number].plays("article")
            or self._places("allows")
            or self._is_limited(number)
            or self._is_hidden(number)
        ):
            first = min([first, *self._bounds(), *([] if refused is None else [refused])])
            self._write(number, kind, first, ("measured", "partitive"), max([last, refused or 0, *self._bounds()]))

    def ask(self, had: Collection[str]) -> None:
        """Rewrite a clause that only asks for so many things, by a verb that nobody knows: "随机四个", unless it tells of some."""
        numbers = [place for place in range(self.start, self.end) if self._counts(place) and not self.marks[place].plays("article")]
        first = self.marks[self.start].plays("soft_after")  # "先来八部"
        if len(numbers) != 1 or not (first or self._unknown()) or self._unknown() >= _MOST_UNKNOWN:
            return
        led = self.marks[self.start : numbers[0]]
        closed = all(mark.plays("measure", "noun", "filler", "firm") for mark in self.marks[numbers[0] + 1 : self.end])
        words = self.tokens[self.marks[self.start].first : self.marks[numbers[0]].first]
        if closed and all(mark.plays(*_LEADING) for mark in led[first:]) and not any(token.key in had for token in words):
            self._write(numbers[0], "list", self.start, ("asked",))

    def bound(self, way: str) -> bool:
        """Rewrite the clause as bounded this way, unless it is bounded another way already or refuses; False: it counts nothing."""
        numbers = [place for place in range(self.start, self.end) if self._counts(place)]
        kind, named = self._kind(), self._places("value", "range")
        if len(numbers) != 1 or kind not in ("", "exactly", way) or self._places("negation", "negation_after", "title", "share"):
            return False
        first = min([numbers[0], *named[:1], *self._bounds()])
        if named and not named[0] < numbers[0] < named[-1]:
            self._write(numbers[0], way, first, ("measured", "partitive"), max([numbers[0], named[-1], *self._bounds()]))
        elif not named and way == "exactly":
            self._write(numbers[0], "list", first, ("asked",))
        return bool(named) or way == "exactly" or kind == way

    def allow_equal(self) -> bool:
        """Rewrite a clause that refuses so many things and more as one that allows so many; False: it is none."""
        numbers = [place for place in range(self.start, self.end) if self._counts(place)]
        named, refusing = self._places("value", "range"), self._places("negation", "negation_after", "back_only")
        if len(numbers) != 1 or len(named) != 1 or len(refusing) != 1 or self._kind() not in ("since", "after"):
            return False
        first = min(numbers[0], named[0], refusing[0], *self._bounds())
        self._write(numbers[0], "until", first, ("measured", "partitive"), max(numbers[0], named[0], refusing[0], *self._bounds()))
        return True

    def _counts(self, place: int) -> bool:
        """Whether a number of things stands there: with a measure word, or behind a word for their number."""
        mark = self.marks[place]
        if mark.low is None or mark.low != mark.high or not 0 < mark.low <= _MOST_COUNTED or mark.low != int(mark.low):
            return False
        if mark.plays("article"):
            # "盘一盘" does something rather than count.
            return mark.first == 0 or self.tokens[mark.first - 1].key != self.tokens[mark.last - 1].key
        measured = place + 1 < self.end and self.marks[place + 1].plays("measure")
        told = any(self.marks[before].plays("tally") for before in range(self.start, place))
        return mark.plays("count", "number") and (measured or told)

    def _unknown(self) -> int:
        return sum(self.marks[place].last - self.marks[place].first for place in self._places("unknown", "known"))

    def _bounds(self) -> list[int]:
        """Where words stand that make a bound of the number."""
        places = self._places(*_KINDS)
        return [
            place
            for place in places
            # "一过三个就打住" bounds only once.
            if not (place > places[0] and self.marks[place].plays("too_much"))
            and not (len(places) > 1 and self.marks[place].plays("assure"))
            # A "就" or "只看" says so little that it counts only right before a number.
            and (
                not self.marks[place].plays("exactly")
                or (self.marks[place].last - self.marks[place].first > 1 and not self.marks[place].plays("firm", "must", "alone"))
                or (place + 1 < self.end and self._counts(place + 1))
            )
        ]

    def _kind(self) -> str:
        """The one bound that is said of the number; empty where none is, or several are."""
        kinds = {next(kind for role, kind in _KINDS.items() if self.marks[place].plays(role)) for place in self._bounds()}
        kinds |= {"before" for place in self._places("lacks") if place + 1 < self.end and self._counts(place + 1)}  # "没有三个不行"
        kinds |= {"until" for place in self._places("limited") if not kinds and self._is_limited(place + 1)}
        return kinds.pop() if len(kinds) == 1 else ""

    def _is_limited(self, number: int) -> bool:
        """Whether a number of what is named before is a limit: "喜剧限三个"."""
        limited = self.start < number < self.end and self.marks[number - 1].plays("limited")
        return limited and self._counts(number) and any(mark.plays("value") for mark in self.marks[self.start : number])

    def _refused(self, last: int) -> int | None:
        """Where the clause ends in words that refuse what it says."""
        behind = [place for place in range(last + 1, self.end) if self.marks[place].plays("negation_after", "negation", "too_much")]
        return behind[0] if behind else None

    def _is_hidden(self, number: int) -> bool:
        """Whether other words than those that the readers to come pass over part the number from its bound."""
        near = next((place for place in self._bounds() if place > number), None)
        if near is not None:
            return near > number + 2
        before = max((place for place in self._bounds() if place < number), default=number)
        between = self.marks[before + 1 : number]
        return not all(mark.plays("filler", "article", "from", "alone", "firm", "about", "list") for mark in between)

    def _write(self, number: int, kind: str, first: int, flags: tuple[str, ...], last: int | None = None) -> None:
        many = self.marks[number].low or 0.0
        name, low, high = amount(kind, many)
        for place in range(first, (number if last is None else last) + 1):
            mark = self.marks[place]
            if place == number:
                self.marks[place] = Mark(("amount", name, "count", *flags), mark.first, mark.last, low=low, high=high)
            elif not mark.plays("value", "range", "and", "or"):
                self.marks[place] = replace(mark, roles=("filler",), low=None, high=None)
