"""A new run from an old one and what people did since, promoted only where it is not worse."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from instructrec import runs
from instructrec.config import RunConfig
from instructrec.core import Progress, Silent
from instructrec.data.split import split, untested, utc
from instructrec.errors import ConfigError, DataError
from instructrec.evaluation.comparison import Comparison
from instructrec.evaluation.intervals import Interval
from instructrec.pipeline.gathering import Gathered, gather
from instructrec.pipeline.reporting import Measured
from instructrec.pipeline.training import Prepared, content, fit, measure, told, understander, verbaliser
from instructrec.pipeline.work import Work, key_of
from instructrec.runs import Run, RunContent

PARENT = "parent"
"""The row of the old run in the leaderboard."""
REACH = "journal.txt"
"""Up to which event the journal was read, noted so that the same command goes on with the same data."""
FEWEST_PEOPLE = 20
"""With fewer people whose interactions are held out an interval says nothing."""
SHARE_HELD_OUT = 0.2
"""Of the time that events span, where that is less than twice the days asked for: more is learned from than held out."""
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a new run takes the place of the old one.

    `tenant`: whose events count. `days`: the last ones of the journal, held out. `margin`: by how many percent of the old run's
    value the new one may be worse. `refit`: whether the new one, once it was found to be no worse, is fitted again with the same
    settings on everything, the held-out days with it, before it is saved.
    """

    tenant: str = "local"
    days: float = 7.0
    margin: float = 2.0
    refit: bool = True

    def __post_init__(self) -> None:
        if not (self.days > 0 and 0 <= self.margin < 100):
            raise ConfigError(
                f"days is {self.days:g} and margin {self.margin:g}; days must be above 0, margin from 0 to below 100."
            )


@dataclass(frozen=True, kw_only=True)
class Retrained:
    """What came of it. `run`: the new run, none where it was not promoted; `facts`: what `report.json` says under "retrained"."""

    run: Run | None
    comparison: Comparison
    facts: Mapping[str, Any]
    cleaning: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Verdict:
    """The first metric of both runs on the same held-out people, their difference (new minus old), and what it may fall by."""

    metric: str
    old: Interval
    new: Interval
    difference: Interval
    margin: float

    @property
    def promoted(self) -> bool:
        """Whether the new run is not worse: the lower end of the 95 % interval of the difference is not below minus the margin."""
        return self.difference.low >= -self.margin


def retrain(run: Run, journal: str, out: Path | None = None, *, terms: Terms = Terms(), progress: Progress = Silent()) -> Retrained:
    """Train the models of a run anew on its data and its journal, and save them in `out` where they are not worse.

    Both runs rank the whole catalog for what people did in the last days of the journal, from the histories that they had before;
    the new one has not seen these days, nor has the old one. What is promoted is then fitted again on everything (`Terms.refit`):
    it serves what it learned of the last days, too, and of that there are no figures. The models that were measured are kept beside
    those that serve, for the next call has to compare a model that has not seen its days, and so has whoever evaluates the run.
    An interrupted call continues, on the events that it began with. The journal, which may be served meanwhile, is only read, and
    the old run stays as it is.

    Raises RunError where `out` exists, StoreError where the journal cannot be read, DataError for too few events.
    """
    out = out or next_place(run.path)
    runs.need_free(out)
    gathered, reach = _gathered(run, journal, Work.noted(out, REACH) or "", terms, progress)
    config = replace(run.config, split=replace(run.config.split, kind="since", since=_since(run, gathered, terms)))
    prepared = Prepared(config=config, loaded=gathered.loaded, split=split(gathered.loaded.dataset, config.split))
    _need_people(prepared)
    with Work.beside(out, f"{key_of(config, gathered.loaded.dataset)}\n# from run {run.version}\n") as work:
        work.note(REACH, reach)
        fitted = fit(prepared, (*config.beside, config.model), work=work, progress=progress)
        old = run.as_measured().with_catalog(prepared.split.train.catalog).model()
        found = measure(prepared, {**told(fitted, config), PARENT: old}, work=work, progress=progress)
        verdict = _verdict(found, config, terms)
        again = _again(prepared) if verdict.promoted and terms.refit else None
        facts = _facts(run, gathered, prepared, verdict) | {"refit": _refit_facts(again) if again else None}
        saved = None
        if verdict.promoted:
            made = content(
                prepared,
                Measured(
                    config=config,
                    loaded=gathered.loaded,
                    comparison=found,
                    models=fitted,
                    samples=(),
                    afterwards=_told_again(facts["refit"]) if again else "",
                ),
            )
            if again:
                made = _fitted_again(made, again, work=work, progress=progress)
            reader = understander(again or prepared, work=work, progress=progress)
            writer = verbaliser(again or prepared, work=work, progress=progress)
            report = {**made.report, "retrained": facts}
            saved = runs.save(out, replace(made, report=report, understander=reader, verbaliser=writer))
        work.close()
    return Retrained(run=saved, comparison=found, facts=facts, cleaning=tuple(gathered.loaded.report.lines()))


def _again(prepared: Prepared) -> Prepared:
    """The same data and settings, with nothing held out but what validates."""
    return replace(prepared, split=untested(prepared.loaded.dataset, prepared.config.split))


def _fitted_again(made: RunContent, again: Prepared, *, work: Work, progress: Progress) -> RunContent:
    """What is saved, with models that have learned from everything, and those that were measured beside them."""
    config = made.config
    models = fit(again, (*config.beside, config.model), work=work.again(), progress=progress)
    return replace(
        made,
        dataset=replace(made.dataset, catalog=again.split.train.catalog),
        models={name: models[name] for name in made.models},
        measured=made.models,
    )


def _refit_facts(again: Prepared) -> dict[str, Any]:
    """What the models that serve have learned from, as the report tells it."""
    log = again.split.train.interactions
    return {"interactions": len(log), "validating": len(again.split.valid), "last": utc(int(log.timestamps.max()))}


def _told_again(facts: Mapping[str, Any]) -> str:
    return (
        f"These are the figures before the models were fitted again, with the same settings, on {facts['interactions']:,} "
        f"interactions up to {facts['last']} UTC, what is held out here with them (the last interaction of {facts['validating']:,} "
        "people validates): so they serve, and of that there are no figures."
    )


def next_place(path: Path) -> Path:
    """The first of NAME-2, NAME-3, ... beside a run folder that is free; behind a number that the name has already."""
    folder = path.resolve()
    found = re.fullmatch(r"(.+?)-(\d{1,6})", folder.name)
    name, number = (found[1], int(found[2])) if found else (folder.name, 1)
    place = folder
    while place.exists():
        number += 1
        place = folder.with_name(f"{name}-{number}")
    return place


def _gathered(run: Run, journal: str, noted: str, terms: Terms, progress: Progress) -> tuple[Gathered, str]:
    """The data, and a note of how far the journal was read: no further than an interrupted call that noted the same read it."""
    # With a database behind it, which no other verb of the pipeline needs.
    from instructrec.journal.store import Store

    asked = sha256(f"{run.version}\n{journal}\n{terms.tenant}".encode()).hexdigest()
    before, _, number = noted.partition(" ")
    with Store.open(journal, read_only=True) as store:
        until = int(number) if before == asked and number.isdigit() else store.last_seq()
        return gather(run, store, tenant=terms.tenant, until=until, progress=progress), f"{asked} {until}"


def _since(run: Run, gathered: Gathered, terms: Terms) -> int:
    """The moment (seconds since 1970) from which on interactions are held out. Raises DataError where nothing is new."""
    first, last = int(gathered.times[0]), int(gathered.times[-1])
    span = last - first
    window = terms.days * _DAY_S if span >= 2 * terms.days * _DAY_S else SHARE_HELD_OUT * span
    known = int(split(run.dataset, run.config.split).known.interactions.timestamps.max())
    since = max(int(last - window), known + 1)
    if since > last:
        raise DataError(
            f"The run was made of interactions up to {utc(known)} UTC, and the journal has none after that (the last: {utc(last)} "
            "UTC), so there is nothing to measure a new run on. Retrain when people have done more."
        )
    return since


def _need_people(prepared: Prepared) -> None:
    num_people = len(prepared.split.test)
    if num_people < FEWEST_PEOPLE:
        raise DataError(
            f"Only {num_people} people did something from {utc(prepared.config.split.since)} UTC on and something before, but it "
            f"takes {FEWEST_PEOPLE} to say which run is better. Retrain when people have done more, or hold out more with --days."
        )


def _verdict(found: Comparison, config: RunConfig, terms: Terms) -> _Verdict:
    metric, test = found.metrics[0], found.test_of(config.model, PARENT).test
    old = found.models[PARENT][metric]
    margin = terms.margin / 100 * old.value
    return _Verdict(metric, old, found.models[config.model][metric], test.difference, margin)


def _facts(run: Run, gathered: Gathered, prepared: Prepared, verdict: _Verdict) -> dict[str, Any]:
    old, new, test = run.dataset.interactions, prepared.loaded.dataset.interactions, prepared.split.test
    return {
        "parent": run.version,
        "journal": {
            "events": gathered.num_events,
            "people": gathered.num_people,
            "interactions": len(gathered.times),
            "first": utc(int(gathered.times[0])),
            "last": utc(int(gathered.times[-1])),
        },
        "new_users": len(set(new.user_ids) - set(old.user_ids)),
        "new_items": gathered.new_items,
        "held_out": {
            "since": utc(prepared.config.split.since),
            "days": round((int(gathered.times[-1]) - prepared.config.split.since) / _DAY_S, 3),
            "interactions": int(np.sum([len(targets) for targets in test.targets])),
            "users": len(test),
        },
        "metric": verdict.metric,
        "old": verdict.old.to_json(),
        "new": verdict.new.to_json(),
        "difference": verdict.difference.to_json(),
        "margin": verdict.margin,
        "promoted": verdict.promoted,
    }
