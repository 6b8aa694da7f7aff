"""The grammar of a text as a token automaton: which tokens of a language model may come next.

An alternative is a piece of the grammar written in tokens; those that are still possible are kept side by side, each with the
tokens that are left of it, so that a step looks at a few dozen alternatives and never at a vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from instructrec.instructions.canonical import END, STOP, Piece, Statement
from instructrec.instructions.grammar import Grammar

Encode: TypeAlias = Callable[[Piece], Sequence[int]]
"""A piece as the tokens of a model."""


class Path(NamedTuple):
    """One way on: finished statements, the pieces of the begun one, and the tokens that are left of its last piece."""

    done: tuple[Statement, ...]
    open: Statement
    left: tuple[int, ...]


class Automaton:
    """All that a model may write about one text."""

    def __init__(self, grammar: Grammar, encode: Encode) -> None:
        self.grammar = grammar
        self._encode = encode
        self._tokens: dict[Piece, tuple[int, ...]] = {}

    def start(self) -> list[Path]:
        """Where writing begins."""
        return self._expanded((), ())

    def choices(self, paths: Sequence[Path]) -> dict[int, list[Path]]:
        """The tokens that may come next, and the ways that go on with each; none at the end."""
        found: dict[int, list[Path]] = {}
        for path in paths:
            if path.left:
                found.setdefault(path.left[0], []).append(path)
        return found

    def step(self, paths: Sequence[Path]) -> list[Path]:
        """The ways on behind the token that all these paths go on with."""
        found: list[Path] = []
        for path in paths:
            if len(path.left) > 1:
                found.append(path._replace(left=path.left[1:]))
            else:
                found += self._finished(path)
        return found

    def _finished(self, path: Path) -> list[Path]:
        if path.open[-1] == STOP:
            return [path._replace(open=(), left=())]
        if path.open[-1] == END:
            return self._expanded((*path.done, path.open), ())
        return self._expanded(path.done, path.open)

    def _expanded(self, done: tuple[Statement, ...], open_: Statement) -> list[Path]:
        pieces = self.grammar.following(done, open_)
        return [Path(done, (*open_, piece), tokens) for piece in pieces if (tokens := self.tokens(piece))]

    def tokens(self, piece: Piece) -> tuple[int, ...]:
        """A piece in tokens."""
        plain = piece._replace(place=-1)
        if plain not in self._tokens:
            self._tokens[plain] = tuple(self._encode(plain))
        return self._tokens[plain]
