"""Atomic item codes: one-to-one, and refused when they are not items."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructrec.errors import ModelError
from instructrec.generation.codes import ItemTokens, atomic


@given(st.integers(0, 10_000), st.integers(1, 300))
def test_encode_and_decode_are_inverse(vocabulary: int, num_items: int) -> None:
    codes = ItemTokens(vocabulary=vocabulary, codes=atomic(num_items))
    tokens = [codes.encode(item) for item in range(num_items)]
    assert len(set(tokens)) == num_items
    assert [codes.decode(token) for token in tokens] == list(range(num_items))
    assert (codes.answer,) not in tokens


def test_tokens_that_are_no_item_are_refused() -> None:
    codes = ItemTokens(vocabulary=10, codes=atomic(2))
    for tokens in ((9,), (12,), (10, 11), ()):
        with pytest.raises(ModelError, match="not an item"):
            codes.decode(tokens)
    with pytest.raises(ModelError, match="outside"):
        codes.encode(2)
