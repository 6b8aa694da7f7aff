"""What a run says of itself: report.json for programs, one HTML page and a card for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from instructrec.config import RunConfig
from instructrec.config.typed import to_table
from instructrec.data import Loaded
from instructrec.evaluation.beyond import BEYOND
from instructrec.evaluation.comparison import Comparison, ModelTest, definitions
from instructrec.evaluation.costs import COSTS
from instructrec.evaluation.maps import ItemMap, item_map
from instructrec.evaluation.peruser import RATINGS
from instructrec.evaluation.report import CleaningStep, Fact, ReportData, SampleItem, SampleList, SampleUser, render, wording
from instructrec.recommender import Recommender
from instructrec.tables import Dataset


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Everything that a report is made from."""

    config: RunConfig
    loaded: Loaded
    comparison: Comparison
    models: Mapping[str, Recommender]
    samples: Sequence[Mapping[str, Any]]
    afterwards: str = ""
    """What was done with the models after they were measured, a sentence."""


def data_facts(dataset: Dataset) -> dict[str, Any]:
    """Name and size of a dataset."""
    table = dataset.interactions
    return {"name": dataset.name, "users": len(table.user_ids), "items": len(dataset.catalog), "interactions": len(table)}


def report(measured: Measured) -> dict[str, Any]:
    """The report as plain JSON values. It holds no clock, so that equal seeds give equal bytes."""
    found = measured.comparison
    return {
        **found.to_json(),
        "model": measured.config.model,
        "seed": measured.config.seed,
        "data": data_facts(measured.loaded.dataset),
        "cleaning": measured.loaded.report.to_json() | {"lines": measured.loaded.report.lines(measured.config.language)},
        "tests": [_test(test) for test in found.tests],
        "definitions": definitions(found.metrics),
        "weights": fusion_weights(measured),
        "curve": curve(measured.models),
        "perplexity": perplexity(measured.models),
        "samples": list(measured.samples),
    }


def page(measured: Measured) -> str:
    """The report as one self-contained HTML page."""
    facts, config = data_facts(measured.loaded.dataset), measured.config
    weights = ", ".join(f"{name} {weight:.3g}" for name, weight in fusion_weights(measured).items())
    told = perplexity(measured.models)
    words = f"{told['before']:.3g} before tuning, {told['after']:.3g} after" if all(told.values()) and told else ""
    about = [
        ("Model", config.model),
        ("Split", config.split.kind),
        ("Seed", str(config.seed)),
        ("Fusion weights", weights),
        ("Perplexity of held-out words", words),
        ("Afterwards", measured.afterwards),
    ]
    return render(
        ReportData(
            title=f"{config.model} on {facts['name']}",
            facts=tuple(Fact(label, value) for label, value in about if value),
            data=_sizes(facts),
            cleaning=_steps(measured.loaded, config),
            comparisons=(measured.comparison,),
            curve=curve(measured.models),
            map=_map(measured),
            users=tuple(_user(sample) for sample in measured.samples),
            next_steps=(
                'instructrec recommend RUN --user USER --instruction "..."',
                "instructrec explain RUN --user USER --item ITEM",
                "instructrec evaluate RUN",
            ),
            language=config.language,
        )
    )


def comparison_report(found: Comparison, config: RunConfig, loaded: Loaded) -> dict[str, Any]:
    """What `compare` found as plain JSON values, each number with its definition. Times and memory depend on the machine."""
    return {
        **found.to_json(),
        **found.details(),
        "seed": config.seed,
        "data": data_facts(loaded.dataset),
        "cleaning": loaded.report.to_json() | {"lines": loaded.report.lines(config.language)},
        "settings": {name: to_table(own) for name, own in config.settings.items()},
        "definitions": {**definitions(found.metrics), **BEYOND, **RATINGS, **COSTS},
    }


def comparison_page(found: Comparison, config: RunConfig, loaded: Loaded) -> str:
    """What `compare` found as one self-contained HTML page."""
    facts = data_facts(loaded.dataset)
    words = wording(config.language)["compare"]
    return render(
        ReportData(
            title=words["title"].format(number=len(found.models) + len(found.absent), data=facts["name"]),
            facts=(Fact("Split", config.split.kind), Fact("Seed", str(config.seed))),
            data=_sizes(facts),
            cleaning=_steps(loaded, config),
            comparisons=(found,),
            language=config.language,
        )
    )


def _sizes(facts: Mapping[str, Any]) -> tuple[Fact, ...]:
    return tuple(Fact(name.capitalize(), f"{facts[name]:,}") for name in ("users", "items", "interactions"))


def _steps(loaded: Loaded, config: RunConfig) -> tuple[CleaningStep, ...]:
    return tuple(
        CleaningStep(name=step.name, before=step.before, after=step.after, note=step.text(config.language))
        for step in loaded.report.steps
    )


def card(measured: Measured) -> str:
    """The model card: what was learned from what, how good it is, and where it ends."""
    found, facts = measured.comparison, data_facts(measured.loaded.dataset)
    metrics = list(found.metrics)
    rows = [
        f"| {name} | " + " | ".join(f"{row[metric].value:.4f}" for metric in metrics) + " |" for name, row in found.models.items()
    ]
    lines = [
        f"# {measured.config.model} on {facts['name']}",
        "",
        f"Learned from {facts['interactions']:,} interactions of {facts['users']:,} users with {facts['items']:,} items.",
        *(
            ["Requests are read by rules, and by a model that was tuned on the catalog."]
            if measured.config.reader == "both"
            else []
        ),
        "",
        "## Data",
        "",
        *[f"- {line}" for line in measured.loaded.report.lines()],
        "",
        "## Numbers",
        "",
        f"Split {found.split}; {found.protocol}; seen items {found.seen_filter}.",
        *([measured.afterwards] if measured.afterwards else []),
        "",
        f"| model | {' | '.join(metrics)} |",
        f"|---|{'---:|' * len(metrics)}",
        *rows,
        "",
        *[f"- {name}: {sentence}" for name, sentence in definitions(metrics).items()],
        "",
        "## Limits",
        "",
        "- The numbers say how often a held-out interaction is found again, not how content people are with a list.",
        "- Somebody without a history is served by words, stated limits or popularity, and the answer says which.",
        "- Hard limits hold because the list is filtered by the attributes of the catalog; they are as right as that catalog.",
        "- Whoever interacted much weighs more in the learned models; compare the numbers by length of history in report.html.",
        "",
    ]
    return "\n".join(lines)


def _map(measured: Measured) -> ItemMap | None:
    """The items as the served model sees them."""
    vectors = measured.models[measured.config.model].item_vectors()
    if vectors is None:
        return None
    words = wording(measured.config.language)["map"]
    return item_map(vectors, measured.loaded.dataset.catalog, title=words["title"], others=words["others"])


def curve(models: Mapping[str, Recommender]) -> list[Mapping[str, float | None]]:
    """The learning curve of the model that has one."""
    curves: list[list[Mapping[str, float | None]]] = [getattr(model, "curve", []) for model in models.values()]
    return next((found for found in curves if found), [])


def perplexity(models: Mapping[str, Recommender]) -> dict[str, float | None]:
    """That of held-out titles and reasons, before and after tuning, of the model that answers in words; empty without one."""
    every: list[dict[str, float | None]] = [getattr(model, "perplexity", {}) for model in models.values()]
    return next((found for found in every if found), {})


def fusion_weights(measured: Measured) -> dict[str, float]:
    """The weight of each part of the served fusion; empty for any other model."""
    weights: Mapping[str, float] = getattr(measured.models[measured.config.model], "weights", {})
    return dict(weights)


def _test(test: ModelTest) -> dict[str, Any]:
    return {"first": test.first, "second": test.second, "metric": test.metric, "p_holm": test.p_holm, **asdict(test.test)}


def _user(sample: Mapping[str, Any]) -> SampleUser:
    return SampleUser(
        name=str(sample["user_id"]),
        history=tuple(SampleItem(title=entry["title"]) for entry in reversed(sample["history"])),
        lists=tuple(_list(answer) for answer in sample["answers"]),
        history_length=sample["history_length"],
    )


def _list(answer: Mapping[str, Any]) -> SampleList:
    words = answer["instruction"]
    return SampleList(
        items=tuple(
            SampleItem(
                title=entry["title"],
                score=entry["score"],
                source=entry["source"],
                explanation=entry["explanation"],
                status=entry["explanation_status"],
            )
            for entry in answer["items"]
        ),
        instruction=words["text"],
        limits=tuple(words["understood"]),
        wish=words["wish"],
        not_understood=tuple(words["not_understood"]),
        notes=tuple(answer["notes"]),
    )
