"""What a tuned language model reads: what gradients say of its tokens (a view, not a reason), and what an item's own text gives."""

from __future__ import annotations

import torch
from torch import Tensor

from instructrec.core import ReadToken
from instructrec.lm.item_model import ItemTable, ItemTokenModel
from instructrec.tables import Catalog
from instructrec.tuning.packing import Encoded, Encoder, pack

STEPS = 16
"""Points of the straight line from nothing to the tokens at which gradients are taken."""


def token_saliency(
    model: ItemTokenModel, items: ItemTable, encoder: Encoder, request: Encoded, catalog: Catalog, item: int
) -> list[ReadToken]:
    """Integrated gradients (Sundararajan, Taly and Yan 2017, arXiv 1703.01365) of one item's score above the mean of all items.

    The baseline are vectors of zeros; the values of all tokens sum to about what the tokens change of the score. Words also reach
    the answer as a pooled vector beside the tokens, which stays as it is here. With them the attention of the place of the answer.
    """
    packed = pack([request], [[0]], padding=encoder.codes.answer)
    batch, table = packed.batch, _outside_inference(items)
    with torch.no_grad():
        vectors = model.vectors(batch.tokens, table).float()
        words = model.pool_lists([request.questions[0].words]) if request.questions else None
    total = torch.zeros_like(vectors)
    for step in range(STEPS):
        given = (vectors * ((step + 0.5) / STEPS)).requires_grad_()
        hidden = model.decoder.hidden(given, batch.positions, batch.visible).flatten(0, 1)[packed.answers]
        scores = model.logits(hidden, table, words)[0]
        (gradient,) = torch.autograd.grad(scores[item] - scores.mean(), given)
        total += gradient / STEPS
    values = (vectors * total).sum(dim=-1)[0]
    looked = model.decoder.attention(vectors, batch.positions, batch.visible)
    shares = torch.zeros_like(values) if looked is None else looked[0, packed.answers[0]]
    return [
        ReadToken(_label(int(token), encoder, catalog), float(value), float(share))
        for token, value, share in zip(request.tokens, values, shares, strict=True)
    ]


def text_effects(
    model: ItemTokenModel, items: ItemTable, encoder: Encoder, request: Encoded, item: int, texts: Tensor
) -> list[float]:
    """How much less an item would score, its code atomic, if its text were each of these, float32 [rows, 2 * width]."""
    packed = pack([request], [[0]], padding=encoder.codes.answer)
    with torch.inference_mode():
        hidden = model.hidden(packed.batch, items).flatten(0, 1)[packed.answers]
        words = model.pool_lists([request.questions[0].words]) if request.questions else None
        own = model.logits(hidden, model.reworded(item, model.text[item : item + 1]), words)
        others = model.logits(hidden, model.reworded(item, texts), words)
    found: list[float] = (own[0] - others[0]).tolist()
    return found


def _outside_inference(items: ItemTable) -> ItemTable:
    """The tables as tensors that gradients may pass."""
    copies: dict[str, Tensor] = {name: getattr(items, name).clone() for name in ("inputs", "outputs", "match")}
    return ItemTable(**copies)


def _label(token: int, encoder: Encoder, catalog: Catalog) -> str:
    """A token for people to read: the text of a word piece, the title of an item, a sign where the answer begins."""
    vocabulary = encoder.codes.vocabulary
    if token < vocabulary:
        return encoder.tokenizer.decode([token])
    if token < vocabulary + len(catalog):
        return catalog.titles[token - vocabulary] or catalog.item_ids[token - vocabulary]
    return "→"
