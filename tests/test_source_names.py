"""Whatever proposed a list, the page can say so in plain words of both languages."""

import tomllib
from importlib import resources

import pytest

from instructrec.models import MODELS


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_model_has_a_name_on_the_page_and_no_other(language):
    path = resources.files("instructrec.service.page") / "wording" / f"{language}.toml"
    names = tomllib.loads(path.read_text(encoding="utf-8"))["facts"]["sources"]
    assert set(names) == {*MODELS, "trending", "interleaved"}
    assert all(names.values())
