"""Synth room: the recipes of the shots, and a shot rendered with everything that is known of it; imports the room alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, Iterable

import numpy as np

from .caster import SKY, Hit, cast, displaced, shade
from .scene import Scene, View, look_at, sway
from .sets import balloon, cart, courtyard, figure, rolling, stairs, tabletop, walking

FPS = 24


def _orbit(frames: int) -> Scene:
    def view(time: float) -> View:
        angle = -1.9 + 0.0125 * time
        eye = np.array([5.2 * np.cos(angle), 5.2 * np.sin(angle), 1.9 + 0.15 * np.sin(time / 9)])
        return View(look_at(eye, (0, 0.6, 0.8)), 0.85)
    return Scene((*courtyard(3), *figure(walking((-1.2, -1.0), -1.4, 1.1))), view)


def _walk_forward(frames: int) -> Scene:
    def view(time: float) -> View:
        eye = np.array([0.05 * np.sin(time / 7.6), -6 + 0.055 * time, 1.6 + 0.025 * np.sin(time / 3.8)])
        return View(look_at(eye, eye + (0.02 * np.sin(time / 9), 1, -0.06)) , 0.8)
    return Scene((*courtyard(5, reach=14, things=34, clear=0.9),), view)


def _handheld(frames: int) -> Scene:
    def view(time: float) -> View:
        eye = np.array([-0.9 + 0.028 * time, -4.6 + 0.012 * time, 1.6]) + sway(11, time, 0.035)
        target = np.array([0.1 + 0.010 * time, 1.2, 0.95]) + sway(12, time, 0.045)
        return View(look_at(eye, target, 0.015 * np.sin(time / 8)), 0.9, (-0.06, 0.0, 0.0, 0.0))
    return Scene((*courtyard(8, clear=1.9), *figure(walking((-1.6, 0.0), -1.45, 1.2))), view, exposure=0.01)


def _tripod_pan(frames: int) -> Scene:
    def view(time: float) -> View:
        eye, angle = np.array([0.4, -4.5, 1.6]), -0.25 + 0.009 * time
        return View(look_at(eye, eye + (np.sin(angle), np.cos(angle), -0.08)), 0.9)
    return Scene((*courtyard(13), *figure(walking((-1.0, -0.4), -1.5, 1.2), shirt="teal")), view)


def _zoom_still(frames: int) -> Scene:
    eye = np.array([-0.6, -5.0, 1.7])
    return Scene(courtyard(17), lambda time: View(look_at(eye, (0.2, 1.0, 0.9)), 0.75 * 1.010**time))


def _zoom_dolly(frames: int) -> Scene:
    def view(time: float) -> View:
        eye = np.array([-1.2 + 0.022 * time, -5.6 + 0.045 * time, 1.7]) + sway(19, time, 0.01)
        return View(look_at(eye, (0.1, 1.2, 0.8)), 1.05 * 0.991**time)
    return Scene(courtyard(19), view)


def _strong_distortion(frames: int) -> Scene:
    def view(time: float) -> View:
        eye = np.array([-1.0 + 0.032 * time, -4.2, 1.5]) + sway(23, time, 0.02)
        return View(look_at(eye, (0.0, 1.5, 0.9)), 0.62, (-0.24, 0.05, 0.0, 0.0))
    return Scene(courtyard(23, clear=1.3), view)


def _large_mover(frames: int) -> Scene:
    def view(time: float) -> View:
        eye = np.array([-0.5 + 0.022 * time, -3.8, 1.5]) + sway(29, time, 0.02)
        return View(look_at(eye, np.array([0.15 + 0.006 * time, 1.5, 1.0]) + sway(30, time, 0.02)), 0.9)
    return Scene((*courtyard(29), *figure(walking((-0.45, -2.35), -1.35, 0.7), height=1.8, shirt="ochre")), view, shutter=0.25)


def _cart(frames: int) -> Scene:
    """A rigid mover that turns as it rolls, its wheels in sight."""
    def view(time: float) -> View:
        eye = np.array([0.9 - 0.030 * time, -4.4, 1.7]) + sway(47, time, 0.02)
        return View(look_at(eye, (0.0, 0.4, 0.6)), 0.85)
    return Scene((*courtyard(47, clear=2.2), *cart(rolling((-1.1, 0.7), -0.75, 1.3, 0.012))), view)


def _crossing(frames: int) -> Scene:
    """Two movers pass one before the other, a rigid one and one that walks."""
    def view(time: float) -> View:
        eye = np.array([-0.7 + 0.030 * time, -4.7, 1.8]) + sway(53, time, 0.02)
        return View(look_at(eye, (0.1, 0.5, 0.7)), 0.85)
    movers = (*figure(walking((1.3, 0.5), 1.5, 1.1), shirt="teal"), *cart(rolling((-1.4, -0.9), 0.1, 1.4, 0.0)))
    return Scene((*courtyard(53, clear=2.2), *movers), view)


def _approach(frames: int) -> Scene:
    """A figure walks at the camera, which gives way sideways."""
    def view(time: float) -> View:
        eye = np.array([-0.8 + 0.032 * time, -4.8 - 0.004 * time, 1.6]) + sway(59, time, 0.02)
        return View(look_at(eye, (0.1, 1.0, 0.9)), 0.85)
    return Scene((*courtyard(59, clear=1.8), *figure(walking((0.5, 0.6), 2.8, 1.3), shirt="ochre")), view)


def _balloon(frames: int) -> Scene:
    """What moves never touches the ground: a ball that drifts and swells."""
    def view(time: float) -> View:
        eye = np.array([-0.9 + 0.034 * time, -4.4, 1.6]) + sway(61, time, 0.02)
        return View(look_at(eye, (0.0, 1.0, 0.9)), 0.85)
    return Scene((*courtyard(61, clear=1.6), balloon((-0.1, -0.9, 0.85), (-0.012, 0.008, 0.016))), view)


def _loop(frames: int) -> Scene:
    def view(time: float) -> View:
        angle = 2 * np.pi * time / frames
        eye = np.array([0.8 * np.sin(angle), -4.6 + 0.6 * np.cos(angle), 1.7 + 0.25 * np.sin(2 * angle)])
        return View(look_at(eye, (0.2 * np.sin(angle), 1.4, 0.8)), 0.85)
    return Scene(courtyard(31), view)


def _static(frames: int) -> Scene:
    def view(time: float) -> View:
        return View(look_at(np.array([0.3, -4.6, 1.6]), (0, 1, 0.9)), 0.9)
    return Scene((*courtyard(37), *figure(walking((-1.3, -0.6), -1.57, 1.2))), view)


def _tabletop(frames: int) -> Scene:
    def view(time: float) -> View:
        angle = -1.4 + 0.012 * time
        eye = np.array([0.45 * np.cos(angle), 0.45 * np.sin(angle), 1.45]) + sway(41, time, 0.01)
        return View(look_at(eye, (0.0, 0.05, 0.75), 0.02 * np.sin(time / 7)), 0.95)
    return Scene(tabletop(), view)


def _stairs(frames: int) -> Scene:
    def view(time: float) -> View:
        eye = np.array([-1.0 + 0.025 * time, -1.7 + 0.01 * time, 1.6]) + sway(43, time, 0.02)
        return View(look_at(eye, (0.3 + 0.006 * time, 1.2, 0.55), 0.02 * np.sin(time / 8)), 0.85)
    return Scene(stairs(), view)


SHOTS: dict[str, Callable[[int], Scene]] = {
    "orbit": _orbit, "walk_forward": _walk_forward, "handheld": _handheld, "tripod_pan": _tripod_pan,
    "zoom_still": _zoom_still, "zoom_dolly": _zoom_dolly, "strong_distortion": _strong_distortion,
    "large_mover": _large_mover, "loop": _loop, "static": _static,
    "tabletop": _tabletop, "stairs": _stairs,
    "cart": _cart, "crossing": _crossing, "approach": _approach, "balloon": _balloon,
}


@dataclass(frozen=True)
class Shot:
    """A rendered shot of T frames and its truth. Frame numbers count from 1, as in a clip."""

    name: str
    scene: Scene
    size: tuple[int, int]  # W, H
    frame: np.ndarray  # [T] int
    pictures: np.ndarray  # [T, H, W, 3] uint8 sRGB
    world_from_camera: np.ndarray  # [T, 4, 4] float64, OpenCV camera, metres, z up
    focal: np.ndarray  # [T, 2] px
    centre: np.ndarray  # [T, 2] px
    distortion: np.ndarray  # [T, 4] k1 k2 p1 p2
    depth: np.ndarray  # [T, H, W] float32 metres along the optical axis at pixel centres, 0 = sky
    alpha: np.ndarray  # [T, H, W] float32 share of the pixel that a mover covers
    moving: np.ndarray  # [T, H, W] bool at pixel centres
    flow: np.ndarray  # [T - 1, H, W, 2] float32 px to the next frame, also where hidden there
    visible: np.ndarray  # [T - 1, H, W] bool: still in sight on the next frame

    def between(self, time: float, supersample: int = 2) -> np.ndarray:
        """The true picture [H, W, 3] uint8 at a fractional frame number, e.g. 1.5."""
        return picture(self.scene, time - 1, self.size, supersample)[0]


def render(name: str, frames: int = 40, size: tuple[int, int] = (320, 180), supersample: int = 2,
           clean: bool = False) -> Shot:
    """Shot `name` of SHOTS; `clean` leaves out grain, exposure jitter and motion blur."""
    scene = SHOTS[name](frames)
    return render_scene(name, replace(scene, grain=0.0, exposure=0.0, shutter=0.0) if clean else scene, frames, size, supersample)


def render_scene(name: str, scene: Scene, frames: int, size: tuple[int, int], supersample: int = 2) -> Shot:
    """Picture and truth of every frame of any scene."""
    views = [scene.view(time) for time in range(frames)]
    rendered = [picture(scene, time, size, supersample) for time in range(frames)]
    hits = [cast(scene, time, size) for time in range(frames)]
    moves = [_moving(scene, hit) for hit in hits]
    flows, seen = zip(*(flow_between(scene, hits[time], hits[time + 1], time, time + 1, size) for time in range(frames - 1))) if frames > 1 else ((), ())
    return Shot(
        name, scene, size, np.arange(1, frames + 1), np.stack([p for p, _ in rendered]),
        np.stack([v.world_from_camera for v in views]), np.array([[v.focal * size[0]] * 2 for v in views]),
        np.tile(np.array(size) / 2, (frames, 1)), np.array([v.distortion for v in views]),
        np.stack([np.where(h.depth < SKY, h.depth, 0).astype(np.float32) for h in hits]),
        np.stack([a for _, a in rendered]), np.stack(moves),
        np.array(flows, np.float32).reshape(-1, size[1], size[0], 2), np.array(seen, bool).reshape(-1, size[1], size[0]))


def picture(scene: Scene, time: float, size: tuple[int, int], supersample: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """What the camera records at `time` (first frame 0): sRGB [H, W, 3] uint8 and the movers' alpha [H, W] float32."""
    opened = _shutter_times(scene, time)
    light, alpha = 0.0, 0.0
    for moment in opened:
        hit = cast(scene, moment, size, supersample)
        light = light + _shrink(shade(scene, moment, hit), supersample) / len(opened)
        alpha = alpha + _shrink(_moving(scene, hit).astype(np.float32), supersample) / len(opened)
    random = np.random.default_rng(1000 + round(time * 1000))
    gain = 1 + scene.exposure * random.standard_normal()
    display = _encode(light * gain) + scene.grain * random.standard_normal(light.shape).astype(np.float32)
    return np.clip(np.rint(display * 255), 0, 255).astype(np.uint8), alpha


def _shutter_times(scene: Scene, time: float) -> Iterable[float]:
    return time + scene.shutter * (np.arange(4) - 1.5) / 4 if scene.shutter else [time]


def _shrink(fine: np.ndarray, supersample: int) -> np.ndarray:
    height, width = fine.shape[0] // supersample, fine.shape[1] // supersample
    return fine.reshape(height, supersample, width, supersample, *fine.shape[2:]).mean((1, 3))


def _encode(light: np.ndarray) -> np.ndarray:
    """sRGB with a soft shoulder above 0.8, so that highlights keep their texture."""
    light = np.maximum(light, 0)
    light = np.where(light > 0.8, 0.8 + 0.2 * np.tanh((light - 0.8) / 0.4), light)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.power(light, 1 / 2.4, where=light > 0, out=np.zeros_like(light)) - 0.055)


def _moving(scene: Scene, hit: Hit) -> np.ndarray:
    return np.array([body.mover for body in scene.bodies] + [False])[hit.index]


def flow_between(scene: Scene, here: Hit, there: Hit, time: int, later: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Flow [H, W, 2] px from what is hit at frame `time` to frame `later`, and whether the point is still in sight there [H, W]."""
    target, depth = displaced(scene, here, time, later, size)
    x, y = np.floor(target[..., 0]).astype(int), np.floor(target[..., 1]).astype(int)
    inside = (x >= 0) & (x < size[0]) & (y >= 0) & (y < size[1]) & (depth > 0)
    met = there.depth[np.clip(y, 0, size[1] - 1), np.clip(x, 0, size[0] - 1)]
    start = np.stack(np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5), -1)
    return target - start, inside & (np.abs(met - depth) < 0.03 * depth + 0.01)
