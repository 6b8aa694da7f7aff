"""What values and attributes are also called, from a table beside the items, in any language."""

from __future__ import annotations

import pytest

from instructrec import parquet
from instructrec.data import load
from instructrec.data.options import LoadOptions
from instructrec.errors import BrokenLineError, DataError
from instructrec.instructions import parse
from instructrec.tables import Catalog, Limit

NAMES = """attribute,value,name
genre,Crime,gangsters
genre,Crime,犯罪
genre,Romance,love story
genre,Romance,爱情
genre,,kind of tale
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "interactions.csv").write_text("user,item,timestamp\na,1,10\nb,2,20\na,3,30\n", encoding="utf-8")
    items = "id,title,genre\n1,One,Crime\n2,Two,Romance|Crime\n3,Three,Comedy\n"
    (tmp_path / "items.csv").write_text(items, encoding="utf-8")
    return tmp_path


def limit(operator, *values):
    return Limit(attribute="genre", operator=operator, values=values)


@pytest.mark.parametrize(
    ("text", "language", "limits"),
    [
        ("something about gangsters", "en", [limit("include", "Crime")]),
        ("no gangsters and no love stories", "en", [limit("exclude", "Crime", "Romance")]),
        ("kind of tale: comedy", "en", [limit("include", "Comedy")]),
        ("不要犯罪片", "zh", [limit("exclude", "Crime")]),
        ("爱情或者犯罪", "zh", [limit("include", "Romance", "Crime")]),
    ],
)
def test_a_table_beside_the_items_names_values_in_any_language(folder, text, language, limits):
    assert parse(text, load(folder).dataset.catalog, language=language).limits == ()
    (folder / "names.csv").write_text(NAMES, encoding="utf-8")
    loaded = load(folder)
    found = parse(text, loaded.dataset.catalog, language=language)
    assert [*found.limits] == limits
    assert found.not_understood == ()
    assert "5 further names" in "\n".join(loaded.report.lines())


def test_a_wish_says_a_value_by_the_name_that_models_know(folder):
    (folder / "names.csv").write_text(NAMES, encoding="utf-8")
    catalog = load(folder).dataset.catalog
    assert parse("最好有点爱情", catalog, language="zh").wish == "Romance"
    assert parse("ideally a love story", catalog).wish == "a Romance"


def test_names_come_from_any_file_and_stay_with_a_saved_catalog(folder, tmp_path):
    (folder / "words.tsv").write_text(NAMES.replace(",", "\t"), encoding="utf-8")
    catalog = load(folder, options=LoadOptions(names=str(folder / "words.tsv"))).dataset.catalog
    assert catalog.also_called["genre"]["Crime"] == ("gangsters", "犯罪")
    (tmp_path / "saved").mkdir()
    parquet.write_catalog(catalog, tmp_path / "saved" / "catalog.parquet")
    assert parquet.read_catalog(tmp_path / "saved" / "catalog.parquet").also_called == catalog.also_called
    assert catalog.add(Catalog(item_ids=("4",), titles=("Four",))).also_called == catalog.also_called


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("genre,Crmie,gangsters", r"names.csv, line 2: the catalog has no value of genre 'Crmie' \(Did you mean 'Crime'"),
        ("genres,Crime,gangsters", "no attribute 'genres'.*Did you mean 'genre'"),
        ("genre,Crime,", "no name in it"),
    ],
)
def test_a_name_for_nothing_is_refused_by_its_line_or_skipped(folder, row, why):
    (folder / "names.csv").write_text(f"attribute,value,name\n{row}\ngenre,Comedy,funny\n", encoding="utf-8")
    with pytest.raises(BrokenLineError, match=why):
        load(folder)
    loaded = load(folder, options=LoadOptions(on_broken="skip"))
    assert loaded.dataset.catalog.also_called == {"genre": {"Comedy": ("funny",)}}
    assert "names.csv: 1 broken lines skipped (lines 2)" in "\n".join(loaded.report.lines())


def test_a_table_of_names_with_other_columns_or_none_says_what_is_wanted(folder):
    (folder / "names.csv").write_text("value,name\nCrime,gangsters\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column attribute.*Columns found: value, name"):
        load(folder)
    with pytest.raises(DataError, match="no table of names '.*nowhere.csv'"):
        load(folder, options=LoadOptions(names=str(folder / "nowhere.csv")))
