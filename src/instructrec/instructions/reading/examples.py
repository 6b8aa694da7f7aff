"""Names in a request: titles of the catalog, values in quotation marks, and names of things that the catalog does not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.tokens import Token, number
from instructrec.instructions.vocabulary import Ref, Vocabulary

_OPEN = {"“": "”", "„": "“", '"': '"', "«": "»", "《": "》", "「": "」", "『": "』", "‘": "’"}
_TITLE_QUOTES = ("《", "『")
_LONGEST_QUOTE = 60
_LONGEST_NAME = 8
_SHORT_WORD = 3
_SURE = 5
"""Chinese characters of a title that is not there by chance."""
_LONGEST_LIKENED = 4
_LONG = 4
"""Words of a title that no sentence holds by chance."""
_MOST_CORRECTED = 6
"""Names of one text that are looked up with misspellings; keeps the reading linear and short."""


class Name(NamedTuple):
    """What stands there ("title", "value", "unknown"), up to which token, and what it means."""

    role: str
    end: int
    refs: tuple[Ref, ...] = ()
    items: tuple[int, ...] = ()


class ExampleFinder:
    """Finds names. `expect` says what the words before lead to: an "example" after "like", a "name" after "no", or nothing.

    After "like" any title counts, small misspellings too, and a capitalised name that is no title is kept together. After "no"
    and elsewhere a title must be written as one, because its words are ordinary words as well.
    """

    def __init__(self, tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> None:
        self.tokens = tokens
        self.keys = tuple(token.key for token in tokens)
        self.vocabulary = vocabulary
        self.lexicon = lexicon
        self.expect = ""
        self.listed = False
        """Whether a title stands before in the same list, so that the next one must be written as one."""
        self._corrected = 0
        # Chinese letters have no case, so that Latin ones with capitals are names.
        self._has_case = lexicon.script == "han" or any(token.text.islower() for token in tokens)

    def find(self, place: int) -> Name | None:
        """The name that begins at a token, if one does."""
        quoted = self._quoted(place)
        if quoted is not None or not self.tokens[place].is_word:
            return quoted
        exact = self._exact(place)
        if exact is None and self.expect == "example":
            return self._misspelled(place) or self._strange(place)
        return exact

    def _quoted(self, place: int) -> Name | None:
        closing = _OPEN.get(self.tokens[place].key)
        if closing is None:
            return None
        for end in range(place + 2, min(place + _LONGEST_QUOTE, len(self.tokens))):
            if self.tokens[end].key == closing:
                return self._in_quotes(self.keys[place + 1 : end], place, end + 1)
        return None

    def _in_quotes(self, words: tuple[str, ...], place: int, end: int) -> Name | None:
        refs, codes = self.vocabulary.find(words), self.vocabulary.titles.get(words, ())
        example = self.expect in ("example", "quoted") or self.keys[place] in _TITLE_QUOTES
        if refs and not (codes and example):
            return Name("value", end, refs)
        if not codes:
            meant = self.vocabulary.title_speller.correct(words)
            codes = self.vocabulary.titles[meant] if meant else ()
        if codes:
            return self._dated(codes, end)
        return Name("unknown", end) if example else None

    def _exact(self, place: int) -> Name | None:
        titles = self.vocabulary.titles
        first = self.keys[place]
        second = self.keys[place + 1] if place + 1 < len(self.keys) else ""
        for length in range(min(self.vocabulary.longest(first, second), len(self.keys) - place), 0, -1):
            words = self.keys[place : place + length]
            if words in titles and self._may_be_title(words, place):
                return self._dated(titles[words], place + length)
        return None

    def _may_be_title(self, words: tuple[str, ...], place: int) -> bool:
        written = self._is_capital(place, place + len(words)) or (self.lexicon.script == "han" and len(words) >= _SURE)
        plain = all(self._is_plain(word) for word in words)
        if self.vocabulary.find(words) and len(words) == 1:
            return False
        cased = any(token.text[:1].isupper() for token in self.tokens[place : place + len(words)]) and self._has_case
        if self.lexicon.script != "han" and len(words) >= _LONG and cased and (written or not plain):
            return True
        if self.expect == "example" and self.listed and self.lexicon.script != "han" and not written:
            return False
        if self.expect == "example" or self._is_likened(place + len(words)):
            alone = self._is_alone(words, place)
            if self.expect != "example" and self.lexicon.script != "han":
                inside = place > 0 and not self.tokens[place - 1].ends_sentence
                return self.tokens[place].text[:1].isupper() and (len(words) > 1 or not plain or inside)
            return written or len(words) > 1 or (not plain and alone)
        if (
            self.lexicon.script != "han"
            and place == 0
            and not any(token.text[:1].isupper() for token in self.tokens[1 : len(words)])
        ):
            return False
        return written and not plain and (len(words) > 1 or self.expect == "name")

    def _is_likened(self, end: int) -> bool:
        """Whether words follow that speak of a kind of things, or of a thing named before: "Alien那种风格的", "Alien was great"."""
        said = (self.lexicon.strong.get(self.keys[end:last], ()) for last in range(end + 1, end + 1 + _LONGEST_LIKENED))
        return any("kind_of" in roles or "likened" in roles for roles in said)

    def _is_alone(self, words: tuple[str, ...], place: int) -> bool:
        """Whether no further content follows, so that the word does not describe another ("like big families")."""
        end = place + len(words)
        return end >= len(self.keys) or not self.tokens[end].is_word or (self.keys[end],) in self.lexicon.strong

    def _is_plain(self, word: str) -> bool:
        return bool(self.vocabulary.find((word,))) or word in self.lexicon.words

    def _is_capital(self, start: int, end: int) -> bool:
        """Whether the longer words have capitals, in a text that has small letters too."""
        tokens = self.tokens[start:end]
        long = [token for token in tokens if len(token.text) > _SHORT_WORD] or list(tokens)
        capital = all(token.text[:1].isupper() or not token.text[:1].isalpha() for token in long)
        return self._has_case and capital and any(token.text[:1].isupper() for token in tokens)

    def _dated(self, codes: tuple[int, ...], end: int) -> Name:
        """A title and the year behind it, with or without brackets, when one of its items is of that year."""
        opened = end < len(self.keys) and self.keys[end] == "("
        place = end + opened
        year = number(self.keys[place]) if place < len(self.keys) else None
        closed = place + 1 < len(self.keys) and self.keys[place + 1] == ")"
        attribute = self.vocabulary.year
        if year is not None and attribute is not None and opened == (opened and closed):
            same = tuple(code for code in codes if self.vocabulary.catalog.numbers[attribute][code] == year)
            if same:
                return Name("title", place + 1 + opened, items=same)
        return Name("title", end, items=codes)

    def _misspelled(self, place: int) -> Name | None:
        self._corrected += 1
        if self._corrected > _MOST_CORRECTED:
            return None
        for length in range(self._stretch(place), 0, -1):
            words = self.keys[place : place + length]
            if all(self._is_plain(word) or self.lexicon.stem(word) in self.vocabulary.words for word in words):
                return None
            meant = self.vocabulary.title_speller.correct(words)
            if meant is not None:
                return self._dated(self.vocabulary.titles[meant], place + length)
        return None

    def _stretch(self, place: int) -> int:
        """How many words could be one name: up to the next sign."""
        end = place
        while end < min(place + _LONGEST_NAME, len(self.keys)) and self.tokens[end].is_word:
            end += 1
        return end - place

    def _strange(self, place: int) -> Name | None:
        """A capitalised name that the catalog does not have, as one."""
        end, stop = place, place + self._stretch(place)
        if not self._has_case or self._is_plain(self.keys[place]) and not self.vocabulary.is_article(self.keys[place : place + 1]):
            return None
        for at in range(place, stop):
            if not self.tokens[at].text[:1].isupper() and not (at > place and number(self.keys[at]) is not None):
                break
            if self.vocabulary.begins(self.keys[at : at + _LONGEST_NAME]):
                break
            end = at + 1
        only_article = end == place + 1 and self._is_plain(self.keys[place])
        return None if end == place or only_article else Name("unknown", end)
