"""What every command shares: where its words and its JSON go, and how errors become messages."""

from __future__ import annotations

import functools
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from instructrec.cli.options import JSON_TO_STDOUT
from instructrec.errors import InstructRecError

if TYPE_CHECKING:
    from rich.console import Console

P = ParamSpec("P")

DEBUG_VARIABLE = "INSTRUCTREC_DEBUG"
"""Environment variable: when set, an unexpected error shows its traceback, as with --debug."""
EXIT_USER, EXIT_BUG, EXIT_STOPPED = 2, 1, 130
EXIT_NOT_PROMOTED = 3
"""A new run was made and measured, and is not better than what there is."""


@dataclass(frozen=True, slots=True)
class Output:
    """Words for a person, and one JSON object for a program; `target` is a file, "-" for standard output, or none."""

    target: str | None = None

    def __post_init__(self) -> None:
        if self.target not in (None, JSON_TO_STDOUT):
            from instructrec.files import need_place

            need_place(Path(self.target))

    @property
    def words(self) -> Console:
        """Standard output, or standard error when JSON is asked for on standard output."""
        from instructrec.console import printer

        return printer(to_stderr=self.target == JSON_TO_STDOUT)

    def finish(self, report: Mapping[str, Any]) -> None:
        """Write the JSON object where it was asked for; last of all, so that it is the last line."""
        if self.target is None:
            return
        line = json.dumps(report, ensure_ascii=False)
        if self.target == JSON_TO_STDOUT:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
            return
        from instructrec.files import write_atomic

        write_atomic(Path(self.target), line + "\n")


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Let no traceback reach a user: known errors become one message, Ctrl-C a promise, and a closed pipe ends in silence."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except InstructRecError as error:
            _end(f"Error: {error}", EXIT_USER)
        except KeyboardInterrupt:
            _end("\nStopped. What is done is kept: the same command continues.", EXIT_STOPPED)
        except BrokenPipeError:
            # Python flushes once more when it ends; give it a place where that cannot fail.
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(0) from None
        except MemoryError:
            _end(
                "Error: there is not enough memory for this. Use less data (cleaning.*), or a smaller model, and repeat.", EXIT_USER
            )
        except OSError as error:
            _unexpected(error, f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        except Exception as error:
            _unexpected(error, f"{type(error).__name__}: {error}")

    return run


def _unexpected(error: BaseException, words: str) -> None:
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    first = words.strip().splitlines()[0] if words.strip() else type(error).__name__
    _end(
        f"Unexpected error: {first}\nNothing stored is lost. Repeat with --debug to see where it comes from.",
        EXIT_BUG,
    )


def _end(message: str, code: int) -> None:
    with suppress(OSError):
        sys.stderr.write(message + "\n")
        sys.stderr.flush()
    raise SystemExit(code)
