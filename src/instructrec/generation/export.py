"""A tuned item-token model as an ordinary causal language model of transformers, and such a model as one GGUF file.

What is folded: adapters and `shrink` into the linear maps, `input_scale` into the rows that are read, the map `out` into the rows
that are written. What an ordinary language model has no place for is left out (`LEFT_OUT`).

GGUF is checked by reading it back with transformers, and by llama.cpp itself (tests/test_llama_cpp.py).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from instructrec.errors import ModelError
from instructrec.generation.beam import BeamOptions, NextScores, beam_search
from instructrec.generation.codes import CodeTable, ItemTokens
from instructrec.generation.scoring import CodeScores
from instructrec.generation.trie import Trie
from instructrec.lm.item_model import ItemTable, ItemTokenModel
from instructrec.lm.lora import FusedLora
from instructrec.lm.shared_prefix import SharedPrefixDecoder
from instructrec.tables import BoolArray, IntArray

SHAPES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}
"""Bodies that can be exported: type of the configuration -> class. GGUF calls the architectures by the same types."""
LEFT_OUT = (
    "The division of the answer vector by its root mean square: a positive factor at each place, which moves probabilities but not "
    "the order within one place. Its mean is folded into the rows (fidelity.scale).",
    "The bias of the answer map: an output layer without bias has no place for it (fidelity.bias_share says how much it is).",
    "The pooled words of a question next to the hidden state, which weigh heavily in answers to words: here words act through the "
    "sequence alone.",
)
LEFT_OUT_OF_CODES = (
    "The state where an answer begins, with which the product compares every token of a code, is out of reach once tokens were "
    "written, and so is what they refine of it. Read the logits once, at the end of the prompt, for all tokens of a code: that is "
    "nearer to the product (fidelity.top10_overlap) than to write it token by token (fidelity.top10_overlap_written)."
)
"""What an export lacks besides where codes have several tokens."""
Precision: TypeAlias = Literal["float32", "bfloat16", "f32", "f16", "q8_0"]
"""How weights are stored: the first two in safetensors, the others in GGUF."""


def token_names(tokens: ItemTokens) -> list[str]:
    """Names of the tokens behind the words, in the order of their ids: items that are read, codes that are written, answer."""
    codes = [] if tokens.codes.kind == "atomic" else [f"<code:{token}>" for token in range(tokens.codes.num_tokens)]
    return [*(f"<item:{item}>" for item in range(len(tokens.codes))), *codes, "<answer>"]


def plain_model(model: ItemTokenModel, items: ItemTable, codes: CodeTable) -> Any:
    """The same function as a causal language model of transformers, float32, output rows not yet scaled.

    Vocabulary: words [0, V), then `ItemTable.inputs`, then the answer token. Output rows of words are the word table, those of
    codes `outputs` behind the map `out`, those that never begin a code as much sharper as the product compares them; rows of tokens
    that are only read are zero and must never be generated. Raises ModelError for a body that is neither Llama nor Qwen 2 or 3.
    """
    from transformers import AutoModelForCausalLM

    inner: Any = getattr(getattr(model.body, "base_model", None), "model", model.body)
    config = _config(inner, rows=model.vocabulary + len(items.inputs) + 1)
    causal_lm: Any = AutoModelForCausalLM
    # What is drawn here is overwritten; whoever has seeded torch must not notice.
    with torch.random.fork_rng(devices=[]):
        plain = causal_lm.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for name, weight in plain.model.named_parameters():
            if not name.startswith("embed_tokens."):
                weight.copy_(_merged(inner, name))
        read = torch.cat([model.decoder.words, items.inputs * model.input_scale, model.answer[None]])
        plain.model.embed_tokens.weight.copy_(read)
        plain.lm_head.weight.zero_()
        plain.lm_head.weight[: model.vocabulary] = model.decoder.words
        first = model.vocabulary + len(items.inputs) - len(items.outputs)
        plain.lm_head.weight[first:-1] = items.outputs @ model.out.weight
        if model.written is not None:
            later = np.setdiff1d(np.arange(codes.num_tokens), codes.tokens[:, 0])
            plain.lm_head.weight[first + torch.from_numpy(later)] *= model.later_sharpness
    return plain.eval()


def _config(inner: Any, *, rows: int) -> Any:
    """The configuration of the body as it was cut, with a vocabulary of `rows`."""
    kind = inner.config.model_type
    if inner.config.is_encoder_decoder:
        raise ModelError(
            f"A model on an encoder-decoder base of type '{kind}' cannot be exported: it is not a causal language model. Tune on a "
            f"decoder-only base of type {', '.join(SHAPES)}."
        )
    if kind not in SHAPES:
        raise ModelError(f"A model on a body of type '{kind}' cannot be exported. Tune on a base of type {', '.join(SHAPES)}.")
    config = copy.deepcopy(inner.config)
    config.num_hidden_layers = len(inner.layers)
    if getattr(config, "layer_types", None):
        config.layer_types = list(config.layer_types)[: len(inner.layers)]
    config.vocab_size = rows
    config.tie_word_embeddings = False
    config.architectures = [SHAPES[kind]]
    return config


def _merged(inner: Any, name: str) -> Tensor:
    """A weight of the body by its name, with its adapter where it has one."""
    path, _, leaf = name.rpartition(".")
    module: Any = inner.get_submodule(path)
    if isinstance(module, FusedLora):
        return module.effective() if leaf == "weight" else cast(Tensor, cast(Any, module.base_layer).bias)
    return cast(Tensor, getattr(module, leaf))


def round_weights(plain: nn.Module, precision: Precision) -> None:
    """Round the weights, in place and still float32, to what the file will hold, so that fidelity is that of the file."""
    with torch.no_grad():
        for weight in plain.parameters():
            if precision == "bfloat16":
                weight.copy_(weight.to(torch.bfloat16))
            elif precision in ("f16", "q8_0"):
                weight.copy_(torch.from_numpy(_opened(*_stored(weight.numpy(), precision))))


def _stored(weight: NDArray[np.float32], precision: Precision) -> tuple[NDArray[Any], Any]:
    """A weight as GGUF keeps it and its type. As in llama.cpp's converter, vectors stay float32, and rows that are not whole blocks
    of Q8_0 become float16.
    """
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

    kind = {"f32": GGMLQuantizationType.F32, "f16": GGMLQuantizationType.F16, "q8_0": GGMLQuantizationType.Q8_0}[precision]
    if weight.ndim == 1:
        kind = GGMLQuantizationType.F32
    elif weight.shape[-1] % GGML_QUANT_SIZES[kind][0]:
        kind = GGMLQuantizationType.F16
    return quants.quantize(np.ascontiguousarray(weight), kind), kind


def _opened(stored: NDArray[Any], kind: Any) -> NDArray[np.float32]:
    from gguf import quants

    return np.array(quants.dequantize(stored, kind), dtype=np.float32)


@torch.inference_mode()
def answer_factors(model: ItemTokenModel, items: ItemTable, plain: Any, prompts: Sequence[IntArray]) -> tuple[Tensor, float]:
    """What the product multiplies scores by (sharpness / root mean square of the answer vector) and the plain model does not.

    float32 [num_prompts], at the end of each prompt (token ids). Also the standard deviation over code tokens of what the bias of
    `out` adds to scores, relative to that of the scores.
    """
    hidden = [plain.model(input_ids=torch.from_numpy(prompt)[None]).last_hidden_state[0, -1] for prompt in prompts]
    answers = model.out(torch.stack(hidden))
    factors = model.sharpness * torch.rsqrt(answers.square().mean(dim=-1) + 1e-6)
    spread = (answers @ items.outputs.T).std(dim=1).mean()
    return factors, float((items.outputs @ model.out.bias).std() / spread)


@torch.inference_mode()
def first_items(
    plain: Any, prompts: Sequence[IntArray], masks: BoolArray, tokens: ItemTokens, *, options: BeamOptions, written: bool
) -> list[list[int]]:
    """Allowed items of each prompt, best first, as a reader of the export finds them: a search over codes.

    Either codes are `written` token by token, or the scores of all their tokens are read once, at the end of the prompt.
    """
    first, stop = tokens.first_written, tokens.answer
    inputs, outputs = plain.model.embed_tokens.weight, plain.lm_head.weight[first:stop]
    decoder, trie = SharedPrefixDecoder(plain.model), Trie.build(tokens.codes)
    lists = []
    for prompt, mask in zip(prompts, masks, strict=True):
        context = decoder.read(inputs[torch.from_numpy(prompt)][None])
        scores: NextScores = CodeScores(decoder, context, inputs=inputs[first:stop], outputs=outputs)
        if not written:
            scores = _Once(context.hidden @ outputs.T)
        found = beam_search(scores, trie, trie.allow(mask[None]), options)
        lists.append([item for item in found.items[0].tolist() if item >= 0])
    return lists


class _Once:
    """The same scores float32 [1, num_tokens] for every token of a code."""

    def __init__(self, scores: Tensor) -> None:
        self.scores = scores

    def __call__(self, parents: Tensor, _: Tensor) -> Tensor:
        return self.scores[:, None].expand(-1, max(1, parents.shape[1]), -1)


def write_gguf(plain: Any, file: Path, *, precision: Precision, names: Sequence[str], vocabulary: Path | None, facts: str) -> None:
    """Write a plain model as one GGUF file of its architecture; `facts` (JSON) are kept under the key `instructrec.export`.

    `names` of the tokens behind the words; `vocabulary`: a GGUF file of the base, whose words are copied. Without one words are
    called by their numbers, `<word:N>`, and prompts are token ids or such names. Raises ModelError for positions that are
    stretched, which GGUF keeps in a form of its own.
    """
    from gguf import GGML_QUANT_VERSION, MODEL_ARCH_NAMES, GGUFWriter, get_tensor_name_map

    config = plain.config
    if config.rope_parameters["rope_type"] != "default":
        kind = config.rope_parameters["rope_type"]
        raise ModelError(f"Positions of type '{kind}' are not written to GGUF. Export a Hugging Face folder and convert that.")
    writer: Any = GGUFWriter(file, config.model_type)
    try:
        _write_shape(writer, config)
        writer.add_file_type({"f32": 0, "f16": 1, "q8_0": 7}[precision])
        writer.add_quantization_version(GGML_QUANT_VERSION)
        writer.add_string("instructrec.export", facts)
        _write_vocabulary(writer, names, vocabulary, rows=config.vocab_size)
        architecture = next(key for key, value in MODEL_ARCH_NAMES.items() if value == config.model_type)
        known = get_tensor_name_map(architecture, config.num_hidden_layers)
        for name, weight in plain.named_parameters():
            path, _, leaf = name.rpartition(".")
            data, kind = _stored(_in_their_order(name, weight.detach().numpy(), config), precision)
            writer.add_tensor(f"{known.get_name(path)}.{leaf}", data, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _in_their_order(name: str, weight: NDArray[np.float32], config: Any) -> NDArray[np.float32]:
    """Rows of queries and keys as llama.cpp wants them: its Llama turns neighbours where transformers turns two halves.

    As `LlamaModel.permute` of llama.cpp's convert_hf_to_gguf.py does it; its Qwen turns halves, too.
    """
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(name.split(".")[-2])
    if config.model_type != "llama" or heads is None:
        return weight
    return weight.reshape(heads, 2, -1, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def _write_shape(writer: Any, config: Any) -> None:
    head_width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_name("Recommender tuned with instructrec")
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_width)
    writer.add_value_length(head_width)
    writer.add_rope_dimension_count(head_width)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)


def _write_vocabulary(writer: Any, names: Sequence[str], source: Path | None, *, rows: int) -> None:
    """The words of `source`, filled up to where items begin, and the new tokens behind them."""
    if source is None:
        _write_numbers(writer, names, rows=rows)
        return
    from gguf import GGUFReader, GGUFValueType, TokenType

    fields = {key: field for key, field in GGUFReader(source).fields.items() if key.startswith("tokenizer.")}
    words = len(fields["tokenizer.ggml.tokens"].data)
    filling = [f"<unused:{token}>" for token in range(words, rows - len(names))]
    more: dict[str, list[Any]] = {
        "tokenizer.ggml.tokens": [*filling, *names],
        "tokenizer.ggml.token_type": [int(TokenType.UNUSED)] * len(filling) + [int(TokenType.USER_DEFINED)] * len(names),
        "tokenizer.ggml.scores": [0.0] * (len(filling) + len(names)),
    }
    for key, field in fields.items():
        kind, *inner = field.types
        value = field.contents()
        if kind == GGUFValueType.ARRAY:
            value = [*value, *more.get(key, [])]
        writer.add_key_value(key, value, kind, inner[0] if inner else None)


def _write_numbers(writer: Any, names: Sequence[str], *, rows: int) -> None:
    """Words called by their numbers, for a base whose words GGUF cannot hold.

    A vocabulary of sentencepiece that lacks the bytes: llama.cpp refuses text which is not made of these names. With the kind
    "none", which has no names, its server ends at the first request.
    """
    from gguf import TokenType

    writer.add_tokenizer_model("llama")
    writer.add_token_list([*(f"<word:{token}>" for token in range(rows - len(names))), *names])
    writer.add_token_types([TokenType.USER_DEFINED] * rows)
    writer.add_token_scores([0.0] * rows)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    # The answer token, which is never written, so that no word begins or ends a text.
    writer.add_bos_token_id(rows - 1)
    writer.add_eos_token_id(rows - 1)
