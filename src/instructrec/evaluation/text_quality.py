"""How good generated sentences are: overlap with a reference sentence, and how varied and specific they are together.

A sentence is a sequence of words that were already split; nothing here lowers, stems or splits again. N sentences are compared
with N references, place by place. `features` are single words of what reviews speak of ("strings", "price").
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

Words = Sequence[str]


def ngrams(words: Words, order: int) -> Counter[tuple[str, ...]]:
    """How often each sequence of `order` words stands in a sentence."""
    return Counter(zip(*(words[start:] for start in range(order)), strict=False))


def bleu(found: Sequence[Words], references: Sequence[Words], *, order: int = 4) -> float:
    """Corpus BLEU (Papineni et al. 2002, ACL, eqs. 2 and 3), one reference a sentence, no smoothing, 0 to 100.

    100 * min(1, e^(1 - r/h)) * (p_1 * ... * p_order)^(1/order); p_n: n-grams of all sentences that their references hold, each
    counted at most as often as there, by all n-grams of the sentences; h and r: words of all sentences and references.
    """
    _same_length(found, references)
    matches, totals = [0] * order, [0] * order
    for words, reference in zip(found, references, strict=True):
        for n in range(1, order + 1):
            matches[n - 1] += (ngrams(words, n) & ngrams(reference, n)).total()
            totals[n - 1] += max(len(words) - n + 1, 0)
    if not all(matches):
        return 0.0
    written, wanted = sum(map(len, found)), sum(map(len, references))
    precision = sum(math.log(match / total) for match, total in zip(matches, totals, strict=True)) / order
    return 100.0 * math.exp(min(0.0, 1.0 - wanted / written) + precision)


def rouge_n(found: Sequence[Words], references: Sequence[Words], *, order: int = 1) -> float:
    """Mean F of ROUGE-N (Lin 2004, ACL workshop, section 2), 0 to 100: n-grams in common, counted as often as both hold them."""
    _same_length(found, references)
    values = []
    for words, reference in zip(found, references, strict=True):
        common = (ngrams(words, order) & ngrams(reference, order)).total()
        values.append(_f(common, max(len(words) - order + 1, 0), max(len(reference) - order + 1, 0)))
    return 100.0 * _mean(values)


def rouge_l(found: Sequence[Words], references: Sequence[Words]) -> float:
    """Mean F of ROUGE-L (Lin 2004, section 3.1, beta 1), 0 to 100: the longest common subsequence."""
    _same_length(found, references)
    return 100.0 * _mean(
        [_f(common_subsequence(a, b), len(a), len(b)) for a, b in zip(found, references, strict=True)],
    )


def common_subsequence(left: Words, right: Words) -> int:
    """Number of words of the longest subsequence that two sentences share."""
    row = [0] * (len(right) + 1)
    for word in left:
        before = 0
        for place, other in enumerate(right, start=1):
            above = row[place]
            row[place] = before + 1 if word == other else max(above, row[place - 1])
            before = above
    return row[-1]


def unique_sentence_ratio(found: Sequence[Words]) -> float:
    """USR (Li et al. 2020, CIKM "NETE", section 5.2): different sentences by all sentences, 0 to 1."""
    return len({tuple(words) for words in found}) / max(1, len(found))


def feature_matching_ratio(found: Sequence[Words], wanted: Sequence[str]) -> float:
    """FMR (NETE, section 5.2): the share of sentences that hold the feature of their reference, 0 to 1."""
    _same_length(found, wanted)
    return _mean([float(feature in words) for words, feature in zip(found, wanted, strict=True)])


def feature_coverage_ratio(found: Sequence[Words], features: frozenset[str]) -> float:
    """FCR (NETE, section 5.2): the share of all features that stand in some sentence, 0 to 1."""
    return len(features.intersection(word for words in found for word in words)) / max(1, len(features))


def feature_diversity(found: Sequence[Words], features: frozenset[str]) -> float:
    """DIV (NETE, section 5.2): features that two sentences have in common, mean over all pairs; lower is more diverse.

    A feature in c sentences is common to c(c-1)/2 pairs, so no pair has to be looked at.
    """
    holding = Counter(feature for words in found for feature in features.intersection(words))
    pairs = len(found) * (len(found) - 1) / 2
    return sum(count * (count - 1) / 2 for count in holding.values()) / max(1.0, pairs)


def distinct(found: Iterable[Words], *, order: int = 2) -> float:
    """distinct-n (Li et al. 2016, NAACL, section 5.2): different n-grams by all n-grams, 0 to 1."""
    counts: Counter[tuple[str, ...]] = Counter()
    for words in found:
        counts.update(ngrams(words, order))
    return len(counts) / max(1, counts.total())


def _f(common: int, written: int, wanted: int) -> float:
    return 2.0 * common / (written + wanted) if common else 0.0


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / max(1, len(values))


def _same_length(found: Sequence[object], references: Sequence[object]) -> None:
    if len(found) != len(references):
        raise ValueError(f"{len(found)} sentences cannot be compared with {len(references)} references. Give one for each.")
