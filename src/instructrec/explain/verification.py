"""Read the claims back out of a finished text and check each against catalog, history, limits and counts; no writer is trusted.

Titles in quotation marks are masked first, so that a title which contains a genre word or another title claims nothing by itself.
What remains is read by the rules that read instructions: values with their polarity, years, numbers of people. `linking` settles
of whom each is said, `directions` which titles are said to speak against the item; here every claim is compared with the facts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from instructrec.explain.clauses import TITLE, VALUE, WORD, Part, Said, parts_of
from instructrec.explain.cues import Cues, cues
from instructrec.explain.directions import groups, lowering
from instructrec.explain.facts import Facts, display_name
from instructrec.explain.linking import contrasted, link
from instructrec.explain.numbers import number_holds
from instructrec.explain.relations import relation_problems
from instructrec.explain.reviewed import review_problems
from instructrec.explain.standing import standing_problems
from instructrec.instructions.vocabulary import Ref

_LONGEST_TEXT = 2000
_APOSTROPHE = re.compile(r"(?<=\w)[’ʼ](?=\w)")
_INSIDE = ",.;:!?，。；：！？"


def problems(text: str, facts: Facts) -> list[str]:
    """What in a text does not follow from the facts; empty for a text that may be shown."""
    if len(text) > _LONGEST_TEXT or any(mask in text for mask in (TITLE, WORD, VALUE)):
        return ["The text is too long or holds signs that are kept for checking."]
    phrases = facts.lore.phrases
    masked, titles = _mask_titles(text, facts)
    masked, words = _mask(_APOSTROPHE.sub("'", masked), phrases.word_marks, WORD)
    found = [f"A quotation mark {mark} stands alone." for mark in (*phrases.title_marks, '"') if mark in masked]
    return found + _wish_problems(words, facts) + _Text(masked, titles, facts).problems()


def _mask(text: str, marks: tuple[str, str], mask: str) -> tuple[str, list[str]]:
    opening, closing = (re.escape(mark) for mark in marks)
    pattern = re.compile(f"{opening}([^{opening}{closing}]*){closing}")
    return pattern.sub(mask, text), pattern.findall(text)


def _mask_titles(text: str, facts: Facts) -> tuple[str, list[str]]:
    """The text with its titles masked, and these; a comma inside the quotation marks that is none of a title stands behind them."""
    opening, closing = (re.escape(mark) for mark in facts.lore.phrases.title_marks)
    names: list[str] = []

    def masked(found: re.Match[str]) -> str:
        name = found[1]
        bare = name.rstrip(_INSIDE)
        known = facts.lore.named
        for form in (name, bare, _APOSTROPHE.sub("'", name), _APOSTROPHE.sub("'", bare)):
            if form in known:
                names.append(form)
                return TITLE + (name[len(bare) :] if len(form) == len(bare) else "")
        names.append(name)
        return TITLE

    return re.sub(f"{opening}([^{opening}{closing}]*){closing}", masked, text), names


def _wish_problems(words: Sequence[str], facts: Facts) -> list[str]:
    stem, wish = facts.lore.lexicon.stem, facts.lore.read(facts.wish)
    wished = {stem(token.key) for token in wish.tokens}
    has = facts.lore.words(facts.item)
    keys = {word: [stem(token.key) for token in facts.lore.read(word).tokens] for word in words}
    true = {word for word, parts in keys.items() if parts and set(parts) <= wished & has}
    return [f"The word '{word}' is not both wished and found." for word in words if word not in true]


class _Text:
    """A masked text, what belongs to what in it, and what it claims."""

    def __init__(self, masked: str, titles: Sequence[str], facts: Facts) -> None:
        self.facts = facts
        self.titles = titles
        self.cues: Cues = cues(facts.lore.phrases.language)
        self.sentences = parts_of(masked, titles, facts.lore, self.cues)
        link(self.sentences, facts.name, self.cues)
        self.against = lowering(self.sentences, self.cues)
        flat = [(title, part) for parts in self.sentences for part in parts for title in part.titles]
        self.mentioned = {number for number, (title, part) in enumerate(flat) if contrasted(title, part, self.cues)}
        self.effects = {number: self._effect(name, number in self.against) for number, name in enumerate(titles)}
        self.effects |= {number: self.effects[number] or self._effect(titles[number], True) for number in self.mentioned}

    def _effect(self, name: str, against: bool) -> float:
        """The effect of a title on the score, of those of that name the strongest that is meant; 0 where none is."""
        codes = set(self.facts.lore.named.get(name, ()))
        meant = dict(self.facts.opposed() if against else self.facts.reasons())
        return max((meant[code] for code in codes & set(meant)), key=abs, default=0.0)

    def problems(self) -> list[str]:
        found = self._titles()
        for parts in self.sentences:
            for part in parts:
                found += [problem for said in part.values for problem in self._value(said)]
                found += self._numbers(parts, part)
            found += relation_problems(parts, self.facts, self.cues) + review_problems(parts, self.facts, self.cues)
            found += self._unquoted(parts) + self._strongest(parts) + self._source(parts)
            found += standing_problems(parts[0].reading.text, self.facts, self.cues)
        return found

    def _titles(self) -> list[str]:
        """Each title is the item itself or a history item that raises its score, or lowers it where that is what is said."""
        out: list[str] = []
        for number, name in enumerate(self.titles):
            codes = self.facts.lore.named.get(name, ())
            if not codes:
                out.append(f"There is no item called '{name}'.")
            elif not self.effects[number] and (self.facts.item not in codes or number in self.against):
                does = "lower" if number in self.against else "raise"
                out.append(f"'{name}' is no reason: it is not in the history, or does not {does} the score.")
        return out

    def _unquoted(self, parts: Sequence[Part]) -> list[str]:
        reading = parts[0].reading
        out = [
            f"The title '{reading.words(read)}' stands without quotation marks."
            for read in reading.reads
            if read.mark.plays("title")
        ]
        said = {token for part in parts for each in part.numbers for token in range(each.read.mark.first, each.read.mark.last)}
        named = {token for part in parts for each in part.values for token in range(each.read.mark.first, each.read.mark.last)}
        for place, token in enumerate(reading.tokens):
            if any(map(str.isdigit, token.text)) and place not in said | named:
                out.append(f"The number '{token.text}' has no source.")
        out += [
            f"Nothing is known of '{found[0]}'." for found in self.cues.unsourced.finditer("".join(part.text for part in parts))
        ]
        return out + [
            f"Nothing is known of '{reading.words(read)}'."
            for read in reading.reads
            if read.mark.plays("unknown") and read.mark.first not in {0} | named and reading.words(read)[:1].isupper()
        ]

    def _value(self, said: Said) -> list[str]:
        if said.polarity not in ("include", "exclude"):
            return [f"It is not clear what is said of '{said.words}'."]
        wanted = said.polarity == "include"
        out = [
            f"'{said.words}' is {'not true' if wanted else 'true'} of '{display_name(self.facts.lore.catalog, codes[0])}'."
            for codes in self._about(said, wanted)
            if any(set(said.refs) & set(self.facts.lore.values(code)) for code in codes) is not wanted
        ]
        if said.asked and not self._was_asked(said.refs, wanted):
            out.append(f"'{said.words}' was not asked for in this way.")
        if said.low and not set(said.refs) & set(self.facts.rated_low() if wanted else self.facts.low):
            out.append(f"'{said.words}' is not rated lower than the rest.")
        if said.high:
            out.append(f"Nothing is known of '{said.words}' being rated high.")
        return out

    def _about(self, said: Said, wanted: bool) -> Iterator[tuple[int, ...]]:
        """The items of which a value is said: codes that share a name together."""
        if said.of_item:
            yield (self.facts.item,)
        for name in said.about if wanted or not said.of_item else ():
            codes = self.facts.lore.named.get(name, ())
            own = tuple(code for code in codes if code in self.facts.weights)
            if codes:
                yield own or codes

    def _was_asked(self, refs: tuple[Ref, ...], wanted: bool) -> bool:
        operator = "include" if wanted else "exclude"
        limits = [limit for limit in self.facts.limits if limit.operator == operator]
        limited = {Ref(limit.attribute, value) for limit in limits for value in limit.values}
        wish = self.facts.lore.read(self.facts.wish).reads if wanted and self.facts.wish else ()
        return bool(set(refs) & (limited | {ref for part in wish for ref in part.mark.refs if part.polarity == "include"}))

    def _numbers(self, parts: Sequence[Part], part: Part) -> list[str]:
        titles = sum(len(each.titles) for each in parts)
        around = titles or len(self.titles)
        return [
            f"The number '{said.words}' has no source."
            for said in part.numbers
            if not number_holds(said, part, self.facts, self.cues, around)
        ]

    def _strongest(self, parts: Sequence[Part]) -> list[str]:
        """What is said to count most does, and what is named first where titles are named in order."""
        said = [part for part in parts if self.cues.is_strongest(part.text) and not self._said_sources(part.text)]
        found = [problem for part in said for problem in self._is_first(parts, part)]
        if any(cue.search(part.text) for part in parts for cue in (self.cues.sequence, self.cues.in_order)):
            ordered = [group for part in parts for group in self._groups(part)]
            if any(self.cues.in_order.search(part.text) for part in parts):
                ordered = [[name] for group in ordered for name in group]
            weights = [[abs(self._effect(name, False)) for name in group] for group in ordered]
            if any(min(higher) < max(lower) for higher, lower in zip(weights, weights[1:], strict=False)):
                found.append("The titles are not named in the order of what they count.")
        return found

    def _is_first(self, parts: Sequence[Part], part: Part) -> list[str]:
        number = list(parts).index(part)
        near = [each for each in (part, *parts[number + 1 :], *reversed(parts[:number])) if each.titles]
        if not part.titles and any(self._said_sources(each.text) for each in parts[max(0, number - 1) : number + 2]):
            return []
        if not near:
            here = parts[0].sentence
            earlier = [each for other in self.sentences[:here] for each in other if each.titles]
            later = [each for other in self.sentences[here + 1 :] for each in other if each.titles]
            near = (later if parts[-1].text.rstrip().endswith(("?", "？")) else earlier[::-1])[:1]
        if not near:
            return ["It is not clear what counts most."]
        against = all(place in self.against for place in self._places(near[0]))
        ranked = self.facts.opposed() if against else self.facts.reasons()
        best = list(dict.fromkeys(display_name(self.facts.lore.catalog, code) for code, _ in ranked))
        [group, *_] = self._groups(near[0], against=against) or [[]]
        named = set(group) - {self.facts.name}
        return [] if named and named == set(best[: len(named)]) else ["Something else counts more."]

    def _places(self, part: Part) -> range:
        """Numbers of the titles of a part, as they come in the text."""
        first = 0
        for each in (each for parts in self.sentences for each in parts):
            if each is part:
                break
            first += len(each.titles)
        return range(first, first + len(part.titles))

    def _groups(self, part: Part, *, against: bool = False) -> list[list[str]]:
        places = self._places(part)
        wanted = {place for place in places if (place in self.against) is against}
        return groups(part, wanted, places.start, self.cues)

    def _said_sources(self, text: str) -> set[str]:
        names: Iterable[str] = self.facts.lore.phrases.sources.values()
        also = {label for word, label in self.cues.sources.items() if word in text}
        return {label for label in names if label.lower() in text} | also

    def _source(self, parts: Sequence[Part]) -> list[str]:
        main = self.facts.lore.phrases.sources.get(self.facts.source or "")
        said = {label for part in parts for label in self._said_sources(part.text)}
        return [f"'{label}' is not the main source." for label in sorted(said) if label != main]
