"""Keeps long tuning within a few gigabytes: two habits of the C libraries below torch would let it grow step by step."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

STEPS_BETWEEN_RELEASES = 20
"""Often enough that fragments do not pile up; the pages that come back are cleared again, which costs a few per cent of a step."""


def limit_kernel_cache() -> None:
    """Let oneDNN keep 128 kernels instead of 1,024, unless the environment says otherwise; each new shape of a batch makes some.

    Must be called before the first product: oneDNN reads the variable once.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")


def keep_freed() -> None:
    """Let the allocator hold on to 64 MB that were freed (glibc; elsewhere nothing happens).

    Otherwise the activations of each layer go back to the system and come again as pages that have to be cleared: 3,000 page
    faults and a twentieth of the time of a request.
    """
    setting = _libc("mallopt")
    if setting is not None:
        setting(_MMAP_THRESHOLD, 32 << 20)
        setting(_TRIM_THRESHOLD, 64 << 20)


def release_freed() -> None:
    """Give memory that was freed, but that the allocator holds on to, back to the system (glibc; elsewhere nothing happens)."""
    trim = _libc("malloc_trim")
    if trim is not None:
        trim(0)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of the settings in glibc's malloc.h; 32 MB is the largest size that it lets stay off the system."""


def _libc(name: str) -> Any:
    """A function of the C library on Linux, if it has it."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
