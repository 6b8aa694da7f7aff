"""Items by their pictures: the contract with painted squares and a tiny vision encoder, and catalogs that carry pictures."""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tests.contracts import WORLD, RecommenderContract, leave_last_out

from instructrec.core import Query
from instructrec.data import load
from instructrec.errors import ModelError
from instructrec.models.images import Images, ImagesConfig
from instructrec.parquet import read_catalog, write_catalog
from instructrec.tables import Catalog, Dataset

RED, BLUE = (220, 30, 30), (30, 30, 220)
COLOURS = (RED, BLUE, (30, 220, 30), (220, 220, 30), (220, 30, 220), (30, 220, 220), (240, 240, 240), (10, 10, 10))


@cache
def encoder() -> str:
    """A folder with a tiny vision transformer whose weights are random."""
    import torch
    from transformers import ViTConfig, ViTModel
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    folder = tempfile.mkdtemp(prefix="vit-")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        ViTModel(ViTConfig(**shape, image_size=16, patch_size=8, initializer_range=0.5)).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder


@cache
def square(colour: tuple[int, int, int], shade: int = 0) -> str:
    """A picture of one colour, a little darker by `shade`."""
    from PIL import Image

    path = Path(tempfile.mkdtemp(prefix="square-")) / "square.png"
    Image.new("RGB", (20, 24), tuple(max(0, part - shade) for part in colour)).save(path)
    return str(path)


class Painted(Images):
    """Every item has a picture in the colour of its first label, and no file has to come with the world."""

    def __init__(self, config: ImagesConfig | None = None) -> None:
        super().__init__(config or ImagesConfig(encoder=encoder()))

    def _paths(self, catalog: Catalog) -> Sequence[str]:
        labels = next(iter(catalog.labels.values()))
        return [square(COLOURS[labels.index[labels.of(item)[0]]], item % 3) for item in range(len(catalog))]


class TestImages(RecommenderContract):
    model = Painted
    batch_tolerance = 1e-5


def pictured(*paths: str) -> Dataset:
    """The world with these pictures of its first items."""
    images = (*paths, *[""] * (len(WORLD.catalog) - len(paths)))
    return replace(leave_last_out(WORLD)[0], catalog=replace(WORLD.catalog, images=images))


def test_items_of_equal_colour_come_close_and_those_without_a_picture_score_nothing():
    paths = [square(colour, shade) for shade in (0, 4) for colour in (RED, BLUE)]
    model = Images(ImagesConfig(encoder=encoder())).fit(pictured(*paths))
    red, blue, other_red, other_blue = model.item_vectors()[:4]
    assert red @ other_red > 0.9 > 0 > red @ blue
    assert blue @ other_blue > 0.9
    [scores] = model.score([Query(history=WORLD.catalog.item_ids[:1])])
    assert scores[2] > 0.9 > scores[4] == 0 > scores[3]
    [answer] = model.recommend([Query(history=WORLD.catalog.item_ids[:1], n=1)])
    assert answer.items[0].item == WORLD.catalog.item_ids[2]
    # Somebody whose items have no pictures is somebody of whom nothing is known.
    assert not model.is_personal(Query(history=WORLD.catalog.item_ids[5:7]))


def test_an_item_that_comes_later_is_looked_at_then(tmp_path: Path):
    data = pictured(square(RED), square(BLUE))
    Images(ImagesConfig(encoder=encoder())).fit(data).save(tmp_path)
    new = Catalog(item_ids=("new-red", "new-none"), titles=("", ""), images=(square(RED, 6), ""))
    model = Images.load(tmp_path, data.catalog.add(new))
    [scores] = model.score([Query(history=WORLD.catalog.item_ids[:1])])
    assert scores[-2] > 0.9
    assert scores[-1] == 0
    unseen = Images.load(tmp_path, data.catalog.add(replace(new, images=())))
    assert not unseen.score([Query(history=WORLD.catalog.item_ids[:1])])[0, -2:].any()


def test_it_says_what_it_needs():
    assert "column `image`" in Images(ImagesConfig(encoder=encoder())).unfit_for(WORLD)
    assert "column `image`" in Images(ImagesConfig(encoder=encoder())).unfit_for(
        pictured("https://example.org/a.png", "no-file.png")
    )
    assert "encoder" in Images().unfit_for(pictured(square(RED)))
    assert Images(ImagesConfig(encoder=encoder())).unfit_for(pictured(square(RED))) == ""
    assert Images(ImagesConfig(encoder=encoder())).bytes_needed(WORLD) > Path(encoder(), "model.safetensors").stat().st_size
    with pytest.raises(ModelError, match="column `image`"):
        Images(ImagesConfig(encoder=encoder())).fit(WORLD)


def test_pictures_that_cannot_be_read_are_none(tmp_path: Path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(Path(square(RED)).read_bytes()[:40])
    with pytest.raises(ModelError, match="content of no item"):
        Images(ImagesConfig(encoder=encoder())).fit(pictured(str(broken)))
    model = Images(ImagesConfig(encoder=encoder())).fit(pictured(square(RED), str(broken), square(BLUE)))
    assert model.item_vectors().any(axis=1)[:4].tolist() == [True, False, True, False]


def test_without_pillow_or_an_encoder_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with pytest.raises(ModelError, match=r"config\.json"):
        Images(ImagesConfig(encoder=str(tmp_path))).fit(pictured(square(RED)))
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ModelError, match=r"instructrec\[images\]"):
        Images(ImagesConfig(encoder=encoder())).fit(pictured(square(RED)))


def test_a_table_of_items_names_pictures_from_its_own_folder(tmp_path: Path):
    (tmp_path / "interactions.csv").write_text("user,item,timestamp\n" + "".join(f"u{k % 3},i{k % 4},{k}\n" for k in range(12)))
    away = square(BLUE)
    rows = ["i0,Red,pictures/red.png", f"i1,Blue,{away}", "i2,Web,https://example.org/a.png", "i3,None,"]
    (tmp_path / "items.csv").write_text("item_id,title,image\n" + "\n".join(rows) + "\n")
    catalog = load(tmp_path).dataset.catalog
    assert catalog.images == (str(tmp_path.resolve() / "pictures" / "red.png"), away, "https://example.org/a.png", "")
    assert "image" not in catalog.labels
    write_catalog(catalog, tmp_path / "catalog.parquet")
    assert read_catalog(tmp_path / "catalog.parquet").images == catalog.images


def test_catalogs_without_pictures_stay_without(tmp_path: Path):
    write_catalog(WORLD.catalog, tmp_path / "catalog.parquet")
    assert read_catalog(tmp_path / "catalog.parquet").images == ()
    new = Catalog(item_ids=("new",), titles=("",))
    assert WORLD.catalog.add(new).images == ()
    images = WORLD.catalog.add(replace(new, images=("a.png",))).images
    assert images == (*[""] * len(WORLD.catalog), "a.png")
    assert np.unique(images).tolist() == ["", "a.png"]
