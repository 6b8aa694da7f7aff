"""A language model that writes what a user would say of an item, from what others said of it, and the user of other items.

Tuned on train reviews; the review itself is never among what is known. It draws many sentences, of which `choosing.py` takes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from instructrec.core import Progress, Silent
from instructrec.data.reviews import Review
from instructrec.errors import ModelError
from instructrec.lm.bases import prepare
from instructrec.lm.decoder import DecoderShape, load_decoder
from instructrec.lm.marked_decoder import MarkedDecoder
from instructrec.lm.shared_prefix import Continuations, SharedPrefixDecoder
from instructrec.tuning.knowing import Known, Memory
from instructrec.tuning.loop import StepConfig, TuningLoop

_MARKS = ("unknown", "others", "own", "features", "answer", "end")
"""Marks of the prompt; behind them one for each item and each user of train."""
_END = 0
"""Number of the end among the tokens that can be written."""


@dataclass(frozen=True, kw_only=True)
class ReviewWriterConfig(StepConfig):
    """How a writer is tuned, and how it draws."""

    base: str = field(default="smollm2-135m", metadata={"help": "base model"})
    layers: int = field(default=8, metadata={"help": "first blocks of the base that are used (0: all)"})
    rank: int = field(default=16, metadata={"help": "rank of the adapters"})
    alpha: float = field(default=64.0, metadata={"help": "scale of the adapters, times rank"})
    epochs: int = field(default=2, metadata={"help": "passes over the reviews"})
    batch_tokens: int = field(default=600, metadata={"help": "tokens an optimiser step"})
    others: int = field(default=1, metadata={"help": "sentences of others about the item that are shown"})
    own: int = field(default=0, metadata={"help": "sentences of the user about other items that are shown"})
    mark_dropout: float = field(default=0.3, metadata={"help": "share of the prompts in tuning that do not say which user or item"})
    prompts: int = field(default=2, metadata={"help": "prompts of a pair, with other sentences each"})
    samples: int = field(default=8, metadata={"help": "sentences drawn behind each prompt"})
    temperature: float = field(default=0.8, metadata={"help": "temperature of drawing"})
    most_tokens: int = field(default=26, metadata={"help": "tokens of a sentence at most"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingBatch:
    """`tokens` int64 [batch, length]; `places` of the states in the flat batch behind which a token is written, and `right`: its
    number among those that can be written. `words`: of all sentences, with an end each.
    """

    tokens: Tensor
    places: Tensor
    right: Tensor
    words: int


class ReviewWriter:
    """Writes sentences about pairs of user and item; `fit` comes first."""

    def __init__(self, config: ReviewWriterConfig | None = None) -> None:
        self.config = config or ReviewWriterConfig()
        self.curve: list[dict[str, float]] = []

    def fit(
        self,
        train: Sequence[Review],
        valid: Sequence[Review] = (),
        *,
        seed: int = 0,
        progress: Progress | None = None,
        folder: Path | None = None,
    ) -> ReviewWriter:
        """Tune on `train`; the loss on `valid` (nats a word) after each pass is kept in `curve`.

        Work that was interrupted goes on in `folder`.
        """
        progress = progress or Silent()
        self.memory, self.seed = Memory(train), seed
        self._make(progress)
        self.model.tune()
        rng = np.random.default_rng(seed)
        steps = self.config.epochs * len(self._batches(train, rng))

        def loss(batch: WritingBatch) -> tuple[Tensor, float]:
            found = self._loss(batch)
            return found / len(batch.right), float(found.detach()) / batch.words

        def check() -> float:
            with torch.no_grad():
                batches = self._batches(valid, np.random.default_rng(seed), dropout=0.0)
                return sum(float(self._loss(batch)) for batch in batches) / max(1, sum(batch.words for batch in batches))

        loop = TuningLoop(self.model, loss, self.config, steps=steps, seed=seed)
        loop.run(
            lambda epoch: self._batches(train, np.random.default_rng([seed, epoch])),
            progress=progress,
            folder=folder,
            check=check if valid else None,
            stage="tune the writer",
        )
        self.curve = loop.state.curve
        return self.warm()

    def warm(self) -> ReviewWriter:
        """Make ready to write with the present weights."""
        self.model.eval()
        self._reader = SharedPrefixDecoder(self.model.body)
        return self

    @property
    def parameters(self) -> int:
        """Number of weights that take part in a sentence: the blocks used, adapters, marks, and the word vectors."""
        model = self.model
        return sum(value.numel() for value in model.parameters()) + model.decoder.words.numel()

    def _make(self, progress: Progress) -> None:
        config = self.config
        base = prepare(config.base, progress=progress)
        decoder = load_decoder(base, DecoderShape(layers=config.layers, rank=config.rank, alpha=config.alpha), seed=self.seed)
        if decoder.both_ways:
            raise ModelError(f"The base '{config.base}' reads both ways. Writing needs a decoder such as 'smollm2-135m'.")
        self._tokenizer = decoder.tokenizer
        train = self.memory.train
        names = [f"item {review.item}" for review in train] + [f"user {review.user}" for review in train]
        marks = dict.fromkeys((*_MARKS, *names))
        self._marks = {name: len(decoder.words) + number for number, name in enumerate(marks)}
        self.model = MarkedDecoder(decoder, len(marks))
        written = dict.fromkeys(token for review in train for token in self._tokens(review.sentence))
        self._written = torch.tensor([self._marks["end"], *written])
        self._numbers = {token: number for number, token in enumerate(self._written.tolist())}

    def _tokens(self, text: str) -> list[int]:
        return self._tokenizer.encode(f" {text}")

    def _prompt(self, known: Known, rng: np.random.Generator, *, dropout: float) -> list[int]:
        """Tokens that tell what is known, with some of the sentences, drawn at random."""
        marks = self._marks
        unknown = marks["unknown"]
        who = [marks.get(name, unknown) for name in (f"item {known.item}", f"user {known.user}")]
        tokens = [unknown if rng.random() < dropout else mark for mark in who]
        tokens += self._tokens(f"{known.rating:.1f}")
        for mark, features in (("others", known.item_features), ("own", known.user_features)):
            tokens += [marks["features"], *self._tokens(" ".join(features))] if features else []
            reviews = known.of_item if mark == "others" else known.by_user
            size = min(len(reviews), self.config.others if mark == "others" else self.config.own)
            for place in rng.permutation(len(reviews))[:size].tolist():
                tokens += [marks[mark], *self._tokens(reviews[place].sentence)]
        return [*tokens, marks["answer"]]

    def _batches(self, reviews: Sequence[Review], rng: np.random.Generator, *, dropout: float | None = None) -> list[WritingBatch]:
        """Reviews of like length together, in random order."""
        dropout = self.config.mark_dropout if dropout is None else dropout
        rows = []
        for review in reviews:
            prompt = self._prompt(self.memory.known(review.user, review.item), rng, dropout=dropout)
            # A token that never stood in train cannot be written, so it is left out, and the loss is that of the others.
            sentence = [token for token in self._tokens(review.sentence) if token in self._numbers]
            rows.append((prompt, sentence, len(review.words) + 1))
        rows.sort(key=lambda row: len(row[0]) + len(row[1]))
        groups: list[list[tuple[list[int], list[int], int]]] = [[]]
        for row in rows:
            if groups[-1] and (len(row[0]) + len(row[1])) * (len(groups[-1]) + 1) > self.config.batch_tokens:
                groups.append([])
            groups[-1].append(row)
        return [self._padded(groups[place]) for place in rng.permutation(len(groups)).tolist() if groups[place]]

    def _padded(self, rows: Sequence[tuple[list[int], list[int], int]]) -> WritingBatch:
        length = max(len(prompt) + len(sentence) for prompt, sentence, _ in rows)
        tokens = torch.zeros(len(rows), length, dtype=torch.int64)
        places: list[int] = []
        right: list[int] = []
        for row, (prompt, sentence, _) in enumerate(rows):
            tokens[row, : len(prompt) + len(sentence)] = torch.tensor([*prompt, *sentence])
            first = row * length + len(prompt) - 1
            places += range(first, first + len(sentence) + 1)
            right += [*(self._numbers[token] for token in sentence), _END]
        return WritingBatch(
            tokens=tokens, places=torch.tensor(places), right=torch.tensor(right), words=sum(count for _, _, count in rows)
        )

    def _loss(self, batch: WritingBatch) -> Tensor:
        """Cross-entropy (nats) of all tokens written, summed."""
        positions = torch.arange(batch.tokens.shape[1]).expand_as(batch.tokens)
        hidden = functional.embedding(batch.places, self.model.hidden(batch.tokens, positions).flatten(0, 1))
        return functional.cross_entropy(self.model.scores_of(hidden, self._written), batch.right, reduction="sum")

    def draw(
        self, pairs: Sequence[Review], *, seed: int = 0, at_once: int = 16, progress: Progress | None = None
    ) -> list[list[str]]:
        """Sentences drawn for each pair of user and item: `prompts` times `samples` of them at most, some of them equal.

        Tokens can make words that nobody wrote; sentences with such words are left out.
        """
        progress = progress or Silent()
        rng = np.random.default_rng(seed)
        generator = torch.Generator().manual_seed(seed)
        progress.stage("draw sentences", total=len(pairs))
        found: list[list[str]] = []
        for start in range(0, len(pairs), at_once):
            some = [self.memory.known(pair.user, pair.item) for pair in pairs[start : start + at_once]]
            prompts = [self._prompt(known, rng, dropout=0.0) for known in some for _ in range(self.config.prompts)]
            drawn = self._drawn(prompts, generator)
            size = self.config.prompts
            for place in range(len(some)):
                texts = [text for row in drawn[place * size : place * size + size] for text in row]
                found.append([text for text in texts if self.memory.words.issuperset(text.split())])
            progress.step(len(found))
        return found

    @torch.inference_mode()
    def _drawn(self, prompts: Sequence[list[int]], generator: torch.Generator) -> list[list[str]]:
        """`samples` sentences behind each prompt."""
        lengths = torch.tensor([len(prompt) for prompt in prompts])
        tokens = torch.zeros(len(prompts), int(lengths.max()), dtype=torch.int64)
        for row, prompt in enumerate(prompts):
            tokens[row, : len(prompt)] = torch.tensor(prompt)
        context = self._reader.read(self.model.vectors(tokens), lengths)
        shape = (len(prompts), self.config.samples)
        # Numbers of the sentences that are still read on, and which of them have ended.
        going, ended = torch.arange(shape[1]).expand(shape), torch.zeros(shape, dtype=torch.bool)
        states = context.hidden[:, None].expand(-1, shape[1], -1)
        beams, steps = Continuations(), []
        for _ in range(self.config.most_tokens):
            scores = self.model.scores_of(states.flatten(0, 1), self._written) / self.config.temperature
            chances = torch.rand(shape, generator=generator).gather(1, going)
            numbers = _at(scores.softmax(dim=1), chances.view(-1, 1)).view(going.shape).masked_fill(ended, _END)
            steps.append(torch.full(shape, _END).scatter(1, going, numbers))
            ended = ended | (numbers == _END)
            most = int((~ended).sum(dim=1).max())
            if not most:
                break
            order = ended.int().argsort(dim=1, stable=True)[:, :most]
            going, ended, numbers = (part.gather(1, order) for part in (going, ended, numbers))
            states, beams = self._reader.step(context, beams, order, self.model.vectors(self._written[numbers]))
        drawn = torch.stack(steps, dim=2).tolist()
        return [[self._text(row) for row in rows] for rows in drawn]

    def _text(self, numbers: Sequence[int]) -> str:
        end = numbers.index(_END) if _END in numbers else len(numbers)
        return " ".join(self._tokenizer.decode(self._written[list(numbers[:end])].tolist()).split())


def _at(probabilities: Tensor, chances: Tensor) -> Tensor:
    """The number that each of `chances` [rows, 1], 0 to 1, falls on: int64 [rows, 1]."""
    reached = probabilities.cumsum(dim=1)
    return torch.searchsorted(reached, chances * reached[:, -1:], right=True).clamp_(max=probabilities.shape[1] - 1)
