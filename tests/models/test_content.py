from tests.contracts import RecommenderContract

from instructrec.models.content import SentenceVectors, SentenceVectorsConfig, Tfidf, WordVectors


class TestTfidf(RecommenderContract):
    model = Tfidf


class TestWordVectors(RecommenderContract):
    model = WordVectors
    batch_tolerance = 1e-5


class TestSentenceVectors(RecommenderContract):
    batch_tolerance = 1e-5

    @classmethod
    def make(cls) -> SentenceVectors:
        return SentenceVectors(SentenceVectorsConfig(encoder="tiny"))
