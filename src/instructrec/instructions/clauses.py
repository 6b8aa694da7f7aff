"""One condition in words whose meaning is known: the parts of the sentences that understanding is tuned on and measured by."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import unescape
from typing import Any, Literal, TypeAlias

import numpy as np

from instructrec.core import Instruction, Quota
from instructrec.instructions.lexicon import lexicon
from instructrec.instructions.phrasing import held_out_values
from instructrec.instructions.tokens import HAN, keys
from instructrec.instructions.vocabulary import Ref, Vocabulary
from instructrec.instructions.wording import read_wording
from instructrec.tables import Catalog, Limit

Phrasings = Mapping[str, tuple[str, ...]]
Said: TypeAlias = Literal["all", "training", "held_out"]
"""Which values of a catalog are said: all, those that tuning may say, or those that it never does."""

_DIGITS_OF_DECADES = range(30, 100, 10)
"""Decades that go by two digits, and by a word: those before and after could be of either century."""
_NAMED = ("{value}", "{first}", "{attribute}", "《{title}》")
"""How a phrasing begins that begins with a name."""
_MANY = 0.15
"""How often a value is written in the plural, and how often without its hyphens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One condition in words, its kind, and what it means; a wish means no condition.

    `bare`: the words begin with a value or another word of that kind, so that what stands before could take it in: "no war and |
    comedy, please".
    """

    kind: str
    text: str
    means: Instruction
    bare: bool = False


@cache
def phrasings(language: str, *, held_out: bool, rare: bool = False) -> Phrasings:
    """The wording of one language by kind: what tuning may see, or what it never sees, which may be `rare`: said less often."""
    part = "rare" if rare else "held_out" if held_out else "train"
    return {kind: tuple(rows.get(part, rows["held_out"])) for kind, rows in _table(language).items() if kind != "words"}


@cache
def _table(language: str) -> Mapping[str, Any]:
    return read_wording("sentences", language)


class ClauseWriter:
    """Writes conditions on one catalog in the words of one language.

    `held_out`: only phrasings that tuning never sees; `rare`: those of them that are less usual, alone. `said`: which of the
    values; titles are said as they are.
    """

    def __init__(
        self, catalog: Catalog, *, language: str = "en", held_out: bool = False, rare: bool = False, said: Said = "all"
    ) -> None:
        self.catalog = catalog
        self.language = language
        self.forms = phrasings(language, held_out=held_out, rare=rare)
        self.words: Mapping[str, Any] = _table(language)["words"]
        words = lexicon(language)
        assert words is not None
        self.lexicon = words
        self.vocabulary = Vocabulary.of(catalog, words)
        self.year = self.vocabulary.year
        held = held_out_values(catalog)
        every = (Ref(attribute, value) for attribute, labels in catalog.labels.items() for value in labels.names)
        # A value of two attributes, or one that reads like another, can't be asked for by its name alone.
        once = [ref for ref in every if self.vocabulary.find(keys(unescape(ref.value))) == (ref,)]
        self.values = [ref for ref in once if said == "all" or (ref.value.lower() in held) == (said == "held_out")]
        self.titles = _plain_titles(catalog)

    def say(self, kind: str, means: Instruction, rng: np.random.Generator, **fill: object) -> Clause:
        """One clause of a kind; `fill` takes the places of the phrasing, which has no others."""
        forms = [form for form in self.forms[kind] if _places(form) <= fill.keys()] or list(self.forms[kind])
        form = forms[int(rng.integers(len(forms)))]
        return Clause(kind=kind, text=form.format(**fill), means=means, bare=form.startswith((*_NAMED, *self.words["taken_in"])))

    def include(self, ref: Ref, rng: np.random.Generator, *, kind: str = "include") -> Clause:
        """A value that must be there; as `noun` in words that others can stand beside."""
        means = limited(Limit(attribute=ref.attribute, operator="include", values=(ref.value,)))
        return self.say(kind, means, rng, value=self._written(ref, rng), **self._spoken(ref.attribute, rng))

    def counted(self, ref: Ref, n: int, rng: np.random.Generator) -> Clause:
        """So many items that have a value."""
        limit = Limit(attribute=ref.attribute, operator="include", values=(ref.value,))
        means = Instruction(text="", limits=(limit,), n=n)
        return self.say("count_noun", means, rng, n=self._count(n, rng), value=self._written(ref, rng))

    def either(self, first: Ref, second: Ref, rng: np.random.Generator) -> Clause:
        """One of two values of one attribute."""
        means = limited(Limit(attribute=first.attribute, operator="include", values=(first.value, second.value)))
        return self.say("either", means, rng, first=self._written(first, rng), second=self._written(second, rng))

    def exclude(self, refs: Sequence[Ref], rng: np.random.Generator) -> Clause:
        """One value, or two of one attribute, that must not be there."""
        means = limited(Limit(attribute=refs[0].attribute, operator="exclude", values=tuple(ref.value for ref in refs)))
        if len(refs) == 1:
            return self.say("exclude", means, rng, value=self._written(refs[0], rng))
        return self.say("exclude_two", means, rng, first=self._written(refs[0], rng), second=self._written(refs[1], rng))

    def _written(self, ref: Ref, rng: np.random.Generator) -> str:
        """A value as people write it: as it stands, in lower case, now and then in the plural or without its hyphens."""
        value = ref.value.lower() if rng.random() < 0.5 else ref.value
        if rng.random() < _MANY and value[-1].isalpha() and value[-1] not in "sS":
            endings = ((single, many) for single, many in self.words["plurals"] if value.endswith(single))
            value = next((value.removesuffix(single) + many for single, many in endings), value)
        return value.replace("-", " ") if rng.random() < _MANY else value

    def years(self, around: int, rng: np.random.Generator) -> Clause:
        """A span of years that holds the year `around`."""
        assert self.year is not None
        kind = str(rng.choice(["decade", "before", "after", "since", "until", "between", "exactly"]))
        low, high, near = around, around, int(rng.integers(0, 6))
        if kind == "decade":
            low = around // 10 * 10
            return self.say(kind, limited(span(self.year, low, low + 9)), rng, **self._decade(low))
        if kind in ("before", "until"):
            high = around + near
            return self.say(kind, limited(span(self.year, None, high)), rng, year=high + (kind == "before"))
        if kind in ("after", "since"):
            low = around - near
            return self.say(kind, limited(span(self.year, low, None)), rng, year=low - (kind == "after"))
        if kind == "between":
            low, high = around - near, around + 1 + int(rng.integers(0, 6))
            return self.say(kind, limited(span(self.year, low, high)), rng, low=low, high=high)
        return self.say("exactly", limited(span(self.year, around, around)), rng, year=around)

    def _decade(self, first: int) -> dict[str, object]:
        """How a decade can be called: by its year, two digits, a word."""
        digits = first % 100
        if digits not in _DIGITS_OF_DECADES or self.vocabulary.decade(digits) != first:
            return {"decade": first}
        return {"decade": first, "short": digits, "spelled": self.words["decades"][str(digits)]}

    def number(self, attribute: str, around: float, rng: np.random.Generator) -> Clause:
        """A bound or two on a number other than the year that hold for the value `around`, rounded as people round."""
        known = self.catalog.quantities[attribute]
        known = known[np.isfinite(known)]
        whole = bool(np.all(known == np.round(known)))
        low, high = (float(np.quantile(known[keep], rng.uniform(0.2, 0.8))) for keep in (known <= around, known >= around))
        low, high = _rounded(low, math.floor, whole=whole), _rounded(high, math.ceil, whole=whole)
        kind = str(rng.choice(["number_low", "number_high", "number_over", "number_under", "number_between"]))
        strict_low, strict_high = (low + 1, high - 1) if whole else (math.nextafter(low, math.inf), math.nextafter(high, -math.inf))
        bounds: dict[str, tuple[float | None, float | None]] = {
            "number_low": (low, None),
            "number_high": (None, high),
            "number_over": (strict_low, None),
            "number_under": (None, strict_high),
            "number_between": (low, high),
        }
        means = limited(span(attribute, *bounds[kind]))
        return self.say(kind, means, rng, low=f"{low:g}", high=f"{high:g}", **self._spoken(attribute, rng))

    def quota(self, ref: Ref, count: int, kind: str, rng: np.random.Generator) -> Clause:
        """How many of the list have a value: `kind` is least, most or exact."""
        limit = Limit(attribute=ref.attribute, operator="include", values=(ref.value,))
        bounds = {"least": (count, None), "most": (0, count), "exact": (count, count)}[kind]
        means = Instruction(text="", quotas=(Quota(limits=(limit,), at_least=bounds[0], at_most=bounds[1]),))
        return self.say(f"quota_{kind}", means, rng, n=self._count(count, rng), value=self._written(ref, rng))

    def quota_before(self, year: int, count: int, rng: np.random.Generator) -> Clause:
        """At most so many from before a year."""
        assert self.year is not None
        means = Instruction(text="", quotas=(Quota(limits=(span(self.year, None, year - 1),), at_most=count),))
        return self.say("quota_before", means, rng, n=self._count(count, rng), year=year)

    def example(self, item: int, *, wanted: bool, rng: np.random.Generator) -> Clause:
        """An item named as an example of what is wanted, or of what is not."""
        # All items that go by the name: "The Thing", "Thing, The" and "the thing!".
        named = {item, *self.vocabulary.titles.get(keys(self.titles[item]), ())}
        same = tuple(self.catalog.item_ids[code] for code in sorted(named))
        means = Instruction(text="", like=same) if wanted else Instruction(text="", unlike=same)
        return self.say("like" if wanted else "unlike", means, rng, title=self.titles[item])

    def count(self, n: int, rng: np.random.Generator) -> Clause:
        """How many items."""
        return self.say("count", Instruction(text="", n=n), rng, n=self._count(n, rng))

    def seen(self, kind: str, rng: np.random.Generator) -> Clause:
        """Only `new` items, or only `known` ones."""
        means = Instruction(text="", seen="new") if kind == "new" else Instruction(text="", seen="known")
        return self.say(kind, means, rng)

    def soft(self, ref: Ref, rng: np.random.Generator) -> Clause:
        """A value that would be nice: a wish, no condition."""
        return self.say("soft", Instruction(text="", wish=ref.value), rng, value=self._written(ref, rng))

    def mood(self, rng: np.random.Generator) -> Clause:
        """Something that no condition can express: a wish in its own words."""
        clause = self.say("mood", Instruction(text=""), rng)
        return Clause(kind="mood", text=clause.text, means=Instruction(text="", wish=clause.text))

    def _count(self, n: int, rng: np.random.Generator) -> str:
        words = self.words["counts"]
        return str(words[n - 1]) if n <= len(words) and rng.random() < 0.6 else str(n)

    def _spoken(self, attribute: str, rng: np.random.Generator) -> dict[str, object]:
        """What an attribute is called: its name, or where that is foreign a word for its kind; nothing where there is none."""
        names = [attribute.replace("_", " ")]
        if self.lexicon.script == "han":
            kinds = [kind for kind, name in self.vocabulary.kinds.items() if name == attribute]
            names += ["".join(words) for kind in kinds for words in self.lexicon.kinds[kind]]
            names = [name for name in names if re.search(rf"[{HAN}]", name)]
        return {"attribute": names[int(rng.integers(len(names)))]} if names else {}

    def can_say(self, attribute: str) -> bool:
        """Whether the language has a word for an attribute."""
        return bool(self._spoken(attribute, np.random.default_rng(0)))


def limited(*limits: Limit) -> Instruction:
    """An instruction of nothing but limits."""
    return Instruction(text="", limits=limits)


def span(attribute: str, low: float | None, high: float | None) -> Limit:
    """A limit on a number."""
    return Limit(
        attribute=attribute,
        operator="range",
        low=None if low is None else float(low),
        high=None if high is None else float(high),
    )


def _places(form: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(form) if name}


def _rounded(value: float, direction: Callable[[float], int], *, whole: bool) -> float:
    """To whole numbers, or to one decimal of their size: 0.4731 -> 0.4, 37.2 -> 37."""
    if whole or abs(value) >= 10:
        return float(direction(value))
    return direction(value * 10) / 10


def _plain_titles(catalog: Catalog) -> dict[int, str]:
    """Titles that can be quoted: of one to eight words, without quotation marks."""
    return {
        code: title
        for code, title in enumerate(catalog.titles)
        if 0 < len(title.split()) <= 8 and not set(title) & set('"“”„«»《》')
    }
