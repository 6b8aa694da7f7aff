"""The command line: parse, call one verb of the pipeline, print."""

from __future__ import annotations

import os
import sys

import typer

from instructrec.cli import answers, demo, doctor, exporting, instructing, learning, options, retraining, serving
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
    answers.recommend,
    answers.explain,
    answers.profile,
    serving.serve,
    serving.key,
    serving.backup,
    serving.restore,
    retraining.retrain,
    exporting.export,
    instructing.instructions,
    instructing.names,
    doctor.doctor,
)
"""The verbs, in the order in which somebody meets them."""

for _command in COMMANDS:
    # Without it the overview would cut each description after a few words.
    app.command(short_help=(_command.__doc__ or "").partition("; ")[0])(guarded(_command))


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
