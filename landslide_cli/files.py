"""Writing files so that a killed run leaves the old file or none, never half of one."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path

from landslide_cli.errors import OutputError

FREE_BYTES_MIN = 8 * 2**20
"""Below this a failed write is put down to the disk: GDAL does not always say why a write failed."""

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PERMISSION = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` if the block ends well.

    The temporary keeps the suffix, by which drivers know their format. If the block fails, it is removed.

    Raises:
        OutputError: the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".part-{path.name}")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            remove(temporary)
            yield temporary
            temporary.replace(path)
    finally:
        remove(temporary)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong for lack of disk space or permission while `path` is written into `OutputError`."""
    try:
        yield
    except OutputError:
        raise
    except Exception as error:
        number = getattr(error, "errno", None)
        if number in _PERMISSION:
            raise OutputError(f"{path} cannot be written: {error}; choose another output folder") from error
        if number is not None and number not in _DISK and not _on_a_disk(path):
            raise OutputError(f"{path} cannot be written: {error}; choose another output folder") from error
        if number in _DISK or free_bytes(path) < FREE_BYTES_MIN:
            raise OutputError(
                f"no space left to write {path} ({free_bytes(path) / 2**20:.0f} MiB free); "
                "make room or choose another output folder, then run again"
            ) from error
        raise


def free_bytes(path: Path) -> int:
    """Return the free space of the disk that holds `path` or will hold it."""
    return shutil.disk_usage(_existing(path)).free


def _on_a_disk(path: Path) -> bool:
    """Whether files can be kept there: /proc and its like have no size."""
    return shutil.disk_usage(_existing(path)).total > 0


def _existing(path: Path) -> Path:
    return next(p for p in (path, *path.absolute().parents) if p.exists())


def require_free(path: Path, needed_bytes: int) -> None:
    """Refuse early what is sure not to fit.

    Raises:
        OutputError: less than `needed_bytes` is free where `path` lies.
    """
    if not _on_a_disk(path):
        raise OutputError(f"{path} is not on a disk; choose another output folder")
    free = free_bytes(path)
    if free < needed_bytes:
        raise OutputError(
            f"{path} needs about {needed_bytes / 2**20:.0f} MiB, {free / 2**20:.0f} MiB are free; "
            "make room or choose another output folder"
        )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def link(source: Path, target: Path) -> None:
    """Let `target` be the same file as `source`, or a copy of it where the disk knows no hard links.

    Files are never written in place here, so that a file that is put under either name leaves the other as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def remove(path: Path) -> None:
    """Remove a file or a folder if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
