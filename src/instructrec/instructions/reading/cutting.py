"""Where a phrase must not end, because its last word begins another one."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.tokens import Token, number
from instructrec.instructions.vocabulary import LONGEST_PHRASE, Vocabulary

BOUNDS = {"since", "until", "exactly"}
_LIMITS = {"since", "until", "before", "after", "negation", "exactly"}


class PhraseCutter:
    """Says of the phrases of one text whether they would cut a longer one."""

    def __init__(self, tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> None:
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.lexicon = lexicon
        self.keys = tuple(token.key for token in tokens)

    def _cuts(self, start: int, end: int) -> bool:
        """Whether a phrase would begin or end in the middle of a longer word."""
        bound = self.lexicon.bound
        cutting = (self._joins_number, self._corrects_into, self._runs_on, self._bounds_into)
        if end - start > 1 and any(cuts(start, end) for cuts in cutting):
            return True
        return bool(bound) and (self.keys[end - 1 : end + 1] in bound or (start > 0 and self.keys[start - 1 : start + 1] in bound))

    def _joins_number(self, start: int, end: int) -> bool:
        """Whether an "or" stands before another bound ("before 1960 or after 2010") rather than behind one ("1960 or after")."""
        joins = {"or", "and"}.intersection(self.lexicon.strong.get(self.keys[start : start + 1], ()))
        if not joins or end >= len(self.keys) or joins.intersection(self.lexicon.strong.get(self.keys[start:end], ())):
            return False
        if _LIMITS.intersection(self.lexicon.strong.get(self.keys[end - 1 : end], ())) and self.tokens[end].is_word:
            lead = [number(key) is not None for key in self.keys[end : end + 3]]  # "and before the year 1990"
            return True in lead and all(self._leads(key) for key in self.keys[end : end + lead.index(True)])
        return self.keys[end][:1].isdigit() or "than" in self.lexicon.strong.get(self.keys[end : end + 1], ())

    def _leads(self, word: str) -> bool:
        """Whether a word may stand between a bound and its number; another bound, or a "from", begins another condition."""
        roles = (_LIMITS | {"from"}).intersection(self.lexicon.strong.get((word,), ()))
        return word in self.lexicon.words and (not roles or (self.lexicon.stem(word),) in self.vocabulary.attributes)

    def _corrects_into(self, start: int, end: int) -> bool:
        """Whether the "no" that ends a phrase belongs to what follows ("actually no horror", "and no more horror")."""
        roles = self.lexicon.strong.get(self.keys[start:end], ())
        if end >= len(self.keys) or not self.tokens[end].is_word:
            return False
        if "nothing_else" in roles and self.lexicon.negates(self.keys[end - 1]):
            return "nothing_else" not in self.lexicon.strong.get(self.keys[end - 1 : end + 1], ())
        if "until_after" in roles and "negation" not in roles and any(self.lexicon.negates(word) for word in self.keys[start:end]):
            noun = "noun" in self.lexicon.weak.get(self.keys[end : end + 1], ())
            return noun or self.vocabulary.begins(self.keys[end : end + LONGEST_PHRASE])
        return "correction" in roles and self.lexicon.negates(self.keys[end - 1]) and self.keys[end] not in self.lexicon.words

    def _runs_on(self, start: int, end: int) -> bool:
        """Whether its last word begins another phrase: a "one of" that speaks of the list ("one of them"), "up to" behind "and"."""
        if self._joins_phrase(start, end) or any(
            self.vocabulary.find(self.keys[end - 1 : last]) for last in range(end + 1, min(end + 4, len(self.keys) + 1))
        ):
            return True
        roles = self.lexicon.strong.get(self.keys[start:end], ())
        further = (self.keys[end - 1 : last] for last in range(end + 1, min(end + 3, len(self.keys)) + 1))
        beyond = {role for words in further for role in self.lexicon.strong.get(words, ())}
        behind = self.lexicon.begins(self.keys[end : end + 4]) if "or_after" in roles and self.lexicon.script == "han" else set()
        if {"since_after", "until_after"} & behind:
            return True  # "其中一个或更多"
        if "or_after" in roles and any(
            BOUNDS & set(self.lexicon.strong.get(self.keys[at:start], ())) for at in range(max(0, start - 3), start)
        ):
            return True  # "not more than one of those comedies"
        if self.lexicon.negates(self.keys[end - 1]) and {"since", "until"} & beyond and not {"since", "until"}.intersection(roles):
            return True  # "please no more than two"
        if end - start > 2 and "one_of" in beyond and "one_of" not in roles:
            return True  # "is there any of A and B"
        return ("one_of" in roles and bool({"of_them", "each"} & beyond)) or ("since_after" in roles and "until" in beyond)

    def _joins_phrase(self, start: int, end: int) -> bool:
        """Whether a longer phrase begins behind its "and": "and not more | recent than"."""
        joins = {"or", "and", "contrast"}.intersection(self.lexicon.strong.get(self.keys[start : start + 1], ()))
        further = (self.keys[start + 1 : last] for last in range(end + 1, min(end + 4, len(self.keys)) + 1))
        strong = self.lexicon.strong
        return bool(joins) and any(words in self.lexicon.compare or _LIMITS & set(strong.get(words, ())) for words in further)

    def _bounds_into(self, start: int, end: int) -> bool:
        """Whether a Chinese phrase ends in a bound of the number behind it ("评分最高3.6", "看看不得早于1990年")."""
        roles = self.lexicon.strong.get(self.keys[start:end], ())
        told = end + 1 < len(self.keys) and self.keys[end + 1].isdigit() and {"tale", "familiar"}.intersection(roles)
        if self.lexicon.script != "han" or not (told or {"quality", "negation_after"}.intersection(roles)):
            return False
        bounds = {"since", "until", "before", "after"}
        ends = (last for last in range(end, min(end + 5, len(self.keys))) if last > end or self.keys[end][:1].isdigit())
        inside = (self.keys[first:last] for last in ends for first in range(start + 1, end))
        return any(bounds.intersection(self.lexicon.strong.get(phrase, ())) for phrase in inside)
