"""Filling what is missing: mean, median, or a line between neighbours."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from instructrec.data.raw import Numbers
from instructrec.tables import IntArray

Policy: TypeAlias = Literal["drop", "keep", "mean", "median", "interpolate"]


def fill(values: Numbers, groups: IntArray, policy: Policy) -> Numbers:
    """Replace NaN by the mean or median of the known values of its group (of all where the group has none), or for
    "interpolate" by the line between the neighbours of its group in row order. Other policies change nothing.
    """
    missing = np.isnan(values)
    if policy not in ("mean", "median", "interpolate") or not missing.any() or missing.all():
        return values
    out = values.copy()
    if policy == "interpolate":
        out = _interpolate(out, groups)
        missing = np.isnan(out)
        policy = "mean"
    typical = _typical(values, groups, policy)
    out[missing] = typical[groups[missing]]
    return out


def _typical(values: Numbers, groups: IntArray, policy: Policy) -> Numbers:
    """Mean or median of each group's known values; that of all where a group has none."""
    known = ~np.isnan(values)
    count = int(groups.max()) + 1
    sizes = np.bincount(groups[known], minlength=count)
    if policy == "mean":
        sums = np.bincount(groups[known], weights=values[known], minlength=count)
        return np.where(sizes > 0, sums / np.maximum(sizes, 1), values[known].mean())
    order = np.lexsort((values[known], groups[known]))
    ranked = values[known][order]
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    last = len(ranked) - 1
    low = ranked[np.minimum(first + np.maximum(sizes - 1, 0) // 2, last)]
    high = ranked[np.minimum(first + np.maximum(sizes, 1) // 2, last)]
    return np.where(sizes > 0, (low + high) / 2, np.median(ranked))


def _interpolate(values: Numbers, groups: IntArray) -> Numbers:
    """Linear in the place within the group; before the first and after the last known value that value."""
    order = np.argsort(groups, kind="stable")
    sorted_values, sorted_groups = values[order], groups[order]
    places = np.arange(len(values))
    known = ~np.isnan(sorted_values)
    before = np.maximum.accumulate(np.where(known, places, -1))
    after = np.minimum.accumulate(np.where(known, places, len(values))[::-1])[::-1]
    has_before = (before >= 0) & (sorted_groups[np.maximum(before, 0)] == sorted_groups)
    has_after = (after < len(values)) & (sorted_groups[np.minimum(after, len(values) - 1)] == sorted_groups)
    left = np.where(has_before, before, np.where(has_after, after, places))
    right = np.where(has_after, after, left)
    span = np.maximum(right - left, 1)
    share = (places - left) / span * (right > left)
    out = values.copy()
    out[order] = sorted_values[left] + share * (sorted_values[right] - sorted_values[left])
    return out
