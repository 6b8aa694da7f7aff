"""Why one item: the answer for one item, and the page that draws it, whatever the item is called."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.hostile import TITLES

from instructrec import config, pipeline
from instructrec.cli import main
from instructrec.core import Query
from instructrec.data.synthetic import genres
from instructrec.explain import explain_batch
from instructrec.models import resolve
from instructrec.pipeline import Request


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("reasons") / "a"
    return pipeline.train(
        pipeline.prepare(config.from_toml("", ["data.source=synthetic-genres", "model=ridge"])), out, num_samples=1
    )


class Tags(HTMLParser):
    """The tags of a page that could load or run something, and what stands outside of tags."""

    def __init__(self) -> None:
        super().__init__()
        self.active: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        runs = tag in ("script", "img", "iframe", "link", "object", "form", "input", "base")
        if runs or any(name.startswith("on") or name in ("src", "href") for name, _ in attrs):
            self.active.append(tag)

    def handle_data(self, data):
        self.text += data


def read(page):
    tags = Tags()
    tags.feed(page)
    return tags


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_says_and_draws_what_the_answer_holds(run, language):
    user = run.dataset.interactions.user_ids[0]
    [best, *_] = pipeline.answer(run, Request(user=user))["items"]
    report = pipeline.explain_item(run, Request(user=user, language=language), best["item_id"])
    [entry] = report["items"]
    assert (entry["rank"], report["attribution"]["listed"], report["list_length"]) == (1, True, 10)
    assert json.loads(json.dumps(report)) == report
    found = read(pipeline.reasons_page(report, language=language))
    assert not found.active
    for said in (entry["explanation"], entry["caveat"], entry["counterfactual_text"]):
        assert said in found.text
    strongest = report["attribution"]["history"][0]
    assert f"{strongest['effect']:+.3g}" in found.text


def test_the_place_of_an_item_is_that_of_the_whole_list(run):
    user = run.dataset.interactions.user_ids[1]
    items = [entry["item_id"] for entry in pipeline.answer(run, Request(user=user, n=30), explained=False)["items"]]
    for place in (0, 4, 14, 29):
        report = pipeline.explain_item(run, Request(user=user), items[place])
        assert report["items"][0]["rank"] == place + 1
        assert report["attribution"]["listed"] is (place < 10)
        assert bool(report["items"][0]["counterfactual"]) <= (place < 10)


def test_tokens_are_drawn_as_strong_as_gradients_say_and_never_as_markup(run):
    report = pipeline.explain_item(run, Request(user=run.dataset.interactions.user_ids[0]), run.catalog.item_ids[3])
    assert report["attribution"]["saliency"] == []
    tokens = [
        {"token": "<script>", "effect": 0.5, "attention": 0.1},
        {"token": "Heat", "effect": -1.0, "attention": 0.4},
        {"token": "", "effect": 0.0, "attention": 0.5},
    ]
    page = pipeline.reasons_page({**report, "attribution": {**report["attribution"], "saliency": tokens}})
    assert not read(page).active
    assert "--share: 50%" in page and 'style="--share: 100%" class="against"' in page
    assert "--share: 20%" in page and "--share: 80%" in page and "Where the language model looked" in page


def test_an_item_that_was_met_is_explained_as_if_it_had_not_been(run):
    user = run.dataset.interactions.user_ids[2]
    past = pipeline.answering.stored_history(run.dataset, user)
    report = pipeline.explain_item(run, Request(user=user), past[-1])
    assert any("already" in note for note in report["notes"])
    assert past[-1] not in {row["item_id"] for row in report["attribution"]["history"]}
    shown = pipeline.answer(run, Request(user=user, hide_seen=False, n=60))["items"]
    assert any(entry["item_id"] in past for entry in shown)
    for entry in shown:
        assert entry["item_id"] not in {fact.get("item_id") for fact in (*entry["evidence"], *entry["against"])}


def test_an_item_that_the_words_rule_out_is_said_to_be_so(run):
    item = run.catalog.item_ids[0]
    name, labels = next(iter(run.catalog.labels.items()))
    value = labels.of(0)[0]
    words = {"limits": [{"attribute": name, "operator": "exclude", "values": [value]}]}
    report = pipeline.explain_item(run, Request(user=run.dataset.interactions.user_ids[0], parameters=words), item)
    assert report["items"] == [] and report["attribution"]["listed"] is False
    assert "rule the item out" in read(pipeline.reasons_page(report)).text


def test_no_title_runs_in_the_page_or_reaches_the_text_as_words():
    world = genres()
    count = len(world.catalog)
    for start in range(0, len(TITLES), count):
        titles = (TITLES[start:] + TITLES)[:count]
        odd = replace(world, catalog=replace(world.catalog, titles=titles))
        model = resolve("ridge")().fit(odd)
        rows = odd.interactions
        queries = [Query(history=tuple(odd.catalog.item_ids[code] for code in rows.history(user))) for user in range(5)]
        lists = model.recommend(queries)
        for entry in (one for some in explain_batch(model, lists, odd, counterfactual=True) for one in some):
            assert entry.status in ("verified", "fallback") and entry.text.strip()
            report = {
                "user_id": None, "model": "ridge", "model_version": "1", "list_length": 10, "notes": [],
                "instruction": {"text": "", "understood": [], "wish": "", "not_understood": [], "notes": []},
                "attribution": {"listed": True}
                | {name: [] for name in ("history", "values", "described", "words", "sources", "saliency")},
                "items": [
                    {
                        "item_id": entry.item, "title": odd.catalog.titles[odd.catalog.index[entry.item]], "rank": 1,
                        "explanation": entry.text, "caveat": entry.caveat, "counterfactual_text": entry.counterfactual_text,
                        "explanation_status": entry.status, "evidence": [], "against": [],
                    }
                ],
            }  # fmt: skip
            assert not read(pipeline.reasons_page(report)).active


def test_the_command_writes_the_page_whole(run, tmp_path: Path, capsys):
    out = tmp_path / "why.html"
    user, item = run.dataset.interactions.user_ids[0], run.catalog.item_ids[3]
    with pytest.raises(SystemExit) as ended:
        main(["explain", str(run.path), "--user", user, "--item", item, "--html", str(out)])
    assert not ended.value.code and "Drawn in" in capsys.readouterr().out
    assert out.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert [path.name for path in tmp_path.iterdir()] == ["why.html"]
