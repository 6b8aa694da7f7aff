"""The contract: what requests and answers look like. The shape of a list is the one of `instructrec recommend --json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from instructrec.errors import QueryError
from instructrec.experiments import METRICS
from instructrec.service.rows import Conditions, Event, Item, Turn
from instructrec.service.values import Id, KeptWords, Language, Plain, ShownAs, Strict, Whole, Words

MOST_ITEMS, MOST_EVENTS, MOST_CANDIDATES = 1_000, 1_000, 10_000
"""Items and events in one request, and candidates or items of a history, at most."""
Metric = Annotated[str, Field(json_schema_extra={"enum": list(METRICS)})]


class Ask(Strict):
    """A request for a list."""

    user_id: Id | None = Field(None, description="Whom the list is for; somebody who is not known starts cold.")
    session_id: Id | None = Field(None, description="An anonymous visitor, in place of a user.")
    history: Annotated[list[Id], Field(max_length=MOST_CANDIDATES)] | None = Field(
        None, description="Item ids, oldest first, in place of what is known of the person."
    )
    instruction: Words = Field("", description="What is wanted, in words.")
    parameters: Annotated[dict[str, Any], Plain, ShownAs(Conditions)] | None = Field(
        None, description="Parsed limits beside the words or in their place, as 'instruction' of an answer has them."
    )
    dialogue: Annotated[list[Annotated[dict[str, Any], ShownAs(Turn)]], Field(max_length=50), Plain] | None = Field(
        None, description="'dialogue' of the answer before, to go on in a conversation; [] begins one."
    )
    shown: Annotated[list[Id], Field(max_length=1000)] = Field(
        default_factory=list, description="The list before, best first, at which words like 'the second one' point."
    )
    n: Annotated[int, Field(ge=1, le=500), Whole] = Field(10, description="How many items.")
    hide_seen: bool = Field(True, description="Leave out what the person has met.")
    candidates: Annotated[list[Id], Field(min_length=1, max_length=MOST_CANDIDATES)] | None = Field(
        None, description="The only items that may be shown, to be ranked."
    )
    exclude: Annotated[list[Id], Field(max_length=MOST_CANDIDATES)] = Field(
        default_factory=list, description="Items that may not be shown."
    )
    strength: float = Field(1.0, ge=0, le=1, description="How much words order the list, against the person's taste.")
    diversity: float = Field(0.0, ge=0, le=1, description="How much items give way that resemble others of the list.")
    profile: Words = Field("", description="What the person says of their taste; in place of what is stored.")
    explain: Literal["none", "reasons"] = Field("none", description="Whether every item says why it is there.")
    language: Language | None = Field(None, description="Language of notes and reasons.")
    deadline_ms: Annotated[int, Field(ge=20, le=60_000), Whole] | None = Field(None, description="When the answer must be there.")


def read_ask(values: Mapping[str, Any], *, advice: str) -> Ask:
    """A request from values that no route has checked. Raises QueryError that says what is wrong with which, and the advice."""
    try:
        return Ask.model_validate(values)
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise QueryError(f"{where}: {first['msg']}. {advice}") from None


class Events(Strict):
    """Events, each judged by itself."""

    events: Annotated[list[Event], Field(min_length=1, max_length=MOST_EVENTS)] = Field(
        description="Each is judged by itself: a row without this shape is rejected, and the others are taken."
    )


class EventVerdict(Strict):
    """What became of one event."""

    index: int
    event_id: str | None
    verdict: Literal["stored", "duplicate", "conflict", "erased", "rejected"]
    code: str = ""
    message: str = ""


class EventVerdicts(Strict):
    """What became of all of them; what is counted as accepted is on disk."""

    accepted: int = Field(description="stored or known already")
    rejected: int
    verdicts: list[EventVerdict]


class Items(Strict):
    """Items to add or to change, each judged by itself."""

    items: Annotated[list[Item], Field(min_length=1, max_length=MOST_ITEMS)] = Field(
        description="Each is judged by itself: a row without this shape is rejected, and the others are taken."
    )


class User(Strict):
    """A user to add or to change."""

    user_id: Id
    text: KeptWords = Field("", description="What the person says of their taste.")
    attributes: dict[str, Any] = Field(default_factory=dict)


class Users(Strict):
    """Users to add or to change."""

    users: Annotated[list[User], Field(min_length=1, max_length=MOST_ITEMS)]


class RowVerdict(Strict):
    """What became of one item or user."""

    index: int
    id: str | None
    verdict: Literal["stored", "rejected"]
    message: str = ""


class RowVerdicts(Strict):
    """What became of all of them."""

    accepted: int
    rejected: int
    verdicts: list[RowVerdict]


class Text(Strict):
    """Words to be understood."""

    text: Words
    language: Language | None = None


class Profile(Strict):
    """What a person says of their taste."""

    text: KeptWords


class Arm(Strict):
    """One version that is compared."""

    name: Id
    weight: float = Field(1.0, ge=1e-6, le=1e6, description="Its part of the people, relative to the weights of the others.")
    settings: dict[str, Any] = Field(
        default_factory=dict,
        description="What is served differently: 'model', a model of the run (none: the one that serves anyway), and "
        "'exploration', the chance with which a slot of a list is drawn evenly.",
    )


class Guardrail(Strict):
    """A metric that no arm may make worse."""

    metric: Metric
    better: Literal["higher", "lower"] = "higher"
    tolerance: float = Field(0.0, ge=0, lt=1, description="The relative change for the worse that is still accepted.")


class Design(Strict):
    """An experiment: arms (the first is the control), how people are split over them, and what is measured."""

    arms: Annotated[list[Arm], Field(min_length=2, max_length=20)]
    kind: Literal["split", "interleaving"] = Field(
        "split", description="Each person gets one arm, or everybody gets lists that two arms make in turn."
    )
    seed: Annotated[KeptWords, Field(max_length=100)] = ""
    coverage: float = Field(1.0, ge=0, le=1)
    metrics: Annotated[list[Metric], Field(min_length=1, max_length=10)] = Field(default_factory=lambda: ["ctr"])
    guardrails: Annotated[list[Guardrail], Field(max_length=10)] = Field(default_factory=list)


class Folder(Strict):
    """A run folder to serve."""

    path: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        description="Name or path of a run folder beside the one that serves."
    )


class Problem(Strict):
    """Why a request was not answered: what came, what was wanted, what to do."""

    error: str
    message: str


class Evidence(BaseModel):
    """One fact behind an item; what does not apply to its kind is not there."""

    kind: str
    weight: float = Field(description="How much of the score it carries, in the model's own units.")
    item_id: str | None = None
    attribute: str | None = None
    value: str | None = None


class ListedItem(BaseModel):
    """One item of a list, with why it is there where that was asked."""

    item_id: str
    title: str
    rank: int
    score: float
    source: str
    explanation: str
    explanation_status: str
    explanation_written_by: str
    evidence: list[Evidence]
    caveat: str
    against: list[Evidence]
    counterfactual: list[str] = Field(description="Items of the history without which it would not be in the list.")
    counterfactual_text: str


class Understood(Conditions):
    """What was asked in words, and what was understood."""

    model_config = ConfigDict(extra="ignore")

    text: str
    understood: list[str] = Field(description="What must hold, a clause each.")
    not_understood: list[str]
    notes: list[str]


class Answer(BaseModel):
    """A list."""

    recommendation_id: str
    user_id: str | None
    model: str
    model_version: str
    served_by: str
    degraded: bool
    instruction: Understood
    items: list[ListedItem]
    notes: list[str]
    dialogue: list[Turn] | None = Field(None, description="The conversation, where one was begun; not there otherwise.")
