"""A dataset from written-out histories, for tests whose right answer is worked out by hand or by a loop."""

from collections.abc import Sequence

import numpy as np

from instructrec.tables import Catalog, Dataset, Interactions

A_DAY = 86_400


def dataset_of(histories: list[list[int]], *, num_items: int = 6, ratings: Sequence[float] | np.ndarray | None = None) -> Dataset:
    """Users u0, u1 ... with these item codes, oldest first, one a day; items i0, i1 ...; `ratings`: one a row (none: NaN)."""
    users = np.repeat(np.arange(len(histories)), [len(history) for history in histories]).astype(np.int64)
    items = np.array([item for history in histories for item in history], dtype=np.int64)
    days = np.array([day for history in histories for day in range(len(history))], dtype=np.int64)
    interactions = Interactions(
        user_ids=tuple(f"u{user}" for user in range(len(histories))),
        users=users,
        items=items,
        timestamps=days * A_DAY,
        ratings=np.full(len(items), np.nan, dtype=np.float32) if ratings is None else np.asarray(ratings, dtype=np.float32),
    )
    ids = tuple(f"i{item}" for item in range(num_items))
    return Dataset(name="written out", interactions=interactions, catalog=Catalog(item_ids=ids, titles=ids))
