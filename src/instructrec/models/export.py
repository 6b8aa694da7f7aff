"""Export of a tuned `lm`: a plain Hugging Face folder (transformers, vLLM, the converter of llama.cpp), or one GGUF file.

Both hold an ordinary causal language model whose vocabulary has items behind its words, and the facts of the export: which token
is which item, what was left out, and how near the exported model is to the product on the caller's own queries.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from instructrec import assets
from instructrec.core import Query
from instructrec.errors import ModelError, RunError
from instructrec.files import atomic_folder
from instructrec.generation.beam import BeamOptions
from instructrec.generation.export import (
    LEFT_OUT,
    LEFT_OUT_OF_CODES,
    Precision,
    answer_factors,
    first_items,
    plain_model,
    round_weights,
    token_names,
    write_gguf,
)
from instructrec.instructions.render import wording
from instructrec.lists import top_n
from instructrec.lm.bases import EMBEDDED, UNTRAINED, Base
from instructrec.models.lm import LanguageModelRecommender
from instructrec.recommender import allowed

FORMAT = 1
TOP = 10
"""Length of the lists that are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """How near an export is to the product. Overlaps are the mean share of the product's first ten allowed items that are among the
    export's first ten: of all queries, of those without and those with words, read once at the end of the prompt; then of all where
    codes are written token by token. None where there was no such query.

    `scale`: mean of sharpness / root mean square of the answer vector at the end of a prompt, folded into the rows (1.0 where
    nothing was measured), `scale_spread` its standard deviation. `bias_share`: standard deviation over code tokens of what the bias
    adds to their scores, relative to that of the scores; the export lacks that part.
    """

    queries: int
    scale: float = 1.0
    scale_spread: float = 0.0
    bias_share: float | None = None
    top10_overlap: float | None = None
    top10_overlap_history: float | None = None
    top10_overlap_words: float | None = None
    top10_overlap_written: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """An export: the folder or file, and how near it is to the product."""

    path: Path
    fidelity: Fidelity


def export_hugging_face(
    model: LanguageModelRecommender,
    folder: Path,
    *,
    queries: Sequence[Query] = (),
    dtype: Literal["bfloat16", "float32"] = "bfloat16",
) -> Exported:
    """Write a folder that transformers and vLLM load, whole or not at all: weights, tokenizer, `export.json`, README.

    `queries`: real requests, on which the scale of scores and the fidelity are measured. Raises RunError for a folder that is not
    empty, ModelError for a body or a dtype that cannot be exported.
    """
    if dtype not in ("bfloat16", "float32"):
        raise ModelError(f"The dtype of an export is '{dtype}', but must be bfloat16 or float32.")
    with atomic_folder(Path(folder)) as building:
        plain, fidelity = _prepare(model, queries, dtype)
        state = {name: weight.detach().to(getattr(torch, dtype)).contiguous() for name, weight in plain.named_parameters()}
        save_file(state, str(building / "model.safetensors"), metadata={"format": "pt"})
        config = plain.config.to_dict() | {"dtype": dtype, "torch_dtype": dtype}
        # Readers that are older than transformers 5 look for these two, and take 10,000 where they do not find the second.
        config |= {"rope_theta": plain.config.rope_parameters["rope_theta"]}
        config.pop("_name_or_path", None)
        (building / "config.json").write_text(json.dumps(config, default=str, indent=2), encoding="utf-8")
        has_tokenizer = _write_tokenizer(model, building)
        facts = _facts(model, fidelity) | {"kind": "hugging_face", "dtype": dtype, "tokenizer": has_tokenizer}
        (building / "export.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        (building / "README.md").write_text(_README, encoding="utf-8")
    return Exported(path=Path(folder), fidelity=fidelity)


def export_gguf(
    model: LanguageModelRecommender,
    file: Path,
    *,
    queries: Sequence[Query] = (),
    quantisation: Literal["f16", "q8_0", "f32"] = "f16",
) -> Exported:
    """Write one GGUF file for llama.cpp, whole or not at all; what `export.json` holds is its metadata `instructrec.export`.

    With an embedded base the vocabulary is copied from the base's own GGUF. With other bases words are called by their numbers
    (`<word:N>`), so that prompts are token ids (convert the Hugging Face folder to send words). Read `n_probs` of the server's
    /completion for scores, or let it write under a grammar of tokens, `root ::= <[7]> <[9]> | ...` from `codes`, and only codes
    of items come out. Raises RunError for a file that exists, ModelError for a body or a quantisation that cannot be exported.
    """
    if quantisation not in ("f16", "q8_0", "f32"):
        raise ModelError(f"The quantisation of an export is '{quantisation}', but must be f16, q8_0 or f32.")
    file = Path(file)
    _refuse_existing(file)
    plain, fidelity = _prepare(model, queries, quantisation)
    tuned, _, encoder = model.tuned
    vocabulary = _vocabulary(tuned.decoder.base)
    facts = _facts(model, fidelity) | {"kind": "gguf", "dtype": quantisation, "tokenizer": vocabulary is not None}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}-") as place:
            building = Path(place) / file.name
            names = token_names(encoder.codes)
            write_gguf(plain, building, precision=quantisation, names=names, vocabulary=vocabulary, facts=json.dumps(facts))
            with building.open("rb") as written:
                os.fsync(written.fileno())
            _refuse_existing(file)
            building.rename(file)
    except OSError as error:
        raise RunError(
            f"{file} could not be written ({error}); nothing was left. Free some space or choose another place."
        ) from error
    return Exported(path=file, fidelity=fidelity)


def _refuse_existing(file: Path) -> None:
    if file.exists():
        raise RunError(f"{file} exists. Choose another name, or delete it first.")


def _prepare(model: LanguageModelRecommender, queries: Sequence[Query], precision: Precision) -> tuple[Any, Fidelity]:
    """The plain model as its file will hold it, and how near it is to the product."""
    tuned, tables, encoder = model.tuned
    plain = plain_model(tuned, tables, encoder.codes.codes)
    if not queries:
        round_weights(plain, precision)
        return plain, Fidelity(queries=0)
    encoded = model.encoded(queries)
    prompts = [example.tokens for example in encoded]
    masks = np.stack([allowed(query, model.catalog) for query in queries])
    wanted = [top_n(scores, mask, TOP) for scores, mask in zip(model.score(queries), masks, strict=True)]
    factors, bias_share = answer_factors(tuned, tables, plain, prompts)
    with torch.no_grad():
        plain.lm_head.weight[tuned.vocabulary :] *= factors.mean()
    round_weights(plain, precision)
    several = encoder.codes.codes.kind != "atomic"
    options = BeamOptions(width=max(model.config.beam, TOP), normalise="catalog")
    read, written = (
        _shares(wanted, first_items(plain, prompts, masks, encoder.codes, options=options, written=way)) for way in (False, several)
    )
    asked = np.array([bool(example.questions) for example in encoded])
    fidelity = Fidelity(
        queries=len(queries),
        scale=float(factors.mean()),
        scale_spread=float(factors.std(unbiased=False)),
        bias_share=bias_share,
        top10_overlap=_mean(read),
        top10_overlap_history=_mean(read[~asked]),
        top10_overlap_words=_mean(read[asked]),
        top10_overlap_written=_mean(written),
    )
    return plain, fidelity


def _shares(wanted: Sequence[Sequence[int]], found: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Which part of each list is among the first of another; not a number where nothing was allowed."""
    pairs = zip(wanted, found, strict=True)
    return np.array([len(set(one) & set(other[:TOP])) / len(one) if one else np.nan for one, other in pairs])


def _mean(shares: NDArray[np.float64]) -> float | None:
    known = shares[np.isfinite(shares)]
    return float(known.mean()) if len(known) else None


def _facts(model: LanguageModelRecommender, fidelity: Fidelity) -> dict[str, Any]:
    """What a reader of the export has to know; token ids everywhere, items in the order of their numbers."""
    tuned, _, encoder = model.tuned
    tokens = encoder.codes
    rows = [tokens.encode(item) for item in range(len(tokens.codes))]
    words = f" {wording(model.config.language).train['history'][0]}"
    return {
        "format": FORMAT,
        "base": {"name": tuned.decoder.base.name, "sha256": model.base_sha256},
        "words": tokens.vocabulary,
        "first_item": tokens.vocabulary,
        "first_code": tokens.first_written,
        "answer": tokens.answer,
        "code_kind": tokens.codes.kind,
        "codes": rows,
        "first_tokens": sorted({row[0] for row in rows}),
        "item_ids": list(model.catalog.item_ids),
        "prompt": {"words": words, "tokens": list(encoder.words(words.removeprefix(" "))), "max_history": model.config.max_history},
        "never_generate": "the answer token, and tokens of items where code_kind is not atomic: their logits are 0",
        "left_out": [*LEFT_OUT] if tokens.codes.kind == "atomic" else [*LEFT_OUT, LEFT_OUT_OF_CODES],
        "fidelity": asdict(fidelity),
    }


def _vocabulary(base: Base) -> Path | None:
    """The GGUF file that an embedded base came in."""
    return sorted(assets.fetch(EMBEDDED[base.name]).glob("*.gguf"))[0] if base.name in EMBEDDED else None


def _write_tokenizer(model: LanguageModelRecommender, folder: Path) -> bool:
    """Write the base's tokenizer with the new tokens at their ids; False for a base whose words are checksums."""
    tuned, _, encoder = model.tuned
    if tuned.decoder.base.name in UNTRAINED:
        return False
    from transformers import AddedToken, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(tuned.decoder.base.folder)
    known = len(tokenizer)
    names = [f"<unused:{token}>" for token in range(known, tuned.vocabulary)] + token_names(encoder.codes)
    tokenizer.add_tokens([AddedToken(name, normalized=False) for name in names])
    if tokenizer.convert_tokens_to_ids(names) != list(range(known, encoder.codes.answer + 1)):
        raise ModelError(
            f"The tokenizer of base '{tuned.decoder.base.name}' has {known} tokens for {tuned.vocabulary} rows, or already has one "
            f"of the names <item:0> to <answer>, so items cannot stand behind its words. Tune on another base."
        )
    tokenizer.save_pretrained(folder)
    return True


_README = """# A recommender as an ordinary language model

Written by instructrec. The vocabulary is the base's words, one token an item that is read (`<item:N>`, N counts `item_ids` in
`export.json`), code tokens that are written (`<code:N>`; with atomic codes the item tokens themselves), and `<answer>`.
All numbers below are in `export.json`.

## Prompt

`prompt.words`, then the item tokens of the history, oldest first, at most `prompt.max_history`; no special tokens of the base.
To ask in words, go on with a space, the words, and `<answer>`. With a tokenizer in this folder:

    text = facts["prompt"]["words"] + "<item:3><item:17>" + " something funny<answer>"
    ids = tokenizer(text, add_special_tokens=False).input_ids

Without one (`tokenizer` is false) use `prompt.tokens` and item tokens `first_item + N`; words are checksums
(`instructrec.lm.tiny.HashTokenizer`).

## Answer

Read the logits once, at the last token of the prompt. Atomic codes: the best of `first_tokens` is the best item. Other codes: item
N scores the sum over `codes[N]` of each token's log-softmax among the tokens that continue, in `codes`, what comes before it.
To write codes token by token instead, allow `first_tokens` first, and then only what continues a code; without that constraint the
model may write words. `never_generate` says which tokens have no score of their own.

## What is left out

See `left_out` and `fidelity`. Answers to words differ most: the product adds a pooled vector of the words to the answer, and an
ordinary language model has no place for it. Limits, exclusions and seen items are the caller's business.
"""
