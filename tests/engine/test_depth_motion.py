"""Networks and losses of unsupervised depth, motion and intrinsics against what the official code gave."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.nets.depth_resnet import DepthNet
from engine.nets.motion_field import MotionNet
from engine.nets.same import published
from engine.training import motion_losses as m

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"
needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason="the official outputs are not beside the repository")
CLOSE = 1e-4
PARTS = ("predicted_depth", "rotation", "background_translation", "residual_translation", "intrinsics_mat")


@pytest.fixture(scope="module")
def held() -> dict[str, torch.Tensor]:
    with np.load(REFERENCE / "depth_and_motion.npz", allow_pickle=False) as file:
        return {key: torch.from_numpy(np.asarray(file[key])) for key in file.files if key != "in/params"}


@pytest.fixture(scope="module")
def nets() -> tuple[DepthNet, MotionNet]:
    """Both networks with the reference's weights, under their published names."""
    spec = importlib.util.spec_from_file_location("fill", REFERENCE / "fill.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    variables = {}
    for line in (REFERENCE / "state_dicts/li2020_tf1_variables.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        name, _, shape = line.partition(": (")
        wanted = tuple(int(part) for part in shape.rstrip(")").split(",") if part.strip())
        value = made.fill(name, wanted, seed=0, layout="HWIO") * np.float32(0.3 if any(key in name for key in ("disp1", "foci", "offsets")) else 1)
        variables[name] = torch.from_numpy(np.full(wanted, 0.05, np.float32) if "Scales" in name else value)
    out = []
    for net, room in ((DepthNet(), "depth_prediction"), (MotionNet(), "MotionFieldNet")):
        net.load_state_dict(published({name: value for name, value in variables.items() if name.startswith(room)}))
        out.append(net.eval())
    return out[0], out[1]


def rows(values: torch.Tensor) -> torch.Tensor:
    return values.permute(0, 3, 1, 2) if values.ndim == 4 else values


@needs_reference
def test_outputs_of_both_networks(held, nets) -> None:
    depth_net, motion_net = nets
    assert [sum(part.numel() for part in net.parameters()) for net in nets] == [14_325_425, 44_180_049]
    pictures = [rows(held[f"in/rgb{k}"]) for k in (0, 1)]
    with torch.no_grad():
        depths = [depth_net(picture) for picture in pictures]
        seen = [torch.cat(pair, 1) for pair in zip(pictures, depths)]
        found = motion_net(torch.cat([torch.cat(seen, 1), torch.cat(seen[::-1], 1)]))
    for k, half in enumerate((slice(0, 2), slice(2, 4))):
        assert torch.allclose(depths[k], rows(held[f"ep/predicted_depth/{k}"]), atol=CLOSE)
        assert torch.allclose(found.rotation[half], held[f"ep/rotation/{k}"], atol=1e-6)
        assert torch.allclose(found.background[half], rows(held[f"ep/background_translation/{k}"]), atol=1e-6)
        off = (found.residual[half] - rows(held[f"ep/residual_translation/{k}"])).abs().amax(1)
        assert (off > CLOSE).float().mean() < 2e-5  # a pixel at the mean length itself may fall to either side
    lens = held["ep/intrinsics_mat/0"]
    for ours, theirs in ((found.focal, lens[:, [0, 1], [0, 1]]), (found.centre, lens[:, :2, 2])):
        assert torch.allclose(sum(ours.chunk(2)) / 2, theirs, rtol=CLOSE)


@needs_reference
def test_every_loss(held) -> None:
    both = [torch.cat([rows(held[f"ep/{name}/{k}"]) for k in (0, 1)]) for name in PARTS]
    found = m.losses(m.Scene(torch.cat([rows(held["in/rgb0"]), rows(held["in/rgb1"])]), *both))
    weights = {**m.WEIGHTS, "depth_consistency": 0.05, "depth_variance": 1e-6}
    for name, weight in weights.items():
        true = float(held[f"loss/{name}"])
        assert abs(weight * float(found[name]) / true - 1) < CLOSE, name
    assert float((found["proximity"] - held["oe/depth_proximity_weight"]).abs().mean()) < CLOSE
    assert abs(float(m.weigh(found, weights)) - sum(float(held[f"loss/{name}"]) for name in weights)) < CLOSE


def test_still_scene_is_explained_by_the_camera_alone() -> None:
    """A plane seen by a camera that moves sideways: the true motion leaves nothing of the losses, a wrong one does."""
    torch.manual_seed(0)
    wide = torch.nn.functional.interpolate(torch.rand(1, 3, 12, 40), (48, 164), mode="bicubic").clamp(0, 1)
    rgb = torch.cat([wide[..., 4:], wide[..., :-4]])  # the second picture shows what stood 4 px further left
    focal, depth = 80.0, 2.0
    lens = torch.tensor([[focal, 0, 79.5], [0, focal, 23.5], [0, 0, 1]]).expand(2, 3, 3)

    def told(pixels: float) -> dict[str, torch.Tensor]:
        way = torch.tensor([pixels * depth / focal, 0, 0]).view(1, 3, 1, 1)
        still = torch.zeros(2, 3, 48, 160)
        return m.losses(m.Scene(rgb, torch.full((2, 1, 48, 160), depth), torch.zeros(2, 3), torch.cat([way, -way]), still, lens))

    right, wrong = told(4.0), told(-4.0)
    assert float(right["ssim"]) < 1e-3 < 0.05 < float(wrong["ssim"])
    assert float(right["translation_cycle_consistency"]) < 1e-6 and float(right["rotation_cycle_consistency"]) < 1e-6
    assert float(right["motion_drift"]) == 0


def test_thin_networks_take_any_multiple_of_the_stride() -> None:
    picture = torch.rand(2, 3, 64, 96)
    depth = DepthNet(0.125)(picture)
    assert depth.shape == (2, 1, 64, 96) and bool((depth > 0).all())
    motion = MotionNet(0.125)(torch.cat([picture, depth, picture, depth], 1))
    assert motion.residual.shape == (2, 3, 64, 96) and motion.background.shape == (2, 3, 1, 1)
    assert bool((motion.focal > 0).all())


def test_noise_of_the_normalisation_only_in_training() -> None:
    net, picture = DepthNet(0.125), torch.rand(1, 3, 64, 64)
    net.disturb(0.5)
    with torch.no_grad():
        assert torch.equal(net.eval()(picture), net(picture))
        assert not torch.equal(net.train()(picture), net(picture))


def test_optical_flow_tells_which_way() -> None:
    """Before a plane seen from the side, the true motion agrees with the flow, and a still camera is pulled the true way."""
    rgb, lens = torch.rand(2, 3, 48, 160), torch.tensor([[100.0, 0, 80], [0, 100, 24], [0, 0, 1]]).repeat(2, 1, 1)
    flow = torch.zeros(2, 48, 160, 3)
    flow[0, ..., 0], flow[1, ..., 0], flow[..., 2] = 3.0, -3.0, 1.0

    def distance(way: torch.Tensor) -> torch.Tensor:
        scene = m.Scene(rgb, torch.full((2, 1, 48, 160), 2.0), torch.zeros(2, 3), torch.stack([way, -way]).view(2, 3, 1, 1), torch.zeros(2, 3, 48, 160), lens)
        return m.losses(scene, seen_flow=flow)["flow"]

    way = torch.zeros(3, requires_grad=True)
    distance(way + 1e-6).backward()
    assert way.grad[0] < -10 * way.grad[1:].abs().max()
    assert distance(torch.tensor([0.06, 0.0, 0.0])) < 0.05 < 0.7 < distance(torch.zeros(3))
