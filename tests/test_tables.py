"""Which items have a value: the index behind limits says what the whole matrix says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructrec.errors import QueryError
from instructrec.tables import Catalog, Labels, Limit

ROWS = st.lists(st.lists(st.sampled_from("abcdef"), max_size=4), max_size=12)


@given(ROWS, st.lists(st.sampled_from("abcdef"), max_size=4))
def test_items_with_any_of_some_values_are_those_of_the_matrix(rows: list[list[str]], values: list[str]) -> None:
    labels = Labels.build(rows)
    known = [value for value in values if value in labels.names]
    wanted = [any(value in row for value in known) for row in rows]
    assert labels.any_of(known).tolist() == wanted
    assert labels.matrix()[:, [labels.index[value] for value in known]].any(axis=1).tolist() == wanted


@pytest.mark.parametrize(("operator", "left"), [("include", [True, False, True]), ("exclude", [False, True, False])])
def test_a_limit_keeps_or_drops_the_items_with_its_values(operator: str, left: list[bool]) -> None:
    catalog = Catalog(item_ids=("1", "2", "3"), titles=("", "", ""), labels={"genres": Labels.build([["x", "y"], ["z"], ["y"]])})
    assert catalog.matching([Limit(attribute="genres", operator=operator, values=("x", "y"))]).tolist() == left


def test_a_value_that_no_item_has_is_named() -> None:
    catalog = Catalog(item_ids=("1",), titles=("",), labels={"genres": Labels.build([["drama"]])})
    with pytest.raises(QueryError, match="No item has genres 'dramas'"):
        catalog.matching([Limit(attribute="genres", operator="include", values=("dramas",))])
