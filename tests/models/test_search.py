"""Search by words: the contract, and that words find what is written."""

import numpy as np
import pytest
from tests.contracts import RecommenderContract

from instructrec import assets
from instructrec.core import Instruction, Query
from instructrec.lm.sentences import SentenceEncoder
from instructrec.models.search import Bm25, Sentences, SentencesConfig, terms
from instructrec.tables import Catalog, Dataset, Interactions, Labels

NO_CLICKS = Interactions(
    user_ids=(),
    users=np.zeros(0, np.int64),
    items=np.zeros(0, np.int64),
    timestamps=np.zeros(0, np.int64),
    ratings=np.zeros(0, np.float32),
)
BOOKS = Dataset(
    name="books",
    interactions=NO_CLICKS,
    catalog=Catalog(
        item_ids=("a", "b", "c"),
        titles=("The Quiet Harbour", "Rockets", "Gardens of Spring"),
        texts=("Fishermen and storms at sea.", "Engines and orbits.", ""),
        labels={"genres": Labels.build([["Novel"], ["Science"], ["Hobby"]])},
    ),
)


class TestBm25(RecommenderContract):
    learns_taste = False

    @classmethod
    def make(cls) -> Bm25:
        return Bm25()


class TestSentences(RecommenderContract):
    learns_taste = False
    batch_tolerance = 1e-5

    @classmethod
    def make(cls) -> Sentences:
        return Sentences(SentencesConfig(base="tiny"))


@pytest.mark.parametrize("model", [Bm25(), Sentences(SentencesConfig(base="tiny"))], ids=["bm25", "sentences"])
def test_words_find_what_is_written_in_title_attributes_and_text(model):
    model.fit(BOOKS)
    for words, item in (("storms at sea", "a"), ("science", "b"), ("gardens", "c")):
        [answer] = model.recommend([Query(instruction=Instruction(text=words, wish=words), n=1)])
        assert answer.items[0].item == item
        assert not answer.degraded


def test_without_words_or_strength_nothing_stands_out():
    model = Bm25().fit(BOOKS)
    words = Instruction(text="rockets", wish="rockets")
    assert not model.score([Query(), Query(instruction=words, strength=0.0)]).any()


def test_words_are_compared_without_case_accents_and_plural():
    assert terms("Cafés, the GARDENS!") == ["cafe", "the", "garden"]


def test_the_sentence_encoder_knows_that_rockets_fly_to_space():
    if not assets.is_fetched("minilm"):
        pytest.skip("the sentence encoder is not fetched: instructrec fetch minilm")
    encoder = SentenceEncoder()
    rows = encoder.encode(["spaceships", "Rockets. Engines and orbits.", "Gardens of Spring", ""])
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.1
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 1, 1, 0], atol=1e-5)
