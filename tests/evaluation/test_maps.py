"""A map keeps what is far apart apart, says what colours mean, and escapes whatever items are called."""

from html.parser import HTMLParser

import numpy as np
import pytest

from instructrec.evaluation.maps import MOST_ITEMS, OTHERS, item_map
from instructrec.tables import Catalog, Labels

WORDS = {"title": "Items", "others": "others"}


class Dots(HTMLParser):
    """Where the dots of a map are, by the names they bear."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, tuple[float, float]] = {}
        self.tags: set[str] = set()
        self._name = ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        found = dict(attrs)
        if tag == "circle":
            self.places[self._name] = (float(found["cx"]), float(found["cy"]))
        if tag == "rect":
            self.places[self._name] = (float(found["x"]) + 3.8, float(found["y"]) + 3.8)

    def handle_data(self, data):
        self._name = data


def read(picture):
    dots = Dots()
    dots.feed(picture)
    return dots


def world(values, titles=None):
    size = len(values)
    titles = titles or tuple(f"t{item}" for item in range(size))
    return Catalog(item_ids=tuple(f"i{item}" for item in range(size)), titles=titles, labels={"kind": Labels.build(values)})


def test_what_is_near_in_many_dimensions_is_near_on_the_map():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(2, 30)) * 5
    vectors = np.concatenate([centre + rng.normal(size=(20, 30)) * 0.1 for centre in centres]).astype(np.float32)
    found = item_map(vectors, world([["a"]] * 20 + [["b"]] * 20), **WORDS)
    places = np.array(list(read(found.picture).places.values()))
    first, second = places[:20], places[20:]
    assert np.linalg.norm(first.mean(axis=0) - second.mean(axis=0)) > 10 * max(first[:, 0].std(), second[:, 0].std())
    assert found.shown > 0.9 and found.attribute == "kind"
    assert [name for _, name in found.legend] == ["a", "b"]
    assert item_map(vectors, world([["a"]] * 20 + [["b"]] * 20), **WORDS) == found


def test_only_the_commonest_values_have_a_colour_and_the_rest_is_said_to_be_others():
    values = [[f"v{item % (OTHERS + 2)}"] for item in range(80)]
    found = item_map(np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32), world(values), **WORDS)
    assert len(found.legend) == OTHERS + 1 and found.legend[-1][1] == "others"


def test_large_catalogs_are_drawn_in_part():
    size = 3 * MOST_ITEMS
    found = item_map(np.random.default_rng(0).normal(size=(size, 3)).astype(np.float32), world([["a"]] * size), **WORDS)
    assert len(read(found.picture).places) == MOST_ITEMS


def test_no_name_of_an_item_is_markup():
    titles = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</title></svg>", "&amp;")
    found = item_map(np.eye(4, dtype=np.float32), world([["<b>"], ['"'], ["'"], []], titles), **WORDS)
    assert read(found.picture).tags <= {"svg", "g", "title", "circle", "rect"}


@pytest.mark.parametrize("vectors", [np.zeros((2, 3)), np.full((4, 3), np.nan)])
def test_what_cannot_be_drawn_is_left_out(vectors):
    assert item_map(vectors.astype(np.float32), world([["a"]] * len(vectors)), **WORDS) is None


def test_equal_vectors_and_vectors_of_one_number_are_drawn():
    assert item_map(np.ones((4, 3), dtype=np.float32), world([["a"]] * 4), **WORDS).shown == 0.0
    assert item_map(np.arange(4, dtype=np.float32)[:, None], world([[]] * 4), **WORDS).picture
