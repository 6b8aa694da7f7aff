"""A language model as the scores that the beam search asks for: the prompt is read once, the output is the code tokens only."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from instructrec.lm.encoder_decoder import PromptReader
from instructrec.lm.shared_prefix import Context, Continuations


class CodeScores:
    """Next-token scores of item codes after prompts that were read: the `NextScores` of `beam_search`.

    `inputs` [num_tokens, width]: what the decoder reads for each code token. `outputs`: the output layer, code tokens only, either
    as a table [num_tokens, width] or as a function from hidden states [batch, beams, width] to scores. One object serves one
    search; `first` keeps the scores of the first token, float32 [batch, num_tokens].
    """

    first: Tensor

    def __init__(
        self, decoder: PromptReader, context: Context, *, inputs: Tensor, outputs: Tensor | Callable[[Tensor], Tensor]
    ) -> None:
        self.decoder = decoder
        self.context = context
        self.inputs = inputs
        self.outputs = outputs
        self._beams = Continuations()

    def __call__(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """Scores float32 [batch, beams, num_tokens] of the token after each beam."""
        if parents.shape[1] == 0:
            scores = self._scores(self.context.hidden[:, None])
            self.first = scores[:, 0]
            return scores
        hidden, self._beams = self.decoder.step(self.context, self._beams, parents, self.inputs[tokens])
        return self._scores(hidden)

    def _scores(self, hidden: Tensor) -> Tensor:
        if isinstance(self.outputs, Tensor):
            return (hidden.to(self.outputs.dtype) @ self.outputs.T).float()
        return self.outputs(hidden)
