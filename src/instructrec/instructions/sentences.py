"""Sentences that ask for something, written from conditions that are known: what understanding is tuned on and measured by."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import numpy as np

from instructrec.core import Instruction, Quota
from instructrec.instructions.render import year_attribute
from instructrec.instructions.vocabulary import Ref
from instructrec.tables import Catalog, Limit

Phrasings = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One condition in words, and what it means; `soft` values are wishes and mean no condition."""

    text: str
    means: Instruction


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A request in words, and the hard part of what it means (`truth.text` is the request itself)."""

    text: str
    truth: Instruction


@cache
def phrasings(language: str, *, held_out: bool) -> Phrasings:
    """The wording of one language by kind: what tuning may see, or what it never sees."""
    path = resources.files("instructrec.instructions") / "wording" / f"sentences.{language}.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return {kind: tuple(rows["held_out" if held_out else "train"]) for kind, rows in table.items()}


class SentenceWriter:
    """Draws conditions on one catalog and writes sentences about them.

    `held_out`: only phrasings that tuning never sees, for openings, clauses and endings alike.
    """

    def __init__(self, catalog: Catalog, *, language: str = "en", held_out: bool = False) -> None:
        self.catalog = catalog
        self.forms = phrasings(language, held_out=held_out)
        self.year = year_attribute(catalog)
        named: dict[str, list[Ref]] = {}
        for attribute, labels in catalog.labels.items():
            for value in labels.names:
                named.setdefault(value.lower(), []).append(Ref(attribute, value))
        # A value of two attributes can't be asked for by its name alone.
        self.values = [refs[0] for refs in named.values() if len(refs) == 1]
        self.titles = _plain_titles(catalog)

    def write(self, clauses: Sequence[Clause], rng: np.random.Generator) -> Sentence:
        """One sentence of these clauses, in their order."""
        text = self._pick("opening", rng)
        for place, clause in enumerate(clauses):
            text += (self._pick("joins", rng) if place else "") + clause.text
        text += self._pick("ending", rng)
        return Sentence(text=text.strip(), truth=together(text.strip(), [clause.means for clause in clauses]))

    def _pick(self, kind: str, rng: np.random.Generator) -> str:
        return self.forms[kind][int(rng.integers(len(self.forms[kind])))]

    def say(self, kind: str, means: Instruction, rng: np.random.Generator, **fill: object) -> Clause:
        """One clause of a kind; `fill` takes the places of the phrasing."""
        return Clause(text=self._pick(kind, rng).format(**fill), means=means)

    def include(self, ref: Ref, rng: np.random.Generator) -> Clause:
        """A value that must be there."""
        means = limited(Limit(attribute=ref.attribute, operator="include", values=(ref.value,)))
        return self.say("include", means, rng, value=self._written(ref, rng), attribute=_spoken(ref.attribute))

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
        return ref.value.lower() if rng.random() < 0.5 else ref.value

    def years(self, around: int, rng: np.random.Generator) -> Clause:
        """A span of years that holds the year `around`."""
        assert self.year is not None
        kind = str(rng.choice(["decade", "before", "after", "since", "until", "between", "exactly"]))
        low, high, near = around, around, int(rng.integers(0, 6))
        fill: dict[str, object] = {}
        if kind == "decade":
            low, high = around // 10 * 10, around // 10 * 10 + 9
            kind = "decade"
            fill = {"decade": low, "short": low % 100 if 1910 <= low < 2000 else low}
            if "{short}" in (text := self._pick("decade", rng)) and fill["short"] == low:
                text = text.replace("'{short}", "{decade}").replace("{short}", "{decade}")
            return Clause(text=text.format(**fill), means=limited(_range(self.year, low, high)))
        if kind in ("before", "until"):
            high = around + near
            return self.say(kind, limited(_range(self.year, None, high)), rng, year=high + (kind == "before"))
        if kind in ("after", "since"):
            low = around - near
            return self.say(kind, limited(_range(self.year, low, None)), rng, year=low - (kind == "after"))
        if kind == "between":
            low, high = around - near, around + 1 + int(rng.integers(0, 6))
            return self.say(kind, limited(_range(self.year, low, high)), rng, low=low, high=high)
        return self.say("exactly", limited(_range(self.year, around, around)), rng, year=around)

    def number(self, attribute: str, around: float, rng: np.random.Generator) -> Clause:
        """A bound or two on a number other than the year that hold for the value `around`, rounded as people round."""
        known = self.catalog.quantities[attribute]
        known = known[np.isfinite(known)]
        whole = bool(np.all(known == np.round(known)))
        low, high = (float(np.quantile(known[keep], 0.5)) for keep in (known <= around, known >= around))
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
        means = limited(_range(attribute, *bounds[kind]))
        return self.say(kind, means, rng, attribute=_spoken(attribute), low=f"{low:g}", high=f"{high:g}")

    def quota(self, ref: Ref, count: int, kind: str, rng: np.random.Generator) -> Clause:
        """How many of the list have a value: `kind` is least, most or exact."""
        limit = Limit(attribute=ref.attribute, operator="include", values=(ref.value,))
        bounds = {"least": (count, None), "most": (0, count), "exact": (count, count)}[kind]
        means = Instruction(text="", quotas=(Quota(limits=(limit,), at_least=bounds[0], at_most=bounds[1]),))
        return self.say(f"quota_{kind}", means, rng, n=_count(count, rng), value=self._written(ref, rng))

    def example(self, item: int, *, wanted: bool, rng: np.random.Generator) -> Clause:
        """An item named as an example of what is wanted, or of what is not."""
        same = tuple(self.catalog.item_ids[code] for code in range(len(self.catalog)) if self.titles.get(code) == self.titles[item])
        means = Instruction(text="", like=same) if wanted else Instruction(text="", unlike=same)
        return self.say("like" if wanted else "unlike", means, rng, title=self.titles[item])

    def count(self, n: int, rng: np.random.Generator) -> Clause:
        """How many items."""
        return self.say("count", Instruction(text="", n=n), rng, n=_count(n, rng))

    def seen(self, kind: str, rng: np.random.Generator) -> Clause:
        """Only `new` items, or only `known` ones."""
        means = Instruction(text="", seen="new") if kind == "new" else Instruction(text="", seen="known")
        return self.say(kind, means, rng)

    def soft(self, ref: Ref, rng: np.random.Generator) -> Clause:
        """A value that would be nice: a wish, no condition."""
        return self.say("soft", Instruction(text=""), rng, value=self._written(ref, rng))


def limited(*limits: Limit) -> Instruction:
    """An instruction of nothing but limits."""
    return Instruction(text="", limits=limits)


def together(text: str, parts: Sequence[Instruction]) -> Instruction:
    """What several conditions mean at once: exclusions of one attribute are one limit."""
    limits: list[Limit] = []
    unwanted: dict[str, dict[str, None]] = {}
    for limit in (limit for part in parts for limit in part.limits):
        if limit.operator == "exclude":
            unwanted.setdefault(limit.attribute, {}).update(dict.fromkeys(limit.values))
        else:
            limits.append(limit)
    limits += [Limit(attribute=name, operator="exclude", values=tuple(values)) for name, values in unwanted.items()]
    return Instruction(
        text=text,
        limits=tuple(limits),
        quotas=tuple(quota for part in parts for quota in part.quotas),
        like=tuple(item for part in parts for item in part.like),
        unlike=tuple(item for part in parts for item in part.unlike),
        seen=next((part.seen for part in parts if part.seen), ""),
        n=next((part.n for part in parts if part.n), None),
    )


def hard_part(instruction: Instruction) -> tuple[object, ...]:
    """What must hold, in a form that compares equal whatever the order."""
    return (
        frozenset(replace(limit, values=tuple(sorted(limit.values))) for limit in instruction.limits),
        frozenset(
            replace(
                quota,
                limits=tuple(sorted((replace(limit, values=tuple(sorted(limit.values))) for limit in quota.limits), key=repr)),
            )
            for quota in instruction.quotas
        ),
        frozenset(instruction.like),
        frozenset(instruction.unlike),
        instruction.seen,
        instruction.n,
    )


def _range(attribute: str, low: float | None, high: float | None) -> Limit:
    return Limit(
        attribute=attribute,
        operator="range",
        low=None if low is None else float(low),
        high=None if high is None else float(high),
    )


def _spoken(attribute: str) -> str:
    return attribute.replace("_", " ")


def _rounded(value: float, direction: Callable[[float], int], *, whole: bool) -> float:
    """To whole numbers, or to one decimal of their size: 0.4731 -> 0.4, 37.2 -> 37."""
    if whole or abs(value) >= 10:
        return float(direction(value))
    return direction(value * 10) / 10


_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def _count(n: int, rng: np.random.Generator) -> str:
    return _WORDS[n - 1] if n <= len(_WORDS) and rng.random() < 0.6 else str(n)


def _plain_titles(catalog: Catalog) -> dict[int, str]:
    """Titles that can be quoted: of one to eight words, without quotation marks."""
    return {
        code: title for code, title in enumerate(catalog.titles) if 0 < len(title.split()) <= 8 and not set(title) & set('"“”„«»')
    }
