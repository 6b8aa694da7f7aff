"""Lists, dicts, strings and numbers out of a file in Python's own format, without ever running what such a file may ask for.

The opcodes are read one by one (`pickletools`, which executes nothing), and only those that build plain values are obeyed.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import Any

_SAME = {
    "BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT", "SHORT_BINUNICODE", "BINUNICODE",
    "BINUNICODE8", "UNICODE", "SHORT_BINSTRING", "BINSTRING", "STRING",
}  # fmt: skip
"""Opcodes whose value is what they carry."""
_FIXED: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NOTHING = {"PROTO", "FRAME"}


class _Mark:
    """Where a run of values begins."""


class _Reader:
    """A stack and a memo, as the format wants them."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._obey: Mapping[str, Callable[[Any], None]] = {
            "MARK": lambda _: self.stack.append(_Mark()),
            "MEMOIZE": lambda _: self._memo.__setitem__(len(self._memo), self.stack[-1]),
            "APPEND": lambda _: self._append([self.stack.pop()]),
            "APPENDS": lambda _: self._append(self._run()),
            "SETITEM": lambda _: self._set([self.stack.pop(-2), self.stack.pop()]),
            "SETITEMS": lambda _: self._set(self._run()),
            "LIST": lambda _: self.stack.append(self._run()),
            "TUPLE": lambda _: self.stack.append(tuple(self._run())),
            "DICT": self._dict,
            "POP": lambda _: self.stack.pop(),
        }

    def take(self, name: str, value: Any) -> None:
        """Obey one opcode. Raises ValueError for one that builds no plain value."""
        if name in _SAME:
            self.stack.append(value)
        elif name in _FIXED:
            self.stack.append(_FIXED[name]())
        elif name in _TUPLES:
            size = _TUPLES[name]
            self.stack[-size:] = [tuple(self.stack[-size:])]
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self._memo[value] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            self.stack.append(self._memo[value])
        elif name in self._obey:
            self._obey[name](value)
        elif name not in _NOTHING:
            wanted = " ".join(map(str, self.stack[-2:])) if name == "STACK_GLOBAL" else value
            raise ValueError(f"it asks for {name} {wanted or ''}".strip())

    def _run(self) -> list[Any]:
        """The values behind the last mark, which goes with them."""
        place = max(at for at, value in enumerate(self.stack) if isinstance(value, _Mark))
        found = self.stack[place + 1 :]
        del self.stack[place:]
        return found

    def _append(self, values: list[Any]) -> None:
        into = self.stack[-1]
        if not isinstance(into, list):
            raise ValueError("it adds to something that is no list")
        into.extend(values)

    def _set(self, pairs: list[Any]) -> None:
        into = self.stack[-1]
        if not isinstance(into, dict):
            raise ValueError("it sets a key of something that is no dict")
        into.update(zip(pairs[::2], pairs[1::2], strict=True))

    def _dict(self, _: Any) -> None:
        pairs = self._run()
        self.stack.append(dict(zip(pairs[::2], pairs[1::2], strict=True)))


def plain_values(content: bytes) -> Any:
    """The value that a file holds. Raises ValueError for one that is damaged, or that holds more than plain values."""
    reader = _Reader()
    try:
        for opcode, value, _ in pickletools.genops(content):
            if opcode.name == "STOP":
                [found] = reader.stack
                return found
            reader.take(opcode.name, value)
    except (IndexError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"it is damaged ({type(error).__name__})") from error
    raise ValueError("it has no end")
