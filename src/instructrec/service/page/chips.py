"""What was understood of the words as parts that can be taken away one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from instructrec.errors import QueryError
from instructrec.instructions import clauses_of, instruction_from_json
from instructrec.tables import Catalog

Turn = Mapping[str, Any]
_PARTS = ("limits", "quotas", "like", "unlike")


@dataclass(frozen=True, slots=True)
class Chip:
    """One condition in words, and what holds without it (JSON of an instruction, with an empty `text`)."""

    label: str
    rest: Turn


def chips_of(turn: Turn, catalog: Catalog, language: str, *, wish: str) -> list[Chip]:
    """The conditions of one turn of a dialogue. `wish`: how a wish is said, with {wish} in it.

    Raises QueryError for a turn that the catalog cannot have.
    """
    held = {key: value for key, value in turn.items() if key != "text"}
    whole = instruction_from_json(held, catalog)
    found = [Chip(_said(part, catalog, language), {**held, **rest, "text": ""}) for part, rest in _parts(held)]
    if whole.wish:
        found.append(Chip(wish.replace("{wish}", whole.wish), {**held, "wish": "", "text": ""}))
    return found


def _parts(held: Turn) -> Iterator[tuple[Turn, Turn]]:
    """Each condition alone, and what changes where it is taken away; values that are ruled out go one by one."""
    if held.get("n"):
        yield {"n": held["n"]}, {"n": None}
    for name in _PARTS:
        rows = list(held.get(name) or ())
        for place, row in enumerate(rows):
            others = [*rows[:place], *rows[place + 1 :]]
            if name == "limits" and row["operator"] == "exclude" and len(row["values"]) > 1:
                for value in row["values"]:
                    left = {**row, "values": [one for one in row["values"] if one != value]}
                    yield {name: [{**row, "values": [value]}]}, {name: [*rows[:place], left, *rows[place + 1 :]]}
            else:
                yield {name: [row]}, {name: others}
    if held.get("seen"):
        yield {"seen": held["seen"]}, {"seen": ""}


def _said(part: Turn, catalog: Catalog, language: str) -> str:
    return ", ".join(clauses_of(instruction_from_json(part, catalog), language, catalog=catalog))


def without(turn: Turn, place: int, catalog: Catalog, language: str) -> Turn:
    """What holds without the condition at a place of `chips_of`. Raises QueryError where there is none."""
    found = chips_of(turn, catalog, language, wish="{wish}")
    if not 0 <= place < len(found):
        raise QueryError(f"There is no condition number {place + 1} (any more). Open the page again.")
    return found[place].rest
