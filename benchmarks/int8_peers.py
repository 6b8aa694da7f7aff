"""Products in fewer bits: ours against torchao's and CTranslate2's, on SmolLM2-135M in one run.

    pip install torchao ctranslate2
    python -m benchmarks.int8_peers --json

Times are medians over --repeats, all sides in turns: the four products of a layer on 20 and on 512 rows, reading a prompt of 512
tokens, and three steps of 20 beams behind it. torchao's weights take the place of ours in the same decoder, and are compiled
product by product; weight-only int8 in bfloat16, where it is faster. CTranslate2 has a decoder of its own: its prompt is
`forward_batch`, its steps are what `generate_batch` with 20 beams takes longer. The error is that of the logits of 1,024 words
behind the prompt, relative to float32.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.calibration import add_json_option, finish
from instructrec.lm.bases import prepare
from instructrec.lm.precision import linear
from instructrec.lm.shared_prefix import Continuations, SharedPrefixDecoder

WORDS, PROMPT, BEAMS, STEPS = 1024, 512, 20, 3
OURS: Any = ("float32", "bfloat16", "int8")
TORCHAO = {"dynamic int8": torch.float32, "weight-only int8": torch.bfloat16}
"""Kind -> the dtype in which it is the faster one."""
MAPS = ("read", "write", "gate_up", "down")
Work = dict[str, Callable[[], object]]


class Compiled:
    """A weight whose product is compiled."""

    def __init__(self, weight: Tensor, product: Callable[..., Tensor]) -> None:
        self.weight, self._product = weight, product

    def product(self, x: Tensor) -> Tensor:
        """X [..., inputs] to [..., outputs]."""
        return self._product(x, self.weight)


def decoders(body: Any) -> dict[str, SharedPrefixDecoder]:
    """The same weights as each side multiplies them."""
    found = {f"ours {name}": SharedPrefixDecoder(body, precision=name) for name in OURS}
    for kind, dtype in TORCHAO.items():
        eager, compiled = (SharedPrefixDecoder(body, precision=_name(dtype)) for _ in range(2))
        # As many shapes as there are maps and numbers of rows, each compiled for itself.
        torch._dynamo.config.recompile_limit = 64
        product: Any = torch.compile(functional.linear, dynamic=False)
        for number, block in enumerate(body.layers):
            weights: dict[str, Any] = {name: _by_torchao(weight, kind, dtype) for name, weight in _joined(block).items()}
            eager._layers[number] = replace(eager._layers[number], **weights)
            wrapped: Any = {name: Compiled(weight, product) for name, weight in weights.items()}
            compiled._layers[number] = replace(compiled._layers[number], **wrapped)
        found |= {f"torchao {kind}": eager, f"torchao {kind}, compiled": compiled}
    return found


def _name(dtype: torch.dtype) -> Any:
    return str(dtype).removeprefix("torch.")


def _joined(block: Any) -> dict[str, Tensor]:
    """The four maps of a layer, as `SharedPrefixDecoder` joins them."""
    attention, mlp = block.self_attn, block.mlp
    read = torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight])
    gate_up = torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])
    return {"read": read, "write": attention.o_proj.weight, "gate_up": gate_up, "down": mlp.down_proj.weight}


def _by_torchao(weight: Tensor, kind: str, dtype: torch.dtype) -> Tensor:
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig, quantize_

    inner = nn.Linear(weight.shape[1], weight.shape[0], bias=False, dtype=dtype)
    inner.weight.data.copy_(weight)
    quantize_(
        nn.Sequential(inner), Int8DynamicActivationInt8WeightConfig() if kind.startswith("dynamic") else Int8WeightOnlyConfig()
    )
    return inner.weight.detach()


def products(decoder: SharedPrefixDecoder, rows: int) -> Callable[[], object]:
    """The four products of the first layer on some rows."""
    layer = decoder._layers[0]
    inputs = {"read": 576, "write": 576, "gate_up": 576, "down": 1536}
    x = {name: torch.randn(1, rows, width, dtype=decoder.dtype) for name, width in inputs.items()}
    return lambda: [linear(x[name], getattr(layer, name)) for name in MAPS]


def steps(decoder: SharedPrefixDecoder, vectors: Tensor) -> Callable[[], object]:
    """Steps of beams behind a prompt that was read before."""
    context, parents = decoder.read(vectors), torch.arange(BEAMS)[None]

    def work() -> object:
        beams = Continuations()
        for _ in range(STEPS):
            hidden, beams = decoder.step(context, beams, parents, vectors[:, :BEAMS])
        return hidden

    return work


def by_ctranslate2(causal: Any, folder: Path) -> Any:
    """A generator with the weights of the base and its first words, int8, on as many threads as torch has."""
    import ctranslate2
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    causal.save_pretrained(folder / "hf")
    words = models.WordLevel({f"w{word}": word for word in range(WORDS)}, unk_token="w0")
    tokenizer: Any = PreTrainedTokenizerFast
    tokens = {"unk_token": "w0", "bos_token": "w1", "eos_token": "w2"}
    tokenizer(tokenizer_object=Tokenizer(words), **tokens).save_pretrained(folder / "hf")
    ctranslate2.converters.TransformersConverter(str(folder / "hf")).convert(str(folder / "ct2"), quantization="int8")
    return ctranslate2.Generator(str(folder / "ct2"), compute_type="int8", intra_threads=torch.get_num_threads())


def in_turns(work: dict[str, Work], repeats: int) -> dict[str, dict[str, float]]:
    """Median time (ms) of each piece of work of each side, after two calls that warm up."""
    times: dict[tuple[str, str], list[float]] = {}
    for turn in range(repeats + 2):
        for side, pieces in work.items():
            for name, piece in pieces.items():
                began = time.perf_counter()
                piece()
                if turn >= 2:
                    times.setdefault((side, name), []).append((time.perf_counter() - began) * 1000)
    return {side: {name: statistics.median(times[side, name]) for name in pieces} for side, pieces in work.items()}


@torch.inference_mode()
def compared(repeats: int, folder: Path) -> dict[str, dict[str, float]]:
    """All numbers of all sides."""
    from transformers import AutoModelForCausalLM

    causal: Any = AutoModelForCausalLM.from_pretrained(prepare("smollm2-135m").folder, dtype=torch.float32)
    causal.resize_token_embeddings(WORDS)
    words = torch.randint(3, WORDS, (PROMPT,), generator=torch.Generator().manual_seed(0))
    table = causal.get_input_embeddings().weight
    vectors, spelled = table[words][None], [f"w{word}" for word in words.tolist()]
    sides = decoders(causal.model)
    work: dict[str, Work] = {}
    logits: dict[str, Any] = {}
    for name, side in sides.items():
        work[name] = {f"products of {rows} rows": products(side, rows) for rows in (BEAMS, PROMPT)}
        work[name] |= {"prompt": partial(side.read, vectors), "steps": steps(side, vectors)}
        logits[name] = (side.read(vectors).hidden.float() @ table.T)[0].numpy()
    theirs, name = by_ctranslate2(causal, folder), "CTranslate2 int8"
    options = {"include_prompt_in_result": False, "end_token": [], "beam_size": BEAMS, "max_length": STEPS}
    work[name] = {
        "prompt": lambda: theirs.forward_batch([spelled]),
        "prompt and steps": lambda: theirs.generate_batch([spelled], **options),
    }
    logits[name] = np.array(theirs.forward_batch([spelled]))[0, -1]
    found = in_turns(work, repeats)
    found[name]["steps"] = found[name].pop("prompt and steps") - found[name]["prompt"]
    exact = logits["ours float32"]
    for name, own in logits.items():
        found[name]["error %"] = float(100 * np.linalg.norm(own - exact) / np.linalg.norm(exact))
    return found


def main() -> None:
    """Measure, and print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    add_json_option(parser)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = compared(given.repeats, Path(folder))
    columns = [f"products of {BEAMS} rows", f"products of {PROMPT} rows", "prompt", "steps", "error %"]
    print(f"{'ms':<34}" + "".join(f"{column:>22}" for column in columns))
    for side, numbers in found.items():
        print(f"{side:<34}" + "".join(f"{numbers[name]:>22.2f}" if name in numbers else f"{'-':>22}" for name in columns))
    finish({"repeats": given.repeats, "threads": torch.get_num_threads(), "sides": found}, given.json)


if __name__ == "__main__":
    main()
