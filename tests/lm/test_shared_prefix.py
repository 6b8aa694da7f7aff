"""Reading a prompt once and continuing it gives the states of reading every continuation whole."""

from typing import Any

import pytest
import torch
from tests.lm.continuing import assert_at_once_is_step_by_step, assert_beams_branch, with_adapters
from transformers import AutoModelForCausalLM, Gemma3TextConfig, LlamaConfig, Qwen2Config, Qwen3Config

from instructrec.errors import ModelError
from instructrec.lm import shared_prefix
from instructrec.lm.precision import PackedWeight, Precision, linear, stored
from instructrec.lm.shared_prefix import Continuations, SharedPrefixDecoder

SMALL = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
}
CONFIGS = {"llama": LlamaConfig, "qwen2": Qwen2Config, "qwen3": Qwen3Config}


def body_of(name: str) -> Any:
    torch.manual_seed(0)
    body = AutoModelForCausalLM.from_config(CONFIGS[name](**SMALL)).get_decoder().eval()
    for key, value in body.named_parameters():
        if key.endswith("bias"):
            value.data.normal_()
    return body


def whole(body: Any, vectors: torch.Tensor) -> torch.Tensor:
    """Hidden state after the last vector, everything read at once."""
    with torch.no_grad():
        return body(inputs_embeds=vectors[None], use_cache=False).last_hidden_state[0, -1]


@pytest.mark.parametrize("name", CONFIGS)
def test_beams_that_branch_and_are_reordered_have_the_states_of_whole_sequences(name: str) -> None:
    body = body_of(name)
    decoder = SharedPrefixDecoder(body)
    prompts, lengths = torch.randn(2, 9, 32), torch.tensor([9, 5])
    context = decoder.read(prompts, lengths)
    starts = [prompts[row, : lengths[row]] for row in range(2)]
    assert_beams_branch(decoder, context, lambda row, own: whole(body, torch.cat([starts[row], own])), atol=1e-5)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("block", [shared_prefix._BLOCK, 40])
def test_candidates_read_at_once_have_the_states_of_whole_sequences(name: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_prefix, "_BLOCK", block)
    body = body_of(name)
    decoder = SharedPrefixDecoder(body)
    prompts, prompt_lengths = torch.randn(3, 9, 32), torch.tensor([9, 5, 1])
    lengths = torch.tensor([[4, 1, 0, 6], [0, 2, 2, 6], [3, 0, 0, 0]])
    vectors = torch.randn(3, 4, 6, 32)
    # What stands behind an end must not be read: it would spread.
    vectors[torch.arange(6) >= lengths[..., None]] = torch.nan
    hidden = decoder.extend(decoder.read(prompts, prompt_lengths), vectors, lengths)
    assert hidden.shape == vectors.shape
    for row, candidate in lengths.nonzero().tolist():
        prompt, own = prompts[row, : prompt_lengths[row]], vectors[row, candidate, : lengths[row, candidate]]
        for end in range(1, len(own) + 1):
            wanted = whole(body, torch.cat([prompt, own[:end]]))
            torch.testing.assert_close(hidden[row, candidate, end - 1], wanted, rtol=1e-4, atol=1e-5)


def test_a_prompt_is_read_once_and_then_continued_at_once_or_step_by_step_with_the_same_states() -> None:
    decoder = SharedPrefixDecoder(body_of("qwen3"))
    context = decoder.read(torch.randn(2, 7, 32), torch.tensor([7, 3]))
    assert_at_once_is_step_by_step(decoder, context)


def test_candidates_without_any_token_are_read_as_nothing() -> None:
    decoder = SharedPrefixDecoder(body_of("llama"))
    hidden = decoder.extend(decoder.read(torch.randn(1, 4, 32)), torch.randn(1, 2, 3, 32), torch.zeros(1, 2, dtype=torch.int64))
    assert hidden.shape == (1, 2, 3, 32)


def test_adapters_are_folded_in() -> None:
    body, prompt = with_adapters(body_of("llama")), torch.randn(1, 6, 32)
    torch.testing.assert_close(SharedPrefixDecoder(body).read(prompt).hidden[0], whole(body, prompt[0]), rtol=1e-4, atol=1e-5)


def test_a_body_of_another_make_is_refused() -> None:
    body = AutoModelForCausalLM.from_config(Gemma3TextConfig(**SMALL)).get_decoder()
    with pytest.raises(ModelError, match="Llama-shaped"):
        SharedPrefixDecoder(body)


def test_int8_products_are_near_those_of_the_whole_weight() -> None:
    torch.manual_seed(0)
    weight, x = torch.randn(48, 64), torch.randn(2, 5, 64)
    found, wanted = linear(x, stored(weight, "int8")), x @ weight.T
    assert found.shape == wanted.shape
    assert float((found - wanted).abs().max() / wanted.abs().max()) < 0.02


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_packed_products_are_those_of_the_weight(precision: Precision, dtype: torch.dtype, *, with_bias: bool) -> None:
    torch.manual_seed(0)
    weight, x = torch.randn(48, 64).to(dtype), torch.randn(2, 5, 64).to(dtype)
    bias = torch.randn(48).to(dtype) if with_bias else None
    found = linear(x, stored(weight, precision), bias)
    assert found.dtype == dtype
    torch.testing.assert_close(found, torch.nn.functional.linear(x, weight, bias))


def test_without_packed_products_a_weight_stays_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PackedWeight, "of", staticmethod(lambda weight: None))
    weight = torch.randn(48, 64)
    assert stored(weight, "float32") is weight


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_a_decoder_in_each_precision_reads_and_steps_nearly_alike(precision: Precision) -> None:
    body = body_of("qwen2")
    exact, rounded = SharedPrefixDecoder(body, precision="float32"), SharedPrefixDecoder(body, precision=precision)
    prompts, tokens = torch.randn(2, 6, 32), torch.randn(2, 3, 32)
    states = []
    for decoder in (exact, rounded):
        context = decoder.read(prompts)
        hidden, _ = decoder.step(context, Continuations(), torch.zeros(2, 0, dtype=torch.int64), tokens)
        states.append((context.hidden.float(), hidden.float()))
    for wanted, found in zip(*states, strict=True):
        cosine = torch.nn.functional.cosine_similarity(wanted, found, dim=-1)
        assert float(cosine.min()) > 0.99
