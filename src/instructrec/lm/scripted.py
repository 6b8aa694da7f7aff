"""A language model that says what it was told to: the fake of the seam, for tests and for trying things out without a server."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from instructrec.errors import ModelError
from instructrec.lm.endpoint import LanguageModel


class ScriptedLanguageModel(LanguageModel):
    """Answers from tables or functions; `asked` holds every prompt so far, in order.

    `says` gives the text after a prompt, `likes` the log-likelihood in nats of a continuation after a prompt. A token is a word
    with the space before it. Raises ModelError for what a table does not hold.
    """

    def __init__(
        self,
        says: Mapping[str, str] | Callable[[str], str],
        likes: Mapping[tuple[str, str], float] | Callable[[str, str], float] | None = None,
    ) -> None:
        self.asked: list[str] = []
        self._says = says
        self._likes = likes or {}

    def generate(
        self, prompts: Sequence[str], *, max_tokens: int, temperature: float = 0.0, seed: int = 0, stop: Sequence[str] = ()
    ) -> list[str]:
        """The scripted text of each prompt, at most `max_tokens` words, cut before the first of the `stop` texts."""
        self.asked += prompts
        texts = []
        for prompt in prompts:
            text = self._says(prompt) if callable(self._says) else self._says.get(prompt)
            if text is None:
                raise ModelError(f"Nothing is scripted for the prompt '{prompt[:80]}'. Add it to `says`.")
            texts.append(_cut(text, max_tokens, stop))
        return texts

    def score(self, prompts: Sequence[str], continuations: Sequence[Sequence[str]]) -> list[list[float]]:
        """The scripted log-likelihood, in nats, of each continuation after its prompt."""
        self.asked += prompts
        return [[self._like(prompt, end) for end in ends] for prompt, ends in zip(prompts, continuations, strict=True)]

    def _like(self, prompt: str, end: str) -> float:
        value = self._likes(prompt, end) if callable(self._likes) else self._likes.get((prompt, end))
        if value is None:
            raise ModelError(f"No score is scripted for '{end[:40]}' after the prompt '{prompt[:80]}'. Add the pair to `likes`.")
        return value


def _cut(text: str, max_tokens: int, stop: Sequence[str]) -> str:
    text = re.split("|".join(map(re.escape, stop)), text, maxsplit=1)[0] if stop else text
    return text if len(text.split()) <= max_tokens else "".join(re.findall(r"\s*\S+", text)[:max_tokens])
