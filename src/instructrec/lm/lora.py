"""LoRA adapters (Hu et al. 2021, arXiv 2106.09685) on every linear map, as PEFT layers with one fused matrix product.

PEFT's own forward computes x W' + s (x A') B' with the adapter in float32: on a CPU the extra passes over activations cost
more than the products. Here W + s B A is formed once a step (it is small) and x meets one matrix; gradients go to A and B only.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.lora import Linear as PeftLinear
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional


class _EffectiveLinear(torch.autograd.Function):
    """y = x (shrink W + scale B A)', with gradients for x, A and B; W is frozen."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float, shrink: float) -> Tensor:
        a_low, b_low = a.to(weight.dtype), b.to(weight.dtype)
        effective = torch.addmm(weight, b_low, a_low, beta=shrink, alpha=scale)
        ctx.save_for_backward(x, effective, a_low, b_low)
        ctx.scale = scale
        return functional.linear(x, effective)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, Tensor, Tensor, None, None]:
        (grad,) = grads
        x, effective, a, b = ctx.saved_tensors
        rows, inputs = grad.flatten(0, -2), x.flatten(0, -2)
        grad_a = ((rows @ b).T @ inputs).float() * ctx.scale
        grad_b = (rows.T @ (inputs @ a.T)).float() * ctx.scale
        return grad @ effective, None, grad_a, grad_b, None, None


class FusedLora(PeftLinear):
    """A PEFT LoRA layer whose adapter is folded into the weight before the product; the weight counts `shrink` times."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.frozen: Tensor | None = None
        self.shrink = 1.0

    def _parts(self) -> tuple[Tensor, Tensor, Tensor, float, float]:
        name = self.active_adapters[0]
        a, b = cast(Tensor, self.lora_A[name].weight), cast(Tensor, self.lora_B[name].weight)
        return cast(Tensor, self.base_layer.weight), a, b, float(self.scaling[name]), self.shrink

    def effective(self) -> Tensor:
        """The one matrix that weight and adapter make together."""
        weight, a, b, scale, shrink = self._parts()
        with torch.no_grad():
            return torch.addmm(weight, b.to(weight.dtype), a.to(weight.dtype), beta=shrink, alpha=scale)

    def freeze(self) -> None:
        """Fold the adapter into one matrix for serving; training after this needs `thaw`."""
        self.frozen = self.effective()

    def thaw(self) -> None:
        """Go back to the live adapter."""
        self.frozen = None

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Map x [..., in_features] to [..., out_features]."""
        bias = cast("Tensor | None", self.base_layer.bias)
        if self.frozen is not None:
            return functional.linear(x, self.frozen, bias)
        mapped = cast(Tensor, _EffectiveLinear.apply(x, *self._parts()))  # type: ignore[no-untyped-call]
        return mapped if bias is None else mapped + bias


def add_lora(body: nn.Module, *, rank: int, alpha: float, shrink: float = 1.0) -> Any:
    """Wrap the linear maps of a decoder body with float32 adapters of `rank`; the scale is alpha / rank.

    `shrink` scales the frozen weights, so that the adapters have the larger say (Ash and Adams 2020, arXiv 1910.08475).
    """
    config = LoraConfig(r=rank, lora_alpha=cast(int, alpha), target_modules="all-linear", bias="none")
    config._register_custom_module({nn.Linear: FusedLora})
    with warnings.catch_warnings():
        # peft asks transformers for an attribute that transformers is about to rename; nothing of ours depends on it.
        warnings.simplefilter("ignore", FutureWarning)
        wrapped: Any = get_peft_model(cast(Any, body), config)
    for module in wrapped.modules():
        if isinstance(module, FusedLora):
            module.shrink = shrink
    return wrapped


def set_frozen(body: nn.Module, frozen: bool) -> None:
    """Freeze (for serving) or thaw (for tuning) every adapter of a body."""
    for module in body.modules():
        if isinstance(module, FusedLora):
            module.freeze() if frozen else module.thaw()


def save_adapter(body: Any, path: Path) -> None:
    """Write the adapter weights in PEFT's own key layout, float32; all weights of a body that was trained whole."""
    found = get_peft_model_state_dict(body) if isinstance(body, PeftModel) else body.state_dict()
    state = {key: value.detach().contiguous() for key, value in found.items()}
    save_file(state, str(path))


def load_adapter(body: Any, path: Path) -> None:
    """Read what `save_adapter` wrote into a body of the same shape and rank."""
    state = load_file(str(path))
    if isinstance(body, PeftModel):
        set_peft_model_state_dict(body, state)
    else:
        body.load_state_dict(state)
