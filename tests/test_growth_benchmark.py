"""What the growth of fits is read from: worlds of the size and shape that were asked for, and the slope of a power law."""

import numpy as np
import pytest
from benchmarks.growth import Marginals, exponent, fit_one, one_epoch, world

from instructrec.data import synthetic

REAL = Marginals(popularity=np.array([900.0, 300.0, 100.0, 30.0, 10.0]), lengths=np.array([40, 20, 10, 5]))


def test_the_exponent_of_a_power_law_is_its_power():
    assert exponent((1, 4, 16), [2.0 * size**3 for size in (1, 4, 16)]) == pytest.approx(3.0)
    assert exponent((10, 40), [5.0, 5.0]) == pytest.approx(0.0)
    assert exponent((1, 4, 16), [0.001, 0.002, 0.003], least=0.05) is None
    assert exponent((1, 4), [0.0, 1.0]) is None


@pytest.mark.parametrize(("users", "items"), [(30, 60), (120, 60), (30, 240)])
def test_a_world_has_the_size_that_was_asked_for_and_the_marginals(users, items):
    made = world(REAL, num_users=users, num_items=items, longest=30, seed=0)
    rows = made.interactions
    counts = np.bincount(rows.items, minlength=items)
    assert len(rows.user_ids) == users
    assert len(counts) == items
    assert counts.min() >= 1
    assert len(set(zip(rows.users.tolist(), rows.items.tolist(), strict=True))) == len(rows)
    # The most popular tenth leads, and mean lengths are those of the marginals, cut at 30.
    assert counts[: items // 10].mean() > 2 * counts[items // 2 :].mean()
    assert len(rows) / users == pytest.approx(np.minimum(np.quantile(REAL.lengths, np.linspace(0, 1, 99)), 30).mean(), rel=0.35)
    again = world(REAL, num_users=users, num_items=items, longest=30, seed=0)
    assert np.array_equal(again.interactions.items, rows.items)


def test_a_fit_says_what_it_took():
    found = fit_one(one_epoch("ease"), synthetic.genres(), 0)
    assert found["cpu_s"] > 0
    assert found["peak_mb"] >= 0


def test_marginals_are_counts():
    found = Marginals.of(synthetic.checkerboard(10))
    assert found.lengths.tolist() == [5] * 10
    assert found.popularity.tolist() == [5.0] * 10
