"""A language model that puts outlines into words: tuned on texts with slots, held to their vocabulary, varied by sampling."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from instructrec.core import Progress, Silent
from instructrec.errors import ModelError, RunError
from instructrec.files import atomic_folder
from instructrec.instructions.plans import Plan, Seed, seeds
from instructrec.lm.bases import prepare
from instructrec.lm.decoder import DecoderShape, load_decoder
from instructrec.lm.following import Following
from instructrec.lm.marked_decoder import MarkedDecoder
from instructrec.tables import fingerprint
from instructrec.tuning.loop import StepConfig, TuningLoop
from instructrec.tuning.vocabulary import SlotSpeller, WrittenRow, drawn

FORMAT = 1
MOST_TOKENS = 110
"""Tokens of a text at most; one that is not finished then is none."""
_WORTH_MOVING = 0.8
"""Finished texts are put aside when no more than this part of those that are being written goes on."""
_HELD_OUT = 10
"""Of so many texts by hand one is kept for measuring."""


@dataclass(frozen=True, kw_only=True)
class VerbaliserConfig(StepConfig):
    """How a model learns to write reasons, and how it draws words."""

    base: str = field(default="smollm2-135m", metadata={"help": "base model"})
    layers: int = field(default=0, metadata={"help": "blocks of the base that are used (0: all)"})
    rank: int = field(default=16, metadata={"help": "rank of the adapters"})
    alpha: float = field(default=32.0, metadata={"help": "scale of the adapters, times rank"})
    passes: int = field(default=4, metadata={"help": "passes over the texts by hand, each time about other values"})
    batch_tokens: int = field(default=400, metadata={"help": "tokens an optimiser step"})
    temperature: float = field(default=0.8, metadata={"help": "of sampling: lower is more even, higher more varied"})
    nucleus: float = field(default=0.9, metadata={"help": "probability of the words that are drawn from"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """`tokens` int64 [batch, length]; places in the flat batch of the tokens before each choice, and what is `right`, int64."""

    tokens: Tensor
    places: Tensor
    right: Tensor


class Verbaliser:
    """Writes texts with slots for outlines. `fit`, or `load`, comes first."""

    def __init__(self, config: VerbaliserConfig | None = None) -> None:
        self.config = config or VerbaliserConfig()
        self.curve: list[dict[str, float]] = []
        self.language = "en"
        self.seed = 0
        self.perplexity: dict[str, float] = {}
        self._model: MarkedDecoder | None = None

    def fit(
        self,
        lessons: Sequence[tuple[Plan, Seed]],
        *,
        language: str = "en",
        seed: int = 0,
        progress: Progress | None = None,
        folder: Path | None = None,
    ) -> Self:
        """Tune on outlines and the texts that say them: minutes. Work that was interrupted goes on in `folder`.

        A tenth of the texts is kept out, and the perplexity of their tokens (e to the mean loss, each token among the whole
        vocabulary of the texts) is measured before and after. Raises ModelError where there is nothing to learn from.
        """
        progress = progress or Silent()
        self.language, self.seed = language, seed
        if not lessons:
            raise ModelError(f"There are no texts in language '{language}' to learn writing from. Leave writing to the grammar.")
        self._make(progress)
        model, rng = self._ready(), np.random.default_rng(seed)
        kept = set(held_out(language))
        learned = [pair for pair in lessons if pair[1].text not in kept]
        batches = self._batched(learned, rng)
        measured = self._batched([pair for pair in lessons if pair[1].text in kept], rng)
        torch.manual_seed(seed)
        self.perplexity = {"before": self._perplexity(measured)}
        model.tune()

        def loss(batch: _Batch) -> tuple[Tensor, float]:
            found = self._loss(batch)
            return found, float(found.detach())

        loop = TuningLoop(model, loss, self.config, steps=len(batches), seed=seed)
        loop.run(lambda _epoch: batches, progress=progress, folder=folder, stage="tune the writer")
        self.curve = loop.state.curve
        self.perplexity["after"] = self._perplexity(measured)
        self.warm()
        return self

    def _make(self, progress: Progress) -> None:
        base = prepare(self.config.base, progress=progress)
        shape = DecoderShape(layers=self.config.layers, rank=self.config.rank, alpha=self.config.alpha)
        decoder = load_decoder(base, shape, seed=self.seed)
        if decoder.both_ways:
            raise ModelError(f"The base '{self.config.base}' reads both ways. A writer needs a decoder such as 'smollm2-135m'.")
        self.base_sha256 = base.sha256
        self.speller = SlotSpeller(decoder.tokenizer, len(decoder.words), self.language)
        self._model = MarkedDecoder(decoder, self.speller.num_marks)
        if not self.config.layers:
            self._model.scale = 1.0  # States of a whole base are compared with its words as they are.
        self._known = torch.tensor(self.speller.tokens)

    def _batched(self, lessons: Sequence[tuple[Plan, Seed]], rng: np.random.Generator) -> list[_Batch]:
        """Lessons of like length together, in random order."""
        rows = [(self.speller.prompt(plan), self.speller.text(seed.text)) for plan, seed in lessons]
        rows.sort(key=lambda row: len(row[0]) + len(row[1]))
        groups: list[list[tuple[list[int], list[int]]]] = [[]]
        for row in rows:
            if groups[-1] and (len(row[0]) + len(row[1])) * (len(groups[-1]) + 1) > self.config.batch_tokens:
                groups.append([])
            groups[-1].append(row)
        return [self._padded(groups[int(place)]) for place in rng.permutation(len(groups)) if groups[int(place)]]

    def _padded(self, rows: Sequence[tuple[list[int], list[int]]]) -> _Batch:
        length = max(len(prompt) + len(text) for prompt, text in rows) - 1
        tokens = torch.zeros(len(rows), length, dtype=torch.int64)
        places, right = [], []
        for row, (prompt, text) in enumerate(rows):
            whole = [*prompt, *text]
            tokens[row, : len(whole) - 1] = torch.tensor(whole[:-1])
            places += [row * length + place for place in range(len(prompt) - 1, len(whole) - 1)]
            right += [self.speller.place[token] for token in text]
        return _Batch(tokens=tokens, places=torch.tensor(places), right=torch.tensor(right))

    def _loss(self, batch: _Batch) -> Tensor:
        """Mean cross-entropy (nats) of the tokens of texts, each among the vocabulary of all texts."""
        model = self._ready()
        positions = torch.arange(batch.tokens.shape[1]).expand_as(batch.tokens)
        hidden = model.hidden(batch.tokens, positions).flatten(0, 1)
        return functional.cross_entropy(self._scores(functional.embedding(batch.places, hidden)), batch.right)

    def _scores(self, hidden: Tensor) -> Tensor:
        """How well each known token follows a state [rows, width]: float32 [rows, tokens]."""
        model = self._ready()
        return (hidden.float() * model.gain) @ model.vectors(self._known).T * model.scale

    @torch.no_grad()
    def _perplexity(self, batches: Sequence[_Batch]) -> float:
        self._ready().eval()
        counts = [len(batch.right) for batch in batches]
        total = sum(float(self._loss(batch)) * count for batch, count in zip(batches, counts, strict=True))
        return math.exp(total / max(1, sum(counts)))

    def _ready(self) -> MarkedDecoder:
        if self._model is None:
            raise ModelError("The model that writes has not been tuned yet. Call fit(lessons) or load(folder) first.")
        return self._model

    def warm(self) -> None:
        """Make ready to write with the present weights."""
        model = self._ready().eval()
        self._reader = Following(model.body)
        with torch.no_grad():
            self._table = (model.vectors(self._known) * model.gain * model.scale).to(self._reader.dtype).T.contiguous()

    @torch.inference_mode()
    def write(self, plans: Sequence[Plan], *, seeds: Sequence[int]) -> list[str]:
        """A text with slots for each outline; "" where none was finished. A text follows from its outline and seed.

        All texts are written together, a token of each at a time. Only words of the texts by hand can come, and only behind words
        that they stand behind there; each slot of the outline once, and no text ends before all that its outline needs is said.
        """
        if not plans:
            return []
        model = self._ready()
        prompts = [self.speller.prompt(plan) for plan in plans]
        lengths = torch.tensor([len(prompt) for prompt in prompts])
        filled = torch.tensor([prompt + [0] * (int(lengths.max()) - len(prompt)) for prompt in prompts])
        texts = [WrittenRow(self.speller, plan) for plan in plans]
        chances = torch.from_numpy(np.stack([np.random.default_rng(seed).random(MOST_TOKENS, dtype=np.float32) for seed in seeds]))
        going = list(range(len(plans)))
        hidden = self._reader.begin(model.vectors(filled), lengths, MOST_TOKENS)
        for step in range(MOST_TOKENS):
            chosen = self._drawn(hidden, [texts[number] for number in going], chances[going, step])
            left = [place for place, number in enumerate(going) if not texts[number].ended]
            if not left:
                break
            if len(left) <= _WORTH_MOVING * len(going):
                self._reader.keep(torch.tensor(left))
                going, chosen = [going[place] for place in left], chosen[left]
            hidden = self._reader.append(model.vectors(chosen))
        return [text.text() for text in texts]

    def _drawn(self, hidden: Tensor, rows: Sequence[WrittenRow], chance: Tensor) -> Tensor:
        """The next token of every text, int64 [texts]; `chance` float32 [texts] from 0 to 1 says which."""
        refused = torch.ones(len(rows), len(self._known), dtype=torch.bool)
        for number, row in enumerate(rows):
            refused[number, row.allowed()] = False
        scores = (hidden @ self._table).float().masked_fill_(refused, -torch.inf)
        places = drawn(scores, chance, temperature=self.config.temperature, nucleus=self.config.nucleus)
        for row, place in zip(rows, places.tolist(), strict=True):
            row.take(place)
        return self._known[places]

    def save(self, folder: Path) -> None:
        """Write the weights that were tuned, the settings, and which base and texts they belong to: whole, or not at all."""
        model = self._ready()
        facts = {"format": FORMAT, "config": asdict(self.config), "language": self.language, "seed": self.seed}
        facts |= {"base_sha256": self.base_sha256, "texts_sha256": texts_of(self.language)}
        facts |= {"perplexity": self.perplexity, "curve": self.curve}
        with atomic_folder(folder, replace=True) as partial:
            model.save(partial)
            (partial / "writing.json").write_text(json.dumps(facts), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises RunError for a folder of another make, base or vocabulary."""
        path = folder / "writing.json"
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            if facts["format"] != FORMAT or facts["texts_sha256"] != texts_of(facts["language"]):
                raise RunError(f"{path} belongs to another version of the texts by hand. Tune the writer again.")
            found = cls(VerbaliserConfig(**facts["config"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path} cannot be read: {error!r}. Tune the writer again, or copy the folder anew.") from error
        found.language, found.seed, found.curve = facts["language"], facts["seed"], facts["curve"]
        found.perplexity = facts["perplexity"]
        found._make(Silent())
        if found.base_sha256 != facts["base_sha256"]:
            raise RunError(f"{folder} was tuned on other weights of '{found.config.base}'. Tune the writer again.")
        found._ready().restore(folder)
        found.warm()
        return found


def texts_of(language: str) -> str:
    """sha256 of the texts by hand of a language: they are the vocabulary of the writer."""
    return fingerprint(tuple(seed.text for seed in seeds(language)))


def held_out(language: str) -> list[str]:
    """The texts by hand that no writer learns from: every tenth by a hash that does not change when others are added."""
    return [seed.text for seed in seeds(language) if int(fingerprint((seed.text,))[:8], 16) % _HELD_OUT == 0]
