"""PETER (Li, Zhang and Chen 2021, ACL, "Personalized Transformer for Explainable Recommendation"), written anew after the paper.

A Transformer reads user, item, then the words of the sentence. User and item see each other, a word sees both and the words before
it (the PETER mask). Three losses: the next word at every place (text), every word of the sentence from the state of the item alone
(context), and the rating from the state of the user. Sentences are written greedily. It is given no feature of the sentence that
it has to write (that would be PETER+, which knows part of the answer).
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from instructrec.core import Progress, Silent
from instructrec.data.reviews import Review, ReviewSplit
from instructrec.lm.decoder import native_dtype

PAD, BEGIN, END, UNKNOWN = range(4)
_SPECIAL = 4
MOST_WORDS = 20


@dataclass(frozen=True, kw_only=True)
class PeterConfig:
    """The published shape and losses; `optimizer`, `learning_rate`, `width` and `dropout` are what was searched on validation."""

    width: int = 512
    layers: int = 2
    heads: int = 2
    feed_forward: int = 2048
    dropout: float = 0.2
    vocabulary: int = 20_000
    text_weight: float = 1.0
    context_weight: float = 1.0
    rating_weight: float = 0.1
    batch: int = 128
    clip: float = 1.0
    epochs: int = 40
    optimizer: str = "sgd"
    learning_rate: float = 1.0
    annealing: float = 0.25
    patience: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """`pairs` int64 [batch, 2] (user, item); `words` int64 [batch, longest + 2] from BEGIN to END, then PAD; `ratings`."""

    pairs: Tensor
    words: Tensor
    ratings: Tensor


class PeterNetwork(nn.Module):
    """User and item as two tokens before the words; one output map for words and context."""

    def __init__(self, config: PeterConfig, users: int, items: int, words: int) -> None:
        super().__init__()
        width = config.width
        self.width = width
        self.users, self.items, self.words = nn.Embedding(users, width), nn.Embedding(items, width), nn.Embedding(words, width)
        layer = nn.TransformerEncoderLayer(width, config.heads, config.feed_forward, config.dropout, batch_first=True)
        self.body = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.output = nn.Linear(width, words)
        self.rating_hidden, self.rating_output = nn.Linear(width, width), nn.Linear(width, 1)
        self.dropout = nn.Dropout(config.dropout)
        self.register_buffer("places", _places(MOST_WORDS + 4, width))
        for part in (self.users, self.items, self.words, self.output, self.rating_hidden, self.rating_output):
            nn.init.uniform_(part.weight, -0.1, 0.1)
        for map_ in (self.output, self.rating_hidden, self.rating_output):
            nn.init.zeros_(map_.bias)

    def forward(self, pairs: Tensor, words: Tensor) -> Tensor:
        """States [batch, 2 + length, width]: of user, item and each word."""
        read = torch.cat([self.users(pairs[:, :1]), self.items(pairs[:, 1:]), self.words(words)], dim=1) * math.sqrt(self.width)
        length = read.shape[1]
        hidden = torch.ones(length, length, dtype=torch.bool).triu(1)
        hidden[0, 1] = False
        filling = torch.cat([torch.zeros(len(words), 2, dtype=torch.bool), words == PAD], dim=1)
        states: Tensor = self.body(self.dropout(read + self.places[:length]), mask=hidden, src_key_padding_mask=filling)
        return states

    def rate(self, states: Tensor) -> Tensor:
        """Ratings [batch], from the state of the user."""
        rated: Tensor = self.rating_output(torch.sigmoid(self.rating_hidden(states[:, 0])))[:, 0]
        return rated


def _places(length: int, width: int) -> Tensor:
    """Sinusoidal positions (Vaswani et al. 2017, section 3.5), float32 [length, width]."""
    angles = torch.arange(length)[:, None] * torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


class Peter:
    """Fitted by `fit`; `write` and `rate` then answer for pairs of user and item."""

    def __init__(self, config: PeterConfig | None = None) -> None:
        self.config = config or PeterConfig()
        self.curve: list[dict[str, float]] = []

    def fit(self, parts: ReviewSplit, *, seed: int = 0, progress: Progress | None = None) -> Peter:
        """Learn from train; the state with the least validation loss is kept, and `patience` epochs without a lesser one end it."""
        progress = progress or Silent()
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        self._index(parts.train)
        self.network = PeterNetwork(self.config, len(self.user_codes), len(self.item_codes), len(self.word_codes) + _SPECIAL)
        optimizer = self._optimizer()
        best, kept, worse = math.inf, copy.deepcopy(self.network.state_dict()), 0
        progress.stage("fit PETER", total=self.config.epochs)
        for epoch in range(self.config.epochs):
            self._epoch(self._batches(parts.train, rng), optimizer)
            loss, text = self._measured(parts.valid)
            self.curve.append({"epoch": epoch + 1, "valid_loss": loss, "valid_text": text})
            progress.step(epoch + 1, loss=loss)
            if loss < best:
                best, kept, worse = loss, copy.deepcopy(self.network.state_dict()), 0
                continue
            worse += 1
            if worse >= self.config.patience:
                break
            for group in optimizer.param_groups:
                group["lr"] *= self.config.annealing
        self.network.load_state_dict(kept)
        self.network.eval()
        return self

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(value.numel() for value in self.network.parameters())

    def _index(self, train: Sequence[Review]) -> None:
        self.user_codes = {user: code for code, user in enumerate(dict.fromkeys(review.user for review in train))}
        self.item_codes = {item: code for code, item in enumerate(dict.fromkeys(review.item for review in train))}
        counts = Counter(word for review in train for word in review.words)
        self.vocabulary = [word for word, _ in counts.most_common(self.config.vocabulary)]
        self.word_codes = {word: code + _SPECIAL for code, word in enumerate(self.vocabulary)}

    def _optimizer(self) -> torch.optim.Optimizer:
        values = self.network.parameters()
        if self.config.optimizer == "sgd":
            return torch.optim.SGD(values, lr=self.config.learning_rate)
        return torch.optim.AdamW(values, lr=self.config.learning_rate, weight_decay=0.01)

    def _batches(self, reviews: Sequence[Review], rng: np.random.Generator | None) -> list[Batch]:
        order = range(len(reviews)) if rng is None else rng.permutation(len(reviews)).tolist()
        size = self.config.batch
        return [self._batch([reviews[place] for place in order[start : start + size]]) for start in range(0, len(order), size)]

    def _batch(self, reviews: Sequence[Review]) -> Batch:
        rows = [[BEGIN, *(self.word_codes.get(word, UNKNOWN) for word in review.words[:MOST_WORDS]), END] for review in reviews]
        words = torch.full((len(rows), max(map(len, rows))), PAD)
        for row, codes in enumerate(rows):
            words[row, : len(codes)] = torch.tensor(codes)
        return Batch(pairs=self._pairs(reviews), words=words, ratings=torch.tensor([review.rating for review in reviews]))

    def _pairs(self, reviews: Sequence[Review]) -> Tensor:
        return torch.tensor([[self.user_codes[review.user], self.item_codes[review.item]] for review in reviews])

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The whole loss, and that of the text (nats a word)."""
        config = self.config
        said = batch.words[:, 1:]
        exists = said != PAD
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=native_dtype() == torch.bfloat16):
            states = self.network(batch.pairs, batch.words[:, :-1])
            scores, item_scores = self.network.output(states[:, 2:][exists]), self.network.output(states[:, 1])
        states = states.float()
        text = functional.cross_entropy(scores.float(), said[exists])
        context = item_scores.float().log_softmax(dim=1).gather(1, said)
        context_loss = -(context * exists).sum() / exists.sum()
        rating = functional.mse_loss(self.network.rate(states), batch.ratings)
        whole = config.text_weight * text + config.context_weight * context_loss + config.rating_weight * rating
        return whole, text

    def _epoch(self, batches: Sequence[Batch], optimizer: torch.optim.Optimizer) -> None:
        self.network.train()
        for batch in batches:
            optimizer.zero_grad(set_to_none=True)
            self._losses(batch)[0].backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
            optimizer.step()

    @torch.no_grad()
    def _measured(self, reviews: Sequence[Review]) -> tuple[float, float]:
        self.network.eval()
        found = [
            (float(whole), float(text), len(batch.words))
            for batch in self._batches(reviews, None)
            for whole, text in [self._losses(batch)]
        ]
        rows = sum(count for _, _, count in found)
        return sum(whole * count for whole, _, count in found) / rows, sum(text * count for _, text, count in found) / rows

    @torch.inference_mode()
    def rate(self, reviews: Sequence[Review]) -> list[float]:
        """Expected ratings of the pairs of user and item, held to the scale of 1 to 5."""
        states = self.network(self._pairs(reviews), torch.full((len(reviews), 1), BEGIN))
        return self.network.rate(states).clamp(1, 5).tolist()

    @torch.inference_mode()
    def write(self, reviews: Sequence[Review]) -> list[list[str]]:
        """The likeliest next word every time, MOST_WORDS at most, for each pair of user and item."""
        pairs = self._pairs(reviews)
        words = torch.full((len(reviews), 1), BEGIN)
        for _ in range(MOST_WORDS):
            scores = self.network.output(self.network(pairs, words)[:, -1])
            scores[:, [PAD, BEGIN, UNKNOWN]] = -torch.inf
            words = torch.cat([words, scores.argmax(dim=1)[:, None]], dim=1)
        return [self._until_end(row) for row in words[:, 1:].tolist()]

    def _until_end(self, codes: Sequence[int]) -> list[str]:
        end = codes.index(END) if END in codes else len(codes)
        return [self.vocabulary[code - _SPECIAL] for code in codes[:end]]
