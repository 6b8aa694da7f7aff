"""The verbs of experiments on a service that runs: start, status, estimate, stop, promote, list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from instructrec.cli import options
from instructrec.cli.output import Output
from instructrec.errors import ConfigError, nearest

KEY_VARIABLE = "INSTRUCTREC_KEY"
Served = Annotated[
    str,
    typer.Argument(metavar="RUN", help="The run that the service serves: its folder, or the folder's name.", show_default=False),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The experiment.", show_default=False)]
Url = Annotated[str, typer.Option("--url", metavar="URL", help="Where the service listens.")]
Key = Annotated[
    str,
    typer.Option(
        "--key", metavar="K", envvar=KEY_VARIABLE, help=f"A key with the scope admin, where keys are wanted; or in {KEY_VARIABLE}."
    ),
]
URL = "http://127.0.0.1:8000"


def start(
    run: Served,
    name: Name,
    arms: Annotated[
        list[str],
        typer.Option(
            "--arm",
            metavar="NAME=MODEL",
            help="An arm and the model of the run that makes its lists (NAME=: the one that serves "
            "anyway); the first is the control.",
            show_default=False,
        ),
    ],
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metric", metavar="M", help="What is measured; the first decides. May be given several times.", show_default="ctr"
        ),
    ] = None,
    guardrails: Annotated[
        list[str] | None,
        typer.Option(
            "--guardrail", metavar="M=PART", help="A metric that no arm may make worse by more than this part, such as .05."
        ),
    ] = None,
    interleave: Annotated[
        bool, typer.Option("--interleave", help="Everybody gets lists that two arms make in turn; tells whose items people choose.")
    ] = False,
    weights: Annotated[
        list[str] | None, typer.Option("--weight", metavar="NAME=W", help="The arm's part of people, relative to 1 of the others.")
    ] = None,
    exploration: Annotated[
        list[str] | None,
        typer.Option("--exploration", metavar="NAME=PART", help="The chance with which a slot of the arm's lists is drawn evenly."),
    ] = None,
    coverage: Annotated[float, typer.Option("--coverage", min=0.0, max=1.0, help="The part of people who take part.")] = 1.0,
    seed: Annotated[str, typer.Option("--seed", help="What people are split with.", show_default="the name")] = "",
    url: Url = URL,
    key: Key = "",
    json: options.Json = None,
) -> None:
    """Compare models on the people who come: each person keeps the arm that they get; results may be read as often as wanted."""
    from instructrec.service.client import Client

    design = _design(_pairs("--arm", arms), _numbers("--weight", weights), _numbers("--exploration", exploration))
    design |= {"kind": "interleaving" if interleave else "split", "seed": seed, "coverage": coverage}
    design |= {"metrics": metrics} if metrics else {}
    design["guardrails"] = [_guardrail(metric, part) for metric, part in _numbers("--guardrail", guardrails).items()]
    output, found = Output(json), Client(run, url, key).start(name, design)
    output.words.print(f"Experiment '{name}' runs. How it goes: instructrec experiment status {run} {name}", markup=False)
    output.finish(found)


def status(run: Served, name: Name, url: Url = URL, key: Key = "", json: options.Json = None) -> None:
    """What the arms did so far, with intervals that hold however often they are looked at, and what that comes to."""
    from instructrec.cli.experiment_tables import show_experiment
    from instructrec.service.client import Client

    output, found = Output(json), Client(run, url, key).status(name)
    show_experiment(output.words, found)
    output.finish(found)


def estimate(
    run: Served,
    name: Name,
    model: Annotated[str, typer.Option("--model", metavar="M", help="A model of the run that is no arm.", show_default=False)],
    url: Url = URL,
    key: Key = "",
    json: options.Json = None,
) -> None:
    """What if everybody had the lists of a model that is no arm: from what the arms logged, where that says enough of it."""
    from instructrec.cli.experiment_tables import show_estimate
    from instructrec.service.client import Client

    output, found = Output(json), Client(run, url, key).estimate(name, model)
    show_estimate(output.words, found)
    output.finish(found)


def stop(run: Served, name: Name, url: Url = URL, key: Key = "", json: options.Json = None) -> None:
    """End an experiment, also a promoted one: everybody gets what is served anyway, and its results stay."""
    from instructrec.service.client import Client

    output, found = Output(json), Client(run, url, key).stop(name)
    output.words.print(f"Experiment '{name}' has ended.", markup=False)
    output.finish(found)


def promote(
    run: Served,
    name: Name,
    arm: Annotated[str, typer.Option("--arm", metavar="NAME", help="The arm that everybody gets.", show_default=False)],
    url: Url = URL,
    key: Key = "",
    json: options.Json = None,
) -> None:
    """End an experiment and serve one of its arms to everybody."""
    from instructrec.service.client import Client

    output, found = Output(json), Client(run, url, key).promote(name, arm)
    output.words.print(f"Experiment '{name}' has ended; arm '{arm}' serves everybody.", markup=False)
    output.finish(found)


def every(run: Served, url: Url = URL, key: Key = "", json: options.Json = None) -> None:
    """All experiments of a service."""
    from instructrec.cli.experiment_tables import show_experiments
    from instructrec.service.client import Client

    output, found = Output(json), Client(run, url, key).every()
    show_experiments(output.words, found)
    output.finish({"experiments": found})


COMMANDS: Mapping[str, Callable[..., None]] = {
    "start": start, "status": status, "estimate": estimate, "stop": stop, "promote": promote, "list": every
}  # fmt: skip
"""By name, in the order in which somebody meets them."""


def _design(arms: dict[str, str], weights: dict[str, float], exploration: dict[str, float]) -> dict[str, Any]:
    for option, given in (("--weight", weights), ("--exploration", exploration)):
        for name in given:
            if name not in arms:
                raise ConfigError(f"{option} names an arm '{name}', which --arm does not.{nearest(name, arms)}")
    return {
        "arms": [
            {
                "name": name,
                "weight": weights.get(name, 1.0),
                "settings": ({"model": model} if model else {})
                | ({"exploration": exploration[name]} if name in exploration else {}),
            }
            for name, model in arms.items()
        ]
    }


def _guardrail(metric: str, tolerance: float) -> dict[str, Any]:
    from instructrec.experiments import METRICS

    if metric not in METRICS:
        raise ConfigError(f"There is no metric '{metric}'.{nearest(metric, METRICS)} There is: {', '.join(METRICS)}.")
    return {"metric": metric, "better": METRICS[metric].better, "tolerance": tolerance}


def _pairs(option: str, given: list[str]) -> dict[str, str]:
    """Words of the form NAME=VALUE. Raises ConfigError for any other, and for a name that comes twice."""
    found: dict[str, str] = {}
    for word in given:
        name, sign, value = word.partition("=")
        if not sign or not name.strip() or name.strip() in found:
            raise ConfigError(f"{option} {word} is not of the form NAME=VALUE, or its name came before. Give each name once.")
        found[name.strip()] = value.strip()
    return found


def _numbers(option: str, given: list[str] | None) -> dict[str, float]:
    found = {}
    for name, value in _pairs(option, given or []).items():
        try:
            found[name] = float(value)
        except ValueError:
            raise ConfigError(f"{option} {name}={value} has no number behind the sign. Write one such as {name}=0.1.") from None
    return found
