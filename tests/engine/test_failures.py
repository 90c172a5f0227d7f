"""What the machine refuses is told as such, whichever library noticed it."""

import errno
from pathlib import Path

import numpy as np
import pytest

from engine import failures
from engine.media import exr
from engine.media.film import VideoWriter
from engine.media.frames import write_png


@pytest.mark.parametrize("error, code", [
    (OSError(errno.ENOSPC, "No space left on device"), "disk-full"),
    (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk-full"),
    (OSError(errno.EACCES, "Permission denied"), "internal"),
    (MemoryError(), "no-memory"),
    (RuntimeError("not enough memory: you tried to allocate 8 bytes"), "no-memory"),
    (ModuleNotFoundError("No module named 'av'", name="av"), "package-missing"),
    (ValueError("odd"), "internal"),
])
def test_every_exception_becomes_a_failure(tmp_path, error, code) -> None:
    told = failures.of_exception(error, "engine.log", tmp_path)
    assert told.code == code and told.what and told.why and told.remedy
    assert told.log == ("engine.log" if code == "internal" else "")


def test_a_folder_that_takes_nothing_is_named(tmp_path) -> None:
    (tmp_path / "a file").touch()
    told = failures.of_exception(NotADirectoryError(errno.ENOTDIR, "Not a directory"), "", tmp_path / "a file" / "cache")
    assert told.code == "folder-closed" and str(tmp_path / "a file" / "cache") in told.why and "Choose another folder" in told.remedy


def film(path: Path) -> None:
    with VideoWriter(path, (64, 64), 24) as out:
        for value in range(48):
            out.write(np.random.default_rng(value).integers(0, 255, (64, 64, 3), np.uint8))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full on this system")
@pytest.mark.parametrize("name, write", [
    ("a.png", lambda path: write_png(path, np.zeros((64, 64), np.uint8))),
    ("a.mp4", film),
])
def test_a_full_disk_is_told_as_such_and_leaves_no_half_file(tmp_path, name, write) -> None:
    (tmp_path / f".writing-{name}").symlink_to("/dev/full")
    with pytest.raises(Exception) as caught:
        write(tmp_path / name)
    assert failures.of_exception(caught.value, "", tmp_path).code == "disk-full" and not list(tmp_path.iterdir())


@pytest.mark.parametrize("lost", [1, 100, 20000])
def test_an_exr_whose_last_write_was_lost_is_not_taken_for_whole(tmp_path, monkeypatch, lost) -> None:
    plane = np.random.default_rng(0).random((98, 98), np.float32)
    exr.write_depth(tmp_path / "whole.exr", plane, plane)
    written = (tmp_path / "whole.exr").read_bytes()
    monkeypatch.setattr(exr.OpenEXR.File, "write", lambda self, path: Path(path).write_bytes(written[:-lost]))
    with pytest.raises(OSError) as caught:
        exr.write_depth(tmp_path / "a.exr", plane, plane)
    assert failures.of_exception(caught.value, "", tmp_path).code == "disk-full" and not (tmp_path / "a.exr").exists()
