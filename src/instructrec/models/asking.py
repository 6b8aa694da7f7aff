"""Asks a tuned language model about given candidates, in the words in which it was tuned: yes or no, pairs, a whole list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations, takewhile
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from instructrec.core import Query
from instructrec.errors import QueryError, nearest
from instructrec.generation.candidates import MOST_PAIRED
from instructrec.instructions.render import Form, candidates_example, wording
from instructrec.models.lm import LanguageModelRecommender
from instructrec.tables import FloatArray, ItemId
from instructrec.tuning.loop import answer_scores
from instructrec.tuning.packing import Encoded, PackedBatch, pack

AskedForm: TypeAlias = Literal["pointwise", "pairwise", "reranking"]
Asked: TypeAlias = tuple[Form, Sequence[int]]
FORMS: tuple[AskedForm, ...] = ("pointwise", "pairwise", "reranking")
_QUESTIONS_AT_ONCE = 40
"""Questions in one forward pass: bounds memory, which grows with the square of the tokens behind one history."""


@torch.inference_mode()
def candidate_scores(model: LanguageModelRecommender, query: Query, candidates: Sequence[ItemId], *, form: AskedForm) -> FloatArray:
    """One score a candidate, float32 [num_candidates], higher is better, for the history and words of a query.

    pointwise: log-odds of yes over no to "would this item be taken?", each candidate alone. pairwise: of all questions "which of
    two?", the comparisons won, 0 to 2 (candidates - 1), both orders asked; its cost grows with the square. reranking: the
    log-probability (nats) of each candidate as the answer to one question that holds them all; its order is part of the question.

    Limits and exclusions of the query are not applied. Raises QueryError for candidates that are unknown or repeated, for none,
    for an unknown form, and for more than MOST_PAIRED candidates in pairs.
    """
    codes = _checked(model, candidates, form)
    if form == "pointwise":
        return _yes_no(model, query, codes)
    if form == "reranking":
        return _items(model, query, [("reranking", codes)], [codes])[0]
    wins = np.zeros(len(codes), dtype=np.float32)
    pairs = list(permutations(range(len(codes)), 2))
    asked: list[list[int]] = [[codes[first], codes[second]] for first, second in pairs]
    for (first, second), scores in zip(pairs, _items(model, query, [("pairwise", two) for two in asked], asked), strict=True):
        won = 0.5 + 0.5 * float(np.sign(scores[0] - scores[1]))
        wins[first] += won
        wins[second] += 1 - won
    return wins


def _checked(model: LanguageModelRecommender, candidates: Sequence[ItemId], form: AskedForm) -> list[int]:
    unknown, codes = model.catalog.unknown(candidates), [int(code) for code in model.catalog.codes(candidates)]
    if form not in FORMS:
        raise QueryError(f"Candidates cannot be asked for by '{form}'.{nearest(form, FORMS)} Known: {', '.join(FORMS)}.")
    if unknown or not codes or len(set(codes)) < len(codes):
        came = f"'{unknown[0]}' is not in the catalog" if unknown else "one came twice" if codes else "none came"
        raise QueryError(f"Candidates must be different items of the catalog, at least one, but {came}. Give others.")
    if form == "pairwise" and len(codes) > MOST_PAIRED:
        raise QueryError(
            f"{len(codes)} candidates are to be compared in pairs, but {MOST_PAIRED} are the most. Give the best of them by "
            "another score."
        )
    return codes


def _yes_no(model: LanguageModelRecommender, query: Query, codes: Sequence[int]) -> FloatArray:
    """Log-odds of the first token in which yes and no differ, behind those that they share."""
    tuned, items, encoder = model.tuned
    forms = wording(model.config.language)
    yes, no = encoder.words(forms.yes), encoder.words(forms.no)
    shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(yes, no, strict=False))))
    # In float32: the steps of bfloat16 are as large as the differences between candidates.
    direction = tuned.decoder.words[yes[shared]].float() - tuned.decoder.words[no[shared]].float()
    scores: list[float] = []
    for encoded in _encoded(model, query, [("pointwise", [code]) for code in codes], [forms.yes] * len(codes)):
        packed = _packed(encoded, encoder.codes.answer)
        length = packed.batch.tokens.shape[1]
        places = [row * length + question.place + shared for row, one in enumerate(encoded) for question in one.questions]
        hidden = tuned.hidden(packed.batch, items).flatten(0, 1)[torch.tensor(places)]
        scores += (hidden.float() @ direction).tolist()
    return np.array(scores, dtype=np.float32)


def _items(
    model: LanguageModelRecommender, query: Query, asked: Sequence[Asked], answers: Sequence[Sequence[int]]
) -> list[FloatArray]:
    """Log-probability (nats) of each of the items `answers[i]` as the answer to question i."""
    tuned, items, encoder = model.tuned
    found: list[Tensor] = []
    if not asked:
        return []
    if tuned.written is None:
        # An item is one token: all of them are scored where the answer begins.
        for encoded in _encoded(model, query, asked, [given[0] for given in answers]):
            packed = _packed(encoded, encoder.codes.answer)
            hidden = tuned.hidden(packed.batch, items).flatten(0, 1)[packed.items.places]
            pooled = tuned.pool(packed.word_ids, packed.word_owners, len(packed.item_weights))
            found.append(tuned.logits(hidden, items, pooled).log_softmax(dim=1))
        return [np.asarray(row[list(given)].numpy()) for row, given in zip(torch.cat(found), answers, strict=True)]
    each = [(question, item) for question, given in zip(asked, answers, strict=True) for item in given]
    for encoded in _encoded(model, query, [question for question, _ in each], [item for _, item in each]):
        found.append(answer_scores(tuned, _packed(encoded, encoder.codes.answer), encoder.trie, items))
    ends = np.cumsum([len(given) for given in answers])[:-1]
    return [np.asarray(part, dtype=np.float32) for part in np.split(torch.cat(found).numpy(), ends)]


def _encoded(
    model: LanguageModelRecommender, query: Query, asked: Sequence[Asked], answers: Sequence[int | str]
) -> Iterator[list[Encoded]]:
    """The questions as tokens, some at a time, each with the item or the words that would answer it."""
    _, _, encoder = model.tuned
    for start in range(0, len(asked), _QUESTIONS_AT_ONCE):
        some = slice(start, start + _QUESTIONS_AT_ONCE)
        example = candidates_example(
            query, model.catalog, asked[some], language=model.config.language, max_history=model.config.max_history
        )
        branches = [
            replace(branch, completion=answer) if isinstance(answer, str) else replace(branch, target=answer)
            for branch, answer in zip(example.branches, answers[some], strict=True)
        ]
        yield encoder.lessons(replace(example, branches=tuple(branches)), np.random.default_rng(0))


def _packed(encoded: Sequence[Encoded], padding: int) -> PackedBatch:
    return pack(encoded, [[number] for number in range(len(encoded))], padding=padding)
