"""A language model that understands requests: tuned on sentences written from a catalog, held to the grammar of each text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from instructrec.core import Instruction, Progress, Silent
from instructrec.errors import ModelError, RunError
from instructrec.files import atomic_folder
from instructrec.instructions.agreement import UNSURE
from instructrec.instructions.automaton import Automaton
from instructrec.instructions.canonical import END, Statement, written
from instructrec.instructions.clauses import Said
from instructrec.instructions.evidence import Evidence
from instructrec.instructions.grammar import Grammar
from instructrec.instructions.meaning import meaning
from instructrec.instructions.phrasing import held_out_values
from instructrec.instructions.pretending import pretended
from instructrec.instructions.sentences import SentenceWriter
from instructrec.lm.bases import prepare
from instructrec.lm.decoder import DecoderShape, load_decoder
from instructrec.lm.marked_decoder import Continuing, MarkedDecoder
from instructrec.tables import Catalog, fingerprint
from instructrec.tuning.lessons import Lesson, LessonBatch, Positions, Speller, batched, lesson, loss_of
from instructrec.tuning.loop import StepConfig, TuningLoop

FORMAT = 2
"""2: the items it was tuned on are kept."""
MOST_STEPS = 400
"""Tokens that are written at most; a statement that is not finished then is left out."""
KEPT = 1024
"""Sentences whose meaning is kept."""
_CATALOGS = 40
"""Made-up catalogs of one tuning at most."""


@dataclass(frozen=True, kw_only=True)
class UnderstandingConfig(StepConfig):
    """How a model learns to understand."""

    base: str = field(default="smollm2-135m", metadata={"help": "base model"})
    layers: int = field(default=8, metadata={"help": "blocks of the base that are used (0: all)"})
    rank: int = field(default=16, metadata={"help": "rank of the adapters"})
    alpha: float = field(default=64.0, metadata={"help": "scale of the adapters, times rank"})
    sentences: int = field(default=10000, metadata={"help": "sentences that are read in tuning, none twice"})
    pretended: float = field(default=0.5, metadata={"help": "share of the sentences that is about made-up catalogs"})
    sure: float = field(default=0.9, metadata={"help": "probability below which the model is not sure of a condition"})
    hold_out_values: bool = field(default=False, metadata={"help": "never say a fifth of the values (for measuring)"})
    batch_tokens: int = field(default=600, metadata={"help": "tokens an optimiser step"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """What the model understood. `instruction`: what it is sure of, with a note for each doubt ("unsure:Comedy"); `whole`: all of
    it, which is `canonical` as text; `sure`: the probability that it gives to all of it, 0 to 1.
    """

    instruction: Instruction
    whole: Instruction
    canonical: str
    sure: float


class Understander:
    """Reads requests about one catalog. `fit`, or `load`, comes first; `about` reads for another catalog with the same weights."""

    def __init__(self, config: UnderstandingConfig | None = None) -> None:
        self.config = config or UnderstandingConfig()
        self.curve: list[dict[str, float]] = []
        self.language = "en"
        self.base_sha256 = ""
        self.seed = 0
        self._model: MarkedDecoder | None = None
        self._kept: dict[str, Understood] = {}

    def fit(
        self,
        catalog: Catalog,
        *,
        language: str = "en",
        seed: int = 0,
        progress: Progress | None = None,
        folder: Path | None = None,
    ) -> Self:
        """Tune on sentences about the catalog and about made-up ones: minutes. Work that was interrupted goes on in `folder`.

        Raises ModelError for a base that is no decoder, and where no sentence can be written.
        """
        progress = progress or Silent()
        self.catalog, self.language, self.seed = catalog, language, seed
        self._make(progress)
        model, rng = self._ready(), np.random.default_rng(seed)
        lessons = list(self._lessons(rng, progress))
        batches = batched(lessons, batch_tokens=self.config.batch_tokens, rng=rng)
        if not batches:
            raise ModelError(
                f"There is nothing to tune understanding on: {self.config.sentences} sentences were asked for, and none could be "
                "written about this catalog. Ask for more, or leave understanding to the rules."
            )
        torch.manual_seed(seed)
        model.tune()

        def loss(batch: LessonBatch) -> tuple[Tensor, float]:
            found = loss_of(model, batch)
            return found, float(found.detach())

        loop = TuningLoop(model, loss, self.config, steps=len(batches), seed=seed)
        loop.run(lambda _epoch: batches, progress=progress, folder=folder, stage="tune understanding")
        self.curve = loop.state.curve
        self.warm()
        return self

    def _make(self, progress: Progress) -> None:
        base = prepare(self.config.base, progress=progress)
        shape = DecoderShape(layers=self.config.layers, rank=self.config.rank, alpha=self.config.alpha)
        decoder = load_decoder(base, shape, seed=self.seed)
        if decoder.both_ways:
            raise ModelError(
                f"The base '{self.config.base}' reads both ways. Understanding needs a decoder such as 'smollm2-135m'."
            )
        self.base_sha256 = base.sha256
        self._speller = Speller(decoder.tokenizer, len(decoder.words))
        self._model = MarkedDecoder(decoder, self._speller.num_marks)

    def _lessons(self, rng: np.random.Generator, progress: Progress) -> Iterator[Lesson]:
        """Sentences of one to four conditions as lessons."""
        said: Said = "training" if self.config.hold_out_values else "all"
        own = SentenceWriter(self.catalog, language=self.language, said=said)
        unsaid = held_out_values(self.catalog) if self.config.hold_out_values else frozenset()
        others = []
        for _ in range(min(_CATALOGS, 2 + self.config.sentences // 50) if self.config.pretended > 0 else 0):
            others.append(SentenceWriter(pretended(self.catalog, self.language, rng), language=self.language))
        for other in others:
            other.values = [ref for ref in other.values if ref.value.lower() not in unsaid]
        progress.stage("write sentences", total=self.config.sentences)
        for number in range(self.config.sentences):
            writer = others[int(rng.integers(len(others)))] if others and rng.random() < self.config.pretended else own
            sentence = writer.draw(rng, int(rng.integers(1, 5)))
            found = lesson(sentence, writer.catalog, self._speller, language=self.language)
            if found is not None and found.places:
                yield found
            progress.step(number + 1)

    def _ready(self) -> MarkedDecoder:
        if self._model is None:
            raise ModelError("The model that understands has not been tuned yet. Call fit(catalog) or load(folder, catalog) first.")
        return self._model

    def warm(self) -> None:
        """Make ready to read with the present weights."""
        model = self._ready().eval()
        self._reader = Continuing(model.body)
        self._kept = {}

    def about(self, catalog: Catalog, *, language: str | None = None) -> Understander:
        """The same model for another catalog."""
        other = Understander(self.config)
        other.__dict__.update(self.__dict__)
        other.catalog, other._kept = catalog, {}
        other.language = language or self.language
        return other

    def understand(self, text: str) -> Instruction:
        """What the model is sure that a text means, with a note ("unsure:Comedy") for each doubt. Kept for the next time."""
        return self.read(text).instruction

    def read(self, text: str) -> Understood:
        """What a text means, and how sure that is."""
        if text not in self._kept:
            if len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[text] = self._read(text)
        return self._kept[text]

    @torch.inference_mode()
    def _read(self, text: str) -> Understood:
        model = self._ready()
        done = self._written(model, Evidence.of(text, self.catalog, self.language))
        said = [(statement, sure) for statement, sure in done if statement[-1] == END]
        least = self.config.sure
        firm = meaning((statement for statement, sure in said if sure >= least), self.catalog, said=text)
        doubts = dict.fromkeys(f"{UNSURE}:{statement[0].text}" for statement, sure in said if sure < least)
        return Understood(
            instruction=replace(firm, notes=tuple(doubts)),
            whole=meaning((statement for statement, _ in said), self.catalog, said=text),
            canonical=written(statement for statement, _ in said),
            sure=math.prod(sure for _, sure in said),
        )

    def _written(self, model: MarkedDecoder, evidence: Evidence) -> list[tuple[Statement, float]]:
        """The statements of a text, each with its probability; every time the likeliest of what may come next."""
        automaton = Automaton(Grammar(evidence, self.catalog), self._speller.piece)
        places = Positions(evidence, self._speller.tokenizer)
        self._reader.begin()
        waiting = self._speller.text(evidence.text)
        at = [*range(len(waiting))]
        paths = automaton.start()
        found: list[tuple[Statement, float]] = []
        sure = 0.0
        for _ in range(MOST_STEPS):
            choices = automaton.choices(paths)
            if not choices:
                break
            tokens = list(choices)
            chosen = tokens[0]
            if len(tokens) > 1:
                scores = self._scores(model, waiting, at[-len(waiting) :], tokens)
                best = int(scores.argmax())
                sure, chosen, waiting = sure + float(scores[best]), tokens[best], []
            first = choices[chosen][0]
            waiting.append(chosen)
            at.append(places.of(first, len(automaton.tokens(first.open[-1])), at[-1]))
            paths = automaton.step(choices[chosen])
            if paths and len(paths[0].done) > len(found):
                found.append((paths[0].done[-1], math.exp(sure)))
                sure = 0.0
        return found

    def _scores(self, model: MarkedDecoder, waiting: list[int], at: list[int], tokens: list[int]) -> Tensor:
        """Log-probabilities of tokens that may come next, behind those that the reader has not seen yet."""
        state = self._reader.append(model.vectors(torch.tensor(waiting)), torch.tensor(at))
        return model.scores(state[None], torch.tensor([tokens]))[0].log_softmax(dim=0)

    def save(self, folder: Path) -> None:
        """Write the weights that were tuned, the settings, and which base and items they belong to: whole, or not at all."""
        model = self._ready()
        facts = {"format": FORMAT, "config": asdict(self.config), "language": self.language, "seed": self.seed}
        facts |= {"base_sha256": self.base_sha256, "items_sha256": _items_of(self.catalog), "curve": self.curve}
        with atomic_folder(folder, replace=True) as partial:
            model.save(partial)
            (partial / "understanding.json").write_text(json.dumps(facts), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        """Read what `save` wrote for the catalog that it was tuned on; `about` then reads for others.

        Raises RunError for a folder of another make, base or catalog.
        """
        path = folder / "understanding.json"
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            if facts["format"] != FORMAT:
                raise RunError(f"{path} has format {facts['format']}, and {FORMAT} was wanted. Tune understanding again.")
            found, items = cls(UnderstandingConfig(**facts["config"])), facts["items_sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path} cannot be read: {error!r}. Tune understanding again, or copy the folder anew.") from error
        if items != _items_of(catalog):
            raise RunError(
                f"{folder} was tuned on another catalog. Load it with the catalog of its own run, or tune one on this catalog."
            )
        found.catalog, found.language, found.seed, found.curve = catalog, facts["language"], facts["seed"], facts["curve"]
        found._make(Silent())
        if found.base_sha256 != facts["base_sha256"]:
            raise RunError(f"{folder} was tuned on other weights of '{found.config.base}'. Tune understanding again.")
        found._ready().restore(folder)
        found.warm()
        return found


def _items_of(catalog: Catalog) -> str:
    """sha256 of the items that sentences speak of: their ids and titles."""
    return fingerprint((*catalog.item_ids, *catalog.titles))
