"""The closed vocabulary of a writer: which tokens may come next in a text with slots, and texts as tokens and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from torch import Tensor

from instructrec.instructions.plans import LENGTHS, SLOTS, TOLD, TONES, Plan, pieces, seeds
from instructrec.lm.decoder import Tokenizer

UNSPACED = ("zh",)
"""Languages that put no spaces between words."""
_ENDS = tuple(".!?。！？")
_OPENING = tuple("(（[/‘“《")
"""Signs behind which no space stands."""
TOLD_TOKENS = 8
"""Tokens that are read of what a slot stands for."""
CONTEXT = {"en": 5, "zh": 4}
"""Words (or signs) before a word that decide what it may be: with these it stands in some sentence by hand."""
_LEAST = 2
"""So many they are at least, where with more nothing is left that the outline allows."""

Unit: TypeAlias = tuple[int, ...]
"""The tokens of a word, a sign or a slot."""


class SlotSpeller:
    """Tokens of outlines and of texts with slots. `tokens`: all that a text can be made of; `place`: token -> its place there."""

    def __init__(self, tokenizer: Tokenizer, vocabulary: int, language: str) -> None:
        self.tokenizer = tokenizer
        self.spaced = language not in UNSPACED
        names = (*(f"tone {name}" for name in TONES), *(f"length {name}" for name in LENGTHS), *SLOTS, "answer", "end")
        self.marks = {name: vocabulary + number for number, name in enumerate(names)}
        self.num_marks = len(names)
        self.slots = {self.marks[slot]: slot for slot in SLOTS}
        self.end = self.marks["end"]
        said = [self._encoded(seed.text) for seed in seeds(language)]
        self.strings = {token: tokenizer.decode([token]) for text in said for token in text if token < vocabulary}
        self._order = CONTEXT.get(language, _LEAST)
        self._sentences = [
            (sentence, frozenset(unit[0] for unit in sentence if unit[0] in self.slots))
            for text in said
            for sentence in self._parted(text)
        ]
        self._attested: dict[tuple[frozenset[int], frozenset[int], bool], Attested] = {}
        self._sayable: dict[tuple[frozenset[int], frozenset[int]], bool] = {}
        self.tokens = [*sorted(self.strings), *(self.marks[slot] for slot in SLOTS), self.end]
        self.place = {token: place for place, token in enumerate(self.tokens)}

    def prompt(self, plan: Plan) -> list[int]:
        """An outline: tone, length, and the slots with their words where a text depends on them."""
        found = [self.marks[f"tone {plan.tone}"], self.marks[f"length {plan.length}"]]
        for slot, words in plan.words.items():
            found.append(self.marks[slot])
            if slot in TOLD:
                found += self.tokenizer.encode(f" {words}")[:TOLD_TOKENS]
        return [*found, self.marks["answer"]]

    def text(self, text: str) -> list[int]:
        """A text with slots, and its end."""
        return [*self._encoded(text), self.end]

    def _encoded(self, text: str) -> list[int]:
        """Words and slots of a text; the space before a slot is part of the slot."""
        found: list[int] = []
        for number, piece in enumerate(pieces(text)):
            if number % 2:
                found.append(self.marks[piece])
            elif piece.strip() or piece.strip(" "):
                found += self.tokenizer.encode(f" {piece.lstrip()}" if not number and self.spaced else piece.rstrip(" "))
        return found

    def decode(self, tokens: list[int]) -> str:
        """A text with slots of its tokens, without the end."""
        found, some = "", []
        for token in [*tokens, self.end]:
            if token not in self.slots and token != self.end:
                some.append(token)
                continue
            found, some = found + (self.tokenizer.decode(some) if some else ""), []
            if token in self.slots:
                space = " " if self.spaced and found and not found.endswith((*_OPENING, " ")) else ""
                found += f"{space}{{{self.slots[token]}}}"
        return found.strip()

    def attested(self, left: frozenset[int], needed: frozenset[int], *, idle: bool) -> Attested:
        """What follows what in the sentences by hand that may come next; kept for the next time.

        They hold no slots but those that are `left`, and leave none of those that are `needed` that no further sentences could say.
        `idle`: a sentence without any slot may come, too.
        """
        key = (left, needed, idle)
        if key not in self._attested:
            fitting = [
                sentence
                for sentence, slots in self._sentences
                if slots <= left and (slots or idle) and self.is_sayable(left - slots, needed - slots)
            ]
            self._attested[key] = Attested(fitting, self._order)
        return self._attested[key]

    def is_sayable(self, left: frozenset[int], needed: frozenset[int]) -> bool:
        """Whether sentences by hand that hold no slots but those `left`, each slot once, can say all that is `needed`."""
        if not needed:
            return True
        key = (left, needed)
        if key not in self._sayable:
            kinds = {slots for _, slots in self._sentences if slots & needed and slots <= left}
            self._sayable[key] = any(self.is_sayable(left - slots, needed - slots) for slots in kinds)
        return self._sayable[key]

    def _parted(self, text: list[int]) -> list[list[Unit]]:
        """The words, signs and slots of each sentence."""
        units: list[list[int]] = []
        sentences: list[list[Unit]] = []
        for token in text:
            string = self.strings.get(token, "")
            if units and string and self._goes_on(units[-1], string):
                units[-1].append(token)
            else:
                units.append([token])
        for unit in map(tuple, units):
            if not sentences or self.is_end(sentences[-1][-1]):
                sentences.append([])
            sentences[-1].append(unit)
        return sentences

    def is_end(self, unit: Unit) -> bool:
        """Whether a sentence ends with this."""
        return self.strings.get(unit[-1], "").endswith(_ENDS)

    def _goes_on(self, word: list[int], string: str) -> bool:
        """Whether a word goes on with a token: letters do with letters, and what is no whole sign yet with anything."""
        if word[-1] in self.slots:
            return False
        return not self._is_whole(word) or (self.spaced and self._so_far(word)[-1:].isalpha() and string[:1].isalpha())

    def _so_far(self, word: list[int]) -> str:
        return self.tokenizer.decode(word)

    def _is_whole(self, word: list[int]) -> bool:
        """Whether tokens are signs: a sign outside the alphabet may need several, and the space before it is one of them."""
        string = self._so_far(word)
        return bool(string.strip()) and "\ufffd" not in string


class Words:
    """Words as a tree of their tokens: `children` token -> what may follow inside a word; a word may end where `ends`."""

    def __init__(self) -> None:
        self.children: dict[int, Words] = {}
        self.ends = False

    def add(self, word: Unit) -> None:
        """Add the tokens of a word."""
        here = self
        for token in word:
            here = here.children.setdefault(token, Words())
        here.ends = True

    def at(self, begun: Sequence[int]) -> Words | None:
        """What goes on with a word that has begun; none where no word begins so."""
        here: Words | None = self
        for token in begun:
            here = here.children.get(token) if here else None
        return here


class Attested:
    """Which words follow which in sentences: after each run of up to `order` words, the words that come behind it somewhere."""

    def __init__(self, sentences: Sequence[Sequence[Unit]], order: int) -> None:
        self.order = order
        self._after: dict[tuple[Unit, ...], Words] = {}
        for sentence in sentences:
            whole = ((), *sentence)  # What stands before a sentence is a context, too.
            for place in range(1, len(whole)):
                for size in range(_LEAST, order + 1):
                    self._after.setdefault(whole[max(0, place - size) : place], Words()).add(whole[place])

    def after(self, units: Sequence[Unit]) -> Iterator[Words]:
        """What may follow the words of a sentence so far, as its longest context says, then as shorter ones do."""
        whole = ((), *units)
        for size in range(self.order, _LEAST - 1, -1):
            found = self._after.get(tuple(whole[-size:]))
            if found is not None:
                yield found


class WrittenRow:
    """One text that is being written, and what may come next in it."""

    def __init__(self, speller: SlotSpeller, plan: Plan) -> None:
        self.speller = speller
        self.left = frozenset(speller.marks[slot] for slot in plan.words)
        self.needed = frozenset(speller.marks[slot] for slot in plan.needed)
        self.tokens: list[int] = []
        self.ended = self.failed = False
        self._sentence: list[Unit] = []
        self._begun: list[int] = []
        # A sentence without a slot says nothing: it is manner, and a plain text has none.
        self._idle = plan.tone != "plain"
        self._attested = self._opening()

    def _opening(self) -> Attested:
        return self.speller.attested(self.left, self.needed & self.left, idle=self._idle)

    def allowed(self) -> list[int]:
        """Places of the known tokens that may come next; only the end behind the end, and where nothing else can come."""
        place = self.speller.place
        if not self.ended:
            found = self._next()
            if found:
                return [place[token] for token in found]
            self.ended = self.failed = True
        return [place[self.speller.end]]

    def _next(self) -> list[int]:
        """Tokens that go on with the word that has begun, and those that begin a word behind it."""
        found: dict[int, None] = {}
        begun = tuple(self._begun)
        for words in self._attested.after(self._sentence):
            here = words.at(begun)
            if here is not None:
                found |= self._of_outline(here)
                whole = bool(begun) and here.ends
                if whole and self.speller.is_end(begun):
                    found |= self._beginnings()
                elif whole:
                    found |= self._behind((*self._sentence, begun), self._attested)
            if found:
                break
        return list(found)

    def _behind(self, units: Sequence[Unit], attested: Attested) -> dict[int, None]:
        """Tokens that begin a word behind those of a sentence, by the longest context that has any."""
        for words in attested.after(units):
            found = self._of_outline(words)
            if found:
                return found
        return {}

    def _beginnings(self) -> dict[int, None]:
        """Tokens that begin a sentence, and the end where all is said."""
        end = {} if self.needed & self.left else {self.speller.end: None}
        return self._behind((), self._opening()) | end

    def _of_outline(self, words: Words) -> dict[int, None]:
        """Tokens that may follow, without slots that the outline lacks or that stand already."""
        return {token: None for token in words.children if token not in self.speller.slots or token in self.left}

    def take(self, place: int) -> None:
        """Go on with a known token."""
        if self.ended:
            return
        token = self.speller.tokens[place]
        if token == self.speller.end:
            self.ended = True
            return
        if self._begun and not self._goes_on(token):
            self._sentence.append(tuple(self._begun))
            if self.speller.is_end(self._sentence[-1]):
                self._idle &= any(unit[0] in self.speller.slots for unit in self._sentence)
                self._sentence, self._attested = [], self._opening()
            self._begun = []
        self.tokens.append(token)
        self._begun.append(token)
        self.left -= {token}

    def _goes_on(self, token: int) -> bool:
        """Whether a token is part of the word that has begun."""
        return any(
            here is not None and token in here.children
            for here in (words.at(self._begun) for words in self._attested.after(self._sentence))
        )

    def text(self) -> str:
        """The text with its slots; "" where it is not finished."""
        return self.speller.decode(self.tokens) if self.ended and not self.failed else ""


def drawn(scores: Tensor, chance: Tensor, *, temperature: float, nucleus: float) -> Tensor:
    """One place a row, int64 [rows], out of the fewest that hold `nucleus` of the probability (Holtzman et al. 2020,
    arXiv 1904.09751); the likeliest at temperature 0. `scores` float32 [rows, places], -inf for what may not come; `chance`
    float32 [rows], drawn evenly from 0 to 1.
    """
    if temperature <= 0:
        return scores.argmax(dim=1)
    shares, places = (scores / temperature).softmax(dim=1).sort(dim=1, descending=True)
    shares = shares.masked_fill(shares.cumsum(dim=1) - shares >= nucleus, 0.0)
    ends = shares.cumsum(dim=1)
    picked = (ends <= chance[:, None] * ends[:, -1:]).sum(dim=1, keepdim=True).clamp(max=shares.shape[1] - 1)
    return places.gather(1, picked)[:, 0]
