"""A larger language model says in the words of people what templates or catalogs say; it is kept, so nothing is paid twice."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Literal, TypeAlias

from instructrec.errors import ModelError
from instructrec.instructions.wording import read_wording
from instructrec.lm.endpoint import LanguageModel

SaidKind: TypeAlias = Literal["preference", "vague", "specific", "names"]
MAX_TOKENS = 120
MOST_CHARACTERS = 400
"""An answer that is longer did not do what was asked."""
GIVE_UP_AFTER = 20
"""Failures in a row after which the teacher is not asked any more."""
_THOUGHT = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_MARKS = "\"'“”‘’「」 "


@dataclass(slots=True)
class Told:
    """What became of the sentences: `new` answers of the teacher, `kept` ones from before, and those left as they were because the
    request `failed` or the answer was `empty` (or no sentence).
    """

    new: int = 0
    kept: int = 0
    failed: int = 0
    empty: int = 0


class Teacher:
    """Rewrites sentences by a language model. `told` counts what became of them.

    `cache`: a file of JSON lines, one an answer, under the sha256 of model name and prompt; every answer is appended as it comes.
    """

    def __init__(self, model: LanguageModel, cache: Path, *, name: str, language: str, at_once: int = 8) -> None:
        self.told = Told()
        self.model, self.cache, self.name, self.language, self.at_once = model, cache, name, language, at_once
        self._known = _read(cache)
        self._row_of_failures = 0
        self._counting = Lock()

    def rewrite(self, sentences: Sequence[tuple[SaidKind, str]]) -> list[str]:
        """Each sentence as the teacher says it, or as it is where the teacher fails. Equal sentences are asked once."""
        prompts = [_prompts(self.language)[kind].replace("{sentence}", sentence) for kind, sentence in sentences]
        keys = [hashlib.sha256(f"{self.name}\n{prompt}".encode()).hexdigest() for prompt in prompts]
        missing = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in self._known}
        empty = self._ask(missing)
        answers = []
        for key, (_, sentence) in zip(keys, sentences, strict=True):
            answers.append(self._known.get(key, sentence))
            if key not in self._known:
                self.told.empty += key in empty
                self.told.failed += key not in empty
            elif key not in missing:
                self.told.kept += 1
            else:
                self.told.new += 1
        return answers

    def _ask(self, missing: dict[str, str]) -> set[str]:
        """Ask for what is not known yet; gives the keys of those that were answered with nothing usable."""
        empty: set[str] = set()
        pool = ThreadPoolExecutor(self.at_once)
        try:
            pending = {pool.submit(self._one, prompt): key for key, prompt in missing.items()}
            for done in as_completed(pending):
                text = done.result()
                if text:
                    self._keep(pending[done], text)
                elif text is not None:
                    empty.add(pending[done])
        finally:
            # After Ctrl-C what waits is dropped; what has come is in the file.
            pool.shutdown(cancel_futures=True)
        return empty

    def _one(self, prompt: str) -> str | None:
        """The sentence, an empty text where there is none in the answer, or none where the request failed."""
        if self._row_of_failures >= GIVE_UP_AFTER:
            return None
        try:
            [text] = self.model.generate([prompt], max_tokens=MAX_TOKENS)
        except ModelError:
            with self._counting:
                self._row_of_failures += 1
            return None
        self._row_of_failures = 0
        return _sentence(text)

    def _keep(self, key: str, text: str) -> None:
        self._known[key] = text
        self.cache.parent.mkdir(parents=True, exist_ok=True)
        with self.cache.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "text": text}, ensure_ascii=False) + "\n")


def _sentence(text: str) -> str:
    """What an answer says, on one line and without quotation marks; empty where it is no sentence."""
    lines = [line.strip(_MARKS) for line in _THOUGHT.sub("", text).splitlines()]
    said = " ".join(line for line in lines if line)
    return said if len(said) <= MOST_CHARACTERS else ""


@cache
def _prompts(language: str) -> dict[SaidKind, str]:
    table: dict[SaidKind, str] = read_wording("teacher", language)  # type: ignore[assignment]
    return {kind: text.strip() for kind, text in table.items()}


def _read(cache: Path) -> dict[str, str]:
    """Answers from before; a last line that was cut off by an interruption is left out."""
    known: dict[str, str] = {}
    if not cache.is_file():
        return known
    text = cache.read_text(encoding="utf-8", errors="replace")
    if text and not text.endswith("\n"):
        with cache.open("a", encoding="utf-8") as file:
            file.write("\n")
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            known[str(entry["key"])] = str(entry["text"])
        except (ValueError, KeyError, TypeError):
            continue
    return known
