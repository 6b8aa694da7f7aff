"""Implicit factors: the closed form against the library and a plain solve, what folding in does, and equal bits."""

import numpy as np
import pytest
from tests.contracts import WORLD, history_of
from tests.models.worlds import dataset_of

from instructrec.core import FitContext, Query
from instructrec.errors import ConfigError
from instructrec.models.als import Als, AlsConfig
from instructrec.models.bpr import Bpr, BprConfig
from instructrec.models.factors import ImplicitFactors
from instructrec.recommender import Recommender

SMALL = AlsConfig(factors=6, regularization=0.5, alpha=4.0, iterations=5, decay=0.7)
FEW = BprConfig(factors=6, iterations=20, decay=0.5)


@pytest.fixture(scope="module")
def als() -> Als:
    return Als(SMALL).fit(WORLD, FitContext(seed=1))


@pytest.fixture(scope="module")
def bpr() -> Bpr:
    return Bpr(FEW).fit(WORLD, FitContext(seed=1))


def vectors(model: ImplicitFactors) -> np.ndarray:
    found = model.item_vectors()
    assert found is not None
    return found.astype(np.float64)


def test_a_person_of_least_squares_minimises_the_loss_of_the_paper(als: Als):
    history = history_of(2)
    items, codes = vectors(als), WORLD.catalog.codes(history)
    confidence, preference = np.ones(len(items)), np.zeros(len(items))
    confidence[codes] += 4.0 * 0.7 ** np.arange(len(codes))[::-1]
    preference[codes] = 1.0
    root = np.sqrt(confidence)[:, None]
    design = np.vstack([root * items, np.sqrt(0.5) * np.eye(6)])
    person, *_ = np.linalg.lstsq(design, np.concatenate([root[:, 0] * preference, np.zeros(6)]), rcond=None)
    np.testing.assert_allclose(als.score([Query(history=history)])[0], items @ person, atol=1e-4)


def test_the_fold_in_without_decay_is_the_recalculation_of_the_library():
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    model = Als(AlsConfig(factors=6, regularization=0.5, alpha=4.0, iterations=5, decay=1.0)).fit(WORLD)
    with threadpool_limits(1, "blas"):
        library = model._solver(0)
    library.item_factors = model._factors
    met = np.zeros((1, len(WORLD.catalog)), dtype=np.float32)
    met[0, WORLD.catalog.codes(history_of(3))] = 5.0
    met = met[:, np.unique(WORLD.interactions.items)]
    person = library.recalculate_user(0, csr_matrix(met))
    found = model.score([Query(history=history_of(3))])[0]
    np.testing.assert_allclose(found[np.unique(WORLD.interactions.items)], model._factors @ person, atol=1e-5)


def test_least_squares_gives_equal_bits_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch):
    one, two = [], []
    make = Als._solver
    for threads, into in ((1, one), (2, two)):

        def solver(self: Als, seed: int, threads: int = threads) -> object:
            found = make(self, seed)
            found.num_threads = threads
            return found

        monkeypatch.setattr(Als, "_solver", solver)
        into.append(vectors(Als(SMALL).fit(WORLD, FitContext(seed=3))))
    np.testing.assert_array_equal(one[0], two[0])


@pytest.mark.parametrize("make", [lambda: Als(SMALL), lambda: Bpr(FEW)], ids=["als", "bpr"])
def test_equal_seeds_give_equal_bits_and_others_do_not(make: type[ImplicitFactors]):
    first, again, other = (vectors(make().fit(WORLD, FitContext(seed=seed))) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_person_of_bpr_is_the_weighted_mean_of_the_history_and_a_bias(bpr: Bpr):
    items, codes = vectors(bpr), WORLD.catalog.codes(("m3", "m7", "m11"))
    weights = np.array([0.25, 0.5, 1.0])
    person = weights @ items[codes] / weights.sum()
    person[-1] = 1.0
    np.testing.assert_allclose(bpr.score([Query(history=("m3", "m7", "m11"))])[0], items @ person, atol=1e-5)


@pytest.mark.parametrize("name", ["als", "bpr"])
def test_a_new_choice_moves_the_list_of_a_stranger_towards_it(name: str, request: pytest.FixtureRequest):
    """Nothing is kept of people: a stranger gets what a person of training with the same history gets, and clicks count."""
    model: Recommender = request.getfixturevalue(name)
    history, new = history_of(0), next(item for item in WORLD.catalog.item_ids if item not in history_of(0))
    stranger, person, later = model.score(
        [Query(history=history), Query(user="u0", history=history), Query(history=(*history, new))]
    )
    np.testing.assert_array_equal(stranger, person)
    code = WORLD.catalog.index[new]
    assert later[code] > stranger[code]


def test_progress_is_told_of_every_round():
    told: list[object] = []

    class Listener:
        def stage(self, name: str, *, total: int) -> None:
            told.append((name, total))

        def step(self, done: int, *, loss: float | None = None) -> None:
            told.append(done)

    Als(SMALL).fit(WORLD, FitContext(progress=Listener()))
    assert told == [("als", 5), 1, 2, 3, 4, 5, 5]


@pytest.mark.parametrize("model", [Als, Bpr])
def test_data_with_one_item_a_person_is_called_unfit(model: type[Als] | type[Bpr]):
    assert "nobody here met two" in model().unfit_for(dataset_of([[0], [1]]))
    assert "nobody here met two" in model().unfit_for(dataset_of([[0, 0], [1]]))
    assert model().unfit_for(dataset_of([[0, 1], [1]])) == ""


@pytest.mark.parametrize(
    ("config", "values"),
    [
        (AlsConfig, {"factors": 0}),
        (AlsConfig, {"alpha": 0.0}),
        (AlsConfig, {"regularization": -1.0}),
        (AlsConfig, {"decay": 2.0}),
        (BprConfig, {"iterations": 0}),
        (BprConfig, {"learning_rate": 0.0}),
        (BprConfig, {"regularization": -1.0}),
    ],
)
def test_impossible_settings_are_refused(config: type[AlsConfig] | type[BprConfig], values: dict[str, float]):
    name, value = next(iter(values.items()))
    with pytest.raises(ConfigError, match=f"{name} is {value}"):
        config(**values)
