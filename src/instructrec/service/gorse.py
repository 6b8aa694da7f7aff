"""The routes of Gorse that its clients call, so that an application which speaks to Gorse can speak to this service.

Shapes are those of Gorse's REST interface (github.com/gorse-io/gorse): names in PascalCase, bare ids unless the header
`X-API-Version: 2` asks for scores. What Gorse calls feedback are events here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query

from instructrec.data.items import LONGEST_ID, Item
from instructrec.errors import NotFoundError, QueryError
from instructrec.journal import Rejected, user_key
from instructrec.service.contract import PROBLEMS, KeyFirst
from instructrec.service.gorse_shapes import (
    AllFeedback,
    AllItems,
    AllSeen,
    AllUsers,
    Feedback,
    GorseItem,
    GorseItemChange,
    GorseUser,
    ItemPage,
    KnownItem,
    KnownUser,
    RowAffected,
    Score,
)
from instructrec.service.live import Live
from instructrec.service.routes import Key, Owner, Reader, Service, Writer
from instructrec.service.shapes import Ask
from instructrec.tables import Catalog

KINDS: Mapping[str, str] = {
    "like": "like", "star": "like", "favorite": "like", "dislike": "dislike", "click": "click", "purchase": "purchase",
    "buy": "purchase", "read": "view", "view": "view",
}  # fmt: skip
"""Types of feedback by what they mean here; any other one is a view, and keeps its name as a property."""
Number = Annotated[int, Query(ge=1, le=500)]
Offset = Annotated[int, Query(ge=0, le=400)]
ItemKey = Annotated[Key, Path(max_length=LONGEST_ID)]
Cursor = Annotated[str, Query(max_length=15, pattern="^[0-9]*$")]
Affected = dict[str, int]


def gorse() -> APIRouter:
    """The routes under /api."""
    router = APIRouter(prefix="/api", tags=["gorse"], responses=PROBLEMS, route_class=KeyFirst)

    @router.post("/feedback", response_model=RowAffected)
    @router.put("/feedback", response_model=RowAffected)
    async def feedback(rows: AllFeedback, who: Writer, live: Service) -> Affected:
        """Take in feedback; the same type, user, item and time again changes nothing."""
        found = await live.record(who.tenant, [_event(row) for row in rows])
        wrong = next((one for one in found if isinstance(one, Rejected)), None)
        if wrong is not None:
            raise QueryError(f"Row {wrong.index}: {wrong.message}")
        return {"RowAffected": len(rows)}

    _add_lists(router)
    _add_items(router)
    _add_users(router)
    return router


def _add_lists(router: APIRouter) -> None:
    @router.get("/recommend/{user_id}", response_model=list[str] | list[Score])
    @router.get("/recommend/{user_id}/{category:path}", response_model=list[str] | list[Score])
    async def recommend(
        user_id: Key, who: Reader, live: Service, category: str = "", n: Number = 10, offset: Offset = 0,
        x_api_version: Annotated[str, Header()] = "1",
    ) -> list[Any]:  # fmt: skip
        """A list for a user, of a category if one is named."""
        ask = {"user_id": user_id, "n": min(n + offset, 500), "parameters": _only(category, live.snapshot.catalog)}
        answer = json.loads(await live.recommend(who.tenant, Ask.model_validate(ask)))
        found = _scores(answer["items"][offset:])
        return found if x_api_version == "2" else [one["Id"] for one in found]

    @router.post("/session/recommend", response_model=list[Score])
    async def session(rows: AllSeen, who: Reader, live: Service, n: Number = 10) -> list[dict[str, Any]]:
        """A list for somebody of whom only this feedback is known."""
        known = live.snapshot.catalog.index
        history = [row.ItemId for row in rows if row.ItemId in known]
        answer = json.loads(await live.recommend(who.tenant, Ask.model_validate({"history": history, "n": n})))
        return _scores(answer["items"])

    @router.get("/item/{item_id}/neighbors", response_model=list[Score])
    async def neighbors(item_id: Key, who: Reader, live: Service, n: Number = 10) -> list[dict[str, Any]]:
        """What resembles an item."""
        return _scores((await live.similar(item_id, n))["items"])


def _add_items(router: APIRouter) -> None:
    @router.post("/item", response_model=RowAffected)
    async def item(row: GorseItem, who: Owner, live: Service) -> Affected:
        """Add an item, or change it."""
        return await _put_items(live, [_row(row.ItemId, row, live)])

    @router.post("/items", response_model=RowAffected)
    async def items(rows: AllItems, who: Owner, live: Service) -> Affected:
        """Add items, or change them."""
        return await _put_items(live, [_row(row.ItemId, row, live) for row in rows])

    @router.patch("/item/{item_id}", response_model=RowAffected)
    async def change(item_id: ItemKey, row: GorseItemChange, who: Owner, live: Service) -> Affected:
        """Change what is named of an item."""
        return await _put_items(live, [_row(item_id, row, live)])

    @router.delete("/item/{item_id}", response_model=RowAffected)
    async def delete(item_id: ItemKey, who: Owner, live: Service) -> Affected:
        """Withdraw an item."""
        return await _put_items(live, [_row(item_id, GorseItemChange(IsHidden=True), live)])

    @router.get("/item/{item_id}", response_model=KnownItem)
    async def one(item_id: Key, who: Reader, live: Service) -> dict[str, Any]:
        """An item."""
        catalog = live.snapshot.catalog
        if item_id not in catalog.index:
            raise NotFoundError(f"There is no item '{item_id}' in the catalog. Item ids come from the items table.")
        return _item(live, catalog.index[item_id])

    @router.get("/items", response_model=ItemPage)
    async def many(who: Reader, live: Service, n: Number = 10, cursor: Cursor = "") -> dict[str, Any]:
        """Items in the order of the catalog; `Cursor` is where the next ones begin, empty behind the last."""
        start, size = int(cursor or 0), len(live.snapshot.catalog)
        found = [_item(live, code) for code in range(min(start, size), min(start + n, size))]
        return {"Cursor": str(start + n) if start + n < size else "", "Items": found}


def _add_users(router: APIRouter) -> None:
    @router.post("/user", response_model=RowAffected)
    async def user(row: GorseUser, who: Writer, live: Service) -> Affected:
        """Add a user, or change them."""
        return await _put_users(live, who.tenant, [row])

    @router.post("/users", response_model=RowAffected)
    async def users(rows: AllUsers, who: Writer, live: Service) -> Affected:
        """Add users, or change them."""
        return await _put_users(live, who.tenant, rows)

    @router.get("/user/{user_id}", response_model=KnownUser)
    async def one(user_id: Key, who: Reader, live: Service) -> dict[str, Any]:
        """A user: what they say of themselves."""
        found = live.store.user(who.tenant, user_id)
        labels, comment = (dict(found.attributes), found.text) if found else ({}, "")
        return {"UserId": user_id, "Labels": labels, "Comment": comment}

    @router.delete("/user/{user_id}", response_model=RowAffected)
    async def delete(user_id: Key, who: Writer, live: Service) -> Affected:
        """Forget a user, with all feedback."""
        return {"RowAffected": sum((await live.erase(who.tenant, user_key(user_id))).values())}


def _event(row: Feedback) -> dict[str, Any]:
    """Feedback as an event; its id says what it is, so that it counts once."""
    kind, user, item, told = row.FeedbackType, row.UserId, row.ItemId, row.Timestamp or ""
    name = hashlib.sha256(json.dumps([kind, user, item, told]).encode()).hexdigest()[:32]
    event: dict[str, Any] = {"event_id": f"gorse-{name}", "type": KINDS.get(kind, "view"), "user_id": user, "item_id": item}
    if kind not in KINDS:
        event["properties"] = {"feedback_type": kind}
    return event | ({"time": _seconds(told)} if told else {})


def _seconds(text: str) -> float:
    """Seconds since 1970 of a date, with or without time and zone (none: UTC)."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise QueryError(f"'Timestamp' is '{text:.40}', but must be a date such as 2026-01-31 or 2026-01-31T12:00:00Z.") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _only(category: str, catalog: Catalog) -> dict[str, Any] | None:
    """A limit to a category: a value of the first label attribute that has it."""
    if not category:
        return None
    for name, labels in catalog.labels.items():
        if category in labels.index:
            return {"limits": [{"attribute": name, "operator": "include", "values": [category]}]}
    known = ", ".join(catalog.labels) or "no attribute"
    raise NotFoundError(f"No item has the category '{category}'. Categories are values of {known}.")


def _scores(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"Id": entry["item_id"], "Score": entry["score"]} for entry in items]


def _item(live: Live, code: int) -> dict[str, Any]:
    """An item of the catalog in Gorse's shape: the values of its first label attribute are its categories."""
    catalog = live.snapshot.catalog
    values = {name: list(labels.of(code)) for name, labels in catalog.labels.items()}
    name = catalog.item_ids[code]
    return {
        "ItemId": name,
        "IsHidden": name in live.snapshot.withdrawn,
        "Categories": next(iter(values.values()), []),
        "Labels": values,
        "Comment": catalog.titles[code],
    }


async def _put_items(live: Live, rows: Sequence[Mapping[str, Any]]) -> Affected:
    found = await live.put_items(rows)
    wrong = next((one for one in found if not isinstance(one, Item)), None)
    if wrong is not None:
        raise QueryError(str(wrong))
    return {"RowAffected": len(found)}


def _row(name: str, row: GorseItemChange, live: Live) -> dict[str, Any]:
    """An item as the service takes it: labels that the catalog has, and categories as values of its first label attribute."""
    catalog, labels = live.snapshot.catalog, row.Labels if isinstance(row.Labels, dict) else {}
    attributes = {key: value for key, value in labels.items() if key in catalog.labels or key in catalog.numbers}
    if row.Categories and catalog.labels:
        attributes.setdefault(next(iter(catalog.labels)), row.Categories)
    title = {"title": row.Comment} if row.Comment else {}
    shown = {} if row.IsHidden is None else {"available": not row.IsHidden}
    return {"item_id": name, "attributes": attributes, **title, **shown}


async def _put_users(live: Live, tenant: str, rows: Sequence[GorseUser]) -> Affected:
    found: list[dict[str, Any]] = [
        {
            "user_id": row.UserId,
            "text": (row.Comment or "")[:2000],
            "attributes": row.Labels if isinstance(row.Labels, dict) else {},
        }
        for row in rows
    ]
    await live.put_users(tenant, found)
    return {"RowAffected": len(found)}
