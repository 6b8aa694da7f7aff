"""Sentences as people write them, with what they mean: `{shelf}.{language}.toml` beside this file, for the catalogs in shelves.py.

The first set and `second.{shelf}.{language}.toml` were written before the rules that read them were finished, and the rules were
mended by them. `third/{shelf}.{language}.toml` was written apart from both; understanding is measured with it: a sentence of it
that is misunderstood is counted, not mended.

Three lists a file: simple (at most one condition), composite (several, or several values) and hard (contradictions, orders to the
machine, titles that look like something else, words that are no condition). An entry has `text`, `expect` (one string a
condition), and optionally `wish = true` (some wish must be left) and `unknown` (words that must be told as not understood).

In a text `{comedies}` marks a value of the catalog by one of its usual forms (`{commedies=comedies}`: written otherwise), and
`{@brand}` the name of a label attribute, so that the same sentence can be said about a catalog with invented words (`rename`).

A condition is one of
    genres: Comedy | Drama      not genres: Horror | War      year 1990..1999   year ..1979   year 1991..
    price < 20   price <= 20   rating > 4   rating >= 4       n = 5     new     known     like: TITLE     unlike: TITLE
    at least 2: CONDITION & CONDITION      at most 2: ...     exactly 1: ...
"""

import math
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tests.instructions.shelves import SHELVES, Renamed, plural

from instructrec.core import Instruction
from instructrec.tables import Catalog, Limit

FOLDER = Path(__file__).parent
KINDS = ("simple", "composite", "hard")
PARTS = {"first": "", "second": "second.", "third": "third/"}
FIELDS = {"text", "expect", "wish", "unknown"}
MARK = re.compile(r"\{(@?)([^{}=\":]+)(?:=([^{}\":]+))?\}")
RANGE = re.compile(r"(\w+) (-?[\d.]*?)\.\.(-?[\d.]*)")
BOUND = re.compile(r"(\w+) (<=|>=|<|>) (-?[\d.]+)")
QUOTA = re.compile(r"(at least|at most|exactly) (\d+): (.+)")
LABEL = re.compile(r"(not )?(\w+): (.+)")


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One text and its meaning; `marked` is the text with its marks."""

    text: str
    marked: str
    expect: tuple[str, ...]
    kind: str
    wish: bool = False
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Hard:
    """What an instruction demands, in a form where order and grouping do not count.

    `limits` holds ("include", attribute, values), ("exclude", attribute, values) with all exclusions of an attribute in one, and
    ("range", attribute, low, high) with all ranges of an attribute in one; `quotas` holds (limits, at_least, at_most).
    """

    limits: frozenset[tuple] = frozenset()
    quotas: frozenset[tuple] = frozenset()
    like: frozenset[str] = frozenset()
    unlike: frozenset[str] = frozenset()
    seen: str = ""
    n: int | None = None

    @staticmethod
    def of(instruction: Instruction) -> "Hard":
        """The demands of an instruction, without its wish, notes and left-over words."""
        return Hard(
            limits=_merged(instruction.limits),
            quotas=frozenset((_merged(quota.limits), quota.at_least, quota.at_most) for quota in instruction.quotas),
            like=frozenset(instruction.like),
            unlike=frozenset(instruction.unlike),
            seen=instruction.seen,
            n=instruction.n,
        )


def load(language: str, shelf: str, part: str = "first") -> list[Sentence]:
    """The sentences of one file of a set (`part` of PARTS); their catalog is SHELVES[shelf](language)."""
    name = f"{PARTS[part]}{shelf}.{language}"
    entries = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    if set(entries) != set(KINDS):
        raise ValueError(f"{name}: lists {sorted(entries)}, wanted {KINDS}")
    return [_sentence(entry, kind) for kind in KINDS for entry in entries[kind]]


def expected(sentence: Sentence, catalog: Catalog) -> Hard:
    """What the sentence demands of this catalog. Raises ValueError for a condition, attribute, value or title that is none."""
    found: dict = {"limits": [], "quotas": set(), "like": set(), "unlike": set(), "seen": "", "n": None}
    for condition in sentence.expect:
        _add(condition, catalog, found)
    return Hard(
        limits=_merged(found["limits"]),
        quotas=frozenset(found["quotas"]),
        like=frozenset(found["like"]),
        unlike=frozenset(found["unlike"]),
        seen=found["seen"],
        n=found["n"],
    )


def marks(sentence: Sentence, catalog: Catalog) -> list[tuple[str, str, bool]]:
    """(attribute, value or "", plural) of every mark, in order. Raises ValueError for a mark that names nothing in the catalog."""
    forms = _forms(catalog)
    return [_meaning(mark, forms) for mark in MARK.finditer(sentence.marked)]


def rename(sentence: Sentence, catalog: Catalog, new: Renamed) -> Sentence:
    """The same sentence about `new`, which was made of `catalog`: marked words and conditions with the invented words."""
    forms = _forms(catalog)

    def surface(mark: re.Match) -> str:
        attribute, value, many = _meaning(mark, forms)
        word = new.values[attribute, value] if value else new.attributes[attribute].removesuffix("s").replace("_", " ")
        word = word + "s" if many else word
        return word if mark[2][0].isupper() else word.lower()

    return replace(sentence, text=MARK.sub(surface, sentence.marked), expect=tuple(_renamed(c, new) for c in sentence.expect))


def _sentence(entry: dict, kind: str) -> Sentence:
    if not FIELDS >= set(entry) >= {"text", "expect"}:
        raise ValueError(f"wrong fields: {entry}")
    return Sentence(
        text=MARK.sub(lambda mark: mark[2], entry["text"]),
        marked=entry["text"],
        expect=tuple(entry["expect"]),
        kind=kind,
        wish=entry.get("wish", False),
        unknown=tuple(entry.get("unknown", ())),
    )


def _forms(catalog: Catalog) -> dict[str, tuple[str, str, bool]]:
    forms: dict[str, tuple[str, str, bool]] = {}
    for attribute, labels in catalog.labels.items():
        name = attribute.replace("_", " ").removesuffix("s")
        forms |= {f"@{name}": (attribute, "", False), f"@{plural(name)}": (attribute, "", True)}
        for value in labels.names:
            for form in (value.casefold(), value.casefold().replace("-", " ")):
                forms |= {form: (attribute, value, False), plural(form): (attribute, value, True)}
    return forms


def _meaning(mark: re.Match, forms: dict[str, tuple[str, str, bool]]) -> tuple[str, str, bool]:
    form = mark[1] + (mark[3] or mark[2]).casefold()
    if form not in forms:
        raise ValueError(f"no value or attribute: {mark[0]}")
    return forms[form]


def _renamed(condition: str, new: Renamed) -> str:
    if condition.startswith(("like: ", "unlike: ")):
        return condition
    quota = QUOTA.fullmatch(condition)
    if quota:
        return f"{quota[1]} {quota[2]}: " + " & ".join(_renamed(part, new) for part in quota[3].split(" & "))
    label = LABEL.fullmatch(condition)
    if not label:
        return condition
    values = " | ".join(new.values[label[2], value] for value in label[3].split(" | "))
    return f"{label[1] or ''}{new.attributes[label[2]]}: {values}"


def _add(condition: str, catalog: Catalog, found: dict) -> None:
    quota = QUOTA.fullmatch(condition)
    example = re.fullmatch(r"(like|unlike): (.+)", condition)
    if quota:
        low = 0 if quota[1] == "at most" else int(quota[2])
        high = None if quota[1] == "at least" else int(quota[2])
        found["quotas"].add((_merged([_limit(part, catalog) for part in quota[3].split(" & ")]), low, high))
    elif example:
        ids = {item for item, title in zip(catalog.item_ids, catalog.titles, strict=True) if title == example[2]}
        if not ids:
            raise ValueError(f"no such title: {condition}")
        found[example[1]] |= ids
    elif condition in ("new", "known"):
        found["seen"] = condition
    elif re.fullmatch(r"n = \d+", condition):
        found["n"] = int(condition[4:])
    else:
        found["limits"].append(_limit(condition, catalog))


def _limit(condition: str, catalog: Catalog) -> Limit:
    label = LABEL.fullmatch(condition)
    if label:
        values = tuple(label[3].split(" | "))
        if label[2] not in catalog.labels or not set(values) <= set(catalog.labels[label[2]].names):
            raise ValueError(f"no such attribute or value: {condition}")
        return Limit(attribute=label[2], operator="exclude" if label[1] else "include", values=values)
    span, bound = RANGE.fullmatch(condition), BOUND.fullmatch(condition)
    match = span or bound
    if not match or match[1] not in catalog.numbers:
        raise ValueError(f"no condition: {condition}")
    if span:
        low, high = (float(end) if end else None for end in (span[2], span[3]))
    else:
        low, high = _ends(bound[2], float(bound[3]), catalog.numbers[bound[1]])
    return Limit(attribute=match[1], operator="range", low=low, high=high)


def _ends(sign: str, number: float, known: np.ndarray) -> tuple[float | None, float | None]:
    """Low and high of a bound; a strict one is the next whole number where all known numbers are whole, else the next float."""
    known = known[~np.isnan(known)]
    if sign == "<":
        return None, math.ceil(number) - 1.0 if np.all(known == np.floor(known)) else math.nextafter(number, -math.inf)
    if sign == ">":
        return math.floor(number) + 1.0 if np.all(known == np.floor(known)) else math.nextafter(number, math.inf), None
    return (None, number) if sign == "<=" else (number, None)


def _merged(limits: Iterable[Limit]) -> frozenset[tuple]:
    out: set[tuple] = set()
    excluded: dict[str, set[str]] = {}
    ranges: dict[str, tuple[float, float]] = {}
    for limit in limits:
        if limit.operator == "include":
            out.add(("include", limit.attribute, frozenset(limit.values)))
        elif limit.operator == "exclude":
            excluded.setdefault(limit.attribute, set()).update(limit.values)
        else:
            low, high = ranges.get(limit.attribute, (-math.inf, math.inf))
            ranges[limit.attribute] = (
                low if limit.low is None else max(low, limit.low),
                high if limit.high is None else min(high, limit.high),
            )
    out |= {("exclude", attribute, frozenset(values)) for attribute, values in excluded.items()}
    return frozenset(out | {("range", attribute, low, high) for attribute, (low, high) in ranges.items()})


__all__ = ["KINDS", "PARTS", "SHELVES", "Hard", "Sentence", "expected", "load", "marks", "rename"]
