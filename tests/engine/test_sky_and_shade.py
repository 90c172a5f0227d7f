"""The sky is told from what only looks like it, and still ground under a wandering shadow from what moves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from engine.camera.evidence import texture
from engine.dense import shading, sightings, sky
from engine.dense.agreement import View, seen_at
from engine.dense.edges import Witness
from engine.geometry.triangulation import Estimate

SIZE = (240, 136)
FOCAL = 200.0
UP = np.array([0.0, -1.0, 0.0])


def rays() -> np.ndarray:
    """[H, W, 3] of a level camera: the horizon lies in the middle row."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32) + 0.5
    return np.stack([(x - SIZE[0] / 2) / FOCAL, (y - SIZE[1] / 2) / FOCAL, np.ones_like(x)], -1)


def noise(seed: int, size: tuple[int, int] = SIZE, soft: float = 1.2) -> np.ndarray:
    """A texture [H, W] of deviation 1."""
    field = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=size[::-1]), (0, 0), soft)
    return ((field - field.mean()) / field.std()).astype(np.float32)


def outdoors(top: tuple[float, float, float], grain: float = 0.004) -> tuple[np.ndarray, np.ndarray]:
    """A picture [H, W, 3] with a plain upper part of one colour, textured ground and a blue box on it; and where the upper part is."""
    picture = np.repeat((0.4 + 0.08 * noise(1))[..., None], 3, 2)
    above = np.arange(SIZE[1]) < 60
    picture[above] = np.array(top) * (1 + 0.001 * np.arange(60))[:, None, None]
    picture[50:120, 150:180] = (0.35, 0.5, 0.75)  # a panel that rises above the horizon, of the sky's hue but not of its shade
    plain = np.zeros(SIZE[::-1], bool)
    plain[above] = True
    plain[50:120, 150:180] = False
    rough = np.random.default_rng(2).normal(0, grain, picture.shape)
    return (picture + rough).clip(0, 1).astype(np.float32), plain


def told(picture: np.ndarray, up: np.ndarray = UP) -> np.ndarray:
    return sky.among(picture, texture(picture.mean(-1)), rays(), up)


@pytest.mark.parametrize("colour", [(0.45, 0.6, 0.85), (0.99, 0.99, 0.99)], ids=["blue", "burnt out"])
def test_the_sky_is_found_up_to_what_stands_before_it(colour) -> None:
    picture, plain = outdoors(colour)
    found = told(picture)
    assert found[plain].mean() > 0.97
    assert found[~plain].mean() < 0.01


@pytest.mark.parametrize("colour", [(0.8, 0.77, 0.72), (0.25, 0.27, 0.36), (0.62, 0.64, 0.66)], ids=["wall", "dark cloth", "concrete"])
def test_plain_things_above_the_horizon_are_no_sky(colour) -> None:
    assert not told(outdoors(colour)[0]).any()


def test_what_lies_below_the_horizon_is_no_sky() -> None:
    picture, _ = outdoors((0.45, 0.6, 0.85))
    assert not told(picture, -UP).any()


def test_the_sky_lies_infinitely_far_and_speaks_for_nothing_else() -> None:
    plane = torch.full(SIZE[::-1], 0.5)
    mask = np.zeros(SIZE[::-1], bool)
    mask[:40] = True
    found = sky.settled(Estimate(plane, 100 * plane, 8 * plane), mask, 0.01)
    assert bool((found.rho[:40] == 0.01).all()) and not bool(found.information[:40].any()) and not bool(found.residual[:40].any())
    assert bool((found.rho[40:] == 0.5).all()) and bool((found.information[40:] == 50).all())


def test_ground_in_a_shadow_is_still_and_a_thing_on_it_is_not() -> None:
    """The camera goes 6 px sideways over ground at depth 1; a shadow of 0.45 and a textured thing stay where they were in the picture."""
    shift, rho = 6.0, torch.ones(SIZE[::-1])
    wide = np.exp(0.15 * noise(3, (SIZE[0] + 20, SIZE[1]))) * 110
    here, there = wide[:, 10 : 10 + SIZE[0]].copy(), wide[:, 16 : 16 + SIZE[0]].copy()
    shadow, thing = (slice(20, 70), slice(60, 130)), (slice(80, 125), slice(60, 130))
    for picture in (here, there):
        picture[shadow] *= 0.45
        picture[thing] = 90 * np.exp(0.2 * noise(4)[thing])
    own, other = (shading.detail(np.round(picture.clip(0, 255)).astype(np.uint8)) for picture in (here, there))
    view = View(torch.tensor([FOCAL, FOCAL]), torch.tensor([SIZE[0] / 2, SIZE[1] / 2]), torch.zeros(4), torch.eye(4, dtype=torch.float64))
    relative = torch.eye(4)
    relative[0, 3] = -shift / FOCAL
    moved = torch.from_numpy(rays()).float()
    assert torch.allclose(seen_at(moved[..., 0] + relative[0, 3], moved[..., 1], moved[..., 2], view)[70, 100], torch.tensor([94.0, 70.0]), atol=1e-3)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
    flow = torch.from_numpy(np.stack([x, y], -1))  # which follows the shadow and the thing
    witness = Witness(torch.zeros(3, *SIZE[::-1]), view.spread(SIZE), relative, torch.zeros(1, *SIZE[::-1]))
    seen = [shading.Sighted(witness, flow, torch.from_numpy(other))]
    sure, alike = shading.shaded(torch.from_numpy(own), torch.stack([rho, 0.2 * rho]), moved, seen, rho > 0)
    inner = (slice(26, 64), slice(72, 124)), (slice(86, 119), slice(72, 124))
    assert sure[inner[0]].mean() > 0.9  # though the flow followed its outline
    assert sure[inner[1]].mean() < 0.05
    assert alike[0][inner[0]].mean() > alike[1][inner[0]].mean() + 0.3  # and the right depth tells its texture


def test_exposure_is_told_along_the_flow() -> None:
    """Twice as bright, while something dark comes into the picture: the mean of the pictures would say otherwise."""

    class Two:
        def grey(self, number: int) -> np.ndarray:
            plane = np.full((64, 96), 60 if number == 1 else 120, np.uint8)
            if number == 2:
                plane[:, 48:] = 20
            return plane

    y, x = np.mgrid[:64, :96].astype(np.float32)
    valid = np.zeros((64, 96), bool)
    valid[:, :48] = True
    assert sightings.exposure(Two(), 1, 2, np.stack([x, y], -1), valid) == pytest.approx(0.5)
