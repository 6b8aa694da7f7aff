"""Limits in other forms: as JSON objects, checked field by field, and as words that `parse` reads back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from instructrec.errors import QueryError, nearest
from instructrec.instructions.lexicon import LANGUAGES, Lexicon, lexicon
from instructrec.instructions.tokens import keys
from instructrec.tables import Catalog, Limit

_OPERATORS = ("include", "exclude", "range")
_FIELDS = {"include": ("attribute", "operator", "values"), "range": ("attribute", "operator", "low", "high")}


def limits_to_json(limits: Sequence[Limit]) -> list[dict[str, Any]]:
    """One object a limit: attribute, operator, and `values` or the bounds `low` and `high` (None: open)."""
    return [_to_json(limit) for limit in limits]


def limits_from_json(obj: object, catalog: Catalog) -> tuple[Limit, ...]:
    """Check and read what `limits_to_json` writes.

    Raises QueryError that names the field ("limits[2].values[0]"), what came and the nearest thing the catalog has.
    """
    if not isinstance(obj, (list, tuple)):
        raise QueryError(f"limits is {_kind(obj)}, but a list of objects was expected. Use [] for no limits.")
    return tuple(_from_json(entry, f"limits[{place}]", catalog) for place, entry in enumerate(obj))


def describe(limits: Sequence[Limit], language: str = "en") -> str:
    """Limits in words, one clause each: "genres: Comedy or Drama; year: 1990 to 1999; genres: not Romance".

    `parse` of the result gives the same limits. Raises QueryError for a language without wording.
    """
    words = lexicon(language)
    if words is None:
        raise QueryError(
            f"There are no words for language '{language}'. Known: {', '.join(LANGUAGES)}.{nearest(language, LANGUAGES)}"
        )
    return words.describe["next"].join(_described(limit, words) for limit in limits)


def _to_json(limit: Limit) -> dict[str, Any]:
    if limit.operator == "range":
        return {"attribute": limit.attribute, "operator": "range", "low": limit.low, "high": limit.high}
    return {"attribute": limit.attribute, "operator": limit.operator, "values": list(limit.values)}


def _from_json(entry: object, where: str, catalog: Catalog) -> Limit:
    if not isinstance(entry, Mapping):
        raise QueryError(f"{where} is {_kind(entry)}, but an object with attribute and operator was expected.")
    operator = entry.get("operator")
    if operator not in _OPERATORS:
        hint = nearest(str(operator), _OPERATORS)
        raise QueryError(f"{where}.operator is {operator!r}, but must be one of {', '.join(_OPERATORS)}.{hint}")
    allowed = _FIELDS["range" if operator == "range" else "include"]
    for name in entry:
        if name not in allowed:
            hint = nearest(str(name), allowed)
            raise QueryError(
                f"{where} has a field {name!r} that a limit '{operator}' does not have. Known: {', '.join(allowed)}.{hint}"
            )
    known = tuple(catalog.numbers if operator == "range" else catalog.labels)
    attribute = entry.get("attribute")
    if attribute not in known:
        hint = nearest(str(attribute), known)
        raise QueryError(
            f"{where}.attribute is {attribute!r}; for '{operator}' the catalog has: {', '.join(known) or 'none'}.{hint}"
        )
    return _range(entry, where) if operator == "range" else _labels(entry, where, catalog)


def _labels(entry: Mapping[str, Any], where: str, catalog: Catalog) -> Limit:
    values, attribute = entry.get("values"), entry["attribute"]
    if not isinstance(values, (list, tuple)) or not values:
        raise QueryError(f"{where}.values is {_kind(values)}, but a list of at least one value of {attribute} was expected.")
    names = catalog.labels[attribute].names
    for place, value in enumerate(values):
        if value not in names:
            raise QueryError(f"{where}.values[{place}]: no item has {attribute} {value!r}.{nearest(str(value), names)}")
    return Limit(attribute=attribute, operator=entry["operator"], values=tuple(values))


def _range(entry: Mapping[str, Any], where: str) -> Limit:
    low, high = (_bound(entry.get(name), f"{where}.{name}") for name in ("low", "high"))
    if low is None and high is None:
        raise QueryError(f"{where} has neither low nor high. Give at least one number.")
    if low is not None and high is not None and low > high:
        raise QueryError(f"{where}.low is {low:g} and above high, {high:g}. Swap them.")
    return Limit(attribute=entry["attribute"], operator="range", low=low, high=high)


def _bound(value: object, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise QueryError(f"{where} is {value!r}, but a finite number or null was expected.")
    return float(value)


def _kind(value: object) -> str:
    if value is None:
        return "missing"
    return "empty" if value in ([], {}, ()) else f"a {type(value).__name__}"


def _described(limit: Limit, words: Lexicon) -> str:
    attribute, templates = limit.attribute.replace("_", " "), words.describe
    if limit.operator != "range":
        values = templates["either"].join(_quoted(value, words) for value in limit.values)
        return templates[limit.operator].format(attribute=attribute, values=values)
    low, high = limit.low, limit.high
    if low is not None and high is not None:
        form = "exact" if low == high else "between"
    elif low is not None:
        low, form = (_strict(low, -1), "more") if _strict(low, -1) is not None else (low, "low")
    else:
        assert high is not None or low is None
        high, form = (_strict(high, 1), "less") if high is not None and _strict(high, 1) is not None else (high, "high")
    return templates[form].format(attribute=attribute, low=_number(low), high=_number(high))


def _strict(bound: float, direction: int) -> float | None:
    """The short number that a bound lies just beyond, if it does: 10.000000000000002 is "more than 10"."""
    inside = math.nextafter(bound, direction * math.inf)
    return inside if len(repr(inside)) + 6 < len(repr(bound)) else None


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")


def _quoted(value: str, words: Lexicon) -> str:
    """A value as it stands, in quotation marks where its words could be taken for something else."""
    plain = all(key.isalpha() and key not in words.strong_words for key in keys(value))
    return value if plain else words.describe["quote"].format(value=value)
