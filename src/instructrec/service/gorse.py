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

from fastapi import APIRouter, Header, Query

from instructrec.data.items import Item
from instructrec.errors import QueryError
from instructrec.journal import Rejected, user_key
from instructrec.service.live import Live
from instructrec.service.routes import PROBLEMS, Key, Owner, Reader, Service, Writer
from instructrec.service.shapes import MOST_EVENTS, MOST_ITEMS, Ask
from instructrec.tables import Catalog

KINDS: Mapping[str, str] = {
    "like": "like", "star": "like", "favorite": "like", "dislike": "dislike", "click": "click", "purchase": "purchase",
    "buy": "purchase", "read": "view", "view": "view",
}  # fmt: skip
"""Types of feedback by what they mean here; any other one is a view, and keeps its name as a property."""
Number = Annotated[int, Query(ge=1, le=500)]
Offset = Annotated[int, Query(ge=0, le=400)]
Rows = list[dict[str, Any]]


def gorse() -> APIRouter:
    """The routes under /api."""
    router = APIRouter(prefix="/api", tags=["gorse"], responses=PROBLEMS)

    @router.post("/feedback")
    @router.put("/feedback")
    async def feedback(rows: Rows, who: Writer, live: Service) -> dict[str, int]:
        """Take in feedback; the same type, user, item and time again changes nothing."""
        if len(rows) > MOST_EVENTS:
            raise QueryError(f"{len(rows)} rows came, but at most {MOST_EVENTS} are taken at once. Send them in several parts.")
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
    @router.get("/recommend/{user_id}", response_model=None)
    @router.get("/recommend/{user_id}/{category:path}", response_model=None)
    async def recommend(
        user_id: Key, who: Reader, live: Service, category: str = "", n: Number = 10, offset: Offset = 0,
        x_api_version: Annotated[str, Header()] = "1",
    ) -> list[Any]:  # fmt: skip
        """A list for a user, of a category if one is named."""
        ask = {"user_id": user_id, "n": min(n + offset, 500), "parameters": _only(category, live.snapshot.catalog)}
        answer = json.loads(await live.recommend(who.tenant, Ask.model_validate(ask)))
        found = _scores(answer["items"][offset:])
        return found if x_api_version == "2" else [one["Id"] for one in found]

    @router.post("/session/recommend")
    async def session(rows: Rows, who: Reader, live: Service, n: Number = 10) -> list[dict[str, Any]]:
        """A list for somebody of whom only this feedback is known."""
        known = live.snapshot.catalog.index
        history = [str(row["ItemId"]) for row in rows if str(row.get("ItemId")) in known]
        answer = json.loads(await live.recommend(who.tenant, Ask.model_validate({"history": history, "n": n})))
        return _scores(answer["items"])

    @router.get("/item/{item_id}/neighbors")
    async def neighbors(item_id: Key, who: Reader, live: Service, n: Number = 10) -> list[dict[str, Any]]:
        """What resembles an item."""
        return _scores((await live.similar(item_id, n))["items"])


def _add_items(router: APIRouter) -> None:
    @router.post("/item")
    async def item(row: dict[str, Any], who: Owner, live: Service) -> dict[str, int]:
        """Add an item, or change it."""
        return await _put_items(live, [row])

    @router.post("/items")
    async def items(rows: Rows, who: Owner, live: Service) -> dict[str, int]:
        """Add items, or change them."""
        return await _put_items(live, rows)

    @router.patch("/item/{item_id}")
    async def change(item_id: Key, row: dict[str, Any], who: Owner, live: Service) -> dict[str, int]:
        """Change what is named of an item."""
        return await _put_items(live, [{**row, "ItemId": item_id}])

    @router.delete("/item/{item_id}")
    async def delete(item_id: Key, who: Owner, live: Service) -> dict[str, int]:
        """Withdraw an item."""
        return await _put_items(live, [{"ItemId": item_id, "IsHidden": True}])

    @router.get("/item/{item_id}")
    async def one(item_id: Key, who: Reader, live: Service) -> dict[str, Any]:
        """An item."""
        catalog = live.snapshot.catalog
        if item_id not in catalog.index:
            raise QueryError(f"There is no item '{item_id}' in the catalog. Item ids come from the items table.")
        return _item(live, catalog.index[item_id])

    @router.get("/items")
    async def many(who: Reader, live: Service, n: Number = 10, cursor: str = "") -> dict[str, Any]:
        """Items in the order of the catalog; `Cursor` is where the next ones begin, empty behind the last."""
        start, size = int(cursor) if cursor.isascii() and cursor.isdecimal() else 0, len(live.snapshot.catalog)
        found = [_item(live, code) for code in range(min(start, size), min(start + n, size))]
        return {"Cursor": str(start + n) if start + n < size else "", "Items": found}


def _add_users(router: APIRouter) -> None:
    @router.post("/user")
    async def user(row: dict[str, Any], who: Writer, live: Service) -> dict[str, int]:
        """Add a user, or change them."""
        return await _put_users(live, who.tenant, [row])

    @router.post("/users")
    async def users(rows: Rows, who: Writer, live: Service) -> dict[str, int]:
        """Add users, or change them."""
        return await _put_users(live, who.tenant, rows)

    @router.get("/user/{user_id}")
    async def one(user_id: Key, who: Reader, live: Service) -> dict[str, Any]:
        """A user: what they say of themselves."""
        found = live.store.user(who.tenant, user_id)
        labels, comment = (dict(found.attributes), found.text) if found else ({}, "")
        return {"UserId": user_id, "Labels": labels, "Comment": comment}

    @router.delete("/user/{user_id}")
    async def delete(user_id: Key, who: Writer, live: Service) -> dict[str, int]:
        """Forget a user, with all feedback."""
        return {"RowAffected": sum((await live.erase(who.tenant, user_key(user_id))).values())}


def _event(row: Mapping[str, Any]) -> dict[str, Any]:
    """Feedback as an event; its id says what it is, so that it counts once."""
    kind, user, item, told = (str(row.get(name) or "") for name in ("FeedbackType", "UserId", "ItemId", "Timestamp"))
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
    raise QueryError(f"No item has the category '{category}'. Categories are values of {known}.")


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


async def _put_items(live: Live, rows: Rows) -> dict[str, int]:
    if len(rows) > MOST_ITEMS:
        raise QueryError(f"{len(rows)} items came, but at most {MOST_ITEMS} are taken at once. Send them in several parts.")
    found = await live.put_items([_row(row, live) for row in rows])
    wrong = next((one for one in found if not isinstance(one, Item)), None)
    if wrong is not None:
        raise QueryError(str(wrong))
    return {"RowAffected": len(found)}


def _row(row: Mapping[str, Any], live: Live) -> dict[str, Any]:
    """An item as the service takes it: labels that the catalog has, and categories as values of its first label attribute."""
    catalog, name = live.snapshot.catalog, str(row.get("ItemId") or "")
    labels = row.get("Labels") if isinstance(row.get("Labels"), dict) else {}
    attributes = {key: value for key, value in (labels or {}).items() if key in catalog.labels or key in catalog.numbers}
    if row.get("Categories") and catalog.labels:
        attributes.setdefault(next(iter(catalog.labels)), row["Categories"])
    title = {"title": row["Comment"]} if row.get("Comment") else {}
    shown = {} if row.get("IsHidden") is None else {"available": not row["IsHidden"]}
    return {"item_id": name, "attributes": attributes, **title, **shown}


async def _put_users(live: Live, tenant: str, rows: Rows) -> dict[str, int]:
    found: list[dict[str, Any]] = [
        {
            "user_id": str(row.get("UserId") or ""),
            "text": str(row.get("Comment") or "")[:2000],
            "attributes": row.get("Labels") if isinstance(row.get("Labels"), dict) else {},
        }
        for row in rows[:MOST_ITEMS]
    ]
    if any(not row["user_id"] for row in found):
        raise QueryError("A user needs a 'UserId'. Send {'UserId': ...} for each.")
    await live.put_users(tenant, found)
    return {"RowAffected": len(found)}
