"""The closed-class words of a language, read from its data file: what negates, joins, softens, compares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, product
from typing import Any, TypeAlias

from instructrec.instructions.tokens import keys
from instructrec.instructions.wording import LANGUAGES, read_wording

Phrase: TypeAlias = tuple[str, ...]

Comparison: TypeAlias = tuple[str, str]
"""What is compared ("price") and how: "after" (strictly above), "before" (strictly below), "since" or "until" (not beyond)."""

_MIN_STEM = 4
_MOST_STEMS = 50_000
"""Words of which the stem is kept."""
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_SET = re.compile(r"<(\w+)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """What the function words of one language do.

    `strong` and `weak`: phrase (as compared words) -> the roles it can play; strong ones win over catalog values.
    `decades`: phrase -> two digits of the first and the last decade; `parts`: phrase -> first and last year inside one.
    `counts`, `vague`: phrase -> a number, exact or at least; `shares`: phrase -> a part of the list, 0.5 and
    more for "half", beyond it for "most".
    `kinds`: general name of a number ("rating") -> words an attribute of that kind may be called by;
    `kind_words`: phrases that speak of one.
    `units`: phrase -> kind of number and how much one of it is ("小时": length, 60); `around`: what is said around such numbers;
    `compare`: phrase -> comparison; those of `compare_than` compare only behind a "than". `qualities`: endings of adjectives;
    `bound`: words that no phrase may cut; `at_once`: words right before the first of several things that are said of one item
    ("is both"); `syllables`: see SoundSpeller; `subjects`: words for the person who asks;
    `refusing`, `judging`: characters that may refuse, or begin to say what one thinks of a thing;
    `sums`: phrase -> what it does beside a number of money or time, looked up apart from all other roles;
    `remarks`: kind of a clause that only says more of the one before -> pattern of its words;
    `links`: what a comparison ends in before what it compares with; `reach`: first two words, stemmed, of phrases of three and
    more -> words of the longest one; `adverbs`, `adverb_pairs`: words that say nothing in the middle of a phrase;
    `spoken`: a word as it is spelled in haste or in a region -> as usual;
    `stems`: the stems of words met so far.
    """

    language: str
    script: str
    strong: Mapping[Phrase, tuple[str, ...]]
    weak: Mapping[Phrase, tuple[str, ...]]
    decades: Mapping[Phrase, tuple[int, int]]
    parts: Mapping[Phrase, tuple[int, int]]
    counts: Mapping[Phrase, float]
    vague: Mapping[Phrase, float]
    shares: Mapping[Phrase, float]
    kinds: Mapping[str, tuple[Phrase, ...]]
    kind_words: Mapping[Phrase, str]
    units: Mapping[Phrase, tuple[str, float]]
    around: Mapping[str, tuple[str, ...]]
    compare: Mapping[Phrase, Comparison]
    compare_than: Mapping[Phrase, Comparison]
    suffixes: tuple[str, ...]
    plural: tuple[tuple[str, str], ...]
    adjective: tuple[tuple[str, str], ...]
    decade_ending: Phrase
    qualities: tuple[str, ...]
    bound: frozenset[Phrase]
    at_once: frozenset[Phrase]
    syllables: str
    subjects: frozenset[str]
    refusing: frozenset[str]
    judging: frozenset[str]
    remarks: Mapping[str, re.Pattern[str]]
    foreign: frozenset[str]
    foreign_negation: frozenset[str]
    describe: Mapping[str, str]
    words: frozenset[str]
    strong_words: frozenset[str]
    links: frozenset[str]
    sums: Mapping[Phrase, tuple[str, ...]]
    reach: Mapping[Phrase, int]
    adverbs: frozenset[str]
    adverb_pairs: frozenset[Phrase]
    spoken: Mapping[str, str]
    stems: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def stem(self, word: str) -> str:
        """A word without its plural ending, only for comparing."""
        stem = self.stems.get(word)
        if stem is None:
            stem = _stem(word, self.plural)
            if len(self.stems) < _MOST_STEMS:
                self.stems[word] = stem
        return stem

    def is_subject(self, word: str) -> bool:
        """Whether a word speaks of the person who asks."""
        return word in self.subjects

    def begins(self, words: Phrase) -> set[str]:
        """The roles of all phrases that some words begin with."""
        return {role for length in range(1, len(words) + 1) for role in self.strong.get(words[:length], ())}

    def is_phrase(self, words: Phrase) -> bool:
        """Whether some words, all of them together, are a way to ask."""
        tables = (self.strong, self.weak, self.decades, self.parts, self.counts, self.vague, self.shares)
        return any(words in table for table in (*tables, self.compare, self.compare_than))

    def negates(self, word: str) -> bool:
        """Whether a word alone says no."""
        return "negation" in self.strong.get((word,), ())

    def can_be(self, word: str, role: str) -> bool:
        """Whether a word alone can play a role, be it sure or only where no value has that name."""
        return role in self.strong.get((word,), ()) or role in self.weak.get((word,), ())

    def nouns(self, word: str) -> list[str]:
        """The nouns a relational adjective may come from: "romantic" -> "romance" among others."""
        return [word[: len(word) - len(ending)] + noun for ending, noun in self.adjective if word.endswith(ending)]


@cache
def lexicon(language: str) -> Lexicon | None:
    """The lexicon of a language, or None when there is none."""
    if language not in LANGUAGES:
        return None
    return _read(read_wording("parsing", language))


def _read(table: Mapping[str, Any]) -> Lexicon:
    sets = table.get("sets", {})
    strong, weak = _roles(table["strong"], sets), _roles(table["weak"], sets)
    spans = {phrase: digits if isinstance(digits, list) else [digits, digits] for phrase, digits in table["decades"].items()}
    decades = {keys(phrase): (int(first), int(last)) for phrase, (first, last) in spans.items()}
    parts = {keys(phrase): (int(first), int(last)) for phrase, (first, last) in table["parts"].items()}
    counts, vague = _counts(table["counts"]), {keys(phrase): float(number) for phrase, number in table["vague"].items()}
    shares = {keys(phrase): float(share) for phrase, share in table["shares"].items()}
    compare, compare_than = _comparisons(table["compare"]), _comparisons(table["compare_than"])
    sure = (strong, decades, parts, shares, compare)
    plural = tuple((ending, single) for ending, single in table["endings"]["plural"])
    return Lexicon(
        links=frozenset(words[-1] for words, roles in strong.items() if "than" in roles) | {"as"},
        language=table["language"],
        script=table["script"],
        strong=strong,
        weak=weak,
        decades=decades,
        parts=parts,
        counts=counts,
        vague=vague,
        shares=shares,
        compare=compare,
        compare_than=compare_than,
        suffixes=tuple(table["endings"]["suffixes"]),
        plural=plural,
        adjective=tuple((ending, noun) for ending, noun in table["endings"]["adjective"]),
        decade_ending=keys(table["endings"]["decade"]),
        qualities=tuple(table["endings"]["quality"]),
        syllables=table.get("syllables", ""),
        subjects=frozenset(keys(one + have)[0] for one in sets.get("i", ()) for have in ("", *sets["have"]) if " " not in have),
        refusing=frozenset(table.get("refusing", "")),
        judging=frozenset(table.get("judging", "")),
        remarks={kind: _pattern(forms, sets) for kind, forms in table.get("remarks", {}).items()},
        foreign=frozenset(table["foreign"]["words"]) | frozenset(table["foreign"]["negation"]),
        foreign_negation=frozenset(table["foreign"]["negation"]),
        describe=table["describe"],
        words=_words((*sure, weak, counts, vague, compare_than)),
        strong_words=_words((*sure, counts, vague)),
        spoken=table.get("spoken", {}),
        reach=_reach((*sure, weak, counts, vague, compare_than), plural),
        **_quantities(table, sets),
        **_phrases(table, sets),
    )


def _phrases(table: Mapping[str, Any], sets: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What the fields of a lexicon hold that are about how phrases lie in a text."""
    adverbs = table.get("adverbs", ())
    return {
        "bound": frozenset(keys(word) for phrase in table["bound"] for word in _expanded(phrase, sets)),
        "at_once": frozenset(keys(words) for words in table["at_once"]),
        "adverbs": frozenset(word for phrase in adverbs for word in keys(phrase) if " " not in phrase),
        "adverb_pairs": frozenset(keys(phrase) for phrase in adverbs if " " in phrase),
    }


def _quantities(table: Mapping[str, Any], sets: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What the fields of a lexicon hold that are about kinds of numbers and their units."""
    units = table.get("units", {}).items()
    return {
        "kinds": {kind: tuple(keys(name) for name in entry["names"]) for kind, entry in table["kinds"].items()},
        "kind_words": {keys(word): kind for kind, entry in table["kinds"].items() for word in entry["words"]},
        "units": {keys(word): (kind, float(size)) for kind, sizes in units for word, size in sizes.items()},
        "around": {what: tuple(words) for what, words in table.get("around", {}).items()},
        "sums": _roles(table.get("sums", {}), sets),
    }


def _pattern(forms: Sequence[str], sets: Mapping[str, Sequence[str]]) -> re.Pattern[str]:
    """A pattern for any of some forms; <a set> stands for any of its words."""
    either = {name: "(?:" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + ")" for name, words in sets.items()}
    return re.compile("|".join(_SET.sub(lambda found: either[found[1]], form) for form in forms))


def _stem(word: str, plural: Iterable[tuple[str, str]]) -> str:
    if len(word) >= _MIN_STEM:
        for ending, single in plural:
            if word.endswith(ending):
                return word[: len(word) - len(ending)] + single
    return word


def _reach(tables: Iterable[Iterable[Phrase]], plural: tuple[tuple[str, str], ...]) -> dict[Phrase, int]:
    longest: dict[Phrase, int] = {}
    for phrase in chain.from_iterable(tables):
        if len(phrase) > 2 and len(phrase) > longest.get(phrase[:2], 0):
            longest[phrase[:2]] = len(phrase)
    reach: dict[Phrase, int] = {}
    for begins, length in longest.items():
        # "1990" is not the singular of "1990s".
        start = tuple(word if word[:1].isdigit() else _stem(word, plural) for word in begins)
        reach[start] = max(reach.get(start, 2), length)
    return reach


def _words(tables: Iterable[Iterable[Phrase]]) -> frozenset[str]:
    return frozenset(chain.from_iterable(chain.from_iterable(tables)))


def _counts(table: Mapping[str, Any]) -> dict[Phrase, float]:
    """Number words: as listed, and tens with units behind them ("twenty five", "二十五")."""
    tens = {keys(word): float(value) for word, value in table["tens"].items()}
    units = {keys(word): float(value) for word, value in table["units"].items()}
    both = {ten + unit: high + low for ten, high in tens.items() for unit, low in units.items() if low < 10}
    return {**both, **tens, **units, **{keys(word): float(value) for word, value in table["others"].items()}}


def _comparisons(table: Mapping[str, Any]) -> dict[Phrase, Comparison]:
    return {keys(word): (kind, way) for kind, ways in table.items() for way, words in ways.items() for word in words}


def lexicon_for(text: str, language: str, *, han: float) -> Lexicon | None:
    """The lexicon that can read `text`: that of `language`, or the Chinese one when most words (`han` of 1) are Chinese."""
    chosen = lexicon(language)
    if chosen is not None and text and han >= 0.5 and chosen.script != "han":
        return lexicon("zh")
    return chosen


def _roles(table: Mapping[str, Any], sets: Mapping[str, Sequence[str]]) -> dict[Phrase, tuple[str, ...]]:
    roles: dict[Phrase, tuple[str, ...]] = {}
    for role, phrases in table.items():
        alone = (role,)
        for words in (_keys(spelled) for phrase in phrases for spelled in _expanded(phrase, sets)):
            known = roles.setdefault(words, alone)
            if role not in known:
                roles[words] = (*known, role)
    return roles


def _keys(phrase: str) -> Phrase:
    """As `keys`, and quicker for the many phrases of plain words and of Chinese characters alone."""
    if _HAN.fullmatch(phrase):
        return tuple(phrase)
    letters = phrase.replace("'", "").replace(" ", "")
    plain = letters.isascii() and letters.isalpha() and phrase.islower()
    return tuple(phrase.replace("'", "").split()) if plain else keys(phrase)


def _expanded(phrase: str, sets: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A phrase with every word of the sets it names: "I <have> seen" for each way to say <have>."""
    if "<" not in phrase or ">" not in phrase:
        yield phrase.replace(" '", "'")
        return
    pieces = _SET.split(phrase)
    for words in product(*(sets[piece] if at % 2 else (piece,) for at, piece in enumerate(pieces))):
        yield from _expanded("".join(words), sets)
