"""Candidates are asked for in the words of tuning, and a model that was tuned on such questions answers them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.contracts import WORLD, history_of
from tests.models.test_lm import TINY
from tests.models.test_two_stacks import T5

from instructrec.core import FitContext, Instruction, Query
from instructrec.data.synthetic import genres
from instructrec.errors import QueryError
from instructrec.generation.candidates import CandidateScorer
from instructrec.instructions.render import candidates_example, wording
from instructrec.lm.shared_prefix import SharedPrefixDecoder
from instructrec.models.asking import FORMS, candidate_scores
from instructrec.models.lm import LanguageModelRecommender
from instructrec.models.tiger import Tiger

CATALOG = WORLD.catalog


@pytest.fixture(scope="module")
def asked() -> LanguageModelRecommender:
    """A model tuned mostly on questions about candidates."""
    config = replace(TINY, epochs=60, questions=60.0, share_pointwise=2.0, share_pairwise=2.0, share_reranking=2.0)
    return LanguageModelRecommender(config).fit(WORLD, FitContext(seed=1))


def mixed(genre: str, others: int = 3) -> tuple[str, ...]:
    """Some items without a genre, then as many with it."""
    has = CATALOG.labels["genres"].matrix()[:, CATALOG.labels["genres"].names.index(genre)]
    return tuple(CATALOG.item_ids[code] for code in (*np.flatnonzero(~has)[:others], *np.flatnonzero(has)[:others]))


def wish(words: str) -> Query:
    return Query(instruction=Instruction(text=words, wish=words))


@pytest.mark.parametrize("form", ["pairwise", "reranking"])
def test_a_wish_lifts_the_candidates_that_meet_it(asked: LanguageModelRecommender, form) -> None:
    lifted = []
    for genre, other in (("Comedy", "Horror"), ("Horror", "Comedy"), ("Drama", "Sci-Fi"), ("Sci-Fi", "Drama")):
        candidates = mixed(genre)
        met, unmet = (candidate_scores(asked, wish(word.lower()), candidates, form=form) for word in (genre, other))
        lifted.append(float((met - unmet)[3:].mean() - (met - unmet)[:3].mean()))
    assert np.mean(lifted) > 0


@pytest.mark.slow
def test_yes_or_no_is_learnt_too_but_from_more_questions() -> None:
    """Words answer it, which no item vector helps with: a body that is trained whole needs thousands of questions."""
    world = genres(num_users=60, num_items=40, seed=1)
    shares = {f"share_{kind}": float(kind == "pointwise") for kind in TINY.shares()}
    settings = {"base": "scratch", "width": 64, "learning_rate": 1e-3, "epochs": 60, "dropout": 0.0, "batch_tokens": 1200}
    model = LanguageModelRecommender(replace(TINY, questions=100.0, **settings, **shares)).fit(world, FitContext(seed=1))
    labels, found = world.catalog.labels["genres"], []
    for column, genre in enumerate(labels.names):
        has = labels.matrix()[:, column]
        scores = candidate_scores(model, wish(f"I want {genre.lower()}"), world.catalog.item_ids, form="pointwise")
        found.append((scores[has][:, None] > scores[~has][None]).mean())
    assert np.mean(found) > 0.58


@pytest.mark.parametrize("form", FORMS)
def test_there_is_one_finite_score_a_candidate_with_and_without_history(asked: LanguageModelRecommender, form) -> None:
    for query in (Query(), Query(history=history_of(2)), Query(history=history_of(3), instruction=Instruction(text="{odd} words"))):
        scores = candidate_scores(asked, query, CATALOG.item_ids[:5], form=form)
        assert scores.shape == (5,)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()


def test_comparisons_won_add_up_to_all_that_are_made(asked: LanguageModelRecommender) -> None:
    scores = candidate_scores(asked, Query(history=history_of(1)), CATALOG.item_ids[4:9], form="pairwise")
    assert scores.sum() == 20
    assert candidate_scores(asked, Query(), CATALOG.item_ids[:1], form="pairwise").tolist() == [0.0]


def test_many_candidates_are_scored_as_few_are(asked: LanguageModelRecommender) -> None:
    query = Query(history=history_of(4))
    all_of_them = candidate_scores(asked, query, CATALOG.item_ids, form="pointwise")
    some = candidate_scores(asked, query, CATALOG.item_ids[10:14], form="pointwise")
    np.testing.assert_allclose(all_of_them[10:14], some, atol=0.1)


def test_yes_or_no_is_what_the_scorer_of_candidates_reads_from_the_same_tokens(asked: LanguageModelRecommender) -> None:
    """The road of `generation.candidates`: the history is read once, a question is a continuation of it."""
    model, items, encoder = asked.tuned
    forms, query, codes = wording("en"), Query(history=history_of(0)), [3, 7, 11]
    example = candidates_example(query, CATALOG, [("pointwise", [code]) for code in codes], language="en", max_history=100)
    encoded = encoder.encode(example)
    trunk = encoded.tokens[encoded.branch == 0]
    asked_tokens = [encoded.tokens[encoded.branch == 1 + place].tolist() for place in range(len(codes))]
    every = torch.arange(encoder.codes.answer + 1)
    vectors = model.vectors(every, items).detach()
    outputs = torch.zeros_like(vectors)
    outputs[: model.vocabulary] = model.decoder.words
    scorer = CandidateScorer(SharedPrefixDecoder(model.body), words=vectors, outputs=outputs)
    with torch.inference_mode():
        context = scorer.decoder.read(vectors[torch.from_numpy(trunk)][None])
    [yes], [no] = encoder.words(forms.yes), encoder.words(forms.no)
    theirs = scorer.yes_no(context, [asked_tokens], yes=yes, no=no)[0].numpy()
    ours = candidate_scores(asked, query, [CATALOG.item_ids[code] for code in codes], form="pointwise")
    np.testing.assert_allclose(ours, theirs, atol=0.1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LanguageModelRecommender(replace(TINY, codes="semantic", epochs=1)),
        lambda: Tiger(replace(T5, epochs=1)),
    ],
    ids=["decoder", "two stacks"],
)
def test_an_answer_of_several_tokens_is_scored_as_it_is_tuned(make: Callable[[], LanguageModelRecommender]) -> None:
    """With semantic codes the score of a candidate is the loss of its code, and so its log-probability among all items."""
    model = make().fit(WORLD, FitContext(seed=1))
    for form in FORMS:
        assert np.isfinite(candidate_scores(model, Query(history=history_of(2)), CATALOG.item_ids[:4], form=form)).all()
    everything = candidate_scores(model, Query(history=history_of(2)), CATALOG.item_ids, form="reranking")
    assert float(np.exp(everything).sum()) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("candidates", "form", "words"),
    [
        (["nothing"], "pointwise", "not in the catalog"),
        ([], "reranking", "none came"),
        (["m1", "m1"], "pairwise", "twice"),
        (["m1"], "pairwize", "pairwise"),
        (CATALOG.item_ids[:21], "pairwise", "20 are the most"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(
    asked: LanguageModelRecommender, candidates: Sequence[str], form, words: str
) -> None:
    with pytest.raises(QueryError, match=words):
        candidate_scores(asked, Query(), candidates, form=form)
