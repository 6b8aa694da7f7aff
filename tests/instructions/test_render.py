"""Golden prompts: a change of wording must be seen in review. Rewrite with INSTRUCTREC_REWRITE_GOLDEN=1."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from tests.contracts import WORLD

from instructrec.core import Example, Instruction, ItemRef, Query
from instructrec.errors import ConfigError
from instructrec.instructions.render import ItemWords, query_example, target_wish, wording
from instructrec.instructions.tasks import Chunk, TaskConfig, TaskMixture, chunks
from instructrec.instructions.wording import LANGUAGES
from instructrec.tables import Limit

GOLDEN = Path(__file__).parent / "golden"
CATALOG = WORLD.catalog


def shown(example: Example) -> list[str]:
    """An example as lines: the trunk, then each question with what it may see and its answer."""
    lines = [" ".join(piece if isinstance(piece, str) else f"<{CATALOG.item_ids[piece.code]}>" for piece in example.trunk)]
    for branch in example.branches:
        words = " ".join(piece if isinstance(piece, str) else f"<{CATALOG.item_ids[piece.code]}>" for piece in branch.pieces)
        answer = branch.completion or (f"<{CATALOG.item_ids[branch.target]}>" if branch.target is not None else "?")
        lines.append(f"  after {branch.at} [{branch.task}] {words} => {answer}")
    return lines


def pattern(sentence: str) -> re.Pattern[str]:
    """What all cases of a sentence look like."""
    return re.compile(re.sub(r"\\{\w+\\}", ".+", re.escape(sentence)))


def check_golden(name: str, lines: list[str]) -> None:
    path = GOLDEN / f"{name}.json"
    if os.environ.get("INSTRUCTREC_REWRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(lines, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8")) == lines


@pytest.mark.parametrize("language", LANGUAGES)
def test_tuning_prompts(language: str) -> None:
    rng = np.random.default_rng(0)
    mixture = TaskMixture(CATALOG, TaskConfig(questions=60.0), language=language)
    pieces = chunks(WORLD.interactions.histories()[:6], length=10, rng=rng)
    check_golden(f"tuning.{language}", [line for example in mixture.examples(pieces, rng) for line in shown(example)])


@pytest.mark.parametrize("language", LANGUAGES)
def test_live_prompts(language: str) -> None:
    history = CATALOG.item_ids[:3]
    comedy = Limit(attribute="genres", operator="include", values=("Comedy",))
    queries = [
        Query(),
        Query(history=history),
        Query(history=history, instruction=Instruction(text="a comedy, please", limits=(comedy,), wish="comedy")),
        Query(
            history=history, instruction=Instruction(text="", limits=(comedy, Limit(attribute="year", operator="range", low=1990)))
        ),
        Query(history=("no such item", *history)),
    ]
    examples = [query_example(query, CATALOG, language=language, max_history=2) for query in queries]
    check_golden(f"live.{language}", [line for example in examples for line in shown(example)])


def test_what_is_tuned_is_what_is_served() -> None:
    """A live request without words is the trunk of a tuning example, with one of its wordings."""
    live = query_example(Query(history=CATALOG.item_ids[:4]), CATALOG, language="en", max_history=100)
    assert live.trunk[0] in wording("en").train["history"]
    assert live.trunk[1:] == tuple(ItemRef(code) for code in range(4))


@pytest.mark.parametrize("language", LANGUAGES)
def test_held_out_phrasings_are_never_trained(language: str) -> None:
    forms = wording(language)
    for task in forms.train:
        assert not set(forms.train[task]) & set(forms.held_out.get(task, ()))
    rng = np.random.default_rng(1)
    mixture = TaskMixture(CATALOG, TaskConfig(questions=200.0), language=language)
    pieces = [Chunk.whole(history) for history in WORLD.interactions.histories()]
    asked = {branch.pieces[-1] for example in mixture.examples(pieces, rng) for branch in example.branches}
    held = [pattern(sentence) for task in ("wish", "vague", "preference", "limit") for sentence in forms.held_out[task]]
    assert not [words for words in asked if isinstance(words, str) for each in held if each.fullmatch(words)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_forty_phrasings_of_every_task_and_a_fifth_is_held_out(language: str) -> None:
    forms = wording(language)
    assert set(forms.train) == set(forms.held_out) == set(wording("en").train)
    for task, train in forms.train.items():
        every = {*train, *forms.held_out[task]}
        assert len(every) == len(train) + len(forms.held_out[task]) >= 40, task
        assert len(forms.held_out[task]) == len(every) // 5, task


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_trained_sentence_is_a_case_of_a_held_out_one(language: str) -> None:
    forms = wording(language)
    for task, sentences in forms.held_out.items():
        for held in sentences:
            filled = [(text, re.sub(r"{\w+}", "x", text)) for text in forms.train[task]]
            assert not [text for text, case in filled if pattern(held).fullmatch(case)], held


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_of_a_task_has_the_placeholders_of_the_first_one(language: str) -> None:
    forms = wording(language)
    for task in set(forms.train) - {"limit"}:
        blanks = [sorted(re.findall(r"{(\w+)}", text)) for text in (*forms.train[task], *forms.held_out[task])]
        assert blanks == [blanks[0]] * len(blanks), task


def test_a_target_wish_names_every_value_and_the_decade() -> None:
    words = ItemWords.of(CATALOG)
    for item in range(len(CATALOG)):
        text = target_wish(words, item, language="en", held_out=True, rng=np.random.default_rng(item))
        assert all(value in text for value in words.values[item])
        assert str(words.decades[item] % 100) in text


def test_questions_never_rest_on_what_comes_later() -> None:
    """A stated preference is read off the items before the target; an explanation names one of them."""
    history = WORLD.interactions.history(0)
    words = ItemWords.of(CATALOG)
    mixture = TaskMixture(CATALOG, TaskConfig(questions=100.0, share_wish=0.0, share_limit=0.0), language="en")
    checked = 0
    for seed in range(20):
        (example,) = mixture.examples([Chunk.whole(history)], np.random.default_rng(seed))
        for branch in example.branches:
            before = [int(code) for code in history[: branch.at - 1]]
            if branch.task == "preference":
                assert branch.target == history[branch.at - 1]
                known = {value for code in before for value in words.values[code]}
                named = [value for value in mixture.vocabulary if value in str(branch.pieces[0])]
                assert named
                assert set(named) <= known
                checked += 1
            if branch.task == "explanation":
                assert any(CATALOG.titles[code] in branch.completion for code in before)
                checked += 1
    assert checked > 20


def test_chunks_hold_every_item_once_and_in_order() -> None:
    histories = [np.arange(7), np.arange(250), np.arange(0), np.arange(100)]
    pieces = chunks(histories, length=100, rng=np.random.default_rng(0))
    assert all(0 < len(piece.items) <= 100 for piece in pieces)
    cut = sorted(int(code) for piece in pieces for code in piece.items)
    assert cut == sorted(int(code) for history in histories for code in history)
    assert all((np.diff(piece.items) == 1).all() for piece in pieces)
    assert all(set(piece.items.tolist()) <= piece.taken for piece in pieces)
    assert {len(piece.taken) for piece in pieces} == {7, 250, 100}


def test_an_unknown_language_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="en, zh"):
        wording("xx")
