"""What a text can speak of at all: the values, numbers and titles of which words stand in it, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from instructrec.instructions.lexicon import lexicon_for
from instructrec.instructions.reading.marks import Mark, Scanner
from instructrec.instructions.tokens import Token, clean, han_share, number, tokenize
from instructrec.instructions.vocabulary import LONGEST_PHRASE, Ref, Vocabulary
from instructrec.tables import Catalog

READ_CHARACTERS = 600
"""Characters of a text that are looked at."""
_NEAR = 3
"""Words between a negation and what it negates at most."""

Key = TypeVar("Key")


class Mention(NamedTuple):
    """A stretch of words [first, last) that can speak of a value, a number, a decade (by its first year) or a title."""

    first: int
    last: int
    key: Ref | float | str
    decade: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A text and the places (token numbers) where things stand in it first.

    `values`: every value that some stretch of words can name, in whatever form the parser knows, also inside of titles; `numbers`:
    in digits or words; `decades`: by their first year; `titles`: of items. `mentions`: all of these, every time.
    `negated`: places right behind a word that says no.
    """

    text: str
    tokens: tuple[Token, ...]
    values: Mapping[Ref, int]
    numbers: Mapping[float, int]
    decades: Mapping[float, int]
    titles: Mapping[str, int]
    negated: frozenset[int]
    mentions: tuple[Mention, ...] = ()

    @staticmethod
    def of(text: str, catalog: Catalog, language: str = "en") -> Evidence:
        """Look at a text. In a language without words nothing stands in it."""
        head = text[:READ_CHARACTERS]
        words = lexicon_for(head, language, han=han_share(head))
        cleaned = clean(head)
        tokens = tokenize(cleaned)
        if words is None:
            return Evidence(text=cleaned, tokens=tuple(tokens), values={}, numbers={}, decades={}, titles={}, negated=frozenset())
        return _Finder(cleaned, tokens, Vocabulary.of(catalog, words)).found()

    def said(self, first: int, last: int) -> str:
        """The words from one token to before another, as they stand."""
        return self.text[self.tokens[first].start : self.tokens[last - 1].end]


class _Finder:
    def __init__(self, text: str, tokens: list[Token], vocabulary: Vocabulary) -> None:
        self.text = text
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.words = vocabulary.lexicon
        scanner = Scanner(tokens, vocabulary, self.words)
        self.marks = scanner.scan()
        self.spelled = scanner.keys
        self.keys = tuple(token.key for token in tokens)

    def found(self) -> Evidence:
        mentions = _innermost({*self._values(), *self._titles(), *self._numbers()})
        return Evidence(
            text=self.text,
            tokens=tuple(self.tokens),
            values=_first((each.key, each.first) for each in mentions if isinstance(each.key, Ref)),
            numbers=_first((each.key, each.first) for each in mentions if isinstance(each.key, float) and not each.decade),
            decades=_first((each.key, each.first) for each in mentions if isinstance(each.key, float) and each.decade),
            titles=_first((each.key, each.first) for each in mentions if isinstance(each.key, str)),
            negated=frozenset(self._negated()),
            mentions=mentions,
        )

    def _numbers(self) -> Iterator[Mention]:
        for place, key in enumerate(self.keys):
            value = number(key)
            if value is not None:
                yield Mention(place, place + 1, value)
        for place, phrase in self._phrases():
            if phrase in self.words.counts:
                yield Mention(place, place + len(phrase), float(self.words.counts[phrase]))
        for mark in self.marks:
            if mark.plays("decade") and mark.low is not None:
                yield Mention(mark.first, mark.last, mark.low, decade=True)

    def _phrases(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Every stretch of up to four words, or as many as some known phrase that begins so has."""
        for place in range(len(self.keys)):
            for keys in dict.fromkeys((self.keys, self.spelled)):
                longest = 4 if place + 1 == len(keys) else max(4, self.vocabulary.longest(*keys[place : place + 2]))
                for length in range(min(longest, LONGEST_PHRASE, len(keys) - place), 0, -1):
                    yield place, keys[place : place + length]

    def _values(self) -> Iterator[Mention]:
        for mark in self.marks:
            yield from (Mention(mark.first, mark.last, ref) for ref in mark.refs)
        for place, phrase in self._phrases():
            end = place + len(phrase)
            yield from (Mention(place, end, ref) for ref in self.vocabulary.find(phrase))
            if 1 < len(phrase) <= 4:
                joined = self.vocabulary.find(("".join(phrase),)) or self.vocabulary.abbreviated(phrase)
                yield from (Mention(place, end, ref) for ref in joined)

    def _titles(self) -> Iterator[Mention]:
        titles = self.vocabulary.catalog.titles
        for mark in self.marks:
            yield from (Mention(mark.first, mark.last, titles[code]) for code in mark.items if titles[code])
        for place, phrase in self._phrases():
            # A single word is a title only where it is written as a name.
            if phrase in self.vocabulary.titles and (len(phrase) > 1 or self.tokens[place].text[:1].isupper()):
                end = place + len(phrase)
                yield from (Mention(place, end, titles[code]) for code in self.vocabulary.titles[phrase] if titles[code])

    def _negated(self) -> Iterator[int]:
        reach = -1
        for mark in self.marks:
            if mark.plays("negation"):
                reach = mark.last + _NEAR
            elif self.tokens[mark.first].ends_sentence or self.tokens[mark.first].key == ",":
                reach = -1
            elif mark.first < reach:
                yield from range(mark.first, mark.last)
                reach = -1 if _says_something(mark) else reach


def _innermost(found: set[Mention]) -> tuple[Mention, ...]:
    """In the order of the text, and without those that hold another one of the same thing, such as a name with its quotes."""
    places: dict[tuple[Ref | float | str, bool], list[Mention]] = {}
    for mention in sorted(found, key=lambda each: (each.last - each.first, each.first)):
        same = places.setdefault((mention.key, mention.decade), [])
        if not any(mention.first <= other.first and other.last <= mention.last for other in same):
            same.append(mention)
    kept = (mention for same in places.values() for mention in same)
    return tuple(sorted(kept, key=lambda each: (each.first, each.last, str(each.key))))


def _says_something(mark: Mark) -> bool:
    return mark.plays("value", "title", "number", "year", "decade", "count")


def _first(found: Iterable[tuple[Key, int]]) -> dict[Key, int]:
    places: dict[Key, int] = {}
    for key, place in found:
        places[key] = min(place, places.get(key, place))
    return dict(sorted(places.items(), key=lambda entry: entry[1]))
