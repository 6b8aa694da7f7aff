"""The command line: parse, call one verb of the pipeline, print."""

from __future__ import annotations

import sys

import typer

from instructrec.cli import answers, demo, doctor, learning
from instructrec.cli.options import with_json_value
from instructrec.cli.output import guarded

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
    doctor.doctor,
)
"""The verbs, in the order in which somebody meets them."""

for _command in COMMANDS:
    # Without it the overview would cut each description after a few words.
    app.command(short_help=(_command.__doc__ or "").partition("; ")[0])(guarded(_command))


@app.callback()
def _about() -> None:
    """Instruction-tune a language model on your interactions; it recommends, follows words, and says why."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; always ends with SystemExit."""
    app(with_json_value(sys.argv[1:] if arguments is None else arguments), prog_name="instructrec")
