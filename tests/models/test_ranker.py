"""The second stage: the contract with each learner, learners against other solutions, and a world that no sum of parts orders."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pytest
from scipy.optimize import linprog
from tests.contracts import COMEDY, NEW_ITEMS, WORLD, RecommenderContract, history_of, leave_last_out

from instructrec.config import RunConfig, build_model, from_toml, parts_of
from instructrec.core import FitContext, Instruction, Query
from instructrec.errors import ConfigError
from instructrec.models import ranker_learners as learners
from instructrec.models.item_knn import ItemKnn
from instructrec.models.popular import Popular
from instructrec.models.ranker import FILE, Ranker, RankerConfig
from instructrec.models.ranker_learners import Candidates, Linear, learner_of
from instructrec.models.ridge import Ridge
from instructrec.recommender import Recommender
from instructrec.runs import parts_of as parts_of_model
from instructrec.tables import Catalog, Dataset, FloatArray, Interactions

SMALL = RankerConfig(parts=("ridge", "item_knn"), learner="lambdamart", trees=20, least_in_leaf=5, candidates=20)


class RankerTests(RecommenderContract):
    """The learner is kept whatever cross-fitting says, so that all of it is asked; trees decide by thresholds."""

    learner: ClassVar[str] = "logistic"
    batch_tolerance = 1e-5
    checkerboard_share = 0.9

    @classmethod
    def make(cls) -> Ranker:
        return Ranker(replace(SMALL, learner=cls.learner))

    @classmethod
    def fit(cls, model, dataset):  # type: ignore[no-untyped-def]
        with pytest.MonkeyPatch.context() as patch:
            plain = learners.ndcg
            calls: list[int] = []

            def first_is_bad(margins, known):  # type: ignore[no-untyped-def]
                calls.append(1)
                return plain(margins, known) - (len(calls) == 1)

            patch.setattr("instructrec.models.ranker_learners.ndcg", first_is_bad)
            super().fit(model, dataset)
        assert model.learner is not None
        return model


class TestLogistic(RankerTests):
    pass


class TestRankSvm(RankerTests):
    learner = "ranksvm"


class TestLambdaMart(RankerTests):
    learner = "lambdamart"
    # Twelve users and the trees of five candidates a leaf: the first stage is what knows the board.
    checkerboard_share = 0.5


class Oracle(Recommender):
    """Scores that are drawn for a query once and for all: noise, and for some queries the answer stands high."""

    name: ClassVar[str] = "oracle"

    def __init__(self, answers: Mapping[str, int], *, good: Mapping[str, bool], seed: int, lift: float = 2.5) -> None:
        self.answers, self.good, self.seed, self.lift = answers, good, seed, lift

    def fit(self, dataset: Dataset, context: FitContext | None = None) -> Self:
        self.catalog = dataset.catalog
        return self

    def score(self, queries: Sequence[Query]) -> FloatArray:
        out = np.empty((len(queries), len(self.catalog)), dtype=np.float32)
        for row, query in enumerate(queries):
            user = query.user or ""
            rng = np.random.default_rng([self.seed, int(user[1:])])
            out[row] = rng.normal(size=len(self.catalog))
            if self.good[user]:
                out[row, self.answers[user]] += self.lift
        return out

    def save(self, folder: Path) -> None:
        raise AssertionError

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        raise AssertionError


def two_segments(num_users: int = 900, num_items: int = 120) -> tuple[Dataset, list[Query], list[int], dict[str, Recommender]]:
    """Part `a` knows what people with a short history want, part `b` what people with a long one do."""
    rng = np.random.default_rng(0)
    lengths = np.where(np.arange(num_users) % 2 == 0, 2, 20)
    users = np.repeat(np.arange(num_users), lengths)
    items = np.concatenate([rng.choice(num_items, size=length, replace=False) for length in lengths])
    ids = tuple(f"u{user}" for user in range(num_users))
    data = Interactions(
        user_ids=ids,
        users=users.astype(np.int64),
        items=items.astype(np.int64),
        timestamps=np.arange(len(users), dtype=np.int64) + 1_000_000_000,
        ratings=np.full(len(users), np.nan, dtype=np.float32),
    )
    names = tuple(f"i{item}" for item in range(num_items))
    world = Dataset(name="segments", interactions=data, catalog=Catalog(item_ids=names, titles=names))
    queries, targets = [], []
    for user in range(num_users):
        history = data.history(user)
        queries.append(Query(user=ids[user], history=tuple(names[item] for item in history)))
        targets.append(int(rng.choice(np.setdiff1d(np.arange(num_items), history))))
    answers = dict(zip(ids, targets, strict=True))
    short = {name: bool(length == 2) for name, length in zip(ids, lengths, strict=True)}
    parts: dict[str, Recommender] = {
        "ridge": Oracle(answers, good=short, seed=1).fit(world),
        "item_knn": Oracle(answers, good={name: not is_short for name, is_short in short.items()}, seed=2).fit(world),
    }
    return world, queries, targets, parts


def mean_ndcg(model: Recommender, queries: Sequence[Query], targets: Sequence[int]) -> float:
    lists = [[item.item for item in answer.items] for answer in model.recommend(queries)]
    wanted = [model.catalog.item_ids[code] for code in targets]
    return float(
        np.mean([1 / np.log2(2 + row.index(item)) if item in row else 0.0 for row, item in zip(lists, wanted, strict=True)])
    )


def test_lambdamart_beats_its_best_part_and_the_sum_where_the_best_weights_differ_by_segment() -> None:
    world, queries, targets, parts = two_segments()
    config = RankerConfig(
        parts=("ridge", "item_knn"), learner="lambdamart", trees=60, leaves=8, learning_rate=0.05, least_in_leaf=50, candidates=40
    )
    model = Ranker(config, parts=parts).fit(world, FitContext(validation=(queries[:600], targets[:600]), seed=1))
    assert model.learner is not None
    assert model.held_out["lambdamart"] > model.held_out["first_stage"]
    asked, wanted = queries[600:], targets[600:]
    found = mean_ndcg(model, asked, wanted)
    best = max(mean_ndcg(part, asked, wanted) for part in parts.values())
    model.learner = None
    assert found > 1.2 * best
    assert found > 1.1 * mean_ndcg(model, asked, wanted)


def test_cross_fitting_says_what_unseen_queries_gain() -> None:
    world, queries, targets, parts = two_segments()
    config = RankerConfig(
        parts=("ridge", "item_knn"), learner="lambdamart", trees=40, leaves=8, learning_rate=0.05, least_in_leaf=50, candidates=120
    )
    model = Ranker(config, parts=parts).fit(world, FitContext(validation=(queries[:600], targets[:600]), seed=1))
    assert mean_ndcg(model, queries[600:], targets[600:]) == pytest.approx(model.held_out["lambdamart"], abs=0.06)


@pytest.mark.parametrize("learner", ["logistic", "ranksvm", "lambdamart"])
def test_a_learner_that_does_not_help_is_not_used(learner: str) -> None:
    world, queries, targets, _ = two_segments(60, 50)
    ids = [query.user or "" for query in queries]
    knows = Oracle(dict(zip(ids, targets, strict=True)), good=dict.fromkeys(ids, True), seed=1, lift=50.0).fit(world)
    config = RankerConfig(parts=("ridge",), learner=learner, trees=20, least_in_leaf=1, candidates=5)
    model = Ranker(config, parts={"ridge": knows}).fit(world, FitContext(validation=(queries, targets), seed=1))
    assert model.held_out["first_stage"] == 1.0 >= model.held_out[learner]
    assert model.learner is None
    np.testing.assert_allclose(model.score(queries), model.weights["ridge"] * model.comparable(queries)["ridge"], rtol=1e-5)


@pytest.mark.parametrize("learner", ["logistic", "ranksvm", "lambdamart"])
def test_what_is_not_ordered_anew_stands_behind_in_the_order_of_the_first_stage(learner: str) -> None:
    world, queries, targets, parts = two_segments()
    config = RankerConfig(parts=("ridge", "item_knn"), learner=learner, trees=20, candidates=5)
    model = Ranker(config, parts=parts).fit(world, FitContext(validation=(queries[:400], targets[:400]), seed=1))
    known = model._candidates(queries[:9], model.comparable(queries[:9]), np.ones((9, 120), dtype=np.bool_))
    model.learner = Linear(weights=np.arange(known.features.shape[1]) * 0.1, centre=np.zeros(known.features.shape[1]))
    plain = sum(model.weights[name] * scores for name, scores in model.comparable(queries[:9]).items())
    asked = [replace(query, hide_seen=False) for query in queries[:9]]
    scores = model.score(asked)
    for row in range(9):
        inside = np.zeros(120, dtype=np.bool_)
        inside[known.codes[known.starts[row] : known.starts[row + 1]]] = True
        assert 5 <= inside.sum() <= 10
        assert scores[row][inside].min() > scores[row][~inside].max() + 0.9
        outside = np.flatnonzero(~inside)
        np.testing.assert_array_equal(
            outside[np.argsort(-scores[row][outside], kind="stable")], outside[np.argsort(-plain[row][outside], kind="stable")]
        )


def test_features_are_those_of_the_definitions() -> None:
    train, queries, targets = leave_last_out(WORLD)
    parts = {"ridge": Ridge().fit(train), "item_knn": ItemKnn().fit(train)}
    model = Ranker(SMALL, parts=parts).fit(train, FitContext(validation=(queries, targets), seed=1))
    masks = np.ones((2, 30), dtype=np.bool_)
    masks[:, :10] = False
    scores = model.comparable(queries[:2])
    known = model._candidates(queries[:2], scores, masks, np.array([12, 3]))
    assert (known.codes >= 10).all() and known.chosen.sum() == 1 and known.codes[known.chosen] == 12
    data, liked = train.interactions, WORLD.catalog.labels["genres"].matrix()
    for row in (0, len(known.codes) - 1):
        query, code = known.owners[row], known.codes[row]
        own = scores["ridge"][query]
        rank = 1 + (own[10:] > own[code]).sum() + (own[10:code] == own[code]).sum()
        times = data.timestamps[data.items == code]
        latest = max(data.timestamps[data.items == other].max(initial=data.timestamps.min()) for other in range(30))
        since = (latest - times.max(initial=data.timestamps.min())) / 86_400
        history = WORLD.catalog.codes(queries[query].history)
        weights = 0.9 ** np.arange(len(history))[::-1]
        unit = liked / np.sqrt(liked.sum(axis=1, keepdims=True))
        profile = weights @ unit[history]
        wanted = [scores["ridge"][query, code], scores["item_knn"][query, code], np.log(rank)]
        np.testing.assert_allclose(known.features[row, :3], wanted, rtol=1e-5)
        rest = [np.log1p(len(times)), np.log1p(since), np.log1p(len(history)), unit[code] @ profile / np.linalg.norm(profile)]
        np.testing.assert_allclose(known.features[row, 4:8], rest, rtol=1e-4, atol=1e-6)


def test_without_validation_or_history_the_first_stage_answers() -> None:
    train, queries, _ = leave_last_out(WORLD)
    parts = {"ridge": Ridge().fit(train), "item_knn": ItemKnn().fit(train)}
    model = Ranker(SMALL, parts=parts).fit(train)
    assert model.learner is None and model.weights == {"ridge": 1.0, "item_knn": 1.0}
    np.testing.assert_allclose(model.score(queries), sum(model.comparable(queries).values()), rtol=1e-5)
    model.learner = Linear(weights=np.ones(8), centre=np.zeros(8))
    np.testing.assert_allclose(model.score([Query()]), sum(model.comparable([Query()]).values()), rtol=1e-5)


def test_parts_come_by_name_as_those_of_a_fusion_do(tmp_path: Path) -> None:
    config: RunConfig = from_toml('[ranker]\nparts = ["popular", "ridge"]', ["model=ranker"])
    assert parts_of(config.settings["ranker"]) == ("popular", "ridge")
    train, queries, targets = leave_last_out(WORLD)
    own = {"popular": Popular().fit(train), "ridge": Ridge().fit(train)}
    model = build_model("ranker", config, parts=own)
    model.fit(train, FitContext(validation=(queries, targets), seed=1))
    assert parts_of_model(model) == own
    model.save(tmp_path)
    assert {path.name for path in (tmp_path / "parts").iterdir()} == {"popular", "ridge"}
    assert set(model.sources(queries[:1])) == {"popular", "ridge", "ranker"}
    content = json.loads((tmp_path / FILE).read_text())
    assert set(content) == {"weights", "learner", "held_out"}
    grown = Ranker.load(tmp_path, WORLD.catalog.add(NEW_ITEMS))
    assert np.isfinite(grown.score([Query(history=history_of(1))])).all()


def test_what_its_parts_cannot_learn_from_it_cannot_either(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ItemKnn, "unfit_for", lambda self, dataset: "It needs more.")
        assert Ranker(SMALL).unfit_for(WORLD) == "item_knn, a part of it: It needs more."
    assert Ranker(SMALL).unfit_for(WORLD) == ""
    assert Ranker(SMALL).bytes_needed(WORLD) > Ranker(replace(SMALL, candidates=5)).bytes_needed(WORLD) > 0


def test_what_is_excluded_changes_no_score_and_limits_choose_other_candidates() -> None:
    train, queries, targets = leave_last_out(WORLD)
    parts = {"ridge": Ridge().fit(train), "item_knn": ItemKnn().fit(train)}
    model = Ranker(replace(SMALL, candidates=3), parts=parts).fit(train, FitContext(validation=(queries, targets), seed=1))
    model.learner = Linear(weights=np.arange(8) * 0.1, centre=np.zeros(8))
    query = queries[4]
    [best] = model.recommend([query])
    without = replace(query, exclude=frozenset([best.items[0].item]))
    np.testing.assert_array_equal(model.score([without]), model.score([query]))
    limited = replace(query, instruction=Instruction(text="", limits=(COMEDY,)))
    met = WORLD.catalog.matching([COMEDY])
    assert model.score([limited])[0][met].max() > model.score([limited])[0][~met].max()


# Learners


def made_up(num_queries: int = 40, size: int = 8, seed: int = 0) -> Candidates:
    """Candidates of which the one with the largest 2 x first - second feature was chosen, with a third that says nothing."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(num_queries * size, 3))
    truth = (2 * features[:, 0] - features[:, 1]).reshape(num_queries, size)
    chosen = np.zeros((num_queries, size), dtype=np.bool_)
    chosen[np.arange(num_queries), truth.argmax(axis=1)] = True
    starts = np.arange(num_queries + 1, dtype=np.int64) * size
    return Candidates(features=features, codes=np.tile(np.arange(size), num_queries), starts=starts, chosen=chosen.ravel())


NOTHING = np.zeros(0)


def test_logistic_regression_is_at_the_minimum_of_its_loss() -> None:
    known = made_up()
    found = learners.logistic_path(known, NOTHING)[0.01]
    assert isinstance(found, Linear)
    scaled = (known.features - known.features.mean(axis=0)) / known.features.std(axis=0)
    signs, weights = np.where(known.chosen, 1.0, -1.0), found.weights * known.features.std(axis=0)
    # The constant of the model is not kept, as no order needs it: it is found again by a search.
    constants = np.linspace(-8, 2, 4001)
    losses = [np.logaddexp(0, -signs * (scaled @ weights + one)).mean() for one in constants]
    odds = 1 / (1 + np.exp(signs * (scaled @ weights + constants[int(np.argmin(losses))])))
    gradient = -(scaled.T @ (signs * odds)) / len(signs) + 2 * 0.01 * weights
    np.testing.assert_allclose(gradient, 0.0, atol=2e-4)


def test_ranksvm_nearly_separates_what_can_be_separated_and_is_at_the_minimum_of_its_loss() -> None:
    known = made_up()
    found = learners.ranksvm_path(known, NOTHING)[1e-4]
    assert isinstance(found, Linear)
    assert learners.ndcg(found.margins(known.features), known).mean() > 0.98
    best = known.features[known.chosen][known.owners]
    differences = (best - known.features)[~known.chosen]
    assert linprog(np.zeros(3), A_ub=-differences, b_ub=-np.ones(len(differences)), bounds=[(None, None)] * 3).status == 0
    spread = known.features.std(axis=0)
    short = np.maximum(1.0 - differences @ found.weights, 0.0)
    gradient = -2 * (differences / spread).T @ short / len(short) + 2 * 1e-4 * found.weights * spread
    np.testing.assert_allclose(gradient, 0.0, atol=1e-4)


def test_trees_order_and_their_contributions_sum_to_the_margin() -> None:
    known = made_up(200)
    path = learners.lambdamart_path(known, np.array([0.5, 0.0]), rounds=60, leaves=8, rate=0.1, least=5, seed=0)
    assert list(path) == [float(number) for number in range(3, 61, 3)]
    found = path[60.0]
    unseen = made_up(100, seed=9)
    margins = found.margins(unseen.features)
    assert learners.ndcg(margins, unseen).mean() > 0.85
    np.testing.assert_allclose(found.contributions(unseen.features).sum(axis=1), margins, atol=1e-6)
    copied = learner_of(json.loads(json.dumps(found.facts())))
    np.testing.assert_array_equal(copied.margins(unseen.features), margins)
    assert (
        learners.ndcg(path[3.0].margins(known.features), known).mean() < learners.ndcg(found.margins(known.features), known).mean()
    )


@pytest.mark.parametrize("learner", ["logistic", "ranksvm", "lambdamart"])
def test_what_is_held_back_leaves_the_first_stage(learner: str) -> None:
    known, first = made_up(), np.array([0.7, -0.2])
    if learner == "lambdamart":
        path = learners.lambdamart_path(known, first, rounds=2, leaves=2, rate=1e-9, least=5, seed=0)
        found = path[1.0]
    else:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(learners, "PENALTIES", (1e9,))
            found = getattr(learners, f"{learner}_path")(known, first)[1e9]
    margins, wanted = found.margins(known.features), known.features[:, :2] @ first
    np.testing.assert_allclose(margins - margins.mean(), wanted - wanted.mean(), atol=1e-5)


def test_linear_contributions_sum_to_the_margin_and_survive_json() -> None:
    known = made_up()
    found = learners.logistic_path(known, NOTHING)[0.1]
    np.testing.assert_allclose(found.contributions(known.features).sum(axis=1), found.margins(known.features))
    copied = learner_of(json.loads(json.dumps(found.facts())))
    np.testing.assert_array_equal(copied.margins(known.features), found.margins(known.features))


def test_ndcg_counts_ties_in_catalog_order_and_absent_answers_as_nothing() -> None:
    starts, chosen = np.array([0, 3, 5, 5, 16]), np.zeros(16, dtype=np.bool_)
    chosen[[1, 15]] = True
    known = Candidates(features=np.zeros((16, 1)), codes=np.arange(16), starts=starts, chosen=chosen)
    found = learners.ndcg(np.zeros(16), known)
    np.testing.assert_allclose(found, [1 / np.log2(3), 0, 0, 0])
    np.testing.assert_array_equal(known.answered, [True, False, False, True])
    some = known.of(np.array([True, False, False, True]))
    np.testing.assert_array_equal(some.starts, [0, 3, 14])
    np.testing.assert_array_equal(some.codes, [0, 1, 2, *range(5, 16)])


@pytest.mark.parametrize(
    "wrong",
    [{"learner": "forest"}, {"parts": ()}, {"candidates": 0}, {"leaves": 1}, {"learning_rate": 0.0}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_settings_that_do_not_fit_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        RankerConfig(**wrong)  # type: ignore[arg-type]
