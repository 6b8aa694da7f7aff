"""Texts written side by side have the states of each text read whole, also after some of them have ended."""

import pytest
import torch
from tests.lm.test_shared_prefix import CONFIGS, body_of, whole

from instructrec.lm.following import Following


@pytest.mark.parametrize("name", CONFIGS)
def test_texts_side_by_side_have_the_states_of_whole_texts(name: str) -> None:
    body = body_of(name)
    reader = Following(body)
    torch.manual_seed(1)
    prompts, lengths = torch.randn(3, 7, 32), torch.tensor([7, 2, 5])
    read = [prompts[row, : lengths[row]] for row in range(3)]
    states = reader.begin(prompts, lengths, 5)
    for step in range(5):
        for row, state in enumerate(states):
            torch.testing.assert_close(state, whole(body, read[row]), atol=1e-5, rtol=0)
        if step == 2:
            reader.keep(torch.tensor([0, 2]))
            read = [read[0], read[2]]
        added = torch.randn(len(read), 32)
        states = reader.append(added)
        read = [torch.cat([before, new[None]]) for before, new in zip(read, added, strict=True)]


def test_a_second_beginning_forgets_the_first() -> None:
    reader = Following(body_of("llama"))
    prompts, lengths = torch.randn(2, 4, 32), torch.tensor([4, 3])
    first = reader.begin(prompts, lengths, 2)
    reader.append(torch.randn(2, 32))
    torch.testing.assert_close(reader.begin(prompts, lengths, 2), first)
