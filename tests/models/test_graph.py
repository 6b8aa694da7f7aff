"""Models over the graph: the contract, layers against other implementations and by hand, and queries as nodes of the graph."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch
from tests.contracts import NEW_ITEMS, WORLD, RecommenderContract, history_of, leave_last_out
from tests.models.test_sequences import StopAt

from instructrec.core import FitContext, Query
from instructrec.data.synthetic import chain, genres
from instructrec.errors import ConfigError
from instructrec.models import resolve
from instructrec.models.graph import Gat, Gcn, GraphRecommender, GraphSage, LightGcn
from instructrec.models.graph_network import (
    AttentionLayer,
    ConvolutionLayer,
    LightLayer,
    Neighbours,
    SampleLayer,
    graph_of,
    queries_of,
)
from instructrec.models.graph_task import GatConfig, GcnConfig, GraphConfig, GraphSageConfig, LightGcnConfig, NextInGraph
from instructrec.models.histories import recency_rows
from instructrec.tables import Catalog

TINY = {"width": 16, "epochs": 40, "learning_rate": 2e-2, "batch_targets": 64}
FAMILY = {"lightgcn": LightGcn, "gcn": Gcn, "graphsage": GraphSage, "gat": Gat}


def tiny(name: str, **changes: object) -> GraphRecommender:
    """A model that is trained in a second."""
    made = resolve(name)
    return made(made.config_type(**{**TINY, **changes}))  # type: ignore[attr-defined, call-arg, no-any-return]


pytestmark = pytest.mark.usefixtures("one_thread")


class TestLightGcn(RecommenderContract):
    """Products are rounded by the shape of the batch, so alone and in a batch agree to some last digits."""

    @classmethod
    def make(cls) -> GraphRecommender:
        return tiny("lightgcn")

    batch_tolerance = 1e-5


class TestGcn(RecommenderContract):
    @classmethod
    def make(cls) -> GraphRecommender:
        return tiny("gcn")

    batch_tolerance = 1e-5


class TestGraphSage(RecommenderContract):
    @classmethod
    def make(cls) -> GraphRecommender:
        return tiny("graphsage")

    batch_tolerance = 1e-5


class TestGat(RecommenderContract):
    @classmethod
    def make(cls) -> GraphRecommender:
        return tiny("gat")

    batch_tolerance = 1e-5


def some_graph(seed: int = 0) -> tuple[Neighbours, torch.Tensor, np.ndarray]:
    """A graph of 7 users and 9 items, states, and its edges as numbers of nodes int64 [2, 2 * num_edges]."""
    rng = np.random.default_rng(seed)
    users, items = np.nonzero(rng.random((7, 9)) < 0.4)
    near = graph_of(users.astype(np.int64), items.astype(np.int64), num_users=7, num_items=9)
    torch.manual_seed(seed)
    return near, torch.randn(16, 8, requires_grad=True), np.stack([np.append(users, items + 7), np.append(items + 7, users)])


def test_light_propagation_is_the_normalised_adjacency_of_linear_algebra() -> None:
    near, states, (source, target) = some_graph()
    adjacency = np.zeros((16, 16))
    adjacency[target, source] = 1
    degrees = np.maximum(adjacency.sum(axis=1), 1)
    normalised = adjacency / np.sqrt(np.outer(degrees, degrees))
    wanted = np.linalg.matrix_power(normalised, 3) @ states.detach().numpy()
    layer, found = LightLayer(), states
    for _ in range(3):
        found = layer(found, found, near)
    np.testing.assert_allclose(found.detach().numpy(), wanted, atol=1e-5)
    found.sum().backward()
    gradient = np.linalg.matrix_power(normalised.T, 3) @ np.ones((16, 8))
    np.testing.assert_allclose(states.grad.numpy(), gradient, atol=1e-5)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["gcn", "graphsage", "gat"])
def test_one_layer_and_its_gradients_are_those_of_pytorch_geometric(kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch_geometric.nn import GATConv, GCNConv, SAGEConv
    near, states, edges = some_graph(1)
    index, other = torch.from_numpy(edges), states.detach().clone().requires_grad_()
    with torch.no_grad():
        if kind == "gcn":
            ours, theirs = ConvolutionLayer(8), GCNConv(8, 8)
            theirs.lin.weight.copy_(ours.map.weight), theirs.bias.copy_(ours.map.bias)
        elif kind == "graphsage":
            ours, theirs = SampleLayer(8), SAGEConv(8, 8)
            theirs.lin_l.weight.copy_(ours.near.weight), theirs.lin_l.bias.copy_(ours.near.bias)
            theirs.lin_r.weight.copy_(ours.own.weight)
        else:
            ours, theirs = AttentionLayer(8, 2), GATConv(8, 4, heads=2)
            theirs.lin.weight.copy_(ours.map.weight), theirs.bias.copy_(ours.bias)
            theirs.att_src.copy_(ours.source[None]), theirs.att_dst.copy_(ours.target[None])
    found, wanted = ours(states, states, near), theirs(other, index)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
    weights = torch.randn(16, 8)
    (found * weights).sum().backward(), (wanted * weights).sum().backward()
    torch.testing.assert_close(states.grad, other.grad, atol=1e-5, rtol=1e-4)
    if kind == "gat":
        torch.testing.assert_close(ours.source.grad, theirs.att_src.grad[0], atol=1e-5, rtol=1e-4)


def test_attention_sums_to_one_over_the_neighbours_of_a_node_and_counts_light_edges_for_less() -> None:
    near, states, _ = some_graph(2)
    layer = AttentionLayer(8, 4)
    shares, pattern = layer.attention(states, states, near)
    totals = np.add.reduceat(shares.detach().numpy(), pattern.indptr[:-1], axis=0)
    np.testing.assert_allclose(totals, 1.0, atol=1e-6)
    rows = scipy.sparse.csr_array(np.array([[1.0, 0.25, 0, 0]], dtype=np.float32))
    same = torch.ones(1, 8)
    one, _ = layer.attention(same.expand(5, -1), same, queries_of(rows, np.ones(4, dtype=np.float32)))
    np.testing.assert_allclose(one.detach().numpy(), np.array([[1.0, 0.25, 1.0]]).T.repeat(4, axis=1) / 2.25, atol=1e-6)


@pytest.mark.parametrize("name", FAMILY)
def test_a_query_with_the_history_of_a_training_user_is_that_users_node(name: str) -> None:
    train, queries, _ = leave_last_out(WORLD)
    model = tiny(name, epochs=3, decay=1.0, layers=3).fit(train)
    network, data, size = model._ready(), train.interactions, len(data_users := train.interactions.user_ids)
    near = graph_of(data.users, data.items, num_users=size, num_items=len(WORLD.catalog))
    rows = recency_rows(data.histories(), decay=1.0, num_items=len(WORLD.catalog))
    with torch.inference_mode():
        states = torch.cat([network.start.expand(size, -1), model._states[0]])
        layers = [states]
        for layer in range(3):
            layers.append(network.advance(layer, layers[-1], layers[-1], near))
        wanted = network.final(layers)[:size] * network.scale.exp()
        found = network.queries(model._states, queries_of(rows, model._degrees))
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
        scores = model.score([replace(query, user=None) for query in queries])
        np.testing.assert_allclose(scores, (wanted @ network.final(model._states).T).numpy(), atol=1e-3, rtol=1e-3)
    assert len(data_users) == len(queries)


def test_a_step_hides_its_answers_and_only_them_where_nothing_else_is_dropped() -> None:
    train, _, _ = leave_last_out(WORLD)
    model = tiny("lightgcn", edge_dropout=0.0, features=False, epochs=0).fit(train)
    task = NextInGraph(model._ready(), model.config, train.interactions, model._features.encode(WORLD.catalog), 0)
    batch = task.batches(0)[0]
    _, near = task._shown(batch)
    gone = task.near.weight - near.weight
    users, items = train.interactions.users[batch], train.interactions.items[batch] + task.num_users
    wanted = {*zip(users, items, strict=True), *zip(items, users, strict=True)}
    assert {(row, column) for row, column in zip(*gone.nonzero(), strict=True)} == wanted
    covered = np.sort(np.concatenate(task.batches(3)))
    np.testing.assert_array_equal(covered, np.flatnonzero(np.diff(train.interactions.users, prepend=-1) == 0))


@pytest.mark.parametrize("name", ["lightgcn", "graphsage"])
@pytest.mark.parametrize("loss", ["softmax", "sampled", "bpr"])
def test_every_loss_learns_tastes(name: str, loss: str) -> None:
    train, queries, targets = leave_last_out(WORLD)
    changes = {"softmax": {}, "sampled": {"negatives": 10}, "bpr": {"loss": "bpr", "negatives": 4}}[loss]
    model = tiny(name, patience=0, **changes).fit(train, FitContext(seed=1))
    scores = model.score(queries)
    above = (scores > np.take_along_axis(scores, np.array(targets)[:, None], axis=1)).sum(axis=1)
    assert np.mean(above) < 0.35 * len(WORLD.catalog), "chance leaves half of the items above"
    assert model.curve[-1]["loss"] < 0.9 * model.curve[0]["loss"]


def test_what_came_last_counts_most_below_a_decay_of_one_and_not_at_one() -> None:
    world = chain()
    names = world.catalog.item_ids
    near = tiny("graphsage", decay=0.3, epochs=60, patience=0).fit(world, FitContext(seed=1))
    prefixes = [tuple(names[(start + step) % 20] for step in range(4)) for start in range(20)]
    best = near.score([Query(history=prefix, hide_seen=False) for prefix in prefixes]).argmax(axis=1)
    assert np.mean(best == (np.arange(20) + 4) % 20) >= 0.9
    blind = tiny("graphsage", decay=1.0, epochs=2).fit(world)
    forward, backward = blind.score([Query(history=prefixes[0]), Query(history=prefixes[0][::-1])])
    np.testing.assert_allclose(forward, backward, atol=1e-5)


@pytest.mark.parametrize("name", FAMILY)
def test_items_without_interactions_are_scored_by_their_features(name: str, tmp_path: Path) -> None:
    world = genres(num_users=60, num_items=60, seed=2)
    hidden = np.arange(0, 60, 7)
    train = world.with_interactions(world.interactions.keep(~np.isin(world.interactions.items, hidden)))
    model = tiny(name, patience=0, cold_share=0.2).fit(train, FitContext(seed=1))
    liked = world.catalog.labels["genres"].matrix()
    queries = [Query(history=tuple(world.catalog.item_ids[code] for code in h)) for h in train.interactions.histories()]
    scores = model.score(queries)[:, hidden]
    own = liked[hidden][:, np.arange(len(queries)) % 6].T
    assert scores[own].mean() > scores[~own].mean() + 0.5 * scores.std()
    blind = tiny(name, epochs=1, features=False).fit(train, FitContext(seed=1)).score(queries)
    np.testing.assert_array_equal(blind[:, hidden], blind.min(axis=1, keepdims=True).repeat(len(hidden), axis=1))


def test_new_items_count_in_histories_and_old_scores_stay(tmp_path: Path) -> None:
    train, _, _ = leave_last_out(WORLD)
    model = tiny("lightgcn", cold_share=0.2).fit(train, FitContext(seed=1))
    model.save(tmp_path)
    grown = LightGcn.load(tmp_path, WORLD.catalog.add(NEW_ITEMS))
    query = [Query(history=history_of(3))]
    np.testing.assert_allclose(grown.score(query)[:, : len(WORLD.catalog)], model.score(query), atol=1e-5)
    assert grown.is_personal(Query(history=("new-0",)))
    comedies = WORLD.catalog.labels["genres"].matrix()[:, WORLD.catalog.labels["genres"].index["Comedy"]]
    scores = grown.score([Query(history=("new-0",))])[0, : len(WORLD.catalog)]
    assert scores[comedies].mean() > scores[~comedies].mean()
    silent = Catalog(item_ids=("silent",), titles=("",))
    assert not LightGcn.load(tmp_path, WORLD.catalog.add(silent)).is_personal(Query(history=("silent",)))


def test_without_a_history_what_many_met_comes_first() -> None:
    train, _, _ = leave_last_out(WORLD)
    model = tiny("gat", epochs=2).fit(train)
    counts = np.bincount(train.interactions.items, minlength=len(WORLD.catalog))
    np.testing.assert_allclose(model.score([Query()])[0], np.log1p(counts), rtol=1e-6)


@pytest.mark.parametrize("name", ["lightgcn", "gat"])
def test_an_interrupted_fit_goes_on_to_the_same_bits(name: str, tmp_path: Path) -> None:
    train, queries, targets = leave_last_out(WORLD)
    context = FitContext(validation=(queries, targets), seed=3)
    small = {"epochs": 4, "check_every": 2, "patience": 2}
    whole = tiny(name, **small).fit(train, context)
    with pytest.raises(KeyboardInterrupt):
        tiny(name, **small).fit(train, replace(context, progress=StopAt(9), folder=tmp_path))
    resumed = tiny(name, **small).fit(train, replace(context, folder=tmp_path))
    np.testing.assert_array_equal(resumed.score(queries), whole.score(queries))
    assert resumed.curve == whole.curve


@pytest.mark.parametrize("name", FAMILY)
def test_data_that_joins_nothing_is_named_and_still_answered(name: str) -> None:
    data = WORLD.interactions
    once = WORLD.with_interactions(data.keep(np.diff(data.users, prepend=-1) != 0))
    nothing = WORLD.with_interactions(data.keep(np.zeros(len(data), dtype=np.bool_)))
    assert "several items" in tiny(name).unfit_for(once) and "several items" in tiny(name).unfit_for(nothing)
    assert tiny(name).unfit_for(WORLD) == ""
    for world in (once, nothing):
        assert np.isfinite(tiny(name, epochs=1).fit(world).score([Query(), Query(history=history_of(0))])).all()


def test_bytes_grow_with_the_data_and_cover_what_a_step_holds() -> None:
    small, large = genres(24, 30), genres(60, 240)
    model = LightGcn()
    assert model.bytes_needed(large) > model.bytes_needed(small) > 4 * model.config.batch_targets * 30
    assert Gat().bytes_needed(large) > model.bytes_needed(large)


@pytest.mark.parametrize(
    "wrong",
    [{"loss": "hinge"}, {"edge_dropout": 1.0}, {"cold_share": -0.1}, {"layers": 0}, {"decay": 0.0}, {"heads": 3}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_settings_that_do_not_fit_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        GatConfig(**wrong)


def test_each_model_has_settings_of_its_own() -> None:
    wanted = {"lightgcn": LightGcnConfig, "gcn": GcnConfig, "graphsage": GraphSageConfig, "gat": GatConfig}
    for name, made in FAMILY.items():
        assert made.name == name and made.config_type is wanted[name] and issubclass(wanted[name], GraphConfig)
