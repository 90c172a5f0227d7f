"""What the user's folder receives, and what it does not."""

from pathlib import Path

from engine import publish as room


def stages(root: Path) -> dict[str, Path]:
    for name in ("orient/camera.npz", "frames/clip.json", "frames/000001.png", "frames/done.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return {name: root / name for name in ("orient", "frames")}


def names(out: Path) -> list[str]:
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file() and path.name != room.MANIFEST)


def test_frames_come_with_the_camera_as_links(tmp_path) -> None:
    folders = stages(tmp_path / "store")
    room.publish(folders, ("camera",), tmp_path / "out")
    assert names(tmp_path / "out") == ["camera/camera.npz", "frames/000001.png", "frames/clip.json"]
    assert (tmp_path / "out/frames/000001.png").stat().st_ino == (folders["frames"] / "000001.png").stat().st_ino


def test_frames_are_not_copied_to_another_disk(tmp_path, monkeypatch) -> None:
    def refuse(*names) -> None:
        raise OSError("another disk")

    monkeypatch.setattr(room.os, "link", refuse)
    room.publish(stages(tmp_path / "store"), ("camera",), tmp_path / "out")
    assert names(tmp_path / "out") == ["camera/camera.npz", "frames/clip.json"]
