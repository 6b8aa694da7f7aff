"""AdamW by rows: it is AdamW where every row is met, and touches nothing else where not."""

import torch
from torch import nn

from instructrec.tuning.row_adam import RowAdamW


def sparse(rows: list[int], values: torch.Tensor, size: int) -> torch.Tensor:
    return torch.sparse_coo_tensor(torch.tensor([rows]), values, (size, values.shape[1]), check_invariants=True)


def test_where_every_row_is_met_it_is_adamw() -> None:
    torch.manual_seed(0)
    first = torch.randn(6, 3)
    ours, theirs = nn.Parameter(first.clone()), nn.Parameter(first.clone())
    mine, torchs = RowAdamW([ours], lr=0.05, weight_decay=0.1), torch.optim.AdamW([theirs], lr=0.05, weight_decay=0.1)
    for step in range(20):
        gradient = torch.randn(6, 3)
        ours.grad, theirs.grad = sparse(list(range(6)), gradient, 6), gradient
        mine.param_groups[0]["lr"] = torchs.param_groups[0]["lr"] = 0.05 / (step + 1)
        mine.step()
        torchs.step()
    torch.testing.assert_close(ours, theirs)


def test_rows_without_a_gradient_keep_their_bits_and_their_moments() -> None:
    torch.manual_seed(0)
    table = nn.Parameter(torch.randn(5, 2))
    before, optimizer = table.detach().clone(), RowAdamW([table], lr=0.1, weight_decay=0.5)
    # A row that is met twice in a step has one gradient: the sum.
    table.grad = sparse([1, 3, 1], torch.ones(3, 2), 5)
    optimizer.step()
    assert torch.equal(table[[0, 2, 4]], before[[0, 2, 4]])
    assert not torch.equal(table[[1, 3]], before[[1, 3]])
    moments = optimizer.state[table]
    torch.testing.assert_close(moments["exp_avg"], torch.tensor([[0.0] * 2, [0.2] * 2, [0.0] * 2, [0.1] * 2, [0.0] * 2]))
    table.grad = None
    again = table.detach().clone()
    optimizer.step()
    assert torch.equal(table, again)
