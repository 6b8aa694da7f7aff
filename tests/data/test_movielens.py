"""MovieLens in its forms: as GroupLens publishes it (small copies made here), as RecBole's files, and the real sets."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from instructrec.data import load
from instructrec.data.options import LoadOptions
from instructrec.data.sources import read
from instructrec.errors import BrokenLineError, DataError

GENRES_AFTER_UNKNOWN = 18


@pytest.fixture(scope="module")
def ml_100k():
    return load("ml-100k")


def real(name):
    root = os.environ.get("INSTRUCTREC_DATA")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"{name} is not in $INSTRUCTREC_DATA: set the variable to a folder that holds it")
    return Path(root) / name


def put(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        name = name.replace("__", ".")
        data = content.encode("latin-1")
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder


def test_ml_100k_has_its_published_counts(ml_100k):
    log, catalog = ml_100k.dataset.interactions, ml_100k.dataset.catalog
    assert (len(log.user_ids), len(catalog), len(log)) == (943, 1_682, 100_000)
    assert np.bincount(log.ratings.astype(int)).tolist() == [0, 6_110, 11_370, 27_145, 34_174, 21_201]
    assert (log.timestamps.min(), log.timestamps.max()) == (874_724_710, 893_286_638)
    assert log.user_ids[:3] == ("1", "2", "3") and catalog.item_ids[-1] == "1682"
    assert min(len(history) for history in log.histories()) == 20


def test_ml_100k_quirks_are_mended(ml_100k):
    catalog = ml_100k.dataset.catalog
    title = dict(zip(catalog.item_ids, catalog.titles, strict=True))
    year = dict(zip(catalog.item_ids, catalog.numbers["year"], strict=True))
    genres = catalog.labels["genres"]
    assert (title["1"], year["1"]) == ("Toy Story", 1995)
    assert genres.of(catalog.index["1"]) == ("Animation", "Children's", "Comedy")
    assert title["267"] == "unknown" and np.isnan(year["267"])
    assert genres.of(catalog.index["267"]) == ()
    assert (title["1412"], year["1412"]) == ("Land Before Time III: The Time of the Great Giving", 1995)
    assert "The Butcher Boy" in catalog.titles and not any(name.endswith(", The") for name in catalog.titles)
    assert len(genres.names) == 18 and "unknown" not in genres.names and {"Children's", "Sci-Fi", "Film-Noir"} <= set(genres.names)
    assert np.isnan(catalog.numbers["year"]).sum() == 1
    assert (np.nanmin(catalog.numbers["year"]), np.nanmax(catalog.numbers["year"])) == (1922, 1998)


def test_ml_100k_loses_nothing_and_says_so(ml_100k):
    steps = {step.name: step for step in ml_100k.report.steps}
    assert all(step.removed == 0 for step in steps.values())
    assert steps["order"].facts["count"] == "75,772"
    assert ml_100k.report.lines()[0] == "read ml-100k: 100,000 interactions"
    assert ml_100k.report.lines()[-1] == "left: 943 users, 1,682 items, 100,000 interactions (density 6.30%)"


def test_ml_100k_ties_keep_the_order_of_the_file(ml_100k):
    raw = read("ml-100k").log
    order = sorted(range(len(raw)), key=lambda row: (raw.users[row], raw.times[row], row))
    assert np.array_equal(raw.items[order], ml_100k.dataset.interactions.items)


def test_ml_100k_can_be_cleaned_to_likes():
    from instructrec.data.cleaning import CleaningConfig

    loaded = load("ml-100k", cleaning=CleaningConfig(rule="rating>=4", catalog="used"))
    assert loaded.report.num_interactions == 55_375
    assert (loaded.report.num_users, loaded.report.num_items) == (942, 1_447)


def test_the_published_form_of_ml_100k(tmp_path):
    flags = {1: "0|0|0|1|1|1", 267: "1|0|0|0|0|0", 3: "0|1|0|0|0|0"}
    titles = {1: "Toy Story (1995)", 267: "unknown", 3: "Double vie de Véronique, La (Double Life of Veronique, The) (1991)"}
    items = "".join(f"{item}|{titles[item]}|01-Jan-1995||http://x|{flags[item]}{'|0' * 13}\n" for item in (1, 267, 3))
    data = "1\t1\t5\t881250949\n2\t3\t3\t881250950\n1\t267\t4\t881250940\n"
    dataset = load(put(tmp_path, u__data=data, u__item=items)).dataset
    assert dataset.catalog.item_ids == ("1", "3", "267")
    assert dataset.catalog.titles == ("Toy Story", "La Double vie de Véronique (The Double Life of Veronique)", "unknown")
    assert dataset.catalog.label_rows("genres") == [("Animation", "Children's", "Comedy"), ("Action",), ()]
    assert dataset.interactions.history(0).tolist() == [2, 0]


def test_the_published_form_of_ml_1m_is_latin_1(tmp_path):
    movies = "1::Toy Story (1995)::Animation|Comedy\n2::Fantômas (1913)::Crime\n"
    ratings = "1::2::5::978300760\n2::1::4::978300761\n"
    loaded = load(put(tmp_path, movies__dat=movies, ratings__dat=ratings))
    assert loaded.dataset.catalog.titles == ("Toy Story", "Fantômas")
    assert loaded.dataset.catalog.numbers["year"].tolist() == [1995, 1913]
    assert "movies.dat: read as latin-1" in loaded.report.lines()


def test_latest_may_be_gzipped_and_films_without_genre_have_none(tmp_path):
    movies = 'movieId,title,genres\n1,"American President, The (1995)",Comedy|Drama\n2,Hyena Road,(no genres listed)\n'
    ratings = "userId,movieId,rating,timestamp\n1,1,2.5,1260759144\n2,2,3.0,1260759179\n"
    loaded = load(put(tmp_path, movies__csv=movies, ratings__csv__gz=ratings))
    assert loaded.dataset.catalog.titles == ("The American President", "Hyena Road")
    assert loaded.dataset.catalog.label_rows("genres") == [("Comedy", "Drama"), ()]
    assert loaded.dataset.interactions.ratings.tolist() == [2.5, 3.0]


def test_the_tags_of_a_film_are_its_text(tmp_path):
    movies = "movieId,title,genres\n1,A (1995),Comedy\n2,B (1996),Drama\n"
    ratings = "userId,movieId,rating,timestamp\n1,1,2.5,1260759144\n2,2,3.0,1260759179\n"
    tags = "userId,movieId,tag,timestamp\n1,1,slow,1\n1,1,Twist Ending,2\n2,1,twist ending,3\n2,9,gone,4\n"
    files = {"movies__csv": movies, "ratings__csv": ratings}
    assert load(put(tmp_path, **files, tags__csv=tags)).dataset.catalog.texts == ("twist ending, slow", "")
    with pytest.raises(DataError, match="tags.csv has no column 'movieId'"):
        load(put(tmp_path, **files, tags__csv="a,b\n1,2\n"))


def test_a_broken_rating_line_is_refused_or_skipped(tmp_path):
    folder = put(
        tmp_path,
        movies__dat="1::A (1995)::Comedy\n",
        ratings__dat="1::1::5::978300760\n2::1::4\n2::1::3::978300761\n3::1::x::978300761\n",
    )
    with pytest.raises(BrokenLineError, match="ratings.dat, line 2"):
        load(folder)
    loaded = load(folder, options=LoadOptions(on_broken="skip"))
    assert loaded.report.num_interactions == 2
    assert sum("broken lines skipped" in line for line in loaded.report.lines()) == 2


def test_a_film_table_with_other_columns_is_explained(tmp_path):
    folder = put(tmp_path, movies__csv="id,title\n1,A\n", ratings__csv="userId,movieId,rating,timestamp\n1,1,2,1260759144\n")
    with pytest.raises(DataError, match="movies.csv has no column 'movieId'. Columns found: id, title"):
        load(folder)


def test_the_real_ml_1m():
    loaded = load(real("ml-1m"))
    assert (loaded.report.num_users, loaded.report.num_items, loaded.report.num_interactions) == (6_040, 3_883, 1_000_209)
    log, catalog = loaded.dataset.interactions, loaded.dataset.catalog
    first = [catalog.item_ids[code] for code in log.history(0)[:3]]
    assert first == ["3186", "1721", "1022"]
    assert catalog.titles[catalog.index["1721"]] == "Titanic"
    assert any("'pos' is the order of time" in line for line in loaded.report.lines())


def test_the_real_latest_small():
    loaded = load(real("ml-latest-small-2016"))
    assert (loaded.report.num_users, loaded.report.num_items, loaded.report.num_interactions) == (671, 9_125, 100_004)
    assert load("ml-latest-small").dataset.name == "ml-latest-small"


def test_the_real_movietweetings_keeps_leading_zeros():
    loaded = load(real("movietweetings-100k"))
    assert (loaded.report.num_users, loaded.report.num_items, loaded.report.num_interactions) == (16_554, 10_506, 100_000)
    assert loaded.dataset.catalog.item_ids[0].startswith("0")
