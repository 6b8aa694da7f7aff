"""A catalog as a map: items that a model takes for alike lie near each other, coloured by what they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np

from instructrec.evaluation.plots import NUM_COLOURS, legend_mark, marker
from instructrec.tables import Catalog, FloatArray, IntArray

MOST_ITEMS: Final = 1500
"""Items that are drawn, evenly taken from the catalog: more would cover each other and weigh megabytes."""
WIDTH: Final = 720.0
HEIGHT: Final = 480.0
EDGE: Final = 16.0
OTHERS: Final = NUM_COLOURS - 1
"""The colour of items that have none of the values with a colour of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemMap:
    """A map as SVG, its legend (picture, value), the attribute that colours stand for, and the share of variance that is shown."""

    picture: str
    legend: tuple[tuple[str, str], ...]
    attribute: str
    shown: float


def item_map(vectors: FloatArray, catalog: Catalog, *, title: str, others: str) -> ItemMap | None:
    """The first two principal components of item vectors, float32 [num_items, width]; None for fewer than three items.

    Colours are the commonest values of the first label attribute; an item with several has that of the rarest of them.
    """
    items = np.unique(np.linspace(0, len(catalog) - 1, min(len(catalog), MOST_ITEMS)).round().astype(np.int64))
    if len(items) < 3 or not np.isfinite(vectors).all():
        return None
    places, shown = _principal(vectors[items])
    attribute, values = _values(catalog)
    colours = _colours(catalog, items, attribute, values)
    low, high = places.min(axis=0), places.max(axis=0)
    unit = (places - low) / np.maximum(high - low, 1e-12)
    dots = [
        f"<g><title>{escape(_name(catalog, int(item)))}</title>"
        f"{marker(colour, EDGE + x * (WIDTH - 2 * EDGE), EDGE + (1 - y) * (HEIGHT - 2 * EDGE))}</g>"
        for item, colour, (x, y) in zip(items, colours, unit.tolist(), strict=True)
    ]
    said = escape(f"{title}. {', '.join(values)}", quote=True)
    svg = f'<svg class="plot wide map" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{said}">{"".join(dots)}</svg>'
    legend = [(legend_mark(place), value) for place, value in enumerate(values)]
    legend += [(legend_mark(OTHERS), others)] if OTHERS in colours else []
    return ItemMap(picture=svg, legend=tuple(legend), attribute=attribute, shown=shown)


def _principal(vectors: FloatArray) -> tuple[FloatArray, float]:
    """Coordinates on the first two principal components, and their share of the variance; the same signs every time."""
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    if centred.shape[1] < 2:
        centred = np.pad(centred, ((0, 0), (0, 2 - centred.shape[1])))
    left, spread, _ = np.linalg.svd(centred, full_matrices=False)
    places = left[:, :2] * spread[:2]
    places *= np.where(places[np.abs(places).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)
    total = float((spread**2).sum())
    return places.astype(np.float32), float((spread[:2] ** 2).sum()) / total if total else 0.0


def _values(catalog: Catalog) -> tuple[str, list[str]]:
    """The attribute that is coloured, and its commonest values."""
    if not catalog.labels:
        return "", []
    name, labels = next(iter(catalog.labels.items()))
    counts = Counter(value for item in range(len(catalog)) for value in labels.of(item))
    return name, [value for value, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:OTHERS]]


def _colours(catalog: Catalog, items: IntArray, attribute: str, values: list[str]) -> list[int]:
    if not attribute:
        return [OTHERS] * len(items)
    labels = catalog.labels[attribute]
    own = [[values.index(value) for value in labels.of(int(item)) if value in values] for item in items]
    return [max(places) if places else OTHERS for places in own]


def _name(catalog: Catalog, item: int) -> str:
    values = [value for labels in catalog.labels.values() for value in labels.of(item)]
    name = catalog.titles[item] or catalog.item_ids[item]
    return f"{name} ({', '.join(values[:5])})" if values else name
