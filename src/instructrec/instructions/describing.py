"""Instructions in words that `parse` reads back to the same demands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal

from instructrec.core import Instruction, Quota
from instructrec.errors import QueryError, nearest
from instructrec.instructions.lexicon import Lexicon, lexicon
from instructrec.instructions.render import year_attribute
from instructrec.instructions.tokens import keys
from instructrec.instructions.wording import LANGUAGES
from instructrec.tables import Catalog, ItemId, Limit


def describe(what: Sequence[Limit] | Instruction, language: str = "en", *, catalog: Catalog | None = None) -> str:
    """Limits in words, one clause each: "genres: Comedy or Drama; year: 1990 to 1999; genres: not Romance".

    Of an instruction also how many items, quotas ("at least 2 with genres: Comedy"), examples ("like “Title”"; the titles are
    those of `catalog`) and what was seen; not the wish. `parse` of the result gives the same limits, quotas, examples and so on.
    Raises QueryError for a language without wording, and for examples without a catalog.
    """
    return _words(language).describe["next"].join(clauses_of(what, language, catalog=catalog))


def clauses_of(what: Sequence[Limit] | Instruction, language: str = "en", *, catalog: Catalog | None = None) -> list[str]:
    """The clauses that `describe` joins."""
    words = _words(language)
    return list(_clauses(what, words, catalog)) if isinstance(what, Instruction) else [_described(limit, words) for limit in what]


def _words(language: str) -> Lexicon:
    words = lexicon(language)
    if words is None:
        raise QueryError(
            f"There are no words for language '{language}'. Known: {', '.join(LANGUAGES)}.{nearest(language, LANGUAGES)}"
        )
    return words


def _clauses(instruction: Instruction, words: Lexicon, catalog: Catalog | None) -> Iterator[str]:
    forms = words.describe
    if instruction.n is not None:
        yield forms["n"].format(number=instruction.n)
    yield from (_described(limit, words) for limit in instruction.limits)
    for quota in instruction.quotas:
        yield from _counted(quota, words)
    for form, items in (("like", instruction.like), ("unlike", instruction.unlike)):
        yield from (forms[form].format(what=_title(item, catalog, words)) for item in items)
    if instruction.seen:
        yield forms[instruction.seen]


def _counted(quota: Quota, words: Lexicon) -> Iterator[str]:
    what = words.describe["both"].join(_described(limit, words) for limit in quota.limits)
    if quota.at_least and quota.at_least == quota.at_most:
        yield words.describe["exactly"].format(number=quota.at_least, what=what)
        return
    if quota.at_least:
        yield words.describe["at_least"].format(number=quota.at_least, what=what)
    if quota.at_most is not None:
        yield words.describe["at_most"].format(number=quota.at_most, what=what)


def _title(item: ItemId, catalog: Catalog | None, words: Lexicon) -> str:
    """The title of an item in quotation marks, with its year where another item has the same title."""
    if catalog is None or item not in catalog.index:
        raise QueryError(f"The title of item '{item}' is not known. Give the catalog that holds it.")
    code = catalog.index[item]
    title, attribute = catalog.titles[code], year_attribute(catalog)
    year = catalog.numbers[attribute][code] if attribute is not None else math.nan
    shared = catalog.titles.count(title) > 1 and math.isfinite(year)
    return words.describe["quote"].format(value=title) + (f" ({year:g})" if shared else "")


def _described(limit: Limit, words: Lexicon) -> str:
    attribute, templates = limit.attribute.replace("_", " "), words.describe
    if limit.operator != "range":
        values = templates["either"].join(_quoted(value, words) for value in limit.values)
        return templates[limit.operator].format(attribute=attribute, values=values)
    low, high = limit.low, limit.high
    if low is not None and high is not None:
        form = "exact" if low == high else "between"
    elif low is not None:
        low, form = (strict_bound(low, -1), "more") if strict_bound(low, -1) is not None else (low, "low")
    else:
        assert high is not None or low is None
        high, form = (strict_bound(high, 1), "less") if high is not None and strict_bound(high, 1) is not None else (high, "high")
    return templates[form].format(attribute=attribute, low=_number(low), high=_number(high))


def strict_bound(bound: float, direction: int) -> float | None:
    """The short number that a bound lies just beyond, if it does: 10.000000000000002 is "more than 10"."""
    inside = math.nextafter(bound, direction * math.inf)
    return inside if len(repr(inside)) + 6 < len(repr(bound)) else None


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() else format(Decimal(repr(value)), "f")


def _quoted(value: str, words: Lexicon) -> str:
    """A value as it stands, in quotation marks where its words could be taken for something else."""
    plain = all(key.isalpha() and key not in words.strong_words for key in keys(value))
    return value if plain else words.describe["quote"].format(value=value)
