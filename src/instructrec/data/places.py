"""Finding the files of a folder, plain or gzipped."""

from __future__ import annotations

from pathlib import Path

from instructrec.data.readers import PARQUET_SUFFIXES, SUFFIXES, suffix_of
from instructrec.errors import DataError


def has(folder: Path, name: str) -> bool:
    """Whether the folder holds this file, plain or with .gz."""
    return (folder / name).is_file() or (folder / f"{name}.gz").is_file()


def beside(folder: Path, name: str) -> Path:
    """The file of that name, plain or with .gz."""
    plain = folder / name
    return plain if plain.is_file() else folder / f"{name}.gz"


def is_parts(path: Path) -> bool:
    """Whether a path is a folder of Parquet files that are one table together, as Spark and others write it."""
    return path.is_dir() and suffix_of(path) in PARQUET_SUFFIXES


def parts_of(folder: Path) -> list[Path]:
    """The Parquet files of a folder and of those inside, by name; what begins with "." or "_" is no data."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and suffix_of(path) in PARQUET_SUFFIXES]
    return [path for path in found if not any(name[0] in "._" for name in path.relative_to(folder).parts)]


def table_named(folder: Path, stems: tuple[str, ...]) -> Path | None:
    """The one table whose name without suffixes is among the stems. Raises DataError when there are several."""
    found = [
        path
        for path in sorted(folder.iterdir())
        if (path.is_file() or is_parts(path))
        and suffix_of(path) in SUFFIXES
        and path.name.lower().removesuffix(".gz").rsplit(".", 1)[0] in stems
    ]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise DataError(f"{folder} holds several tables of the same meaning: {names}. Keep one, or give the file itself.")
    return found[0] if found else None
