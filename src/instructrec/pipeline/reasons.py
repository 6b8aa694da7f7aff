"""Why one item suits somebody, wherever it stands: words, evidence, everything that was measured, and a page that draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

from instructrec import wire
from instructrec.core import Explanation, Instruction, Query, Recommendation
from instructrec.errors import QueryError, nearest
from instructrec.evaluation.intervals import Interval
from instructrec.evaluation.plots import Bar, bars
from instructrec.evaluation.report import style
from instructrec.explain import Attribution, attribute, explain, influence_on
from instructrec.pipeline.answering import Request, manner_of, query_of, reader_of, with_notes
from instructrec.recommender import Recommender, resolved
from instructrec.runs import Run

MOST_BARS = 20
"""History items that the page draws, those with the largest effects."""
FOR, AGAINST = 2, 1
"""Colours of the page's style sheet."""


def explain_item(run: Run, request: Request, item: str) -> dict[str, Any]:
    """An answer that holds only that item, with its place in the whole list as `rank`, and what was measured as `attribution`.

    The list that a counterfactual is about is the one of `request.n` items. What somebody has met already is explained as if they
    had not, and a note says so. Raises QueryError for an item that is not there.
    """
    catalog = run.catalog
    if item not in catalog.index:
        raise QueryError(
            f"There is no item '{item}' in the catalog.{nearest(item, catalog.index)} Item ids come from the items table."
        )
    model, language = run.model(request.model), request.language or run.config.language
    query = query_of(run.dataset, replace(request, hide_seen=False), language=language, lm=reader_of(run, request))
    others = tuple(past for past in query.history if past != item)
    met, query = len(others) < len(query.history), replace(query, history=others, exclude=query.exclude | frozenset(others))
    [influence] = influence_on(model, [(query, catalog.codes((item,)))])
    measured = attribute(model, query, item, influence)
    found = with_notes(_alone(model, query, item), model, run.dataset)
    found = replace(found, notes=(*found.notes, "in_history")) if met else found
    reasons: Sequence[Explanation] = ()
    if found.items:
        influence = replace(influence, first_rank=measured.rank)
        manner = manner_of(run, request)
        reasons = explain(model, found, run.dataset, language=language, manner=manner, counterfactual=True, influence=influence)
    report = wire.answer(found, catalog=catalog, model_version=run.version, explanations=reasons, language=language)
    for entry in report["items"]:
        entry["rank"] = measured.rank
    return report | {"list_length": resolved(query).n, "attribution": _attribution(measured, run)}


def _alone(model: Recommender, query: Query, item: str) -> Recommendation:
    """The answer that holds only this item, as part of the answer to the whole query."""
    [found] = model.recommend([replace(query, n=1, candidates=(item,), instruction=_one(query))])
    return replace(found, query=query)


def _one(query: Query) -> Instruction | None:
    """The words without how many items they ask for, which one item cannot be."""
    return replace(query.instruction, n=None, quotas=()) if query.instruction else None


def _attribution(measured: Attribution, run: Run) -> dict[str, Any]:
    """What was measured as plain JSON values, in the order in which people want to see it: the strongest first."""
    titles, index = run.catalog.titles, run.catalog.index
    history = sorted(measured.history, key=lambda pair: -pair[1])
    return {
        "listed": measured.listed,
        "history": [{"item_id": item, "title": titles[index[item]], "effect": round(effect, 6)} for item, effect in history],
        "values": [{"attribute": ref.attribute, "value": ref.value, "effect": round(effect, 6)} for ref, effect in measured.values],
        "described": [
            {"attribute": ref.attribute, "value": ref.value, "effect": round(effect, 6)} for ref, effect in measured.described
        ],
        "words": [{"word": word, "effect": round(effect, 6)} for word, effect in measured.words],
        "sources": [{"source": name, "effect": round(effect, 6)} for name, effect in measured.sources],
        "saliency": [
            {"token": token.text, "effect": round(token.effect, 6), "attention": round(token.attention, 6)}
            for token in measured.saliency
        ],
    }


def reasons_page(report: Mapping[str, Any], *, language: str = "en") -> str:
    """The answer of `explain_item` as one HTML page that needs nothing else; every string of the data is escaped."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    text = wire.wording(language)["reasons"]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("instructrec.pipeline").joinpath("templates/reasons.html.jinja").read_text("utf-8"))
    pictures = [
        (text[name], text[f"{name}_meaning"], Markup(picture))
        for name, rows in _rows(report["attribution"]).items()
        if (picture := bars(rows, title=text[name], form=lambda value: f"{value:+.3g}"))
    ]
    return template.render(
        t=text,
        language=language,
        style=Markup(style()),
        report=report,
        items=report["items"],
        understood=wire.understood(report["instruction"]),
        pictures=pictures,
        views=[
            (text[name], text[f"{name}_meaning"], _tokens(report["attribution"]["saliency"], key))
            for name, key in (("saliency", "effect"), ("attention", "attention"))
        ],
        titles={row["item_id"]: row["title"] or row["item_id"] for row in report["attribution"]["history"]},
    )


def _tokens(rows: Sequence[Mapping[str, Any]], key: str) -> list[tuple[str, str, int]]:
    """Each token, what a view says of it, and how strong its colour is, -100 to 100; none where the view says nothing."""
    most = max((abs(row[key]) for row in rows), default=0.0)
    return [(row["token"], f"{row[key]:+.3g}", round(100 * row[key] / most)) for row in rows] if most else []


def _rows(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[Bar]]:
    """One bar a thing that was taken away: what speaks for the item in one colour, what speaks against it in another."""
    history = sorted(found["history"], key=lambda row: -abs(row["effect"]))[:MOST_BARS]
    named = {
        "history": [(row["title"] or row["item_id"], row["effect"]) for row in sorted(history, key=lambda row: -row["effect"])],
        "values": [(f"{row['value']} ({row['attribute']})", row["effect"]) for row in found["values"]],
        "described": [(f"{row['value']} ({row['attribute']})", row["effect"]) for row in found["described"]],
        "words": [(row["word"], row["effect"]) for row in found["words"]],
        "sources": [(row["source"], row["effect"]) for row in found["sources"]],
    }
    return {
        name: [Bar(label, Interval(value, value, value), FOR if value >= 0 else AGAINST) for label, value in rows]
        for name, rows in named.items()
    }
