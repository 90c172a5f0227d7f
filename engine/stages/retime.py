"""Stage 'retime': camera, tracks, depth and mattes at the times of the slow motion, numbered as its frames; knows nothing of Blender."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from .. import store
from ..ahead import ahead, count, one_thread_each
from ..contract.artifacts import FRAME
from ..contract.options.retime import Retime
from ..geometry import camera as cameras
from ..geometry.camera import Camera
from ..media.frames import Frames, read_depth, read_png, write_depth
from ..slowmo import between, contours, depth, path, pictures, timeline, tracks
from ..slowmo.between import Plan
from ..slowmo.courses import Courses
from ..slowmo.motion import Course
from ..slowmo.timeline import Moment, Timeline
from ..stage import Inputs, Report

BYTES = 400  # of memory for each pixel in flight


def run(inputs: Inputs, options: Retime, report: Report, room: Path) -> None:
    """camera.npz, tracks.npz, depth/ and alpha/<subject>/, as far as this job has them."""
    frames = Frames(inputs["frames"])
    track = timeline.read(frames.about)
    moments = _moments(inputs["interpolate"] / "times.npz")
    camera = _camera(inputs.get("orient"), track, moments, room)
    layers: list[Layer] = []
    if options.depth and camera and inputs.get("consistent_depth"):
        layers.append(_Depth(inputs["consistent_depth"], room / "depth", *camera))
    if options.mattes and inputs.get("mattes"):
        layers += [_Alpha(folder, room / "alpha" / folder.parent.name) for folder in sorted(inputs["mattes"].glob("*/alpha"))]
    total, done = len(moments) * max(1, len(layers)), 0
    for layer in layers:
        for made in _retimed(layer, frames, track, moments):
            done += made
            report.progress(done, total)
    for layer in layers:
        layer.finish()
    if options.mattes and inputs.get("mattes"):
        for source in sorted(inputs["mattes"].glob("*/contours.json")):
            made = contours.retimed(store.read_json(source), track, moments)
            store.write_json(room / "alpha" / source.parent.name / "contours.json", made)
    parts = [name for name, there in (("camera", camera), ("depth", options.depth and camera and inputs.get("consistent_depth"))) if there]
    mattes = sum(isinstance(layer, _Alpha) for layer in layers)
    report.used = ", ".join(parts + [f"{mattes} mattes"] * bool(mattes)) or "nothing to retime in this job"
    report.figures.update(frames=len(moments), camera=int(camera[1].solved.sum()) if camera else 0, mattes=mattes)


def _moments(times: Path) -> list[Moment]:
    with np.load(times, allow_pickle=False) as file:
        return [Moment(int(b), int(a), float(f)) for b, a, f in zip(file["before"], file["after"], file["fraction"])]


def _camera(folder: Path | None, track: Timeline, moments: list[Moment], room: Path) -> tuple[Camera, Camera] | None:
    """The solved camera and the retimed one, which is written, and the tracks with it."""
    if folder is None:
        return None
    solved = cameras.load(folder / "camera.npz")
    retimed = path.camera_at(solved, track, moments)
    with store.beside(room / "camera.npz") as fresh:
        retimed.save(fresh)
    if (folder / "tracks.npz").is_file():
        with store.beside(room / "tracks.npz") as fresh:
            tracks.retimed(tracks.load(folder / "tracks.npz"), track, moments).save(fresh)
    return solved, retimed


def _retimed(layer: Layer, frames: Frames, track: Timeline, moments: list[Moment]) -> Iterator[int]:
    """Make what is missing of a layer on threads; yields how many pictures each step added."""
    missing: dict[Moment, list[int]] = {}
    for number, moment in enumerate(moments, 1):
        if not layer.target(number).is_file():
            missing.setdefault(moment, []).append(number)
    todo = sorted(missing.items(), key=lambda job: (job[0].before, job[0].after, job[0].fraction))
    yield len(moments) - sum(len(numbers) for _, numbers in todo)
    threads = count(layer.size, BYTES)
    picture = lru_cache(threads + 4)(lambda number: pictures.read(frames, number, layer.size))
    courses = Courses(picture, track)

    def work(moment: Moment, numbers: list[int], course: Future[Course] | None) -> int:
        first, *others = numbers
        if course is None:
            layer.copy(moment.before, first)
        else:
            a, b = picture(moment.before), picture(moment.after)
            layer.make(between.plan(a, b, course.result(), moment.fraction), first, moment)
        for other in others if layer.target(first).is_file() else ():
            _copy(layer.target(first), layer.target(other))
        return len(numbers)

    def submit(pool: ThreadPoolExecutor, job: tuple[Moment, list[int]]) -> Future[int]:
        moment, numbers = job
        moving = moment.fraction > 0.0 and (layer.has(moment.before) or layer.has(moment.after))
        return pool.submit(work, moment, numbers, courses.start(pool, moment) if moving else None)

    with one_thread_each():
        yield from (made for _, made in ahead(submit, todo, threads))


class Layer(Protocol):
    """Something that moves with the pictures: it knows its size, its files, and how to make one between two."""

    size: tuple[int, int]

    def target(self, number: int) -> Path: ...
    def has(self, frame: int) -> bool: ...
    def copy(self, frame: int, number: int) -> None: ...
    def make(self, plan: Plan, number: int, moment: Moment) -> None: ...
    def finish(self) -> None: ...


class _Depth:
    def __init__(self, folder: Path, target: Path, solved: Camera, retimed: Camera) -> None:
        self.folder, self.room, self.solved, self.retimed = folder, target, solved, retimed
        about = store.read_json(folder / "depth.json")
        self.size = (int(about["size"][0]), int(about["size"][1]))
        self.view = lru_cache(6)(self._view)

    def target(self, number: int) -> Path:
        return self.room / f"{FRAME % number}.exr"

    def source(self, frame: int) -> Path:
        return self.folder / f"{FRAME % frame}.exr"

    def has(self, frame: int) -> bool:
        known = frame in self.solved.frame and bool(self.solved.solved[self.solved.row(frame)])
        return known and self.source(frame).is_file()

    def copy(self, frame: int, number: int) -> None:
        if self.has(frame):
            _copy(self.source(frame), self.target(number))

    def make(self, plan: Plan, number: int, moment: Moment) -> None:
        if not (self.has(moment.before) and self.has(moment.after)):
            return
        matrix = self.retimed.world_from_camera[number - 1]
        made = depth.between(plan, self.view(moment.before), self.view(moment.after), matrix)
        self.target(number).parent.mkdir(parents=True, exist_ok=True)
        write_depth(self.target(number), *made)

    def finish(self) -> None:
        _copy(self.folder / "depth.json", self.room / "depth.json")

    def _view(self, frame: int) -> depth.View:
        return depth.view(self.solved, self.solved.row(frame), *read_depth(self.source(frame)))


class _Alpha:
    def __init__(self, folder: Path, target: Path) -> None:
        self.folder, self.room = folder, target
        first = read_png(next(iter(sorted(folder.glob("*.png")))))
        self.size = (first.shape[1], first.shape[0])
        self.alpha = lru_cache(6)(self._alpha)

    def target(self, number: int) -> Path:
        return self.room / (pictures.NAME % number)

    def has(self, frame: int) -> bool:
        return (self.folder / (pictures.NAME % frame)).is_file()

    def copy(self, frame: int, number: int) -> None:
        if self.has(frame):
            _copy(self.folder / (pictures.NAME % frame), self.target(number))

    def make(self, plan: Plan, number: int, moment: Moment) -> None:
        made = between.render(plan, self.alpha(moment.before), self.alpha(moment.after))
        pictures.write(self.target(number), pictures.encode(made, 16))

    def finish(self) -> None:
        pass

    def _alpha(self, frame: int) -> np.ndarray:
        if not self.has(frame):
            return np.zeros(self.size[::-1], np.float32)
        raw = read_png(self.folder / (pictures.NAME % frame))
        return raw.astype(np.float32) / (257 if raw.dtype == np.uint16 else 1)


def _copy(source: Path, target: Path) -> None:
    with store.beside(target) as fresh:
        shutil.copyfile(source, fresh)
