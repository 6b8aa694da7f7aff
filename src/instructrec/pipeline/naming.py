"""From a catalog to a table of further names for its values, written by a teacher and open to anybody's pen."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from instructrec.config import RunConfig
from instructrec.core import Progress, Silent
from instructrec.data import load
from instructrec.data.naming import COLUMNS
from instructrec.errors import ModelError, RunError
from instructrec.files import write_atomic
from instructrec.instructions.synonyms import suggested_names
from instructrec.instructions.vocabulary import Ref
from instructrec.lm.endpoint import Endpoint
from instructrec.pipeline.instructing import teacher_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A table of names that was written: how many, for how many values, and what the teacher was asked and cost."""

    path: Path
    names: int
    values: int
    teacher: Mapping[str, Any]


def write_names(
    config: RunConfig, out: Path, teacher: Endpoint, *, language: str = "en", most: int = 300, progress: Progress = Silent()
) -> Named:
    """Ask the teacher what people call the `most` commonest values of the catalog, and write the table that `load` reads.

    Answers are kept in `OUT.teacher`, so that an interrupted call goes on without asking again. Raises RunError where OUT exists,
    and ModelError where no answer came.
    """
    if out.exists():
        raise RunError(f"{out} exists already, and somebody may have edited it. Give another --out, or move it away first.")
    catalog = load(config.data.source, options=config.data.options, cleaning=config.cleaning, progress=progress).dataset.catalog
    asked = teacher_at(teacher, out, language)
    found = suggested_names(catalog, asked, most=most, progress=progress)
    if asked.told.failed and not asked.told.new + asked.told.kept:
        raise ModelError(f"The teacher at {teacher.config.url} gave no answer to {asked.told.failed} questions. Is it running?")
    write_atomic(out, _table(found))
    told = {"model": teacher.config.model, "values": asdict(asked.told), **asdict(teacher.spent)}
    return Named(path=out, names=sum(map(len, found.values())), values=len(found), teacher=told)


def _table(found: Mapping[Ref, tuple[str, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((ref.attribute, ref.value, name) for ref, names in found.items() for name in names)
    return text.getvalue()
