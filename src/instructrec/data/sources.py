"""The door for data: a known name, a folder or a file becomes a cleaned Dataset and a report of what was done to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from instructrec import assets
from instructrec.core import Progress, Silent
from instructrec.data import amazon, amazon_raw, movielens, recbole, sequences, synthetic
from instructrec.data.assembly import assemble, need_people
from instructrec.data.cleaning import GENTLE, CleaningConfig, clean
from instructrec.data.naming import with_names
from instructrec.data.options import AS_FOUND, LoadOptions
from instructrec.data.pieces import read_log
from instructrec.data.places import parts_of, table_named
from instructrec.data.raw import Items, Log, Note, Raw
from instructrec.data.readers import SUFFIXES, parquet_columns, read_table, suffix_of
from instructrec.data.report import CleaningReport
from instructrec.data.tabular import items_of, need_rows
from instructrec.data.written import with_reviews
from instructrec.errors import DataError, nearest
from instructrec.tables import Dataset

DATA_FOLDER_VARIABLE = "INSTRUCTREC_DATA"
"""Environment variable: a folder that holds known data sets by name."""

_Reader: TypeAlias = Callable[[Path, LoadOptions], Raw]
_LOG_STEMS = ("interactions", "ratings", "events")
_REVIEW_STEMS = ("reviews",)
_NAME_STEMS = ("names",)
_ITEM_STEMS = ("items", "item", "products", "movies", "catalog", "metadata")


@dataclass(frozen=True, slots=True)
class FolderFormat:
    """One kind of folder: how to recognise it, and how to read it. A new source is one row in FOLDER_FORMATS."""

    name: str
    recognise: Callable[[Path], bool]
    read: _Reader


FOLDER_FORMATS: tuple[FolderFormat, ...] = (
    FolderFormat("MovieLens 100K in RecBole's files", movielens.is_atomic_100k, movielens.read_atomic_100k),
    FolderFormat("RecBole's atomic files (*.inter)", recbole.is_recbole, recbole.read_recbole),
    FolderFormat("MovieLens 100K (u.data, u.item)", movielens.is_upstream_100k, movielens.read_upstream_100k),
    FolderFormat("MovieLens 1M (ratings.dat or interactions.parquet, movies.dat)", movielens.is_dat, movielens.read_dat),
    FolderFormat("MovieLens latest (ratings.csv, movies.csv)", movielens.is_latest, movielens.read_latest),
    FolderFormat("Amazon 2014 as S3-Rec's sequences (*.s3rec.txt)", amazon.is_s3rec, amazon.read_s3rec),
    FolderFormat("Amazon 2018 as MiniOneRec's (*.item.json, *.sequences.parquet)", amazon.is_minionerec, amazon.read_minionerec),
    FolderFormat("Amazon 2014, 2018 or 2023 as published (reviews or ratings, meta_*)", amazon_raw.is_raw, amazon_raw.read_raw),
)
"""Asked in order; the first that recognises a folder reads it. A folder that none knows is read as plain tables."""

FOLDER_NAMES = (
    "ml-1m",
    "ml-latest-small",
    "movietweetings",
    "amazon2014-beauty",
    "amazon2018-industrial",
    "amazon2018-gift-cards",
    "amazon2014-musical-instruments",
)
"""Data sets that are known by name but have to lie in $INSTRUCTREC_DATA."""

SHORT_NAMES: Mapping[str, str] = {"beauty": "amazon2014-beauty", "industrial": "amazon2018-industrial"}
"""Other names of some of them, as long as nothing in the current folder is called so."""

WORLDS: Mapping[str, Callable[[], Dataset]] = {
    "synthetic-checkerboard": synthetic.checkerboard,
    "synthetic-chain": synthetic.chain,
    "synthetic-genres": synthetic.genres,
}
"""Made-up worlds by name."""

NAMES = ("ml-100k", "ml-1m_sas", *FOLDER_NAMES, *SHORT_NAMES, *WORLDS)
"""Every name that `load` knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A cleaned dataset and the report of how it came about."""

    dataset: Dataset
    report: CleaningReport


def load(
    source: str | Path,
    *,
    options: LoadOptions = AS_FOUND,
    cleaning: CleaningConfig = GENTLE,
    progress: Progress = Silent(),
) -> Loaded:
    """Read and clean a data set: a known name (NAMES), a folder, or a file of interactions. The input is never changed.

    Raises DataError (what came, what was wanted, what to do), ConfigError, and AssetError when a download is not possible.
    """
    raw = read(source, options, progress=progress)
    need_rows(raw.log, raw.name)
    log, steps = clean(raw.log, cleaning)
    need_people(raw.name, log, steps)
    dataset, more = assemble(raw.name, log, raw.items, cleaning)
    dataset, noted = _named(dataset, source, options)
    dataset, reviewed = _reviewed(dataset, source, options)
    report = CleaningReport(
        source=raw.name,
        notes=(*raw.notes, *noted, *reviewed),
        steps=(*steps, *more),
        num_read=len(raw.log),
        num_users=len(dataset.interactions.user_ids),
        num_items=len(dataset.catalog),
        num_interactions=len(dataset.interactions),
    )
    return Loaded(dataset=dataset, report=report)


def read(source: str | Path, options: LoadOptions = AS_FOUND, *, progress: Progress = Silent()) -> Raw:
    """Read a source without cleaning it."""
    if isinstance(source, str) and source == "ml-100k":
        return movielens.read_atomic_100k(assets.fetch("ml-100k", progress=progress), options)
    if isinstance(source, str) and source == "ml-1m_sas" and not Path(source).exists():
        return sequences.read_ml_1m_sas(_named_folder("ml-1m"), options)
    if isinstance(source, str) and source in WORLDS:
        return _raw_of(WORLDS[source]())
    name = source if isinstance(source, str) else ""
    name = name if Path(name).exists() else SHORT_NAMES.get(name, name)
    path = _named_folder(name) if name in FOLDER_NAMES else Path(source).expanduser()
    if path.is_dir():
        raw = _with_images_of(path, _read_folder(path, options))
        return replace(raw, name=name) if name in FOLDER_NAMES else raw
    if path.is_file():
        return _read_file(path, options)
    raise DataError(
        f"There is no data '{source}': neither a file or folder nor a known name.{nearest(str(source), NAMES)} "
        f"Known names: {', '.join(NAMES)}. Give a folder with interactions.csv and items.csv, or a file of interactions."
    )


def _with_images_of(folder: Path, raw: Raw) -> Raw:
    """The same, paths of pictures taken from where the folder lies; addresses on the web stay as they are: nothing fetches them."""
    if raw.items is None or not any(raw.items.images):
        return raw
    places = [path if not path or "://" in path else str((folder / path).resolve()) for path in raw.items.images]
    return replace(raw, items=replace(raw.items, images=tuple(places)))


def _named(dataset: Dataset, source: str | Path, options: LoadOptions) -> tuple[Dataset, tuple[Note, ...]]:
    """The dataset with the further names of the options, or of its folder."""
    place = Path(options.names).expanduser() if options.names else None
    if place is None and Path(source).is_dir():
        place = table_named(Path(source), _NAME_STEMS)
    if place is None:
        return dataset, ()
    if not place.is_file():
        raise DataError(f"There is no table of names '{place}'. Give a file with the columns attribute, value and name.")
    catalog, notes = with_names(dataset.catalog, place, options)
    return replace(dataset, catalog=catalog), notes


def _reviewed(dataset: Dataset, source: str | Path, options: LoadOptions) -> tuple[Dataset, tuple[Note, ...]]:
    """The dataset with the reviews of its folder, where reviews are wanted and did not come with the interactions."""
    if not options.reviewers or any(review.text for review in dataset.interactions.reviews):
        return dataset, ()
    place = table_named(Path(source), _REVIEW_STEMS) if Path(source).is_dir() else None
    if place is None:
        raise DataError(
            f"data.options.reviewers is {options.reviewers}, but '{source}' has no reviews. Put reviews.csv (user, item, text) "
            "into its folder, or name a column of the interactions: --set data.options.interaction_columns.review=COLUMN"
        )
    return with_reviews(dataset, place, options)


def _named_folder(name: str) -> Path:
    """The folder of a known data set: $INSTRUCTREC_DATA/<name>, also with a year at the end, or ./<name>."""
    root = os.environ.get(DATA_FOLDER_VARIABLE)
    places = [Path(root) / name, *sorted(Path(root).glob(f"{name}-*"))] if root else []
    found = next((path for path in (*places, Path(name)) if path.is_dir()), None)
    if found is None:
        where = f"{root} (${DATA_FOLDER_VARIABLE})" if root else f"${DATA_FOLDER_VARIABLE}, which is not set,"
        raise DataError(
            f"{name} is not in {where} nor in this folder. It is not fetched for you: get it from its publisher, then give "
            f"its folder, or name the folder {name} and set the variable to the folder that holds it."
        )
    return found


def _read_folder(folder: Path, options: LoadOptions) -> Raw:
    for known in FOLDER_FORMATS:
        if known.recognise(folder):
            return known.read(folder, options)
    log_path, review_path = table_named(folder, _LOG_STEMS), table_named(folder, _REVIEW_STEMS)
    unread = () if log_path is None or review_path is None or options.reviewers else (review_path.name,)
    log_path = log_path or review_path or (folder if _log_parts(folder) else None)
    if log_path is None:
        names = ", ".join(sorted(path.name for path in folder.iterdir())[:12]) or "nothing"
        parted = " Parquet files are one table only where all have the same columns." if len(parts_of(folder)) > 1 else ""
        known_formats = "; ".join(known.name for known in FOLDER_FORMATS)
        raise DataError(
            f"{folder} is not known as a data set. It holds: {names}. Wanted: interactions.csv (or .tsv, .jsonl, .parquet, also a "
            f"folder of Parquet files) and, if there is one, items.csv; or {known_formats}.{parted}"
        )
    raw = _read_file(log_path, options)
    raw = replace(raw, notes=(*raw.notes, *[Note("reviews_unread", {"file": name}) for name in unread]))
    item_path = table_named(folder, _ITEM_STEMS)
    if item_path is None:
        return replace(raw, name=folder.resolve().name)
    items, notes = items_of(read_table(item_path, options), options)
    kept = tuple(note for note in raw.notes if note.key != "no_items_table")
    return Raw(name=folder.resolve().name, log=raw.log, items=items, notes=(*kept, *notes))


def _log_parts(folder: Path) -> list[Path]:
    """The Parquet files of a folder of interactions, but for tables with names of their own; none if their columns differ."""
    named = {table_named(folder, stems) for stems in (_ITEM_STEMS, _NAME_STEMS, _REVIEW_STEMS)}
    found = [path for path in parts_of(folder) if named.isdisjoint((path, *path.parents))]
    return found if len({parquet_columns(path) for path in found}) == 1 else []


def _read_file(path: Path, options: LoadOptions) -> Raw:
    """The interactions of a file, or of the Parquet files of a folder."""
    if path.is_dir():
        log, notes = read_log(parts_of(path) if suffix_of(path) in SUFFIXES else _log_parts(path), options)
        return Raw(name=path.name.split(".")[0], log=log, notes=(*notes, Note("no_items_table")))
    if suffix_of(path) == ".inter":
        return recbole.read_recbole_file(path, options)
    if suffix_of(path) not in SUFFIXES:
        raise DataError(f"{path.name} has no known format. Known: {', '.join(SUFFIXES)} (each also with .gz), or a folder.")
    if sequences.is_sequences(path, options):
        return sequences.read_sequences(path, options)
    if amazon_raw.is_ratings(path):
        return amazon_raw.read_reviews(path, options)
    log, notes = read_log([path], options, header=options.header)
    return Raw(name=path.name.split(".")[0], log=log, notes=(*notes, Note("no_items_table")))


def _raw_of(dataset: Dataset) -> Raw:
    """A made-up world as if it had been read."""
    log, catalog = dataset.interactions, dataset.catalog
    return Raw(
        name=dataset.name,
        log=Log(
            user_ids=log.user_ids,
            item_ids=catalog.item_ids,
            users=log.users,
            items=log.items,
            times=log.timestamps.astype(np.float64),
            ratings=log.ratings.astype(np.float64),
            lines=np.arange(1, len(log) + 1, dtype=np.int64),
        ),
        items=Items(
            item_ids=catalog.item_ids,
            titles=catalog.titles,
            texts=catalog.texts,
            images=catalog.images,
            labels={name: catalog.label_rows(name) for name in catalog.labels},
            numbers=dict(catalog.numbers),
            lines=np.arange(1, len(catalog) + 1, dtype=np.int64),
        ),
    )
