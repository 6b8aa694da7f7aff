"""A search runs where its model is, and in shapes that do not change with the request."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tests.contracts import WORLD, history_of, leave_last_out
from tests.models.test_tiger import SMALL
from torch.overrides import TorchFunctionMode
from transformers import AutoModelForCausalLM, LlamaConfig

from instructrec.core import FitContext, Query
from instructrec.generation.beam import BeamOptions, beam_search
from instructrec.generation.codebooks import semantic
from instructrec.generation.generator import Prompt
from instructrec.generation.scoring import CodeScores
from instructrec.generation.trie import Trie
from instructrec.lm.shared_prefix import SharedPrefixDecoder
from instructrec.models.tiger import Tiger

MAKERS = {torch.zeros, torch.ones, torch.full, torch.empty, torch.arange, torch.eye, torch.rand, torch.randn, torch.tensor}


class WithoutDevice(TorchFunctionMode):
    """Keeps the names of calls that make a tensor without saying where: it would be on the processor, whatever the model is on."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        if func in MAKERS and "device" not in (kwargs or {}):
            self.found.append(func.__name__)
        return func(*args, **(kwargs or {}))


@pytest.fixture(scope="module")
def tiger() -> Tiger:
    train, queries, targets = leave_last_out(WORLD)
    return Tiger(SMALL).fit(train, FitContext(validation=(queries, targets), seed=1))


@pytest.mark.parametrize(
    "options",
    [BeamOptions(width=4), BeamOptions(width=4, temperature=1.0), BeamOptions(width=4, diversity=0.5)],
    ids=["best", "drawn", "diverse"],
)
def test_every_tensor_of_a_search_is_made_where_the_model_is(tiger: Tiger, options: BeamOptions) -> None:
    generator = tiger._generator
    assert generator is not None
    prompts = [Prompt(tokens=one.tokens) for one in tiger.encoded([Query(history=history_of(user)) for user in (0, 1)])]
    masks = np.ones((2, len(WORLD.catalog)), dtype=np.bool_)
    with WithoutDevice() as made:
        generator.search(prompts, masks, options)
        generator.rank(prompts, masks, options)
    assert made.found == []


def test_the_watch_sees_a_tensor_without_a_device() -> None:
    with WithoutDevice() as made:
        torch.zeros(3)
        torch.zeros(3, device="cpu")
    assert made.found == ["zeros"]


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
def test_a_request_is_one_graph_whatever_is_allowed() -> None:
    """Requests of one shape share what torch.compile makes, or what a CUDA graph records: no shape follows from what is allowed."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    codes = semantic(rng.standard_normal((40, 4), dtype=np.float32), sizes=(5, 4)).codes
    trie = Trie.build(codes)
    config = LlamaConfig(vocab_size=8, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4)
    decoder = SharedPrefixDecoder(AutoModelForCausalLM.from_config(config).get_decoder().eval())
    table = torch.randn(codes.num_tokens, 32)
    graphs: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, _: list[torch.Tensor]) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    def request(prompts: torch.Tensor, allowed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scores = CodeScores(decoder, decoder.read(prompts), inputs=table, outputs=table)
        found = beam_search(scores, trie, allowed, BeamOptions(width=6))
        return found.items, found.scores

    compiled = torch.compile(request, backend=backend, fullgraph=True, dynamic=False)
    for mask in (np.ones((2, 40), dtype=np.bool_), rng.random((2, 40)) < 0.3, np.zeros((2, 40), dtype=np.bool_)):
        prompts, allowed = torch.randn(2, 7, 32), trie.allow(mask)
        items, scores = compiled(prompts, allowed)
        wanted, their_scores = request(prompts, allowed)
        assert torch.equal(items, wanted)
        torch.testing.assert_close(scores, their_scores)
    assert len(graphs) == 1
