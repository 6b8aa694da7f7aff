"""Neighbours among people against brute force; who counts as a neighbour; ratings that are predicted."""

import numpy as np
import pytest
from tests.models.worlds import dataset_of

from instructrec.core import Query
from instructrec.errors import ConfigError
from instructrec.models import user_knn
from instructrec.models.popular import Popular
from instructrec.models.rated import KnownPeople
from instructrec.models.user_knn import UserKnn, UserKnnConfig

HISTORIES = [[0, 1, 2], [1, 2, 3, 1], [4, 0], [5, 3, 2, 0], [1, 4]]
MET = np.array([[float(item in history) for item in range(6)] for history in HISTORIES])


def votes(row: np.ndarray, people: np.ndarray, *, shrinkage: float, neighbours: int, without: int | None = None) -> np.ndarray:
    similar = people @ row / (np.linalg.norm(people, axis=1) * np.linalg.norm(row) + shrinkage)
    if without is not None:
        similar[without] = 0.0
    similar[np.argsort(-similar, kind="stable")[neighbours:]] = 0.0
    return np.maximum(similar, 0.0) @ MET


@pytest.mark.parametrize("shrinkage", [0.0, 2.0])
@pytest.mark.parametrize("neighbours", [1, 2, 50])
def test_scores_equal_brute_force(shrinkage: float, neighbours: int):
    config = UserKnnConfig(neighbours=neighbours, shrinkage=shrinkage, decay=0.5)
    found = UserKnn(config).fit(dataset_of(HISTORIES)).score([Query(history=("i3", "i4", "i1"))])
    row = np.array([0.0, 1.0, 0.0, 0.25, 0.5, 0.0])
    np.testing.assert_allclose(found[0], votes(row, MET, shrinkage=shrinkage, neighbours=neighbours), rtol=1e-5)


def test_a_person_of_training_is_not_their_own_neighbour_and_a_stranger_has_them_all():
    model = UserKnn(UserKnnConfig(decay=1.0, shrinkage=0.0)).fit(dataset_of(HISTORIES))
    own, stranger, nobody = model.score(
        [Query(user=user, history=("i5", "i3", "i2", "i0")) for user in ("u3", "somebody else", None)]
    )
    row = MET[3]
    np.testing.assert_allclose(own, votes(row, MET, shrinkage=0.0, neighbours=50, without=3), rtol=1e-5)
    np.testing.assert_allclose(stranger, votes(row, MET, shrinkage=0.0, neighbours=50), rtol=1e-5)
    np.testing.assert_array_equal(stranger, nobody)


def test_whose_items_nobody_else_met_gets_what_is_popular():
    histories = [[0, 1], [0, 2], [5]]
    model, popular = UserKnn().fit(dataset_of(histories)), Popular().fit(dataset_of(histories))
    scores = model.score([Query(user="u2", history=("i5",)), Query(history=("i5",))])
    np.testing.assert_array_equal(scores[0, [0, 1, 2, 5]], popular.score([Query()])[0, [0, 1, 2, 5]])
    assert scores[1].argmax() == 5


def test_many_people_are_compared_in_blocks_with_equal_results(monkeypatch: pytest.MonkeyPatch):
    model = UserKnn(UserKnnConfig(neighbours=2)).fit(dataset_of(HISTORIES))
    queries = [Query(user=f"u{number % 7}", history=(f"i{number % 6}", f"i{number % 4}")) for number in range(9)]
    whole = model.score(queries)
    monkeypatch.setattr(user_knn, "_CELLS_AT_ONCE", 11)
    np.testing.assert_array_equal(model.score(queries), whole)


GIVEN = [5.0, 3.0, 1.0, 4.0, 2.0, 1.0, np.nan, 5.0, 2.0, 1.0, 4.0, 2.0, 5.0, 2.0, 5.0]


def centred() -> tuple[np.ndarray, np.ndarray]:
    """The latest rating of each pair less the mean of its person, 0 where there is none; and the means."""
    table = latest()
    means = np.nanmean(table, axis=1)
    return np.nan_to_num(table - means[:, None]), means


def test_pearson_compares_ratings_around_the_mean_of_a_person():
    world = dataset_of(HISTORIES, ratings=GIVEN)
    config = UserKnnConfig(similarity="pearson", shrinkage=1.0, decay=1.0, neighbours=5)
    found = UserKnn(config).fit(world).score([Query(user="u0", history=("i0", "i1", "i2"))])
    around, _ = centred()
    np.testing.assert_allclose(found[0], votes(around[0], around, shrinkage=1.0, neighbours=50, without=0), atol=1e-5)


def test_a_choice_without_a_rating_counts_as_one_deviation_above_the_mean():
    around, _ = centred()
    spread = np.sqrt((around**2).sum() / np.isfinite(latest()).sum())
    config = UserKnnConfig(similarity="pearson", shrinkage=0.0, decay=1.0, neighbours=5)
    found = UserKnn(config).fit(dataset_of(HISTORIES, ratings=GIVEN)).score([Query(history=("i0", "i4"))])
    row = np.array([spread, 0, 0, 0, spread, 0])
    np.testing.assert_allclose(found[0], votes(row, around, shrinkage=0.0, neighbours=50), atol=1e-5)


def latest() -> np.ndarray:
    table, row = np.full((5, 6), np.nan), iter(GIVEN)
    for user, history in enumerate(HISTORIES):
        for item in history:
            rating = next(row)
            table[user, item] = rating if np.isfinite(rating) else table[user, item]
    return table


def test_pearson_without_ratings_is_numpys_correlation_of_who_met_what():
    config = UserKnnConfig(similarity="pearson", shrinkage=0.0, decay=1.0, neighbours=5)
    found = UserKnn(config).fit(dataset_of(HISTORIES)).score([Query(history=("i0", "i1", "i5"))])
    row = np.array([1.0, 1.0, 0, 0, 0, 1.0])
    similar = np.array([np.corrcoef(row, person)[0, 1] for person in MET])
    np.testing.assert_allclose(found[0], np.maximum(similar, 0.0) @ MET, atol=1e-5)


def test_predicted_ratings_are_resnicks_and_stay_within_what_was_seen():
    model = UserKnn(UserKnnConfig(similarity="pearson", shrinkage=0.5, decay=1.0)).fit(dataset_of(HISTORIES, ratings=GIVEN))
    found = model.predicted_ratings([Query(user="u1", history=("i1", "i2", "i3"))])
    assert found is not None
    around, means = centred()
    similar = around @ around[1] / (np.linalg.norm(around, axis=1) * np.linalg.norm(around[1]) + 0.5)
    similar[1] = 0.0
    similar = np.maximum(similar, 0.0)
    known = np.isfinite(latest())
    wanted = means[1] + similar @ around / np.maximum(similar @ known, 1e-9)
    np.testing.assert_allclose(found[0], np.clip(wanted, 1.0, 5.0), atol=1e-5)
    assert UserKnn().fit(dataset_of(HISTORIES, ratings=GIVEN)).predicted_ratings([Query()]) is None


def test_people_are_found_by_id_with_their_latest_rating_and_no_id_is_kept():
    world = dataset_of([[0, 1, 0], [], [2]], ratings=[1.0, 2.0, 5.0, 3.0])
    model = UserKnn(UserKnnConfig(similarity="pearson")).fit(world)
    people: KnownPeople = model._people
    np.testing.assert_array_equal(people.ratings_of("u0", np.array([0, 1, 2])), [5.0, 2.0, np.nan])
    np.testing.assert_array_equal(people.ratings_of("u2", np.array([2, 0])), [3.0, np.nan])
    assert people.row("u1") == people.row("nobody") == people.row(None) == -1
    assert all(array.dtype.kind in "if" for array in model._learned.values())


def test_one_person_alone_has_no_neighbours():
    assert "popular" in UserKnn().unfit_for(dataset_of([[0, 1, 2]]))
    assert UserKnn().unfit_for(dataset_of(HISTORIES)) == ""


@pytest.mark.parametrize("values", [{"neighbours": 0}, {"shrinkage": -1.0}, {"decay": 0.0}, {"similarity": "jaccard"}])
def test_impossible_settings_are_refused(values: dict[str, float]):
    name, value = next(iter(values.items()))
    with pytest.raises(ConfigError, match=f"{name} is '?{value}"):
        UserKnnConfig(**values)
