"""The writer: only its vocabulary, only its slots, every slot once; saved, loaded, and the same for the same seed."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.explain.worlds import film_world

from instructrec.errors import ModelError, QueryError, RunError
from instructrec.explain import lessons
from instructrec.instructions.plans import LENGTHS, OPTIONAL, SLOTS, TONES, Plan, seeds, slots_of
from instructrec.tuning import verbalising
from instructrec.tuning.verbalising import Verbaliser, VerbaliserConfig, held_out
from instructrec.tuning.vocabulary import SlotSpeller, WrittenRow, drawn

TINY = VerbaliserConfig(base="tiny", passes=1, batch_tokens=4000, rank=4)


class Bytes:
    """A tokenizer that can be turned back and needs no files: a token a byte, and one more for each of a few whole words."""

    WHOLE = (" you", " picked", " and", " history")

    def encode(self, text):
        found = []
        for part in re.split("(" + "|".join(self.WHOLE) + r")(?!\w)", text):
            found += [300 + self.WHOLE.index(part)] if part in self.WHOLE else list(part.encode())
        return found

    def decode(self, ids):
        whole = b"".join(self.WHOLE[token - 300].encode() if token >= 300 else bytes([token]) for token in ids)
        return whole.decode("utf-8", errors="replace")


@pytest.fixture(scope="module")
def tuned():
    with pytest.MonkeyPatch.context() as patch:
        load = verbalising.load_decoder
        patch.setattr(verbalising, "load_decoder", lambda *args, **kwargs: replace(load(*args, **kwargs), tokenizer=Bytes()))
        yield Verbaliser(TINY).fit(lessons(film_world(), language="en", passes=1, seed=0))


def plans():
    words = {"h1": "“Toy Story”", "h2": "“Aladdin”", "shared": "Comedy", "attribute": "genres", "fit": "a good match for you"}
    few = {"value": "Drama", "count": "12", "fit": "a fair match for you", "item": "“Casablanca”"}
    return [Plan(words=words), Plan(words=few, tone="warm", length="short"), Plan(words={"asked": "Drama", "fit": "a top pick"})]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_texts_by_hand_are_as_they_should_be(language):
    texts = seeds(language)
    assert {(text.tone, text.length) for text in texts} == {(tone, length) for tone in TONES for length in LENGTHS}
    assert len({text.text for text in texts}) == len(texts) >= 200
    for text in texts:
        slots = slots_of(text.text)
        assert "fit" in slots and len(set(slots)) == len(slots) and set(slots) <= set(SLOTS)
        assert not {"shared", "value"} <= set(slots) and ("h1" in slots or not {"h2", "h3", "shared"} & set(slots))
    assert 0.03 < len(held_out(language)) / len(texts) < 0.25


def test_a_text_is_spelled_and_read_back_and_can_be_written():
    speller = SlotSpeller(Bytes(), 512, "en")
    told = [text for text in seeds("en") if sum("{" not in " ".join(sentence) for sentence in parted(text.text) if sentence) < 2]
    assert len(told) > 0.8 * len(seeds("en"))
    for text in told[::4]:
        tokens = speller.text(text.text)
        assert tokens[-1] == speller.end and set(tokens) <= set(speller.tokens)
        assert speller.decode(tokens[:-1]) == text.text
        row = WrittenRow(speller, Plan(words={slot: "x" for slot in SLOTS if slot in text.slots}, tone="warm"))
        for token in tokens:
            assert speller.place[token] in row.allowed(), (text.text, speller.decode(row.tokens))
            row.take(speller.place[token])
        assert row.ended and row.text() == text.text


def test_a_plain_text_has_no_sentence_without_a_slot():
    speller, spoken = SlotSpeller(Bytes(), 512, "en"), {slot: "x" for slot in SLOTS}
    for tone, expected in (("plain", False), ("warm", True), ("brisk", True)):
        row = WrittenRow(speller, Plan(words=spoken, tone=tone))
        found = speller.attested(row.left, row.needed, idle=row._idle)
        bare = [text for text in seeds("en") for sentence in parted(text.text) if sentence and "{" not in " ".join(sentence)]
        assert bare and row._idle is expected and found is speller.attested(row.left, row.needed, idle=expected)
    kept = [slots for _, slots in speller._sentences if slots]
    assert kept and len(kept) < len(speller._sentences)


def test_a_word_that_no_text_has_cannot_come():
    speller = SlotSpeller(Bytes(), 512, "en")
    row = WrittenRow(speller, plans()[0])
    said = ""
    for token in speller.tokenizer.encode(" Blockbuster"):
        if speller.place.get(token) not in row.allowed():
            break
        row.take(speller.place[token])
        said = speller.decode(row.tokens)
    assert said and said != "Blockbuster"


def test_an_end_needs_all_slots_and_a_sentence():
    speller = SlotSpeller(Bytes(), 512, "en")
    row = WrittenRow(speller, Plan(words={"h1": "x", "fit": "y", "item": "z"}))
    end, text = speller.place[speller.end], next(seed.text for seed in seeds("en") if seed.slots == {"h1", "fit"})
    for token in speller.text(text)[:-1]:
        assert end not in row.allowed()
        row.take(speller.place[token])
        assert token not in speller.slots or speller.place[token] not in row.allowed()
    assert end in row.allowed()
    row.take(end)
    row.take(speller.place[ord(".")])
    assert row.text() == text and row.allowed() == [end]


def test_words_come_behind_words_that_they_stand_behind_by_hand(tuned):
    known = {three for seed in seeds("en") for sentence in parted(seed.text) for three in threes(sentence)}
    for text in tuned.write(plans() * 3, seeds=range(9)):
        for sentence in parted(text):
            assert set(threes(sentence)) <= known


def threes(sentence):
    return zip(sentence, sentence[1:], sentence[2:], strict=False)


def parted(text):
    """Words, signs and slots of each sentence of a text."""
    sentences = [[]]
    for part in re.findall(r"\{\w+\}|[^\W\d_]+|[^\w\s]", text):
        sentences[-1].append(part)
        if part in ".!?":
            sentences.append([])
    return sentences


def test_whatever_it_writes_says_its_outline(tuned):
    for text, plan in zip(tuned.write(plans() * 4, seeds=range(12)), plans() * 4, strict=True):
        assert text == "" or plan.is_said_by(text)
        words = set(re.findall(r"[a-z]+", re.sub(r"\{\w+\}", " ", text).lower()))
        assert words <= set(re.findall(r"[a-z]+", " ".join(seed.text for seed in seeds("en")).lower()))


def test_a_text_follows_from_outline_and_seed_whatever_stands_beside_it(tuned):
    first, second = plans()[:2]
    together = tuned.write([first, second], seeds=[5, 6])
    assert together == tuned.write([first, second], seeds=[5, 6])
    assert together == [tuned.write([first], seeds=[5])[0], tuned.write([second], seeds=[6])[0]]
    assert tuned.write([], seeds=[]) == []


def test_it_is_saved_and_loaded(tuned, tmp_path):
    tuned.save(tmp_path / "writing")
    loaded = Verbaliser.load(tmp_path / "writing")
    assert loaded.write(plans(), seeds=[1, 2, 3]) == tuned.write(plans(), seeds=[1, 2, 3])
    assert loaded.perplexity == tuned.perplexity and loaded.curve == tuned.curve
    facts = json.loads((tmp_path / "writing" / "writing.json").read_text(encoding="utf-8"))
    for change, words in (({"format": 0}, "another version"), ({"base_sha256": "x"}, "other weights")):
        (tmp_path / "writing" / "writing.json").write_text(json.dumps(facts | change), encoding="utf-8")
        with pytest.raises(RunError, match=words):
            Verbaliser.load(tmp_path / "writing")
    with pytest.raises(RunError, match="cannot be read"):
        Verbaliser.load(tmp_path)


def test_tuning_teaches(tuned):
    assert tuned.perplexity["after"] < tuned.perplexity["before"]


def test_without_texts_or_tuning_it_says_what_to_do():
    with pytest.raises(ModelError, match="no texts in language 'fr'"):
        Verbaliser(TINY).fit([], language="fr")
    with pytest.raises(ModelError, match="not been tuned"):
        Verbaliser(TINY).write(plans(), seeds=[1, 2, 3])
    with pytest.raises(QueryError, match="no tone 'warmer'.*plain, warm, brisk.*Did you mean"):
        Plan(words={}, tone="warmer")


def test_words_are_drawn_from_the_fewest_that_hold_the_nucleus():
    scores = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).expand(1000, -1)
    chance = torch.from_numpy(np.random.default_rng(0).random(1000, dtype=np.float32))
    found = drawn(scores, chance, temperature=1.0, nucleus=0.8)
    counts = torch.bincount(found, minlength=4) / 1000
    assert counts[2:].sum() == 0 and counts[0] == pytest.approx(0.625, abs=0.05)
    assert drawn(scores[:2], chance[:2], temperature=0.0, nucleus=0.8).tolist() == [0, 0]
    held = scores[:50].masked_fill(torch.tensor([True, False, False, False]), -torch.inf)
    assert 0 not in drawn(held, chance[:50], temperature=1.0, nucleus=1.0)


def test_optional_slots_are_those_that_may_stay_out():
    plan = Plan(words={"shared": "Comedy", "attribute": "genres", "fit": "a good match"})
    assert {"attribute"} <= OPTIONAL and plan.needed == {"shared", "fit"}
    assert plan.is_said_by("{shared}: {fit}.") and plan.is_said_by("{shared} ({attribute}): {fit}.")
    assert not plan.is_said_by("{shared}.") and not plan.is_said_by("{shared} {h1} {fit}.")
    assert not plan.is_said_by("{shared} {shared} {fit}.")
    assert plan.filled("{fit}, with {shared}. so be it.") == "A good match, with Comedy. So be it."
