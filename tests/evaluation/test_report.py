"""The report: one page that loads nothing, holds everything it was given, and takes no text for markup."""

from __future__ import annotations

import re
import tomllib
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from tests.evaluation.worlds import dataset, evaluation

from instructrec.errors import ConfigError
from instructrec.evaluation.beyond import BEYOND, Background
from instructrec.evaluation.comparison import compare
from instructrec.evaluation.costs import COSTS
from instructrec.evaluation.metrics import METRICS
from instructrec.evaluation.peruser import RATINGS
from instructrec.evaluation.report import (
    LANGUAGES,
    CleaningStep,
    Fact,
    ReportData,
    SampleItem,
    SampleList,
    SampleUser,
    render,
    wording,
)

VOID = {"meta", "link", "img", "br", "hr", "input"}
HOSTILE = "<script>alert(\"1\")</script><img src=x onerror='y'> & {{ 7 * 7 }} {model} %s"


class Page(HTMLParser):
    """Collects tags, visible text and attributes, and checks that every tag is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.ids: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def report(text: str = "A title", language: str = "en") -> ReportData:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 60, 80).tolist()
    models = {
        name: evaluation(rng.integers(1, worst, 80).tolist(), lengths=lengths)
        for name, worst in ((f"fusion {text}", 12), ("ease", 60))
    }
    comparison = compare(models, split="leave-one-out", background=Background.of(dataset([(0, 0), (1, 1)], num_items=100)))
    item = SampleItem(title=text, detail=text, score=0.5, source=text, explanation=text, status="verified")
    words = SampleList(items=(item,), instruction=text, limits=(text,), wish=text, not_understood=(text,), notes=(text,))
    return ReportData(
        title=text,
        subtitle=text,
        facts=(Fact("Seed", text),),
        data=(Fact("Users", text),),
        cleaning=(CleaningStep(name=text, before=12_345, after=12_000, note=text),),
        comparisons=(comparison,),
        curve=[{"step": step, "loss": 1 / step} for step in range(1, 9)]
        + [{"step": 4, "valid_loss": 0.1}, {"step": 8, "valid_loss": 0.2}],
        users=(SampleUser(name=text, history=(item,), lists=(SampleList(items=(item,)), words), history_length=7),),
        next_steps=(f"instructrec recommend {text}",),
        language=language,
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_holds_everything_and_is_well_formed(language: str) -> None:
    text = render(report("Casablanca", language))
    page = Page(text)
    words = wording(language)
    for heading in ("results", "users", "training", "data", "run", "metrics", "next"):
        assert words[heading] in page.text
    for expected in (
        "Casablanca",
        "fusion Casablanca",
        "NDCG@10",
        "12\u202f345",
        words["tests"]["title"],
        words["tests"]["better"],
    ):
        assert expected in text
    assert page.tags.count("svg") >= 1 + 1 + 4 + 2
    assert ("lang", language) in page.attributes


def test_it_loads_nothing() -> None:
    text = render(report())
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not [value for name, value in page.attributes if name in {"src", "srcset", "action", "xlink:href"}]
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert not re.search(r"url\(|@import|https?://", text)


def test_no_text_becomes_markup() -> None:
    page = Page(render(report(HOSTILE)))
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert HOSTILE in page.text
    assert "49" not in page.text.split("alert")[1][:60]


def test_it_can_be_used_without_eyes() -> None:
    page = Page(render(report()))
    assert page.tags.count("caption") == page.tags.count("table")
    assert page.tags.count("h1") == page.tags.count("main") == 1
    assert len(page.ids) == len(set(page.ids))
    pictures = [value for name, value in page.attributes if name == "role" and value == "img"]
    labels = [value for name, value in page.attributes if name == "aria-label"]
    assert len(labels) >= len(pictures) > 0
    assert all(labels)
    linked = {value[1:] for name, value in page.attributes if name == "href"}
    assert linked <= set(page.ids)


def test_equal_data_give_equal_bytes() -> None:
    assert render(report()) == render(report())


def test_empty_parts_are_left_out() -> None:
    page = Page(render(ReportData(title="Nothing yet")))
    assert page.tags.count("section") == 0
    assert "Nothing yet" in page.text


def test_a_new_user_and_an_unsatisfiable_instruction_are_said() -> None:
    user = SampleUser(name="new", history=(), lists=(SampleList(items=(), instruction="a silent western from 2090"),))
    page = Page(render(ReportData(title="t", users=(user,))))
    assert wording("en")["user"]["no_history"] in page.text
    assert wording("en")["user"]["no_items"] in page.text


def test_an_unclear_difference_is_not_called_better() -> None:
    same = evaluation([1, 5, 9, 30, 2, 8])
    comparison = compare({"a": same, "b": same}, split="x")
    page = Page(render(ReportData(title="t", comparisons=(comparison,))))
    assert "It is not clearly better than b" in page.text
    assert wording("en")["tests"]["unclear"] in page.text


def test_values_that_do_not_exist_are_dashes() -> None:
    comparison = compare({"a": evaluation([])}, split="x")
    assert "nan" not in Page(render(ReportData(title="t", comparisons=(comparison,)))).text


def test_an_unknown_language_is_named() -> None:
    with pytest.raises(ConfigError, match="no report in 'fr'"):
        render(ReportData(title="t", language="fr"))


def test_languages_have_the_same_words() -> None:
    english, chinese = (_load(language) for language in LANGUAGES)
    assert _keys(english) - {"definitions"} == {key for key in _keys(chinese) if not key.startswith("definitions")}
    assert set(chinese["definitions"]) == {*METRICS, *BEYOND, *RATINGS, *COSTS}
    for key, sentence in chinese["headline"].items():
        assert set(re.findall(r"{\w+}", sentence)) == set(re.findall(r"{\w+}", english["headline"][key]))


def _load(language: str) -> dict[str, Any]:
    return tomllib.loads(files("instructrec.evaluation").joinpath(f"wording/{language}.toml").read_text(encoding="utf-8"))


def _keys(table: dict[str, Any], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for key, value in table.items():
        found |= _keys(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {f"{prefix}{key}"}
    return found
