"""From a request in ids and words to an answer with reasons, for one user or for a whole user base."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np

from instructrec import parquet, wire
from instructrec.config import ReadBy, ReasonsBy
from instructrec.core import Instruction, Progress, Query, Recommendation, Silent
from instructrec.data.readers import PARQUET_SUFFIXES, suffix_of
from instructrec.errors import QueryError, nearest
from instructrec.explain import Manner, explain
from instructrec.explain.served import ServedWriter
from instructrec.files import atomic_file, need_place
from instructrec.instructions import Profile, Reader, instruction_from_json, parse, profile_of, refine, steered_by
from instructrec.lm.endpoint import endpoint_at
from instructrec.recommender import Recommender
from instructrec.runs import Run
from instructrec.tables import Catalog, Dataset, IntArray

LISTS_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asks of a run. `history` replaces the stored one of `user`; `model` and `language` those of the run.

    `candidates` are the only items that may be in the list, to be ranked; none given: the whole catalog may.
    `parameters` are an instruction as JSON values, beside or instead of words, and `standing` one that holds already; `strength` is
    how much words order the list, 0 to 1; `profile` is what the user says of their taste; `reader` is who reads the words,
    `writer` who writes reasons, in which `tone` and at which `length`; `diversity`, 0 to 1, is how much the items shall differ.
    """

    user: str | None = None
    history: tuple[str, ...] | None = None
    instruction: str = ""
    n: int = 10
    hide_seen: bool = True
    candidates: tuple[str, ...] | None = None
    model: str | None = None
    language: str | None = None
    parameters: Mapping[str, Any] | None = None
    standing: Instruction | None = None
    strength: float = 1.0
    profile: str = ""
    reader: str | None = None
    writer: str | None = None
    tone: str = "plain"
    length: str = "medium"
    diversity: float = 0.0


def answer(run: Run, request: Request, *, explained: bool = True) -> dict[str, Any]:
    """One list in its JSON shape (see `wire`), with the reasons of every item unless they are not asked for."""
    model, language = run.model(request.model), request.language or run.config.language
    query = query_of(run.dataset, request, language=language, lm=reader_of(run, request))
    manner = manner_of(run, request) if explained else None
    return answer_query(model, query, run.dataset, version=run.version, language=language, manner=manner)


def answer_query(
    model: Recommender,
    query: Query,
    dataset: Dataset,
    *,
    version: str,
    language: str = "en",
    manner: Manner | None = Manner(),
) -> dict[str, Any]:
    """The answer of a model to one query in its JSON shape, with reasons in a manner, or without any."""
    [found] = model.recommend([query])
    found = with_notes(found, model, dataset)
    reasons = explain(model, found, dataset, language=language, manner=manner) if manner and found.items else ()
    return wire.answer(found, catalog=dataset.catalog, model_version=version, explanations=reasons, language=language)


def write_all(run: Run, request: Request, out: Path, *, users: Sequence[str] | None = None, progress: Progress = Silent()) -> int:
    """Lists for `users` (none: everybody) as Parquet; returns how many. Raises QueryError for users that are not known and for a
    name of a file that is not Parquet's, RunError where it cannot be written.
    """
    if suffix_of(out) not in PARQUET_SUFFIXES:
        raise QueryError(
            f"Lists are written as Parquet, but the file is to be '{out.name}'. Give a name such as {out.stem}.parquet."
        )
    need_place(out)
    known = run.dataset.interactions.user_index
    for user in users or ():
        if user not in known:
            raise QueryError(
                f"There is no user '{user}' in this run.{nearest(user, known)} Ask for that one alone with --user to start cold."
            )
    wanted = list(users if users is not None else run.dataset.interactions.user_ids)
    model, language = run.model(request.model), request.language or run.config.language
    words = understood(request, run.catalog, language, reader_of(run, request))

    def batches() -> Iterator[list[Recommendation]]:
        progress.stage("recommend", total=len(wanted))
        for start in range(0, len(wanted), LISTS_AT_ONCE):
            batch = wanted[start : start + LISTS_AT_ONCE]
            yield model.recommend([_query(run.dataset, replace(request, user=user), words) for user in batch])
            progress.step(start + len(batch))

    with atomic_file(out) as building:
        return parquet.write_lists(batches(), building)


def query_of(dataset: Dataset, request: Request, *, language: str = "en", lm: Reader | None = None) -> Query:
    """The query behind a request: the stored history unless another is given, and the words understood."""
    query = _query(dataset, request, understood(request, dataset.catalog, language, lm))
    return steered_by(query, request.profile, dataset.catalog, language=language)


def profile(run: Run, request: Request) -> Profile:
    """What the history of a user shows, in words that the user may edit."""
    past = request.history if request.history is not None else stored_history(run.dataset, request.user)
    return profile_of(past, run.catalog, language=request.language or run.config.language)


def reader_of(run: Run, request: Request) -> Reader | None:
    """The model that reads the words of a request beside the rules; none where the rules read alone, or there are no words.

    "rules" or "both" is what the request says, or else the run. Raises QueryError for any other word, RunError where "both" is
    wanted of a run without such a model.
    """
    wanted = request.reader or run.config.reader
    known = get_args(ReadBy)
    if wanted not in known:
        raise QueryError(f"The reader is '{wanted}', but must be one of: {', '.join(known)}.{nearest(wanted, known)}")
    # Loading takes seconds, which a request without words need not wait for.
    idle = run.config.reader == "both" and not request.instruction.strip()
    return None if wanted == "rules" or idle else run.understander


def understood(request: Request, catalog: Catalog, language: str, lm: Reader | None = None) -> Instruction | None:
    """What was understood of the parameters and the words, which refine what stands; none for neither."""
    given = request.standing
    if request.parameters is not None:
        given = refine(given, instruction_from_json(request.parameters, catalog), catalog)
    if not request.instruction.strip():
        return given
    return refine(given, parse(request.instruction, catalog, language=language, n=request.n, lm=lm), catalog)


def manner_of(run: Run, request: Request) -> Manner:
    """How reasons are to be said: by the model that writes them, if the run has one and nothing else is asked for. An address asks
    the first model that an OpenAI-compatible server offers.

    Raises QueryError for a writer, tone or length that there is not, RunError where a model is wanted of a run without one.
    """
    wanted = request.writer or run.config.writer
    plain = Manner(tone=request.tone, length=request.length)
    if wanted.startswith(("http://", "https://")):
        return replace(plain, model=ServedWriter(partial(endpoint_at, wanted), language=request.language or run.config.language))
    writers = get_args(ReasonsBy)
    if wanted not in writers:
        known = ", ".join(writers)
        raise QueryError(
            f"The writer is '{wanted}', but must be one of: {known}, or the address of a server.{nearest(wanted, writers)}"
        )
    return plain if wanted == "grammar" else replace(plain, model=run.verbaliser)


def with_notes(found: Recommendation, model: Recommender, dataset: Dataset) -> Recommendation:
    """The answer with notes on what a person without a history was served by: words, stated attributes, or popularity."""
    query, notes = found.query, list(found.notes)
    if len(dataset.catalog.codes(query.history)):
        return found
    if query.user is not None and query.user not in dataset.interactions.user_index:
        notes.insert(0, f"unknown_user:{query.user}")
    words = query.instruction
    if words is not None and words.wish and model.is_personal(query):
        notes.append("cold_start:instruction")
    elif words is not None and words.limits:
        notes = [note for note in notes if not note.startswith("cold_start:")] + ["cold_start:attributes"]
    elif not any(note.startswith("cold_start:") for note in notes):
        notes.append("cold_start:popularity")
    return replace(found, notes=tuple(notes))


def _query(dataset: Dataset, request: Request, words: Instruction | None) -> Query:
    past = request.history if request.history is not None else stored_history(dataset, request.user)
    return Query(
        user=request.user,
        history=past,
        instruction=words,
        candidates=_known(request.candidates, dataset.catalog),
        n=request.n,
        hide_seen=request.hide_seen,
        strength=request.strength,
        diversity=request.diversity,
    )


def _known(candidates: tuple[str, ...] | None, catalog: Catalog) -> tuple[str, ...] | None:
    """The candidates as they are. Raises QueryError where there are none, or one that the catalog does not have."""
    if candidates is None:
        return None
    unknown = catalog.unknown(candidates)
    if unknown or not candidates:
        came = f"'{unknown[0]}' is not in the catalog.{nearest(unknown[0], catalog.index)}" if unknown else "none came."
        raise QueryError(f"Candidates must be items of the catalog, but {came} Give ids of the items table.")
    return candidates


def stored_history(dataset: Dataset, user: str | None) -> tuple[str, ...]:
    """Item ids of a user's history, oldest first; empty for somebody who is not known."""
    code = None if user is None else dataset.interactions.user_index.get(user)
    codes: IntArray = np.zeros(0, dtype=np.int64) if code is None else dataset.interactions.history(code)
    return tuple(dataset.catalog.item_ids[item] for item in codes)
