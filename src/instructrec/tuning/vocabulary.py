"""The closed vocabulary of a writer: which tokens may come next in a text with slots, and texts as tokens and back."""

from __future__ import annotations

import torch
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
        self._words = Words()
        said = [self._encoded(seed.text) for seed in seeds(language)]
        self.strings = {token: tokenizer.decode([token]) for text in said for token in text if token < vocabulary}
        for text in said:
            self._words.add(self._parted(text))
        self.tokens = [*sorted(self.strings), *(self.marks[slot] for slot in SLOTS), self.end]
        self.place = {token: place for place, token in enumerate(self.tokens)}
        letters = [self.spaced and self.strings.get(token, "")[:1].isalpha() for token in self.tokens]
        self.apart = ~torch.tensor(letters)
        """Tokens that do not go on with a word before them, bool [tokens]."""

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

    def _parted(self, text: list[int]) -> list[list[int]]:
        """The tokens of each word: one goes on with what is no whole sign yet, and a letter with a word that has begun."""
        found: list[list[int]] = []
        begun = False
        for token in text:
            string = self.strings.get(token, "")
            if not string:
                begun = False  # A slot is no part of a word.
            elif begun and self._goes_on(found[-1], string):
                found[-1].append(token)
            else:
                found.append([token])
                begun = True
        return found

    def _goes_on(self, word: list[int], string: str) -> bool:
        """Whether a word goes on with a token: letters do with letters, and what is no whole sign yet with anything."""
        return not self._is_whole(word) or (self.spaced and self._so_far(word)[-1:].isalpha() and string[:1].isalpha())

    def _so_far(self, word: list[int]) -> str:
        return self.tokenizer.decode(word)

    def _is_whole(self, word: list[int]) -> bool:
        """Whether tokens are signs: a sign outside the alphabet may need several, and the space before it is one of them."""
        string = self._so_far(word)
        return bool(string.strip()) and "\ufffd" not in string

    @property
    def words(self) -> Words:
        """The vocabulary as a tree of tokens."""
        return self._words


class Words:
    """Words as a tree: `children` token -> what may follow inside a word; a word may end where `ends`."""

    def __init__(self) -> None:
        self.children: dict[int, Words] = {}
        self.ends = False
        self._mask: Tensor | None = None

    def add(self, words: list[list[int]]) -> None:
        """Add words, each a list of tokens."""
        for word in words:
            here = self
            for token in word:
                here = here.children.setdefault(token, Words())
            here.ends = True

    def mask(self, place: dict[int, int], size: int) -> Tensor:
        """Which of the known tokens go on with the word, bool [size]."""
        if self._mask is None:
            self._mask = torch.zeros(size, dtype=torch.bool)
            self._mask[[place[token] for token in self.children]] = True
        return self._mask


class WrittenRow:
    """One text that is being written, and what may come next in it."""

    def __init__(self, speller: SlotSpeller, plan: Plan) -> None:
        self.speller = speller
        self.left = dict.fromkeys(plan.words)
        self.needed = plan.needed
        self.tokens: list[int] = []
        self.ended = False
        self._here = speller.words

    def allowed(self) -> Tensor:
        """Which of the known tokens may come next, bool [tokens]; only the end behind the end."""
        speller = self.speller
        size = len(speller.tokens)
        if self.ended:
            mask = torch.zeros(size, dtype=torch.bool)
            mask[speller.place[speller.end]] = True
            return mask
        mask = self._here.mask(speller.place, size).clone()
        if self._here.ends or self._here is speller.words:
            begins = speller.words.mask(speller.place, size)
            mask |= begins & speller.apart if self._last()[-1:].isalpha() else begins
            mask[[speller.place[speller.marks[slot]] for slot in self.left]] = True
            said = not self.needed & self.left.keys()
            mask[speller.place[speller.end]] = said and self._is_sentence()
        return mask

    def _is_sentence(self) -> bool:
        return self._last().endswith(_ENDS)

    def _last(self) -> str:
        """The last token as a string; none for a slot."""
        return self.speller.strings.get(self.tokens[-1], "") if self.tokens else ""

    def take(self, place: int) -> None:
        """Go on with a known token."""
        if self.ended:
            return
        token = self.speller.tokens[place]
        if token == self.speller.end:
            self.ended = True
            return
        self.tokens.append(token)
        self.left.pop(self.speller.slots.get(token, ""), None)
        root = self.speller.words
        if token in self.speller.slots:
            self._here = root
        else:
            self._here = self._here.children.get(token) or root.children[token]

    def text(self) -> str:
        """The text with its slots; "" where it is not finished."""
        return self.speller.decode(self.tokens) if self.ended else ""


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
