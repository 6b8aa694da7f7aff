"""Search by words: the contract, and that words find what is written."""

import numpy as np
import pytest
from tests.contracts import RecommenderContract

from instructrec import assets
from instructrec.core import Instruction, Query
from instructrec.lm.sentences import SentenceEncoder
from instructrec.models.search import Bm25, Sentences, SentencesConfig, terms
from instructrec.models.themes import Themes, ThemesConfig, neighbours
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


class TestThemes(RecommenderContract):
    learns_taste = False
    batch_tolerance = 1e-5

    @classmethod
    def make(cls) -> Themes:
        return Themes(ThemesConfig(base="tiny"))


MODELS = [Bm25(), Sentences(SentencesConfig(base="tiny")), Themes(ThemesConfig(base="tiny", neighbours=0))]


@pytest.mark.parametrize("model", MODELS, ids=[model.name for model in MODELS])
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


def test_what_is_found_is_carried_on_to_its_neighbours():
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]], dtype=np.float32)
    near = neighbours(vectors, count=2, sharpness=1.0).toarray()
    np.testing.assert_allclose(near, [[0, 1, 0, 0], [0.8 / 1.4, 0, 0.6 / 1.4, 0], [0, 1, 0, 0], [0, 0, 0, 0]], atol=1e-6)
    assert neighbours(vectors[:1], count=5, sharpness=1.0).nnz == 0


def test_an_item_without_the_words_is_found_by_one_that_has_them():
    model = Themes(ThemesConfig(base="tiny", neighbours=1)).fit(BOOKS)
    words = Instruction(text="storms", wish="storms")
    model._near = neighbours(np.array([[1, 0], [0, 1], [0.9, 0.1]], dtype=np.float32), count=1, sharpness=1.0)
    scores = model.score([Query(instruction=words)])[0]
    assert scores[0] > 0
    assert scores[2] > scores[1] == 0


def test_words_are_compared_without_case_accents_and_plural():
    assert terms("Cafés, the GARDENS!") == ["cafe", "the", "garden"]


def test_the_sentence_encoder_knows_that_rockets_fly_to_space():
    if not assets.is_fetched("minilm"):
        pytest.skip("the sentence encoder is not fetched: instructrec fetch minilm")
    encoder = SentenceEncoder()
    rows = encoder.encode(["spaceships", "Rockets. Engines and orbits.", "Gardens of Spring", ""])
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.1
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 1, 1, 0], atol=1e-5)
