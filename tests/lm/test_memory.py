"""Releasing memory works wherever it is called, and the environment keeps the last word."""

import os

from instructrec.lm.memory import limit_kernel_cache, release_freed


def test_freed_memory_can_be_released_at_any_time() -> None:
    block = bytearray(1 << 20)
    release_freed()
    assert len(block) == 1 << 20


def test_a_cache_size_from_outside_is_kept(monkeypatch) -> None:
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "7")
    limit_kernel_cache()
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "7"
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY")
    limit_kernel_cache()
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "128"
