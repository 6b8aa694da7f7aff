"""Reviews of a table beside the interactions, each put to the interaction that it is about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from instructrec.data.options import LoadOptions
from instructrec.data.raw import Note
from instructrec.data.readers import read_table
from instructrec.data.tabular import log_of
from instructrec.errors import DataError
from instructrec.tables import Dataset, Written


def with_reviews(dataset: Dataset, path: Path, options: LoadOptions) -> tuple[Dataset, tuple[Note, ...]]:
    """The dataset with the reviews of a table: user, item, text, and if it has them rating and timestamp.

    A review belongs to the last interaction of its user with its item, so that it is never known before that; of several reviews
    of a pair the first counts, and those without an interaction are left out. Raises DataError for a table without text.
    """
    table = read_table(path, options)
    log, notes = log_of(table, options)
    if not len(log.reviews):
        raise DataError(
            f"{path.name} has no column of reviews. Give user, item and text (or review, comment), or say which it is: "
            f"--set data.options.interaction_columns.review=COLUMN. Columns found: {', '.join(table.columns)}."
        )
    dated = not any(note.key in ("no_times", "order_column") for note in notes)
    rows = dataset.interactions
    last = {pair: row for row, pair in enumerate(zip(rows.users.tolist(), rows.items.tolist(), strict=True))}
    texts: dict[int, Written] = {}
    apart = 0
    times = np.nan_to_num(np.floor(log.times)).astype(np.int64).tolist()
    for user, item, text, time in zip(log.users.tolist(), log.items.tolist(), log.reviews.tolist(), times, strict=True):
        known = min(user, item) >= 0 and text
        pair = rows.user_index.get(log.user_ids[user]), dataset.catalog.index.get(log.item_ids[item])
        row = last.get(pair) if known else None
        if row is None:
            apart += 1
        else:
            texts.setdefault(row, Written(text, max(time, int(rows.timestamps[row])) if dated else int(rows.timestamps[row])))
    reviews = tuple([texts.get(row, Written()) for row in range(len(rows))])
    kept = tuple(note for note in notes if note.key not in ("no_times", "order_column"))
    found = (*kept, Note("reviews_apart", {"file": path.name, "count": f"{apart:,}"})) if apart else kept
    return replace(dataset, interactions=replace(rows, reviews=reviews)), found
