"""The shapes of answers that are not lists."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from instructrec.service.shapes import Arm, Guardrail


class Told(BaseModel):
    """An answer. More may come to be told than stands here, and it is let through."""

    model_config = ConfigDict(extra="allow")


class Disliked(Told):
    """An item that somebody dislikes, and why."""

    item_id: str
    reason: str


class Known(Told):
    """What is known of a user."""

    user_id: str
    profile: str = Field(description="What they say of their taste.")
    history: list[str] = Field(description="Items that they met, oldest first.")
    liked: list[str]
    disliked: list[Disliked]
    banned: list[str]
    text: str = Field(description="Words that hold until others come.")
    events: int


class Version(Told):
    """Which models and items serve."""

    model_version: str


class Serving(Version):
    """What serves."""

    name: str
    models: list[str] = Field(description="From the one that is asked first to the one that cannot fail.")
    items: int
    users: int
    withdrawn: int


class Times(Told):
    """Times of lists in milliseconds; null where nothing was asked."""

    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class Total(Told):
    """What was served in all; a share is null where there is nothing to share."""

    requests: int
    failed: int
    lists: int
    from_memory_share: float | None
    degraded_share: float | None
    served_by: dict[str, float]
    events: dict[str, int]
    clicks_per_list: float | None
    likes_per_list: float | None
    lists_latency: Times
    requests_latency: Times


class Coverage(Told):
    """How much of the catalog was shown."""

    shown: int
    items: int
    share: float | None


class Step(Times):
    """What was served in one step of time."""

    time: int = Field(description="When it began, in seconds since 1970.")
    requests: int
    failed: int
    lists: int
    served_by: dict[str, int]
    from_memory: int
    degraded: int
    events: dict[str, int]


class GroupShare(Told):
    """The share of a group of items in the log of the run, and in what people choose now."""

    name: str
    then: float
    now: float


class Shift(Told):
    """How far what people choose is from the log, looking at the items in one way."""

    by: str
    index: float = Field(description="Population stability index; 0 is no change.")
    by_chance: float = Field(description="What it stays below in 999 of 1,000 cases where nothing changed.")
    shifted: bool
    most: list[GroupShare] = Field(description="The groups whose shares changed most.")


class Drift(Told):
    """How far what people choose is from what the run was learned from."""

    choices: int
    new_items_share: float | None
    shifts: list[Shift]


class Figures(Told):
    """What a process served in the last minutes, to all tenants."""

    minutes: int
    step_s: int
    total: Total
    coverage: Coverage
    drift: Drift
    steps: list[Step]
    run: Serving


class Trial(Told):
    """An experiment as it stands."""

    id: str
    kind: Literal["split", "interleaving"]
    seed: str
    arms: list[Arm]
    coverage: float
    started: float | None
    ended: float | None
    status: Literal["draft", "running", "stopped", "promoted"]
    metrics: list[str]
    guardrails: list[Guardrail]
    winner: str


class Trials(Told):
    """All experiments."""

    experiments: list[Trial]


class Interval(Told):
    """A value between two bounds; null where there is none."""

    value: float | None
    low: float | None
    high: float | None


class ArmFigures(Told):
    """One metric of one arm; the control has no intervals."""

    n: int
    mean: float | None
    fixed: Interval | None
    always_valid: Interval | None
    lift: Interval | None


class Split(Told):
    """How many people each arm got, and whether that can be chance."""

    counts: dict[str, int]
    shares: dict[str, float]
    alarm: bool


class Results(Told):
    """What an experiment says so far: `verdict` is a code, and `arm` the one that it speaks of."""

    num_units: int
    split: Split
    verdict: str
    arm: str | None


class SplitResults(Results):
    """What the arms of a split did."""

    metrics: dict[str, dict[str, ArmFigures]]
    verdicts: dict[str, str]


class Preference(Told):
    """For how many people the second arm won, lost, or neither."""

    wins: int
    losses: int
    ties: int
    difference: Interval


class Preferences(Results):
    """Which arm of an interleaving people chose more from, by metric."""

    num_lists: int
    preferences: dict[str, Preference]


class TrialResults(Trial):
    """An experiment, what its arms did, and what that comes to in sentences."""

    results: SplitResults | Preferences
    notes: list[str]


class PolicyEstimate(Told):
    """The mean reward of a list by one estimator.

    `n`: lists; `effective_n`: how many of the model's own would say as much.
    """

    estimator: Literal["ips", "snips", "dr"]
    reward: Interval
    n: int
    effective_n: float
    largest_weight: float


class ModelEstimate(Told):
    """What the lists of a model that is no arm would have earned."""

    experiment: str
    model: str
    reward: str = Field(description="The kind of event that a list earns, once or more.")
    n: int = Field(description="Lists that were answered again.")
    left_out: int = Field(description="Lists that say nothing: others stood in, nobody is known, or what serves has changed.")
    supported: float = Field(description="Part of the requests for which some arm could have shown the model's list.")
    effective_n: float
    needed_n: float
    refused: Literal["", "nothing", "support", "effective_n"] = Field(description="Why there are no estimates; empty: there are.")
    estimates: dict[str, PolicyEstimate]


class Alive(Told):
    """The process answers."""

    live: bool


class Ready(Told):
    """Whether lists are made and events are written, and why not."""

    ready: bool
    reason: str = Field(description="Why not; empty where they are.")
    model_version: str
