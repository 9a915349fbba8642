"""Write files so that a killed run leaves the old file or no file, but never half a file."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path

from landslide_cli.errors import OutputError

FREE_BYTES_MIN = 8 * 2**20
"""With less free space, a failed write is reported as a full disk, because GDAL does not always say why it failed."""

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PERMISSION = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path`, and rename it to `path` if the block ends without an error.

    The temporary file has the same suffix, because drivers use it to choose the format. It is removed if the block
    fails.

    Args:
        path: the file to write; its folder is made if it is missing.

    Yields:
        Path of the temporary file.

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
    """Raise an `OutputError` if writing `path` fails because of a full disk or missing permission."""
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
    """Return whether files can be stored there: /proc and the like have no size."""
    return shutil.disk_usage(_existing(path)).total > 0


def _existing(path: Path) -> Path:
    return next(p for p in (path, *path.absolute().parents) if p.exists())


def require_free(path: Path, needed_bytes: int) -> None:
    """Refuse early to write something that does not fit on the disk.

    Args:
        path: where to write.
        needed_bytes: space needed.

    Raises:
        OutputError: the disk of `path` has less free space, or `path` is not on a disk.
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
    """Make `target` a hard link to `source`, or a copy if the disk has no hard links.

    This is safe because this program never changes a file in place: it replaces it, and the other name keeps the old
    content.

    Args:
        source: an existing file.
        target: the new name; its folder is made if it is missing.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def remove(path: Path) -> None:
    """Remove a file or a folder if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
