"""What every recommender must do, whatever it is made of. A new one passes it in three lines:

class TestRidge(RecommenderContract):
    model = Ridge

A class fits three times, on tiny worlds (twice 24 users and 30 items, once 12 and 12), and asks a few hundred small batches. A
model that needs more than `model()` overrides `make`; one whose arithmetic depends on the batch widens the tolerances.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instructrec.core import FitContext, Instruction, Query, Quota, Recommendation
from instructrec.data.synthetic import checkerboard, genres
from instructrec.errors import ModelError, QueryError
from instructrec.explain import attribute, explain
from instructrec.recommender import Recommender, allowed
from instructrec.tables import Catalog, Dataset, Labels, Limit

WORLD = genres(num_users=24, num_items=30, seed=3)
"""Films with genres, years and texts; user code u likes one genre. No user has met all items."""

COMEDY = Limit(attribute="genres", operator="include", values=("Comedy",))
NO_DRAMA = Limit(attribute="genres", operator="exclude", values=("Drama",))
EIGHTIES = Limit(attribute="year", operator="range", low=1980, high=1989)
LIMITS = (COMEDY, NO_DRAMA, EIGHTIES)

NEW_ITEMS = Catalog(
    item_ids=("new-0", "new-1"),
    titles=("The New Comedy", "The New Drama"),
    texts=("The New Comedy: comedy from 2009.", "The New Drama: drama from 2009."),
    labels={"genres": Labels.build([("Comedy",), ("Drama",)])},
    numbers={"year": np.array([2009.0, 2009.0])},
)
"""Items that nobody has met, with the attributes of `WORLD`."""


class RecommenderContract:
    """Inherit, set `model` (anything that returns an unfitted recommender), and every test below runs on it."""

    model: ClassVar[Callable[[], Recommender]]

    batch_tolerance: ClassVar[float] = 0.0
    """Largest relative difference of scores between a query asked alone and in a batch; 0 asks for equal bits."""

    saved_tolerance: ClassVar[float] = 0.0
    """Largest relative difference of scores between a model and its copy read from disk; 0 asks for equal bits."""

    learns_taste: ClassVar[bool] = True
    """Whether histories matter; false only for popularity."""

    checkerboard_share: ClassVar[float] = 1.0
    """Share of the users of the checkerboard whose held-out item must come first."""

    examples: ClassVar[int] = 40
    """How many random queries the property test draws."""

    @classmethod
    def make(cls) -> Recommender:
        """An unfitted model; override it where the class alone is not enough."""
        return cls.model()

    @classmethod
    def fit(cls, model: Recommender, dataset: Dataset) -> Recommender:
        """Fit with the last item of every user as validation, so that models that choose weights on it can."""
        train, queries, targets = leave_last_out(dataset)
        return model.fit(train, FitContext(validation=(queries, targets), seed=7))

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls) -> Recommender:
        return cls.fit(cls.make(), WORLD)

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, fitted: Recommender, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("model")
        fitted.save(folder)
        return folder

    @pytest.fixture(scope="class")
    @classmethod
    def copied(cls, folder: Path) -> Recommender:
        return type(cls.make()).load(folder, WORLD.catalog)

    # Fitting

    def test_it_has_the_name_of_its_row_in_the_table(self, fitted: Recommender):
        from instructrec.models import MODELS

        assert fitted.name in MODELS

    def test_a_second_fit_gives_equal_bits_returns_the_model_itself_and_leaves_the_data_alone(self, fitted: Recommender):
        before = WORLD.interactions.items.copy()
        model = self.make()
        again = self.fit(model, WORLD)
        assert again is model
        assert again.catalog is WORLD.catalog
        np.testing.assert_array_equal(WORLD.interactions.items, before)
        np.testing.assert_array_equal(again.score(some_queries()), fitted.score(some_queries()))

    def test_a_model_that_was_not_fitted_says_so(self):
        with pytest.raises(ModelError, match="fit"):
            self.make().score([Query()])

    # Scores

    def test_rows_are_finite_float32_over_the_whole_catalog(self, fitted: Recommender):
        scores = fitted.score(some_queries())
        assert scores.dtype == np.float32
        assert scores.shape == (len(some_queries()), len(WORLD.catalog))
        assert np.isfinite(scores).all()

    def test_batch_and_single_agree(self, fitted: Recommender):
        queries = some_queries()
        single = np.concatenate([fitted.score([query]) for query in queries])
        assert_close(fitted.score(queries), single, self.batch_tolerance)

    def test_the_order_of_the_batch_does_not_matter(self, fitted: Recommender):
        queries = some_queries()
        assert_close(fitted.score(queries[::-1])[::-1], fitted.score(queries), self.batch_tolerance)

    def test_the_same_call_gives_the_same_lists_and_ids(self, fitted: Recommender):
        assert fitted.recommend(some_queries()) == fitted.recommend(some_queries())

    def test_sources_add_up_to_the_score(self, fitted: Recommender):
        queries = some_queries()
        total = np.sum(list(fitted.sources(queries).values()), axis=0)
        np.testing.assert_allclose(total, fitted.score(queries), rtol=1e-4, atol=1e-4)

    # Lists

    def test_no_queries_give_no_lists(self, fitted: Recommender):
        assert fitted.recommend([]) == []
        assert fitted.score([]).shape == (0, len(WORLD.catalog))

    def test_lists_are_ranked_by_score(self, fitted: Recommender):
        for answer in fitted.recommend(some_queries()):
            scores = [item.score for item in answer.items]
            assert scores == sorted(scores, reverse=True)
            assert answer.model == fitted.name

    def test_seen_items_are_hidden_unless_asked_for(self, fitted: Recommender):
        history = history_of(0)
        hidden, shown = fitted.recommend([Query(history=history, n=1000), Query(history=history, n=1000, hide_seen=False)])
        assert not set(ids(hidden)) & set(history)
        assert set(history) <= set(ids(shown))

    def test_excluded_items_never_come(self, fitted: Recommender):
        first = ids(fitted.recommend([Query(history=history_of(1))])[0])
        [answer] = fitted.recommend([Query(history=history_of(1), exclude=frozenset(first[:5]))])
        assert not set(ids(answer)) & set(first[:5])
        assert set(first[5:]) <= set(ids(answer))

    def test_only_candidates_come(self, fitted: Recommender):
        candidates = tuple(item for item in WORLD.catalog.item_ids if item not in history_of(2))[3:8]
        [answer] = fitted.recommend([Query(history=history_of(2), candidates=candidates)])
        assert set(ids(answer)) == set(candidates)

    def test_no_candidates_give_an_empty_list_that_says_so(self, fitted: Recommender):
        [answer] = fitted.recommend([Query(history=history_of(2), candidates=())])
        assert answer.items == ()
        assert "short_list:0" in answer.notes

    @pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: f"{limit.operator}-{limit.attribute}")
    def test_limits_hold(self, fitted: Recommender, limit: Limit):
        [answer] = fitted.recommend([Query(history=history_of(3), instruction=Instruction(text="as said", limits=(limit,)))])
        met = WORLD.catalog.matching([limit])
        assert answer.items
        assert met[WORLD.catalog.codes(ids(answer))].all()

    def test_a_limit_that_the_catalog_does_not_know_is_refused_in_words(self, fitted: Recommender):
        limit = Limit(attribute="genres", operator="include", values=("Comdy",))
        with pytest.raises(QueryError, match="Comedy"):
            fitted.recommend([Query(instruction=Instruction(text="comdy", limits=(limit,)))])

    def test_more_than_the_catalog_gives_everything_that_is_allowed_and_says_so(self, fitted: Recommender):
        query = Query(history=history_of(4), n=10 * len(WORLD.catalog))
        [answer] = fitted.recommend([query])
        assert len(answer.items) == int(allowed(query, WORLD.catalog).sum())
        assert len(set(ids(answer))) == len(answer.items)
        assert f"short_list:{len(answer.items)}" in answer.notes

    def test_a_full_list_has_no_note_about_its_length(self, fitted: Recommender):
        [answer] = fitted.recommend([Query(history=history_of(4), n=3)])
        assert len(answer.items) == 3
        assert not [note for note in answer.notes if note.startswith("short_list")]

    # Who asks

    def test_an_empty_history_is_answered(self, fitted: Recommender):
        [answer] = fitted.recommend([Query(n=5)])
        assert len(answer.items) == 5
        if self.learns_taste:
            assert answer.degraded
            assert "cold_start:popularity" in answer.notes

    def test_a_user_nobody_knows_is_answered_like_nobody(self, fitted: Recommender):
        stranger, nobody = fitted.recommend([Query(user="a stranger", n=5), Query(n=5)])
        assert ids(stranger) == ids(nobody)

    def test_unknown_history_items_change_nothing_and_are_named(self, fitted: Recommender):
        history = history_of(5)
        with_unknown = (*history[:3], "no-such-item", *history[3:])
        plain, noted = fitted.recommend([Query(history=history), Query(history=with_unknown)])
        assert ids(plain) == ids(noted)
        assert any("no-such-item" in note for note in noted.notes)

    def test_a_history_of_unknown_items_only_is_a_cold_start(self, fitted: Recommender):
        lost, nobody = fitted.recommend([Query(history=("no-such-item",), n=5), Query(n=5)])
        assert ids(lost) == ids(nobody)
        assert lost.degraded == nobody.degraded

    def test_repeated_and_very_long_histories_are_answered(self, fitted: Recommender):
        history = history_of(6)
        scores = fitted.score([Query(history=history * 60), Query(history=(history[0],) * 3)])
        assert np.isfinite(scores).all()

    # Disk

    def test_a_saved_copy_gives_equal_scores_and_the_same_lists(self, fitted: Recommender, copied: Recommender):
        queries = some_queries()
        assert_close(copied.score(queries), fitted.score(queries), self.saved_tolerance)
        assert [ids(answer) for answer in copied.recommend(queries)] == [ids(answer) for answer in fitted.recommend(queries)]

    def test_nothing_on_disk_is_a_pickle(self, folder: Path):
        kinds = {path.suffix for path in folder.rglob("*") if path.is_file()}
        assert kinds
        assert kinds <= {".safetensors", ".json", ".toml"}

    def test_items_added_later_are_scored_without_training(self, folder: Path):
        grown = WORLD.catalog.add(NEW_ITEMS)
        model = type(self.make()).load(folder, grown)
        scores = model.score([Query(history=history_of(7)), Query(), Query(history=("new-0",))])
        assert scores.shape == (3, len(grown))
        assert np.isfinite(scores).all()
        [answer] = model.recommend([Query(history=history_of(7), candidates=("new-1",))])
        assert ids(answer) == ("new-1",)

    # What words settle

    def test_a_named_item_pulls_its_likes_up_and_is_not_shown(self, fitted: Recommender):
        named = WORLD.catalog.item_ids[3]
        plain, liked, unliked = fitted.recommend(
            [
                Query(history=history_of(8), n=1000, instruction=words)
                for words in (None, Instruction(text="", like=(named,)), Instruction(text="", unlike=(named,)))
            ]
        )
        assert named not in ids(liked)
        assert named not in ids(unliked)
        near = fitted.score([Query(history=(named,))])[0]
        if near.std() > 0 and self.learns_taste:
            best = [item for item in ids(liked) if item in set(ids(plain))]
            others = [item for item in ids(plain) if item != named]
            assert _mean_likeness(near, best[:5]) >= _mean_likeness(near, others[:5])
            # Only what resembles the unwanted item more than is usual is pressed down.
            pressed = np.maximum((near - near.mean()) / near.std() - 1.0, 0.0)
            assert _mean_likeness(pressed, ids(unliked)[:5]) <= _mean_likeness(pressed, others[:5])

    def test_words_settle_what_was_seen_and_how_many(self, fitted: Recommender):
        history = history_of(8)
        known, new = fitted.recommend(
            [
                Query(history=history, hide_seen=seen == "new", instruction=Instruction(text="", seen=seen, n=3))
                for seen in ("known", "new")
            ]
        )
        assert len(known.items) == len(new.items) == 3
        assert set(ids(known)) <= set(history)
        assert not set(ids(new)) & set(history)

    def test_quotas_hold_in_the_list_as_a_whole(self, fitted: Recommender):
        comedy = WORLD.catalog.matching([COMEDY])
        asked = Instruction(text="", quotas=(Quota(limits=(COMEDY,), at_least=2, at_most=2),))
        [answer] = fitted.recommend([Query(history=history_of(9)[:2], instruction=asked, n=5)])
        assert len(answer.items) == 5
        assert comedy[WORLD.catalog.codes(ids(answer))].sum() == 2
        scores = [item.score for item in answer.items]
        assert scores == sorted(scores, reverse=True)

    def test_a_quota_that_cannot_be_met_is_met_as_far_as_it_goes_and_said(self, fitted: Recommender):
        asked = Instruction(text="", quotas=(Quota(limits=(COMEDY,), at_least=900),), n=1000)
        [answer] = fitted.recommend([Query(instruction=asked)])
        assert int(WORLD.catalog.matching([COMEDY]).sum()) == sum(item in _comedies() for item in ids(answer))
        assert any(note.startswith("quota_short:Comedy") for note in answer.notes)

    def test_strength_is_a_line_between_no_words_and_all_words(self, fitted: Recommender):
        words = Instruction(text="a comedy", wish="a comedy")
        queries = [Query(history=history_of(1), instruction=words, strength=strength, n=1000) for strength in (0.0, 0.5, 1.0)]
        none, half, full = ({item.item: item.score for item in answer.items} for answer in fitted.recommend(queries))
        [plain] = fitted.recommend([Query(history=history_of(1), n=1000)])
        assert none == pytest.approx({item.item: item.score for item in plain.items}, abs=2e-2)
        for item in full:
            assert half[item] == pytest.approx((none[item] + full[item]) / 2, abs=2e-2)

    # Whatever is asked

    def test_its_lists_are_explained_and_what_they_are_said_to_depend_on_decides(self, fitted: Recommender):
        query = Query(history=WORLD.catalog.item_ids[:6], n=4)
        [found] = fitted.recommend([query])
        for why in explain(fitted, found, WORLD, counterfactual=True):
            assert why.status in ("verified", "fallback") and why.text
            if why.counterfactual:
                past = tuple(item for item in query.history if item not in why.counterfactual)
                [again] = fitted.recommend([replace(query, history=past, exclude=frozenset(why.counterfactual))])
                assert why.item not in {entry.item for entry in again.items}
        measured = attribute(fitted, query, found.items[0].item)
        assert (measured.rank, measured.listed) == (1, True)
        assert [item for item, _ in measured.history] == list(query.history)

    def test_no_query_ever_gets_a_seen_forbidden_repeated_or_foreign_item(self, fitted: Recommender):
        @settings(
            max_examples=self.examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(queries())
        def check(query: Query) -> None:
            [answer] = fitted.recommend([query])
            shown = ids(answer)
            mask = allowed(query, WORLD.catalog)
            assert len(set(shown)) == len(shown)
            assert len(shown) == min(query.n, int(mask.sum()))
            assert mask[WORLD.catalog.codes(shown)].all()
            assert len(WORLD.catalog.codes(shown)) == len(shown)

        check()

    # Does it learn

    def test_on_the_checkerboard_the_missing_square_comes_first(self):
        board = checkerboard(12)
        _, queries, targets = leave_last_out(board)
        model = self.fit(self.make(), board)
        answers = model.recommend(queries)
        first = np.array([board.catalog.index[answer.items[0].item] for answer in answers])
        share = float((first == np.array(targets)).mean())
        if self.learns_taste:
            assert share >= self.checkerboard_share
        else:
            assert share < 1.0


def _comedies() -> set[str]:
    return {WORLD.catalog.item_ids[code] for code in np.flatnonzero(WORLD.catalog.matching([COMEDY]))}


def _mean_likeness(near: np.ndarray, items: Sequence[str]) -> float:
    return float(near[WORLD.catalog.codes(items)].mean())


def leave_last_out(dataset: Dataset) -> tuple[Dataset, list[Query], list[int]]:
    """Training data without each user's last item, one query a user, and the code of that last item."""
    interactions = dataset.interactions
    last = interactions.offsets[1:] - 1
    rows = np.ones(len(interactions), dtype=np.bool_)
    rows[last] = False
    train = dataset.with_interactions(interactions.keep(rows))
    names = dataset.catalog.item_ids
    histories = [tuple(names[code] for code in history) for history in train.interactions.histories()]
    queries = [Query(user=user, history=history) for user, history in zip(interactions.user_ids, histories, strict=True)]
    return train, queries, [int(code) for code in interactions.items[last]]


def history_of(user: int) -> tuple[str, ...]:
    """What a user code of `WORLD` has met in training, oldest first."""
    return leave_last_out(WORLD)[1][user].history


def some_queries() -> list[Query]:
    """Queries of many shapes: long and short histories, none, unknown items, limits, candidates, exclusions."""
    limited = Instruction(text="a comedy", limits=(COMEDY,), wish="comedy")
    return [
        Query(user="u0", history=history_of(0)),
        Query(user="u1", history=history_of(1)[:1]),
        Query(),
        Query(user="a stranger", history=("no-such-item",)),
        Query(history=history_of(2), instruction=limited),
        Query(history=history_of(3), candidates=WORLD.catalog.item_ids[::3]),
        Query(history=history_of(4), exclude=frozenset(WORLD.catalog.item_ids[:6]), n=4),
        Query(history=(*history_of(5), *history_of(5)), hide_seen=False),
    ]


@st.composite
def queries(draw: st.DrawFn) -> Query:
    """Any query about `WORLD`, with known and unknown ids, with and without every restriction."""
    item = st.sampled_from([*WORLD.catalog.item_ids, "no-such-item", ""])
    limits = tuple(draw(st.lists(st.sampled_from(LIMITS), max_size=2)))
    return Query(
        user=draw(st.sampled_from([None, "u0", "a stranger"])),
        history=tuple(draw(st.lists(item, max_size=12))),
        instruction=Instruction(text="as said", limits=limits) if limits else None,
        candidates=draw(st.none() | st.lists(item, max_size=20).map(tuple)),
        exclude=frozenset(draw(st.lists(item, max_size=8))),
        hide_seen=draw(st.booleans()),
        n=draw(st.integers(min_value=1, max_value=40)),
    )


def ids(answer: Recommendation) -> tuple[str, ...]:
    """Item ids of an answer, best first."""
    return tuple(item.item for item in answer.items)


def assert_close(found: np.ndarray, wanted: np.ndarray | Sequence[float], tolerance: float) -> None:
    """Equal bits for tolerance 0, else relative to the largest absolute score."""
    if tolerance == 0:
        np.testing.assert_array_equal(found, wanted)
    else:
        np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * float(np.abs(wanted).max()))
