"""A short text on why this item suits this person, made of phrases of the item's own text and of the person's profile.

Evidence first: both texts are cut into phrases, phrases are chosen so that the words of the text agree with what matters (a weight
a word), and only then are they put into sentences (`wording/telling.en.toml`), which claim no more than which text speaks of them.
What both texts speak of is the reason that is given; without it, none is claimed.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from instructrec.explain.cutting import (
    Wording,
    as_listed,
    content,
    cut,
    folded,
    is_adjective,
    own_words,
    runs,
    telling_wording,
    words_of,
)

Source = Literal["item", "person", "both"]
_MAKER = r"\W{0,4}\bby ((?:(?:[A-Z]\.)+ |[A-Z][\w'’-]+ ){1,3}[A-Z][\w'’-]+)"
_MARKUP = re.compile(r"<[^>]*>|[“”\"{}]")
_NONE: Mapping[str, float] = MappingProxyType({})
DRAWN = 5
"""So many sentences that say the same are compared."""
MOST: Mapping[Source, int] = {"item": 4, "person": 2, "both": 2}
"""So many phrases of a source are said at most."""
TITLE_AGAIN = 5
"""A short title of more words is not said twice."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Some words in a row of one of the inputs, or of both; `said`: as it stands in a list."""

    said: str
    source: Source

    @property
    def words(self) -> tuple[str, ...]:
        """Its words in lower case."""
        return words_of(self.said)


@dataclass(frozen=True, slots=True)
class Told:
    """What was chosen to be said, of the item, of the person and of both; `again`: how the item is named a second time."""

    title: str
    maker: str = ""
    items: tuple[str, ...] = ()
    tastes: tuple[str, ...] = ()
    both: tuple[str, ...] = ()
    again: str = ""


@dataclass(frozen=True, slots=True)
class Aim:
    """What the words of a text should agree with: how much a word matters for this pair (0 if absent), how rare it is;
    and how many words are said at most.
    """

    weights: Mapping[str, float]
    rarity: Mapping[str, float]
    limit: int

    def agreement(self, count: Mapping[str, int]) -> float:
        """Cosine between the tf-idf vector of some words and the vector of weight times rarity, up to the length of the latter."""
        dot = sum(number * self.weights.get(word, 0.0) * self.rarity.get(word, 0.0) ** 2 for word, number in count.items())
        square = sum((number * self.rarity.get(word, 0.0)) ** 2 for word, number in count.items())
        return dot / square**0.5 if square else 0.0


def rarities(texts: Sequence[str]) -> dict[str, float]:
    """Smoothed inverse document frequency of each word, log((1 + n) / (1 + df)) + 1 (Salton and Buckley 1988)."""
    counts = Counter(word for text in texts for word in set(words_of(text)))
    return {word: float(np.log((1 + len(texts)) / (1 + count)) + 1) for word, count in counts.items()}


# Inputs


def plain(text: str) -> str:
    """A text without markup, quotation marks and line breaks."""
    return re.sub(r"\s+(?=[:;,.!?]|$)", "", " ".join(_MARKUP.sub(" ", html.unescape(text)).split()))


def short_title(title: str) -> str:
    """A title without its subtitle and what stands in brackets."""
    return re.split(r"[:(\[]| - ", title, maxsplit=1)[0].strip() or title


def _maker(title: str, item_text: str) -> str:
    """Who is named behind the title with "by"."""
    names = "|".join(re.escape(name) for name in (title, short_title(title)) if name)
    found = re.search(f"(?i:{names}){_MAKER}", item_text) if names else None
    return found[1] if found else ""


def _without(text: str, title: str) -> str:
    """A text without an item's title, so that parts of it are not taken for what the text says of the item."""
    for name in (title, short_title(title)):
        if len(words_of(name)) > 1:
            text = re.sub(re.escape(name) + "(?:['’]s)?", " | ", text, flags=re.IGNORECASE)
    return text


def in_both(item_text: str, profile: str, wording: Wording) -> list[str]:
    """The longest stretches of words that a phrase of each text has and that end one of them; articles and plurals do not count."""
    mine, theirs = ([_bare(run, wording) for run in runs(text, wording)] for text in (profile, item_text))
    ends = {_key(run[at:]): run[at:] for run in theirs for at in range(len(run))}
    spans = {_key(run[a:b]) for run in theirs for a in range(len(run)) for b in range(a + 1, len(run) + 1)}
    found = (as_listed(stretch, wording) for run in mine for stretch in _met(run, spans, ends, wording))
    return list(dict.fromkeys(said for said in found if said and content(said, wording)))


def _bare(run: Sequence[str], wording: Wording) -> list[str]:
    return [word for word in run if word.lower() not in wording.sets["articles"]]


def _key(run: Sequence[str]) -> tuple[str, ...]:
    return tuple(folded(word) for word in run)


def _met(
    run: Sequence[str], spans: set[tuple[str, ...]], ends: Mapping[tuple[str, ...], list[str]], wording: Wording
) -> Iterator[list[str]]:
    """Stretches of a run that are among the spans, each as long as can be, in the words of the text whose phrase they end."""
    start, size = 0, len(run)
    while start < size:
        fits = (end for end in range(size, start, -1) if _key(run[start:end]) in (spans if end == size else ends))
        end = next(fits, start)
        stretch = list(run[start:end]) if end == size else ends.get(_key(run[start:end]), [])
        glued = {word.lower() for word in (*stretch[:1], *stretch[-1:])} & wording.sets["glue"]
        if stretch and not glued and not is_adjective(stretch[-1], wording):
            yield stretch
        start = max(end, start + 1)


# Choice


def choose(
    title: str, item_text: str, profile: str, weights: Mapping[str, float], rarity: Mapping[str, float], limit: int = 40
) -> Told:
    """The phrases whose tf-idf vector, with the title's, has the greatest cosine to the words' weights times rarities.

    What both texts speak of comes first. Then phrases are added one by one, the best first, as long as the cosine grows and at most
    `limit` words are said; one of the item's and one of the person's at least, if there are any.
    """
    wording, aim = telling_wording(), Aim(weights, rarity, limit)
    title, item_text, profile = plain(title), plain(item_text), plain(profile)
    maker, matter = _maker(title, item_text), _without(item_text, title)
    known = {*map(folded, words_of(title)), *map(folded, words_of(maker))}
    left = [Phrase(said, "both") for said in in_both(matter, profile, wording)]
    left += [Phrase(said, "item") for said in cut(matter, wording)]
    left += [Phrase(said, "person") for said in cut(profile, wording)]
    left = [phrase for phrase in left if phrase.source == "person" or not known.issuperset(map(folded, phrase.words))]
    chosen: list[Phrase] = []
    said = Counter([*words_of(title), *words_of(maker)])
    while (best := _next(chosen, left, said, aim)) is not None:
        chosen.append(best)
        said += Counter(best.words)
        left = [phrase for phrase in left if not _is_told(phrase, chosen, wording)]
    items, tastes, both = (tuple(one.said for one in chosen if one.source == source) for source in ("item", "person", "both"))
    short = short_title(title)
    names = Counter(words_of(short))
    again = 0 < names.total() <= TITLE_AGAIN and aim.agreement(said + names) > aim.agreement(said)
    return Told(title, maker, items, tastes, both, short if again else "")


def _is_told(phrase: Phrase, chosen: Sequence[Phrase], wording: Wording) -> bool:
    """Would saying it repeat what was chosen? What both texts speak of may stand inside longer phrases of the item alone."""
    mine = content(phrase.said, wording)
    for one in chosen:
        theirs = content(one.said, wording)
        if mine <= theirs or ("person" in (one.source, phrase.source) and mine & theirs):
            return True
        if one.source == phrase.source == "both" and mine & theirs:
            return True
    return False


def _next(chosen: Sequence[Phrase], left: Sequence[Phrase], said: Counter[str], aim: Aim) -> Phrase | None:
    """The phrase to say next: the best that both texts have, the best that still adds, or the best of a source that is silent."""
    gains = {phrase: aim.agreement(said + Counter(phrase.words)) for phrase in left}
    sources = Counter(phrase.source for phrase in chosen)
    if not chosen and (both := [phrase for phrase in left if phrase.source == "both"]):
        return max(both, key=gains.__getitem__)
    now = aim.agreement(said)
    fits = [
        phrase
        for phrase in left
        if said.total() + len(phrase.words) <= aim.limit and sources[phrase.source] < MOST[phrase.source] and gains[phrase] > now
    ]
    missing = [phrase for phrase in left if not sources[phrase.source] and not (sources["both"] and phrase.source == "person")]
    return max(fits or missing, key=gains.__getitem__, default=None)


# Sentences


def tell(told: Told, variant: int, disturbing: Mapping[str, float] = _NONE) -> str:
    """The text; `variant` draws some sentences that say the same, of which the one is used whose own words disturb least."""
    wording, signs = telling_wording(), telling_wording().signs
    name = signs["title"].format(told.title) if told.title else signs["untitled"]
    title = signs["by"].format(title=name, maker=told.maker) if told.maker else name
    slots = {
        "title": title,
        "name": signs["title"].format(told.again),
        "items": _listed(told.items, wording),
        "both": _listed(told.both, wording),
        "tastes": _listed(told.tastes, wording),
    }
    lines = [_line(kind, variant // (7 * place + 1), disturbing, slots) for place, kind in enumerate(_kinds(told))]
    return " ".join(_capital(line) for line in lines)


def _kinds(told: Told) -> Iterator[str]:
    if told.items:
        yield "opening_again" if told.again and not told.both else "opening"
        if told.both:
            yield "shared_again" if told.again else "shared"
    else:
        yield "agreed" if told.both else "bare"
    if told.tastes:
        yield "too" if told.both else "person"


def _line(kind: str, variant: int, disturbing: Mapping[str, float], slots: Mapping[str, str]) -> str:
    lines = telling_wording().sentences[kind]
    drawn = [lines[(variant // len(lines) ** place + place) % len(lines)] for place in range(DRAWN)]
    least: str = min(drawn, key=lambda line: sum(disturbing.get(word, 0.0) ** 2 for word in own_words(line)))
    return least.format(**slots)


def _capital(line: str) -> str:
    return line[:1].upper() + line[1:]


def _listed(said: Sequence[str], wording: Wording) -> str:
    pairs = any(" and " in phrase for phrase in said)
    last = wording.signs["last_comma_of_pairs" if pairs else "last_comma"]
    return last.join(part for part in (wording.signs["comma"].join(said[:-1]), *said[-1:]) if part)
