"""A decoder that reads words and items in one sequence and scores the whole catalog from one hidden state.

An item token is a sum of what the item's text says, what collaborative factors say, and a learned residual; the same table is
input and output (tied, as in Press and Wolf 2017). The words of a question reach the answer twice: through the sequence, and as
a pooled word vector next to the hidden state, so that a few thousand questions are enough to learn what words mean for items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from instructrec.lm.decoder import Decoder
from instructrec.lm.features import FEATURE_SCALE
from instructrec.lm.lora import load_adapter, save_adapter, set_frozen

WORD_WIDTH = 128
"""Width in which the words of a question and the texts of items are matched."""
REFERENCE_WIDTH = 576
"""Width for which the sharpness of answers was chosen; other widths get the same range of scores."""
ITEM_SCALE = 0.05
"""Standard deviation of each of the parts of an item vector at the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBatch:
    """Rows of tokens with their visibility, and where answers are read.

    `tokens` int64 [batch, length]: word ids; from `vocabulary` on the rows of `ItemTable.inputs`; then one answer token;
    `positions` int64 [batch, length]; `visible` bool [batch, length, length].
    """

    tokens: Tensor
    positions: Tensor
    visible: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemTable:
    """The catalog as the model sees it. `inputs` float32 [num_inputs, width]: what it reads, items first, then code tokens;
    `outputs` float32 [num_tokens, width], `match` float32 [num_tokens, word_width]: code tokens that answers are made of.

    With atomic codes an item is its own code token, and `inputs` and `outputs` are one table.
    """

    inputs: Tensor
    outputs: Tensor
    match: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What rows of a table are known by before tuning: `text` float32 [rows, 2 * width], `factors` float32 [rows, factor_width]."""

    text: Tensor
    factors: Tensor


class ItemTokenModel(nn.Module):
    """Item table, answer heads and a decoder with adapters. Trainable: everything but the frozen body and word table."""

    def __init__(self, decoder: Decoder, items: Features, written: Features | None, *, dropout: float) -> None:
        """`written`: features of the code tokens, where codes are not atomic."""
        super().__init__()
        text, factors, word_width = items.text, items.factors, WORD_WIDTH
        width, num_items = decoder.width, len(text)
        self.decoder = decoder
        self.body = decoder.body
        self.text: Tensor
        self.factors: Tensor
        self.register_buffer("text", text)
        self.register_buffer("factors", factors)
        self.residual = nn.Embedding(num_items, width)
        self.from_text = nn.Linear(text.shape[1], width, bias=False)
        self.from_factors = nn.Linear(factors.shape[1], width, bias=False)
        self.answer = nn.Parameter(torch.randn(width) * 0.1)
        self.input_scale = nn.Parameter(torch.tensor(2.0))
        self.out = nn.Linear(width, width)
        self.word_gate = nn.Linear(width, 1)
        self.word_scale = nn.Parameter(torch.tensor(2.0))
        self.word_query = nn.Linear(width, width, bias=False)
        self.word_match = nn.Linear(width, word_width, bias=False)
        self.text_match = nn.Linear(text.shape[1], word_width, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.sharpness = 0.25 * (REFERENCE_WIDTH / width) ** 0.5
        self._initialise()
        self.written: nn.Embedding | None = None
        if written is not None:
            self.written_text: Tensor
            self.written_factors: Tensor
            self.register_buffer("written_text", written.text)
            self.register_buffer("written_factors", written.factors)
            self.written = nn.Embedding(len(written.text), width)
            self.refine = nn.Linear(width, width, bias=False)
            nn.init.normal_(self.written.weight, std=0.8 * ITEM_SCALE)
            nn.init.zeros_(self.refine.weight)
            self.later_sharpness = nn.Parameter(torch.tensor(2.0))

    def _initialise(self) -> None:
        spread = ITEM_SCALE / FEATURE_SCALE
        nn.init.normal_(self.residual.weight, std=0.8 * ITEM_SCALE)
        nn.init.normal_(self.from_text.weight, std=spread / self.from_text.in_features**0.5 * 1.4)
        nn.init.normal_(self.from_factors.weight, std=spread / self.from_factors.in_features**0.5)
        nn.init.normal_(self.text_match.weight, std=0.03 / FEATURE_SCALE)
        nn.init.eye_(self.out.weight)
        for weight in (self.out.bias, self.word_gate.weight, self.word_gate.bias, self.word_query.weight, self.word_match.weight):
            nn.init.zeros_(weight)

    @property
    def vocabulary(self) -> int:
        """Number of word ids; item i is token vocabulary + i."""
        return len(self.decoder.words)

    def table(self) -> ItemTable:
        """Vectors of items and code tokens from text, factors and residual; computed once a step, or once for serving."""
        items = self.residual.weight + self.from_text(self.text) + self.from_factors(self.factors)
        if self.written is None:
            return ItemTable(inputs=items, outputs=items, match=self.text_match(self.text))
        tokens = self.written.weight + self.from_text(self.written_text) + self.from_factors(self.written_factors)
        return ItemTable(inputs=torch.cat([items, tokens]), outputs=tokens, match=self.text_match(self.written_text))

    def reworded(self, item: int, text: Tensor) -> ItemTable:
        """Rows that an item with atomic code would have if its text were one of these, float32 [rows, 2 * width]."""
        rows = self.residual.weight[item] + self.from_text(text) + self.from_factors(self.factors[item])
        return ItemTable(inputs=rows, outputs=rows, match=self.text_match(text))

    def hidden(self, batch: TokenBatch, items: ItemTable) -> Tensor:
        """Hidden states [batch, length, width] in the dtype of the body."""
        return self.decoder.hidden(self.vectors(batch.tokens, items), batch.positions, batch.visible)

    def vectors(self, tokens: Tensor, items: ItemTable) -> Tensor:
        """What the decoder reads for tokens of any shape, float32 [..., width]."""
        answer = self.vocabulary + len(items.inputs)
        words, table = tokens < self.vocabulary, (tokens >= self.vocabulary) & (tokens < answer)
        vectors = self.answer.expand(*tokens.shape, -1)
        vectors = vectors.masked_scatter(words[..., None], self.decoder.words[tokens[words]])
        # Not items.inputs[...]: the gradient of plain indexing adds rows in whatever order the threads come, so bits differ.
        chosen = self.dropout(functional.embedding(tokens[table] - self.vocabulary, items.inputs)) * self.input_scale
        return vectors.masked_scatter(table[..., None], chosen)

    def logits(self, hidden: Tensor, items: ItemTable, words: Tensor | None = None, *, written: Tensor | None = None) -> Tensor:
        """Scores of all code tokens, float32 [num_answers, num_tokens].

        `hidden` [num_answers, width]: states where answers begin; `written` [num_answers, width]: states behind what is written of
        them, zeros where nothing is. `words` float32 [num_answers, width] from `pool`, where answers have words of their own.

        What is asked for is known where an answer begins, so every token of a code is compared with that state, which the state
        behind the tokens before refines; an item's tokens sum to about its own vector, so this begins as the dot product with it.
        """
        query = self.out(self.dropout(hidden.float()))
        if written is not None:
            query = query + self.refine(self.dropout(written.float()))
        query = query * torch.rsqrt(query.square().mean(dim=-1, keepdim=True) + 1e-6) * self.sharpness
        if written is not None:
            # Vectors of later tokens are what earlier ones leave over, and so are shorter.
            query = torch.where((written != 0).any(dim=-1, keepdim=True), query * self.later_sharpness, query)
        if words is None:
            return self._product(query, items.outputs)
        words = self.dropout(words)
        matched: Tensor = self.word_match(words) @ items.match.T
        return self._product(query + self.word_query(words), items.outputs) + matched

    def _product(self, query: Tensor, items: Tensor) -> Tensor:
        return (query.to(self.decoder.dtype) @ items.to(self.decoder.dtype).T).float()

    def pool(self, ids: Tensor, owner: Tensor, num_answers: int) -> Tensor:
        """Gated mean of word embeddings by answer, float32 [num_answers, width]; zeros for an answer without words.

        `ids`, `owner` int64 [num_words]: a word id and the answer it belongs to.
        """
        words = self.decoder.words[ids]
        gate = self.word_gate(words * self.word_scale).squeeze(-1).clamp(max=4.0).exp()
        total = torch.zeros(num_answers, words.shape[1], device=words.device).index_add(0, owner, words * gate[:, None])
        weight = torch.zeros(num_answers, device=words.device).index_add(0, owner, gate)
        return total / weight.clamp_min(1e-6)[:, None] * self.word_scale

    def pool_lists(self, words: Sequence[Sequence[int]]) -> Tensor:
        """`pool` of the word ids of each answer, float32 [num_answers, width]."""
        ids = [word for each in words for word in each]
        owners = [owner for owner, each in enumerate(words) for _ in each]
        device = self.residual.weight.device
        pairs = torch.tensor([ids, owners], dtype=torch.int64, device=device)
        return self.pool(pairs[0], pairs[1], len(words))

    def word_logits(self, hidden: Tensor) -> Tensor:
        """Scores of the vocabulary for tasks that answer in words, float32 [num_tokens, vocabulary]."""
        return (hidden.to(self.decoder.dtype) @ self.decoder.words.to(self.decoder.dtype).T).float()

    def own_state(self) -> dict[str, Tensor]:
        """Everything outside the decoder body, by name."""
        return {key: value for key, value in self.state_dict().items() if not key.startswith("body.")}

    def save(self, folder: Path) -> None:
        """Write `adapter.safetensors` (PEFT keys) and `items.safetensors` (table, heads and features)."""
        save_adapter(self.body, folder / "adapter.safetensors")
        save_file({key: value.detach().contiguous() for key, value in self.own_state().items()}, str(folder / "items.safetensors"))

    def restore(self, folder: Path) -> None:
        """Read what `save` wrote into a model of the same shape."""
        load_adapter(self.body, folder / "adapter.safetensors")
        self.load_state_dict(load_file(str(folder / "items.safetensors")), strict=False)

    def serve(self) -> None:
        """Switch to serving: no dropout, adapters folded into the weights."""
        self.eval()
        set_frozen(self.body, True)

    def tune(self) -> None:
        """Switch to tuning."""
        self.train()
        set_frozen(self.body, False)

    def grow(self, new: Features) -> None:
        """Append items that were not trained: their residual is zero, text and estimated factors speak for them."""
        extra = torch.zeros(len(new.text), self.residual.embedding_dim)
        table = torch.cat([self.residual.weight.detach(), extra])
        self.residual = nn.Embedding(len(table), table.shape[1], _weight=table)
        self.text = torch.cat([self.text, new.text])
        self.factors = torch.cat([self.factors, new.factors])
