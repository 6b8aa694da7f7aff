"""How the process of a service shares its time among its threads, and what garbage collection looks at."""

from __future__ import annotations

import gc
import sys

TURN_S = 0.001
"""The longest that a busy thread keeps the others from running. The thread that writes wants to run for a moment several times a
commit; with Python's 5 ms a turn an event waits three times as long while lists are sent, and lists are no faster.
"""


def prepare_process() -> None:
    """Set up a process that does nothing but serve, after its run was read."""
    sys.setswitchinterval(TURN_S)
    set_aside()


def set_aside_again() -> None:
    """The same for what was read since, in a process that was set up so."""
    if gc.get_freeze_count():
        set_aside()


def set_aside() -> None:
    """Let garbage collection pass over all that is there now. It would go through a whole catalog while every request waits."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
