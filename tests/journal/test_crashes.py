"""Processes killed at every named place and at random moments: nothing acknowledged is lost or doubled. `benchmarks.durability` is
the long form.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.crashes import WRITING_FAILPOINTS, torment
from tests.journal.deeds import NOW, deed

from instructrec.journal import failpoints, user_key
from instructrec.journal.store import Store

ROOT = Path(__file__).parents[2]


def check(toll, kills):
    assert toll.kills >= kills and toll.acked > kills
    assert (toll.lost, toll.doubled, toll.problems) == (0, 0, [])
    assert toll.is_same_state


@pytest.mark.parametrize("place", WRITING_FAILPOINTS)
def test_killed_at_a_named_place(place, tmp_path):
    check(torment(f"sqlite:///{tmp_path / 'journal.db'}", kills=2, seed=1, fresh_every=0, failpoint=place), 2)


def test_killed_at_random(empty_url):
    check(torment(empty_url, kills=10, seed=2, fresh_every=0), 10)


def test_every_place_is_passed_somewhere():
    source = "".join(path.read_text(encoding="utf-8") for path in Path(failpoints.__file__).parent.glob("*.py"))
    assert all(f'reach("{name}")' in source for name in failpoints.NAMES)
    assert set(WRITING_FAILPOINTS) <= set(failpoints.NAMES)


def killed(code, place, *arguments):
    """Run code that dies at a place."""
    environment = os.environ | {"INSTRUCTREC_FAILPOINT": place}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


OPEN = "import sys; from instructrec.journal.store import Store; store = Store.open(sys.argv[1])\n"


@pytest.mark.parametrize("place", ["migration-begun", "migration-written"])
def test_killed_while_the_schema_is_made(place, empty_url):
    killed(OPEN, place, empty_url)
    with Store.open(empty_url) as store:
        assert store.append([("t", deed(1))])[0].fate == "stored" and store.integrity() == []


@pytest.mark.parametrize(("place", "left"), [("erase-written", 3), ("erase-committed", 0)])
def test_killed_while_a_person_is_erased(place, left, url):
    with Store.open(url) as store:
        store.append([("t", deed(n)) for n in range(3)])
    killed(OPEN + "store.erase_person('t', 'user:u', at=float(sys.argv[2]))", place, url, NOW)
    with Store.open(url) as store:
        assert len(store.events_of("t", user_key("u"))) == left, "wholly or not at all"
        assert store.append([("t", deed(0))])[0].fate == ("duplicate" if left else "erased")


def test_killed_while_a_copy_is_written(tmp_path):
    with Store.open(tmp_path / "journal.db") as store:
        store.append([("t", deed(1))])
    killed(OPEN + "store.backup(sys.argv[2])", "backup-copied", tmp_path / "journal.db", tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists(), "no copy rather than half of one"
    with Store.open(tmp_path / "journal.db") as store:
        assert store.backup(tmp_path / "copy.db") > 0
