"""Requests of the right shape, made from the OpenAPI and from the forms of the page, with something hostile in most of them."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from benchmarks.watched import Watched

DEEP = "@deep@"
HOSTILE: Sequence[Any] = (
    "", " ", "\x00", "\ud800", "\ufffe", "²", "٣", "a" * 257, "word " * 600, "\u202e\u2066", "👩‍👩‍👧‍👦", "电影", "ſ", "\r\nX-A: b",
    "%00", "../../etc", "<script>alert(1)</script>", "'; DROP TABLE events; --", "{{7*7}}", "${x}", "\\", '"', "NaN", "null",
    "1e999", "9" * 5000, "m1", "m2", "u1", "genres", "Comedy", "no horror", "undo", "start over",
    "at least 3 comedies, nothing before 1990",
    None, True, False, 0, -1, 1, 2**63, 10**400, -(10**400), 1e308, 5e-324, -0.0, 0.5, math.nan, math.inf, [], {}, [None], [[]],
    {"": None}, ["m1"] * 1001, {"a": {"b": {"c": []}}}, DEEP,
)  # fmt: skip
KNOWN: Mapping[str, Sequence[Any]] = {
    "item_id": ("m1", "m2", "m3", "m4", "n1", "n2"), "ItemId": ("m1", "m2", "n3"), "user_id": ("u1", "u2", "guest"),
    "UserId": ("u1", "guest"), "session_id": ("s1", "s2"), "attribute": ("genres", "year"), "experiment_id": ("e1", "e2"),
    "values": ("Comedy", "Horror", "Drama"), "path": ("run",), "event_id": ("e1", "e2", "e3"), "undoes": ("e1", "e2", "e3"),
    "like": ("m1", "m2"), "unlike": ("m3",), "history": ("m1", "m2", "m3"), "shown": ("m4", "m5"), "candidates": ("m1", "m2", "m6"),
    "exclude": ("m1",), "category": ("Comedy",), "text": ("comedy", "no horror, after 1990", ""), "name": ("a", "b", "c"),
    "metrics": ("ctr",), "instruction": ("comedy", "the second one but newer", "at least 2 dramas", "不要恐怖片"),
    "Timestamp": ("2026-01-31",),
}  # fmt: skip
ACTS = (
    "say", "like 0", "dislike 1", "similar 2", "ban 3", "because seen", "undo", "drop 0", "reset", "lang zh", "profile", "erase",
    "lift e1", "unsay", "again", "like ²", "like 99999", "explode", "",
)  # fmt: skip
SELDOM = ("/v1/items/refresh", "/v1/run", "/v1/backup", "/health/live", "/health/ready", "/metrics")
"""Read a whole run or journal, or have nothing that could be hostile."""
OFTEN = ("/v1/recommend", "/v1/events", "/v1/parse", "/v1/items")


def send(service: Watched, dice: random.Random, contract: Mapping[str, Any]) -> str:
    """Send one request; what its answer breaks of the contract, or nothing."""
    if dice.random() < 0.25:
        _page(service, dice)
        return ""
    routes = [(path, verb) for path, verbs in contract["paths"].items() for verb in verbs]
    path, verb = dice.choices(routes, [0.1 if path in SELDOM else 5 if path in OFTEN else 1 for path, _ in routes])[0]
    operation = contract["paths"][path][verb]
    query = [(one["name"], one) for one in operation.get("parameters", ()) if one["in"] == "query" and dice.random() < 0.5]
    asked = urlencode({name: _word(_value(one["schema"], name, dice, contract), dice) for name, one in query})
    filled = path
    for one in (one for one in operation.get("parameters", ()) if one["in"] == "path"):
        # A slash would make another address of it.
        word = _word(_value(one["schema"], one["name"], dice, contract), dice).replace("/", "|")
        filled = filled.replace("{" + one["name"] + "}", quote(word, safe="") or "x")
    headers, body = {}, None
    if "requestBody" in operation:
        shape = operation["requestBody"]["content"]["application/json"]["schema"]
        body = _written(_spoiled(_value(shape, "", dice, contract), dice), dice)
        headers = {"Content-Type": "application/json" if dice.random() < 0.97 else "text/plain"}
    answer = service.ask(verb.upper(), f"{filled}?{asked}", content=body, headers=headers)
    return _broken(answer, operation, f"{verb.upper()} {path}")


def _broken(answer: Any, operation: Mapping[str, Any], route: str) -> str:
    """What an answer breaks of the contract: its status is in it, and a refusal has the one shape of all refusals."""
    if str(answer.status_code) not in operation["responses"]:
        return f"{route}: the status {answer.status_code} is not in the contract"
    if answer.status_code >= 400 and "/health/" not in route:
        try:
            told = set(answer.json())
        except ValueError:
            told = set()
        if told != {"error", "message"}:
            return f"{route}: {answer.status_code} with {answer.content[:100]!r}"
    return ""


def _value(shape: Mapping[str, Any], name: str, dice: random.Random, contract: Mapping[str, Any]) -> Any:
    """A value of a shape: known names where one has them, so that most of it means something."""
    if "$ref" in shape:
        shape = contract["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
    for key in ("anyOf", "oneOf"):
        if key in shape:
            return _value(dice.choice(shape[key]), name, dice, contract)
    if "const" in shape or "enum" in shape:
        return dice.choice(shape.get("enum") or [shape["const"]])
    kind = shape.get("type")
    if kind == "object":
        wanted = set(shape.get("required", ()))
        fields = {key: one for key, one in shape.get("properties", {}).items() if key in wanted or dice.random() < 0.3}
        return {key: _value(one, key, dice, contract) for key, one in fields.items()}
    if kind == "array":
        count = dice.randint(min(shape.get("minItems", 0), 3), 3)
        return [_value(shape["items"], name, dice, contract) for _ in range(count)]
    if kind == "string":
        return dice.choice(KNOWN.get(name, ("x", "m1", "u1")))
    if kind in ("integer", "number"):
        low, high = shape.get("minimum", 0), shape.get("maximum", 10)
        return dice.randint(int(low), int(min(high, low + 20))) if kind == "integer" else dice.choice((low, high, 0.5))
    return {"boolean": dice.random() < 0.5, "null": None}.get(str(kind), "x")


def _spoiled(value: Any, dice: random.Random) -> Any:
    """The value with up to two of its parts replaced by hostile ones, taken away, or joined by others."""
    for _ in range(dice.choice((0, 1, 1, 2))):
        value = _once(value, dice)
    return value


def _once(value: Any, dice: random.Random) -> Any:
    if isinstance(value, dict) and value and dice.random() < 0.85:
        key, act = dice.choice(list(value)), dice.random()
        if act < 0.1:
            return {name: one for name, one in value.items() if name != key}
        if act < 0.2:
            return {**value, str(dice.choice(HOSTILE))[:300]: dice.choice(HOSTILE)}
        return {**value, key: _once(value[key], dice)}
    if isinstance(value, list) and value and dice.random() < 0.85:
        place = dice.randrange(len(value))
        return [*value[:place], _once(value[place], dice), *value[place + 1 :]] if dice.random() < 0.9 else value * 2
    return dice.choice(HOSTILE)


def _written(value: Any, dice: random.Random) -> bytes:
    text = json.dumps(value).replace(f'"{DEEP}"', "[" * 3000 + "]" * 3000)
    act = dice.random()
    if act < 0.02:
        return text.encode()[: dice.randrange(len(text) + 1)]
    return bytes(dice.randrange(256) for _ in range(20)) if act < 0.03 else text.encode()


def _word(value: Any, dice: random.Random) -> str:
    """A part of an address."""
    hostile = dice.choice(HOSTILE) if dice.random() < 0.3 else value
    return str(hostile)[:600].encode(errors="replace").decode()


def _page(service: Watched, dice: random.Random) -> None:
    """A page, or one of its forms."""
    user = _word(dice.choice(("u1", "u2", "guest")), dice)
    if dice.random() < 0.4:
        path = dice.choice(("/", "/why", "/owner"))
        asked = {"user": user, "find": "u", "lang": dice.choice(("en", "zh", "xx")), "list": "x", "item": "m1", "minutes": "15"}
        service.ask("GET", f"{path}?{urlencode({name: _word(value, dice) for name, value in asked.items()})}")
        return
    fields = {
        "user": user, "lang": "en", "dialogue": _json([{"text": "comedy", "wish": "comedy"}], dice),
        "done": _json(["words", "e1"], dice), "shown": _json(["m1", "m2", "m3"], dice), "list_id": "x",
        "token": f"t{dice.randrange(10**6)}", "asks_why": "e1",
        "act": dice.choice(ACTS), "say": "no horror", "profile": "I like comedies.",
    }  # fmt: skip
    if dice.random() < 0.1:
        fields = {"act": dice.choice(("swap", "withdraw", "restore", "x")), "item": "m1", "folder": "other"}
    spoiled = dice.choice(list(fields))
    if dice.random() < 0.5:
        fields[spoiled] = _word("", dice)
    service.ask("POST", "/owner" if "folder" in fields else "/", data=fields)


def _json(value: Any, dice: random.Random) -> str:
    return _written(_spoiled(value, dice) if dice.random() < 0.3 else value, dice).decode(errors="replace")
