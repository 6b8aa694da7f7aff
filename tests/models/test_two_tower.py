"""Two towers: the contract, the correction of sampled softmax, tasks beside the next item, features and ratings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.contracts import NEW_ITEMS, WORLD, RecommenderContract, history_of, leave_last_out
from tests.models.test_sequences import StopAt

from instructrec.core import FitContext, Query
from instructrec.data.synthetic import genres
from instructrec.errors import ConfigError, RunError
from instructrec.models.item_features import FILE, ItemFeatures
from instructrec.models.losses import pair_nats, sampled_softmax_nats, softmax_nats
from instructrec.models.two_tower import Matching, RatingScale, TwoTower, TwoTowerConfig, tasks_of
from instructrec.models.two_tower_network import CONVERSION, NEXT, RATING, Network
from instructrec.tables import Catalog, Dataset, Labels

TINY = TwoTowerConfig(width=16, epochs=40, learning_rate=2e-2, batch_targets=64, negatives=30)


pytestmark = pytest.mark.usefixtures("one_thread")


class TestTwoTower(RecommenderContract):
    """Products are rounded by the shape of the batch, so alone and in a batch agree to some last digits."""

    @classmethod
    def make(cls) -> TwoTower:
        return TwoTower(TINY)

    batch_tolerance = 1e-5


def with_kinds(world: Dataset, *, kind: str = "purchase") -> Dataset:
    """The world with kinds: what was rated 4 or more was bought."""
    data = world.interactions
    kinds = tuple(kind if rating >= 4 else "click" for rating in data.ratings)
    return world.with_interactions(replace(data, kinds=kinds))


# The loss


def test_the_correction_makes_sums_over_drawn_items_unbiased_whatever_they_are_drawn_by() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(40, 0.3)) * 0.9 + 0.1 / 40
    logits, drawn = rng.normal(size=40), rng.choice(40, size=(20_000, 15), p=shares)
    whole = np.exp(logits).sum()
    sums = np.exp(logits[drawn] - np.log(15 * shares[drawn])).sum(axis=1)
    assert sums.mean() == pytest.approx(whole, abs=4 * sums.std() / np.sqrt(len(sums)))
    # The loss is made of that very sum, without the target, which counts once by itself.
    states, table = torch.ones(1, 1), torch.from_numpy(logits).float()[:, None]
    for some in drawn[:20]:
        expected = torch.from_numpy(15 * shares[some]).float()
        nats = float(sampled_softmax_nats(states, table, torch.tensor([3]), torch.from_numpy(some), expected))
        others = some[some != 3]
        total = np.exp(logits[3]) + np.exp(logits[others] - np.log(15 * shares[others])).sum()
        assert nats == pytest.approx(np.log(total) - logits[3], abs=1e-5)


def test_drawn_by_popularity_the_corrected_loss_comes_near_the_whole_and_the_uncorrected_does_not() -> None:
    torch.manual_seed(0)
    states, table, targets = torch.randn(300, 8), torch.randn(60, 8), torch.randint(60, (300,))
    shares = torch.softmax(torch.randn(60) * 0.7, dim=0)
    # What is popular is liked by all, too, so that drawing it too often is felt.
    states[:, 0], table[:, 0] = 1.0, 2.0 * shares.log()
    whole = float(softmax_nats(states, table, targets)) / 300
    right, wrong = [], []
    for _ in range(60):
        drawn = torch.multinomial(shares, 1000, replacement=True)
        right.append(float(sampled_softmax_nats(states, table, targets, drawn, 1000 * shares[drawn])) / 300)
        wrong.append(float(sampled_softmax_nats(states, table, targets, drawn, torch.full((1000,), 1000 / 60))) / 300)
    assert np.mean(right) == pytest.approx(whole, abs=0.05)
    assert abs(np.mean(wrong) - whole) > 3 * abs(np.mean(right) - whole)


def test_every_drawn_item_stands_for_itself_where_all_are_drawn_once() -> None:
    torch.manual_seed(1)
    states, table, targets = torch.randn(5, 8), torch.randn(12, 8), torch.randint(12, (5,))
    all_once = sampled_softmax_nats(states, table, targets, torch.arange(12), torch.ones(12))
    torch.testing.assert_close(all_once, softmax_nats(states, table, targets))


def test_pairs_are_those_of_the_definition_and_the_target_is_no_opponent_of_itself() -> None:
    states, table = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.5], [1.5], [-1.0]])
    found = pair_nats(states, table, torch.tensor([0, 1]), torch.tensor([[1, 2], [1, 0]]))
    own = np.log1p(np.exp([1.5 - 0.5, -1.0 - 0.5])).mean() + np.log1p(np.exp(1.0 - 3.0))
    assert float(found) == pytest.approx(own, abs=1e-6)


# Tasks


@pytest.mark.parametrize("experts", [1, 3], ids=["shared-bottom", "mmoe"])
def test_every_task_reaches_the_towers_and_its_own_gate_only(experts: int) -> None:
    train, _, _ = leave_last_out(with_kinds(WORLD))
    config = replace(TINY, experts=experts)
    tasks = tasks_of(train.interactions, config)
    assert tasks == (NEXT, RATING, CONVERSION)
    features = ItemFeatures.learn(train.catalog, np.arange(30))
    torch.manual_seed(0)
    network = Network(30, features.width, tasks, config)
    task = Matching(network, config, train.interactions, features.encode(train.catalog), 0)
    for name, loss in task.losses(task.batches(0)[0]).items():
        network.zero_grad()
        loss.backward(retain_graph=True)
        for expert in network.experts:
            assert float(expert.into.weight.grad.abs().sum()) > 0, name
        for shared in (network.items.weight, network.features, network.item.out.weight):
            assert shared.grad is not None and float(shared.grad.abs().sum()) > 0, name
        for other in tasks:
            gradient = network.gates[other].weight.grad
            moved = gradient is not None and float(gradient.abs().sum()) > 0
            assert moved == (other == name and experts > 1), (name, other)


def test_gates_mix_experts_as_the_formula_says() -> None:
    torch.manual_seed(2)
    network = Network(5, 0, (NEXT, RATING), replace(TINY, experts=3, dropout=0.0)).eval()
    read = torch.randn(4, 33)
    with torch.inference_mode():
        found = network.user_vectors(read)
        shares = torch.softmax(network.gates[RATING](read), dim=1)
        mixed = sum(shares[:, [k]] * network.experts[k](read) for k in range(3))
        torch.testing.assert_close(found[RATING], network.users[RATING](mixed))
        torch.testing.assert_close(shares.sum(dim=1), torch.ones(4))


def test_tasks_are_those_that_the_data_answers_and_the_weights_want() -> None:
    data, bought = WORLD.interactions, with_kinds(WORLD).interactions
    unrated = replace(data, ratings=np.full(len(data), np.nan, dtype=np.float32))
    assert tasks_of(unrated, TINY) == (NEXT,)
    assert tasks_of(replace(data, ratings=np.full(len(data), 5, dtype=np.float32)), TINY) == (NEXT,), "ratings that never differ"
    assert tasks_of(bought, replace(TINY, rating_weight=0.0)) == (NEXT, CONVERSION)
    assert tasks_of(bought, replace(TINY, conversion_weight=0.0)) == (NEXT, RATING)
    assert tasks_of(with_kinds(WORLD, kind="order").interactions, TINY) == (NEXT, RATING)
    assert tasks_of(with_kinds(WORLD, kind="order").interactions, replace(TINY, conversion_kind="order"))[-1] == CONVERSION


def even_world() -> Dataset:
    """Items with an even code are rated 1.5 higher and bought, and users with an even code rate 1 higher."""
    world = genres(num_users=60, num_items=60, seed=2)
    data = world.interactions
    ratings = (2.5 + 1.5 * (data.items % 2 == 0) + 1.0 * (data.users % 2 == 0)).astype(np.float32)
    kinds = tuple("purchase" if item % 2 == 0 else "click" for item in data.items)
    return world.with_interactions(replace(data, ratings=ratings, kinds=kinds))


EVEN = np.arange(60) % 2 == 0


def test_ratings_are_predicted_in_their_units_and_better_than_by_means() -> None:
    train, queries, _ = leave_last_out(even_world())
    model = TwoTower(replace(TINY, rating_weight=2.0, patience=0)).fit(train, FitContext(seed=1))
    found = model.predicted_ratings(queries)
    assert found is not None and found.shape == (60, 60)
    ratings = train.interactions.ratings
    assert found.min() >= ratings.min() and found.max() <= ratings.max()
    wanted = 2.5 + 1.5 * EVEN[None] + 1.0 * EVEN[:, None]
    by_user = np.array([model._scale.users[query.user or ""] for query in queries])[:, None]
    assert np.square(found - wanted).mean() < 0.4 * np.square(by_user - wanted).mean()
    known = model.predicted_ratings([queries[0], replace(queries[0], user="nobody")])
    assert known is not None and (known[0] - known[1]).max() > 0, "the mean of a known user stands in for that of all"


def test_without_ratings_none_are_predicted() -> None:
    data = WORLD.interactions
    silent = WORLD.with_interactions(replace(data, ratings=np.full(len(data), np.nan, dtype=np.float32)))
    assert TwoTower(replace(TINY, epochs=1)).fit(silent).predicted_ratings([Query()]) is None


def test_the_mean_of_a_user_is_shrunk_by_five_ratings() -> None:
    data = WORLD.interactions
    scale = RatingScale.of(data)
    own = data.ratings[data.users == 3]
    assert scale.users["u3"] == pytest.approx((own.sum() + 5 * data.ratings.mean()) / (len(own) + 5), abs=1e-4)
    back = scale.ratings([Query(user="u3")], scale.deviations(data)[data.users == 3][None])
    np.testing.assert_allclose(back[0], own, atol=1e-4)


@pytest.mark.parametrize("say", ["conversion_say", "rating_say"])
def test_a_say_of_a_task_moves_up_what_it_speaks_for(say: str) -> None:
    train, queries, _ = leave_last_out(even_world())
    config = replace(TINY, epochs=20, conversion_weight=2.0, rating_weight=2.0, patience=0)
    plain, eager = (TwoTower(one).fit(train, FitContext(seed=1)) for one in (config, replace(config, **{say: 3.0})))
    extra = eager.score(queries) - plain.score(queries)
    assert extra[:, EVEN].mean() > extra[:, ~EVEN].mean() + 1.0
    if say == "conversion_say":
        assert extra.max() <= 1e-4, "a log-probability"


# Features, cold starts, disk


def test_items_that_training_never_met_are_scored_by_their_features() -> None:
    world = genres(num_users=60, num_items=60, seed=2)
    hidden = np.arange(0, 60, 7)
    train = world.with_interactions(world.interactions.keep(~np.isin(world.interactions.items, hidden)))
    queries = [Query(history=tuple(world.catalog.item_ids[code] for code in h)) for h in train.interactions.histories()]
    own = world.catalog.labels["genres"].matrix()[hidden][:, np.arange(60) % 6].T
    scores = TwoTower(replace(TINY, patience=0, cold_share=0.2)).fit(train, FitContext(seed=1)).score(queries)[:, hidden]
    assert scores[own].mean() > scores[~own].mean() + 0.5 * scores.std()
    blind = TwoTower(replace(TINY, epochs=1, features=False)).fit(train).score(queries)
    np.testing.assert_array_equal(blind[:, hidden], blind.min(axis=1, keepdims=True).repeat(len(hidden), axis=1))


def test_new_items_are_read_in_histories_and_old_scores_stay(tmp_path: Path) -> None:
    train, _, _ = leave_last_out(WORLD)
    model = TwoTower(replace(TINY, cold_share=0.2)).fit(train, FitContext(seed=1))
    model.save(tmp_path)
    grown = TwoTower.load(tmp_path, WORLD.catalog.add(NEW_ITEMS))
    query = [Query(history=history_of(3))]
    np.testing.assert_allclose(grown.score(query)[:, : len(WORLD.catalog)], model.score(query), atol=1e-5)
    first = model.predicted_ratings(query)
    second = grown.predicted_ratings(query)
    assert first is not None and second is not None
    np.testing.assert_allclose(second[:, : len(WORLD.catalog)], first, atol=1e-5)
    assert grown.is_personal(Query(history=("new-0",)))


def test_features_are_blocks_of_length_one_in_the_terms_of_training(tmp_path: Path) -> None:
    catalog = WORLD.catalog
    features = ItemFeatures.learn(catalog, np.arange(len(catalog)))
    features.save(tmp_path)
    assert ItemFeatures.load(tmp_path) == features
    rows = features.encode(catalog)
    assert rows.shape == (30, features.width)
    genres_of, size = rows[:, : len(features.labels["genres"])].toarray(), len(features.labels["genres"])
    wanted = catalog.labels["genres"].matrix() / np.sqrt(catalog.labels["genres"].matrix().sum(axis=1, keepdims=True))
    np.testing.assert_allclose(genres_of, wanted, atol=1e-6)
    years = rows[:, size : size + len(features.numbers["year"]) + 1].toarray()
    np.testing.assert_array_equal(years.sum(axis=1), np.ones(30))
    order = np.argsort(catalog.numbers["year"])
    assert (np.diff(years.argmax(axis=1)[order]) >= 0).all(), "later years stand in later bins"
    # A catalog whose labels have other codes, an unknown value and an unknown number.
    other = Catalog(
        item_ids=("a", "b"),
        titles=("", ""),
        labels={"genres": Labels.build([("Aaa", "Drama"), ()])},
        numbers={"year": np.array([np.nan, 1900.0])},
    )
    found = features.encode(other).toarray()
    assert found[0, features.labels["genres"].index("Drama")] == 1.0 and found[0].sum() == 1.0
    assert found[1, size] == 1.0 and found[1].sum() == 1.0
    assert features.encode(other, first=1).shape == (1, features.width)
    (tmp_path / FILE).write_text("[]")
    with pytest.raises(RunError, match=FILE):
        ItemFeatures.load(tmp_path)


def test_an_interrupted_fit_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    train, queries, targets = leave_last_out(with_kinds(WORLD))
    config, context = (
        replace(TINY, epochs=4, check_every=2, patience=2, experts=2),
        FitContext(validation=(queries, targets), seed=3),
    )
    whole = TwoTower(config).fit(train, context)
    with pytest.raises(KeyboardInterrupt):
        TwoTower(config).fit(train, replace(context, progress=StopAt(10), folder=tmp_path))
    resumed = TwoTower(config).fit(train, replace(context, folder=tmp_path))
    np.testing.assert_array_equal(resumed.score(queries), whole.score(queries))
    assert resumed.curve == whole.curve


def test_data_that_joins_nothing_is_named_and_still_answered() -> None:
    data = WORLD.interactions
    once = WORLD.with_interactions(data.keep(np.diff(data.users, prepend=-1) != 0))
    nothing = WORLD.with_interactions(data.keep(np.zeros(len(data), dtype=np.bool_)))
    for world in (once, nothing):
        model = TwoTower(replace(TINY, epochs=1))
        assert "several items" in model.unfit_for(world)
        assert np.isfinite(model.fit(world).score([Query(), Query(history=history_of(0))])).all()
    assert TwoTower().unfit_for(WORLD) == ""
    assert TwoTower().bytes_needed(genres(60, 240)) > TwoTower().bytes_needed(WORLD) > 0


@pytest.mark.parametrize(
    "wrong",
    [{"dropout": 1.0}, {"cold_share": -0.1}, {"experts": 0}, {"decays": (1.5,)}, {"decays": ()}, {"rating_weight": -1.0}],
    ids=["dropout", "cold_share", "experts", "decays", "no-decays", "rating_weight"],
)
def test_settings_that_do_not_fit_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        TwoTowerConfig(**wrong)  # type: ignore[arg-type]
