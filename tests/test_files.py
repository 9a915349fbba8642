import resource
from pathlib import Path

import pytest

from landslide_cli.errors import OutputError
from landslide_cli.files import atomic, require_free


def test_a_finished_block_replaces_the_file(tmp_path: Path) -> None:
    target = tmp_path / "sub" / "a.txt"
    with atomic(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert [p.name for p in target.parent.iterdir()] == ["a.txt"]


def test_a_failed_block_keeps_the_old_file_and_leaves_no_other(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic(target) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / ".part-a.txt").write_text("left by a kill")
    with atomic(tmp_path / "a.txt") as temporary:
        assert not temporary.exists()
        temporary.write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_write_beyond_the_limit_of_the_system_is_an_output_error(tmp_path: Path) -> None:
    import signal

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OutputError, match="no space left"), atomic(tmp_path / "a.bin") as temporary:
            temporary.write_bytes(bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_fit_is_refused_early(tmp_path: Path) -> None:
    require_free(tmp_path / "not" / "there" / "yet", 1)
    with pytest.raises(OutputError, match="make room"):
        require_free(tmp_path, 2**62)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc here")
def test_what_is_no_disk_is_not_called_full() -> None:
    with pytest.raises(OutputError, match="is not on a disk"):
        require_free(Path("/proc/landslide"), 1)
    with pytest.raises(OutputError, match="cannot be written"), atomic(Path("/proc/landslide/file")):
        pass
