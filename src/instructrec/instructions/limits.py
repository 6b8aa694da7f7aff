"""Limits and whole instructions as JSON objects, checked field by field."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from instructrec.core import Instruction, Quota
from instructrec.errors import QueryError, nearest
from instructrec.plain import whole
from instructrec.tables import Catalog, ItemId, Limit

_OPERATORS = ("include", "exclude", "range")
_FIELDS = {"include": ("attribute", "operator", "values"), "range": ("attribute", "operator", "low", "high")}
_KEYS = ("limits", "quotas", "like", "unlike", "seen", "n", "wish")
_QUOTA = ("limits", "at_least", "at_most")
_SEEN = ("", "new", "known")
MOST, MOST_ENTRIES, MOST_QUOTAS = 1_000_000, 1_000, 50
"""Items that an instruction can ask for, entries of one of its lists, and quotas that a list can be made under, at most."""


def limits_to_json(limits: Sequence[Limit]) -> list[dict[str, Any]]:
    """One object a limit: attribute, operator, and `values` or the bounds `low` and `high` (None: open)."""
    return [_to_json(limit) for limit in limits]


def limits_from_json(obj: object, catalog: Catalog) -> tuple[Limit, ...]:
    """Check and read what `limits_to_json` writes.

    Raises QueryError that names the field ("limits[2].values[0]"), what came and the nearest thing the catalog has.
    """
    return _limits(obj, "limits", catalog)


def instruction_to_json(instruction: Instruction) -> dict[str, Any]:
    """What an instruction asks for, as one object: limits, quotas, like, unlike, seen, n and wish."""
    return {
        "limits": limits_to_json(instruction.limits),
        "quotas": [
            {"limits": limits_to_json(quota.limits), "at_least": quota.at_least, "at_most": quota.at_most}
            for quota in instruction.quotas
        ],
        "like": list(instruction.like),
        "unlike": list(instruction.unlike),
        "seen": instruction.seen,
        "n": instruction.n,
        "wish": instruction.wish,
    }


def instruction_from_json(obj: object, catalog: Catalog) -> Instruction:
    """Check and read what `instruction_to_json` writes; every key may be left out. The wish is also its text.

    Raises QueryError that names the field ("quotas[1].limits[0].values[0]"), what came and the nearest thing the catalog has.
    """
    if not isinstance(obj, Mapping):
        raise QueryError(f"The instruction is {_kind(obj)}, but an object was expected. Its keys: {', '.join(_KEYS)}.")
    _only(obj, _KEYS, "The instruction")
    wish, seen = obj.get("wish") or "", obj.get("seen") or ""
    if not isinstance(wish, str):
        raise QueryError(f"wish is {_kind(wish)}, but words were expected.")
    if not isinstance(seen, str) or seen not in _SEEN:
        raise QueryError(f"seen is {seen!r}, but must be new, known or empty.{nearest(str(seen), _SEEN[1:])}")
    return Instruction(
        text=wish,
        limits=_limits(obj.get("limits") or (), "limits", catalog),
        quotas=tuple(
            _quota(entry, f"quotas[{place}]", catalog) for place, entry in _list(obj.get("quotas"), "quotas", MOST_QUOTAS)
        ),
        like=_items(obj.get("like"), "like", catalog),
        unlike=_items(obj.get("unlike"), "unlike", catalog),
        seen=seen,  # type: ignore[arg-type]
        n=_whole(obj.get("n"), "n", lowest=1),
        wish=wish,
    )


def _limits(obj: object, where: str, catalog: Catalog) -> tuple[Limit, ...]:
    if not isinstance(obj, (list, tuple)):
        raise QueryError(f"{where} is {_kind(obj)}, but a list of objects was expected. Use [] for no limits.")
    return tuple(_from_json(entry, f"{where}[{place}]", catalog) for place, entry in _list(obj, where))


def _quota(entry: object, where: str, catalog: Catalog) -> Quota:
    if not isinstance(entry, Mapping):
        raise QueryError(f"{where} is {_kind(entry)}, but an object with limits, at_least and at_most was expected.")
    _only(entry, _QUOTA, where)
    limits = _limits(entry.get("limits"), f"{where}.limits", catalog)
    if not limits:
        raise QueryError(f"{where}.limits is empty, so nothing says which items to count. Give at least one limit.")
    low = _whole(entry.get("at_least"), f"{where}.at_least", lowest=0)
    high = _whole(entry.get("at_most"), f"{where}.at_most", lowest=0)
    if low is None and high is None:
        raise QueryError(f"{where} has neither at_least nor at_most. Give at least one number.")
    if low is not None and high is not None and low > high:
        raise QueryError(f"{where}.at_least is {low} and above at_most, {high}. Swap them.")
    return Quota(limits=limits, at_least=low or 0, at_most=high)


def _items(obj: object, where: str, catalog: Catalog) -> tuple[ItemId, ...]:
    for place, item in _list(obj, where):
        if not isinstance(item, str) or item not in catalog.index:
            hint = nearest(item, catalog.index) if isinstance(item, str) else ""
            raise QueryError(f"{where}[{place}] is {item!r}, but an item id of the catalog was expected.{hint}")
    return tuple(str(item) for _, item in _list(obj, where))


def _list(obj: object, where: str, most: int = MOST_ENTRIES) -> list[tuple[int, object]]:
    if obj is not None and not isinstance(obj, (list, tuple)):
        raise QueryError(f"{where} is {_kind(obj)}, but a list was expected. Use [] for none.")
    if obj and len(obj) > most:
        raise QueryError(f"{where} has {len(obj):,} entries, but at most {most:,} are read. Leave out the others.")
    return list(enumerate(obj or ()))


def _whole(value: object, where: str, *, lowest: int) -> int | None:
    value = whole(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= MOST:
        raise QueryError(f"{where} is {value!r:.80}, but a whole number from {lowest} to {MOST:,} or null was expected.")
    return value


def _only(obj: Mapping[Any, Any], known: Sequence[str], where: str) -> None:
    for name in obj:
        if name not in known:
            raise QueryError(
                f"{where} has a field {name!r} that is not known. Known: {', '.join(known)}.{nearest(str(name), known)}"
            )


def _to_json(limit: Limit) -> dict[str, Any]:
    if limit.operator == "range":
        return {"attribute": limit.attribute, "operator": "range", "low": limit.low, "high": limit.high}
    return {"attribute": limit.attribute, "operator": limit.operator, "values": list(limit.values)}


def _from_json(entry: object, where: str, catalog: Catalog) -> Limit:
    if not isinstance(entry, Mapping):
        raise QueryError(f"{where} is {_kind(entry)}, but an object with attribute and operator was expected.")
    operator = entry.get("operator")
    if not isinstance(operator, str) or operator not in _OPERATORS:
        hint = nearest(str(operator), _OPERATORS)
        raise QueryError(f"{where}.operator is {operator!r}, but must be one of {', '.join(_OPERATORS)}.{hint}")
    allowed = _FIELDS["range" if operator == "range" else "include"]
    for name in entry:
        if name not in allowed:
            hint = nearest(str(name), allowed)
            raise QueryError(
                f"{where} has a field {name!r} that a limit '{operator}' does not have. Known: {', '.join(allowed)}.{hint}"
            )
    known = tuple(catalog.quantities if operator == "range" else catalog.labels)
    attribute = entry.get("attribute")
    if not isinstance(attribute, str) or attribute not in known:
        hint = nearest(str(attribute), known)
        raise QueryError(
            f"{where}.attribute is {attribute!r}; for '{operator}' the catalog has: {', '.join(known) or 'none'}.{hint}"
        )
    return _range(entry, where) if operator == "range" else _labels(entry, where, catalog)


def _labels(entry: Mapping[str, Any], where: str, catalog: Catalog) -> Limit:
    values, attribute = entry.get("values"), entry["attribute"]
    if not isinstance(values, (list, tuple)) or not values:
        raise QueryError(f"{where}.values is {_kind(values)}, but a list of at least one value of {attribute} was expected.")
    known = catalog.labels[attribute]
    for place, value in enumerate(values):
        if not isinstance(value, str) or value not in known.index:
            raise QueryError(f"{where}.values[{place}]: no item has {attribute} {value!r}.{nearest(str(value), known.index)}")
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
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise QueryError(f"{where} is {value!r}, but a finite number or null was expected.")
    return float(value)


def _kind(value: object) -> str:
    if value is None:
        return "missing"
    return "empty" if value in ([], {}, ()) else f"a {type(value).__name__}"
