"""Questions as text for other trainers: items by title, one JSON object an example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from instructrec.core import Piece
from instructrec.errors import QueryError, nearest
from instructrec.instructions.cells import Draft
from instructrec.instructions.phrasing import Phrasing
from instructrec.instructions.render import form_pieces, joined

RecordFormat: TypeAlias = Literal["trl", "llamafactory", "plain"]
FORMATS: tuple[RecordFormat, ...] = get_args(RecordFormat)


def known_format(name: str) -> RecordFormat:
    """The format of that name. Raises QueryError for one that does not exist."""
    for each in FORMATS:
        if each == name:
            return each
    raise QueryError(f"There is no format '{name}' of instruction data.{nearest(name, FORMATS)} Known: {', '.join(FORMATS)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordWriter:
    """Turns drafts into JSON objects; with `codes`, `<item_7>` stands behind each title (7: the row of the item in the catalog).

    trl: "prompt" and "completion". llamafactory: "instruction", "input" (the history) and "output", as Alpaca has them. plain:
    every part under its own name, with the ids of items.
    """

    phrasing: Phrasing
    kind: RecordFormat
    codes: bool = False

    def record(self, draft: Draft, opening: str) -> dict[str, Any]:
        """One example; `opening` stands before the history, if the question may see one."""
        history = self._list(draft.history)
        context = f"{opening} {history}" if history else ""
        question, answer = self._question(draft), self._answer(draft)
        if self.kind == "trl":
            return {"prompt": "\n".join([part for part in (context, question) if part] + [""]), "completion": answer}
        if self.kind == "llamafactory":
            return {"instruction": question, "input": context, "output": answer}
        return {
            "cell": draft.cell.name,
            "history": self._ids(draft.history),
            "context": context,
            "preference": draft.preference,
            "intention": draft.intention,
            "candidates": self._ids(draft.candidates),
            "question": question,
            "answer": answer,
            "answer_id": None if draft.target is None else self.phrasing.catalog.item_ids[draft.target],
        }

    def _question(self, draft: Draft) -> str:
        forms = self.phrasing.forms
        said = joined([part for part in (draft.preference, draft.intention) if part], forms)
        items: list[Piece] = [self._item(code) for code in draft.candidates]
        if draft.cell.form == "reranking":
            items = [self._list(draft.candidates)]
        return "".join(map(str, form_pieces(draft.cell.form, said, items, sentence=draft.sentence, forms=forms)))

    def _answer(self, draft: Draft) -> str:
        return draft.completion if draft.target is None else self._item(draft.target)

    def _item(self, code: int) -> str:
        return f"{self.phrasing.title(code)} <item_{code}>" if self.codes else self.phrasing.title(code)

    def _list(self, items: Sequence[int]) -> str:
        return self.phrasing.forms.listing.join(self._item(code) for code in items)

    def _ids(self, items: Sequence[int]) -> list[str]:
        return [self.phrasing.catalog.item_ids[code] for code in items]
