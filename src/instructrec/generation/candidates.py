"""A language model as a re-ranker: many candidates under one prompt, scored in one forward pass that reads the prompt once.

    context = decoder.read(prompts)                                  # once; kept as long as the prompt stays the same
    scorer.yes_no(context, continuations, yes=yes, no=no)            # again and again, whatever the candidates

Four ways to ask: how likely the model is to write a candidate, whether it says yes to it, which of two it puts first, and which
label it names first. All take token ids and give float32 [batch, most_candidates], larger for better, -inf where a prompt has
fewer candidates than another. Nothing here knows a catalog or a wording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TypeAlias

import torch
from torch import Tensor

from instructrec.errors import ModelError, QueryError
from instructrec.lm.encoder_decoder import PromptReader
from instructrec.lm.shared_prefix import Context

TokenLists: TypeAlias = Sequence[Sequence[Sequence[int]]]
"""Token ids of each candidate of each prompt; prompts may have different numbers of them, and candidates of tokens."""

MOST_PAIRED = 20
"""Candidates that may be compared in pairs: 380 questions."""
_BLOCK = 2048
"""Tokens of the vocabulary whose logits are held at a time: they stay in the processor's cache until they are summed, which makes
the sum over 49,152 tokens at 951 positions 1.6 times as fast as blocks of positions do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairQuestion:
    """Token ids around two candidates: `before` A `between` B `after`. The model's next token says whether A comes before B."""

    before: Sequence[int] = ()
    between: Sequence[int]
    after: Sequence[int]

    def ask(self, first: Sequence[int], second: Sequence[int]) -> list[int]:
        """The whole question about two candidates."""
        return [*self.before, *first, *self.between, *second, *self.after]


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Ids int64 [batch, candidates, longest], 0 behind the end; `real` bool of the same shape says which are none of these."""

    ids: Tensor
    real: Tensor

    @property
    def lengths(self) -> Tensor:
        """Tokens of each candidate, int64 [batch, candidates]; 0 for one that is not there."""
        return self.real.sum(dim=2)


class CandidateScorer:
    """Scores of candidates behind prompts that `decoder` read.

    `words` [vocabulary, width]: what the decoder reads for each token. `outputs` [vocabulary, width]: the output layer, in the
    precision of its products (the decoder's own is the fast one). Scores of single tokens are computed in float32.
    """

    def __init__(self, decoder: PromptReader, *, words: Tensor, outputs: Tensor) -> None:
        if words.shape != outputs.shape:
            raise ModelError(
                f"The word embeddings are {list(words.shape)} and the output layer is {list(outputs.shape)}, but both must hold "
                "one row for each token. Give two tables of one vocabulary."
            )
        self.decoder = decoder
        self.words = words
        self.outputs = outputs

    @torch.inference_mode()
    def likelihood(
        self, context: Context, continuations: TokenLists, *, per_token: bool = False, among: range | None = None
    ) -> Tensor:
        """Log-probability (nats) of each candidate as what the model writes next: the words of a title, or the tokens of a code.

        `per_token` takes the mean over a candidate's tokens instead of their sum, so that long titles are not punished. `among`
        are the tokens that may be written, where not all may: with the code tokens only, the output layer is as small as they are
        few. The first token of all candidates is scored by the prompt, so candidates of one token need no reading at all.
        """
        among = self._among(among)
        tokens = self._tokens(context, continuations, among)
        scores = torch.zeros(tokens.ids.shape, device=tokens.ids.device)
        first = self._logits(context.hidden[:, None], tokens.ids[..., 0])
        scores[..., 0] = first - self._log_sums(context.hidden, among)[:, None]
        later = tokens.real[..., 1:]
        if later.any():
            hidden = self._read(context, tokens.ids[..., :-1], later.sum(dim=2))[later]
            scores[..., 1:][later] = self._logits(hidden, tokens.ids[..., 1:][later]) - self._log_sums(hidden, among)
        total = scores.masked_fill(~tokens.real, 0).sum(dim=2)
        mean = total / tokens.lengths.clamp(min=1)
        return (mean if per_token else total).masked_fill(tokens.lengths == 0, -torch.inf)

    @torch.inference_mode()
    def yes_no(self, context: Context, continuations: TokenLists, *, yes: int, no: int) -> Tensor:
        """Log-odds of the token `yes` over the token `no` behind each continuation: a candidate and the end of the question.

        "Will the user enjoy it? Answer:" of TALLRec (Bao et al. 2023, arXiv 2305.00447), for many candidates of one history.
        """
        self._check_answers(yes, no)
        tokens = self._tokens(context, continuations)
        hidden = self._read(context, tokens.ids, tokens.lengths)
        last = (tokens.lengths - 1).clamp(min=0)[..., None, None].expand(-1, -1, 1, hidden.shape[3])
        odds = hidden.gather(2, last).squeeze(2).float() @ (self.outputs[yes].float() - self.outputs[no].float())
        return odds.masked_fill(tokens.lengths == 0, -torch.inf)

    @torch.inference_mode()
    def pairwise(self, context: Context, candidates: TokenLists, question: PairQuestion, *, yes: int, no: int) -> Tensor:
        """Comparisons won by each candidate, when every ordered pair (A, B) is asked "A before B?": 0 to 2 (candidates - 1).

        Pairwise ranking prompting over all pairs (Qin et al. 2023, arXiv 2306.17563): both orders are asked, because the model may
        favour a place; a yes is a win of A, a no one of B, and even odds are half a win of each. Ties are common.

        Cost: candidates * (candidates - 1) questions of two candidates each, so the tokens to read grow with the square (20
        candidates of 20 tokens: more than 15,000). Raises QueryError above MOST_PAIRED; take the best by `yes_no` first.
        """
        self._check_answers(yes, no)
        sizes = [len(row) for row in candidates]
        if max(sizes, default=0) > MOST_PAIRED:
            raise QueryError(
                f"{max(sizes)} candidates are to be compared in pairs, but {MOST_PAIRED} are the most. Give the best of them by "
                "another score."
            )
        real = self._tokens(context, candidates).lengths > 0
        wins = torch.zeros(real.shape, device=real.device).masked_fill(~real, -torch.inf)
        if max(sizes) == 1:
            return wins
        pairs = [list(permutations(range(size), 2)) for size in sizes]
        asked = [[question.ask(row[a], row[b]) for a, b in some] for row, some in zip(candidates, pairs, strict=True)]
        won = self.yes_no(context, asked, yes=yes, no=no).sign() / 2 + 0.5
        for row, some in enumerate(pairs):
            first, second = torch.tensor(some, dtype=torch.int64, device=wins.device).view(-1, 2).T
            wins[row].index_add_(0, first, won[row, : len(some)]).index_add_(0, second, 1 - won[row, : len(some)])
        return wins

    @torch.inference_mode()
    def listwise(self, context: Context, labels: Sequence[Sequence[int]]) -> Tensor:
        """Logits of the label tokens of the candidates ("A", "B", ...) that stand in the prompt, as its next token.

        The whole order is read from the first label that the model would write (FIRST, Reddy et al. 2024, arXiv 2406.15657); it
        costs nothing beyond reading the prompt. `labels[i]` are those of prompt i, in the order of its candidates, none twice.
        """
        tokens = self._tokens(context, [[[label] for label in row] for row in labels])
        for row in labels:
            if len(set(row)) < len(row):
                raise QueryError(f"A label stands for two candidates of one prompt: {list(row)}. Give every candidate its own.")
        return self._logits(context.hidden[:, None], tokens.ids[..., 0]).masked_fill(~tokens.real[..., 0], -torch.inf)

    def _read(self, context: Context, ids: Tensor, lengths: Tensor) -> Tensor:
        """Hidden states [batch, candidates, longest, width] after the first `lengths` tokens of each candidate."""
        return self.decoder.extend(context, self.words[ids], lengths)

    def _logits(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """Logit float32 of one token at each hidden state; both broadcast over their leading dimensions."""
        return (hidden.float() * self.outputs[ids].float()).sum(dim=-1)

    def _log_sums(self, hidden: Tensor, among: range) -> Tensor:
        """Log of the summed exponentials of the logits of `among`, float32 [rows], at hidden states [rows, width]."""
        hidden = hidden.to(self.outputs.dtype)
        blocks = torch.split(self.outputs[among.start : among.stop], _BLOCK)
        return torch.stack([(hidden @ block.T).float().logsumexp(dim=1) for block in blocks]).logsumexp(dim=0)

    def _among(self, among: range | None) -> range:
        """The tokens that may be written: all of them where nothing else is said."""
        whole = range(len(self.outputs))
        if among is None:
            return whole
        if not among or among.step != 1 or among.start < 0 or among.stop > whole.stop:
            raise ModelError(
                f"The tokens that may be written are {among}, but must be a range without steps inside {whole}. Leave `among` out "
                "for all tokens."
            )
        return among

    def _tokens(self, context: Context, lists: TokenLists, among: range | None = None) -> _Tokens:
        """Token ids as a tensor, once they were checked: a list a prompt, no empty candidate, no token outside `among`."""
        if len(lists) != len(context.lengths):
            raise QueryError(
                f"{len(lists)} lists of candidates came for {len(context.lengths)} prompts. Give one list for each prompt."
            )
        lengths = [[len(candidate) for candidate in row] for row in lists]
        if not any(lengths):
            raise QueryError("There are no candidates to score. Give at least one.")
        for prompt, row in enumerate(lengths):
            if 0 in row:
                raise QueryError(
                    f"Candidate {row.index(0)} of prompt {prompt} has no tokens, but needs at least one. Leave it out."
                )
        flat = torch.tensor([token for row in lists for candidate in row for token in candidate], dtype=torch.int64)
        self._check_ids(flat, among)
        most = max(map(len, lengths))
        counts = torch.tensor([row + [0] * (most - len(row)) for row in lengths])
        real = torch.arange(int(counts.max())) < counts[..., None]
        ids = torch.zeros(real.shape, dtype=torch.int64).masked_scatter_(real, flat)
        return _Tokens(ids.to(context.hidden.device), real.to(context.hidden.device))

    def _check_answers(self, yes: int, no: int) -> None:
        self._check_ids(torch.tensor([yes, no]), None)
        if yes == no:
            raise QueryError(
                f"Yes and no are both token {yes}, but must differ to be told apart. Give the first token of each answer."
            )

    def _check_ids(self, ids: Tensor, among: range | None) -> None:
        known = among or range(len(self.outputs))
        outside = ids[(ids < known.start) | (ids >= known.stop)]
        if len(outside):
            raise ModelError(
                f"Token {int(outside[0])} came, but only tokens from {known.start} to {known.stop - 1} can be scored. Take ids "
                "from the tokenizer and item codes of this model."
            )
