"""What a review speaks of, and what it says of it: (feature, opinion, sentence, sentiment), by rules and word lists.

A feature is a word that often stands where opinions are about it ("great sound", "the sound is great"), and that is used as the
name of a thing: behind "the" rather than behind "to", and before a word that ends a name rather than before another name. The idea
of reading such quadruples out of reviews is that of Zhang et al. 2014 (SIGIR, explicit factor models).
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from instructrec.data.reviews import Review

MOST_WORDS = 20
"""Words of a sentence at most; a longer one is no explanation."""
LEAST_WORDS = 3
_SENTENCE_ENDS = re.compile(r"[.!?;:]+(?=\s|[a-z]{2}|$)|[\n()]|&#?\w+;")
_CLAUSE_ENDS = re.compile(r",(?=\s)|\s-+\s|--+|(?=\bbut\b)")
_WORDS = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")
_NAMING = 0.6
"""Least share of uses as the name of a thing, among those behind words that tell."""
_ENDING = 0.4
"""Least share of uses that end a name."""
_POINTED, _OWNED, _CAPITAL = 0.1, 0.15, 0.3
"""Shares of the uses of a word, behind "this", behind "my", and with a capital, from which on it names no feature of an item."""
_INSIDE = re.compile(r"(?<=[a-z] )[A-Za-z]+")
"""A word that does not begin a sentence."""
_REACH = 3
"""Words between a feature and an opinion behind it, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """Word lists of a language; wording/opinions.*.toml says what each of them means."""

    positive: frozenset[str]
    negative: frozenset[str]
    liking: frozenset[str]
    disliking: frozenset[str]
    negations: frozenset[str]
    degrees: frozenset[str]
    links: frozenset[str]
    before_things: frozenset[str]
    before_deeds: frozenset[str]
    plain: frozenset[str]
    relative: frozenset[str]
    together: frozenset[str]
    vague: frozenset[str]
    pointing: frozenset[str]
    owning: frozenset[str]
    elsewhere: frozenset[str]

    def sign(self, word: str) -> int:
        """1 for a word that speaks for something, -1 for one that speaks against it, 0 for any other."""
        if word in self.positive or word in self.liking:
            return 1
        return -1 if word in self.negative or word in self.disliking else 0

    def is_deed(self, word: str) -> bool:
        """Whether an opinion is something that somebody does ("love"), so that the thing stands behind it with its article."""
        return word in self.liking or word in self.disliking

    def may_name(self, word: str) -> bool:
        """Whether a word could be the name of a thing at all."""
        return len(word) > 2 and word.isalpha() and word not in self.plain and word not in self.degrees and not self.sign(word)


@dataclass(frozen=True, slots=True)
class Opinion:
    """`opinion` is said of `feature`; `sentiment` 1 for it, -1 against it."""

    feature: str
    opinion: str
    sentiment: int


@cache
def lexicon(language: str = "en") -> Lexicon:
    """The lists of a language."""
    path = resources.files("instructrec.data") / "wording" / f"opinions.{language}.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return Lexicon(**{name: frozenset(words) for name, words in table.items()})


def sentences_of(text: str) -> list[list[str]]:
    """The sentences of a text as lower-case words, in their order; one of more than MOST_WORDS is cut into its clauses."""
    found = []
    for sentence in _SENTENCE_ENDS.split(text.replace("’", "'").lower()):
        parts = [sentence] if len(_WORDS.findall(sentence)) <= MOST_WORDS else _CLAUSE_ENDS.split(sentence)
        found += [words for words in map(_WORDS.findall, parts) if words]
    return found


def opinions_in(words: Sequence[str], known: Lexicon, features: frozenset[str] | None = None) -> list[Opinion]:
    """What is said in a sentence of `features` (none: of anything that could be one), in order of the opinions."""
    return [opinion for _, opinion in _placed(words, known, features)]


def claims_in(words: Sequence[str], known: Lexicon, features: frozenset[str]) -> list[Opinion]:
    """Of the opinions of a sentence those that stand for themselves: none where it is about what could be or about other things,
    and no opinion that is for or against only by what it is said of ("high", "small"), unless it is known which. What is "too"
    much speaks against.
    """
    found = []
    for place, said in [] if known.elsewhere.intersection(words) else _placed(words, known, features):
        before = words[max(0, place - _REACH) : place]
        if "too" in before:
            found += [] if known.negations.intersection(before) else [replace(said, sentiment=-1)]
        elif said.opinion not in known.relative or f"{said.opinion} {said.feature}" in known.together:
            found.append(said)
    return found


def _placed(words: Sequence[str], known: Lexicon, features: frozenset[str] | None) -> Iterator[tuple[int, Opinion]]:
    """The opinions of a sentence, and where each stands."""
    for place, word in enumerate(words):
        sign = known.sign(word)
        if not sign:
            continue
        feature = _named_behind(words, place, known) or _named_before(words, place, known)
        if feature and (features is None or feature in features):
            turned = any(near in known.negations for near in words[max(0, place - _REACH) : place])
            yield place, Opinion(feature, word, -sign if turned else sign)


def _named_behind(words: Sequence[str], place: int, known: Lexicon) -> str:
    """The thing named right behind an opinion ("great guitar strap"): the last word of its name."""
    start = place + 1
    if known.is_deed(words[place]):
        while start < len(words) and words[start] in known.before_things:
            start += 1
    while start < len(words) and known.sign(words[start]):
        start += 1
    end = start
    while end < min(len(words), start + 3) and known.may_name(words[end]):
        end += 1
    return words[end - 1] if end > start else ""


def _named_before(words: Sequence[str], place: int, known: Lexicon) -> str:
    """The thing of which the opinion is said ("the strap is not very good")."""
    at = place - 1
    while at >= 0 and place - at <= _REACH and (words[at] in known.degrees or words[at] in known.negations):
        at -= 1
    if at < 1 or words[at] not in known.links:
        return ""
    return words[at - 1] if known.may_name(words[at - 1]) else ""


class _Uses:
    """How often every word of some texts is used in which way; each is a count by word."""

    def __init__(self, texts: Iterable[str], known: Lexicon) -> None:
        self.known = known
        self.said: Counter[str] = Counter()
        self.things: Counter[str] = Counter()
        self.deeds: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.uses: Counter[str] = Counter()
        self.pointed: Counter[str] = Counter()
        self.owned: Counter[str] = Counter()
        self.inside: Counter[str] = Counter()
        self.capital: Counter[str] = Counter()
        for text in texts:
            for words in sentences_of(text):
                self._count(words)
            for word in _INSIDE.findall(text):
                self.inside[word.lower()] += 1
                self.capital[word.lower()] += word[0].isupper()

    def _count(self, words: Sequence[str]) -> None:
        known = self.known
        self.said.update(opinion.feature for opinion in opinions_in(words, known))
        for far, before, word, after in zip(["", "", *words], ["", *words], words, [*words[1:], ""], strict=False):
            self.uses[word] += 1
            self.things[word] += before in known.before_things or bool(known.sign(before))
            self.deeds[word] += before in known.before_deeds
            self.ends[word] += not known.may_name(after)
            self.pointed[word] += before in known.pointing
            self.owned[word] += before in known.owning or far in known.owning

    def features(self, least: int) -> frozenset[str]:
        """Words of which something is said at least `least` times, and that are used as names of things."""
        return frozenset(
            word
            for word, count in self.said.items()
            if count >= least
            and self.things[word] >= _NAMING * (self.things[word] + self.deeds[word])
            and self.things[word] + self.deeds[word] > 0
            and self.ends[word] >= _ENDING * self.uses[word]
        )

    def is_of_an_item(self, word: str) -> bool:
        """Whether a feature is a part or quality of items, rather than the item itself, the reviewer's own, or a name."""
        return (
            word not in self.known.vague
            and _share(self.pointed, self.uses, word) < _POINTED
            and _share(self.owned, self.uses, word) < _OWNED
            and _share(self.capital, self.inside, word) < _CAPITAL
        )


def _share(some: Counter[str], every: Counter[str], word: str) -> float:
    """Share of the uses of a word, its singular and plural together."""
    return sum(some[form] for form in _forms(word)) / max(1, sum(every[form] for form in _forms(word)))


def _forms(word: str) -> tuple[str, ...]:
    """A word, and what may be its singular or plural."""
    return (word, word.removesuffix("s")) if word.endswith("s") else (word, f"{word}s")


def features_of(texts: Iterable[str], known: Lexicon, *, least: int = 5) -> frozenset[str]:
    """The features of a collection: words of which something is said at least `least` times, and that are used as names."""
    return _Uses(texts, known).features(least)


def own_features(texts: Iterable[str], known: Lexicon, *, least: int = 5) -> dict[str, str]:
    """The features of a collection that an item can have for its own, its parts and qualities: word -> name, which is the commoner
    of its singular and plural.

    Left out is what reviews point at as a whole ("this strap"), what belongs to the reviewer ("my guitar"), what is written with a
    capital (names of makers), and words that say nothing of an item.
    """
    uses = _Uses(texts, known)
    found = sorted(word for word in uses.features(least) if uses.is_of_an_item(word))
    return {word: max((form for form in _forms(word) if form in found), key=lambda form: uses.uses[form]) for word in found}


def with_opinions(reviews: Sequence[Review], *, language: str = "en", least: int = 5) -> list[Review]:
    """Each review with its best sentence, feature, opinion and sentiment; those that say nothing of a feature are left out.

    The best sentence has the most to say, then is the first; its first opinion counts. Features are counted over all `reviews`.
    """
    known = lexicon(language)
    features = features_of((review.text for review in reviews), known, least=least)
    found = []
    for review in reviews:
        said = [
            (words, opinions)
            for words in sentences_of(review.text)
            if LEAST_WORDS <= len(words) <= MOST_WORDS and (opinions := opinions_in(words, known, features))
        ]
        if said:
            words, opinions = max(said, key=lambda pair: len(pair[1]))
            best = opinions[0]
            found.append(
                replace(review, sentence=" ".join(words), feature=best.feature, opinion=best.opinion, sentiment=best.sentiment)
            )
    return found
