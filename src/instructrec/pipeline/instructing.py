"""From interactions to instruction data in a file: every cell of `instructions.cells`, items by title, for any trainer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from instructrec.core import Progress, Silent
from instructrec.errors import ConfigError, RunError
from instructrec.files import write_pieces
from instructrec.instructions.cells import CELLS, CellWriter, Draft, Moment
from instructrec.instructions.phrasing import Phrasing, held_out_values
from instructrec.instructions.records import RecordWriter, known_format
from instructrec.instructions.teacher import SaidKind, Teacher
from instructrec.lm.endpoint import Endpoint
from instructrec.pipeline.training import Prepared
from instructrec.tables import Dataset

BLOCK = 64
"""Examples that are written, and said by a teacher, at a time."""
TRIES = 20
"""Moments that are tried before an example is left out, because none allows its cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What instruction data is written. `codes`: item codes behind titles; `max_history`: items of a history that are written."""

    kind: str = "trl"
    language: str = "en"
    seed: int = 0
    count: int = 10_000
    codes: bool = False
    max_history: int = 50
    hold_out_values: bool = False

    def __post_init__(self) -> None:
        if self.count < 1 or self.max_history < 1:
            raise ConfigError(f"count is {self.count} and max_history {self.max_history}, but both must be 1 or more.")


@dataclass(slots=True, kw_only=True)
class Written:
    """What was written: examples by cell, how many were left out because the data lacks what their cell needs, and the teacher's
    part (none: no teacher).
    """

    path: Path
    cells: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    teacher: dict[str, Any] | None = None

    @property
    def examples(self) -> int:
        """How many examples the file holds."""
        return sum(self.cells.values())

    def to_json(self) -> dict[str, Any]:
        """As one JSON object."""
        cells = {cell.name: self.cells[cell.name] for cell in CELLS}
        return {
            "path": str(self.path),
            "examples": self.examples,
            "left_out": self.left_out,
            "cells": cells,
            "teacher": self.teacher,
        }


def write_instructions(
    prepared: Prepared,
    out: Path,
    options: ExportOptions = ExportOptions(),
    *,
    teacher: Endpoint | None = None,
    progress: Progress = Silent(),
) -> Written:
    """Write examples of all cells in turn, made of the training part alone; equal options give equal bytes.

    What a teacher says is kept in `OUT.teacher` beside the file, so that an interrupted call goes on without asking again.
    """
    if out.is_dir():
        raise RunError(f"{out} is a folder, but one file is to be written. Give the name of a file, such as {out / 'data.jsonl'}.")
    asked = None if teacher is None else teacher_at(teacher, out, options.language)
    made = _Maker(prepared.split.train, options, asked)
    written = Written(path=out)
    write_pieces(out, made.blocks(written, progress))
    if teacher is not None and made.teacher is not None:
        told, spent = asdict(made.teacher.told), asdict(teacher.spent)
        written.teacher = {"model": teacher.config.model, "sentences": told, **spent}
    return written


def teacher_at(endpoint: Endpoint, out: Path, language: str) -> Teacher:
    """A teacher that keeps what it said beside the file that is made with it."""
    place = out.with_name(out.name + ".teacher")
    return Teacher(endpoint, place, name=endpoint.config.model, language=language, at_once=endpoint.config.at_once)


class _Maker:
    """Draws moments of the training histories and writes what is asked at them."""

    def __init__(self, train: Dataset, options: ExportOptions, teacher: Teacher | None) -> None:
        kind = known_format(options.kind)
        unsaid = held_out_values(train.catalog) if options.hold_out_values else ()
        self.phrasing = Phrasing(train.catalog, options.language, unsaid=unsaid)
        self.train, self.options, self.teacher = train.interactions, options, teacher
        self.cells = CellWriter(self.phrasing, popular=train.interactions.items)
        self.records = RecordWriter(phrasing=self.phrasing, kind=kind, codes=options.codes)

    def blocks(self, written: Written, progress: Progress) -> Iterator[bytes]:
        """JSON lines, some at a time."""
        progress.stage("write instructions", total=self.options.count)
        for start in range(0, self.options.count, BLOCK):
            stop = min(start + BLOCK, self.options.count)
            made = [self._one(number) for number in range(start, stop)]
            found = [each for each in made if each is not None]
            written.left_out += len(made) - len(found)
            drafts = self._taught([draft for draft, _ in found])
            written.cells.update(draft.cell.name for draft in drafts)
            records = [self.records.record(draft, opening) for draft, (_, opening) in zip(drafts, found, strict=True)]
            yield "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()
            progress.step(stop)

    def _one(self, number: int) -> tuple[Draft, str] | None:
        """Example `number` and the words before its history: a function of the seed and the number alone."""
        rng = np.random.default_rng([self.options.seed, number])
        for _ in range(TRIES):
            draft = self.cells.draft(CELLS[number % len(CELLS)], self._moment(rng), rng)
            if draft is not None:
                return draft, self.phrasing.pick("history", rng)
        return None

    def _moment(self, rng: np.random.Generator) -> Moment:
        """Any interaction of training, with what came before it."""
        row = int(rng.integers(len(self.train)))
        start = int(self.train.offsets[int(self.train.users[row])])
        before = self.train.items[max(start, row - self.options.max_history) : row]
        taken = frozenset(self.train.history(int(self.train.users[row])).tolist())
        return Moment(before=before.tolist(), target=int(self.train.items[row]), taken=taken)

    def _taught(self, drafts: list[Draft]) -> list[Draft]:
        """The drafts with taste and wish in the words of the teacher, where there is one."""
        if self.teacher is None:
            return drafts
        asked: list[tuple[SaidKind, str]] = []
        for draft in drafts:
            asked += [("preference", draft.preference)] if draft.preference else []
            asked += [("vague" if draft.cell.intention == "I1" else "specific", draft.intention)] if draft.intention else []
        said = iter(self.teacher.rewrite(asked))
        return [
            replace(
                draft,
                preference=next(said) if draft.preference else "",
                intention=next(said) if draft.intention else "",
            )
            for draft in drafts
        ]
