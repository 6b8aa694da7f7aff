"""`instructrec doctor`: what this machine lacks, and what to do about it."""

from __future__ import annotations

from instructrec.cli import options
from instructrec.cli.output import Output


def doctor(json: options.Json = None) -> None:
    """Check Python, packages, processor, memory, disk and cache; say what to do for each problem."""
    from instructrec.console import show_checks
    from instructrec.doctor import examine

    output = Output(json)
    checks = [check.to_json() for check in examine()]
    show_checks(output.words, checks)
    problems = sum(check["state"] == "problem" for check in checks)
    output.words.print("Everything that is needed is here." if not problems else f"{problems} to mend before the demo can run.")
    output.finish({"ok": not problems, "checks": checks})
    if problems:
        raise SystemExit(1)
