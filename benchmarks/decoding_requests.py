"""What a whole request costs: 20 items from SmolLM2-135M behind a prompt of 512 tokens; a part of `python -m benchmarks.decoding`.

Ours reads the prompt once and continues it by 20 beams (`SharedPrefixDecoder`, `CodeScores`, `beam_search`); the baseline is
Hugging Face's `generate` with 20 beams and a dictionary trie as `prefix_allowed_tokens_fn`. Both have the same weights, one table
of words and code tokens (random rows stand in for trained ones; tied, so that their output layer covers the words, too), random
words as the prompt, and half of the catalog allowed. Compiling the limits counts for ours; their dictionary is made beforehand.

Theirs takes log_softmax over the whole vocabulary and masks behind it, so that a beam also pays for what it gives to words. That
the items are the same is therefore checked, in float32, with our scores normalised like theirs. Timed is what ours computes in
use: code tokens only. `floor_ms` is the time of the linear maps of all layers alone, as plain products, on the prompt once and on
the beams three times.
Medians over `repeats`, the sides in turns, after one run of each that warms up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.sides import in_turns, smollm2
from instructrec.generation.beam import BeamOptions, Found, NextScores, beam_search
from instructrec.generation.codes import CodeTable
from instructrec.generation.scoring import CodeScores
from instructrec.generation.trie import Trie
from instructrec.lm.shared_prefix import Context, SharedPrefixDecoder
from instructrec.tables import BoolArray

NEAR_TIE = 1e-4
"""Items whose scores (nats) are closer than this may come in either order: sums of float32 are not the same in both."""

Dictionary: TypeAlias = Callable[[CodeTable, BoolArray], Mapping[tuple[int, ...], list[int]]]
"""Makes, from codes and allowed items, the map from prefixes to the tokens that may follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large a request is: decoder layers, tokens of the prompt, beams; and requests in a batch."""

    layers: int = 30
    prompt: int = 512
    beams: int = 20
    batch: int = 16


class Sides:
    """Both ways to answer the same requests with the same weights; request 0 is the one that both are timed on."""

    def __init__(self, shape: Shape, dtype: torch.dtype, codes: CodeTable, dictionary: Dictionary) -> None:
        self.shape, self.codes = shape, codes
        self.model = _model(shape.layers, dtype, codes.num_tokens)
        self.table: Tensor = self.model.get_input_embeddings().weight.detach()
        self.first_code = len(self.table) - codes.num_tokens
        self.decoder = SharedPrefixDecoder(self.model.get_decoder())
        self.trie = Trie.build(codes)
        self.masks = np.random.default_rng(0).random((shape.batch, len(codes))) < 0.5
        noise = torch.Generator().manual_seed(0)
        self.prompts = torch.randint(self.first_code, (shape.batch, shape.prompt), generator=noise)
        shifted = replace(codes, tokens=codes.tokens + self.first_code, num_tokens=len(self.table))
        self._follow = dictionary(shifted, self.masks[0])

    def read(self, rows: slice) -> Context:
        """The prompts of some requests, read at once."""
        return self.decoder.read(self.table[self.prompts[rows]])

    def scores(self, context: Context, *, over_words: bool = False) -> CodeScores:
        """Scores of code tokens; `over_words`: log-probabilities among all words and code tokens."""
        outputs = self._log_probabilities if over_words else self.table[self.first_code :]
        return CodeScores(self.decoder, context, inputs=self.table[self.first_code :], outputs=outputs)

    @torch.inference_mode()
    def search(self, scores: NextScores, rows: slice, *, normalise: Literal["vocabulary", "none"] = "vocabulary") -> Found:
        """The best allowed items of some requests: what follows once their prompts are read."""
        allowed = self.trie.allow(self.masks[rows])
        return beam_search(scores, self.trie, allowed, BeamOptions(width=self.shape.beams, normalise=normalise))

    def ours(self, rows: slice = slice(1)) -> Found:
        """Some requests in one batch, from tokens to items."""
        return self.search(self.scores(self.read(rows)), rows)

    def one_by_one(self) -> list[Found]:
        """All requests, each on its own."""
        return [self.ours(slice(row, row + 1)) for row in range(self.shape.batch)]

    def theirs(self, *, with_scores: bool = False) -> Any:
        """Request 0 through `generate`: its output, with the scores of the sequences if they are wanted."""
        prompt = self.prompts[:1]
        return self.model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            num_beams=self.shape.beams,
            num_return_sequences=self.shape.beams,
            do_sample=False,
            max_new_tokens=self.codes.tokens.shape[1],
            prefix_allowed_tokens_fn=lambda _, ids: self._follow[tuple(ids[self.shape.prompt :].tolist())],
            length_penalty=0.0,
            # With no penalty, "never" is the plain beam search, by the documentation of their heuristic for stopping.
            early_stopping="never",
            return_dict_in_generate=True,
            output_scores=with_scores,
        )

    def _log_probabilities(self, hidden: Tensor) -> Tensor:
        logits = (hidden @ self.table.T).float()
        return logits[..., self.first_code :] - logits.logsumexp(dim=-1, keepdim=True)


def _model(layers: int, dtype: torch.dtype, num_tokens: int) -> Any:
    """The base cut to its first layers, with a random row for each code token behind its words; embeddings and outputs are tied."""
    model = smollm2(layers, dtype)
    words = model.get_input_embeddings().weight.detach()
    model.resize_token_embeddings(len(words) + num_tokens, mean_resizing=False)
    rows = torch.randn(num_tokens, words.shape[1], generator=torch.Generator().manual_seed(0)) * words.float().std()
    with torch.no_grad():
        # Rounded as the words in the file are, so that the float32 model has the weights of the bfloat16 one.
        model.get_input_embeddings().weight[len(words) :] = rows.bfloat16().to(dtype)
    if model.lm_head.weight.data_ptr() != model.get_input_embeddings().weight.data_ptr():
        raise RuntimeError("The output layer of the base is not its embedding table, but both sides must have the same weights.")
    return model


def same_items(sides: Sides) -> dict[str, Any]:
    """Whether both sides find the same items in the same order, near ties aside; the largest difference of their scores (nats)."""
    ours = sides.search(sides.scores(sides.read(slice(1)), over_words=True), slice(1), normalise="none")
    theirs = sides.theirs(with_scores=True)
    written = (theirs.sequences[:, sides.shape.prompt :] - sides.first_code).tolist()
    scores = dict(zip(ours.items[0].tolist(), ours.scores[0].tolist(), strict=True))
    # By our scores, the item that they rank at a place must be as good as the one that we rank there.
    pairs = zip(map(sides.codes.decode, written), scores, strict=True)
    same = all(item == mine or abs(scores.get(item, torch.inf) - scores[mine]) < NEAR_TIE for item, mine in pairs)
    return {"same_items": same, "requests_score_difference": float((ours.scores[0] - theirs.sequences_scores).abs().max())}


def linear_maps(sides: Sides) -> Callable[[], None]:
    """What no request can do without: the matrices of all layers on the prompt once, and on the beams for each later token.

    Plain products, at the rate that torch gives anyone; ours are packed beforehand (`lm/precision.py`), so this is no lower bound.
    """
    layers = sides.model.get_decoder().layers
    weights = [matrix for layer in layers for matrix in _joined(layer)]
    heights = [sides.shape.prompt] + [sides.shape.beams] * (sides.codes.tokens.shape[1] - 1)
    widths = {weight.shape[1] for weight in weights}
    inputs = {(rows, width): torch.randn(rows, width).to(sides.decoder.dtype) for rows in set(heights) for width in widths}

    @torch.inference_mode()
    def run() -> None:
        for rows in heights:
            for weight in weights:
                functional.linear(inputs[rows, weight.shape[1]], weight)

    return run


def _joined(layer: Any) -> list[Tensor]:
    """The matrices of a layer; those that read the same input are one."""
    attention, mlp = layer.self_attn, layer.mlp
    read = torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight])
    gate_up = torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])
    return [weight.detach() for weight in (read, attention.o_proj.weight, gate_up, mlp.down_proj.weight)]


def one_request(sides: Sides, repeats: int) -> dict[str, float]:
    """One request by each side, and the linear maps alone: times (ms) and ratios."""
    works: dict[str, Callable[[], object]] = {"ours": sides.ours, "floor": linear_maps(sides), "theirs": sides.theirs}
    found, _ = in_turns(works, repeats)
    plain, dtype = ("", "_bf16") if sides.decoder.dtype == torch.bfloat16 else ("_fp32", "_fp32")
    return {
        f"request_ms{plain}": found["ours"],
        f"hugging_face_ms{dtype}": found["theirs"],
        f"request_speedup{dtype}": found["theirs"] / found["ours"],
        f"floor_ms{plain}": found["floor"],
        f"floor_ratio{plain}": found["ours"] / found["floor"],
    }


def batches(sides: Sides, repeats: int) -> dict[str, float]:
    """Requests a second of one batch against the same requests one at a time; "cached": the batch's prompts were read before."""
    everything = slice(sides.shape.batch)
    contexts = sides.read(everything)
    works: dict[str, Callable[[], object]] = {
        "one_by_one": sides.one_by_one,
        "batch": lambda: sides.ours(everything),
        "batch_cached": lambda: sides.search(sides.scores(contexts), everything),
    }
    found, _ = in_turns(works, repeats)
    return {f"batch_speedup{end}": found["one_by_one"] / found[f"batch{end}"] for end in ("", "_cached")}


def constraint_share(sides: Sides, repeats: int) -> dict[str, float]:
    """Limits, trie and choice of beams (a search of scores that were computed before) as a share of all that follows the prompt."""
    context = sides.read(slice(1))
    kept: list[Tensor] = []
    model = sides.scores(context)

    def recorded(parents: Tensor, tokens: Tensor) -> Tensor:
        kept.append(model(parents, tokens))
        return kept[-1]

    sides.search(recorded, slice(1))
    # A search asks once for each token of a code, so the same scores come round with each one.
    replayed = cycle(kept)
    works: dict[str, Callable[[], object]] = {
        "constraint": lambda: sides.search(lambda _, __: next(replayed), slice(1)),
        "steps": lambda: sides.search(sides.scores(context), slice(1)),
    }
    found, _ = in_turns(works, repeats * 4)
    return {"constraint_share": found["constraint"] / found["steps"]}


def whole_requests(codes: CodeTable, dictionary: Dictionary, *, repeats: int, smoke: bool = False) -> dict[str, Any]:
    """All numbers; `codes` count from 0. `smoke`: 2 layers, a prompt of 32 tokens and 4 beams, only to see that it runs."""
    shape = Shape(layers=2, prompt=32, beams=4) if smoke else Shape()
    sides = Sides(shape, torch.float32, codes, dictionary)
    out = same_items(sides) | one_request(sides, repeats)
    sides = Sides(shape, torch.bfloat16, codes, dictionary)
    return out | one_request(sides, repeats) | batches(sides, repeats) | constraint_share(sides, repeats)
