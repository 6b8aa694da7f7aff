"""One model's search: what Optuna proposes is fitted and ranked on validation until the budget is spent; each trial is kept.

Trial `n` follows from the seed, `n` and the trials before it alone: its sampler is made for it and reads the kept trials. So a
search that was interrupted goes on to the trials that a whole one makes.
"""

from __future__ import annotations

import math
import statistics
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from instructrec.config import build_model
from instructrec.config.spaces import Choice, Space, label_of
from instructrec.core import FitContext, Instruction, Progress
from instructrec.data.split import Holdout
from instructrec.errors import DataError, InstructRecError, ModelError
from instructrec.evaluation.protocol import evaluate
from instructrec.instructions.wishing import wish_for
from instructrec.pipeline.training import Prepared, validation_of
from instructrec.recommender import Recommender

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as Asked

OBJECTIVE = "ndcg@10"
"""What settings are chosen by, on validation."""
RANDOM_TRIALS = 10
"""Trials before the sampler learns from them (the default first, the others at random)."""
WARMUP_CHECKS = 2
"""Checks of a training before it can be given up."""
MOST_REPEATS = 50
"""So many proposals in a row that were tried before end a search: the space is used up."""
MOST_WORDED = 1000
"""Validation queries that are given words, at most, for models that answer to words only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long each model is looked for: `seconds` of CPU (all threads, fit and ranking of validation), and `trials` at most,
    without repeated ones.
    """

    seconds: float = 1200.0
    trials: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One proposal and what came of it.

    done: `score` is NDCG@10 on validation. pruned: given up at a check, below the median of the others; `score` is that of the
    check. failed: `why` says what was wrong. repeated: tried before. `cpu_s`: seconds of CPU.
    """

    number: int
    outcome: Literal["done", "pruned", "failed", "repeated"]
    values: Mapping[str, Any]
    score: float
    cpu_s: float
    why: str = ""


class _HopelessError(Exception):
    """A check says that this trial ends below the others."""


class _SpentError(Exception):
    """The budget ended within a trial."""


class Search:
    """The search of one model; `study` keeps its trials."""

    def __init__(self, prepared: Prepared, name: str, space: Space, study: Study, effort: Effort, progress: Progress) -> None:
        self.prepared, self.name, self.space, self.study, self.effort = prepared, name, space, study, effort
        self.settings = prepared.config.settings[name]
        self.progress = _Clock(progress, effort.seconds)
        self.holdout, self.words = _asked(prepared, build_model(name, prepared.config))
        if not any(len(targets) for targets in self.holdout.targets):
            raise DataError(
                f"The {prepared.split.name} split leaves nothing to validate on, so '{name}' cannot be tuned. Give more "
                "interactions, or another split."
            )

    def run(self) -> list[Trial]:
        """Try until the budget is spent; all trials, those of earlier calls first.

        The first trial is always finished, whatever it costs. Raises ModelError where it fails: nothing can be compared with it.
        """
        self._close_left_over()
        self.progress.begin(self.name, self._spent())
        while self._goes_on():
            self._try(len(self.trials))
        self.progress.end()
        first = self.trials[0]
        if first.outcome == "failed":
            raise ModelError(f"'{self.name}' cannot be tuned, for it fails with the configured settings: {first.why}")
        return self.trials

    @property
    def trials(self) -> list[Trial]:
        """The finished trials in their order; one that was interrupted is none."""
        return [
            Trial(
                number=number,
                outcome=kept.user_attrs["outcome"],
                values=self._values(kept.params),
                score=float(kept.user_attrs.get("score", math.nan)),
                cpu_s=float(kept.user_attrs["cpu_s"]),
                why=kept.user_attrs.get("why", ""),
            )
            for number, kept in enumerate(entry for entry in self._kept() if entry.user_attrs.get("outcome") != "interrupted")
        ]

    def _kept(self) -> list[FrozenTrial]:
        """Trials that ended, and those that an interruption ended."""
        return [kept for kept in self.study.get_trials(deepcopy=False) if "outcome" in kept.user_attrs]

    def _spent(self) -> float:
        return sum(float(kept.user_attrs["cpu_s"]) for kept in self._kept())

    def _close_left_over(self) -> None:
        """A trial that was running when the process was killed is none, unless all was noted but its end."""
        from optuna.trial import TrialState

        for kept in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._close(kept.number, kept.user_attrs.get("outcome", "interrupted"), kept.user_attrs.get("score"))

    def _close(self, asked: Asked | int, outcome: str, score: float | None) -> None:
        """End a trial: the sampler learns from those that are done or pruned."""
        from optuna.trial import TrialState

        ends = {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
        self.study.tell(asked, score if outcome == "done" else None, state=ends.get(outcome, TrialState.FAIL))

    def _goes_on(self) -> bool:
        """Whether a further trial may begin: what is left must be enough for one of usual cost."""
        trials = self.trials
        if not trials:
            return True
        if trials[0].outcome == "failed" or sum(trial.outcome != "repeated" for trial in trials) >= self.effort.trials:
            return False
        if all(trial.outcome == "repeated" for trial in trials[-MOST_REPEATS:]) or self._used_up(trials):
            return False
        usual = statistics.median(trial.cpu_s for trial in trials if trial.outcome == "done")
        return self._spent() + usual <= self.effort.seconds

    def _used_up(self, trials: list[Trial]) -> bool:
        """Whether every combination of a space without fractions was tried."""
        sizes = [len(part.values) for part in self.space.values() if isinstance(part, Choice)]
        tried = len({repr(trial.values) for trial in trials})
        return len(sizes) == len(self.space) and tried >= math.prod(sizes)

    def _try(self, number: int) -> None:
        asked, values = self._proposed(number)
        tried = [trial.values for trial in self.trials]
        if values in tried:
            asked.set_user_attr("cpu_s", 0.0)
            asked.set_user_attr("outcome", "repeated")
            self._close(asked, "repeated", None)
            return
        began, score, why, outcome = time.process_time(), math.nan, "", "interrupted"
        watch = _Watch(asked, may_end=self._ends_at(began) if number else math.inf)
        try:
            score, outcome = self._measured(values, watch), "done"
        except _HopelessError:
            score, outcome = watch.last, "pruned"
        except _SpentError:
            pass
        except InstructRecError as problem:
            why, outcome = str(problem), "failed"
        finally:
            asked.set_user_attr("cpu_s", time.process_time() - began)
            if not math.isnan(score):
                asked.set_user_attr("score", score)
            if why:
                asked.set_user_attr("why", why)
            # The outcome comes last: a trial without one is not there.
            asked.set_user_attr("outcome", outcome)
            self._close(asked, outcome, score)

    def _proposed(self, number: int) -> tuple[Asked, dict[str, Any]]:
        """What trial `number` tries: the configured settings first, then what the sampler makes of the trials before."""
        from optuna.samplers import TPESampler
        from optuna.trial import TrialState

        seed = np.random.SeedSequence([self.prepared.config.seed, zlib.crc32(self.name.encode()), number])
        self.study.sampler = TPESampler(seed=int(seed.generate_state(1)[0]), n_startup_trials=RANDOM_TRIALS)
        if not number and not self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            self.study.enqueue_trial({name: label_of(getattr(self.settings, name)) for name in self.space})
        asked = self.study.ask()
        for name, part in self.space.items():
            if isinstance(part, Choice):
                asked.suggest_categorical(name, part.labels)
            elif part.whole:
                asked.suggest_int(name, int(part.low), int(part.high), log=part.log)
            else:
                asked.suggest_float(name, part.low, part.high, log=part.log)
        return asked, self._values(asked.params)

    def _values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What the model is given for what the table of trials holds."""
        found: dict[str, Any] = {}
        for name, part in self.space.items():
            kept = params[name]
            found[name] = part.values[part.labels.index(kept)] if isinstance(part, Choice) else kept
        return found

    def _measured(self, values: Mapping[str, Any], watch: _Watch) -> float:
        """NDCG@10 of the validation targets for the model with these settings, fitted on the training part."""
        config, parts = self.prepared.config, self.prepared.split
        chosen = replace(config, settings={**config.settings, self.name: replace(self.settings, **values)})
        context = FitContext(validation=validation_of(parts.valid), seed=config.seed, progress=self.progress, watch=watch)
        model = build_model(self.name, chosen).fit(parts.train, context)
        hide_seen = not config.evaluation.seen_shown
        found = evaluate(model, self.holdout, hide_seen=hide_seen, instructions=self.words, progress=self.progress)
        return found.value(OBJECTIVE)

    def _ends_at(self, began: float) -> float:
        """The process time at which the budget is spent, for a trial that began then."""
        return began + self.effort.seconds - self._spent()


class _Watch:
    """What a training tells of itself: each check is reported, and a trial that is hopeless or too long is ended."""

    def __init__(self, asked: Asked, *, may_end: float) -> None:
        self.asked, self.may_end, self.last, self.checks = asked, may_end, math.nan, 0

    def __call__(self, value: float) -> None:
        """Note NDCG@10 of a check."""
        self.last = value
        self.asked.report(value, self.checks)
        self.checks += 1
        if time.process_time() > self.may_end:
            raise _SpentError
        if self.asked.should_prune():
            raise _HopelessError


class _Clock:
    """A Progress for fits that shows how much of the budget is spent instead of their own steps."""

    def __init__(self, progress: Progress, seconds: float) -> None:
        self._progress, self._seconds = progress, math.ceil(seconds)
        self._before = self._began = 0.0

    def begin(self, name: str, spent: float) -> None:
        """Begin, or go on where `spent` seconds of the budget are gone."""
        self._before, self._began = spent, time.process_time()
        self._progress.stage(f"tune {name} (seconds of CPU)", total=self._seconds)
        self.step(0)

    def end(self) -> None:
        """Nothing more is tried."""
        self._progress.step(self._seconds)

    def stage(self, name: str, *, total: int) -> None:
        """Stages of a fit are not shown."""

    def step(self, done: int, *, loss: float | None = None) -> None:
        """Show the time that is gone."""
        gone = self._before + time.process_time() - self._began
        self._progress.step(min(int(gone), self._seconds - 1), loss=loss)


def _asked(prepared: Prepared, model: Recommender) -> tuple[Holdout, list[Instruction] | None]:
    """The validation queries that a model is chosen on, and words for them where it answers to words only."""
    valid = prepared.split.valid
    if not model.needs_words:
        return valid, None
    rows = [row for row, targets in enumerate(valid.targets) if len(targets)]
    rows = rows[:: max(1, -(-len(rows) // MOST_WORDED))]
    some = Holdout(
        queries=tuple(valid.queries[row] for row in rows),
        targets=tuple(valid.targets[row] for row in rows),
        user_codes=valid.user_codes[rows],
    )
    wanted = [int(targets[0]) for targets in some.targets]
    rng = np.random.default_rng([prepared.config.seed, 6])
    return some, wish_for(prepared.split.train.catalog, wanted, rng, language=prepared.config.language)
