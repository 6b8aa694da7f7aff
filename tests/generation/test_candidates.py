"""Candidates scored under one prompt get the scores and the order of one prompt per candidate."""

from itertools import combinations
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen3Config

from instructrec.errors import ModelError, QueryError
from instructrec.generation import candidates
from instructrec.generation.candidates import CandidateScorer, PairQuestion
from instructrec.lm.shared_prefix import Context, SharedPrefixDecoder

WIDTH, VOCABULARY = 32, 50
CONFIGS = {"llama": LlamaConfig, "qwen3": Qwen3Config}
PROMPT_LENGTHS = [9, 4]
YES, NO = 7, 11
TITLES = [[[3, 4, 5], [6], [3, 4, 5, 9, 9, 1], [2, 2]], [[30, 31], [49, 0, 30], [5]]]
"""Titles of one to six tokens; the second prompt has a candidate less."""
QUESTION = PairQuestion(before=[12], between=[13, 14], after=[15, 16])


class World:
    """A random body, its tables, two prompts; and everything asked of it one whole sequence at a time."""

    def __init__(self, name: str) -> None:
        torch.manual_seed(0)
        shape = {"hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 8}
        config = CONFIGS[name](vocab_size=8, num_key_value_heads=2, **shape)
        self.body: Any = AutoModelForCausalLM.from_config(config).get_decoder().eval()
        self.words, self.outputs = torch.randn(VOCABULARY, WIDTH), torch.randn(VOCABULARY, WIDTH)
        self.prompts = torch.randn(2, max(PROMPT_LENGTHS), WIDTH)
        self.decoder = SharedPrefixDecoder(self.body)
        self.scorer = CandidateScorer(self.decoder, words=self.words, outputs=self.outputs)

    def context(self) -> Context:
        return self.decoder.read(self.prompts, torch.tensor(PROMPT_LENGTHS))

    def logits(self, row: int, tokens: list[int]) -> torch.Tensor:
        """[len(tokens) + 1, vocabulary]: after the prompt and after each token."""
        vectors = torch.cat([self.prompts[row, : PROMPT_LENGTHS[row]], self.words[tokens]])
        with torch.no_grad():
            hidden = self.body(inputs_embeds=vectors[None], use_cache=False).last_hidden_state[0]
        return hidden[PROMPT_LENGTHS[row] - 1 :] @ self.outputs.T

    def likelihood(self, row: int, tokens: list[int], among: range = range(VOCABULARY)) -> float:
        logits = self.logits(row, tokens)[:-1, among.start : among.stop].log_softmax(dim=1)
        return float(logits[range(len(tokens)), [token - among.start for token in tokens]].sum())

    def odds(self, row: int, tokens: list[int]) -> float:
        last = self.logits(row, tokens)[-1].log_softmax(dim=0)
        return float(last[YES] - last[NO])


@pytest.fixture(params=CONFIGS)
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


def check(found: torch.Tensor, wanted: list[list[float]]) -> None:
    """Same scores, same order, -inf where a candidate is missing."""
    assert found.dtype == torch.float32
    for row, scores in zip(found, wanted, strict=True):
        torch.testing.assert_close(row[: len(scores)], torch.tensor(scores), rtol=1e-4, atol=1e-4)
        assert row.argsort(descending=True)[: len(scores)].tolist() == torch.tensor(scores).argsort(descending=True).tolist()
        assert (row[len(scores) :] == -torch.inf).all()


@pytest.mark.parametrize("block", [candidates._BLOCK, 7])
def test_likelihood_is_that_of_whole_sequences(world: World, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "_BLOCK", block)
    wanted = [[world.likelihood(row, title) for title in titles] for row, titles in enumerate(TITLES)]
    check(world.scorer.likelihood(world.context(), TITLES), wanted)
    means = [[score / len(title) for score, title in zip(*pair, strict=True)] for pair in zip(wanted, TITLES, strict=True)]
    check(world.scorer.likelihood(world.context(), TITLES, per_token=True), means)


def test_codes_are_scored_among_code_tokens_only(world: World) -> None:
    among = range(40, 50)
    codes = [[[40, 45], [41, 45], [49, 49]], [[44, 40]]]
    wanted = [[world.likelihood(row, code, among) for code in some] for row, some in enumerate(codes)]
    check(world.scorer.likelihood(world.context(), codes, among=among), wanted)
    single = world.scorer.likelihood(world.context(), [[[token] for token in among]] * 2, among=among)
    torch.testing.assert_close(single.exp().sum(dim=1), torch.ones(2))


def test_yes_and_no_are_those_of_whole_sequences_and_one_context_serves_many_lists(world: World) -> None:
    context = world.context()
    wanted = [[world.odds(row, title) for title in titles] for row, titles in enumerate(TITLES)]
    check(world.scorer.yes_no(context, TITLES, yes=YES, no=NO), wanted)
    turned = [titles[::-1] for titles in TITLES]
    check(world.scorer.yes_no(context, turned, yes=YES, no=NO), [scores[::-1] for scores in wanted])


def test_a_candidate_is_scored_the_same_whatever_stands_beside_it(world: World) -> None:
    together = world.scorer.yes_no(world.context(), TITLES, yes=YES, no=NO)
    alone = world.scorer.yes_no(world.context(), [[TITLES[0][2]], [TITLES[1][1]]], yes=YES, no=NO)
    torch.testing.assert_close(alone[:, 0], torch.stack([together[0, 2], together[1, 1]]), rtol=1e-4, atol=1e-4)


def test_pairs_are_won_as_in_a_plain_tournament(world: World) -> None:
    wanted = []
    for row, titles in enumerate(TITLES):
        wins = [0.0] * len(titles)
        for first, second in combinations(range(len(titles)), 2):
            for a, b in ((first, second), (second, first)):
                says_yes = world.odds(row, [12, *titles[a], 13, 14, *titles[b], 15, 16]) > 0
                wins[a if says_yes else b] += 1
        wanted.append(wins)
    found = world.scorer.pairwise(world.context(), TITLES, QUESTION, yes=YES, no=NO)
    assert found.tolist() == [wanted[0], [*wanted[1], -torch.inf]]


def test_even_odds_are_half_a_win_of_each() -> None:
    world = World("llama")
    world.outputs[YES] = world.outputs[NO]
    assert world.scorer.pairwise(world.context(), TITLES, QUESTION, yes=YES, no=NO)[0].tolist() == [3.0] * 4


def test_a_candidate_alone_wins_nothing_and_too_many_are_refused() -> None:
    world = World("llama")
    found = world.scorer.pairwise(world.context(), [[[1]], []], QUESTION, yes=YES, no=NO)
    assert found.tolist() == [[0.0], [-torch.inf]]
    with pytest.raises(QueryError, match="21 candidates .* 20 are the most"):
        world.scorer.pairwise(world.context(), [[[1]] * 21, [[1]]], QUESTION, yes=YES, no=NO)


def test_labels_are_read_behind_the_prompt(world: World) -> None:
    labels = [[20, 21, 22], [21, 20]]
    wanted = [[float(world.logits(row, [])[-1, label]) for label in some] for row, some in enumerate(labels)]
    check(world.scorer.listwise(world.context(), labels), wanted)
    with pytest.raises(QueryError, match="two candidates"):
        world.scorer.listwise(world.context(), [[20, 20], [21]])


@pytest.mark.parametrize(
    ("lists", "error", "words"),
    [
        ([[], []], QueryError, "no candidates"),
        ([[[1]]], QueryError, "1 lists of candidates came for 2 prompts"),
        ([[[1], []], [[1]]], QueryError, "Candidate 1 of prompt 0 has no tokens"),
        ([[[1], [2, 50]], [[1]]], ModelError, "Token 50 came"),
        ([[[-1]], [[1]]], ModelError, "Token -1 came"),
    ],
)
def test_lists_that_cannot_be_scored_are_refused(lists: list[list[list[int]]], error: type[Exception], words: str) -> None:
    world = World("llama")
    for ask in (
        lambda: world.scorer.likelihood(world.context(), lists),
        lambda: world.scorer.yes_no(world.context(), lists, yes=YES, no=NO),
        lambda: world.scorer.pairwise(world.context(), lists, QUESTION, yes=YES, no=NO),
    ):
        with pytest.raises(error, match=words):
            ask()


def test_answers_labels_and_ranges_outside_the_vocabulary_are_refused() -> None:
    world = World("llama")
    context = world.context()
    with pytest.raises(ModelError, match="Token 50 came"):
        world.scorer.yes_no(context, TITLES, yes=50, no=NO)
    with pytest.raises(QueryError, match="both token 7"):
        world.scorer.yes_no(context, TITLES, yes=YES, no=YES)
    with pytest.raises(ModelError, match="Token 50 came"):
        world.scorer.listwise(context, [[1, 50], [1]])
    with pytest.raises(ModelError, match="from 40 to 49"):
        world.scorer.likelihood(context, [[[40]], [[39]]], among=range(40, 50))
    for among in (range(0), range(40, 51), range(0, 10, 2), range(-1, 3)):
        with pytest.raises(ModelError, match="range without steps"):
            world.scorer.likelihood(context, TITLES, among=among)
    with pytest.raises(ModelError, match="one vocabulary"):
        CandidateScorer(world.decoder, words=world.words, outputs=world.outputs[:9])


def test_a_prompt_may_have_no_candidates_beside_one_that_has(world: World) -> None:
    lists: list[list[list[int]]] = [[], [[1, 2]]]
    for found in (
        world.scorer.likelihood(world.context(), lists),
        world.scorer.yes_no(world.context(), lists, yes=YES, no=NO),
        world.scorer.listwise(world.context(), [[], [3]]),
    ):
        assert found[0, 0] == -torch.inf
        assert found[1, 0].isfinite()
