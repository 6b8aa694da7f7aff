"""A short text on why this item suits this person, made of phrases of the item's own text and of the person's profile.

Evidence first: both texts are cut into phrases, phrases are chosen so that the words of the text agree with what matters (a weight
a word), and only then are they put into sentences (`wording/telling.en.toml`), which claim nothing of their own.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

import numpy as np

Source = Literal["title", "item", "person", "again"]
_WORD = re.compile(r"\w\w+")
_TOKEN = re.compile(r"\w+(?:[-'’.&]\w+)*|[^\w\s]")
_MAKER = re.compile(r"\bby ((?:[A-Z][\w'’-]*\.?(?:[A-Z]\.)* ?){2,4})(?=$|[\s.,;])")
_SLOT = re.compile(r"\{\w+\}")
_LONGEST = 6
"""Words of a phrase; what is longer is cut at its last glue word before."""
DRAWN = 8
"""So many sentences that say the same are compared."""
MOST: Mapping[Source, int] = {"title": 1, "item": 8, "person": 2, "again": 2}
"""So many phrases of a source are said at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """Sentences with slots by name, and the closed lists of words by which phrases are found."""

    sentences: Mapping[str, tuple[str, ...]]
    boundaries: frozenset[str]
    glue: frozenset[str]
    denials: frozenset[str]
    adjective_endings: tuple[str, ...]
    something: str
    title: str
    by: str
    comma: str
    last_comma: str

    @property
    def own_words(self) -> frozenset[str]:
        """Words that no text has from its inputs: those of the sentences."""
        lines = [line for some in self.sentences.values() for line in some] + [self.something, self.by]
        return frozenset(word for line in lines for word in own_words(line))


@dataclass(frozen=True, slots=True)
class Phrase:
    """Some words in a row of one of the inputs; `said`: as it stands in a list."""

    said: str
    source: Source

    @property
    def words(self) -> tuple[str, ...]:
        """Its words in lower case."""
        return words_of(self.said)


@dataclass(frozen=True, slots=True)
class Told:
    """What was chosen to be said; `again`: what is said once more at the end (the title without its subtitle, phrases of the item)."""

    title: str
    maker: str
    items: tuple[Phrase, ...]
    tastes: tuple[Phrase, ...]
    again: tuple[Phrase, ...]


@cache
def telling_wording(language: str = "en") -> Wording:
    """The sentences of a language."""
    path = resources.files("instructrec.explain") / "wording" / f"telling.{language}.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return Wording(
        sentences={name: tuple(lines) for name, lines in table.items() if isinstance(lines, list) and name != "adjective_endings"},
        boundaries=frozenset(table["boundaries"].split()),
        glue=frozenset(table["glue"].split()),
        denials=frozenset(table["denials"].split()),
        adjective_endings=tuple(table["adjective_endings"]),
        **{name: table[name] for name in ("something", "title", "by", "comma", "last_comma")},
    )


def words_of(text: str) -> tuple[str, ...]:
    """Words of two letters or more, in lower case."""
    return tuple(_WORD.findall(text.lower()))


def rarities(texts: Sequence[str]) -> dict[str, float]:
    """Smoothed inverse document frequency of each word, log((1 + n) / (1 + df)) + 1 (Salton and Buckley 1988)."""
    counts = Counter(word for text in texts for word in set(words_of(text)))
    return {word: float(np.log((1 + len(texts)) / (1 + count)) + 1) for word, count in counts.items()}


# Phrases


def cut(text: str, source: Source, wording: Wording) -> list[Phrase]:
    """The phrases of a text in its order, each once: words between boundaries, held together by glue words."""
    found = (_as_listed(run, wording) for run in _runs(text, wording))
    return list(dict.fromkeys(Phrase(said, source) for said in found if words_of(said)))


def _runs(text: str, wording: Wording) -> Iterator[list[str]]:
    run: list[str] = []
    denied = False
    for token in [*_TOKEN.findall(text), "."]:
        low = token.lower().removesuffix("'s").removesuffix("’s")
        denied = (denied or low in wording.denials) and low not in (".", ";", "but")
        if low in wording.glue and run and not denied:
            run.append(token)
        elif denied or low in wording.boundaries or low in wording.glue or not token[0].isalnum():
            yield from _pieces(run, wording)
            run = []
        else:
            run.append(token)


def _pieces(run: list[str], wording: Wording) -> Iterator[list[str]]:
    """A run without glue at its end, cut at an "and" that joins two phrases, and where it gets too long."""
    while run and run[-1].lower() in wording.glue:
        run = run[:-1]
    joints = [place for place, word in enumerate(run) if word.lower() == "and"]
    middle = next((place for place in joints if min(place, len(run) - place - 1) > 1), None)
    if middle is None and len(run) > _LONGEST:
        inner = [place for place, word in enumerate(run) if word.lower() in wording.glue and place <= _LONGEST]
        middle = inner[-1] if inner else None
    if middle is None:
        if run:
            yield run
    else:
        yield from _pieces(run[:middle], wording)
        behind = run[middle + 1 :]
        while behind and behind[0].lower() in wording.glue:
            behind = behind[1:]
        yield from _pieces(behind, wording)


def _as_listed(run: Sequence[str], wording: Wording) -> str:
    said = " ".join(run)
    is_adjective = run[-1].lower().endswith(wording.adjective_endings) and not run[-1][0].isupper()
    return wording.something.format(said) if is_adjective else said


def short_title(title: str) -> str:
    """A title without its subtitle and what stands in brackets."""
    return re.split(r"[:(\[]| - ", title, maxsplit=1)[0].strip() or title


# Choice


def choose(title: str, item_text: str, profile: str, weights: Mapping[str, float], rarity: Mapping[str, float], limit: int = 40) -> Told:
    """The phrases whose tf-idf vector, with the title's, has the greatest cosine to the words' weights times rarities.

    Phrases are added one by one, the best first, as long as the cosine grows and at most `limit` words are said; one of the item's and
    one of the person's at least, if there are any. `weights`: how much a word matters for this pair (0 if absent).
    """
    wording, titled = telling_wording(), set(words_of(title))
    maker = next((found[1].strip(" .") for found in _MAKER.finditer(item_text)), "")
    known = titled | set(words_of(maker))
    left = [phrase for phrase in cut(item_text, "item", wording) if not known.issuperset(phrase.words)]
    left += cut(profile, "person", wording)
    name = Phrase(wording.title.format(short_title(title)), "title")
    if len(name.words) <= _LONGEST:
        left.append(name)
    chosen: list[Phrase] = []
    said = Counter([*words_of(title), *words_of(maker)])
    while (best := _next(chosen, left, said, weights, rarity, limit)) is not None:
        chosen.append(best)
        left.remove(best)
        said += Counter(best.words)
        if best.source == "item":
            left.append(Phrase(best.said, "again"))

    def of(*sources: Source) -> tuple[Phrase, ...]:
        return tuple(phrase for phrase in chosen if phrase.source in sources)

    return Told(title, maker, of("item"), of("person"), of("title", "again"))


def _next(
    chosen: Sequence[Phrase],
    left: Sequence[Phrase],
    said: Counter[str],
    weights: Mapping[str, float],
    rarity: Mapping[str, float],
    limit: int,
) -> Phrase | None:
    """The phrase to say next: the best that still adds, or the best of a source of which nothing is said."""
    gains = {phrase: agreement(said + Counter(phrase.words), weights, rarity) for phrase in left}
    sources = Counter(phrase.source for phrase in chosen)
    now = agreement(said, weights, rarity)
    fits = [
        phrase
        for phrase in left
        if said.total() + len(phrase.words) <= limit and sources[phrase.source] < MOST[phrase.source] and gains[phrase] > now
    ]
    missing = [phrase for phrase in left if phrase.source in ("item", "person") and not sources[phrase.source]]
    return max(fits or missing, key=gains.__getitem__, default=None)


def agreement(count: Mapping[str, int], weights: Mapping[str, float], rarity: Mapping[str, float]) -> float:
    """Cosine between the tf-idf vector of some words and the vector of weight times rarity, up to the length of the latter."""
    dot = sum(number * weights.get(word, 0.0) * rarity.get(word, 0.0) ** 2 for word, number in count.items())
    square = sum((number * rarity.get(word, 0.0)) ** 2 for word, number in count.items())
    return dot / square**0.5 if square else 0.0


# Sentences


def tell(told: Told, variant: int, weight: Mapping[str, float] = MappingProxyType({})) -> str:
    """The text; `variant` draws some sentences that say the same, of which the one is used whose own words weigh least in `weight`."""
    wording = telling_wording()
    matter = {word for phrase in told.items for word in phrase.words} - wording.boundaries - wording.own_words
    both = [phrase for phrase in told.tastes if matter.intersection(phrase.words)]
    rest = [phrase for phrase in told.tastes if phrase not in both]
    name = wording.title.format(told.title)
    if told.maker:
        name = wording.by.format(title=name, maker=told.maker)
    lines = [_line("opening" if told.items else "bare", variant, weight, title=name, items=_listed(told.items, wording))]
    if both:
        also = _line("too", variant // 7, weight, tastes=_listed(rest, wording)) if rest else ""
        lines.append(_line("shared", variant // 11, weight, both=_listed(both, wording)) + also)
    elif rest:
        lines.append(_line("person", variant // 13, weight, tastes=_listed(rest, wording)))
    if len(lines) > 1 and variant // 17 % 2 and not both:
        lines.reverse()
    if told.again:
        lines.append(_line("again", variant // 19, weight, again=_listed(told.again, wording)))
    return " ".join(_capital(line) for line in lines)


def _line(kind: str, variant: int, weight: Mapping[str, float], **slots: str) -> str:
    lines = telling_wording().sentences[kind]
    drawn = [lines[(variant // len(lines) ** place + place) % len(lines)] for place in range(DRAWN)]
    return min(drawn, key=lambda line: sum(weight.get(word, 0.0) ** 2 for word in own_words(line))).format(**slots)


def own_words(line: str) -> tuple[str, ...]:
    """The words of a sentence with slots, without what stands in them."""
    return words_of(_SLOT.sub(" ", line))


def _capital(line: str) -> str:
    return line[:1].upper() + line[1:]


def _listed(phrases: Iterable[Phrase], wording: Wording) -> str:
    said = [phrase.said for phrase in phrases]
    return wording.last_comma.join(part for part in (wording.comma.join(said[:-1]), *said[-1:]) if part)
