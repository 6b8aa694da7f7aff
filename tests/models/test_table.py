"""The table of models: names, lazy import, and what a wrong name is told."""

import subprocess
import sys

import pytest

from instructrec.errors import ModelError
from instructrec.models import MODELS, resolve
from instructrec.recommender import Recommender

MEMORIES = ("popular", "item_knn", "user_knn", "ease", "recency_ease", "ridge", "als", "bpr", "svd")


def test_every_name_of_the_first_release_is_in_the_table():
    assert set(MODELS) >= {*MEMORIES, "lm", "fusion"}


@pytest.mark.parametrize("name", MEMORIES)
def test_a_name_resolves_to_the_class_that_carries_it(name: str):
    found = resolve(name)
    assert issubclass(found, Recommender)
    assert found.name == name
    assert found().name == name


def test_an_unknown_name_lists_the_known_ones_and_the_nearest():
    with pytest.raises(ModelError) as caught:
        resolve("rigde")
    assert "Did you mean 'ridge'?" in str(caught.value)
    assert all(name in str(caught.value) for name in MODELS)


def test_the_table_and_the_memories_need_no_torch_and_the_table_no_scipy():
    program = (
        "import sys; from instructrec.models import resolve; assert 'scipy' not in sys.modules, 'scipy'; "
        f"[resolve(name) for name in {MEMORIES!r}]; assert 'torch' not in sys.modules, 'torch'"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
