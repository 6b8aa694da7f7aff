"""Rows of events and items, and conditions as JSON, as the OpenAPI shows them.

They are read by `journal.read_events`, `items.read_item` and `instructions.instruction_from_json`, which say what is wrong with one
and take the others. What depends on another field is said in words.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from instructrec.data import items
from instructrec.instructions.limits import MOST, MOST_ENTRIES, MOST_QUOTAS
from instructrec.journal import reading
from instructrec.service.values import Id, Kept, KeptWords, ShownAs, Strict, Whole

Amount = Annotated[float, Field(ge=-reading.LARGEST_VALUE, le=reading.LARGEST_VALUE)]
Scalar = Annotated[str, Field(max_length=reading.MOST_PROPERTY_CHARACTERS), Kept] | Amount | bool | None
Properties = Annotated[
    dict[Id, Scalar], Field(max_length=reading.MOST_PROPERTIES, json_schema_extra={"additionalProperties": False})
]
Seconds = Annotated[float, Field(ge=0, le=1e11)]
Date = Annotated[str, Field(max_length=40, json_schema_extra={"format": "date-time"})]
Moment = Seconds | Date


class _Happened(Strict):
    """What every event has. Exactly one of `user_id` and `session_id` is there, and at most one of `time` and `timestamp`."""

    event_id: Id | None = Field(None, description="One that was sent before is known already; without one each delivery counts.")
    user_id: Id | None = None
    session_id: Id | None = Field(None, description="An anonymous visitor, in place of a user.")
    time: Moment | None = Field(None, description="Seconds since 1970, or ISO 8601 with a zone; none: when it came.")
    timestamp: Moment | None = Field(None, description="Another name of `time`.")
    value: Amount | None = Field(None, description="Stars of a rating, price of a purchase, seconds of a view.")
    text: KeptWords | None = Field(None, description="The standing words of a text event, or a remark.")
    recommendation_id: Id | None = Field(None, description="The list in which it happened.")
    position: Annotated[int, Field(ge=0, le=reading.LARGEST_POSITION), Whole] | None = Field(
        None, description="0 is the first place."
    )
    experiment_ids: Annotated[list[Id], Field(max_length=reading.MOST_EXPERIMENTS)] | None = None
    properties: Properties | None = Field(None, description="A flat object of your own, kept and not read.")


class ItemEvent(_Happened):
    """Somebody did something with an item."""

    type: Literal["view", "click", "like", "similar", "purchase", "impression", "ban"]
    item_id: Id


class RatingEvent(_Happened):
    """Somebody gave stars."""

    type: Literal["rating"]
    item_id: Id
    value: Amount = Field(description="Stars.")


class SatisfactionEvent(_Happened):
    """Somebody said how well their lists fit: from 1, not at all, to 5, very well."""

    type: Literal["satisfaction"]
    value: Literal[1, 2, 3, 4, 5]


class DislikeEvent(_Happened):
    """Somebody wants less like this; or the item is known already, or not for now."""

    type: Literal["dislike"]
    item_id: Id
    reason: Annotated[str, Field(max_length=256, pattern=r"^(seen|not_now|attribute:[^\x00-\x1f\x7f]+)$")] | None = Field(
        None, description="`attribute:NAME`: it is that attribute's value that is disliked."
    )


class TextEvent(_Happened):
    """KeptWords that hold until others come; empty ones end them."""

    type: Literal["text"]
    text: KeptWords


class UndoEvent(_Happened):
    """Takes an event of the same person back."""

    type: Literal["undo"]
    undoes: Id = Field(description="The event_id of what is taken back.")


_Events = ItemEvent | RatingEvent | SatisfactionEvent | DislikeEvent | TextEvent | UndoEvent
EventRow = Annotated[_Events, Field(discriminator="type")]
Value = Annotated[str, Field(min_length=1, max_length=items.LONGEST_VALUE), Kept]
Values = Annotated[list[Value], Field(max_length=items.MOST_VALUES)]
Title = Annotated[str, Field(max_length=items.LONGEST_TITLE), Kept]


class ItemRow(Strict):
    """An item; what a row does not name stays as it was."""

    item_id: Annotated[Id, Field(max_length=items.LONGEST_ID)]
    title: Title = ""
    text: Annotated[str, Field(max_length=items.LONGEST_TEXT), Kept] = ""
    attributes: dict[str, Value | Values | float] = Field(
        default_factory=dict, description="Attributes of the catalog by name: labels, or a number."
    )
    available: bool = Field(True, description="Whether it may be shown.")


class LabelLimit(Strict):
    """Every shown item has at least one of the values, or none of them."""

    attribute: str
    operator: Literal["include", "exclude"]
    values: Annotated[list[str], Field(min_length=1)]


class RangeLimit(Strict):
    """low <= number <= high; null is open, and one of them is a number."""

    attribute: str
    operator: Literal["range"]
    low: float | None = None
    high: float | None = None


Limit = Annotated[LabelLimit | RangeLimit, Field(discriminator="operator")]
Limits = Annotated[list[Limit], Field(max_length=MOST_ENTRIES)]
Count = Annotated[int, Field(ge=0, le=MOST), Whole]
Items = Annotated[list[str], Field(max_length=MOST_ENTRIES)]


class Quota(Strict):
    """How many items of the list meet some limits; one of the numbers is there."""

    limits: Annotated[Limits, Field(min_length=1)]
    at_least: Count | None = None
    at_most: Count | None = None


class Conditions(Strict):
    """What is asked of a list, without words."""

    limits: Limits | None = Field(None, description="What must hold for every item.")
    quotas: Annotated[list[Quota], Field(max_length=MOST_QUOTAS)] | None = Field(None, description="What must hold for the list.")
    like: Items | None = Field(None, description="Items named as examples of what is wanted.")
    unlike: Items | None = Field(None, description="Items named as examples of what is not.")
    seen: Literal["", "new", "known"] | None = Field(None, description="Only items that are new to the person, or only known ones.")
    n: Annotated[int, Field(ge=1, le=MOST), Whole] | None = Field(None, description="How many items were asked for in words.")
    wish: str | None = Field(None, description="What orders the list and demands nothing.")


class Turn(Conditions):
    """What holds after a sentence of a conversation."""

    text: str = ""


Event = Annotated[Any, ShownAs(EventRow)]
Item = Annotated[Any, ShownAs(ItemRow)]
