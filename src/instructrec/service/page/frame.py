"""Templates, words, files and headers of every page."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from functools import cache, partial
from importlib import resources
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

LANGUAGES: Final = {"en": "English", "zh": "中文"}
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""No script but ours, nothing from elsewhere, nobody frames the page."""
FILES: Final = {
    "page.css": "text/css", "page.js": "text/javascript", "icons.svg": "image/svg+xml", "logo.svg": "image/svg+xml",
}  # fmt: skip

_PLACE = re.compile(r"\{(\w+)\}")


@cache
def words(language: str) -> Mapping[str, Any]:
    """The words of the page in one language."""
    return tomllib.loads((_folder() / "wording" / f"{language}.toml").read_text(encoding="utf-8"))


def language_of(request: Request, wanted: str | None) -> str:
    """The language that was chosen, else the first of the browser's that there is."""
    if wanted in LANGUAGES:
        return str(wanted)
    told = request.headers.get("accept-language", "").lower().split(",")
    return next((name for part in told for name in LANGUAGES if part.strip().startswith(name)), "en")


def html(template: str, *, language: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A template with its values, every one escaped."""
    text = _environment().get_template(template).render(t=words(language), language=language, languages=LANGUAGES, **values)
    return HTMLResponse(text, status_code=status, headers=HEADERS)


@cache
def _environment() -> Environment:
    loader = PackageLoader("instructrec.service.page", "templates")
    found = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=loader)
    found.filters |= {"fill": fill, "segment": partial(quote, safe="")}
    return found


def fill(form: str, **values: object) -> str:
    """A form of the wording with its places filled; braces inside of the values are left alone."""
    return _PLACE.sub(lambda found: str(values.get(found[1], found[0])), form)


def files() -> APIRouter:
    """The style sheet, the script and the icons: open, since they hold nothing of anybody."""
    router = APIRouter(include_in_schema=False)

    @router.get("/page/{name}")
    async def file(name: str, request: Request) -> Response:
        if name not in FILES:
            return Response(status_code=404)
        body, tag = _file(name)
        headers = {"ETag": tag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=FILES[name], headers=headers)

    return router


@cache
def _file(name: str) -> tuple[bytes, str]:
    body = (_folder() / "static" / name).read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:16]}"'


def _folder() -> Any:
    return resources.files("instructrec.service.page")
