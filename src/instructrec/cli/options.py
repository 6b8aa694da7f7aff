"""The options of the command line: each one's type, default and help, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JSON_TO_STDOUT = "-"

Data = Annotated[
    str | None,
    typer.Option("--data", metavar="D", help="A known name (ml-100k, ml-1m, ...), a folder or a file.", show_default=False),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="M",
        help="Name of the model: popular, recent, item_knn, user_knn, ease, recency_ease, ridge, als, bpr, svd, bm25, sentences, "
        "themes, tfidf, word_vectors, sentence_vectors, images, sasrec, esasrec, gru4rec, lightgcn, gcn, graphsage, gat, "
        "two_tower, lm, tiger, weighted, switching, cascade, ranker, fusion.",
    ),
]
Models = Annotated[str, typer.Option("--models", metavar="A,B,C", help="Names of models, separated by commas.")]
ConfigFile = Annotated[
    str | None,
    typer.Option(
        "--config", metavar="F", help="A TOML file, or one of the complete ones: quick, default, full.", show_default=False
    ),
]
Base = Annotated[
    str | None,
    typer.Option(
        "--base",
        metavar="B",
        help="Base language model: smollm2-135m, gemma3-270m, scratch, scratch-t5, a Hugging Face id, or a folder.",
        show_default=False,
    ),
]
Codes = Annotated[
    str | None,
    typer.Option(
        "--codes",
        metavar="KIND",
        help="How the language model writes items: atomic (one token each), semantic or title.",
        show_default=False,
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Change one setting, such as lm.epochs=2; may be given several times."),
]
Out = Annotated[Path, typer.Option("--out", metavar="RUN", help="The run folder to make.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]
TensorBoard = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard",
        metavar="DIR",
        help="Also write losses there while training, for `tensorboard --logdir DIR` (pip install tensorboard).",
        show_default=False,
    ),
]
Tuned = Annotated[
    Path | None,
    typer.Option(
        "--tuned",
        metavar="FOLDER",
        help="Take the settings that `instructrec tune --out FOLDER` chose; --set has the last word.",
        show_default=False,
    ),
]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Where all randomness comes from.", show_default="that of the configuration")
]
SplitKind = Annotated[
    str | None,
    typer.Option(
        "--split", metavar="KIND", help="leave-one-out, time, ratio, since or k-fold.", show_default="that of the configuration"
    ),
]
Seeds = Annotated[int, typer.Option("--seeds", metavar="N", min=1, help="Fits of each model, with seeds that follow one another.")]
ColdItems = Annotated[
    float,
    typer.Option(
        "--cold-items", metavar="SHARE", help="Hide this share of the items from training entirely, and ask only for them; 0: none."
    ),
]
Noise = Annotated[
    float,
    typer.Option(
        "--noise",
        metavar="SHARE",
        help="Also fit with so many random clicks in training (a share of its interactions), to see how much accuracy is kept.",
    ),
]
Cells = Annotated[
    Path | None,
    typer.Option(
        "--work",
        metavar="DIR",
        help="Where finished cells are kept by their content, so that none is found twice.",
        show_default="comparisons in the cache folder",
    ),
]
ReportFolder = Annotated[
    Path | None,
    typer.Option("--out", metavar="FOLDER", help="A new folder for report.html and report.json.", show_default=False),
]
SeenShown = Annotated[
    bool | None,
    typer.Option("--seen-shown/--seen-hidden", help="Let items of the history compete, or hide them.", show_default="hidden"),
]
User = Annotated[
    str | None,
    typer.Option("--user", metavar="U", help="The id of one user; one that is not known starts cold.", show_default=False),
]
History = Annotated[
    str | None,
    typer.Option(
        "--history",
        metavar="ID,ID,...",
        help="Item ids, oldest first, instead of the stored history; an id with a comma in double quotes.",
        show_default=False,
    ),
]
Candidates = Annotated[
    str | None,
    typer.Option(
        "--candidates",
        metavar="ID,ID,...",
        help="Rank only these items, not the whole catalog; an id with a comma in double quotes; @FILE reads ids from a file.",
        show_default=False,
    ),
]
Words = Annotated[
    str,
    typer.Option("--instruction", metavar="TEXT", help='What the list must obey, such as "a comedy from the 1990s, no romance".'),
]
Parameters = Annotated[
    str | None,
    typer.Option(
        "--parameters",
        metavar="JSON",
        help="An instruction as a JSON object with limits, quotas, like, unlike, seen, n, wish; @FILE reads it from a file.",
        show_default=False,
    ),
]
Profile = Annotated[
    str, typer.Option("--profile", metavar="TEXT", help="What the user says of their taste; @FILE reads it from a file.")
]
Strength = Annotated[
    float, typer.Option("--strength", min=0.0, max=1.0, help="How much words order the list: 0 not at all, 1 fully.")
]
Diversity = Annotated[
    float,
    typer.Option("--diversity", min=0.0, max=1.0, help="How much items give way that resemble others of the list: 0 not at all."),
]
Number = Annotated[int, typer.Option("-n", "--number", min=1, max=1000, help="Items in a list.")]
Json = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="[FILE]",
        help="Report as one JSON object: the last line of standard output, or in FILE.",
        show_default=False,
    ),
]
TunedReader = Annotated[
    str | None,
    typer.Option(
        "--reader",
        metavar="R",
        help="Who will read words: rules, or both: rules and a model that is tuned on the catalog now (minutes more).",
        show_default="that of the configuration",
    ),
]
Reader = Annotated[
    str | None,
    typer.Option(
        "--reader",
        metavar="R",
        help="Who reads words: rules, or both: rules and a model tuned on the catalog, of which the safer reading holds.",
        show_default="that of the run",
    ),
]
TunedWriter = Annotated[
    str | None,
    typer.Option(
        "--writer",
        metavar="W",
        help="Who will write reasons: grammar, or model: a language model that is tuned to now (minutes more).",
        show_default="that of the configuration",
    ),
]
Writer = Annotated[
    str | None,
    typer.Option(
        "--writer",
        metavar="W",
        help="Who writes reasons: grammar; model: the tuned one, and the grammar where what it writes is not true; or the URL of "
        "an OpenAI-compatible server, which is told no titles.",
        show_default="that of the run",
    ),
]
Tone = Annotated[str, typer.Option("--tone", metavar="T", help="Tone of reasons that a model writes: plain, warm or brisk.")]
Length = Annotated[str, typer.Option("--length", metavar="L", help="How much a reason says: short, medium or long.")]
Language = Annotated[
    str | None,
    typer.Option("--language", metavar="L", help="Language of notes and explanations: en or zh.", show_default="that of the run"),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an unexpected error; may stand anywhere.")]


def with_json_value(arguments: list[str]) -> list[str]:
    """Give a bare `--json` the value that means standard output.

    FILE is the next word unless that is an option or an existing folder (a run folder may follow: `evaluate --json RUN`).
    """
    out = []
    for place, word in enumerate(arguments):
        following = arguments[place + 1] if place + 1 < len(arguments) else None
        bare = word == "--json" and (following is None or following.startswith("-") or Path(following).is_dir())
        out.append(f"--json={JSON_TO_STDOUT}" if bare else word)
    return out
