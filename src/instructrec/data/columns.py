"""Which column means what: aliases, explicit mapping, and errors that name what was found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from instructrec.errors import ConfigError, DataError, nearest

INTERACTION_ALIASES: Mapping[str, tuple[str, ...]] = {
    "user": ("user", "user_id", "uid", "reviewer_id", "customer", "customer_id", "account_id", "visitor_id", "member_id", "u"),
    "item": (
        *("item", "item_id", "iid", "movie_id", "movie", "parent_asin", "asin", "product_id", "product", "book_id", "song_id"),
        *("track_id", "article_id", "article", "isbn", "business_id", "news_id", "game_id", "i"),
    ),
    "timestamp": ("timestamp", "time", "ts", "unix_review_time", "datetime", "date", "created_at", "event_time", "t"),
    "rating": ("rating", "score", "stars", "overall", "ratings", "r"),
    "kind": ("kind", "event", "event_type", "behavior", "behaviour", "action", "interaction_type"),
    "order": ("order", "pos", "position", "sequence"),
    "review": ("review", "review_text", "text", "comment", "review_body", "review_content"),
}
"""Names by which a column of interactions is known (compared without case and punctuation)."""

ITEM_ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", *INTERACTION_ALIASES["item"]),
    "title": ("title", "name", "movie_title", "item_name", "product_name", "item_title", "product_title", "book_title"),
    "text": ("text", "description", "summary", "plot", "overview", "abstract", "synopsis"),
    "image": ("image", "image_path", "image_file", "picture"),
}
"""Names by which a column of items is known."""

NO_HEADER = (
    "The first line looks like data: name the columns if the file has no header, such as "
    """--set 'data.options.header=["user", "item", "rating", "timestamp"]'."""
)
"""What to do where `looks_like_data`."""


def resolve(
    columns: Iterable[str],
    aliases: Mapping[str, tuple[str, ...]],
    *,
    chosen: Mapping[str, str],
    needed: tuple[str, ...],
    file: str,
    option: str,
) -> dict[str, str]:
    """Role -> column. `chosen` (the explicit mapping) comes first, then aliases in their order.

    Raises DataError naming the columns found and the nearest matches when a needed role has no column, or a chosen column
    does not exist.
    """
    found = list(columns)
    for role, column in chosen.items():
        if column not in found:
            hint = nearest(column, found)
            raise DataError(
                f"{file} has no column '{column}' (chosen for {role} in {option}).{hint} Columns found: {_list(found)}."
            )
    plain = {_plain(column): column for column in reversed(found)}
    roles = {role: column for role, column in chosen.items() if role in aliases}
    for role, names in aliases.items():
        taken = set(roles.values()) | set(chosen.values())
        match = next((plain[_plain(name)] for name in names if plain.get(_plain(name)) not in (None, *taken)), None)
        if role not in roles and match is not None:
            _need_one(role, [name for name in found if _plain(name) == _plain(match) and name not in taken], file, option)
            roles[role] = match
    missing = [role for role in needed if role not in roles]
    if missing:
        raise DataError(_missing(missing, aliases, found, file=file, option=option))
    return roles


def _need_one(role: str, columns: list[str], file: str, option: str) -> None:
    """Raise DataError where several columns have the same name but for case and punctuation: nobody could say which is meant."""
    if len(columns) > 1:
        raise DataError(
            f"{file} has several columns for {role}: {_list(columns)}. Say which one counts: "
            f"--set 'data.options.{option}.{role}={columns[0]}' (in Python: LoadOptions({option}=...))."
        )


def check_names(names: Sequence[str], file: str) -> None:
    """Raise DataError for a column that stands twice, as nobody could say which of the two is meant."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        advice = NO_HEADER if looks_like_data(names) else "Rename one of them."
        raise DataError(f"{file} has the column {', '.join(map(repr, twice))} more than once. {advice}")


def check_roles(chosen: Mapping[str, str], option: str) -> None:
    """Raise ConfigError for a role of interactions that does not exist."""
    for role in chosen:
        if role not in INTERACTION_ALIASES:
            hint = nearest(role, INTERACTION_ALIASES)
            raise ConfigError(f"{option} has no role '{role}'.{hint} Roles: {', '.join(INTERACTION_ALIASES)}.")


def _missing(missing: list[str], aliases: Mapping[str, tuple[str, ...]], found: list[str], *, file: str, option: str) -> str:
    parts = [f"{file} has no column for {' and '.join(missing)}. Columns found: {_list(found)}."]
    for role in missing:
        close = next((hint for hint in (nearest(alias, found) for alias in aliases[role]) if hint), "")
        if close:
            parts.append(f"For {role}:{close}")
        parts.append(f"Known names for {role}: {', '.join(aliases[role][:6])}, ...")
    example = " ".join(f"--set data.options.{option}.{role}=COLUMN" for role in missing)
    parts.append(f"Rename the column, or map it: {example} (in Python: LoadOptions({option}=...)).")
    if looks_like_data(found):
        parts.append(NO_HEADER)
    return " ".join(parts)


def looks_like_data(names: Iterable[str]) -> bool:
    """Whether what should be names of columns are numbers: the first line of a file without a header."""
    return all(re.fullmatch(r"-?[0-9.]+", name) for name in names)


def _list(found: list[str]) -> str:
    return ", ".join(found[:20]) + (", ..." if len(found) > 20 else "")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.split(":")[0].lower())
