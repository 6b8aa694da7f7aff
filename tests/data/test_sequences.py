"""Sequences between blanks, pairs between blanks, and the sets that come so."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from instructrec.data import CleaningConfig, LoadOptions, load
from instructrec.errors import BrokenLineError


def real(name):
    root = os.environ.get("INSTRUCTREC_DATA")
    if not root or not any(Path(root).glob(f"{name}*")):
        pytest.skip(f"{name} is not in $INSTRUCTREC_DATA: set the variable to a folder that holds it")


def histories(dataset):
    ids = dataset.catalog.item_ids
    return {
        user: [ids[code] for code in dataset.interactions.history(place)]
        for place, user in enumerate(dataset.interactions.user_ids)
    }


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_line_is_a_user_and_items(tmp_path, packed):
    text = b"u1 9 a-2 3\nu2 3 9\nu10 a-2\n"
    path = tmp_path / ("Toys.txt.gz" if packed else "Toys.txt")
    path.write_bytes(gzip.compress(text) if packed else text)
    loaded = load(path)
    assert histories(loaded.dataset) == {"u1": ["9", "a-2", "3"], "u2": ["3", "9"], "u10": ["a-2"]}
    assert loaded.dataset.name == "Toys"


def test_a_line_is_a_pair(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("1 5\n1 3\n2 5\r\n1 4\n2 3\n")
    assert histories(load(path).dataset) == {"1": ["5", "3", "4"], "2": ["5", "3"]}


def test_broken_lines_are_counted(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("1 5\n1 3\n2 5 7 8\nalone\n2 3\n2 1\n")
    with pytest.raises(BrokenLineError, match="line 3"):
        load(path)
    loaded = load(path, options=LoadOptions(on_broken="skip"))
    assert histories(loaded.dataset) == {"1": ["5", "3"], "2": ["3", "1"]}
    assert any("2 broken lines skipped (lines 3, 4)" in line for line in loaded.report.lines())
    path.write_text("a 1 2 3\nb 4 5 6\na 7 8 9\n")
    with pytest.raises(BrokenLineError, match="no other line"):
        load(path)


def test_other_text_files_are_read_as_before(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("user id,item\na b,1\nc,2\na b,2\n")
    options = LoadOptions(interaction_columns={"user": "user id"})
    assert histories(load(path, options=options).dataset) == {"a b": ["1", "2"], "c": ["2"]}


def test_ml_1m_as_sasrec_has_it():
    real("ml-1m")
    loaded = load("ml-1m_sas", cleaning=CleaningConfig(exact_duplicates=False, repeated="keep"))
    dataset = loaded.dataset
    counts = (len(dataset.interactions.user_ids), len(dataset.catalog), len(dataset.interactions))
    assert counts == (6040, 3416, 999611)
    assert [dataset.catalog.item_ids[code] for code in dataset.interactions.history(0)[:4]] == ["1", "2", "3", "4"]
    # sas_to_original_items.txt: 1 is film 1198, "Raiders of the Lost Ark (1981)".
    assert dataset.catalog.titles[dataset.catalog.index["1"]] == "Raiders of the Lost Ark"
    assert np.isfinite(dataset.catalog.numbers["year"]).all()


def test_movietweetings():
    real("movietweetings")
    dataset = load("movietweetings").dataset
    counts = (len(dataset.interactions.user_ids), len(np.unique(dataset.interactions.items)), len(dataset.interactions))
    assert counts == (16554, 10506, 100000)
    assert (dataset.interactions.timestamps.min(), dataset.interactions.timestamps.max()) == (1362062307, 1378067265)
    assert sum(not row for row in dataset.catalog.label_rows("genres")) == 66
    assert all(len(item) >= 7 for item in dataset.catalog.item_ids)  # leading zeros stay
