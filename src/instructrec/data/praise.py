"""What reviewers praise and criticise, as attributes of the items. Only reviews of the training part of a split are read."""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any, Literal, TypeAlias

from instructrec.core import Progress, Silent
from instructrec.data.opinions import claims_in, lexicon, own_features, sentences_of
from instructrec.data.split import Split
from instructrec.errors import DataError
from instructrec.tables import Catalog, Interactions, Labels

PRAISED, CRITICISED = "praised", "criticised"
MOST_FEATURES = 8
"""Features of an item that become labels of one attribute at most: those that most reviewers speak of."""
_CLEARLY = 2
"""More than so many times as many reviewers must be of one mind as of the other."""

Said: TypeAlias = Mapping[str, int]
"""Feature -> number of reviewers."""


def with_praise(split: Split, *, least: int, progress: Progress = Silent()) -> Split:
    """The split with `praised` and `criticised` in its catalog: features of which at least `least` reviewers say something good
    (bad), and more than twice as many as say the contrary.

    Reviews of held-out interactions are not read, nor are those that were written after the last interaction of training. A
    reviewer counts once an item and feature, for what most of their words say. An attribute that nobody would have is left out.
    Raises DataError where the catalog has an attribute of one of these names already.
    """
    catalog = split.train.catalog
    taken = [name for name in (PRAISED, CRITICISED) if name in catalog.attributes]
    if taken:
        raise DataError(
            f"The catalog has an attribute '{taken[0]}' of its own, which is also what reviews are to give. Rename it, such as "
            f"--set data.options.item_columns.my_{taken[0]}={taken[0]}, or read no reviews: --set data.options.reviewers=0"
        )
    good, bad = praise_of(split.train.interactions, len(catalog), least=least, progress=progress)
    return _with_labels(_with_labels(split, PRAISED, good, 1), CRITICISED, bad, -1)


def praise_of(log: Interactions, num_items: int, *, least: int, progress: Progress = Silent()) -> tuple[list[Said], list[Said]]:
    """What is praised and what is criticised of every item code, by the reviews that come with the rows of a log."""
    balance = _balances(log, progress)
    good: list[dict[str, int]] = [{} for _ in range(num_items)]
    bad: list[dict[str, int]] = [{} for _ in range(num_items)]
    for (item, feature), (ups, downs) in sorted(balance.items()):
        for found, most, fewest in ((good, ups, downs), (bad, downs, ups)):
            if most >= least and most > _CLEARLY * fewest:
                found[item][feature] = most
    return [_foremost(row) for row in good], [_foremost(row) for row in bad]


def _balances(log: Interactions, progress: Progress) -> dict[tuple[int, str], tuple[int, int]]:
    """Item code and feature -> number of reviewers for it and against it."""
    written = [(int(log.users[row]), int(log.items[row]), log.reviews[row].text) for row in log.reviewed]
    known = lexicon()
    names = own_features((text for _, _, text in written), known)
    features = frozenset(names)
    leaning: Counter[tuple[int, int, str]] = Counter()
    progress.stage("read reviews", total=len(written))
    for number, (user, item, text) in enumerate(written, start=1):
        for words in sentences_of(text):
            for opinion in claims_in(words, known, features):
                leaning[user, item, names[opinion.feature]] += opinion.sentiment
        progress.step(number)
    counts: dict[tuple[int, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for (_, item, feature), sign in leaning.items():
        ups, downs = counts[item, feature]
        counts[item, feature] = ups + (sign > 0), downs + (sign < 0)
    return counts


def _foremost(said: Said) -> Said:
    """The MOST_FEATURES of which most people speak, those first."""
    return dict(sorted(said.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_FEATURES])


def _with_labels(split: Split, name: str, said: Sequence[Said], sentiment: Literal[-1, 1]) -> Split:
    if not any(said):
        return split
    forms = _forms()[name]
    value = str(forms["value"])
    catalog = split.train.catalog
    labels = Labels.said([{value.format(feature=feature): count for feature, count in row.items()} for row in said], sentiment)
    called = {"": tuple(forms["called"])}
    for feature in sorted({feature for row in said for feature in row}):
        called[value.format(feature=feature)] = tuple(form.format(feature=feature) for form in forms["also"])
    return _with_catalog(
        split,
        replace(catalog, labels={**catalog.labels, name: labels}, also_called={**catalog.also_called, name: called}),
    )


def _with_catalog(split: Split, catalog: Catalog) -> Split:
    return replace(split, train=replace(split.train, catalog=catalog), known=replace(split.known, catalog=catalog))


@cache
def _forms() -> Mapping[str, Any]:
    """How the attributes, their values and both together are called."""
    return tomllib.loads((resources.files("instructrec.data") / "wording" / "praise.en.toml").read_text(encoding="utf-8"))
