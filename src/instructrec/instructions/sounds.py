"""Chinese words typed with a wrong character: one that sounds the same, or a rare one in a longer word."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable

from instructrec.instructions.lexicon import Phrase

_FIRST, _LAST = b"\xb0\xa1", b"\xd7\xf9"
"""The common characters of GB 2312, which stand there in the order of their sounds."""
_LONGEST = 8
_LONG_ENOUGH = 3


class SoundSpeller:
    """Corrects one wrong character of a known phrase, in time that does not depend on how many phrases are known.

    `syllables` holds the first character of every syllable in the order of GB 2312.
    """

    def __init__(self, phrases: Iterable[Phrase], syllables: str) -> None:
        self._starts = [letter.encode("gb2312") for letter in syllables]
        self._by_rest: dict[tuple[int, Phrase], list[Phrase]] = defaultdict(list)
        self._reach: dict[tuple[int, Phrase], int] = {}
        """Two of the first three characters, and which of them is missing -> characters of the longest phrase that has them."""
        for phrase in dict.fromkeys(phrases):
            if 1 < len(phrase) <= _LONGEST and self._starts:
                for place in range(len(phrase)):
                    self._by_rest[place, phrase[:place] + phrase[place + 1 :]].append(phrase)
                for begins in _pairs(phrase[:3]):
                    self._reach[begins] = max(self._reach.get(begins, 0), len(phrase))

    def longest(self, begins: Phrase) -> int:
        """How many characters a phrase can have that is meant where these three stand, one of them perhaps wrong; 2 at least."""
        return max((self._reach.get(pair, 2) for pair in _pairs(begins)), default=2)

    def correct(self, words: Phrase) -> Phrase | None:
        """The one known phrase meant, or None when there is none or more than one."""
        if not 1 < len(words) <= _LONGEST:
            return None
        found = {
            known
            for place, word in enumerate(words)
            for known in self._by_rest.get((place, words[:place] + words[place + 1 :]), ())
            if self._is_slip(word, known[place], long=len(words) >= _LONG_ENOUGH)
        }
        return found.pop() if len(found) == 1 else None

    def _is_slip(self, typed: str, meant: str, *, long: bool) -> bool:
        if typed == meant or len(typed) > 1 or not typed.isalpha() or typed.isascii():
            return False
        sounds = self._sound(typed), self._sound(meant)
        return sounds[0] == sounds[1] or (long and sounds[0] is None)

    def _sound(self, letter: str) -> int | None:
        """Number of the syllable of a common character; rare ones have none."""
        try:
            code = letter.encode("gb2312")
        except UnicodeEncodeError:
            return None
        return bisect_right(self._starts, code) if _FIRST <= code <= _LAST else None


def _pairs(begins: Phrase) -> list[tuple[int, Phrase]]:
    """What is left of three characters without each of them, and which it was; of fewer nothing."""
    return [(missing, begins[:missing] + begins[missing + 1 :]) for missing in range(3)] if len(begins) == 3 else []
