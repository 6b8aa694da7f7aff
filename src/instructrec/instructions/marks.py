"""First pass over a request: which stretch of words is a value, a title, a number, a function word, or nothing known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.render import FIRST_YEAR, LAST_YEAR
from instructrec.instructions.tokens import Token, number
from instructrec.instructions.vocabulary import LONGEST_PHRASE, Ref, Vocabulary

CONTENT = frozenset({"value", "range", "title", "quality", "known", "unknown", "number", "year", "decade", "count"})
"""Roles of marks that say what is wanted; all other roles say how."""

_DECADE = re.compile(r"(\d{2}|\d{4})s")
_OPEN = {"“": "”", "„": "“", '"': '"', "«": "»", "《": "》", "「": "」", "『": "』"}
_LONGEST_QUOTE = 60
_SHORT_WORD = 3


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of tokens [first, last) and the roles it can play.

    `refs`: meanings of a value. `low`, `high`: bounds of a number, year or range (None: open). `attribute`: of a range or name.
    """

    roles: tuple[str, ...]
    first: int
    last: int
    refs: tuple[Ref, ...] = ()
    plural: bool = False
    attribute: str | None = None
    low: float | None = None
    high: float | None = None

    def plays(self, *roles: str) -> bool:
        """Whether it can play one of the roles."""
        return any(role in self.roles for role in roles)

    @property
    def is_content(self) -> bool:
        """Whether it says what is wanted."""
        return self.roles[0] in CONTENT


class Scanner:
    """Turns tokens into marks, longest known phrase first, in time linear in the number of tokens."""

    def __init__(self, tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> None:
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.lexicon = lexicon
        self.keys = tuple(self._spelled(token) for token in tokens)
        self._has_case = any(token.text.islower() for token in tokens)
        self._after_like = False

    def scan(self) -> list[Mark]:
        """All marks from left to right; every token belongs to at most one."""
        marks: list[Mark] = []
        place = 0
        while place < len(self.tokens):
            mark = self._quoted(place) or self._phrase(place) or self._single(place)
            marks.append(mark)
            place = mark.last
            if mark.is_content or self.tokens[mark.first].ends_sentence:
                self._after_like = mark.plays("title") and not self.tokens[mark.first].ends_sentence
            elif mark.plays("like"):
                self._after_like = True
        return marks

    def _spelled(self, token: Token) -> str:
        word = token.key
        known = word in self.lexicon.words or word in self.vocabulary.value_words or not word.isalpha()
        if known or self.lexicon.stem(word) in self.vocabulary.words or self.vocabulary.find((word,)):
            return word
        return self.vocabulary.speller.correct(word) or self._singular_spelled(word)

    def _singular_spelled(self, word: str) -> str:
        stem = self.lexicon.stem(word)
        return (self.vocabulary.speller.correct(stem) if stem != word else None) or word

    def _quoted(self, place: int) -> Mark | None:
        closing = _OPEN.get(self.tokens[place].key)
        if closing is None:
            return None
        for end in range(place + 2, min(place + _LONGEST_QUOTE, len(self.tokens))):
            if self.tokens[end].key == closing:
                words = tuple(token.key for token in self.tokens[place + 1 : end])
                refs = self.vocabulary.find(words)
                is_title = not refs and (words in self.vocabulary.titles or len(words) > 1)
                role = "value" if refs else "title" if is_title and self._is_title(words) else ""
                return Mark((role,), place, end + 1, refs) if role else None
        return None

    def _is_title(self, words: tuple[str, ...]) -> bool:
        return words in self.vocabulary.titles

    def _phrase(self, place: int) -> Mark | None:
        for length in range(min(LONGEST_PHRASE, len(self.tokens) - place), 0, -1):
            words = self.keys[place : place + length]
            mark = self._named(words, place) or self._title(words, place) or self._known_phrase(words, place)
            if mark is not None:
                return mark
        return None

    def _named(self, words: tuple[str, ...], place: int) -> Mark | None:
        end = place + len(words)
        if end >= len(self.tokens) or self.tokens[end].key not in (":", "："):
            return None
        attribute = self._attribute(words)
        return Mark(("attribute", "named"), place, end + 1, attribute=attribute) if attribute else None

    def _attribute(self, words: tuple[str, ...]) -> str | None:
        return self.vocabulary.attributes.get(tuple(self.lexicon.stem(word) for word in words))

    def _title(self, words: tuple[str, ...], place: int) -> Mark | None:
        raw = tuple(token.key for token in self.tokens[place : place + len(words)])
        if len(words) < 2 or raw not in self.vocabulary.titles:
            return None
        if not self._after_like and not self._written_as_title(words, place):
            return None
        return Mark(("title",), place, place + len(words))

    def _written_as_title(self, words: tuple[str, ...], place: int) -> bool:
        if not self._has_case or all(self.vocabulary.find((word,)) or word in self.lexicon.words for word in words):
            return False
        tokens = self.tokens[place : place + len(words)]
        capital = all(token.text[:1].isupper() or not token.text[:1].isalpha() for token in tokens if len(token.text) > _SHORT_WORD)
        return capital and any(token.text[:1].isupper() for token in tokens[0 if place else 1 :])

    def _known_phrase(self, words: tuple[str, ...], place: int) -> Mark | None:
        end = place + len(words)
        strong = self.lexicon.strong.get(words)
        if words in self.lexicon.parts:
            first, last = self.lexicon.parts[words]
            return Mark(("part",), place, end, low=first, high=last)
        if words in self.lexicon.decades:
            return self._decade(self.lexicon.decades[words], place, end)
        if strong:
            return Mark(strong, place, end)
        refs = self.vocabulary.find(words) or self._shortened(words)
        if refs:
            return Mark(("value",), place, end, refs, plural=self.vocabulary.is_plural(words, refs))
        attribute = self._attribute(words)
        if attribute:
            return Mark(("attribute",), place, end, attribute=attribute)
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
        if _DECADE.fullmatch(token.key) and self.lexicon.decade_ending == ("s",) and token.key[-2] == "0":
            return self._decade(int(token.key[:-1]), place, place + 1)
        if not token.is_word:
            return Mark(("sign",), place, place + 1)
        known = self.lexicon.stem(self.keys[place]) in self.vocabulary.words
        return Mark(("known" if known else "unknown",), place, place + 1)

    def _decade(self, digits: int, place: int, end: int) -> Mark:
        start = float(digits if digits >= 100 else self.vocabulary.decade(digits))
        role = "decade" if self.vocabulary.year is not None and FIRST_YEAR <= start <= LAST_YEAR - 9 else "number"
        return Mark((role,), place, end, low=start, high=start + 9)
