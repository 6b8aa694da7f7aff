"""Several sentences in a row: each one refines what was asked before, and the last one can be taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from instructrec.core import Instruction, Quota
from instructrec.errors import QueryError
from instructrec.instructions.agreement import Reader
from instructrec.instructions.lexicon import lexicon, lexicon_for
from instructrec.instructions.limits import MOST_QUOTAS, instruction_from_json, instruction_to_json
from instructrec.instructions.parse import parse
from instructrec.instructions.reading.bounds import bounded
from instructrec.instructions.tokens import Token, clean, han_share, keys, tokenize
from instructrec.instructions.vocabulary import Vocabulary
from instructrec.instructions.wording import read_wording
from instructrec.tables import Catalog, ItemId, Limit


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What holds after each sentence so far, oldest first."""

    turns: tuple[Instruction, ...] = ()

    @property
    def standing(self) -> Instruction | None:
        """What holds now; none where nothing was asked yet."""
        return self.turns[-1] if self.turns else None

    def say(
        self,
        text: str,
        catalog: Catalog,
        *,
        language: str = "en",
        shown: Sequence[ItemId] = (),
        n: int = 10,
        lm: Reader | None = None,
    ) -> Dialogue:
        """Go on by one sentence; `shown` are the items of the last list, best first, which it may point at; `lm` as for `parse`.

        "undo" takes the last sentence back, "start over" all of them. Never raises.
        """
        words = wording(_language(text, language))
        spoken = keys(text.strip(" .!。！"))
        if spoken in words.undo:
            return Dialogue(self.turns[:-1])
        if spoken in words.reset:
            return Dialogue()
        pointed = _pointed(text, words, catalog, self.standing, shown)
        found = replace(parse(pointed, catalog, language=language, n=n, lm=lm), text=text)
        found = compared(found, pointed, catalog, shown, language=_language(text, language))
        return Dialogue((*self.turns, refine(self.standing, found, catalog, instead=_has(text, words.instead))))

    def to_json(self, catalog: Catalog) -> list[dict[str, Any]]:
        """One object a sentence: its text, and all that holds after it; `from_json` reads it back, edited or not."""
        return [instruction_to_json(turn) | {"text": turn.text} for turn in self.turns]

    @staticmethod
    def from_json(obj: object, catalog: Catalog) -> Dialogue:
        """Check and read what `to_json` wrote. Raises QueryError that names the field."""
        if not isinstance(obj, list):
            raise QueryError(f"A dialogue is a list of instructions, but a {type(obj).__name__} came. Use [] to begin one.")
        turns = []
        for place, entry in enumerate(obj):
            text = entry.get("text", "") if isinstance(entry, Mapping) else ""
            fields = {key: value for key, value in entry.items() if key != "text"} if isinstance(entry, Mapping) else entry
            try:
                turns.append(replace(instruction_from_json(fields, catalog), text=str(text)))
            except QueryError as problem:
                raise QueryError(f"turns[{place}]: {problem}") from None
        return Dialogue(tuple(turns))


def compared(said: Instruction, text: str, catalog: Catalog, shown: Sequence[ItemId], *, language: str) -> Instruction:
    """A bare comparison ("newer") that the sentence itself does not resolve is one with the list: with its median item."""
    words = lexicon(language)
    if words is None or not shown or not said.not_understood:
        return said
    vocabulary, spoken, left = Vocabulary.of(catalog, words), keys(text), list(said.not_understood)
    limits = list(said.limits)
    for place, rest in enumerate(left):
        for phrase in (phrase for phrase in words.compare if _holds(keys(rest), phrase) and _holds(spoken, phrase)):
            kind, way = words.compare[phrase]
            attribute = vocabulary.kinds.get(kind)
            if attribute is None or any(limit.attribute == attribute for limit in limits):
                continue
            numbers = catalog.quantities[attribute][catalog.codes(shown)]
            numbers = np.sort(numbers[np.isfinite(numbers)])
            if len(numbers):
                middle = float(numbers[(len(numbers) - 1) // 2])
                low, high = bounded(way, middle, middle, whole=vocabulary.is_integral(attribute))
                limits.append(Limit(attribute=attribute, operator="range", low=low, high=high))
                left[place] = "" if keys(rest) == phrase else rest
    return replace(said, limits=tuple(limits), not_understood=tuple(rest for rest in left if rest))


def refine(standing: Instruction | None, said: Instruction, catalog: Catalog, *, instead: bool = False) -> Instruction:
    """What holds when `said` follows `standing`: the later word holds where both cannot.

    Values and ranges narrow what was asked before; a range that leaves nothing of the earlier one, or no item at all, takes its
    place; what is unwanted now is no longer wanted, and the other way round. With `instead`, new values take the place of earlier
    ones of the same attribute. Of more than `MOST_QUOTAS` quotas the oldest give way, and a note says how many.
    """
    if standing is None:
        return _held(said, said.quotas)
    limits = _limits(standing.limits, said.limits, catalog, instead=instead)
    # One that is said again is as young as its last saying.
    older = [quota for quota in standing.quotas if quota.limits not in {new.limits for new in said.quotas}]
    quotas = {quota.limits: quota for quota in (*older, *said.quotas)}
    like = [item for item in (*standing.like, *said.like) if item not in said.unlike]
    unlike = [item for item in (*standing.unlike, *said.unlike) if item not in said.like]
    # What is no longer wanted must not be read any more.
    kept = not instead and all(limit in limits for limit in standing.limits if limit.operator == "include")
    wishes = [standing.wish, said.wish] if kept else [said.wish]
    found = Instruction(
        text=said.text,
        limits=limits,
        like=tuple(dict.fromkeys(like)),
        unlike=tuple(dict.fromkeys(unlike)),
        seen=said.seen or standing.seen,
        n=said.n or standing.n,
        wish=", ".join(dict.fromkeys(wish for wish in wishes if wish)),
        not_understood=said.not_understood,
        notes=said.notes,
    )
    return _held(found, tuple(quotas.values()))


def _held(said: Instruction, quotas: tuple[Quota, ...]) -> Instruction:
    """The instruction with the youngest of the quotas, as many as can be sent back with the next sentence."""
    over = len(quotas) - MOST_QUOTAS
    if over <= 0:
        return replace(said, quotas=quotas)
    return replace(said, quotas=quotas[over:], notes=(*said.notes, f"quotas_given_up:{over}"))


def _limits(old: Sequence[Limit], new: Sequence[Limit], catalog: Catalog, *, instead: bool) -> tuple[Limit, ...]:
    kept = list(old)
    for limit in new:
        if limit.operator == "range":
            kept = _ranged(kept, limit, catalog)
            continue
        values = set(limit.values)
        opposite = "exclude" if limit.operator == "include" else "include"
        kept = [_without(one, values) if _speaks(one, limit, opposite) else one for one in kept]
        if instead and limit.operator == "include":
            kept = [one for one in kept if not _speaks(one, limit, "include") or one in new]
        kept = _joined([one for one in kept if one.operator == "range" or one.values], limit)
    return tuple(dict.fromkeys(kept))


def _speaks(one: Limit, limit: Limit, operator: str) -> bool:
    return one.attribute == limit.attribute and one.operator == operator


def _without(limit: Limit, values: set[str]) -> Limit:
    return replace(limit, values=tuple(value for value in limit.values if value not in values))


def _joined(kept: list[Limit], limit: Limit) -> list[Limit]:
    """A new limit beside the others; exclusions of one attribute are one limit."""
    for place, one in enumerate(kept):
        if limit.operator == "exclude" and _speaks(one, limit, "exclude"):
            kept[place] = replace(one, values=tuple(dict.fromkeys((*one.values, *limit.values))))
            return kept
    return [*kept, limit]


def _ranged(kept: list[Limit], limit: Limit, catalog: Catalog) -> list[Limit]:
    """The new range within the earlier one; where that leaves nothing, the new one alone."""
    others = [one for one in kept if not _speaks(one, limit, "range")]
    earlier = [one for one in kept if _speaks(one, limit, "range")]
    lows = [one.low for one in (*earlier, limit) if one.low is not None]
    highs = [one.high for one in (*earlier, limit) if one.high is not None]
    both = replace(limit, low=max(lows, default=None), high=min(highs, default=None))
    empty = both.low is not None and both.high is not None and both.low > both.high
    fits = not empty and catalog.matching([*others, both]).any()
    return [*others, both if fits else limit]


@dataclass(frozen=True, slots=True)
class DialogueWords:
    """The wording of one language, as compared words."""

    last: frozenset[tuple[str, ...]]
    places: Mapping[tuple[str, ...], int]
    instead: frozenset[tuple[str, ...]]
    reset: frozenset[tuple[str, ...]]
    undo: frozenset[tuple[str, ...]]
    quote: str


@cache
def wording(language: str) -> DialogueWords:
    """Read the wording of a language from its data file."""
    table = read_wording("dialogue", language)
    places = {
        keys(form.format(n=name)): number
        for form in table["place"]
        for number, names in enumerate(table["ordinals"])
        for name in (*names, str(number + 1))
    }

    def phrases(name: str) -> frozenset[tuple[str, ...]]:
        return frozenset(keys(phrase) for phrase in table[name])

    return DialogueWords(
        last=phrases("last"),
        places=places | dict.fromkeys(phrases("end"), -1),
        instead=phrases("instead"),
        reset=phrases("reset"),
        undo=phrases("undo"),
        quote=table["quote"],
    )


def _language(text: str, language: str) -> str:
    found = lexicon_for(text, language, han=han_share(text))
    return found.language if found is not None else "en"


def _has(text: str, phrases: frozenset[tuple[str, ...]]) -> bool:
    return any(_holds(keys(text), phrase) for phrase in phrases)


def _holds(words: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    return any(words[place : place + len(phrase)] == phrase for place in range(len(words)))


def _pointed(text: str, words: DialogueWords, catalog: Catalog, standing: Instruction | None, shown: Sequence[ItemId]) -> str:
    """The text with the names of what it points at: a place in the list becomes its title, "without him" the value named last."""
    text = clean(text)
    tokens = tokenize(text)
    named = _named_last(standing)
    language_words = lexicon_for(text, "en", han=han_share(text))
    out, at, place = "", 0, 0
    negated = False
    while place < len(tokens):
        found = _reference(tokens, place, words, catalog, shown)
        if found is None and negated and named is not None:
            length = _longest(tokens, place, words.last)
            found = (named, length) if length else None
        if found is not None:
            name, length = found
            out += text[at : tokens[place].start] + name
            at, place = tokens[place + length - 1].end, place + length
            continue
        negated = (negated and not tokens[place].ends_sentence) or _negates(tokens, place, language_words)
        place += 1
    return out + text[at:]


def _named_last(standing: Instruction | None) -> str | None:
    """The value that was wanted last."""
    wanted = [limit for limit in standing.limits if limit.operator == "include"] if standing else []
    return wanted[-1].values[-1] if wanted else None


def _negates(tokens: Sequence[Token], place: int, words: Any) -> bool:
    return words is not None and any(
        "negation" in words.strong.get(tuple(token.key for token in tokens[place : place + length]), ()) for length in (1, 2, 3)
    )


def _reference(
    tokens: Sequence[Token], place: int, words: DialogueWords, catalog: Catalog, shown: Sequence[ItemId]
) -> tuple[str, int] | None:
    length = _longest(tokens, place, words.places.keys())
    if not length or not shown:
        return None
    number = words.places[tuple(token.key for token in tokens[place : place + length])]
    item = shown[number] if number < len(shown) else None
    if item is None or item not in catalog.index:
        return None
    return words.quote.format(title=catalog.titles[catalog.index[item]]), length


def _longest(tokens: Sequence[Token], place: int, phrases: Any) -> int:
    """Words of the longest of the phrases that begins at a place, 0 for none."""
    for length in range(min(6, len(tokens) - place), 0, -1):
        if tuple(token.key for token in tokens[place : place + length]) in phrases:
            return length
    return 0
