"""Made-up reasons about real items, for a writer to practise on: any slots of an outline, filled from a catalog."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from instructrec.core import Evidence
from instructrec.explain.facts import BAND, BANDS, Facts, Lore
from instructrec.explain.phrases import phrases
from instructrec.explain.planning import plan_of
from instructrec.instructions.plans import Plan, Seed, seeds
from instructrec.instructions.vocabulary import Ref
from instructrec.tables import Dataset, Limit

_TRIES = 200
"""Items that are tried before an outline is given up, because the catalog lacks what it needs."""


def practised(slots: Iterable[str], lore: Lore, rng: np.random.Generator) -> tuple[Facts, tuple[Evidence, ...]] | None:
    """Facts of some item, as if somebody had asked and picked what the slots need, and the evidence for them; None where no item
    of the catalog has what they need.
    """
    wanted = frozenset(slots)
    for _ in range(_TRIES):
        found = _Draw(wanted, lore, rng).made()
        if found is not None:
            return found
    return None


def lessons(dataset: Dataset, *, language: str, passes: int, seed: int) -> list[tuple[Plan, Seed]]:
    """Every text by hand `passes` times, each time about other items; without those for which the catalog has nothing."""
    lore, rng = Lore.of(dataset, phrases(language)), np.random.default_rng(seed)
    found = []
    for text in seeds(language):
        for _ in range(passes):
            made = practised(text.slots, lore, rng)
            if made is not None:
                facts, evidence = made
                plan, _rest = plan_of(evidence, facts, variant=int(rng.integers(1000)), tone=text.tone, length=text.length)
                found += [(plan, text)] if plan.is_said_by(text.text) else []
    return found


class _Draw:
    """One item, and what is said of it."""

    def __init__(self, wanted: frozenset[str], lore: Lore, rng: np.random.Generator) -> None:
        self.wanted, self.lore, self.rng = wanted, lore, rng
        self.item = int(rng.integers(len(lore.catalog)))
        self.limits: list[Limit] = []
        self.evidence: list[Evidence] = []
        self.wish = ""

    def made(self) -> tuple[Facts, tuple[Evidence, ...]] | None:
        history = self._history()
        if history is None or not (self._asked() and self._own(history) and self._known()):
            return None
        facts = Facts(
            lore=self.lore,
            item=self.item,
            weights={code: 1.0 / (place + 1) for place, code in enumerate(history)},
            losses={},
            limits=tuple(self.limits),
            wish=self.wish,
            source=None,
            low={},
            rank=1 + int(self.rng.integers(BAND * BANDS)),
        )
        self.evidence.append(Evidence(kind="rank", weight=0.0, value=str(facts.rank)))
        return facts, tuple(self.evidence)

    def _history(self) -> list[int] | None:
        """History items, of which the first shares a value with the item where that is wanted, and else none."""
        count = len(self.wanted & {"h1", "h2", "h3"})
        own = set(self.lore.values(self.item))
        chosen: list[int] = []
        names = {self.lore.catalog.titles[self.item]}
        for code in self.rng.integers(len(self.lore.catalog), size=_TRIES).tolist():
            if len(chosen) == count:
                break
            fits = bool(own & set(self.lore.values(code))) is ("shared" in self.wanted)
            if self.lore.catalog.titles[code] not in names and (chosen or fits):
                chosen.append(code)
                names.add(self.lore.catalog.titles[code])
        if len(chosen) < count:
            return None
        ids = self.lore.catalog.item_ids
        self.evidence += [Evidence(kind="history", weight=1.0 / (n + 1), item=ids[code]) for n, code in enumerate(chosen)]
        return chosen

    def _asked(self) -> bool:
        """Limits and a word of the wish."""
        said = set(self.lore.values(self.item))
        if "asked" in self.wanted:
            ref = self._one(sorted(self.lore.reasons(self.item)))
            if ref is None:
                return False
            self.limits.append(Limit(operator="include", attribute=ref.attribute, values=(ref.value,)))
            self.evidence.append(Evidence(kind="instruction", weight=0.0, attribute=ref.attribute, value=ref.value))
        if "ruled" in self.wanted:
            every = (Ref(name, value) for name, labels in self.lore.catalog.labels.items() for value in labels.names)
            ref = self._one([ref for ref in every if ref not in said])
            if ref is None:
                return False
            self.limits.append(Limit(operator="exclude", attribute=ref.attribute, values=(ref.value,)))
            self.evidence.append(Evidence(kind="instruction", weight=0.0, attribute=ref.attribute, value=f"not {ref.value}"))
        if "word" in self.wanted:
            words = [word for word in self.lore.catalog.titles[self.item].lower().split() if word.isalpha() and len(word) > 3]
            if not words:
                return False
            self.wish = words[int(self.rng.integers(len(words)))]
            self.evidence.append(Evidence(kind="instruction", weight=0.0, value=self.wish))
        return True

    def _own(self, history: Sequence[int]) -> bool:
        """A value of the item, shared with the first history item or not."""
        if not self.wanted & {"shared", "value"}:
            return True
        own = {ref for ref in self.lore.values(self.item) if not self.lore.sentiment(ref.attribute)}
        asked = {Ref(limit.attribute, value) for limit in self.limits for value in limit.values}
        partner = set(self.lore.values(history[0])) if history else set()
        shared = "shared" in self.wanted
        ref = self._one(sorted((own & partner if shared else own) - asked))
        if ref is None:
            return False
        item = self.lore.catalog.item_ids[history[0]] if shared else None
        self.evidence.append(Evidence(kind="attribute", weight=0.0, item=item, attribute=ref.attribute, value=ref.value))
        return True

    def _known(self) -> bool:
        """A number of the item, and how many people picked it."""
        if "number" in self.wanted:
            names = [name for name, column in self.lore.catalog.numbers.items() if np.isfinite(column[self.item])]
            if not names:
                return False
            name = names[int(self.rng.integers(len(names)))]
            number = float(self.lore.catalog.numbers[name][self.item])
            self.evidence.append(Evidence(kind="attribute", weight=0.0, attribute=name, value=f"{number:.15g}"))
        if "count" in self.wanted:
            if self.lore.people[self.item] < 2:
                return False
            self.evidence.append(Evidence(kind="popularity", weight=0.0, value=str(int(self.lore.people[self.item]))))
        return True

    def _one(self, refs: Sequence[Ref]) -> Ref | None:
        return refs[int(self.rng.integers(len(refs)))] if refs else None
