"""Read the claims back out of a finished text and check each against catalog, history, limits and counts; no writer is trusted.

Titles in quotation marks are masked first, so that a title which contains a genre word or another title claims nothing by itself.
What remains is read by the rules that read instructions: values with their polarity, years, numbers of people.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from instructrec.explain.facts import Facts, display_name
from instructrec.instructions.parse import Reading
from instructrec.instructions.reading.reads import Read
from instructrec.instructions.vocabulary import Ref

_SENTENCE = re.compile(r"(?<=[.!?。！？])(?:\s+|$)|(?<=[。！？])")
_TITLE_MASK, _WORD_MASK = "\ue000", "\ue001"
_LONGEST_TEXT = 2000


def problems(text: str, facts: Facts) -> list[str]:
    """What in a text does not follow from the facts; empty for a text that may be shown."""
    if len(text) > _LONGEST_TEXT or any(mask in text for mask in (_TITLE_MASK, _WORD_MASK)):
        return ["The text is too long or holds signs that are kept for checking."]
    phrases = facts.lore.phrases
    masked, titles = _mask(text, phrases.title_marks, _TITLE_MASK)
    masked, words = _mask(masked, phrases.word_marks, _WORD_MASK)
    found = [f"A quotation mark {mark} stands alone." for mark in (*phrases.title_marks, '"') if mark in masked]
    names, wished = iter(titles), iter(words)
    for sentence in filter(None, _SENTENCE.split(masked)):
        own_titles = [next(names) for _ in range(sentence.count(_TITLE_MASK))]
        own_words = [next(wished) for _ in range(sentence.count(_WORD_MASK))]
        found += _Sentence(sentence, own_titles, facts).problems() + _wish_problems(own_words, facts)
    return found


def _mask(text: str, marks: tuple[str, str], mask: str) -> tuple[str, list[str]]:
    opening, closing = (re.escape(mark) for mark in marks)
    pattern = re.compile(f"{opening}([^{opening}{closing}]*){closing}")
    return pattern.sub(mask, text), pattern.findall(text)


def _wish_problems(words: Sequence[str], facts: Facts) -> list[str]:
    stem, wish = facts.lore.lexicon.stem, facts.lore.read(facts.wish)
    wished = {stem(token.key) for token in wish.tokens}
    has = facts.lore.words(facts.item)
    keys = {word: [stem(token.key) for token in facts.lore.read(word).tokens] for word in words}
    true = {word for word, parts in keys.items() if parts and set(parts) <= wished & has}
    return [f"The word '{word}' is not both wished and found." for word in words if word not in true]


class _Sentence:
    """One sentence: its masked text, the titles that stood in it, and what it claims."""

    def __init__(self, text: str, titles: Sequence[str], facts: Facts) -> None:
        self.text = text
        self.titles = titles
        self.facts = facts
        self.reading: Reading = facts.lore.read(text)
        self.asked = any(phrase in text.lower() for phrase in facts.lore.phrases.asked)
        self.against = any(phrase in text.lower() for phrase in facts.lore.phrases.against)
        self.partners: list[int] = []

    def problems(self) -> list[str]:
        found = self._titles()
        for index, part in enumerate(self.reading.reads):
            found += self._claim(part, index)
        return found + self._strongest() + self._source()

    def _titles(self) -> list[str]:
        """Each title is the item itself or a history item that raises its score, or lowers it where that is what is said."""
        out: list[str] = []
        weights = dict(self.facts.opposed() if self.against else self.facts.reasons())
        for title in self.titles:
            codes = set(self.facts.lore.named.get(title, ()))
            if not codes:
                out.append(f"There is no item called '{title}'.")
            elif codes & set(weights):
                self.partners.append(max(codes & set(weights), key=lambda code: abs(weights[code])))
            elif self.facts.item not in codes or self.against:
                does = "lower" if self.against else "raise"
                out.append(f"'{title}' is no reason: it is not in the history, or does not {does} the score.")
        return out

    def _claim(self, part: Read, index: int) -> list[str]:
        words = self.reading.words(part)
        mark = part.mark
        if mark.plays("value"):
            return self._value(part, self._about(index, mark.refs), words)
        if mark.plays("title"):
            return [f"The title '{words}' stands without quotation marks."]
        if mark.plays("range"):
            return [] if self._range_holds(part) else [f"'{words}' is neither a number of the item nor a limit of the request."]
        if mark.plays("number", "year", "decade", "count"):
            return [] if self._counts_people(index) else [f"The number '{words}' has no source."]
        return []

    def _about(self, index: int, refs: tuple[Ref, ...]) -> tuple[Ref, ...]:
        """The meanings of a value, only those of the attribute that is named right after it in brackets."""
        for after in self.reading.reads[index + 1 : index + 3]:
            if after.mark.plays("attribute"):
                return tuple(ref for ref in refs if ref.attribute == after.mark.attribute) or refs
            if not after.mark.plays("sign"):
                break
        return refs

    def _value(self, part: Read, refs: tuple[Ref, ...], words: str) -> list[str]:
        if part.polarity not in ("include", "exclude"):
            return [f"It is not clear what is said of '{words}'."]
        wanted = part.polarity == "include"
        about = [self.facts.item, *(self.partners if wanted else ())]
        out = [
            f"'{words}' is {'not true' if wanted else 'true'} of '{display_name(self.facts.lore.catalog, code)}'."
            for code in about
            if bool(set(refs) & set(self.facts.lore.values(code))) is not wanted
        ]
        if self.asked and not self._was_asked(refs, wanted):
            out.append(f"'{words}' was not asked for in this way.")
        if self.against and not (wanted and set(refs) & set(self.facts.rated_low())):
            out.append(f"'{words}' is not rated lower than the rest.")
        return out

    def _was_asked(self, refs: tuple[Ref, ...], wanted: bool) -> bool:
        operator = "include" if wanted else "exclude"
        limits = [limit for limit in self.facts.limits if limit.operator == operator]
        limited = {Ref(limit.attribute, value) for limit in limits for value in limit.values}
        wish = self.facts.lore.read(self.facts.wish).reads if wanted and self.facts.wish else ()
        return bool(set(refs) & (limited | {ref for part in wish for ref in part.mark.refs if part.polarity == "include"}))

    def _range_holds(self, part: Read) -> bool:
        """A single number is the item's own; an interval is a limit of the request in which the item's number lies."""
        mark = part.mark
        number = self.facts.number(mark.attribute or "")
        if number is None or part.polarity != "include":
            return False
        if mark.low == mark.high:
            return mark.low == number
        limits = [limit for limit in self.facts.limits if limit.operator == "range" and limit.attribute == mark.attribute]
        inside = (mark.low is None or mark.low <= number) and (mark.high is None or number <= mark.high)
        return inside and any((limit.low, limit.high) == (mark.low, mark.high) for limit in limits)

    def _counts_people(self, index: int) -> bool:
        number = self.reading.reads[index].mark.low
        after = self.reading.reads[index + 1 : index + 2]
        return bool(after) and after[0].mark.plays("people") and number == self.facts.people

    def _strongest(self) -> list[str]:
        """What is said to count most does."""
        if not any(phrase in self.text.lower() for phrase in self.facts.lore.phrases.strongest):
            return []
        named = {display_name(self.facts.lore.catalog, code) for code in self.partners}
        ranked = list(dict.fromkeys(display_name(self.facts.lore.catalog, code) for code, _ in self.facts.reasons()))
        return [] if named and named == set(ranked[: len(named)]) else ["Something else counts more."]

    def _source(self) -> list[str]:
        names = self.facts.lore.phrases.sources
        said = {label for label in names.values() if label.lower() in self.text.lower()}
        return [f"'{label}' is not the main source." for label in said if label != names.get(self.facts.source or "")]
