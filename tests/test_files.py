"""Files appear whole or not at all, and a full disk loses nothing."""

from __future__ import annotations

import errno
import hashlib
import os

import pytest

from instructrec.errors import RunError
from instructrec.files import alone, atomic_file, atomic_folder, is_disk_full, make_folder, need_place, sha256_of, write_atomic


def test_sha256_of_is_the_hash_of_the_content(tmp_path):
    content = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_write_atomic_writes_text_as_utf8_and_replaces(tmp_path):
    path = tmp_path / "new" / "a.txt"
    write_atomic(path, "Fantômas")
    write_atomic(path, "科幻")
    assert path.read_text(encoding="utf-8") == "科幻"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_a_full_disk_keeps_the_old_file_and_says_so(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_atomic(path, "old")

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="disk is full.*untouched.*Free some space"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_atomic_folder_appears_only_when_the_block_ended_well(tmp_path):
    target = tmp_path / "deep" / "run"
    with atomic_folder(target) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "a").write_text("1")
        assert not target.exists()
    assert (target / "sub" / "a").read_text() == "1"
    assert [p.name for p in target.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_atomic_folder_leaves_nothing_after_a_failure(tmp_path, error):
    with pytest.raises(type(error)), atomic_folder(tmp_path / "run") as folder:
        (folder / "a").write_text("1")
        raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "quota"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_in_a_folder_is_a_run_error_whoever_noticed_it(tmp_path, error):
    with atomic_folder(tmp_path / "run") as folder:
        (folder / "a").write_text("old")
    with pytest.raises(RunError, match="disk is full"), atomic_folder(tmp_path / "run", replace=True) as folder:
        (folder / "a").write_text("new")
        raise error
    assert (tmp_path / "run" / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_atomic_folder_refuses_what_is_taken_and_replaces_when_asked(tmp_path):
    target = tmp_path / "run"
    with atomic_folder(target) as folder:
        (folder / "old").write_text("1")
    with pytest.raises(RunError, match="not empty"), atomic_folder(target):
        pass
    with atomic_folder(target, replace=True) as folder:
        (folder / "new").write_text("2")
    assert [p.name for p in target.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_atomic_folder_takes_an_empty_folder_and_refuses_a_file(tmp_path):
    (tmp_path / "empty").mkdir()
    with atomic_folder(tmp_path / "empty") as folder:
        (folder / "a").write_text("1")
    assert (tmp_path / "empty" / "a").exists()
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="is a file"), atomic_folder(tmp_path / "file", replace=True):
        pass


def test_a_failed_rename_brings_the_old_folder_back(tmp_path, monkeypatch):
    from pathlib import Path

    target = tmp_path / "run"
    with atomic_folder(target) as folder:
        (folder / "a").write_text("old")
    rename = Path.rename

    def fail_for_the_new(self, to):
        if to == target and (self / "a").read_text() == "new":
            raise OSError(errno.EIO, "broken disk")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", fail_for_the_new)
    with pytest.raises(OSError, match="broken disk"), atomic_folder(target, replace=True) as folder:
        (folder / "a").write_text("new")
    assert (target / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_is_disk_full_knows_other_errors_apart():
    assert not is_disk_full(OSError(errno.EACCES, "Permission denied"))
    assert not is_disk_full(ValueError("nothing"))


@pytest.mark.parametrize("below", ["a.txt", "deep/er/a.txt"])
def test_a_file_in_place_of_a_folder_is_said_whatever_is_written(tmp_path, below):
    (tmp_path / "file").write_text("dear")
    path = tmp_path / "file" / below
    with pytest.raises(RunError, match="cannot be written.*Choose a folder"):
        write_atomic(path, "x")
    with pytest.raises(RunError, match="cannot be written.*Choose a folder"), atomic_folder(path):
        pass
    with pytest.raises(RunError, match="cannot be written.*Choose a folder"):
        make_folder(path)
    with pytest.raises(RunError, match="is a file and no folder. Choose another place"):
        need_place(path)
    assert [place.name for place in tmp_path.iterdir()] == ["file"]


def test_a_folder_in_place_of_a_file_is_said(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError, match="cannot be written"):
        write_atomic(tmp_path / "folder", "x")
    with pytest.raises(RunError, match="is a folder, but a file is to be written"):
        need_place(tmp_path / "folder")
    assert [place.name for place in tmp_path.iterdir()] == ["folder"]


def test_a_place_that_can_be_written_is_left_as_it_is(tmp_path):
    need_place(tmp_path / "new" / "a.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_held_by_one_block_and_let_go_after_an_error(tmp_path):
    with alone(tmp_path / "lock", "busy"), pytest.raises(RunError, match="^busy$"), alone(tmp_path / "lock", "busy"):
        pass
    with pytest.raises(ZeroDivisionError), alone(tmp_path / "lock", "busy"):
        raise ZeroDivisionError
    with alone(tmp_path / "lock", "busy"):
        pass


def test_a_file_appears_only_when_the_block_ended_well(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    with atomic_file(path) as building:
        building.write_text("one")
        assert not path.exists()
    with pytest.raises(ZeroDivisionError), atomic_file(path) as building:
        building.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "one"
    assert [place.name for place in path.parent.iterdir()] == ["a.txt"]
