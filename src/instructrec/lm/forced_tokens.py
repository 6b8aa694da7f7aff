"""Log-likelihoods from the server of llama.cpp, which does not echo a prompt.

Each token of a text is asked for as the next one, with a bias that lets no other come: the server says its log-probability as it
was before any bias. A request for each token then, but the server keeps what it has read of a prompt.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from instructrec.errors import ModelError
from instructrec.lm.server import PLAIN, Server, as_list

_TOKENIZE = "/tokenize"
_FORCE = 1000.0
"""Added to the logit of the token that is to come: far more than any two logits differ."""
_ALL = 1_000_000
"""Tokens to be listed where all are to be."""
_NEVER = -1e30
"""Below this, a log-probability is the smallest number there is, in place of minus infinity."""


class Token(NamedTuple):
    """A token of a text: its id, the bytes that it stands for, and whether they are whole characters."""

    id: int
    piece: bytes
    whole: bool


def tokens_of(server: Server, text: str) -> list[Token]:
    """The tokens that the server makes of a text, a start token included where it adds one; none where it does not say."""
    answer = server.send(_TOKENIZE, {"content": text, "add_special": True, "with_pieces": True})
    if answer.status == 404:
        return []
    entries = as_list(server.read(answer, _TOKENIZE).get("tokens"))
    tokens = [token for entry in entries if (token := _token(entry))]
    return tokens if len(tokens) == len(entries) else []


def score(server: Server, tokens: Sequence[Token], end: str) -> float | None:
    """Log-likelihood in nats of `end`, the last part of the text that `tokens` make; none where nothing stands before it.

    Raises ModelError where the server does not list a token that it was asked for.
    """
    first, left = len(tokens), len(end.encode())
    while first and left > 0:
        first -= 1
        left -= len(tokens[first].piece)
    if not first:
        return None
    # What ends within a character is held back, and its log-probability with it. Another token is forced in its place then, and
    # the log-probabilities of all are listed.
    another = next((token.id for token in tokens if token.whole), 0)
    total = 0.0
    for place in range(first, len(tokens)):
        token, prompt = tokens[place], [token.id for token in tokens[:place]]
        found = _next(server, prompt, token.id, 1) if token.whole else _next(server, prompt, another, _ALL)
        if token.id not in found:
            raise ModelError(f"{server.address} gave no log-probability of token {token.id}, although a bias forces it.")
        total += found[token.id]
    return total


def _next(server: Server, prompt: list[int], token: int, listed: int) -> dict[int, float]:
    """Log-probabilities of next tokens: of the one that is forced and of the likeliest ones."""
    options = {"max_tokens": 1, "temperature": 0.0, "logprobs": listed, "logit_bias": [[token, _FORCE]]}
    choice, _ = server.choice(server.send(PLAIN, {"prompt": prompt, **options}), PLAIN)
    logprobs = choice["logprobs"] if isinstance(choice.get("logprobs"), dict) else {}
    written = [entry for entry in as_list(logprobs.get("content"))[:1] if isinstance(entry, dict)]
    entries = [*written, *(entry for one in written for entry in as_list(one.get("top_logprobs")) if isinstance(entry, dict))]
    numbers = {entry.get("id"): entry.get("logprob") for entry in entries}
    return {
        token: float(value) if value > _NEVER else -math.inf
        for token, value in numbers.items()
        if isinstance(token, int) and isinstance(value, int | float)
    }


def _token(entry: Any) -> Token | None:
    """A token as llama.cpp lists it: a piece is a text, or a list of bytes where these are not whole characters."""
    with contextlib.suppress(KeyError, TypeError, ValueError):
        number, piece = int(entry["id"]), entry["piece"]
        return Token(number, piece.encode(), True) if isinstance(piece, str) else Token(number, bytes(list(piece)), False)
    return None
