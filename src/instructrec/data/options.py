"""How a source is to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from instructrec.errors import ConfigError

OnBroken: TypeAlias = Literal["refuse", "skip"]
TimeUnit: TypeAlias = Literal["auto", "s", "ms", "us", "ns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How files are read. An empty value means: decide from the file, and say so in the report."""

    interaction_columns: Mapping[str, str] = field(default_factory=dict)
    """Column of the interactions table for user, item, timestamp, rating, kind, order or review, e.g. {"user": "customer"}."""
    item_columns: Mapping[str, str] = field(default_factory=dict)
    """Column of the items table for id, title or text; any other name on the left renames an attribute."""
    attributes: tuple[str, ...] = ()
    """Item columns to use as attributes; empty: all that look like one."""
    header: tuple[str, ...] = ()
    """Column names of an interactions file that has no header line."""
    separator: str = ""
    """Between the fields of a text table."""
    list_separator: str = ""
    """Between the values of a list in one cell; "none" for no lists."""
    encoding: str = "utf-8"
    """Of text files."""
    fallback_encoding: str = ""
    """Used when `encoding` does not fit, e.g. latin-1 or cp1252; empty: such a file is refused."""
    names: str = ""
    """Table of further names for values and attributes (columns attribute, value, name); empty: names.csv of the folder, if any."""
    reviewers: int = 0
    """Read reviews (reviews.csv of the folder, or a column of the interactions), and make attributes `praised` and `criticised`
    of the features of which at least so many reviewers say something good, or bad; 0: no reviews are read."""
    on_broken: OnBroken = "refuse"
    """A line that cannot be read: refuse the file, or skip the line."""
    time_unit: TimeUnit = "auto"
    """Unit of numeric timestamps."""

    def __post_init__(self) -> None:
        if self.reviewers < 0:
            raise ConfigError(
                f"reviewers is {self.reviewers}, but must be 0 (read no reviews) or the number that must agree, e.g. 2."
            )


AS_FOUND = LoadOptions()
"""Everything is decided from the file."""
