"""A served language model as the writer of reasons: it is told what slots stand for, and never a title or a name of the person."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from instructrec.errors import ModelError
from instructrec.instructions.plans import TOLD, Plan
from instructrec.lm.endpoint import LanguageModel

MAX_TOKENS = 200
TEMPERATURE = 0.8
_THOUGHT = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)


class ServedWriter:
    """A text model behind a server, which `find` gives when it is first needed. Titles stay here: the model sees slots, and the
    words of values that a text depends on. A server that failed once is not waited for again.
    """

    def __init__(self, find: Callable[[], LanguageModel], *, language: str) -> None:
        self.language = language
        self._find = find
        self._model: LanguageModel | None = None
        self._failure: ModelError | None = None

    def write(self, plans: Sequence[Plan], *, seeds: Sequence[int]) -> list[str]:
        """A text with slots for each outline, as the model says it. Raises ModelError where the server fails."""
        if self._failure is not None:
            raise self._failure
        prompts = [prompt_of(plan, self.language) for plan in plans]
        try:
            self._model = self._model or self._find()
            said = self._model.generate(prompts, max_tokens=MAX_TOKENS, temperature=TEMPERATURE, seed=seeds[0] % 2**31)
        except ModelError as failure:
            self._failure = failure
            raise
        return [" ".join(_THOUGHT.sub("", text).split()) for text in said]


def prompt_of(plan: Plan, language: str) -> str:
    """What the model is asked: the outline, a line a slot, tone and length."""
    wording = _wording(language)
    lines = []
    for slot, words in plan.words.items():
        # One pass, so that braces in a value stay what they are.
        told = " ".join(words.split()) if slot in TOLD else ""
        lines.append(f"{{{slot}}}: " + str(wording["slots"][slot]).replace("{words}", told))
    parts = {
        "outline": "\n".join(lines),
        "tone": wording["tones"][plan.tone],
        "length": wording["lengths"][plan.length],
    }
    return re.sub(r"\{(outline|tone|length)\}", lambda found: str(parts[found[1]]), str(wording["prompt"]))


@cache
def _wording(language: str) -> Mapping[str, Any]:
    path = resources.files("instructrec.explain") / "wording" / f"served.{language}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))
