"""The whole engine against truth, through its command line: camera, depth, matte and in-between frames of made shots.

Bounds: camera within 0.2 % of the path and 0.2 degrees, focal within 2 %; still-scene depth within 4 % on nine pixels of
ten after one similarity for the whole shot; matte IoU above 0.85; in-between frames 2 dB above blending.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.geometry.similarity import align
from engine.media.frames import read_depth
from engine.metrics.trajectory import TrajectoryError, compare
from engine.synth.files import write_clip
from engine.synth.shots import Shot, render

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 24
SIZES = {"orbit": (640, 360), "handheld": (640, 360)}
WANTS = "camera,depth,mattes,slowmo"


class Result:
    """A made shot and the published folder of one run on it."""

    def __init__(self, name: str, shot: Shot, out: Path) -> None:
        self.name, self.shot, self.out = name, shot, out
        with np.load(out / "camera" / "camera.npz", allow_pickle=False) as content:
            self.camera = {key: content[key] for key in content}
        self.solved = self.camera["solved"]

    def camera_error(self) -> TrajectoryError:
        """Against the true path, lens and turns, on solved frames."""
        at = self.solved
        return compare(self.camera["world_from_camera"][at], self.shot.world_from_camera[at],
                       self.camera["focal"][at, 0] * self.shot.size[0] / self.camera["size"][0], self.shot.focal[at, 0])

    def depth_errors(self) -> np.ndarray:
        """Relative errors of all still pixels of the shot, after the camera's own similarity: no scale is fitted to depth."""
        at = self.solved
        scale = align(self.camera["world_from_camera"][at, :3, 3], self.shot.world_from_camera[at, :3, 3]).scale
        errors = []
        for row in np.flatnonzero(at):
            found = read_depth(self.out / "depth" / f"{self.shot.frame[row]:06d}.exr")[0]
            found = cv2.resize(found, self.shot.size, interpolation=cv2.INTER_NEAREST) * scale
            still = (cv2.dilate(self.shot.alpha[row], np.ones((5, 5))) == 0) & (self.shot.depth[row] > 0)
            errors.append((np.abs(found - self.shot.depth[row]) / self.shot.depth[row])[still])
        return np.concatenate(errors)

    def matte_iou(self) -> np.ndarray:
        """[T] of the union of all subjects with the true mover, frames in which there is one."""
        values = []
        for row, frame in enumerate(self.shot.frame):
            found = np.zeros(self.shot.alpha[row].shape, bool)
            for path in (self.out / "mattes").glob(f"*/alpha/{frame:06d}.png"):
                picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
                found |= cv2.resize(picture, self.shot.size, interpolation=cv2.INTER_AREA) > 32767
            true = self.shot.alpha[row] > 0.5
            if true.mean() > 0.002:
                values.append((found & true).sum() / max((found | true).sum(), 1))
        return np.array(values)

    def between_gain(self) -> np.ndarray:
        """dB above blending of every frame half-way."""
        with np.load(self.out / "slowmo" / "times.npz", allow_pickle=False) as content:
            times = content["time"]
        gains = []
        for number, time in enumerate(times, 1):
            if time % 1 == 0.5:
                path = self.out / "slowmo" / f"{number:06d}.png"
                made = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
                row = int(time - self.shot.frame[0])
                blend = self.shot.pictures[row:row + 2].mean(0, dtype=np.float32)
                true = self.shot.between(time)
                gains.append(_psnr(made, true) - _psnr(blend, true))
        return np.array(gains)


def _psnr(picture: np.ndarray, true: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((picture.astype(np.float64) - true) ** 2)))


@pytest.fixture(scope="module", params=["handheld", "orbit"])
def result(request, tmp_path_factory) -> Result:
    folder = tmp_path_factory.mktemp(request.param)
    shot = render(request.param, FRAMES, SIZES[request.param])
    write_clip(shot, folder / "clip.mp4")
    engine = subprocess.run(
        [sys.executable, "-m", "engine", str(folder / "clip.mp4"), "--want", WANTS, "--out", str(folder / "out"), "--store", str(folder / "store")],
        cwd=ROOT, capture_output=True, text=True)
    assert engine.returncode == 0, engine.stdout[-800:] + engine.stderr[-800:]
    return Result(request.param, shot, folder / "out")


def test_the_camera_is_the_true_one(result) -> None:
    error = result.camera_error()
    assert result.solved.all()
    assert error.ate_percent < 0.2
    assert error.rotation_degrees < 0.2
    assert error.focal_percent < 2.0


def test_the_report_says_what_it_is_worth(result) -> None:
    report = json.loads((result.out / "camera" / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"] == "good"


def test_the_depth_of_what_stands_still_agrees_with_the_camera(result) -> None:
    errors = result.depth_errors()
    assert np.quantile(errors, 0.9) < 0.04


def test_depth_is_complete(result) -> None:
    for path in sorted((result.out / "depth").glob("*.exr")):
        depth = read_depth(path)[0]
        assert np.isfinite(depth).all() and (depth > 0).all()


def test_the_matte_is_the_figure(result) -> None:
    assert np.median(result.matte_iou()) > 0.85


def test_frames_between_beat_blending(result) -> None:
    gains = result.between_gain()
    assert gains.mean() > 2.0
    assert gains.min() > -0.3
