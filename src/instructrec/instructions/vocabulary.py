"""What a catalog can be asked for in words: learned from its label values, attribute names and titles, for any domain."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cache, cached_property
from html import unescape
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instructrec.instructions.lexicon import Lexicon, Phrase
from instructrec.instructions.render import year_attribute
from instructrec.instructions.sounds import SoundSpeller
from instructrec.instructions.spelling import Speller, TitleSpeller
from instructrec.instructions.tokens import clean, fold, han_share, keys
from instructrec.tables import Catalog

LONGEST_PHRASE = 32
"""Words of the longest value or title that is recognised."""

_MIN_PREFIX = 2
_LONGEST_SHORT_WORD = 6
"""Function words from this length on may be misspelled; shorter ones are too near to other words."""
_SPOKEN = frozenset(
    (
        "list",
        "alone",
        "familiar",
        "fresh",
        "since",
        "until",
        "before",
        "after",
        "since_after",
        "until_after",
        "before_after",
        "of_them",
        "like",
    )
)
"""Roles of function words that may be mistyped: taking another word for one of them turns nothing round and hides nothing."""
_BRACKETS = re.compile(r"\s*\([^()]*\)")
_LAST_ARTICLE = re.compile(r"^(.*), (\w{1,4})$")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


class Ref(NamedTuple):
    """One value of one label attribute."""

    attribute: str
    value: str


class Vocabulary:
    """The words of one catalog, compared by the rules of one language.

    `values`: stemmed phrase -> what it can mean; `attributes`: phrase -> attribute name, by its own name or a general word for its
    kind; `kinds`: kind of number ("price") -> the attribute of this catalog.
    """

    def __init__(self, catalog: Catalog, lexicon: Lexicon) -> None:
        self.catalog = catalog
        self.lexicon = lexicon
        self.values: dict[Phrase, tuple[Ref, ...]] = {}
        self.value_words: set[str] = set()
        self._integral: dict[str, bool] = {}
        self._spans: dict[str, tuple[float, float]] = {}
        self._exclusive: dict[str, bool] = {}
        self._counts: dict[Ref, int] = {}
        self._short_starts: set[Phrase] = set()
        self._short: dict[Phrase, list[tuple[Phrase, tuple[Ref, ...]]]] = defaultdict(list)
        self.year = year_attribute(catalog)
        self.kinds = self._kinds()
        general = {self._stems(words): self.kinds[kind] for words, kind in lexicon.kind_words.items() if kind in self.kinds}
        self.attributes = general | {self._stems(keys(name.replace("_", " "))): name for name in catalog.attributes}
        self.attributes |= {
            self._stems(keys(words)): name for name, called in catalog.also_called.items() for words in called.get("", ())
        }
        refs = [Ref(attribute, value) for attribute, labels in catalog.labels.items() for value in labels.names]
        for ref in refs:
            self._learn(ref)
        self.values.update(self._as_written(refs))
        self._starts = frozenset(words[0] for words in self.values if words)
        self.speller = Speller(word for word in self.value_words if word not in lexicon.words)
        self.function_speller = _function_speller(lexicon.language, lexicon.strong_words)
        self.reach = self._reach()

    @staticmethod
    def of(catalog: Catalog, lexicon: Lexicon) -> Vocabulary:
        """The vocabulary of a catalog, built once and kept with it (as a cached property of the catalog would be)."""
        kept: dict[str, Vocabulary] = vars(catalog).setdefault("_vocabularies", {})
        if lexicon.language not in kept:
            kept[lexicon.language] = Vocabulary(catalog, lexicon)
        return kept[lexicon.language]

    def _kinds(self) -> dict[str, str]:
        """The numeric attribute of each kind: the first whose name holds a word for it, and what holds years for the year."""
        found = {} if self.year is None else {"year": self.year}
        for kind, names in self.lexicon.kinds.items():
            for attribute in self.catalog.quantities:
                if kind not in found and any(_holds(keys(attribute.replace("_", " ")), name) for name in names):
                    found[kind] = attribute
        return found

    def _reach(self) -> dict[Phrase, int]:
        """First two words of a known phrase -> words of the longest one that begins so; keeps the scan short."""
        reach = {start: min(length, LONGEST_PHRASE) for start, length in self.lexicon.reach.items()}
        for phrase in (*self.values, *self.attributes, *self.titles):
            if len(phrase) > 2:
                start = self._stems(phrase[:2])
                reach[start] = max(reach.get(start, 2), min(len(phrase), LONGEST_PHRASE))
        return reach

    def longest(self, first: str, second: str) -> int:
        """How many words a known phrase that begins with these two can have."""
        start = self._stems((first, second))
        return max(self.reach.get(start, 2), 4 if tuple(word[:_MIN_PREFIX] for word in start) in self._short_starts else 2)

    def _stems(self, words: Phrase) -> Phrase:
        # "1990" is not the singular of a value "1990s".
        return tuple(word if word[:1].isdigit() else self.lexicon.stem(word) for word in words)

    def _learn(self, ref: Ref) -> None:
        for name in self._names(ref):
            if name:
                self._learn_words(ref, name)

    def _names(self, ref: Ref) -> tuple[Phrase, ...]:
        """What a value is called: as it stands, unescaped, and what the catalog says it is also called."""
        also = self.catalog.also_called.get(ref.attribute, {}).get(ref.value, ())
        return tuple(dict.fromkeys(keys(name) for name in (ref.value, unescape(ref.value), *also)))

    def _as_written(self, refs: Sequence[Ref]) -> dict[Phrase, tuple[Ref, ...]]:
        """What phrases name that are whole values, whatever shorter forms of other values are the same."""
        found: dict[Phrase, dict[Ref, None]] = defaultdict(dict)
        for ref in refs:
            for words in self._names(ref):
                found[self._stems(words)][ref] = None
        return {words: tuple(meant) for words, meant in found.items() if words}

    def _learn_words(self, ref: Ref, words: Phrase) -> None:
        bare = tuple(word for word in words if word not in ("and", "/") and any(letter.isalnum() for letter in word))
        self.value_words.update(word for word in words if word.isalnum())
        has_letters = any(letter.isalpha() for word in bare for letter in word)
        forms = dict.fromkeys([self._stems(words), self._stems(bare)] if has_letters else [words])
        if len(bare) > 1 and has_letters:
            forms[(self.lexicon.stem("".join(bare)),)] = None
        for form in forms:
            if form:
                self.values[form] = tuple(dict.fromkeys((*self.values.get(form, ()), ref)))
        for suffix in self.lexicon.suffixes:
            if len(ref.value) > len(suffix) + 1 and ref.value.endswith(suffix):
                self.values.setdefault(keys(ref.value.removesuffix(suffix)), (ref,))
        if 1 < len(bare) <= 4:
            self._short_starts.add(tuple(word[:_MIN_PREFIX] for word in bare[:2]))
            self._short[tuple(word[:_MIN_PREFIX] for word in bare)].append((bare, (ref,)))

    def find(self, words: Phrase) -> tuple[Ref, ...]:
        """The values a phrase names, in any number, hyphenation or relational adjective; empty when none."""
        if len(words) > 1 and self._stems(words[:1])[0] not in self._starts:
            return ()
        stems = self._stems(words)
        found = self.values.get(stems)
        if found is None and words and words[-1].endswith("s"):
            found = self.values.get((*stems[:-1], words[-1][:-1]))  # "opis" of "OPI": no rule can tell it from "iris"
        if found is None and len(words) == 1:
            nouns = [self.values[(noun,)] for noun in self.lexicon.nouns(words[0]) if (noun,) in self.values]
            found = nouns[0] if len(nouns) == 1 else None
        return found or ()

    def begins(self, words: Phrase) -> bool:
        """Whether a phrase begins with a value."""
        return any(self.find(words[:length]) for length in range(len(words), 0, -1))

    def abbreviated(self, words: Phrase) -> tuple[Ref, ...]:
        """Values of several words of which each word begins like the one given, or the other way round ("sci fi")."""
        fits = self._short.get(tuple(word[:_MIN_PREFIX] for word in words), ())
        return tuple(
            ref
            for known, refs in fits
            if all(a.startswith(b) or b.startswith(a) for a, b in zip(words, known, strict=True))
            and all(min(len(a), len(b)) >= _MIN_PREFIX for a, b in zip(words, known, strict=True))
            for ref in refs
        )

    def is_plural(self, words: Phrase, refs: tuple[Ref, ...]) -> bool:
        """Whether the phrase is the plural of a value that is itself singular."""
        last = words[-1]
        return self.lexicon.stem(last) != last and all(last not in keys(ref.value) for ref in refs)

    def narrow(self, refs: tuple[Ref, ...], attribute: str | None) -> Ref:
        """The one meaning of an ambiguous value: of the attribute named, else the one that most items have."""
        named = [ref for ref in refs if ref.attribute == attribute]
        return max(named or refs, key=self.count)

    def count(self, ref: Ref) -> int:
        """How many items have a value."""
        if ref not in self._counts:
            labels = self.catalog.labels[ref.attribute]
            self._counts[ref] = int((labels.codes == labels.names.index(ref.value)).sum())
        return self._counts[ref]

    @cached_property
    def titles(self) -> dict[Phrase, tuple[int, ...]]:
        """Titles as compared words -> codes of the items that have them: as they stand, and without brackets and article."""
        exact: dict[Phrase, dict[int, None]] = defaultdict(dict)
        loose: dict[Phrase, dict[int, None]] = defaultdict(dict)
        for code, title in enumerate(self.catalog.titles):
            plain = _BRACKETS.sub("", clean(unescape(title))[:300])
            written = (title[:300], unescape(title)[:300], plain, _LAST_ARTICLE.sub(r"\2 \1", plain))
            forms = [keys(form) for form in dict.fromkeys(written)]
            for words in forms:
                exact[words][code] = None
            bare = keys(_LAST_ARTICLE.sub(r"\1", plain))
            loose[bare[1:] if self.is_article(bare[:1]) else bare][code] = None
        found = {words: tuple(codes) for words, codes in loose.items() if words}
        return found | {words: tuple(codes) for words, codes in exact.items() if words}

    def is_article(self, words: Phrase) -> bool:
        """Whether this is an article that a title may have or lack."""
        return "article" in self.lexicon.strong.get(words, ()) and self.lexicon.script != "han"

    @cached_property
    def title_speller(self) -> TitleSpeller:
        """Finds titles with small misspellings."""
        return TitleSpeller(self.titles)

    @cached_property
    def sound_speller(self) -> SoundSpeller:
        """Finds values, names of attributes and some function words typed with a wrong character of the same sound."""
        spoken = [phrase for phrase, roles in self.lexicon.strong.items() if _SPOKEN.intersection(roles)]
        return SoundSpeller((*self.values, *self.attributes, *spoken), self.lexicon.syllables)

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word of titles, texts and values, stemmed."""
        found: set[str] = set(self.value_words)
        for text in (*self.catalog.titles, *self.catalog.texts):
            found.update(keys(text) if han_share(text) else (fold(word) for word in _WORD.findall(text)))
        return frozenset(self.lexicon.stem(word) for word in found)

    def number_of(self, codes: Sequence[int], attribute: str) -> tuple[float, float] | None:
        """Lowest and highest known number of some items."""
        return _ends(self.catalog.quantities[attribute][list(codes)])

    def span(self, attribute: str | None) -> tuple[float, float]:
        """Lowest and highest known number of an attribute; without any, a span that holds nothing."""
        if attribute is None:
            return np.inf, -np.inf
        if attribute not in self._spans:
            self._spans[attribute] = _ends(self.catalog.quantities[attribute]) or (np.inf, -np.inf)
        return self._spans[attribute]

    def is_integral(self, attribute: str) -> bool:
        """Whether all known numbers of an attribute are whole."""
        if attribute not in self._integral:
            self._integral[attribute] = self._all_whole(attribute)
        return self._integral[attribute]

    def is_exclusive(self, attribute: str) -> bool:
        """Whether every item has one value of an attribute at most, so that no item has two of them."""
        if attribute not in self._exclusive:
            labels = self.catalog.labels.get(attribute)
            self._exclusive[attribute] = labels is not None and bool((np.diff(labels.offsets) <= 1).all())
        return self._exclusive[attribute]

    def _all_whole(self, attribute: str) -> bool:
        values = self.catalog.quantities[attribute]
        known = values[np.isfinite(values)]
        return bool(np.all(known == np.round(known)))

    def decade(self, digits: int) -> int:
        """First year of the decade "80s": in the century in which the catalog has most items, 1900 when it has none."""
        starts = [1900 + digits, 2000 + digits, 1800 + digits]
        if self.year is None:
            return starts[0]
        years = self.catalog.quantities[self.year]
        return max(starts, key=lambda start: int(((years >= start) & (years < start + 10)).sum()))


def _ends(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Lowest and highest known number."""
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if len(known) else None


@cache
def _function_speller(_language: str, words: frozenset[str]) -> Speller:
    return Speller(word for word in words if len(word) >= _LONGEST_SHORT_WORD)


def _holds(words: Phrase, part: Phrase) -> bool:
    """Whether the words of `part` stand side by side in `words`."""
    return any(words[start : start + len(part)] == part for start in range(len(words) - len(part) + 1))
