"""Phrases with an adverb in their middle: "puts me right off" is "puts me off", "can't honestly stand" is "can't stand"."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.instructions.lexicon import Lexicon, Phrase

_SURE = frozenset({"negation", "negation_after", "soft", "soft_after", "like", "fresh", "familiar", "firm"})
"""Roles of phrases that an adverb in their middle does not change."""
_MOST_WORDS = 9


class Thinner:
    """Finds phrases that are known without the adverbs that stand in them."""

    def __init__(self, keys: Sequence[str], lexicon: Lexicon) -> None:
        self.keys = keys
        self.lexicon = lexicon
        self._idle = [key in lexicon.adverbs for key in keys]
        self._bound = [tuple(keys[place : place + 2]) in lexicon.bound for place in range(len(keys))]
        for place in range(len(keys) - 1):
            if tuple(keys[place : place + 2]) in lexicon.adverb_pairs:
                self._idle[place] = self._idle[place + 1] = True

    def find(self, place: int) -> tuple[Phrase, int] | None:
        """The longest phrase that begins at a word and has adverbs inside, without them, and the place behind it."""
        if self._idle[place] or not any(self._idle[place + 1 : place + _MOST_WORDS]):
            return None
        words: list[str] = [self.keys[place]]
        found: tuple[Phrase, int] | None = None
        skipped = False
        for at in range(place + 1, min(place + _MOST_WORDS, len(self.keys))):
            if self._idle[at] and not self._bound[at]:
                skipped = True
                continue
            words.append(self.keys[at])
            phrase = tuple(words)
            roles = self.lexicon.strong.get(phrase, ())
            if skipped and roles and roles[0] in _SURE and not self._bound[at]:
                found = phrase, at + 1
        return found
