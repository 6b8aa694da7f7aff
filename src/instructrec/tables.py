"""The three tables everything is learned from: Interactions, Catalog and the Dataset that joins them.

Inside the tables users and items are integer codes (row numbers); ids are the strings of the person who owns the data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from instructrec.errors import DataError, QueryError, nearest

UserId: TypeAlias = str
ItemId: TypeAlias = str
IntArray: TypeAlias = NDArray[np.int64]
FloatArray: TypeAlias = NDArray[np.float32]
BoolArray: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One condition that every shown item must meet.

    `include`: the item has at least one of `values`; `exclude`: it has none of them; `range`: low <= number <= high.
    """

    attribute: str
    operator: Literal["include", "exclude", "range"]
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


class Written(NamedTuple):
    """A review: what somebody wrote of an item, and when (seconds since 1970); no text where nothing was written."""

    text: str = ""
    time: int = 0


@dataclass(frozen=True, kw_only=True)
class Interactions:
    """Who did what to which item, when: columns of equal length, sorted by user, then time, then order of arrival.

    `users`, `items`: codes into `user_ids` and the catalog; `timestamps`: seconds since 1970 (int64);
    `ratings`: float32, NaN where there is none; `kinds`: a word per row ("rating", "click", ...); `reviews`: what the user wrote
    of the item of each row (empty where no reviews were read). Only whoever has a row has its review.
    """

    user_ids: tuple[UserId, ...]
    users: IntArray
    items: IntArray
    timestamps: IntArray
    ratings: FloatArray
    kinds: tuple[str, ...] = ()
    reviews: tuple[Written, ...] = ()

    def __len__(self) -> int:
        return len(self.users)

    @cached_property
    def user_index(self) -> Mapping[UserId, int]:
        """User id -> code."""
        return {user: code for code, user in enumerate(self.user_ids)}

    @cached_property
    def offsets(self) -> IntArray:
        """Row where each user's history begins, int64 [num_users + 1]."""
        return np.searchsorted(self.users, np.arange(len(self.user_ids) + 1)).astype(np.int64)

    def history(self, user: int) -> IntArray:
        """Item codes of one user code, oldest first."""
        return self.items[self.offsets[user] : self.offsets[user + 1]]

    def histories(self) -> list[IntArray]:
        """Item codes of every user code, oldest first."""
        return [self.history(user) for user in range(len(self.user_ids))]

    @property
    def reviewed(self) -> list[int]:
        """Rows whose review may be read: those written no later than the last interaction here; none is of the future."""
        latest = int(self.timestamps.max()) if len(self) else 0
        return [row for row, review in enumerate(self.reviews) if review.text and review.time <= latest]

    def keep(self, rows: BoolArray) -> Interactions:
        """The same users with only the rows where `rows` is true."""
        kinds = tuple(kind for kind, kept in zip(self.kinds, rows, strict=True) if kept) if self.kinds else ()
        reviews = tuple(review for review, kept in zip(self.reviews, rows, strict=True) if kept) if self.reviews else ()
        return replace(
            self,
            users=self.users[rows],
            items=self.items[rows],
            timestamps=self.timestamps[rows],
            ratings=self.ratings[rows],
            kinds=kinds,
            reviews=reviews,
        )


@dataclass(frozen=True, kw_only=True)
class Labels:
    """A list-valued attribute ("genres"): item `i` has the codes `codes[offsets[i]:offsets[i + 1]]` into `names`.

    `sentiment`: 0 for facts, 1 for what reviewers praise, -1 for what they criticise, which is never a reason for an item;
    `people`: how many reviewers say so, for each of `codes` (0: not known; empty for facts).
    """

    names: tuple[str, ...]
    codes: IntArray
    offsets: IntArray
    sentiment: Literal[-1, 0, 1] = 0
    people: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def of(self, item: int) -> tuple[str, ...]:
        """The values of one item code, in the order of the source."""
        return tuple(self.names[code] for code in self.codes[self.offsets[item] : self.offsets[item + 1]])

    def people_of(self, item: int) -> Mapping[str, int]:
        """How many reviewers say each value of one item code; empty for facts."""
        people = self.people[self.offsets[item] : self.offsets[item + 1]].tolist() if len(self.people) else ()
        return dict(zip(self.of(item), people, strict=False))

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Value -> its code."""
        return {name: code for code, name in enumerate(self.names)}

    @cached_property
    def _by_value(self) -> tuple[IntArray, IntArray]:
        """Item codes sorted by value, and where the items of each value begin."""
        owners = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        starts = np.concatenate([[0], np.cumsum(np.bincount(self.codes, minlength=len(self.names)))])
        return owners[np.argsort(self.codes, kind="stable")], starts

    def any_of(self, values: Sequence[str]) -> BoolArray:
        """Which items have one of the values, bool [num_items]: as fast as these items are few. Values must exist."""
        items, starts = self._by_value
        out = np.zeros(len(self.offsets) - 1, dtype=np.bool_)
        for value in values:
            code = self.index[value]
            out[items[starts[code] : starts[code + 1]]] = True
        return out

    def matrix(self, items: IntArray | None = None) -> BoolArray:
        """Which item has which value, bool [num_items, num_names]; of all items, or of these item codes in their order."""
        starts, ends = self.offsets[:-1], self.offsets[1:]
        if items is not None:
            starts, ends = starts[items], ends[items]
        owners = np.repeat(np.arange(len(starts)), ends - starts)
        places = np.arange(len(owners)) - np.repeat(np.cumsum(ends - starts) - ends, ends - starts)
        out = np.zeros((len(starts), len(self.names)), dtype=np.bool_)
        out[owners, self.codes[places]] = True
        return out

    @staticmethod
    def build(values: Sequence[Sequence[str]]) -> Labels:
        """Encode one sequence of values an item; names are sorted so that equal data gives equal codes."""
        names = tuple(sorted({value for row in values for value in row}))
        index = {name: code for code, name in enumerate(names)}
        codes = np.array([index[value] for row in values for value in dict.fromkeys(row)], dtype=np.int64)
        lengths = [len(dict.fromkeys(row)) for row in values]
        return Labels(names=names, codes=codes, offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @staticmethod
    def said(people: Sequence[Mapping[str, int]], sentiment: Literal[-1, 1]) -> Labels:
        """What reviewers say: for every item its values, and how many people say each."""
        counts = [count for row in people for count in row.values()]
        return replace(Labels.build([tuple(row) for row in people]), sentiment=sentiment, people=np.array(counts, dtype=np.int64))

    def with_rows(self, values: Sequence[Sequence[str]]) -> Labels:
        """The same attribute with other values an item, and maybe more items at the end; who says so is kept where it is known."""
        if not self.sentiment:
            return Labels.build(values)
        known = [self.people_of(item) if item < len(self.offsets) - 1 else {} for item in range(len(values))]
        people = [{value: own.get(value, 0) for value in row} for own, row in zip(known, values, strict=True)]
        return Labels.said(people, self.sentiment)


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """All items: id, title, text, attributes, paths of pictures ("" for none); an item's code is its row.

    `labels`: list-valued attributes by name; `numbers`: numeric attributes by name, float64 with NaN where unknown; `measures`:
    numbers of the same form that come from the log (`popularity`, `rating`): limits may speak of them, but they describe no item.
    `also_called`: attribute -> value ("" for the attribute itself) -> what people call it beside its name, in any language.
    """

    item_ids: tuple[ItemId, ...]
    titles: tuple[str, ...]
    texts: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    labels: Mapping[str, Labels] = field(default_factory=dict)
    numbers: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    measures: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    also_called: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.index) != len(self.item_ids):
            raise DataError("The catalog has an item id twice. Every item id must be unique; clean the items table first.")

    def __len__(self) -> int:
        return len(self.item_ids)

    @cached_property
    def index(self) -> Mapping[ItemId, int]:
        """Item id -> code."""
        return {item: code for code, item in enumerate(self.item_ids)}

    @cached_property
    def quantities(self) -> Mapping[str, NDArray[np.float64]]:
        """All numbers that limits may speak of: attributes, then measures."""
        return {**self.numbers, **self.measures}

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of all that limits may speak of, label attributes first."""
        return (*self.labels, *self.quantities)

    def codes(self, items: Sequence[ItemId]) -> IntArray:
        """Codes of the ids that exist, in order; unknown ids are left out (see `unknown`)."""
        index = self.index
        return np.array([code for item in items if (code := index.get(item)) is not None], dtype=np.int64)

    def unknown(self, items: Sequence[ItemId]) -> tuple[ItemId, ...]:
        """The ids that do not exist."""
        return tuple(item for item in items if item not in self.index)

    def matching(self, limits: Sequence[Limit]) -> BoolArray:
        """Items that meet every limit, bool [num_items]. An unknown number never lies in a range.

        Raises QueryError for an attribute or value that the catalog does not have.
        """
        mask: BoolArray = np.ones(len(self), dtype=np.bool_)
        for limit in limits:
            met = self._range(limit) if limit.operator == "range" else self._has(limit)
            mask = np.asarray(mask & met, dtype=np.bool_)
        return mask

    def _range(self, limit: Limit) -> BoolArray:
        if limit.attribute not in self.quantities:
            raise QueryError(_no_attribute(limit.attribute, "numeric", list(self.quantities)))
        low = -np.inf if limit.low is None else limit.low
        high = np.inf if limit.high is None else limit.high
        values = self.quantities[limit.attribute]
        return np.asarray((values >= low) & (values <= high), dtype=np.bool_)

    def _has(self, limit: Limit) -> BoolArray:
        if limit.attribute not in self.labels:
            raise QueryError(_no_attribute(limit.attribute, "label", list(self.labels)))
        labels = self.labels[limit.attribute]
        for value in limit.values:
            if value not in labels.index:
                hint = nearest(value, labels.index)
                raise QueryError(f"No item has {limit.attribute} '{value}'.{hint} Values come from the catalog.")
        has = labels.any_of(limit.values)
        return has if limit.operator == "include" else np.logical_not(has)

    def label_matrix(self, items: IntArray | None = None) -> BoolArray:
        """Values of all label attributes, bool [num_items, num_values]; of all items, or of these item codes in their order."""
        none = np.zeros((len(self) if items is None else len(items), 0), dtype=np.bool_)
        return np.concatenate([none, *[labels.matrix(items) for labels in self.labels.values()]], axis=1)

    def add(self, other: Catalog) -> Catalog:
        """Return this catalog followed by the items of `other`; codes of the old items do not change."""
        both = (self, other)
        images = tuple(path for part in both for path in (part.images or ("",) * len(part)))
        return Catalog(
            item_ids=self.item_ids + other.item_ids,
            titles=self.titles + other.titles,
            texts=tuple(text for part in both for text in (part.texts or ("",) * len(part))),
            images=images if any(images) else (),
            labels={
                name: self.labels.get(name, Labels.build(())).with_rows([row for part in both for row in part.label_rows(name)])
                for name in dict.fromkeys([*self.labels, *other.labels])
            },
            numbers=_columns([(part.numbers, len(part)) for part in both]),
            measures=_columns([(part.measures, len(part)) for part in both]),
            also_called={**other.also_called, **self.also_called},
        )

    @property
    def favourable(self) -> tuple[str, ...]:
        """The label attributes whose values can be a reason for an item: all but what reviewers criticise."""
        return tuple(name for name, labels in self.labels.items() if labels.sentiment >= 0)

    def label_rows(self, name: str) -> list[tuple[str, ...]]:
        """The values of a label attribute for every item; empty tuples where the catalog lacks it."""
        return [self.labels[name].of(item) if name in self.labels else () for item in range(len(self))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Interactions and the catalog they point into, checked to agree."""

    name: str
    interactions: Interactions
    catalog: Catalog

    def __post_init__(self) -> None:
        items = self.interactions.items
        if len(items) and (items.min() < 0 or items.max() >= len(self.catalog)):
            raise DataError(f"An interaction points to item code {items.max()}, but the catalog has {len(self.catalog)} items.")

    def with_interactions(self, interactions: Interactions) -> Dataset:
        """The same catalog with other interactions."""
        return replace(self, interactions=interactions)


def _columns(parts: Sequence[tuple[Mapping[str, NDArray[np.float64]], int]]) -> dict[str, NDArray[np.float64]]:
    """Columns by name, one part below the other; NaN where a part (columns, rows) lacks one."""
    names = dict.fromkeys(name for columns, _ in parts for name in columns)
    return {name: np.concatenate([columns.get(name, np.full(rows, np.nan)) for columns, rows in parts]) for name in names}


def fingerprint(item_ids: Sequence[ItemId]) -> str:
    """sha256 of item ids in their order: what is learned for these items fits no others."""
    digest = hashlib.sha256()
    for item in item_ids:
        digest.update(f"{len(item)}:{item};".encode())
    return digest.hexdigest()


def _no_attribute(name: str, kind: str, known: list[str]) -> str:
    return f"The catalog has no {kind} attribute '{name}'. It has: {', '.join(known) or 'none'}.{nearest(name, known)}"
