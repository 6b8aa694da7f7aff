"""The one JSON shape of a recommendation answer, for the command line, files and services alike."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from instructrec.core import Evidence, Explanation, Instruction, Recommendation
from instructrec.errors import ConfigError, nearest
from instructrec.instructions import clauses_of, instruction_to_json
from instructrec.tables import Catalog

LANGUAGES = ("en", "zh")


def answer(
    recommendation: Recommendation,
    *,
    catalog: Catalog,
    model_version: str,
    explanations: Sequence[Explanation] = (),
    language: str = "en",
) -> dict[str, Any]:
    """One recommendation as plain JSON values; `notes` are sentences for the user in `language`."""
    reasons = {explanation.item: explanation for explanation in explanations}
    query = recommendation.query
    return {
        "recommendation_id": recommendation.id,
        "user_id": query.user,
        "model": recommendation.model,
        "model_version": model_version,
        "served_by": recommendation.served_by,
        "degraded": recommendation.degraded,
        "instruction": instruction(query.instruction, catalog=catalog, language=language),
        "items": [
            {
                "item_id": entry.item,
                "title": catalog.titles[catalog.index[entry.item]],
                "rank": rank,
                "score": round(float(entry.score), 6),
                "source": entry.source,
                **_reason(reasons.get(entry.item)),
            }
            for rank, entry in enumerate(recommendation.items, start=1)
        ],
        "notes": [note(code, language=language) for code in recommendation.notes],
    }


def instruction(value: Instruction | None, *, catalog: Catalog | None = None, language: str = "en") -> dict[str, Any]:
    """What was asked in words, and what was understood; the same keys, empty, where nothing was asked.

    `understood`: what must hold, a clause each, with the titles of `catalog`; `notes` are sentences. Both are in `language`.
    """
    value = value or Instruction(text="")
    return {
        "text": value.text,
        **instruction_to_json(value),
        "understood": clauses_of(value, language, catalog=catalog),
        "not_understood": list(value.not_understood),
        "notes": [note(code, language=language) for code in value.notes],
    }


def understood(value: Mapping[str, Any]) -> list[str]:
    """What was made of the words, from the JSON shape of an instruction, one part a condition, for people to read."""
    # Reports of earlier runs do not hold it.
    parts = [*value.get("understood", ()), *([f"wish “{value['wish']}”"] if value["wish"] else [])]
    return [*parts, *(f"not understood “{words}”" for words in value["not_understood"]), *value["notes"]]


def evidence(value: Evidence) -> dict[str, Any]:
    """One fact behind an item; keys that do not apply to its kind are left out."""
    fields: dict[str, Any] = {"kind": value.kind, "item_id": value.item, "attribute": value.attribute, "value": value.value}
    fields["people"] = value.people
    return {key: entry for key, entry in fields.items() if entry is not None} | {"weight": round(float(value.weight), 6)}


def note(code: str, *, language: str = "en") -> str:
    """The sentence for a note of the form "code:detail"; a note without a sentence is shown as it is."""
    name, _, detail = code.partition(":")
    sentences = wording(language)["notes"]
    key = f"{name}_{detail}" if f"{name}_{detail}" in sentences else name
    if key not in sentences:
        return code
    return str(sentences[key]).replace("{detail}", ", ".join(part.strip() for part in detail.split(",")))


@cache
def wording(language: str) -> Mapping[str, Any]:
    """The sentences of answers in one language. Raises ConfigError for a language that is not there."""
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise ConfigError(f"No wording for language '{language}'.{nearest(language, LANGUAGES)} There is: {known}.")
    return tomllib.loads((resources.files("instructrec") / "wording" / f"{language}.toml").read_text(encoding="utf-8"))


def _reason(explanation: Explanation | None) -> dict[str, Any]:
    if explanation is None:
        explanation = Explanation(item="", text="", status="none")
    return {
        "explanation": explanation.text,
        "explanation_status": explanation.status,
        "explanation_written_by": explanation.written_by,
        "evidence": [evidence(fact) for fact in explanation.evidence],
        "caveat": explanation.caveat,
        "against": [evidence(fact) for fact in explanation.against],
        "counterfactual": list(explanation.counterfactual),
        "counterfactual_text": explanation.counterfactual_text,
    }
