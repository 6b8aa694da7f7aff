import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.hostile import TITLES
from tests.instructions.films import films
from tests.instructions.sentences import Hard
from tests.instructions.shelves import SHELVES

from instructrec.core import Silent
from instructrec.errors import ModelError, RunError
from instructrec.instructions import parse
from instructrec.instructions.agreement import UNSURE, agree
from instructrec.instructions.meaning import from_canonical
from instructrec.instructions.phrasing import held_out_values
from instructrec.instructions.pretending import pretended
from instructrec.instructions.sentences import SentenceWriter
from instructrec.tuning.lessons import batched, lesson
from instructrec.tuning.understanding import Understander, UnderstandingConfig

TINY = UnderstandingConfig(base="tiny", layers=2, sentences=40, batch_tokens=400)
FILMS = films()
TEXTS = ("a comedy from the 90s, no horror", "five films like Alien", "something light", "", "at most two war films")


@pytest.fixture(scope="module")
def tuned():
    return Understander(TINY).fit(FILMS)


@pytest.mark.parametrize("text", [*TEXTS, *TITLES[::5]])
def test_every_text_has_a_meaning_that_can_be_written_down(tuned, text):
    found = tuned.read(text)
    assert 0 <= found.sure <= 1
    assert found.instruction.text == text
    assert Hard.of(from_canonical(found.canonical, FILMS)) == Hard.of(found.whole)
    both = agree(parse(text, FILMS), found.instruction, FILMS)
    assert both.text == text
    assert Hard.of(found.instruction) == Hard.of(found.whole) or any(note.startswith(UNSURE) for note in found.instruction.notes)


def test_a_sentence_is_read_once(tuned):
    assert tuned.read("a comedy") is tuned.read("a comedy")


def test_it_is_saved_and_loaded(tuned, tmp_path):
    tuned.save(tmp_path / "reader")
    loaded = Understander.load(tmp_path / "reader", FILMS)
    assert [loaded.read(text) for text in TEXTS] == [tuned.read(text) for text in TEXTS]
    facts = json.loads((tmp_path / "reader" / "understanding.json").read_text(encoding="utf-8"))
    (tmp_path / "reader" / "understanding.json").write_text(json.dumps(facts | {"format": 0}), encoding="utf-8")
    with pytest.raises(RunError, match="format 0"):
        Understander.load(tmp_path / "reader", FILMS)
    with pytest.raises(RunError, match="cannot be read"):
        Understander.load(tmp_path, FILMS)


def test_another_catalog_and_a_catalog_that_nothing_is_said_about_are_refused(tuned, tmp_path):
    tuned.save(tmp_path / "reader")
    with pytest.raises(RunError, match="another catalog"):
        Understander.load(tmp_path / "reader", SHELVES["shop"]())
    with pytest.raises(ModelError, match="nothing to tune"):
        Understander(replace(TINY, sentences=0)).fit(FILMS)


def test_it_reads_for_another_catalog(tuned):
    shop = SHELVES["shop"]()
    found = tuned.about(shop).read("a mascara, no lipstick").whole
    assert {value for limit in found.limits for value in limit.values} <= {"Mascara", "Lipstick"}
    assert tuned.catalog is FILMS


def test_it_cannot_be_asked_before_it_is_tuned():
    with pytest.raises(ModelError, match="not been tuned"):
        Understander(TINY).understand("x")


def test_equal_seeds_tune_equally_and_interrupted_work_goes_on(tmp_path, tuned):
    class Stop(Silent):
        def step(self, done, *, loss=None):
            if loss is not None and done == 2:
                raise KeyboardInterrupt

    config = replace(TINY, save_every_s=0.0)
    with pytest.raises(KeyboardInterrupt):
        Understander(config).fit(FILMS, progress=Stop(), folder=tmp_path)
    again = Understander(config).fit(FILMS, folder=tmp_path)
    assert [point["loss"] for point in again.curve] == [point["loss"] for point in tuned.curve]
    assert [again.read(text) for text in TEXTS] == [tuned.read(text) for text in TEXTS]


def test_tuning_learns():
    config = replace(TINY, sentences=1000, pretended=0.0, learning_rate=5e-3)
    curve = [point["loss"] for point in Understander(config).fit(FILMS).curve]
    assert np.mean(curve[-10:]) < 0.8 * np.mean(curve[:10])


def test_values_can_be_held_out(monkeypatch):
    held, said = held_out_values(FILMS), []
    monkeypatch.setattr(SentenceWriter, "_written", lambda self, ref, rng: said.append(ref.value.lower()) or ref.value)
    Understander(replace(TINY, hold_out_values=True)).fit(FILMS)
    assert said
    assert not set(said) & held


def test_a_lesson_asks_only_where_there_is_a_choice(tuned):
    sentence = SentenceWriter(FILMS).draw(np.random.default_rng(0), 3)
    found = lesson(sentence, FILMS, tuned._speller, language="en")
    assert all(len(choices) > 1 for choices in found.choices)
    written = [choices[right] for choices, right in zip(found.choices, found.right, strict=True)]
    assert written == [found.tokens[place + 1] for place in found.places]
    (batch,) = batched([found], batch_tokens=100, rng=np.random.default_rng(0))
    assert batch.choices[batch.exist].tolist() == [token for choices in found.choices for token in choices]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_made_up_catalogs_can_be_asked(language):
    rng = np.random.default_rng(3)
    for _ in range(5):
        catalog = pretended(SHELVES["films"](language), language, rng)
        sentences = [SentenceWriter(catalog, language=language).draw(rng, 2) for _ in range(10)]
        assert all(each.text for each in sentences)
        assert not {name for labels in catalog.labels.values() for name in labels.names} & {""}


def test_one_pass_or_several_read_the_same(tuned):
    vectors = torch.randn(7, tuned._model.decoder.width, generator=torch.Generator().manual_seed(0))
    tuned._reader.begin()
    whole = tuned._reader.append(vectors, torch.arange(7))
    tuned._reader.begin()
    parts = [tuned._reader.append(vectors[low:high], torch.arange(low, high)) for low, high in ((0, 3), (3, 4), (4, 7))]
    torch.testing.assert_close(parts[-1], whole, rtol=0.05, atol=0.05)
