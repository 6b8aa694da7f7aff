"""The command line: parse, call one verb of the pipeline, print."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import typer

from instructrec.cli import (
    answers,
    demo,
    doctor,
    events,
    experimenting,
    exporting,
    instructing,
    learning,
    options,
    retraining,
    searching,
    serving,
)
from instructrec.cli.output import DEBUG_VARIABLE, guarded

app = typer.Typer(
    name="instructrec",
    help="Instruction-tune a language model on your interactions; it recommends, follows words, and says why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS = (
    demo.demo,
    learning.fetch,
    learning.validate,
    learning.train,
    learning.evaluate,
    learning.compare,
    searching.tune,
    answers.recommend,
    answers.explain,
    answers.profile,
    serving.serve,
    serving.key,
    serving.backup,
    serving.restore,
    events.import_events,
    events.replay,
    retraining.retrain,
    exporting.export,
    instructing.instructions,
    instructing.names,
    doctor.doctor,
)
"""The verbs, in the order in which somebody meets them."""

GROUPS = {"experiment": (experimenting.COMMANDS, "Compare models on the people of a service that runs.")}
"""Verbs that have verbs of their own, by name, and what they are for."""


def _add(group: typer.Typer, command: Callable[..., None], name: str) -> None:
    # Without a short help the overview would cut each description after a few words.
    group.command(name, short_help=(command.__doc__ or "").partition("; ")[0])(guarded(command))


for _command in COMMANDS:
    _add(app, _command, _command.__name__.replace("_", "-"))
for _name, (_verbs, _help) in GROUPS.items():
    _group = typer.Typer(help=_help, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
    for _verb in _verbs:
        _add(_group, _verbs[_verb], _verb)
    app.add_typer(_group, name=_name)


@app.callback()
def _about(debug: options.Debug = False) -> None:
    """Instruction-tune a language model on your interactions; it recommends, follows words, and says why."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; always ends with SystemExit."""
    given = sys.argv[1:] if arguments is None else arguments
    # --debug may stand anywhere, and concerns only what happens to an error on its way out.
    if "--debug" in given:
        os.environ[DEBUG_VARIABLE] = "1"
    app(options.with_json_value([word for word in given if word != "--debug"]), prog_name="instructrec")
