"""Which of many sentences is given: the one with the least expected risk, and not what was given to others already.

Offered are the draws, each also with the features that others speak of in place of those that nobody did, and what others wrote.

The true sentence is unknown, but what it could be is not: other draws, what others wrote of the item, what the user wrote of other
items. A candidate is worth its mean overlap with these (minimum Bayes risk decoding, Kumar and Byrne 2004, NAACL), the chance
that it names the feature that the user will speak of, and less the more it repeats what others were given.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from instructrec.tuning.knowing import Known, Memory

ORDERS = 4
"""n-grams of one to four words are compared."""
Matrix = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ChoiceWeights:
    """What counts how much. Overlaps are F of n-grams, 0 to 1; the overlap of single words counts 1.

    `pairs`, `triples`, `fours`: of longer n-grams; `of_item`, `by_user`: of train sentences beside the draws (shares of the
    evidence); `feature`: expected matches of the feature; `usual`: the share of pairs of words that train holds twice or more;
    `length`: a word more; `again`: the very sentence was given already;
    `crowded`: features, each by the share of those before who were given it.
    """

    pairs: float = 0.5
    triples: float = 0.0
    fours: float = 1.0
    of_item: float = 0.2
    by_user: float = 0.1
    feature: float = 0.1
    usual: float = 0.1
    length: float = 0.0
    again: float = 0.05
    crowded: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Different sentences that can be given to one pair, as words, and what is expected of each.

    `overlap` float64 [3, ORDERS, candidates]: mean F of n-grams with the draws, sentences about the item, and sentences by the
    user (0 where there are none; `exists` says where); `matches` [candidates]: expected number of features in common; `usual`
    [candidates]: share of pairs of words that are usual.
    """

    sentences: tuple[tuple[str, ...], ...]
    overlap: Matrix
    exists: NDArray[np.bool_]
    matches: Matrix
    usual: Matrix
    features: tuple[frozenset[str], ...]


def offered(drawn: Sequence[str], known: Known, features: frozenset[str]) -> list[tuple[str, ...]]:
    """Different sentences that could be given: draws, draws that speak of what others do, and sentences of others."""
    said = known.item_features
    found: dict[tuple[str, ...], None] = {}
    for words in (tuple(text.split()) for text in drawn if text):
        found[words] = None
        for strange in sorted(features.intersection(words).difference(said)):
            # One thing stands for one, and several for several, so that the words around it still agree.
            alike = [feature for feature in said if feature.endswith("s") == strange.endswith("s")]
            found |= {tuple(feature if word == strange else word for word in words): None for feature in alike}
    return list(found | {tuple(review.words): None for review in known.of_item})


def candidates(drawn: Sequence[str], known: Known, features: frozenset[str], memory: Memory) -> Candidates:
    """Compare the sentences that could be given to a pair with all that could be true."""
    counts = Counter(tuple(text.split()) for text in drawn if text)
    sentences = tuple(offered(drawn, known, features))
    evidence = [list(counts), [tuple(review.words) for review in known.of_item], [tuple(review.words) for review in known.by_user]]
    weights = [[float(count) for count in counts.values()], [1.0] * len(evidence[1]), [1.0] * len(evidence[2])]
    overlap = np.zeros((3, ORDERS, len(sentences)))
    for source, (texts, shares) in enumerate(zip(evidence, weights, strict=True)):
        for order in range(1, ORDERS + 1) if texts else ():
            overlap[source, order - 1] = _similarity(sentences, texts, order) @ np.array(shares) / sum(shares)
    wanted = _feature_chances(drawn, known, features)
    held = tuple(frozenset(features.intersection(words)) for words in sentences)
    return Candidates(
        sentences=sentences,
        overlap=overlap,
        exists=np.array([bool(texts) for texts in evidence]),
        matches=np.array([sum(wanted.get(feature, 0.0) for feature in some) for some in held]),
        usual=np.array([sum(pair in memory.usual for pair in pairwise(words)) / max(1, len(words) - 1) for words in sentences]),
        features=held,
    )


def _similarity(left: Sequence[tuple[str, ...]], right: Sequence[tuple[str, ...]], order: int) -> Matrix:
    """F of the n-grams in common, float64 [left, right]."""
    codes: dict[tuple[str, ...], int] = {}
    rows = [
        [codes.setdefault(gram, len(codes)) for gram in zip(*(text[k:] for k in range(order)), strict=False)]
        for text in [*left, *right]
    ]
    counts = np.zeros((len(rows), max(1, len(codes))))
    for row, grams in enumerate(rows):
        np.add.at(counts[row], grams, 1.0)
    one, other = counts[: len(left)], counts[len(left) :]
    # The lesser of two counts is the number of levels that both reach.
    levels = range(1, int(counts.max()) + 1)
    common = sum((((one >= level) * 1.0) @ ((other >= level) * 1.0).T for level in levels), np.zeros((len(one), len(other))))
    similarity: Matrix = 2.0 * common / np.maximum(one.sum(axis=1)[:, None] + other.sum(axis=1), 1.0)
    return similarity


def _feature_chances(drawn: Sequence[str], known: Known, features: frozenset[str]) -> dict[str, float]:
    """How likely it is of each feature that the user speaks of it: half by the draws, half by what others spoke of."""
    said = [features.intersection(text.split()) for text in drawn]
    counts: defaultdict[str, float] = defaultdict(float)
    for some in said:
        for feature in some:
            counts[feature] += 1 / len(some)
    chances = {feature: count / len(drawn) for feature, count in counts.items()}
    if not known.of_item:
        return chances
    others = Counter(review.feature for review in known.of_item)
    both = {*chances, *others}
    return {feature: 0.5 * chances.get(feature, 0.0) + 0.5 * others[feature] / len(known.of_item) for feature in both}


def choose(given: Sequence[Candidates], weights: ChoiceWeights) -> list[list[str]]:
    """One sentence for each pair, in their order; those before are the others to whom a sentence was given already."""
    sentences: Counter[tuple[str, ...]] = Counter()
    crowds: Counter[str] = Counter()
    found: list[list[str]] = []
    for number, some in enumerate(given, start=1):
        if not some.sentences:
            found.append([])
            continue
        repeats = np.array([sentences[words] for words in some.sentences])
        crowd = np.array([sum(crowds[feature] for feature in held) for held in some.features]) / number
        scores = _worth(some, weights) - weights.again * np.log1p(repeats) - weights.crowded * crowd
        best = int(scores.argmax())
        sentences[some.sentences[best]] += 1
        crowds.update(some.features[best])
        found.append(list(some.sentences[best]))
    return found


def _worth(some: Candidates, weights: ChoiceWeights) -> Matrix:
    """Expected worth of each candidate by itself."""
    shares = np.array([1.0, weights.of_item, weights.by_user]) * some.exists
    # Nothing was drawn, perhaps, and what others wrote counts for nothing.
    overlap = np.einsum("s,soc->oc", shares / max(shares.sum(), 1e-9), some.overlap)
    lengths = np.array([len(words) for words in some.sentences])
    worth: Matrix = np.array([1.0, weights.pairs, weights.triples, weights.fours]) @ overlap
    return worth + weights.feature * some.matches + weights.usual * some.usual + weights.length * lengths
