"""A teacher says sentences anew: once each, kept on disk, and never at the cost of an example."""

from __future__ import annotations

import json

import pytest
from tests.lm.scripted_server import ScriptedServer, Step

from instructrec.errors import ModelError
from instructrec.instructions.teacher import GIVE_UP_AFTER, MOST_CHARACTERS, Teacher, Told
from instructrec.instructions.wording import LANGUAGES
from instructrec.lm.endpoint import Endpoint, EndpointConfig
from instructrec.lm.scripted import ScriptedLanguageModel

ASKED = [("preference", "likes: {odd} comedy"), ("vague", "something comedy"), ("specific", "wanted: comedy 90s")]


def teacher(model, place, *, language="en", at_once=1):
    return Teacher(model, place / "kept", name="big", language=language, at_once=at_once)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_sentence_is_put_into_its_own_question(tmp_path, language):
    model = ScriptedLanguageModel(lambda prompt: f"said {len(prompt)}")
    answers = teacher(model, tmp_path, language=language).rewrite(ASKED)
    assert len(set(answers)) == len(set(model.asked)) == 3
    for (_, sentence), prompt in zip(ASKED, sorted(model.asked, key=[a for a in model.asked].index), strict=True):
        assert any(sentence in each for each in model.asked), prompt


def test_what_was_said_is_kept_and_not_asked_again(tmp_path):
    first = teacher(ScriptedLanguageModel(lambda prompt: "a nice sentence"), tmp_path)
    assert first.rewrite([*ASKED, ASKED[0]]) == ["a nice sentence"] * 4
    assert (first.told.new, len(first.model.asked)) == (4, 3)
    silent = ScriptedLanguageModel({})
    again = teacher(silent, tmp_path)
    assert again.rewrite(ASKED) == ["a nice sentence"] * 3
    assert again.told == Told(kept=3)
    assert not silent.asked
    other = Teacher(silent, tmp_path / "kept", name="another model", language="en")
    assert other.rewrite(ASKED[:1]) == ["likes: {odd} comedy"]
    assert other.told == Told(failed=1)


def test_an_interrupted_line_is_no_answer_and_does_no_harm(tmp_path):
    teacher(ScriptedLanguageModel(lambda prompt: "kept"), tmp_path).rewrite(ASKED[:2])
    path = tmp_path / "kept"
    path.write_text(path.read_text()[:-9])
    model = ScriptedLanguageModel(lambda prompt: "new")
    assert sorted(teacher(model, tmp_path).rewrite(ASKED[:2])) == ["kept", "new"]
    assert len(model.asked) == 1
    assert teacher(ScriptedLanguageModel({}), tmp_path).rewrite(ASKED[:2]) != [sentence for _, sentence in ASKED[:2]]


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ('"I love a good comedy."\n', "I love a good comedy."),
        ("<think>hm</think>\n「我爱看喜剧」", "我爱看喜剧"),
        ("one\n\ntwo", "one two"),
        ("", None),
        ("<think>never ends", None),
        ("x" * (MOST_CHARACTERS + 1), None),
    ],
)
def test_only_a_sentence_takes_the_place_of_the_template(tmp_path, answer, wanted):
    made = teacher(ScriptedLanguageModel(lambda prompt: answer), tmp_path)
    assert made.rewrite(ASKED[:1]) == [wanted or ASKED[0][1]]
    assert made.told == (Told(new=1) if wanted else Told(empty=1))


def test_a_failure_costs_a_sentence_and_a_dead_server_is_left_alone(tmp_path):
    def fails(prompt):
        raise ModelError("gone")

    model = ScriptedLanguageModel(fails)
    made = teacher(model, tmp_path)
    asked = [("vague", f"something {number}") for number in range(3 * GIVE_UP_AFTER)]
    assert made.rewrite(asked) == [sentence for _, sentence in asked]
    assert made.told == Told(failed=len(asked))
    assert GIVE_UP_AFTER <= len(model.asked) < 2 * GIVE_UP_AFTER
    assert not (tmp_path / "kept").exists()


def test_a_server_is_asked_and_what_it_counts_is_counted(tmp_path):
    said = {
        "choices": [{"message": {"content": "Something to laugh about."}}],
        "usage": {"prompt_tokens": 50, "completion_tokens": 6},
    }
    with ScriptedServer([Step(status=400, body={"error": "no"}), Step(body=said)]) as server:
        endpoint = Endpoint(EndpointConfig(url=server.url, model="big", chat=True))
        made = teacher(endpoint, tmp_path)
        answers = made.rewrite(ASKED)
    assert sorted(answers)[:2] == ["Something to laugh about."] * 2
    assert made.told == Told(new=2, failed=1)
    assert (endpoint.spent.requests, endpoint.spent.prompt_tokens, endpoint.spent.completion_tokens) == (2, 100, 12)
    assert [json.loads(line)["text"] for line in (tmp_path / "kept").read_text().splitlines()] == ["Something to laugh about."] * 2
