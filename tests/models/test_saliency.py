"""What a tuned language model reads: gradients by token add up and change nothing; a value less in an item's text is measured."""

from dataclasses import replace

import numpy as np
import pytest

from instructrec.core import Instruction, Query
from instructrec.data.synthetic import genres
from instructrec.models.fusion import Fusion, FusionConfig
from instructrec.models.lm import LanguageModelRecommender, LmConfig
from instructrec.models.saliency import _outside_inference
from instructrec.tables import Labels
from instructrec.tuning.packing import pack

WORLD = genres()


@pytest.fixture(scope="module")
def model():
    return LanguageModelRecommender(LmConfig(base="tiny", epochs=2)).fit(WORLD)


def asked(words=""):
    return Query(history=WORLD.catalog.item_ids[:5], instruction=Instruction(text=words, wish=words) if words else None)


@pytest.mark.parametrize("words", ["", "something funny"])
def test_the_values_of_all_tokens_add_up_to_what_the_tokens_change(model, words):
    import torch

    query, item = asked(words), 7
    tuned, items, encoder = model.tuned
    request = model.encoded([query])[0]
    packed = pack([request], [[0]], padding=encoder.codes.answer)

    def above_mean(scale):
        with torch.no_grad():
            table = _outside_inference(items)
            vectors = tuned.vectors(packed.batch.tokens, table).float() * scale
            pooled = tuned.pool_lists([request.questions[0].words]) if request.questions else None
            hidden = tuned.decoder.hidden(vectors, packed.batch.positions, packed.batch.visible).flatten(0, 1)[packed.answers]
            scores = tuned.logits(hidden, table, pooled)[0]
        return float(scores[item] - scores.mean())

    found = model.saliency(query, WORLD.catalog.item_ids[item])
    # Nothing at all has no direction, so the line begins just beside it.
    assert sum(token.effect for token in found) == pytest.approx(above_mean(1.0) - above_mean(1e-3), abs=0.15)


def test_tokens_are_named_as_they_were_read(model):
    names = [token.text for token in model.saliency(asked(), WORLD.catalog.item_ids[7])]
    assert names[-5:] == list(WORLD.catalog.titles[:5])
    names = [token.text for token in model.saliency(asked("funny"), WORLD.catalog.item_ids[7])]
    assert names[-1] == "→" and len(names) > 6


def test_attention_of_the_answer_is_shared_out_among_what_is_read(model):
    for query in (asked(), asked("funny")):
        shares = [token.attention for token in model.saliency(query, WORLD.catalog.item_ids[7])]
        assert min(shares) >= 0 and max(shares) > 0 and sum(shares) == pytest.approx(1.0, abs=0.02)


def test_scores_are_the_same_before_and_after(model):
    before = model.score([asked()])
    model.saliency(asked(), WORLD.catalog.item_ids[3])
    np.testing.assert_array_equal(model.score([asked()]), before)


def test_a_fusion_gives_that_of_its_language_model_and_memory_has_none(model):
    from instructrec.models import resolve

    ridge = resolve("ridge")().fit(WORLD)
    fusion = Fusion(FusionConfig(parts=("ridge", "lm")), parts={"ridge": ridge, "lm": model})
    item = WORLD.catalog.item_ids[7]
    assert ridge.saliency(asked(), item) == ()
    assert fusion.saliency(asked(), item) == model.saliency(asked(), item)


@pytest.mark.parametrize("words", ["", "something funny"])
def test_what_a_value_of_its_own_text_gives_is_what_is_lost_when_the_catalog_does_not_have_it(model, words):
    import torch

    query, item, name = asked(words), 7, "genres"
    found = model.text_effects(query, WORLD.catalog.item_ids[item])
    rows = WORLD.catalog.label_rows(name)
    assert [value for _, value in found] == [*rows[item]] and any(found.values())
    tuned, items, _ = model.tuned
    whole, text = model.score([query])[0, item], tuned.text.clone()
    for value in rows[item]:
        fewer = [tuple(one for one in row if (place, one) != (item, value)) for place, row in enumerate(rows)]
        told = replace(WORLD.catalog, labels={**WORLD.catalog.labels, name: Labels.build(fewer)})
        try:
            with torch.inference_mode():
                tuned.text[item] = model._text(told, tuned.decoder)[item]
                # Only the row that is answered changes: what is read stays, and the item is no part of the history.
                table = tuned.table()
                model._items = replace(items, outputs=table.outputs, match=table.match)
                lost = whole - model.score([query])[0, item]
        finally:
            tuned.text.copy_(text)
            model._items = items
        assert found[name, value] == pytest.approx(lost, abs=1e-4)


def test_a_fusion_weighs_what_its_language_model_reads_and_memory_reads_nothing(model):
    from instructrec.models import resolve

    ridge = resolve("ridge")().fit(WORLD)
    fusion = Fusion(FusionConfig(parts=("ridge", "lm")), parts={"ridge": ridge, "lm": model})
    fusion.weights = {"ridge": 1.0, "lm": 0.5}
    item = WORLD.catalog.item_ids[7]
    assert ridge.text_effects(asked(), item) == {}
    assert fusion.text_effects(asked(), item) == {value: 0.5 * lost for value, lost in model.text_effects(asked(), item).items()}
