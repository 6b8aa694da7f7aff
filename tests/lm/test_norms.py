"""Folding the gains of norms into the maps behind them changes no output."""

import copy
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma3TextConfig, LlamaConfig

from instructrec.lm.norms import fold_norms

SMALL = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
}
CONFIGS = {"llama": LlamaConfig(**SMALL), "gemma": Gemma3TextConfig(**SMALL)}


def body_of(name: str) -> Any:
    """A decoder of random weights whose norms have gains far from one."""
    torch.manual_seed(0)
    body = AutoModelForCausalLM.from_config(CONFIGS[name]).get_decoder().eval()
    for key, value in body.named_parameters():
        if "norm" in key:
            value.data.uniform_(0.05, 0.4)
    return body


def states(body: Any) -> torch.Tensor:
    """Hidden states after the layers, before the last norm."""
    with torch.no_grad():
        return body(input_ids=torch.arange(12)[None], output_hidden_states=True).hidden_states[1]


@pytest.mark.parametrize("name", CONFIGS)
def test_layers_compute_what_they_computed_before(name: str) -> None:
    body = body_of(name)
    before = states(copy.deepcopy(body))
    fold_norms(body)
    torch.testing.assert_close(states(body), before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_folded_norms_have_a_gain_of_one(name: str) -> None:
    body = body_of(name)
    fold_norms(body)
    ones = torch.ones(32)
    folded = [body.layers[0].input_layernorm, body.norm]
    folded.append(getattr(body.layers[0], "pre_feedforward_layernorm", None) or body.layers[0].post_attention_layernorm)
    for norm in folded:
        torch.testing.assert_close(norm(ones), ones, rtol=1e-2, atol=1e-2)


def test_layers_of_an_unknown_make_are_left_alone() -> None:
    class Strange(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList([torch.nn.Linear(4, 4)])

    fold_norms(Strange())
