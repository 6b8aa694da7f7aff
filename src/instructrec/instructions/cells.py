"""The space of instructions of InstructRec (Zhang et al. 2023, arXiv 2305.07001): preference x intention x form, 32 cells.

P0 nothing is known of the user, P1 the history is, P2 a stated preference is. I0 nothing is wished, I1 something vague, I2
something specific. T0 would this item be taken? T1 which of two? T2 which of the whole catalog? T3 which of some candidates?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from instructrec.core import Branch
from instructrec.instructions.phrasing import Phrasing
from instructrec.instructions.render import Form, form_question, joined
from instructrec.instructions.reviews import ReviewSentence
from instructrec.tables import IntArray

Preference: TypeAlias = Literal["P0", "P1", "P2"]
Intention: TypeAlias = Literal["I0", "I1", "I2"]
FORMS: dict[str, Form] = {"T0": "pointwise", "T1": "pairwise", "T2": "matching", "T3": "reranking"}
NUM_CANDIDATES = 10
"""Candidates of a re-ranking question, the target among them."""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """What is known of the user, what is wished, and what is asked."""

    preference: Preference
    intention: Intention
    form: Form

    @property
    def name(self) -> str:
        """As in the paper: "P1-I2-T0"."""
        code = next(code for code, form in FORMS.items() if form == self.form)
        return f"{self.preference}-{self.intention}-{code}"


_PREFERENCES: tuple[Preference, ...] = ("P0", "P1", "P2")
_INTENTIONS: tuple[Intention, ...] = ("I0", "I1", "I2")
CELLS = tuple(
    Cell(preference, intention, form)
    for form in FORMS.values()
    for preference in _PREFERENCES
    for intention in _INTENTIONS
    if (preference, intention) != ("P0", "I0")
)
"""Every cell but those in which nothing at all is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One point of a history: the items before it, the item that followed, all items that the user takes in training, and what the
    user wrote of the item that followed (none: nothing).
    """

    before: Sequence[int]
    target: int
    taken: frozenset[int] = frozenset()
    written: ReviewSentence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A question of a cell, part by part, before it becomes tokens or text.

    `history`: the items (catalog codes) that it may see; `preference` and `intention`: what is said; `sentence`: what is asked
    about `candidates`. It is answered by the item `target`, or by the word `completion`.
    """

    cell: Cell
    history: tuple[int, ...] = ()
    preference: str = ""
    intention: str = ""
    sentence: str
    candidates: tuple[int, ...] = ()
    target: int | None = None
    completion: str = ""


class CellWriter:
    """Writes questions of any cell about the moments of histories.

    `popular`: item codes, each as often as it was taken in training; from them half of the negatives are drawn.
    """

    def __init__(self, phrasing: Phrasing, *, popular: IntArray | None = None) -> None:
        self.phrasing = phrasing
        self.num_items = len(phrasing.catalog)
        self.popular = np.arange(self.num_items) if popular is None or not len(popular) else popular

    def draft(self, cell: Cell, moment: Moment, rng: np.random.Generator, *, held_out: bool = False) -> Draft | None:
        """A question; none where the moment lacks what the cell needs: a history, attribute values, or items never taken.

        Only what stands before the target is looked at, beside the target itself. A stated preference stands for the history in
        half of the cases, and beside it in the others. With `held_out` every phrasing is one that tuning never sees.
        """
        if cell.preference != "P0" and not moment.before:
            return None
        preference = self.phrasing.preference(moment.before, rng, held_out=held_out) if cell.preference == "P2" else ""
        intention = self._intention(cell, moment.target, rng, held_out)
        if (cell.preference == "P2" and not preference) or (cell.intention != "I0" and not intention):
            return None
        shown = cell.preference == "P1" or (cell.preference == "P2" and rng.random() < 0.5)
        draft = Draft(
            cell=cell,
            history=tuple(moment.before) if shown else (),
            preference=preference,
            intention=intention,
            sentence=self.phrasing.pick(cell.form, rng, held_out=held_out),
            target=moment.target,
        )
        return self._with_candidates(draft, moment, rng)

    def branch(self, draft: Draft, *, weight: float = 1.0) -> Branch:
        """The question as it is tuned, rendered as a live one is."""
        said = joined([part for part in (draft.preference, draft.intention) if part], self.phrasing.forms)
        at = 1 + len(draft.history)
        asked = form_question(draft.cell.form, said, draft.candidates, sentence=draft.sentence, at=at, forms=self.phrasing.forms)
        return replace(asked, target=draft.target, completion=draft.completion, weight=weight)

    def negatives(self, moment: Moment, count: int, rng: np.random.Generator) -> list[int]:
        """Up to `count` different items that the user never takes in training, half drawn at random and half by popularity."""
        taken = {*moment.taken, *moment.before, moment.target}
        found: dict[int, None] = {}
        for _ in range(4):
            anywhere = rng.integers(self.num_items, size=2 * count)
            popular = self.popular[rng.integers(len(self.popular), size=2 * count)]
            found |= {int(code): None for code in rng.permutation(np.concatenate([anywhere, popular])) if int(code) not in taken}
            if len(found) >= count:
                return list(found)[:count]
        rest = [code for code in range(self.num_items) if code not in taken and code not in found]
        return [*found, *(rest[int(place)] for place in rng.permutation(len(rest)))][:count]

    def _intention(self, cell: Cell, target: int, rng: np.random.Generator, held_out: bool) -> str:
        if cell.intention == "I0":
            return ""
        say = self.phrasing.vague if cell.intention == "I1" else self.phrasing.specific
        return say(target, rng, held_out=held_out)

    def _with_candidates(self, draft: Draft, moment: Moment, rng: np.random.Generator) -> Draft | None:
        form = draft.cell.form
        if form == "matching":
            return draft
        others = self.negatives(moment, NUM_CANDIDATES - 1 if form == "reranking" else 1, rng)
        if not others:
            return None
        if form == "pointwise":
            taken = rng.random() < 0.5
            word = self.phrasing.forms.yes if taken else self.phrasing.forms.no
            return replace(draft, candidates=(moment.target if taken else others[0],), target=None, completion=word)
        both = [moment.target, *others]
        return replace(draft, candidates=tuple(both[int(place)] for place in rng.permutation(len(both))))
