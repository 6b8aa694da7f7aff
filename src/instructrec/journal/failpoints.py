"""Named places where a crash test may kill the process: the one reader of INSTRUCTREC_FAILPOINT.

"name" kills at the first passage and "name:7" at the seventh. Without the variable, which no service sets, nothing happens.
"""

from __future__ import annotations

import os
import signal
from typing import Final

NAMES: Final = (
    "writer-took", "append-begun", "append-written", "append-committed", "writer-told", "writer-resolved",
    "migration-begun", "migration-written", "erase-written", "erase-committed", "backup-copied",
    "restore-aside",
)  # fmt: skip
"""Every place, in the order in which a process passes them."""


def arm(wanted: str) -> None:
    """Set the place and passage to die at; empty for none."""
    global _name, _left
    _name, _, count = wanted.partition(":")
    _left = int(count) if count.isdecimal() else 1


def reach(name: str) -> None:
    """Die by SIGKILL, as at a loss of the process, if this is the wanted passage of the wanted place."""
    global _left
    if name != _name:
        return
    _left -= 1
    if _left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)


_name, _left = "", 1
arm(os.environ.get("INSTRUCTREC_FAILPOINT", ""))
