"""Ratings: recovered from a made-up world of low rank, better than means on ratings held out, honest about what is not known."""

import numpy as np
import pytest
from tests.models.worlds import dataset_of

from instructrec.core import FitContext, Query
from instructrec.errors import ConfigError
from instructrec.models.svd import Svd, SvdConfig
from instructrec.tables import Catalog, Dataset

NUM_USERS, NUM_ITEMS = 120, 60
NOISE = 0.3


def low_rank(seed: int = 0) -> tuple[Dataset, Dataset, np.ndarray, np.ndarray, np.ndarray]:
    """Training data, all data, and user codes, item codes and ratings that are held out: two tastes, biases, some noise."""
    rng = np.random.default_rng(seed)
    people, items = rng.normal(size=(NUM_USERS, 2)), rng.normal(size=(NUM_ITEMS, 2)) * 0.6
    truth = 3 + rng.normal(0, 0.4, (NUM_USERS, 1)) + rng.normal(0, 0.4, NUM_ITEMS) + people @ items.T
    ratings = np.clip(truth + rng.normal(0, NOISE, truth.shape), 0.5, 5.5)
    histories = [list(rng.permutation(NUM_ITEMS)[:40]) for _ in range(NUM_USERS)]
    given = [ratings[user, history] for user, history in enumerate(histories)]
    every = dataset_of(histories, num_items=NUM_ITEMS, ratings=np.concatenate(given))
    train = dataset_of([h[:32] for h in histories], num_items=NUM_ITEMS, ratings=np.concatenate([g[:32] for g in given]))
    left = [(user, item) for user, history in enumerate(histories) for item in history[32:]]
    users, codes = np.array(left).T
    return train, every, users, codes, ratings[users, codes]


CONFIG = SvdConfig(factors=4, regularization=0.03, bias_regularization=1.0, iterations=15)


@pytest.fixture(scope="module")
def world() -> tuple[Dataset, Dataset, np.ndarray, np.ndarray, np.ndarray]:
    return low_rank()


@pytest.fixture(scope="module")
def model(world: tuple[Dataset, Dataset, np.ndarray, np.ndarray, np.ndarray]) -> Svd:
    return Svd(CONFIG).fit(world[0], FitContext(seed=1))


def people(data: Dataset, *, named: bool = True) -> list[Query]:
    names = data.catalog.item_ids
    return [
        Query(user=user if named else None, history=tuple(names[code] for code in history))
        for user, history in zip(data.interactions.user_ids, data.interactions.histories(), strict=True)
    ]


def rmse(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.sqrt(np.mean((found - wanted) ** 2)))


def test_held_out_ratings_are_predicted_nearly_to_the_noise_and_far_better_than_by_means(world, model: Svd):
    train, _, users, items, wanted = world
    found = model.predicted_ratings(people(train))
    given = train.interactions
    mean = float(given.ratings.mean())
    by_item = np.bincount(given.items, given.ratings, minlength=NUM_ITEMS) / np.bincount(given.items, minlength=NUM_ITEMS)
    assert found is not None and found.dtype == np.float32
    own = rmse(found[users, items], wanted)
    assert own < 1.4 * NOISE
    assert own < 0.5 * rmse(by_item[items], wanted) < 0.5 * rmse(np.full(len(wanted), mean), wanted) + 1e-9


def test_folding_a_person_of_training_in_is_the_regression_of_training(world, model: Svd):
    """Ridge on columns 1 and the factors of what they rated, written out as augmented least squares."""
    given = world[0].interactions
    rows = np.flatnonzero(given.users == 7)
    sides = model._items[given.items[rows]]
    design = np.concatenate([np.ones((len(rows), 1)), sides[:, 1:]], axis=1)
    penalty = np.diag(np.sqrt([1.0, *[0.03 * len(rows)] * 4]))
    wanted = np.concatenate([given.ratings[rows] - model._mean - sides[:, 0], np.zeros(5)])
    person, *_ = np.linalg.lstsq(np.vstack([design, penalty]), wanted, rcond=None)
    expected = model._mean + person[0] + model._items[:, 0] + model._items[:, 1:] @ person[1:]
    found = model.predicted_ratings([people(world[0])[7]])
    assert found is not None
    np.testing.assert_allclose(found[0], np.clip(expected, model._low, model._high), atol=1e-4)


def test_a_choice_without_a_rating_says_what_somebody_likes_and_nothing_of_how_high_they_rate(world, model: Svd):
    names = world[0].catalog.item_ids
    chosen = int(np.argmax(np.linalg.norm(model._items[:, 1:], axis=1)))
    sides = model._folded([Query(history=(names[chosen],))], [np.array([chosen])])
    assert sides[0, 0] == 0.0
    assert sides[0, 1:] @ model._items[chosen, 1:] > 0.0
    cold, one = model.predicted_ratings([Query(), Query(history=(names[chosen],))])  # type: ignore[misc]
    assert one[chosen] > cold[chosen]


def test_nobody_in_particular_gets_mean_and_bias_and_lists_of_what_is_popular(world, model: Svd):
    found = model.predicted_ratings([Query(), Query(user="nobody", history=("not there",))])
    assert found is not None
    np.testing.assert_allclose(found[0], np.clip(model._mean + model._items[:, 0], model._low, model._high), atol=1e-5)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(model.score([Query()])[0], np.log1p(np.bincount(world[0].interactions.items)).astype(np.float32))


def test_popularity_in_lists_is_added_to_the_rating_and_ratings_stay_as_they_are(world):
    train = world[0]
    plain, popular = (Svd(SvdConfig(factors=4, popularity=share)).fit(train) for share in (0.0, 2.0))
    query = people(train)[3]
    counts = np.log1p(np.bincount(train.interactions.items)).astype(np.float32)
    np.testing.assert_allclose(popular.score([query])[0], plain.score([query])[0] + 2.0 * counts, atol=1e-4)
    np.testing.assert_array_equal(popular.predicted_ratings([query]), plain.predicted_ratings([query]))


def test_ratings_lie_within_what_was_seen_and_new_items_get_the_mean_of_the_person(world, model: Svd, tmp_path):
    model.save(tmp_path)
    grown = world[0].catalog.add(Catalog(item_ids=("new",), titles=("New",)))
    found = Svd.load(tmp_path, grown).predicted_ratings(people(world[0])[:20])
    assert found is not None and found.shape == (20, NUM_ITEMS + 1)
    ratings = world[0].interactions.ratings
    assert found.min() >= ratings.min() and found.max() <= ratings.max()
    bias = model._folded(people(world[0])[:20], [model._met(query) for query in people(world[0])[:20]])[:, 0]
    np.testing.assert_allclose(found[:, -1], np.clip(model._mean + bias, ratings.min(), ratings.max()), atol=1e-5)


def test_equal_seeds_give_equal_bits(world):
    first, again, other = (Svd(CONFIG).fit(world[0], FitContext(seed=seed))._items for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("ratings", "why"), [(None, "there are none"), ([4.0, 4.0, 4.0], "every rating is 4")], ids=["without", "all-alike"]
)
def test_data_without_ratings_that_differ_are_called_unfit(ratings, why: str):
    world = dataset_of([[0, 1], [2]], ratings=ratings)
    assert why in Svd().unfit_for(world)
    assert Svd().unfit_for(dataset_of([[0, 1], [2]], ratings=[4.0, 4.0, 3.0])) == ""
    assert np.isfinite(Svd(SvdConfig(factors=2)).fit(world).score([Query(history=("i0",))])).all()


@pytest.mark.parametrize(
    "values", [{"factors": 0}, {"iterations": 0}, {"regularization": 0.0}, {"bias_regularization": -1.0}, {"popularity": -0.1}]
)
def test_impossible_settings_are_refused(values):
    name, value = next(iter(values.items()))
    with pytest.raises(ConfigError, match=f"{name} is {value}"):
        SvdConfig(**values)
