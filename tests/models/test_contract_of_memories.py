"""The shared contract, passed by every model that is fitted in seconds."""

from tests.contracts import RecommenderContract

from instructrec.models.ease import Ease, RecencyEase
from instructrec.models.item_knn import ItemKnn
from instructrec.models.popular import Popular
from instructrec.models.ridge import Ridge


class TestPopular(RecommenderContract):
    model = Popular
    learns_taste = False


class TestItemKnn(RecommenderContract):
    model = ItemKnn


class TestEase(RecommenderContract):
    model = Ease


class TestRecencyEase(RecommenderContract):
    model = RecencyEase


class TestRidge(RecommenderContract):
    model = Ridge
