"""Keeps long tuning within a few gigabytes: two habits of the C libraries below torch would let it grow step by step."""

from __future__ import annotations

import ctypes
import os
import sys

STEPS_BETWEEN_RELEASES = 20
"""Often enough that fragments do not pile up; the pages that come back are cleared again, which costs a few per cent of a step."""


def limit_kernel_cache() -> None:
    """Let oneDNN keep 128 kernels instead of 1,024, unless the environment says otherwise; each new shape of a batch makes some.

    Must be called before the first product: oneDNN reads the variable once.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")


def release_freed() -> None:
    """Give memory that was freed, but that the allocator holds on to, back to the system (glibc; elsewhere nothing happens)."""
    if not sys.platform.startswith("linux"):
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
