"""Numbers of fewer bits for serving: bfloat16, or int8 products with a scale a row (of weights) and a token (of inputs)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

Precision: TypeAlias = Literal["float32", "bfloat16", "int8"]


@dataclass(frozen=True, slots=True)
class Int8Weight:
    """A weight [outputs, inputs] rounded to int8: `codes` int8 [inputs, outputs], `scales` float32 [outputs].

    Rounding is symmetric, to the largest value of a row; inputs are rounded the same way, token by token, when a product is made
    (dynamic quantisation: nothing has to be calibrated). A product counts in int32 and is exact from there on.
    """

    codes: Tensor
    scales: Tensor

    @staticmethod
    def of(weight: Tensor) -> Int8Weight:
        """Round a weight."""
        codes, scales = _rounded(weight.float())
        # The product wants the second matrix by columns, which is how the rows of a weight lie in memory.
        return Int8Weight(codes.T, scales.squeeze(-1))

    def product(self, x: Tensor) -> Tensor:
        """X [..., inputs] to [..., outputs] in the dtype of x."""
        codes, scales = _rounded(x.flatten(0, -2).float())
        whole = torch._int_mm(codes, self.codes)
        return (whole * scales * self.scales).to(x.dtype).view(*x.shape[:-1], -1)


@dataclass(frozen=True, slots=True)
class PackedWeight:
    """A weight in the order in which oneDNN multiplies it, which a plain product makes anew each time.

    On two cores a step of 20 beams takes .65 (bfloat16) and .58 (float32) of the time so, a prompt of 512 tokens .92 and .82.
    """

    packed: Tensor

    @staticmethod
    def of(weight: Tensor) -> PackedWeight | None:
        """Pack a weight; none where this build of torch, or the device, has no such product."""
        reorder = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)
        if reorder is None or weight.device.type != "cpu" or not torch._C._has_mkldnn:
            return None
        if weight.dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            return None
        return PackedWeight(reorder(weight.contiguous(), _ROWS))

    def product(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """X [..., inputs] to [..., outputs]."""
        mapped: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.packed, bias, "none", [], "")
        return mapped


_ROWS = 512
"""Rows of input that the order of a packed weight is chosen for; it is as good for a few as an order chosen for them."""

Weight: TypeAlias = Tensor | PackedWeight | Int8Weight


def served_in(own: torch.dtype, precision: Precision | None) -> tuple[torch.dtype, Precision]:
    """What a body of dtype `own` is served in: the dtype of its states, and the precision of its products (none: its own)."""
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}.get(str(precision), own)
    return dtype, precision or ("float32" if own == torch.float32 else "bfloat16")


def stored(weight: Tensor, precision: Precision) -> Weight:
    """A weight in the precision it is served in."""
    if precision == "int8":
        return Int8Weight.of(weight)
    plain = weight.to(torch.float32 if precision == "float32" else torch.bfloat16)
    return PackedWeight.of(plain) or plain


def linear(x: Tensor, weight: Weight, bias: Tensor | None = None) -> Tensor:
    """The linear map of a weight in any precision."""
    if isinstance(weight, Tensor):
        return functional.linear(x, weight, bias)
    if isinstance(weight, PackedWeight):
        return weight.product(x, bias)
    mapped = weight.product(x)
    return mapped if bias is None else mapped + bias


def _rounded(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Rows float32 as int8 codes, and the scale of each row, float32 [..., 1]."""
    scales = rows.abs().amax(dim=-1, keepdim=True).clamp_min(1e-12) / 127
    return (rows / scales).round_().to(torch.int8), scales
