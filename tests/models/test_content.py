"""Models of content: the contract, the formulas against brute force, who is liked, and items that nobody has met."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.contracts import WORLD, RecommenderContract, leave_last_out

from instructrec import assets
from instructrec.core import FitContext, Query
from instructrec.data.synthetic import GENRES, genres
from instructrec.errors import ConfigError, ModelError
from instructrec.evaluation.protocol import evaluate_scores
from instructrec.models.content import (
    SentenceVectors,
    SentenceVectorsConfig,
    Tfidf,
    TfidfConfig,
    WordVectors,
    WordVectorsConfig,
    bin_edges,
    number_terms,
    tfidf,
)
from instructrec.models.cooccurrence import common_direction, ppmi_vectors
from instructrec.models.popular import Popular
from instructrec.models.profiles import ContentModel, low_ratings, shortened
from instructrec.models.search import terms
from instructrec.recommender import allowed
from instructrec.tables import Catalog, Dataset, Interactions, Labels

TINY = SentenceVectorsConfig(encoder="tiny")


class TestTfidf(RecommenderContract):
    model = Tfidf


class TestWordVectors(RecommenderContract):
    model = WordVectors
    batch_tolerance = 1e-5


class TestWordVectorsOfAnEncoder(RecommenderContract):
    batch_tolerance = 1e-5

    @classmethod
    def make(cls) -> WordVectors:
        return WordVectors(WordVectorsConfig(words="tiny"))


class TestSentenceVectors(RecommenderContract):
    batch_tolerance = 1e-5

    @classmethod
    def make(cls) -> SentenceVectors:
        return SentenceVectors(TINY)


TEXTS = Catalog(
    item_ids=("a", "b", "c", "d"),
    titles=("Quiet harbour", "Quiet storm", "Loud rockets rockets", ""),
    labels={"kind": Labels.build([["novel"], ["novel"], ["science"], []])},
    numbers={"year": np.array([1990.0, 1991.0, 2020.0, np.nan])},
)


def rated(catalog: Catalog, rows: list[tuple[str, str, float]]) -> Dataset:
    """Interactions (user, item, rating) in the order of their times, users sorted."""
    users = tuple(dict.fromkeys(user for user, _, _ in rows))
    table = Interactions(
        user_ids=users,
        users=np.array([users.index(user) for user, _, _ in rows]),
        items=catalog.codes([item for _, item, _ in rows]),
        timestamps=np.arange(len(rows)),
        ratings=np.array([rating for _, _, rating in rows], dtype=np.float32),
    )
    return Dataset(name="rated", interactions=table, catalog=catalog)


READ = rated(TEXTS, [("u", "a", 5.0), ("u", "c", 1.0), ("v", "b", 4.0), ("v", "a", 3.0)])


def test_tfidf_is_the_formula_of_salton_and_buckley():
    counts = [Counter(["a", "b", "b", "c"]), Counter(["a", "c"]), Counter(["a", "d", "d", "d"])]
    found = tfidf(counts, num_items=3).toarray()
    for row, own in enumerate(counts):
        weight = {
            term: (1 + np.log(count)) * np.log(4 / (1 + sum(term in other for other in counts))) for term, count in own.items()
        }
        length = np.sqrt(sum(value**2 for value in weight.values()))
        wanted = sorted(value / length for value in weight.values() if value)
        np.testing.assert_allclose(np.sort(found[row][found[row] > 0]), wanted, rtol=1e-6)


def test_a_profile_is_the_recent_mean_of_what_was_liked_less_what_was_rated_low():
    model = Tfidf(TfidfConfig(decay=0.5, low_rated=-0.25)).fit(READ)
    items = model._items.toarray()
    for user, weights in (("u", {"a": 0.5, "c": -0.25}), ("v", {"a": 0.5, "c": 1.0}), (None, {"a": 0.5, "c": 1.0})):
        profile = sum(weight * items[TEXTS.index[item]] for item, weight in weights.items())
        [scores] = model.score([Query(user=user, history=("a", "c"))])
        np.testing.assert_allclose(scores, items @ profile / np.linalg.norm(profile), atol=1e-6)
    # With 1 what was rated low counts as if it was liked.
    same = Tfidf(TfidfConfig(decay=0.5, low_rated=1.0)).fit(READ)
    np.testing.assert_array_equal(*same.score([Query(user="u", history=("a", "c")), Query(history=("a", "c"))]))


def test_low_is_below_the_middle_of_the_scale_and_only_where_there_is_a_scale():
    assert len(low_ratings(READ.interactions, TEXTS)) == 1
    one_value = rated(TEXTS, [("u", "a", 1.0), ("v", "b", 1.0)])
    assert len(low_ratings(one_value.interactions, TEXTS)) == 0
    unrated = rated(TEXTS, [("u", "a", np.nan), ("v", "b", 1.0), ("v", "c", 5.0)])
    assert len(low_ratings(unrated.interactions, TEXTS)) == 1


def test_somebody_who_disliked_all_they_met_is_offered_what_is_least_like_it():
    only = rated(TEXTS, [("u", "a", 1.0), ("v", "c", 5.0)])
    model = Tfidf(TfidfConfig(low_rated=-0.5)).fit(only)
    [scores] = model.score([Query(user="u", history=("a",))])
    assert scores[0] == pytest.approx(-1.0) and scores[1] < scores[2] == scores[3] == 0
    # Where low ratings count nothing nothing is known.
    silent = Tfidf(TfidfConfig(low_rated=0.0)).fit(only)
    assert not silent.is_personal(Query(user="u", history=("a",)))
    np.testing.assert_array_equal(*silent.score([Query(user="u", history=("a",)), Query()]))


def test_a_saved_model_holds_no_id_of_a_user(tmp_path: Path):
    data = rated(TEXTS, [("somebody-known", "a", 1.0), ("v", "b", 5.0)])
    Tfidf().fit(data).save(tmp_path)
    assert not any(b"somebody-known" in path.read_bytes() for path in tmp_path.iterdir())


def test_who_has_no_history_gets_what_is_popular():
    model = Tfidf().fit(READ)
    [scores] = model.score([Query()])
    np.testing.assert_allclose(scores, np.log1p([2, 1, 1, 0]), rtol=1e-6)
    assert not model.is_personal(Query(history=("d",)))


def test_numbers_become_parts_of_equal_size_and_unknown_ones_nothing():
    years = np.array([*range(1990, 2010), np.nan])
    catalog = Catalog(item_ids=tuple(map(str, range(21))), titles=("",) * 21, numbers={"year": years})
    parts = number_terms(catalog, bin_edges(catalog))
    assert [len(row) for row in parts] == [1] * 20 + [0]
    assert Counter(row[0] for row in parts[:20]).most_common(1)[0][1] == 2
    assert parts[0] == parts[1] != parts[2]


def test_values_count_beside_their_words():
    data = replace(READ, catalog=replace(TEXTS, numbers={}))
    words, both = (Tfidf(TfidfConfig(values=values)).fit(data)._items.toarray() for values in (0.0, 3.0))
    assert both[0] @ both[1] > words[0] @ words[1]


def test_word_vectors_are_the_decomposition_of_positive_pointwise_mutual_information():
    lines = [[0, 1, 2], [0, 1], [2, 3, 0, 3]]
    pairs = Counter((a, b) for line in lines for i, a in enumerate(line) for j, b in enumerate(line) if i != j and abs(i - j) <= 2)
    word = [sum(count for (a, _), count in pairs.items() if a == w) for w in range(4)]
    context = [sum(count for (_, b), count in pairs.items() if b == w) ** 0.75 for w in range(4)]
    information = np.zeros((4, 4))
    for (a, b), count in pairs.items():
        information[a, b] = max(0.0, np.log(count * sum(context) / (word[a] * context[b])))
    found = ppmi_vectors([np.array(line) for line in lines], 4, width=4, window=2)
    left, values, _ = np.linalg.svd(information)
    np.testing.assert_allclose(found @ found.T, left @ np.diag(values) @ left.T, atol=1e-5)


def test_large_vocabularies_give_the_same_directions_as_small_ones(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    lines = [rng.integers(0, 60, size=12) for _ in range(200)]
    whole = ppmi_vectors(lines, 60, width=5, window=3)
    monkeypatch.setattr("instructrec.models.cooccurrence.FEW_WORDS", 0)
    first = ppmi_vectors(lines, 60, width=5, window=3)
    np.testing.assert_allclose(np.abs(whole), np.abs(first), atol=1e-4)
    np.testing.assert_array_equal(first, ppmi_vectors(lines, 60, width=5, window=3))


def test_a_new_item_is_described_as_training_would_have(tmp_path: Path):
    model = WordVectors().fit(WORLD)
    model.save(tmp_path)
    # The same items again, with years that would move the parts of all if they were cut anew.
    far = {"year": np.concatenate([WORLD.catalog.numbers["year"][:1], [9999.0] * 20])}
    rows = [WORLD.catalog.labels["genres"].of(item) for item in range(21)]
    again = Catalog(
        item_ids=tuple(f"again-{item}" for item in range(21)),
        titles=WORLD.catalog.titles[:21],
        texts=WORLD.catalog.texts[:21],
        labels={"genres": Labels.build(rows)},
        numbers=far,
    )
    grown = WordVectors.load(tmp_path, WORLD.catalog.add(again)).item_vectors()
    np.testing.assert_allclose(grown[len(WORLD.catalog)], model.item_vectors()[0], atol=1e-6)


def test_what_all_items_share_is_taken_away():
    rng = np.random.default_rng(0)
    means = rng.normal(size=(50, 8)).astype(np.float32) + 10 * np.eye(8, dtype=np.float32)[3]
    assert abs(common_direction(means)[3]) > 0.99
    assert not common_direction(np.zeros((4, 3), dtype=np.float32)).any()
    model = WordVectors().fit(WORLD)
    assert np.abs(model.item_vectors() @ model._common).max() < 1e-5


def test_words_with_the_same_neighbours_are_near():
    kinds = [["sea", "boat"], ["sea", "ship"], ["sky", "plane"], ["sky", "jet"]]
    titles = tuple(f"{kind[0]} {kind[1]} {number}" for number in range(8) for kind in kinds)
    catalog = Catalog(item_ids=tuple(map(str, range(32))), titles=titles)
    model = WordVectors(WordVectorsConfig(width=4)).fit(rated(catalog, [("u", "0", 5.0), ("v", "1", 5.0)]))
    words = dict(zip(model._words.tolist(), model._vectors, strict=True))
    from instructrec.models.profiles import hashed

    boat, ship, plane = (words[key] for key in hashed([terms(word)[0] for word in ("boat", "ship", "plane")]).tolist())
    assert boat @ ship > 5 * abs(boat @ plane)


MADE = {"tfidf": Tfidf, "word_vectors": WordVectors, "sentence_vectors": lambda: SentenceVectors(TINY)}


@pytest.mark.parametrize("name", MADE)
def test_items_that_nobody_has_met_are_found_by_what_is_written(name: str):
    if name == "sentence_vectors" and not assets.is_fetched("minilm"):
        pytest.skip("the sentence encoder is not fetched: instructrec fetch minilm")
    hidden, people, targets = cold_world()
    made = SentenceVectors if name == "sentence_vectors" else MADE[name]
    model, popular = (one().fit(hidden) for one in (made, Popular))
    holdout = _Holdout(people, targets)
    found = {one.name: evaluate_scores(one.score(people), holdout, hidden.catalog).value("hr@10") for one in (model, popular)}
    by_chance = 10 / np.mean([allowed(query, hidden.catalog).sum() for query in people])
    assert found[name] >= 3 * max(found["popular"], by_chance)


class _Holdout:
    """Queries with one target each."""

    def __init__(self, queries: list[Query], targets: list[int]) -> None:
        self.queries, self.targets = queries, [np.array([target]) for target in targets]


def cold_world() -> tuple[Dataset, list[Query], list[int]]:
    """The genre world without any interaction of a tenth of its items; who met one of these and liked its genre is asked for it."""
    world = genres(num_users=240, num_items=240, seed=5)
    hidden = np.random.default_rng(1).permutation(len(world.catalog))[:24]
    rows = ~np.isin(world.interactions.items, hidden)
    train = world.with_interactions(world.interactions.keep(rows))
    people, targets = [], []
    for user, name in enumerate(world.interactions.user_ids):
        liked = [item for item in world.interactions.history(user) if item in hidden and _likes(world.catalog, user, item)]
        history = tuple(world.catalog.item_ids[code] for code in train.interactions.history(user))
        if liked and history:
            people.append(Query(user=name, history=history))
            targets.append(int(liked[0]))
    assert len(people) > 50
    return train, people, targets


def _likes(catalog: Catalog, user: int, item: int) -> bool:
    return GENRES[user % len(GENRES)] in catalog.labels["genres"].of(int(item))


@pytest.mark.parametrize("name", MADE)
def test_a_catalog_of_ids_alone_is_refused_with_what_it_needs(name: str):
    ids = ("i0", "i1", "i2")
    bare = rated(Catalog(item_ids=ids, titles=ids), [("u", "i0", 5.0), ("v", "i1", 5.0)])
    model = MADE[name]()
    assert "only ids" in model.unfit_for(bare)
    assert model.unfit_for(WORLD) == ""
    with pytest.raises(ModelError, match=r"items\.csv"):
        model.fit(bare)


@pytest.mark.parametrize("name", MADE)
def test_vectors_for_maps_lie_near_where_items_are_alike(name: str):
    model: ContentModel = MADE[name]().fit(WORLD)
    vectors = model.item_vectors()
    assert vectors.dtype == np.float32 and vectors.ndim == 2 and len(vectors) == len(WORLD.catalog)
    near = vectors @ vectors.T
    same = np.array([[one == other for other in WORLD.catalog.label_rows("genres")] for one in WORLD.catalog.label_rows("genres")])
    np.fill_diagonal(near, np.nan)
    assert np.nanmean(near[same]) > np.nanmean(near[~same]) + 0.1


def test_shortened_rows_keep_their_cosines():
    items = Tfidf().fit(WORLD)._items
    short = shortened(items, width=2000)
    np.testing.assert_allclose(short @ short.T, (items @ items.T).toarray(), atol=0.12)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (TfidfConfig, {"decay": 0.0}),
        (TfidfConfig, {"low_rated": -1.5}),
        (TfidfConfig, {"values": -1.0}),
        (WordVectorsConfig, {"width": 0}),
    ],
    ids=["decay", "low_rated", "values", "width"],
)
def test_settings_that_cannot_be_are_refused(kind, wrong):
    with pytest.raises(ConfigError):
        kind(**wrong)


def test_hostile_texts_are_only_words():
    titles = ("\0\0\n", "🎬" * 300, "a" * 20_000, "", "；。", "中文 标题")
    catalog = Catalog(item_ids=tuple("abcdef"), titles=titles)
    data = rated(catalog, [("u", "a", 5.0), ("v", "f", 5.0)])
    for make in MADE.values():
        scores = make().fit(data).score([Query(history=("f",)), Query(history=("d",)), Query(history=("a", "b", "c"))])
        assert np.isfinite(scores).all()


def test_a_changed_text_counts_when_tfidf_is_read_again(tmp_path: Path):
    before = Tfidf().fit(READ)
    before.save(tmp_path)
    renamed = replace(TEXTS, titles=("Quiet harbour", "Quiet storm", "Loud rockets rockets", "Quiet harbour at night"))
    [scores] = Tfidf.load(tmp_path, renamed).score([Query(history=("a",))])
    assert scores[3] > 0 == before.score([Query(history=("a",))])[0, 3]


def test_the_sentence_encoder_finds_likes_without_a_common_word():
    if not assets.is_fetched("minilm"):
        pytest.skip("the sentence encoder is not fetched: instructrec fetch minilm")
    titles = ("Astronauts reach the moon", "A rocket into orbit", "Recipes for soup", "Baking bread at home")
    catalog = Catalog(item_ids=("a", "b", "c", "d"), titles=titles)
    model = SentenceVectors().fit(rated(catalog, [("u", "a", 5.0), ("v", "c", 5.0)]), FitContext())
    space, food = model.score([Query(history=("a",)), Query(history=("c",))])
    assert space[1] > space[2:].max() + 0.1
    assert food[3] > food[:2].max() + 0.1


def test_leave_last_out_data_keep_their_ratings():
    assert len(low_ratings(leave_last_out(WORLD)[0].interactions, WORLD.catalog)) > 0
