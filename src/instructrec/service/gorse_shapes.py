"""Bodies and answers of the routes of Gorse, in its names; what it has beside these is let through and not read."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from instructrec.data.items import LONGEST_ID
from instructrec.service.rows import Title, Values
from instructrec.service.shapes import MOST_CANDIDATES, MOST_EVENTS, MOST_ITEMS
from instructrec.service.values import Id, Kept


class _Gorse(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class Seen(_Gorse):
    """An item that somebody met."""

    ItemId: Id


class Feedback(Seen):
    """What a user did with an item, and when (a date, with or without time and zone)."""

    FeedbackType: Id
    UserId: Id
    Timestamp: Annotated[str, Field(max_length=40, pattern="^([0-9]{4}-[0-9]{2}-[0-9]{2}.*)?$")] | None = None


class GorseItemChange(_Gorse):
    """What is said of an item; null says nothing."""

    IsHidden: bool | None = None
    Categories: Values | None = None
    Labels: Any = None
    Comment: Title | None = None


class GorseItem(GorseItemChange):
    """An item."""

    ItemId: Annotated[Id, Field(max_length=LONGEST_ID)]


class GorseUser(_Gorse):
    """A user."""

    UserId: Id
    Labels: Any = None
    Comment: Annotated[str, Kept] | None = None


class RowAffected(BaseModel):
    """How many rows were changed."""

    RowAffected: int


class Score(BaseModel):
    """An item and its score."""

    Id: str
    Score: float


class KnownItem(BaseModel):
    """An item as it is kept."""

    ItemId: str
    IsHidden: bool
    Categories: list[str]
    Labels: dict[str, list[str]]
    Comment: str


class ItemPage(BaseModel):
    """Items, and where the next ones begin."""

    Cursor: str
    Items: list[KnownItem]


class KnownUser(BaseModel):
    """A user as they are kept."""

    UserId: str
    Labels: dict[str, Any]
    Comment: str


AllFeedback = Annotated[list[Feedback], Field(max_length=MOST_EVENTS)]
AllSeen = Annotated[list[Seen], Field(max_length=MOST_CANDIDATES)]
AllItems = Annotated[list[GorseItem], Field(max_length=MOST_ITEMS)]
AllUsers = Annotated[list[GorseUser], Field(max_length=MOST_ITEMS)]
