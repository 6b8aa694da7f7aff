"""One round of a comparison: one split and one seed. Each model is a cell: fitted, timed and measured once, then read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from instructrec import config as settings
from instructrec.config import DataConfig, EvaluationConfig
from instructrec.core import Progress, Query, Silent
from instructrec.data.cleaning import CleaningConfig
from instructrec.errors import AssetError, ModelError
from instructrec.evaluation.costs import Cost
from instructrec.evaluation.protocol import Evaluation
from instructrec.machine import PeakMemory
from instructrec.pipeline.training import Prepared, evaluate_on, fit_one, parts_for
from instructrec.pipeline.work import Work, code_version, content_of
from instructrec.recommender import Recommender

LISTS: Final = 50
"""Lists that are timed, at most."""
WARM_UP: Final = 3
"""Lists before that, whose time is not counted."""
SECONDS: Final = 5.0
"""No further list is timed after so long; slow models are timed on fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A fitted model and what its fit took: wall and processor seconds, bytes; `interrupted`: it went on from an earlier call."""

    model: Recommender
    seconds: float
    cpu_seconds: float
    bytes: int | None
    interrupted: bool


class Round:
    """The cells of one split and seed. Parts of fusions are fitted once a round and kept until it ends.

    `harder`: what was done to the split beside its configuration, in words, as a part of what a cell is known by;
    `root`: the folder where cells are kept, none keeps nothing.
    """

    def __init__(
        self, prepared: Prepared, names: Sequence[str], *, harder: str = "", root: Path | None = None, progress: Progress = Silent()
    ) -> None:
        self.prepared = prepared
        self._harder, self._root, self._progress = harder, root, progress
        self._shared = {part for name in names for part in _all_parts(name, prepared)}
        self._fitted: dict[str, Fitted] = {}
        self._failed: dict[str, str] = {}

    def cell(self, name: str) -> tuple[Evaluation, Cost]:
        """What a model did for the test queries and what it cost: read where it is kept, else found now.

        Raises ModelError or AssetError where its fit or that of a part fails.
        """
        work = self._work(name)
        found, cost = work.measured(name, lambda: self._made(name))
        if name not in self._shared:
            work.drop_models()
        return found, Cost(**cost)

    def has(self, name: str) -> bool:
        """Whether the cell is kept."""
        return self._work(name).has(name)

    def release(self) -> None:
        """Let go of the models in memory; what was written down is read when it is needed again."""
        self._fitted.clear()

    def close(self) -> None:
        """Let go of the models, in memory and on disk."""
        self.release()
        for name in self._shared:
            self._work(name).drop_models()

    def key(self, name: str) -> str:
        """All that decides what a cell holds: code, data, split, model with its settings and parts, how is measured, seed."""
        config = self.prepared.config
        wanted = config.evaluation
        own = replace(
            config,
            model=name,
            beside=(),
            language="en",
            reader="rules",
            writer="grammar",
            foresee_memory=True,
            data=DataConfig(),
            cleaning=CleaningConfig(),
            evaluation=EvaluationConfig(k=wanted.k, seen_shown=wanted.seen_shown, sampled=wanted.sampled),
            settings={part: config.settings[part] for part in (name, *_all_parts(name, self.prepared)) if part in config.settings},
        )
        return f"# code {code_version()}\n# data {self._content}\n# {self._harder}\n{settings.dump(own)}"

    @cached_property
    def _content(self) -> str:
        everything = self.prepared.loaded.dataset
        return content_of(replace(everything, catalog=self.prepared.split.train.catalog))

    def _work(self, name: str) -> Work:
        return Work.cell(self._root, name, self.key(name)) if self._root else Work()

    def fitted(self, name: str) -> Fitted:
        """The model, fitted now or read, and what it took, that of its parts included. Raises as `cell` does."""
        own = self._fit(name)
        every = [*(self._fitted[part] for part in _all_parts(name, self.prepared)), own]
        return Fitted(
            model=own.model,
            seconds=sum(one.seconds for one in every),
            cpu_seconds=sum(one.cpu_seconds for one in every),
            bytes=max((one.bytes for one in every if one.bytes is not None), default=None),
            interrupted=any(one.interrupted for one in every),
        )

    def _made(self, name: str) -> tuple[Evaluation, dict[str, Any]]:
        fitted = self.fitted(name)
        prepared = self.prepared
        found = evaluate_on(fitted.model, prepared.split, prepared.config, progress=self._progress)
        hide_seen = not prepared.config.evaluation.seen_shown
        queries = [replace(query, hide_seen=hide_seen, n=prepared.config.evaluation.k) for query in prepared.split.test.queries]
        median, most = latency(fitted.model, queries)
        cost = Cost(
            fit_seconds=fitted.seconds,
            fit_cpu_seconds=fitted.cpu_seconds,
            fit_bytes=fitted.bytes,
            latency_ms=median,
            latency_p95_ms=most,
            interrupted=fitted.interrupted,
        )
        return found, cost.to_json()

    def _fit(self, name: str) -> Fitted:
        if name in self._failed:
            raise ModelError(self._failed[name])
        if name not in self._fitted:
            try:
                parts = {part: self._fit(part).model for part in parts_for(self.prepared, name)}
                fitted = self._timed(name, parts)
            except (ModelError, AssetError) as problem:
                self._failed[name] = str(problem)
                raise
            if name not in self._shared:
                return fitted
            self._fitted[name] = fitted
        return self._fitted[name]

    def _timed(self, name: str, parts: dict[str, Recommender]) -> Fitted:
        """Fit a model, or read it with its costs where an interrupted call kept it."""
        work = self._work(name)
        folder = work.unfinished(name)
        interrupted = folder is not None and any(folder.iterdir())
        taken: dict[str, Any] = {}

        def fit() -> Recommender:
            began, cpu = time.perf_counter(), time.process_time()
            with PeakMemory() as peak:
                model = fit_one(self.prepared, name, parts, folder, self._progress)
            taken.update(
                seconds=time.perf_counter() - began,
                cpu_seconds=time.process_time() - cpu,
                bytes=peak.bytes,
                interrupted=interrupted,
            )
            work.note_json("fit.json", taken)
            return model

        # Only what a fusion needs again is written down: models can be large.
        model = work.fitted(name, self.prepared.split.train.catalog, fit) if name in self._shared else fit()
        kept = taken or work.noted_json("fit.json")
        return Fitted(model=model, **kept)


def latency(model: Recommender, queries: Sequence[Query]) -> tuple[float, float]:
    """Median and 95th percentile of the wall time of one list, in milliseconds, each query asked alone.

    The queries are taken evenly from those given; the first few only warm up.
    """
    places = np.unique(np.linspace(0, len(queries) - 1, min(len(queries), LISTS)).round().astype(np.int64))
    chosen = [queries[place] for place in places]
    for query in chosen[:WARM_UP]:
        model.recommend([query])
    times: list[float] = []
    for query in chosen:
        began = time.perf_counter()
        model.recommend([query])
        times.append(time.perf_counter() - began)
        if sum(times) > SECONDS:
            break
    return 1e3 * float(np.median(times)), 1e3 * float(np.quantile(times, 0.95))


def _all_parts(name: str, prepared: Prepared) -> tuple[str, ...]:
    """The models that a model is put together from, those of its parts included."""
    return tuple(dict.fromkeys(inner for part in parts_for(prepared, name) for inner in (part, *_all_parts(part, prepared))))
