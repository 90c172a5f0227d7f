"""The two layers of a frame: what pierces the ground beside a mover, what stands where nothing is measured, and a shot of hardly any parallax."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine.dense import layers
from engine.dense.pooled import ALIKE, Pooled
from engine.geometry import blobs
from engine.geometry.camera import Camera
from engine.geometry.triangulation import Estimate

SIZE, FOCAL, HEIGHT = (160, 96), 140.0, 1.5  # a level camera over a floor
y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32) + 0.5
RAYS = np.stack([(x - SIZE[0] / 2) / FOCAL, (y - SIZE[1] / 2) / FOCAL, np.ones_like(x)], -1)
FLOOR = np.maximum(RAYS[..., 1] / HEIGHT, 0.02).astype(np.float32)
UP = np.array([[0.0, -1.0, 0.0], [0.0, -1.0, 0.0]])


def box(left: int, right: int, top: int, bottom: int) -> np.ndarray:
    """[H, W], true within."""
    return (x > left) & (x < right) & (y > top) & (y < bottom)


def test_a_hole_beside_a_mover_is_none_and_one_elsewhere_or_open_is() -> None:
    rho, mover = FLOOR.copy(), box(60, 80, 30, 80)
    paw, puddle, slit = box(80, 86, 70, 77), box(20, 26, 70, 77), box(80, 83, 50, 66)
    rho[paw | puddle] = 0.08
    pole = box(54, 58, 0, 96)  # near it, and before the floor: between pole and mover one sees past both
    rho[pole] = 0.6
    told = layers._holes(torch.from_numpy(rho), torch.from_numpy(mover), 5).numpy()
    assert told[paw].all() and not told[puddle].any() and not told[slit].any() and not told[box(58, 60, 52, 66)].any()


@pytest.mark.parametrize("measured, sure", [(True, 1.0), (False, layers.UNSEEN)])
def test_a_mover_stands_on_ground_that_is_only_filled_in_and_less_surely(measured: bool, sure: float) -> None:
    piece = box(70, 82, 40, 80)
    scene = layers.Background(FLOOR, np.full_like(FLOOR, 0.05), np.full(piece.shape, measured), np.ones_like(FLOOR), FLOOR, piece)
    (stand,), labels = layers.stands(scene, RAYS, UP, HEIGHT)
    assert stand.kind == "ground" and stand.sure == pytest.approx(sure, rel=0.05) and (labels > 0).sum() == piece.sum()
    assert stand.rho == pytest.approx(FLOOR[79, 76], rel=0.05)


def test_a_wall_that_shows_nothing_goes_on_evenly_between_what_is_known() -> None:
    """Noise that hardly counts tears nothing there."""
    random = np.random.default_rng(5)
    known = (x < 30) | (x > 130)
    rho = np.where(known, np.where(x < 80, 0.2, 0.3), 0.25 * np.exp(random.normal(size=x.shape) * 0.8)).astype(np.float32)
    information = np.where(known, 1e6, 4.0).astype(np.float32)
    found = Estimate(torch.from_numpy(rho), torch.from_numpy(information), torch.full(rho.shape, 0.1))
    nothing, grey = np.zeros(x.shape, bool), np.full((*x.shape, 3), 0.6, np.float32)
    scene = layers.background(found, nothing, np.full(x.shape, -1, np.float32), nothing, grey, RAYS, [], 0.01, 1.0)
    between = np.log(scene.rho[:, 40:120])
    assert abs(np.diff(between, axis=1)).max() < 0.1 and abs(between - between.mean(0)).max() < 0.1
    assert (scene.confidence[:, 40:120] < 0.1).all() and (scene.confidence[:, :25] > 0.9).all()


MOVER = box(60, 100, 30, 60)


def pooled(monkeypatch, error: float, travel: float, stray: int = -1) -> Pooled:
    """24 frames over the floor, each with such a relative error, by a camera that goes so far to the right in each; what moves stands there in
    half of them. Frame `stray` says that all is three times nearer."""
    random, count = np.random.default_rng(3), 24
    pose = np.tile(np.eye(4), (count, 1, 1))
    pose[:, 0, 3] = travel * np.arange(count)
    lens = np.full((count, 2), FOCAL), np.tile([SIZE[0] / 2, SIZE[1] / 2], (count, 1)), np.zeros((count, 4))
    camera, nothing = Camera(np.arange(count), pose, *lens, np.ones(count, bool), SIZE), np.zeros_like(MOVER)
    shot = SimpleNamespace(
        size=SIZE, step=1, camera=camera, row=lambda n: n, rays=lambda row: RAYS, movers=lambda n: MOVER if n % 8 < 4 else nothing,
        neighbour=lambda n, gap: n + gap if 0 <= n + gap < count else None, likely=lambda n: np.full(FLOOR.shape, -1.0),
        texture=lambda n, half: np.ones_like(FLOOR),
    )

    def read(folder, number, noise, device):
        rho = FLOOR * (1 + error * random.normal(size=FLOOR.shape)) * np.where(shot.movers(number), 9, 3 if number == stray else 1)
        parts = (torch.from_numpy(part.astype(np.float32)) for part in (rho, (error * FLOOR) ** -2, np.full(FLOOR.shape, 0.2)))
        return Estimate(*parts), [], nothing

    monkeypatch.setattr("engine.dense.measured.read", read)
    return Pooled(shot, None, 0.5, (1e-3, 9.0), torch.device("cpu"))  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [0.02, 0.6])
def test_frames_that_know_hardly_anything_are_heard_together_and_others_alone(monkeypatch, error: float) -> None:
    """What moves in half of them tells nothing there, and what many say is not believed as much as if they erred apart."""
    found = pooled(monkeypatch, error, 1e-3).frame(13)[0]  # type: ignore[index]
    off, together = abs(found.rho.numpy() / FLOOR - 1), error > 0.1
    assert off[~MOVER].mean() == pytest.approx(0.8 * error / (4.8 if together else 1), rel=0.2)
    assert off[MOVER].mean() < 0.8 * error / (3 if together else 0.9)
    sure = float(np.median(found.rho.numpy() * np.sqrt(found.information.numpy()))) * error
    assert sure == pytest.approx(np.sqrt(24 / ALIKE) if together else 1, rel=0.15)


def test_what_a_mover_hides_is_told_by_frames_that_see_it_and_agree(monkeypatch) -> None:
    seen = pooled(monkeypatch, 0.02, 0.12, stray=14).elsewhere(10).numpy()
    assert np.isfinite(seen[MOVER]).mean() > 0.2
    assert np.nanmedian(abs(seen[MOVER] / FLOOR[MOVER] - 1)) < 0.06


def test_bare_ground_that_ends_in_the_open_does_not_move_and_what_shows_or_has_an_outline_does() -> None:
    wall, figure, floor, balloon = box(-1, 30, -1, 40), box(50, 70, 40, 80), box(70, 95, 60, 80), box(100, 130, 20, 50)
    shown = np.where(figure, 0.6, 0.02).astype(np.float32)
    shown[box(98, 132, 18, 52) & ~box(104, 126, 24, 46)] = 0.9  # plain, but before something else
    kept = blobs.showing(wall | figure | floor | balloon, shown)
    assert kept[figure | balloon].all() and kept[wall | floor].mean() < 0.02
