"""Reading a prompt once and answering it many times gives the states of plain forward passes through the two stacks of T5."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.lm.continuing import assert_at_once_is_step_by_step, assert_beams_branch, with_adapters
from transformers import AutoModel, AutoModelForCausalLM, BartConfig, LlamaConfig, MT5Config, T5Config

from instructrec.errors import ModelError
from instructrec.generation.candidates import CandidateScorer
from instructrec.lm.bases import prepare
from instructrec.lm.decoder import DecoderShape, load_decoder
from instructrec.lm.encoder_decoder import EncoderDecoder
from instructrec.lm.norms import fold_both_stacks
from instructrec.lm.precision import Precision
from instructrec.lm.shared_prefix import Continuations, SharedPrefixDecoder
from instructrec.lm.t5 import states, take_words

SMALL = {
    "vocab_size": 64,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 48,
    "num_layers": 2,
    "num_decoder_layers": 3,
    "num_heads": 4,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 6,
    "dropout_rate": 0.1,
}
CONFIGS = {"t5": T5Config(**SMALL), "flan": T5Config(**SMALL, feed_forward_proj="gated-gelu"), "mt5": MT5Config(**SMALL)}


def body_of(name: str) -> Any:
    """Both stacks with random weights, far norms and biases that matter."""
    torch.manual_seed(0)
    body = AutoModel.from_config(copy.deepcopy(CONFIGS[name]), attn_implementation="eager").eval()
    for key, value in body.named_parameters():
        if "norm" in key:
            value.data.uniform_(0.5, 1.5)
        if "relative" in key:
            value.data.normal_()
    return body


def whole(body: Any, prompt: torch.Tensor, answer: torch.Tensor) -> torch.Tensor:
    """States after each vector of an answer, everything read at once: the last vector of a prompt asks for it."""
    with torch.no_grad():
        encoded = body.encoder(inputs_embeds=prompt[None, :-1]).last_hidden_state
        written = torch.cat([prompt[-1:], answer])[None]
        return body.decoder(inputs_embeds=written, encoder_hidden_states=encoded, use_cache=False).last_hidden_state[0]


@pytest.mark.parametrize("name", CONFIGS)
def test_beams_that_branch_and_are_reordered_have_the_states_of_whole_sequences(name: str) -> None:
    body = body_of(name)
    decoder = EncoderDecoder(body)
    prompts, lengths = torch.randn(2, 12, 32), torch.tensor([12, 5])
    context = decoder.read(prompts, lengths)
    assert_beams_branch(decoder, context, lambda row, own: whole(body, prompts[row, : lengths[row]], own)[-1], atol=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_candidates_read_at_once_have_the_states_of_whole_sequences(name: str) -> None:
    body = body_of(name)
    decoder = EncoderDecoder(body)
    prompts, prompt_lengths = torch.randn(3, 9, 32), torch.tensor([9, 5, 2])
    lengths = torch.tensor([[4, 1, 0, 8], [0, 2, 2, 8], [3, 0, 0, 0]])
    vectors = torch.randn(3, 4, 8, 32)
    # What stands behind an end must not be read: it would spread.
    vectors[torch.arange(8) >= lengths[..., None]] = torch.nan
    hidden = decoder.extend(decoder.read(prompts, prompt_lengths), vectors, lengths)
    assert hidden.shape == vectors.shape
    for row, candidate in lengths.nonzero().tolist():
        own = vectors[row, candidate, : lengths[row, candidate]]
        wanted = whole(body, prompts[row, : prompt_lengths[row]], own)[1:]
        torch.testing.assert_close(hidden[row, candidate, : len(own)], wanted, rtol=1e-4, atol=1e-4)


def test_a_prompt_is_read_once_and_then_continued_at_once_or_step_by_step_with_the_same_states() -> None:
    decoder = EncoderDecoder(body_of("flan"))
    context = decoder.read(torch.randn(2, 7, 32))
    assert_at_once_is_step_by_step(decoder, context)


def test_adapters_are_folded_in() -> None:
    body, prompt = with_adapters(body_of("flan")), torch.randn(1, 6, 32)
    wanted = whole(body, prompt[0], torch.zeros(0, 32))[-1]
    torch.testing.assert_close(EncoderDecoder(body).read(prompt).hidden[0], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_each_precision_reads_and_steps_nearly_alike(precision: Precision) -> None:
    body = body_of("t5")
    prompts, tokens = torch.randn(2, 6, 32), torch.randn(2, 3, 32)
    found = []
    for decoder in (EncoderDecoder(body), EncoderDecoder(body, precision=precision)):
        context = decoder.read(prompts, torch.tensor([6, 4]))
        hidden, _ = decoder.step(context, Continuations(), torch.zeros(2, 0, dtype=torch.int64), tokens)
        found.append(torch.cat([context.hidden[:, None], hidden], dim=1).float())
    assert float(torch.nn.functional.cosine_similarity(*found, dim=-1).min()) > 0.98


def test_candidates_are_scored_behind_a_prompt_as_their_whole_likelihood() -> None:
    body, words, outputs = body_of("t5"), torch.randn(16, 32), torch.randn(16, 32)
    prompts, candidates = torch.randn(2, 6, 32), [[[3], [4, 5, 6]], [[7, 8]]]
    decoder = EncoderDecoder(body)
    scores = CandidateScorer(decoder, words=words, outputs=outputs).likelihood(decoder.read(prompts), candidates)
    for row, some in enumerate(candidates):
        for place, tokens in enumerate(some):
            likely = (whole(body, prompts[row], words[tokens[:-1]]) @ outputs.T).log_softmax(dim=-1)
            wanted = sum(float(likely[k, token]) for k, token in enumerate(tokens))
            assert float(scores[row, place]) == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def visible_of(*examples: tuple[int, int], length: int) -> torch.Tensor:
    """Visibility of examples of (tokens that are read, tokens that are written) in one row, filled up to a length."""
    seen, start = torch.eye(length, dtype=torch.bool), 0
    for read, written in examples:
        stop = start + read + written
        seen[start:stop, start : start + read] = True
        seen[start + read : stop, start + read : stop] |= torch.ones(written, written, dtype=torch.bool).tril()
        start = stop
    return seen


@pytest.mark.parametrize("name", CONFIGS)
def test_examples_packed_into_rows_have_the_states_of_each_alone(name: str) -> None:
    body, width = body_of(name), 32
    rows = [[(5, 3), (1, 1), (4, 2)], [(7, 4)]]
    vectors = torch.randn(2, 18, width)
    visible = torch.stack([visible_of(*row, length=18) for row in rows])
    with torch.no_grad():
        found = states(body, vectors, visible)
    for line, row in enumerate(rows):
        start = 0
        for read, written in row:
            own = vectors[line, start : start + read + written]
            wanted = whole(body, own[: read + 1], own[read + 1 :])
            torch.testing.assert_close(found[line, start + read : start + read + written], wanted, rtol=1e-4, atol=1e-4)
            start += read + written


@pytest.mark.parametrize("name", CONFIGS)
def test_folded_norms_and_shorter_words_change_no_state_but_its_last_gain(name: str) -> None:
    body, ids = body_of(name), torch.arange(6)
    words = body.get_input_embeddings().weight.detach().clone()
    gain = body.decoder.final_layer_norm.weight.detach().clone()
    before = whole(body, words[ids], words[ids + 6])
    fold_both_stacks(body)
    shorter = take_words(body)
    assert 0.05 < float(shorter.square().mean().sqrt()) < 0.2
    after = whole(body, shorter[ids], shorter[ids + 6])
    torch.testing.assert_close(after * gain, before, rtol=1e-3, atol=1e-3)


def test_bodies_of_another_make_are_refused_by_either_reader() -> None:
    llama = LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4)
    with pytest.raises(ModelError, match="T5-shaped"):
        EncoderDecoder(AutoModelForCausalLM.from_config(llama).get_decoder())
    with pytest.raises(ModelError, match="Llama-shaped"):
        SharedPrefixDecoder(body_of("t5"))


def test_an_encoder_decoder_of_another_make_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    small = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = BartConfig(vocab_size=64, d_model=16, encoder_ffn_dim=16, decoder_ffn_dim=16, **small)
    AutoModel.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"type 'bart'.*t5"):
        load_decoder(prepare(str(tmp_path)), DecoderShape())


def test_a_base_from_scratch_has_as_many_layers_in_each_stack() -> None:
    decoder = load_decoder(prepare("scratch-t5"), DecoderShape(width=64, layers=3))
    assert decoder.both_ways
    assert decoder.width == 64
    assert (len(decoder.body.encoder.block), len(decoder.body.decoder.block)) == (3, 3)
    assert all(value.requires_grad for value in decoder.body.parameters())
