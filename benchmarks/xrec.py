"""Reasons for XRec's test sets (Ma et al. 2024; books and local businesses): does a text find its own reference among 100?

    python -m benchmarks.xrec --json

Folder xrec-explanations under $INSTRUCTREC_DATA: 3,000 pairs of user and item a set, each with a title, a summary of the item,
one of the user and a reference, the user's own review in other words; XRec's predictions. Our texts are made of title and
summaries alone (`explain/telling.py`); how much each word matters is learned from other rows (`benchmarks/xrec_words.py`): ten
folds by title, and no row is learned from that shares user, item or title with a row it is used for. The form of the model and its
few settings were found on the first three folds of both sets; ours_unseen is ours on the other seven.

id_at_1: tf-idf cosine (fitted on the references) of a text to its own reference above that to 99 others drawn with seed 1; ties
are lost. id_at_1_masked: the same without the title's words in the text. bag: ours before it is put into sentences, as a vector
with any weights. oracle: words of title and item summary that the reference has (no text can know them).
told_apart, told_apart_reference: of two texts about one item for two users, is a text's cosine to its own user's summary
(reference) above that to the other's? Ties count half. distinct_2, opening (the commonest first eight words), words (mean number).
grounded: share of content words (neither in the sentences' own words nor boundaries) that stand in the row's inputs.
Standard errors of the shares are at most .009.
"""

from __future__ import annotations

import argparse
import html
import itertools
import os
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse as sp
import torch

from benchmarks.calibration import add_json_option, finish
from benchmarks.xrec_words import (
    SOURCES,
    Candidates,
    Floats,
    candidates,
    fit,
    folds,
    references_of,
    unit_rows,
    vectors_of,
)
from instructrec.explain.cutting import telling_wording, words_of
from instructrec.explain.telling import choose, rarities, tell
from instructrec.lm.sentences import SentenceEncoder

OTHERS, SEED, OPENING = 99, 1, 8
DEVELOPED = 3
"""Folds on which the model was developed."""
Table = Mapping[str, Sequence[Any]]


def read(folder: Path, name: str) -> Table:
    """Columns of a set, and XRec's predictions in the order of its rows."""
    table: dict[str, Sequence[Any]] = pq.read_table(folder / f"{name}.test.parquet").to_pydict()
    made = pq.read_table(folder / f"{name}.pred_ref.parquet").to_pydict()
    prediction = dict(zip(made["reference"], made["prediction"], strict=True))
    return {**table, "prediction": [prediction[reference] for reference in table["explanation"]]}


def found_itself(texts: sp.csr_matrix, references: sp.csr_matrix, rows: Sequence[int] | None = None) -> float:
    """Share of texts (those of `rows` alone, if given) that are more like their own reference than like any of the others drawn."""
    alike = (texts @ references.T).toarray()
    rng, size = np.random.default_rng(SEED), len(alike)
    right = []
    for row in range(size):
        others = rng.choice(size - 1, OTHERS, replace=False)
        others += others >= row
        right.append(alike[row, row] > alike[row, others].max())
    return float(np.mean(right if rows is None else np.array(right)[rows]))


def vectors_with(found: Candidates, weights: Floats, idf: Floats, kept: Any = True) -> sp.csr_matrix:
    """Unit vectors [rows, words] of the candidates' weights times rarities, those alone that are kept."""
    shape = (len(found.references), len(found.words))
    return unit_rows(sp.csr_matrix((weights * idf[found.word] * kept, (found.row, found.word)), shape=shape))


def written(found: Candidates, table: Table) -> tuple[Floats, list[str]]:
    """Weights of all candidates and one text a row, all that is learned being learned from strangers' rows."""
    weights, texts = np.zeros(len(found.row)), [""] * len(found.references)
    start = np.searchsorted(found.row, np.arange(len(texts) + 1))
    for test, train in folds(table):
        references = [table["explanation"][row] for row in train]
        rarity, disturbing = rarities(references), disturbances(references)
        inside = np.isin(found.row, test)
        weights[inside] = fit(found, train)[inside]
        for row in test:
            own = range(start[row], start[row + 1])
            matter = {found.words[found.word[place]]: float(weights[place]) for place in own}
            told = choose(*(table[source][row] for source in SOURCES), matter, rarity)
            variant = zlib.crc32(f"{table['uid'][row]} {table['iid'][row]}".encode())
            texts[row] = tell(told, variant, disturbing)
    return weights, texts


def disturbances(texts: Sequence[str]) -> dict[str, float]:
    """How much a word that says nothing moves the cosines to some of these texts and not to others.

    Standard deviation of "has the word" times the squared rarity (once for each side of the product).
    """
    size = len(texts)
    counts = Counter(word for text in texts for word in set(words_of(text)))
    return {
        word: rarity**2 * float(np.sqrt(counts[word] * (size - counts[word]))) / size for word, rarity in rarities(texts).items()
    }


def told_apart(texts: sp.csr_matrix, own: sp.csr_matrix, items: Sequence[Any]) -> float:
    """Of ordered pairs of texts about one item: those nearer to their own row than to the other's."""
    by_item: dict[Any, list[int]] = {}
    for row, item in enumerate(items):
        by_item.setdefault(item, []).append(row)
    pairs = [pair for rows in by_item.values() for pair in itertools.permutations(rows, 2)]
    alike = np.array([[texts[one].multiply(own[row]).sum() for row in (one, other)] for one, other in pairs])
    return float(np.mean(np.where(alike[:, 0] == alike[:, 1], 0.5, alike[:, 0] > alike[:, 1])))


def grounded(texts: Sequence[str], table: Table) -> float:
    """Content words that stand in the inputs of their row, by all content words."""
    wording = telling_wording()
    empty = wording.own_words | wording.sets["boundaries"] | wording.sets["glue"]
    inputs = zip(*(table[source] for source in SOURCES), strict=True)
    known = [{word for text in row for word in words_of(f"{text} {html.unescape(text)}")} for row in inputs]
    said = [word in some for text, some in zip(texts, known, strict=True) for word in words_of(text) if word not in empty]
    return float(np.mean(said))


def manner(texts: Sequence[str]) -> dict[str, float]:
    """What can be said of texts as texts."""
    words = [words_of(text) for text in texts]
    pairs = Counter(pair for text in words for pair in itertools.pairwise(text))
    openings = Counter(text[:OPENING] for text in words)
    return {
        "distinct_2": len(pairs) / pairs.total(),
        "opening": max(openings.values()) / len(texts),
        "words": float(np.mean([len(text.split()) for text in texts])),
    }


def without_titles(texts: Sequence[Sequence[str]], table: Table) -> list[list[str]]:
    """The words of each text that its title has not."""
    return [[word for word in text if word not in words_of(title)] for text, title in zip(texts, table["title"], strict=True)]


def measured(texts: Sequence[str], table: Table, found: Candidates) -> dict[str, float]:
    """All measures of the texts of one writer."""
    rarity, of_users = rarities(table["explanation"]), rarities(table["user_summary"])
    references = references_of(found, rarity)
    words = [words_of(text) for text in texts]
    made = vectors_of(words, found.words, rarity)
    users = vectors_of([words_of(text) for text in table["user_summary"]], found.words, of_users)
    return {
        "id_at_1": found_itself(made, references),
        "id_at_1_masked": found_itself(vectors_of(without_titles(words, table), found.words, rarity), references),
        "told_apart": told_apart(vectors_of(words, found.words, of_users), users, table["iid"]),
        "told_apart_reference": told_apart(made, references, table["iid"]),
        "grounded": grounded(texts, table),
    } | manner(texts)


def compared(table: Table) -> tuple[dict[str, Any], list[str]]:
    """Measures by writer, and our texts."""
    found = candidates(table, SentenceEncoder())
    weights, ours = written(found, table)
    rarity = rarities(table["explanation"])
    idf, references = np.array([rarity.get(word, 0.0) for word in found.words]), references_of(found, rarity)
    untitled, of_item = ~found.sources[:, 0], found.sources[:, 0] | found.sources[:, 1]
    copied = [f"{title} {item}" for title, item in zip(table["title"], table["item_summary"], strict=True)]
    writers = {"xrec": table["prediction"], "title": table["title"], "copied": copied, "ours": ours}
    numbers: dict[str, Any] = {name: measured(texts, table, found) for name, texts in writers.items()}
    unseen = np.concatenate([test for test, _ in folds(table)[DEVELOPED:]])
    made = vectors_of([words_of(text) for text in ours], found.words, rarity)
    numbers["ours_unseen"] = {"id_at_1": found_itself(made, references, unseen)}
    bounds = {"bag": weights, "oracle": (found.spoken & of_item).astype(float)}
    for name, values in bounds.items():
        vectors = [vectors_with(found, values, idf, kept) for kept in (1.0, untitled)]
        both = ("id_at_1", "id_at_1_masked")
        numbers[name] = {key: found_itself(made, references) for key, made in zip(both, vectors, strict=True)}
    return numbers, ours


def main() -> None:
    """Print tables, some texts and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["amazon", "google"])
    parser.add_argument("--texts", type=int, default=5, help="so many of our texts are shown")
    add_json_option(parser)
    given = parser.parse_args()
    torch.set_num_threads(1)
    folder = Path(os.environ.get("INSTRUCTREC_DATA", ".")) / "xrec-explanations"
    numbers: dict[str, Any] = {}
    for name in given.sets:
        numbers[name], texts = compared(read(folder, name))
        for writer, values in numbers[name].items():
            print(f"{name:<8}{writer:<10}" + "  ".join(f"{key} {value:.3f}" for key, value in values.items()))
        print(*texts[:: max(1, len(texts) // max(1, given.texts))], sep="\n")
    finish(numbers, given.json)


if __name__ == "__main__":
    main()
