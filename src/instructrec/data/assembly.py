"""From what was read and cleaned to a Dataset: the catalog, codes, and the steps that concern items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from instructrec.data.cleaning import CleaningConfig
from instructrec.data.raw import Items, Log, natural
from instructrec.data.report import CleaningStep
from instructrec.errors import DataError
from instructrec.tables import Catalog, Dataset, Interactions, Labels, Written


def assemble(name: str, log: Log, items: Items | None, config: CleaningConfig) -> tuple[Dataset, tuple[CleaningStep, ...]]:
    """Join a cleaned, sorted log with its items. Users and items are coded in natural order of their ids."""
    steps: list[CleaningStep] = []
    if items is not None:
        items = _distinct(items, config, steps)
    used = [log.item_ids[code] for code in np.unique(log.items).tolist()]
    catalog = _catalog(items, used, config, steps)
    return Dataset(name=name, interactions=coded(log, catalog), catalog=catalog), tuple(steps)


def coded(log: Log, catalog: Catalog) -> Interactions:
    """A sorted log in the codes of a catalog that has all its items; users are coded in its order, those without a row left out."""
    codes = np.array([catalog.index.get(item, -1) for item in log.item_ids], dtype=np.int64)
    users, user_codes = np.unique(log.users, return_inverse=True)
    kinds = [*log.kind_names, ""]
    return Interactions(
        user_ids=tuple([log.user_ids[code] for code in users.tolist()]),
        users=user_codes.astype(np.int64),
        items=codes[log.items],
        timestamps=np.floor(log.times).astype(np.int64),
        ratings=log.ratings.astype(np.float32),
        kinds=tuple([kinds[code] for code in log.kinds.tolist()]),
        reviews=_reviews(log),
    )


def _reviews(log: Log) -> tuple[Written, ...]:
    """What was written with each row, at the time of the row; empty without reviews."""
    if not len(log.reviews):
        return ()
    times = np.floor(log.times).astype(np.int64).tolist()
    return tuple([Written(text, time) for text, time in zip(log.reviews.tolist(), times, strict=True)])


def need_people(name: str, log: Log, steps: Sequence[CleaningStep]) -> None:
    """Raise DataError when cleaning left no interaction (naming the step that took most), or one user only."""
    users = np.unique(log.users)
    if not len(users):
        most = max(steps, key=lambda step: step.removed)
        raise DataError(
            f"{name}: no interaction is left after cleaning. The step that took most: {most.text()}.{_emptied(steps)} "
            "Loosen the rule, the k-core or the policy for missing values, or mend the data."
        )
    if len(users) == 1:
        raise DataError(
            f"{name} has interactions of one user only ('{log.user_ids[users[0]]}'). A recommender learns from what several people "
            "did: give more users, or check that the right column is mapped to the user."
        )


def _emptied(steps: Sequence[CleaningStep]) -> str:
    """What was taken for impossible, a sentence: such cells count as missing in the steps behind."""
    step = next((step for step in steps if step.name == "impossible" and step.examples), None)
    if step is None:
        return ""
    return (
        f" Before that: {step.text()}. Times must be after 1970 and before 2100, ratings finite and inside cleaning.rating_range."
    )


def _distinct(items: Items, config: CleaningConfig, steps: list[CleaningStep]) -> Items:
    """The first row of each item id."""
    first: dict[str, int] = {}
    again: list[tuple[int, int]] = []
    for row, item in enumerate(items.item_ids):
        if first.setdefault(item, row) != row:
            again.append((first[item], row))
    examples = tuple(f"{items.item_ids[row]}: lines {items.lines[old]} and {items.lines[row]}" for old, row in again[:3])
    if again and config.duplicate_items == "refuse":
        raise DataError(
            f"The items table has {len(again):,} item ids twice ({'; '.join(examples)}). An id must stand for one item: mend the "
            "table, or keep the first row of each: --set cleaning.duplicate_items=first"
        )
    steps.append(CleaningStep(name="duplicate_items", before=len(items), after=len(first), examples=examples))
    return items.keep(list(first.values())) if again else items


def _catalog(items: Items | None, used: Sequence[str], config: CleaningConfig, steps: list[CleaningStep]) -> Catalog:
    if items is None:
        ids = natural(used)
        return Catalog(item_ids=ids, titles=ids)
    rows = {item: row for row, item in enumerate(items.item_ids)}
    added = [item for item in used if item not in rows]
    if added:
        facts, name = {"count": f"{len(added):,}"}, "items_without_row"
        if len(added) == len(used):
            # Two files that write ids differently ("7" and "007", "7.0") look whole, and no item would have its words.
            facts, name = facts | {"known": ", ".join(items.item_ids[:3])}, "items_without_any_row"
        steps.append(CleaningStep(name=name, before=len(used), after=len(used), facts=facts, examples=tuple(added[:3])))
    unused = set(rows) - set(used)
    if unused:
        dropped = config.catalog == "used"
        name = "unused_items" if dropped else "items_kept"
        count = len(rows) + len(added)
        after = count - len(unused) if dropped else count
        steps.append(CleaningStep(name=name, before=count, after=after, facts={"count": f"{len(unused):,}"}))
        if dropped:
            rows = {item: row for item, row in rows.items() if item not in unused}
    return _rows(items, natural([*rows, *added]), rows)


def _rows(items: Items, ids: Sequence[str], rows: dict[str, int]) -> Catalog:
    """The catalog with these ids in order; an id without a row has itself as title and no attribute."""
    places = np.array([rows.get(item, -1) for item in ids], dtype=np.int64)
    known = places.tolist()
    labels = {name: [values[row] if row >= 0 else () for row in known] for name, values in items.labels.items()}
    return Catalog(
        item_ids=tuple(ids),
        titles=tuple([items.titles[row] if row >= 0 else item for row, item in zip(known, ids, strict=True)]),
        texts=tuple([items.texts[row] if row >= 0 else "" for row in known]) if items.texts else (),
        images=tuple([items.images[row] if row >= 0 else "" for row in known]) if items.images else (),
        labels={name: Labels.build(values) for name, values in labels.items()},
        numbers={name: np.where(places >= 0, values[places], np.nan) for name, values in items.numbers.items()},
    )
