"""Norm gains folded into the linear maps behind them: the same function, but adapters read inputs of unit size.

Pretraining leaves gains far below one (first eight layers of SmolLM2-135M: root mean square .04 to .31), and then moves large
weights with small inputs. An adapter starts from zero and learns at one rate, so behind such a gain each of its steps moves the
output by that much less. Writing W (g * x) as (W diag(g)) x changes nothing that the body computes and gives every adapter the
same say.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_ATTENTION = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
_MLP = ("mlp.gate_proj", "mlp.up_proj")
_T5 = (
    *(f"SelfAttention.{name}" for name in "qkv"),
    "EncDecAttention.q",
    *(f"DenseReluDense.{name}" for name in ("wi", "wi_0", "wi_1")),
)
"""The maps of a layer that read a norm: of Llama and its kin, and of T5."""


def fold_norms(body: Any) -> None:
    """Fold the norms before attention and before the MLP of every layer, and set the gain of the last norm to one.

    The answer heads read states that are scaled to unit size again and learn their own gain, so the last one only shapes where they
    start. Layers of an unknown make stay as they are.
    """
    with torch.no_grad():
        for layer in body.layers:
            # Where a layer has the first name (Gemma), the second is a norm behind attention that no map reads.
            before_mlp = "pre_feedforward_layernorm" if hasattr(layer, "pre_feedforward_layernorm") else "post_attention_layernorm"
            for name, readers in (("input_layernorm", _ATTENTION), (before_mlp, _MLP)):
                norm, maps = getattr(layer, name, None), [found for path in readers if (found := _find(layer, path)) is not None]
                if norm is not None and len(maps) == len(readers):
                    _fold(norm, maps)
        if getattr(body, "norm", None) is not None:
            _set_unit(body.norm)


def fold_both_stacks(body: Any) -> None:
    """The same for the two stacks of T5: the encoder's last norm is folded into the maps of the decoder that read the encoder."""
    with torch.no_grad():
        for block in (*body.encoder.block, *body.decoder.block):
            for part in block.layer:
                _fold(part.layer_norm, [found for path in _T5 if (found := _find(part, path)) is not None])
        crossing = [block.layer[1].EncDecAttention for block in body.decoder.block]
        _fold(body.encoder.final_layer_norm, [reader for attention in crossing for reader in (attention.k, attention.v)])
        _set_unit(body.decoder.final_layer_norm)


def _fold(norm: Any, maps: list[nn.Linear]) -> None:
    gain = _gain(norm)
    _set_unit(norm)
    for linear in maps:
        linear.weight.copy_((linear.weight.float() * gain).to(linear.weight.dtype))


def _gain(norm: Any) -> torch.Tensor:
    """What the norm multiplies by, float32 [width]: its answer to ones, whose root mean square is one."""
    gain: torch.Tensor = norm(torch.ones_like(norm.weight)).float()
    return gain


def _set_unit(norm: Any) -> None:
    """Set the gain to one; some norms store it as it is, others (Gemma) as its distance from one."""
    for stored in (1.0, 0.0):
        norm.weight.fill_(stored)
        if torch.allclose(_gain(norm), torch.ones_like(_gain(norm)), atol=1e-2):
            return


def _find(layer: nn.Module, path: str) -> nn.Linear | None:
    found: Any = layer
    for name in path.split("."):
        found = getattr(found, name, None)
    return found if isinstance(found, nn.Linear) else None
