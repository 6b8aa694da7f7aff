"""A conversation about lists: its state is a file that people can read and edit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from instructrec.errors import QueryError
from instructrec.files import write_atomic
from instructrec.instructions import Dialogue
from instructrec.pipeline.answering import Request, answer, reader_of
from instructrec.runs import Run


def converse(run: Run, request: Request, state: Path, *, explained: bool = True) -> dict[str, Any]:
    """Say the words of the request in the conversation that `state` holds, answer to all that holds now, and keep both.

    A file that is not there begins a conversation; without words the standing instruction is answered again. The file holds `turns`
    (what held after each sentence; the last one counts) and `shown` (item ids of the last list). Raises QueryError for a file that
    is no conversation, and leaves it as it was.
    """
    language = request.language or run.config.language
    dialogue, shown = _read(state, run)
    if request.instruction.strip():
        lm = reader_of(run, request)
        dialogue = dialogue.say(request.instruction, run.catalog, language=language, shown=shown, n=request.n, lm=lm)
    found = answer(run, replace(request, instruction="", standing=dialogue.standing), explained=explained)
    listed = [item["item_id"] for item in found["items"]]
    content = {"turns": dialogue.to_json(run.catalog), "shown": listed}
    write_atomic(state, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    return found


def _read(state: Path, run: Run) -> tuple[Dialogue, list[str]]:
    if not state.exists():
        return Dialogue(), []
    try:
        content = json.loads(state.read_text(encoding="utf-8"))
        turns, shown = content["turns"], [str(item) for item in content.get("shown", ())]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise QueryError(
            f"'{state}' is no conversation ({problem}). It must be a JSON object with `turns`; name a new file to begin one."
        ) from None
    return Dialogue.from_json(turns, run.catalog), shown
