"""Writing to disk whole or not at all, and the hash of a file."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from instructrec.errors import RunError

_BLOCK_BYTES = 1 << 20
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR)
"""What a system says of a place where nothing can be written: no permission, a disk to read only, a file in place of a folder."""


def sha256_of(path: Path) -> str:
    """The sha256 of a file's content as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part. Text is written as UTF-8.

    Raises RunError when the disk is full or the place cannot be written; the old file is then untouched.
    """
    write_pieces(path, [content.encode() if isinstance(content, str) else content])


def write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    """As `write_atomic`, piece by piece as they are made: nothing but the current one is held. An error while making them leaves
    the old file as it was.
    """
    with atomic_file(path) as building, building.open("xb") as file:
        for piece in pieces:
            file.write(piece)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give the path of a file beside `path` to write; when the block ends well it becomes `path`, else nothing is left of it.

    Raises RunError when the disk is full or the place cannot be written; an old file is then untouched.
    """
    with _disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        building = _sibling(path)
        try:
            yield building
            with building.open("rb") as file:
                os.fsync(file.fileno())
            building.replace(path)
        except BaseException:
            building.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


@contextlib.contextmanager
def atomic_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give an empty folder beside `path` to fill; when the block ends well it becomes `path`, else nothing is left of it.

    An existing folder that is not empty is refused, or with `replace` put in place of the old one after everything is written.
    Raises RunError when the disk is full, the place cannot be written, or `path` is taken.
    """
    _refuse_taken(path, replace)
    with _disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        building = _sibling(path)
        building.mkdir()
        try:
            yield building
            _sync_tree(building)
            _refuse_taken(path, replace)
            _move_in(building, path)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise


def make_folder(path: Path) -> Path:
    """Make a folder and those above it where they are missing; gives `path`. Raises RunError where that cannot be."""
    with _disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def need_place(path: Path) -> None:
    """Raise RunError where a file could not be written to `path`, so that nobody hears it only after hours of work."""
    if path.is_dir():
        raise RunError(f"{path} is a folder, but a file is to be written there. Give the name of a file.")
    with _disk_errors(path):
        above = next(place for place in path.absolute().parents if place.exists())
    if not above.is_dir():
        raise RunError(f"{path} cannot be written, for {above} is a file and no folder. Choose another place.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise RunError(f"{path} cannot be written: you may not write to {above}. Choose a folder that you may write to.")


@contextlib.contextmanager
def alone(path: Path, otherwise: str) -> Iterator[None]:
    """Hold the lock file `path` while the block runs; it ends with the process, so a crash leaves nothing locked. Raises RunError
    with the words `otherwise` where another process, or another block of this one, holds it.
    """
    with _disk_errors(path):
        file = path.open("ab")
    with file:
        try:
            lock_now(file.fileno())
        except BlockingIOError as error:
            raise RunError(otherwise) from error
        except OSError:
            pass  # some network disks have no locks
        yield


if sys.platform == "win32":  # pragma: no cover

    def lock_now(handle: int) -> None:
        """Lock an open file for this process. Raises BlockingIOError where another has it, OSError where there are no locks."""
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(error.errno, error.strerror) from error

else:

    def lock_now(handle: int) -> None:
        """Lock an open file for this process. Raises BlockingIOError where another has it, OSError where there are no locks."""
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_disk_full(error: BaseException) -> bool:
    """Whether an error of any library means that there is no space (or quota) left on the device."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    # Native libraries (safetensors, Arrow) report the errno only as text.
    return "No space left on device" in str(error) or "os error 28" in str(error)


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except RunError:
        raise
    except Exception as error:
        if is_disk_full(error):
            raise RunError(
                f"The disk is full: {path} could not be written. What was stored before is untouched and nothing half-written "
                "was left. Free some space there, or choose another place, and run the same command again."
            ) from error
        if isinstance(error, OSError) and error.errno in _CLOSED and _concerns(error, path):
            raise RunError(f"{path} cannot be written ({error.strerror}). Choose a folder that you may write to.") from error
        raise


def _concerns(error: OSError, path: Path) -> bool:
    """Whether the error comes from the target or something beside it, not from a file that the caller was reading."""
    return error.filename is not None and Path(os.fsdecode(error.filename)).is_relative_to(path.parent.parent)


def _refuse_taken(path: Path, replace: bool) -> None:
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file, but a folder is to be written there. Choose another place.")
    if not replace and path.is_dir() and any(path.iterdir()):
        raise RunError(f"{path} exists and is not empty. Choose another place, or ask for it to be replaced.")


def _move_in(building: Path, path: Path) -> None:
    """Rename; a folder that is in the way is moved aside first, and put back should the rename fail."""
    if not path.exists():
        building.rename(path)
    else:
        aside = _sibling(path)
        path.rename(aside)
        try:
            building.rename(path)
        except BaseException:
            aside.rename(path)
            raise
        shutil.rmtree(aside, ignore_errors=True)
    _sync_folder(path.parent)


def _sibling(path: Path) -> Path:
    """A hidden name beside `path` that nobody else uses: on the same disk, so that a rename is one step."""
    return path.with_name(f".{path.name}-{secrets.token_hex(6)}")


def _sync_tree(folder: Path) -> None:
    for root, _, names in os.walk(folder):
        for name in names:
            with (Path(root) / name).open("rb") as file:
                os.fsync(file.fileno())
        _sync_folder(Path(root))


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; platforms that cannot open a folder (Windows) do without."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
