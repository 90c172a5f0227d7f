"""The scene-flow field, its geometry, losses and gradients against what the official code gave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.nets.scene_flow import SceneFlowField
from engine.training import scene_flow as s

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "scene_flow.npz"
pytestmark = pytest.mark.skipif(not REFERENCE.is_file(), reason="the official outputs are not beside the repository")
CLOSE = 1e-5


@pytest.fixture(scope="module")
def held() -> dict[str, torch.Tensor]:
    with np.load(REFERENCE, allow_pickle=False) as file:
        return {key: torch.from_numpy(np.asarray(file[key])) for key in file.files}


def field_of(held, name: str) -> SceneFlowField:
    start = f"{name}/state_dict/"
    return SceneFlowField.from_state({key[len(start):]: value for key, value in held.items() if key.startswith(start)})


@pytest.fixture(scope="module")
def made(held):
    """Field, sides, pair, flow, trusted mask, time and step of the reference's one pair."""
    def given(name: str) -> torch.Tensor:
        return held[f"geometry/inputs/{name}"]

    field = field_of(held, "google")
    depths = [given(f"depth_{k}").clone().requires_grad_() for k in (1, 2)]
    sides = [s.Side(depth, given("K"), given(f"R{k}_c2w"), given(f"t{k}_c2w")) for k, depth in enumerate(depths, 1)]
    time, step = given("time_stamp_1"), float(given("time_step"))
    pair = s.relate(field, *sides, given("flow_1_2"), time, step, int(given("steps")))
    return field, sides, pair, given("flow_1_2"), given("mask_2")[..., 0].permute(0, 3, 1, 2), time, step


def off(found: torch.Tensor, true: torch.Tensor) -> float:
    """Largest error, relative to the largest value."""
    return float((found.detach() - true).abs().max() / true.abs().max())


def test_both_published_sizes_load_and_count(held) -> None:
    assert sum(part.numel() for part in field_of(held, "google").parameters()) == 297_987
    assert sum(part.numel() for part in field_of(held, "berkanz").parameters()) == 20_643


def test_output_of_the_field(held) -> None:
    found = field_of(held, "google")(held["google/example/xyz"], held["google/example/t"])
    assert off(found, held["google/example/out_raw"]) < CLOSE


def test_geometry(held, made) -> None:
    pair = made[2]
    official = {
        "projection/global_p1": pair.points, "projection/dflow_1_2": pair.flow, "projection/depth_image_1_2": pair.depth,
        "projection/depth_warp_1_2": pair.warped, "projection/sf_1_2": pair.motion, "projection/sf_by_dep_1_2": pair.by_depth[..., None, :],
    }
    for name, found in official.items():
        assert off(found, held[f"geometry/{name}"]) < CLOSE, name


@pytest.mark.parametrize("phase", ["warm", "main"])
def test_losses(held, made, phase) -> None:
    field, sides, pair, flow, trusted, time, step = made
    found = s.losses(pair, sides[0], flow, trusted, phase == "warm")
    for ours, theirs in (("total", "total_loss"), ("flow", "flow_loss_1_2"), ("disparity", "disp_loss_1_2")):
        assert off(found[ours], held[f"geometry/losses/{phase}/{theirs}"]) < CLOSE
    assert off(s.acceleration(field, pair.points, time, step), held["geometry/losses/acc_reg"]) < CLOSE


def test_gradients(held, made) -> None:
    """To 1e-5 where the order of sums is the reference's (two threads); another order turns a few kinks of |x| and the net over."""
    torch.set_num_threads(2)
    _, sides, _, flow, trusted, time, step = made
    field = field_of(held, "google")
    pair = s.relate(field, *sides, flow, time, step, int(held["geometry/inputs/steps"]))
    exact = torch.equal(field(held["google/example/xyz"], held["google/example/t"]), held["google/example/out_raw"])
    total = s.losses(pair, sides[0], flow, trusted, False)["total"] + s.acceleration(field, pair.points, time, step)
    names, parts = zip(*field.named_parameters())
    found = torch.autograd.grad(total, [sides[0].depth, sides[1].depth, *parts], retain_graph=True)
    for name, gradient in zip(["depth_1", "depth_2", *(f"sf.{name}" for name in names)], found):
        assert off(gradient, held[f"geometry/grads/{name}"]) < (CLOSE if exact else 1e-3), name


def test_flow_consistency_masks(held) -> None:
    forward, backward = held["flowmask/flow_1_2"], held["flowmask/flow_2_1"]
    # The published names are crossed: mask 2 lies on the grid of frame 1.
    assert torch.equal(s.occluded(forward, backward).double(), held["flowmask/mask_2_occluded"])
    assert torch.equal(s.occluded(backward, forward).double(), held["flowmask/mask_1_occluded"])
