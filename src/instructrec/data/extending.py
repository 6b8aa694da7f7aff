"""A dataset that was cleaned once, and what people did since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from instructrec.data.assembly import coded
from instructrec.data.cleaning import CleaningConfig, order, repeated
from instructrec.data.raw import Log, natural
from instructrec.data.report import CleaningStep
from instructrec.tables import Dataset, ItemId, UserId


class Row(NamedTuple):
    """One interaction in ids: when (seconds since 1970), and how it was rated (NaN where it was not)."""

    user: UserId
    item: ItemId
    time: int
    rating: float


def extended(dataset: Dataset, rows: Sequence[Row], config: CleaningConfig) -> tuple[Dataset, tuple[CleaningStep, ...]]:
    """The dataset with more interactions, and the steps that this took; users without an interaction are left out.

    The same user and item again are settled as they were when the data were cleaned; no other step of cleaning is repeated. Items
    keep their codes. Rows about items that the catalog does not have are dropped. Ratings of rows count where those of the data
    are as they were given.
    """
    old, catalog = dataset.interactions, dataset.catalog
    known = [row for row in rows if row.item in catalog.index]
    unknown = dict.fromkeys(row.item for row in rows if row.item not in catalog.index)
    dropped = CleaningStep(name="unknown_items", before=len(rows), after=len(known), examples=tuple(unknown)[:3])
    user_ids = natural({*old.user_ids, *(row.user for row in known)})
    code = {user: place for place, user in enumerate(user_ids)}
    recoded = np.array([code[user] for user in old.user_ids], dtype=np.int64)
    rated = config.normalise == "none"
    kinds = tuple(dict.fromkeys(("", *old.kinds)))
    log = Log(
        user_ids=user_ids,
        item_ids=catalog.item_ids,
        users=np.concatenate([recoded[old.users], np.array([code[row.user] for row in known], dtype=np.int64)]),
        items=np.concatenate([old.items, catalog.codes([row.item for row in known])]),
        times=np.concatenate([old.timestamps, np.array([row.time for row in known])]).astype(np.float64),
        ratings=np.concatenate([old.ratings, np.array([row.rating if rated else np.nan for row in known])]).astype(np.float64),
        kinds=np.array([*map(kinds.index, old.kinds), *[0] * len(known)] if old.kinds else [], dtype=np.int64),
        kind_names=kinds if old.kinds else (),
        lines=np.arange(1, len(old) + len(known) + 1, dtype=np.int64),
    )
    log, settled = repeated(log, config)
    log, sorted_ = order(log, config)
    steps = (dropped, settled, sorted_) if unknown else (settled, sorted_)
    return replace(dataset, interactions=coded(log, catalog)), steps
