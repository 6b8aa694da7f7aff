"""Small misspellings of known words, found through shared deletions (the index of symmetric-delete spelling correction)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

_SHORTEST, _LONGEST = 5, 30
"""Shorter words have too many neighbours that are words themselves; longer ones are not words."""
_LONG_ENOUGH_FOR_TWO = 9
_LONGEST_TITLE = 60


class Speller:
    """Corrects a word to the one known word within one edit (two for words of nine letters and more).

    An edit inserts, drops or replaces a letter or swaps two neighbours. The first letter must be right or swapped.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._by_deletion: dict[str, set[str]] = defaultdict(set)
        for word in set(words):
            if _SHORTEST <= len(word) <= _LONGEST and word.isalpha():
                for rest in _deletions(word, _allowed(word)):
                    self._by_deletion[rest].add(word)

    def correct(self, word: str) -> str | None:
        """The known word meant, or None when there is none, or more than one that is equally near."""
        if not _SHORTEST <= len(word) <= _LONGEST or not word.isalpha():
            return None
        near = {known for rest in _deletions(word, _allowed(word)) for known in self._by_deletion.get(rest, ())}
        ranked = sorted((distance(word, known), known) for known in near if known[0] in word[:2] and word[0] in known[:2])
        best = [known for edits, known in ranked if edits == ranked[0][0] and edits <= min(_allowed(word), _allowed(known))]
        return best[0] if len(best) == 1 else None


class TitleSpeller:
    """Corrects a whole phrase to the one known phrase within one edit, two from nine letters on; spaces do not count.

    Only phrases that share the first two or the last three letters are compared, as one slip cannot touch both ends.
    """

    def __init__(self, phrases: Iterable[tuple[str, ...]]) -> None:
        self._known: dict[str, tuple[str, ...]] = {}
        self._by_end: dict[tuple[str, int], list[str]] = defaultdict(list)
        for phrase in phrases:
            joined = "".join(phrase)
            if _SHORTEST <= len(joined) <= _LONGEST_TITLE and joined not in self._known:
                self._known[joined] = phrase
                for end in (joined[:2], joined[-3:]):
                    self._by_end[end, len(joined)].append(joined)

    def correct(self, words: tuple[str, ...]) -> tuple[str, ...] | None:
        """The known phrase meant, or None when there is none, or more than one that is equally near."""
        joined = "".join(words)
        if not _SHORTEST <= len(joined) <= _LONGEST_TITLE:
            return None
        edits = _allowed(joined)
        near = {
            known
            for end in (joined[:2], joined[-3:])
            for length in range(len(joined) - edits, len(joined) + edits + 1)
            for known in self._by_end.get((end, length), ())
            if len(set(joined) ^ set(known)) <= 2 * edits
        }
        ranked = sorted((distance(joined, known), known) for known in near)
        best = [known for steps, known in ranked if steps == ranked[0][0] and steps <= min(edits, _allowed(known))]
        return self._known[best[0]] if len(best) == 1 else None


def distance(left: str, right: str) -> int:
    """Edits between two words (optimal string alignment: insert, drop, replace, swap neighbours)."""
    rows = [list(range(len(right) + 1))]
    for i, a in enumerate(left, start=1):
        row = [i]
        for j, b in enumerate(right, start=1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]


def _allowed(word: str) -> int:
    return 2 if len(word) >= _LONG_ENOUGH_FOR_TWO else 1


def _deletions(word: str, edits: int) -> Iterator[str]:
    yield word
    if edits:
        for place in range(len(word)):
            yield from _deletions(word[:place] + word[place + 1 :], edits - 1)
