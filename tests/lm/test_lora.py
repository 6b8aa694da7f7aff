"""The fused LoRA layer computes what PEFT's own layer computes, forwards and backwards."""

from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from instructrec.lm.lora import FusedLora, add_lora, load_adapter, save_adapter, set_frozen


class Body(nn.Module):
    """Two linear maps with a bend between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(12, 20)
        self.second = nn.Linear(20, 6, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.tanh(self.first(x)))


def bodies() -> tuple[nn.Module, nn.Module]:
    """The same weights under our layers and under PEFT's, with adapters that are not zero."""
    torch.manual_seed(0)
    plain = Body().requires_grad_(False)
    ours = add_lora(Body(), rank=4, alpha=8.0)
    theirs = get_peft_model(Body(), LoraConfig(r=4, lora_alpha=8, target_modules=["first", "second"]))  # type: ignore[arg-type]
    for wrapped in (ours, theirs):
        for name in ("first", "second"):
            layer = getattr(wrapped.base_model.model, name)
            layer.base_layer.load_state_dict(getattr(plain, name).state_dict())
            generator = torch.Generator().manual_seed(len(name))
            for factor in (layer.lora_A["default"].weight, layer.lora_B["default"].weight):
                factor.data.copy_(torch.randn(factor.shape, generator=generator))
    return ours, theirs


def test_forward_and_gradients_equal_those_of_peft() -> None:
    ours, theirs = bodies()
    x = torch.randn(5, 3, 12, requires_grad=True)
    outputs = []
    for body in (ours, theirs):
        x.grad = None
        out = body(x)
        out.square().sum().backward()
        grads = {name: value.grad.clone() for name, value in body.named_parameters() if value.grad is not None}
        outputs.append((out.detach(), x.grad.clone(), grads))
    torch.testing.assert_close(outputs[0][0], outputs[1][0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(outputs[0][1], outputs[1][1], rtol=1e-4, atol=1e-3)
    assert outputs[0][2].keys() == outputs[1][2].keys()
    for name, grad in outputs[0][2].items():
        torch.testing.assert_close(grad, outputs[1][2][name], rtol=1e-3, atol=1e-2)


def test_only_adapters_are_trainable() -> None:
    ours, _ = bodies()
    assert all("lora_" in name for name, value in ours.named_parameters() if value.requires_grad)


def test_frozen_weights_serve_the_same_and_thaw_back() -> None:
    ours, _ = bodies()
    x = torch.randn(2, 12)
    live = ours(x)
    set_frozen(ours, True)
    assert all(module.frozen is not None for module in ours.modules() if isinstance(module, FusedLora))
    torch.testing.assert_close(ours(x), live)
    set_frozen(ours, False)
    assert ours(x).requires_grad


def test_a_saved_adapter_is_read_by_a_new_body_and_by_peft_itself(tmp_path: Path) -> None:
    ours, theirs = bodies()
    save_adapter(ours, tmp_path / "adapter.safetensors")
    x = torch.randn(2, 12)
    for layer in (theirs.base_model.model.first, theirs.base_model.model.second):
        layer.lora_B["default"].weight.data.zero_()
    load_adapter(theirs, tmp_path / "adapter.safetensors")
    torch.testing.assert_close(theirs(x), ours(x), rtol=1e-4, atol=1e-4)


def test_a_shrunk_base_weight_counts_less_and_the_adapter_as_before() -> None:
    x = torch.randn(3, 12)
    torch.manual_seed(0)
    body = Body()
    first = body.first.weight.detach().clone()
    wrapped = add_lora(body, rank=4, alpha=8.0, shrink=0.3)
    layer = wrapped.base_model.model.first
    b, a = layer.lora_B["default"].weight, layer.lora_A["default"].weight
    b.data.normal_()
    expected = x @ (0.3 * first + 2.0 * b @ a).T + body.first.bias
    torch.testing.assert_close(layer(x), expected)
    layer.freeze()
    torch.testing.assert_close(layer(x), expected)
