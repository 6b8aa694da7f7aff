"""First pass over a request: which stretch of words is a value, a title, a number, a function word, or nothing known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from instructrec.instructions.lexicon import Comparison, Lexicon
from instructrec.instructions.reading.cutting import BOUNDS, PhraseCutter
from instructrec.instructions.reading.examples import ExampleFinder
from instructrec.instructions.reading.figures import FigureReader
from instructrec.instructions.reading.thinning import Thinner
from instructrec.instructions.render import FIRST_YEAR, LAST_YEAR
from instructrec.instructions.tokens import Token, number
from instructrec.instructions.vocabulary import Ref, Vocabulary

CONTENT = frozenset(
    {"value", "range", "title", "quality", "known", "unknown", "number", "year", "decade", "count", "unit", "amount"}
)
"""Roles of marks that say what is wanted; all other roles say how."""
NUMBERS = ("number", "count", "year")
"""Roles of single numbers."""
NUMERIC = (*NUMBERS, "decade")
"""Roles of all that is written as a number."""

_JOINED = re.compile(r"([a-z]+)(\d{1,3})")
_DASHES = ("-", "–", "—")
_TIMES = re.compile(r"([1-9]\d?)x|x([1-9]\d?)")
_DECADE = re.compile(r"(\d{2}|\d{4})s")


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of tokens [first, last) and the roles it can play.

    `refs`: meanings of a value. `low`, `high`: bounds of a number, year, range or amount (None: open). `attribute`: of a range
    or name. `items`: codes that a title names. `compare`: what a comparison compares, and which way.
    """

    roles: tuple[str, ...]
    first: int
    last: int
    refs: tuple[Ref, ...] = ()
    plural: bool = False
    attribute: str | None = None
    low: float | None = None
    high: float | None = None
    items: tuple[int, ...] = ()
    compare: Comparison | None = None

    def plays(self, *roles: str) -> bool:
        """Whether it can play one of the roles."""
        own = self.roles
        for role in roles:  # noqa: SIM110 - asked many hundred times a sentence, where any() takes thrice as long
            if role in own:
                return True
        return False

    @property
    def is_content(self) -> bool:
        """Whether it says what is wanted."""
        return self.roles[0] in CONTENT

    def without_meaning(self, *roles: str) -> Mark:
        """The same words with these roles, and nothing of what they named, counted or compared."""
        return Mark(roles, self.first, self.last, plural=self.plural)

    @property
    def handed_back(self) -> Mark:
        """The same words, to be handed back as not understood."""
        return self.without_meaning("unknown", "handed_back")

    @property
    def idle(self) -> Mark:
        """The same words, which say nothing."""
        return self.without_meaning("filler")


class Scanner(PhraseCutter):
    """Turns tokens into marks, longest known phrase first, in time linear in the number of tokens."""

    def __init__(self, tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> None:
        super().__init__(tokens, vocabulary, lexicon)
        self._spellings: dict[str, str] = {}
        self.keys = tuple(self._spelled(token) for token in tokens)
        self.examples = ExampleFinder(tokens, vocabulary, lexicon)
        self.thinner = Thinner(self.keys, lexicon)
        self.figures = FigureReader(self.keys, vocabulary, lexicon)

    def scan(self) -> list[Mark]:
        """All marks from left to right; every token belongs to at most one."""
        marks: list[Mark] = []
        place = 0
        while place < len(self.tokens):
            mark = self._dash(place) or self._example(place) or self._figures(place) or self._phrase(place) or self._single(place)
            marks.append(mark)
            place = mark.last
            self._expect(mark)
        return marks

    def _expect(self, mark: Mark) -> None:
        """What kind of name may follow: an example after "like", something unwanted after "no"."""
        examples = self.examples
        examples.listed = mark.plays("title") or (examples.listed and mark.plays("sign", "and", "or"))
        if self.tokens[mark.first].ends_sentence:
            examples.expect = ""
        elif mark.plays("like", "than") or (mark.compare is not None and self.tokens[mark.last - 1].key in self.lexicon.links):
            examples.expect = "example"
        elif mark.plays("back") and examples.expect == "example":
            examples.expect = ""
        elif mark.plays("title"):
            quoted = not self.tokens[mark.first].is_word
            examples.expect = "quoted" if quoted and examples.expect == "example" else examples.expect
        elif mark.is_content or (self.lexicon.script == "han" and mark.plays("filler")):
            examples.expect = ""
        elif mark.plays("negation", "before", "after", "since", "until", "another", "familiar", "fresh"):
            examples.expect = examples.expect or "name"

    def _spelled(self, token: Token) -> str:
        word = token.key
        if word not in self._spellings:
            self._spellings[word] = self._corrected(word)
        return self._spellings[word]

    def _corrected(self, word: str) -> str:
        known = word in self.lexicon.words or (word,) in self.lexicon.kind_words
        known = known or word in self.vocabulary.value_words or not word.isalpha()
        if known or self.lexicon.stem(word) in self.vocabulary.words or self.vocabulary.find((word,)):
            return word
        stem = self.lexicon.stem(word)
        value = self.vocabulary.speller.correct(word) or (self.vocabulary.speller.correct(stem) if stem != word else None)
        return value or self._function_word(word) or word

    def _function_word(self, word: str) -> str | None:
        """The function word that was typed with letters swapped, doubled or left out; another letter makes another word."""
        meant = self.vocabulary.function_speller.correct(word)
        return meant if meant is not None and (len(meant) != len(word) or sorted(meant) == sorted(word)) else None

    def _example(self, place: int) -> Mark | None:
        """A title or quoted value at `place`, or the name of something that is not there."""
        found = self.examples.find(place)
        return None if found is None else Mark((found.role,), place, found.end, found.refs, items=found.items)

    def _dash(self, place: int) -> Mark | None:
        """A dash between spaces that parts two thoughts, and not two numbers."""
        token = self.tokens[place]
        if token.text not in _DASHES or self.lexicon.script == "han" or not 0 < place < len(self.tokens) - 1:
            return None
        before, after = self.tokens[place - 1], self.tokens[place + 1]
        spaced = before.end < token.start and token.end < after.start
        low, high = number(before.key.removesuffix("s")), number(after.key.removesuffix("s"))
        bounded = any(
            BOUNDS & set(self.lexicon.strong.get(self.keys[at : place - 1], ())) for at in range(max(0, place - 4), place)
        )
        if low is not None and high is not None and (bounded or low < FIRST_YEAR <= high):
            return Mark(("sign",), place, place + 1) if spaced else None  # "at most 0.9 - 1990 and later"
        ascends = low is not None and high is not None and (high > low or high > low % 100 > 0 or len(before.key) == len(after.key))
        return Mark(("sign",), place, place + 1) if spaced and not ascends else None

    def _figures(self, place: int) -> Mark | None:
        """A number at `place` that is written in a way of its own."""
        found = self.figures.find(place)
        return (
            None
            if found is None
            else Mark((found.role, *found.more), place, found.end, attribute=found.attribute, low=found.low, high=found.high)
        )

    def _phrase(self, place: int) -> Mark | None:
        thin = self.thinner.find(place) if self.lexicon.adverbs else None
        mark = self._phrase_of(place)
        if thin is not None and (mark is None or (mark.last < thin[1] and not mark.is_content)):
            return Mark(self.lexicon.strong[thin[0]], place, thin[1])
        return mark

    def _phrase_of(self, place: int) -> Mark | None:
        reach = self._reach(place)
        for length in range(reach, 0, -1):
            words = self.keys[place : place + length]
            if length == 1 and self.lexicon.syllables and (mark := self._mistyped(place)) is not None:
                return mark
            mark = self._named(words, place) or self._known_phrase(words, place)
            if mark is not None and not self._cuts(place, place + length):
                return mark
        return None

    def _mistyped(self, place: int) -> Mark | None:
        """A phrase with one wrong character that sounds the same, where no known one begins."""
        if self._measures(place):
            return None  # "两部冒险" is no "不冒险"
        reach = self.vocabulary.sound_speller.longest(self.keys[place : place + 3])
        for length in range(min(reach, len(self.tokens) - place), 1, -1):
            written = self.keys[place : place + length]
            meant = self.vocabulary.sound_speller.correct(written)
            if meant is not None and any((key,) in self.lexicon.counts and key not in meant for key in written):
                continue  # "凑七个" is no "凑齐"
            if meant is not None and self._cuts_value(place, len(meant)):
                continue  # "射击和格斗" holds no "合格"
            if meant is not None and self._is_bound(place, meant):
                continue  # "我都过敏" is no "我读过", "看晚过1996年的" no "看完过"
            if meant is not None and (mark := self._known_phrase(meant, place)) is not None:
                return mark
        return None

    def _cuts_value(self, place: int, length: int) -> bool:
        """Whether a value begins within some words and reaches beyond them."""
        starts, ends = range(place + 1, place + length), range(place + length + 1, place + length + 3)
        return any(self.vocabulary.find(self.keys[first:last]) for first in starts for last in ends if last <= len(self.keys))

    def _is_bound(self, place: int, meant: tuple[str, ...]) -> bool:
        """Whether a word that nothing may cut stands where another phrase is meant, or reaches beyond it."""
        pairs = ((self.keys[place + at : place + at + 2], meant[at : at + 2]) for at in range(len(meant)))
        return any(written in self.lexicon.bound and written != other for written, other in pairs)

    def _measures(self, place: int) -> bool:
        """Whether a measure stands there behind a number."""
        before = self.keys[place - 1] if place else ""
        counts = before == "一" or before.isdigit() or (before,) in self.lexicon.counts
        return counts and "measure" in self.lexicon.strong.get((self.keys[place],), ())

    def _reach(self, place: int) -> int:
        left = len(self.tokens) - place
        return min(left, self.vocabulary.longest(self.keys[place], self.keys[place + 1])) if left > 1 else left

    def _named(self, words: tuple[str, ...], place: int) -> Mark | None:
        end = place + len(words)
        if end >= len(self.tokens) or self.tokens[end].key not in (":", "："):
            return None
        attribute = self._attribute(words)
        return Mark(("attribute", "named"), place, end + 1, attribute=attribute) if attribute else None

    def _attribute(self, words: tuple[str, ...]) -> str | None:
        return self.vocabulary.attributes.get(tuple(self.lexicon.stem(word) for word in words))

    def _known_phrase(self, words: tuple[str, ...], place: int) -> Mark | None:
        end = place + len(words)
        timed = self._timed(words, place, end)
        if timed is not None:
            return timed
        lexicon, count = self.lexicon, self.lexicon.counts.get(words)
        strong = lexicon.strong.get(words)
        if words in lexicon.compare:
            roles = ("compare", *(strong or lexicon.weak.get(words, ())))
            return Mark(roles, place, end, compare=lexicon.compare[words])
        if strong:
            if self.lexicon.script == "han" and "article" in strong:
                measured = "measure" in lexicon.strong.get(words[1:], ())
                count = lexicon.counts.get(words[:1]) if measured else None  # "一部": an article, and one
            return Mark(strong, place, end, low=count, high=count)
        if words in lexicon.shares:
            return Mark(("share",), place, end, low=lexicon.shares[words])
        refs = self.vocabulary.find(words) or self._shortened(words)
        if refs:
            return Mark(("value",), place, end, refs, plural=self._is_plural(words, refs, end - 1))
        attribute = self._attribute(words)
        if attribute:
            return Mark(("attribute",), place, end, attribute=attribute)
        return self._weak(words, place, end)

    def _is_plural(self, words: tuple[str, ...], refs: tuple[Ref, ...], last: int) -> bool:
        written = self.tokens[last].key
        corrected = written != words[-1] and self.lexicon.stem(written) != written
        return corrected or self.vocabulary.is_plural(words, refs)

    def _timed(self, words: tuple[str, ...], place: int, end: int) -> Mark | None:
        if words in self.lexicon.parts:
            first, last = self.lexicon.parts[words]
            return Mark(("part",), place, end, low=first, high=last)
        if words not in self.lexicon.decades:
            return None
        opening, closing = (self._decade(digits, place, end) for digits in self.lexicon.decades[words])
        return replace(opening, high=closing.high)

    def _weak(self, words: tuple[str, ...], place: int, end: int) -> Mark | None:
        vague, count = self.lexicon.vague.get(words), self.lexicon.counts.get(words)
        if count is not None:
            return Mark(("count", "vague") if vague else ("count",), place, end, low=count, high=count)
        if vague is not None:
            return Mark(("few", "vague"), place, end, low=vague)
        weak = self.lexicon.weak.get(words)
        return Mark(weak, place, end) if weak else None

    def _shortened(self, words: tuple[str, ...]) -> tuple[Ref, ...]:
        if not 1 < len(words) <= 4 or any(word in self.lexicon.words or not word.isalpha() for word in words):
            return ()
        joined = self.vocabulary.find(("".join(words),)) if len(words) == 2 else ()
        return joined or self.vocabulary.abbreviated(words)

    def _single(self, place: int) -> Mark:
        token = self.tokens[place]
        value = number(token.key)
        if value is not None:
            ending = self.lexicon.decade_ending
            if self.lexicon.script == "han" and self.keys[place + 1 : place + 1 + len(ending)] == ending and value.is_integer():
                return self._decade(int(value), place, place + 1 + len(ending))
            year = self.vocabulary.year is not None and value.is_integer() and FIRST_YEAR <= value <= LAST_YEAR
            return Mark(("year" if year else "number",), place, place + 1, low=value, high=value)
        written = self.lexicon.decade_ending == ("s",) or self.lexicon.script == "han"
        if _DECADE.fullmatch(token.key) and written and token.key[-2] == "0":
            return self._decade(int(token.key[:-1]), place, place + 1)
        if not token.is_word:
            return Mark(("sign",), place, place + 1)
        joined = _JOINED.fullmatch(token.key)
        times = _TIMES.fullmatch(token.key)
        if times:
            behind = () if times[1] else ("measured", "listed")
            many = float(times[1] or times[2])
            return Mark(("amount", "plain", "count", *behind), place, place + 1, low=many, high=many)
        if joined and "list" in self.lexicon.strong.get((joined[1],), ()):
            return Mark(("amount", "list", "count", "asked"), place, place + 1, low=float(joined[2]), high=float(joined[2]))
        known = self.lexicon.stem(self.keys[place]) in self.vocabulary.words
        return Mark(("known" if known else "unknown",), place, place + 1)

    def _decade(self, digits: int, place: int, end: int) -> Mark:
        start = float(digits if digits >= 100 else self.vocabulary.decade(digits))
        role = "decade" if self.vocabulary.year is not None and FIRST_YEAR <= start <= LAST_YEAR - 9 else "number"
        return Mark((role,), place, end, low=start, high=start + 9)
