"""A few real users for a demonstration: their history, their list, their list under an instruction, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from instructrec import wire
from instructrec.config import RunConfig
from instructrec.core import Instruction, Query
from instructrec.explain import Manner, TextModel
from instructrec.instructions import Reader, parse
from instructrec.pipeline.answering import answer_query
from instructrec.recommender import Recommender
from instructrec.tables import Dataset

HISTORY_SHOWN = 5
LIST_LENGTH = 5


def sample_users(
    model: Recommender,
    queries: Sequence[Query],
    known: Dataset,
    config: RunConfig,
    *,
    num_users: int,
    lm: Reader | None = None,
    writer: TextModel | None = None,
) -> list[dict[str, Any]]:
    """The answers of a model for users with a short, a middling and a long history, each with and without words."""
    samples, manner = [], Manner(model=writer)
    for place, query in enumerate(spread(queries, num_users)):
        words = parse(_instruction(config.language, place), known.catalog, language=config.language, lm=lm)
        samples.append(_sample(model, query, known, config, words=words, manner=manner))
    return samples


def spread(queries: Sequence[Query], num_users: int) -> list[Query]:
    """Queries at even steps of history length, shortest first; the extremes are left out because they are odd."""
    ordered = sorted(queries, key=lambda query: (len(query.history), query.user or ""))
    return [ordered[(2 * place + 1) * len(ordered) // (2 * num_users)] for place in range(num_users if ordered else 0)]


def _sample(
    model: Recommender, query: Query, known: Dataset, config: RunConfig, *, words: Instruction, manner: Manner
) -> dict[str, Any]:
    catalog = known.catalog
    plain = replace(query, n=LIST_LENGTH, time=None)
    asked = replace(plain, instruction=words)
    # The run has no version before it is saved; reading it fills it in.
    answers = [answer_query(model, each, known, version="", language=config.language, manner=manner) for each in (plain, asked)]
    last = query.history[-HISTORY_SHOWN:]
    return {
        "user_id": query.user,
        "history_length": len(query.history),
        "history": [{"item_id": item, "title": catalog.titles[catalog.index[item]]} for item in last],
        "answers": answers,
    }


def _instruction(language: str, place: int) -> str:
    texts: list[str] = wire.wording(language)["demo"]["instructions"]
    return texts[place % len(texts)]
