"""`instructrec names`: a teacher's words for the values of a catalog become a table that loading reads, and words that parse."""

from __future__ import annotations

import csv
import json

import pytest
from tests.lm.scripted_server import ScriptedServer, Step

from instructrec.cli import main
from instructrec.data import load
from instructrec.data.options import LoadOptions
from instructrec.instructions import parse
from instructrec.tables import Limit

KNOWN = {
    "en": {
        "Comedy": "a laugh, funny stuff, Drama, not",
        "Romance": 'love story, "tearjerker", popularity, the kind of tale in which two people fall in love at last',
        "Drama": "tearjerker.",
        "Horror": "none",
    },
    "zh": {"Comedy": "喜剧、搞笑", "Horror": "恐怖；吓人", "Romance": "无", "Drama": "不"},
}


def said(language):
    def answer(body):
        if not body:
            return {"data": [{"id": "big"}]}
        prompt = body["messages"][0]["content"]
        value = prompt.rsplit("genres: ", 1)[1].split("\n", 1)[0]
        content = KNOWN[language].get(value, "")
        return {"choices": [{"message": {"content": content}}], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}

    return answer


def asked(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["names", "--data", "synthetic-genres", *arguments])
    out, err = capsys.readouterr()
    return ended.value.code or 0, out, err


@pytest.mark.parametrize(
    ("language", "names", "words", "unwanted"),
    [
        ("en", {"Comedy": ["a laugh", "funny stuff"], "Romance": ["love story"]}, "no love stories", "Romance"),
        ("zh", {"Comedy": ["喜剧", "搞笑"], "Horror": ["恐怖", "吓人"]}, "不要恐怖片", "Horror"),
    ],
)
def test_names_that_can_mean_nothing_else_are_written_and_understood(tmp_path, capsys, language, names, words, unwanted):
    place = tmp_path / "names.csv"
    with ScriptedServer([Step(body=said(language))]) as server:
        code, out, _ = asked(capsys, "--out", str(place), "--teacher", server.url, "--language", language, "--json")
        facts = json.loads(out)
        assert (code, facts["names"], facts["teacher"]["model"]) == (0, sum(map(len, names.values())), "big")
        paid = len(server.bodies)
        place.rename(tmp_path / "mine.csv")
        code, _, _ = asked(capsys, "--out", str(place), "--teacher", server.url, "--language", language)
        assert code == 0
        assert len(server.bodies) <= paid + 1 + facts["teacher"]["values"]["empty"], "what was answered is not paid for twice"
    assert place.read_bytes() == (tmp_path / "mine.csv").read_bytes()
    with place.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {value: [row["name"] for row in rows if row["value"] == value] for value in names} == names
    catalog = load("synthetic-genres", options=LoadOptions(names=str(place))).dataset.catalog
    assert parse(words, catalog, language=language).limits == (Limit(attribute="genres", operator="exclude", values=(unwanted,)),)


def test_a_table_that_exists_is_left_alone(tmp_path, capsys):
    place = tmp_path / "names.csv"
    place.write_text("mine")
    code, _, err = asked(capsys, "--out", str(place), "--teacher", "http://127.0.0.1:9", "--teacher-model", "big")
    assert code == 2 and "exists already" in err and place.read_text() == "mine"


def test_a_teacher_that_never_answers_leaves_no_table(tmp_path, capsys):
    with ScriptedServer([Step(status=400, body={"error": "no"})]) as server:
        code, _, err = asked(capsys, "--out", str(tmp_path / "names.csv"), "--teacher", server.url, "--teacher-model", "big")
    assert code == 2 and "gave no answer" in err
    assert not (tmp_path / "names.csv").exists()
