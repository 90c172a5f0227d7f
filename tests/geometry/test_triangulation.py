"""Closed-form depth, the fill and the stand of movers, against scenes that can be written down."""

from __future__ import annotations

import numpy as np
import torch

from engine.geometry import contact
from engine.geometry.fill import fill
from engine.geometry.lens import rays as lens_rays
from engine.geometry.pose import pose, rotation_from_vector
from engine.geometry.triangulation import inverse_depth, sight

SIZE = (64, 48)
FOCAL = 60.0


def _rays() -> torch.Tensor:
    return torch.from_numpy(lens_rays(SIZE, SIZE, np.full(2, FOCAL), np.array(SIZE) / 2, np.zeros(4))).float()


def _held(rho: torch.Tensor, noise: float = 0.0, bad: int = 0):
    """Six neighbours on a curved path; `bad` of them see rubbish."""
    generator = torch.Generator().manual_seed(5)
    rays, seen, poses = _rays(), [], []
    for k in (-3, -2, -1, 1, 2, 3):
        relative = pose(rotation_from_vector(np.array([0.01, 0.02, -0.01]) * k), np.array([0.12, 0.01 * k, 0.05]) * k)
        turned = rays @ torch.from_numpy(relative[:3, :3].T).float() + rho[..., None] * torch.from_numpy(relative[:3, 3]).float()
        place = turned[..., :2] / turned[..., 2:]
        place = place + noise / FOCAL * torch.randn(place.shape, generator=generator)
        seen.append(place + (0.2 if len(seen) < bad else 0.0))
        poses.append(torch.from_numpy(relative).float())
    count = len(seen)
    return sight(rays, torch.stack(seen), torch.stack(poses), torch.full((count,), FOCAL), torch.ones(count, SIZE[1], SIZE[0]))


def test_exact_flow_gives_exact_depth() -> None:
    rho = 0.1 + 0.4 * torch.rand(SIZE[1], SIZE[0], generator=torch.Generator().manual_seed(1))
    found = inverse_depth(_held(rho), 0.5, 1e-3, 5.0)
    assert float(((found.rho - rho).abs() / rho).max()) < 2e-3
    assert float(found.residual.max()) < 0.02


def test_two_wrong_neighbours_of_six_are_outvoted() -> None:
    rho = torch.full((SIZE[1], SIZE[0]), 0.3)
    found = inverse_depth(_held(rho, bad=2), 0.5, 1e-3, 5.0, rounds=8)
    assert float(((found.rho - rho).abs() / rho).median()) < 0.02
    assert float(found.residual.min()) > 2.0  # and the disagreement is not hidden


def test_the_error_is_as_large_as_it_says() -> None:
    rho = torch.full((SIZE[1], SIZE[0]), 0.3)
    found = inverse_depth(_held(rho, noise=0.4), 0.5, 1e-3, 5.0)
    normalised = (found.rho - rho) * found.information.sqrt()
    assert 0.3 < float(normalised.std()) < 1.2


def test_fill_goes_to_the_edge_of_the_colour_and_no_further() -> None:
    guide = torch.zeros(3, 48, 64)
    guide[:, :, 30:] = 0.8
    measured, weight = torch.zeros(48, 64), torch.zeros(48, 64)
    measured[:, :30], measured[:, 30:] = 1.0, 2.0
    weight[20:24, 4:8] = weight[20:24, 50:54] = 100.0
    filled = fill(measured, weight, guide, 1.0, rounds=60)
    assert float((filled[:, :28] - 1).abs().max()) < 0.15
    assert float((filled[:, 32:] - 2).abs().max()) < 0.15


def test_fill_leaves_sure_pixels_alone() -> None:
    measured = torch.rand(31, 45, generator=torch.Generator().manual_seed(2))
    filled = fill(measured, torch.full((31, 45), 1e6), torch.rand(3, 31, 45), 1.0)
    assert float((filled - measured).abs().max()) < 1e-3


def _floor() -> tuple[np.ndarray, np.ndarray]:
    """Inverse depth of a floor 1.5 below a level camera, and the rays."""
    rays = _rays().numpy()
    return np.maximum(rays[..., 1] / 1.5, 0.05).astype(np.float32), rays


def test_a_mover_stands_where_its_feet_are() -> None:
    rho, rays = _floor()
    piece = np.zeros(rho.shape, bool)
    piece[20:41, 28:34] = True
    found = contact.stand(piece, ~piece, rho, np.ones_like(rho), rays, np.array([[0.0, -1.0, 0.0]]))
    assert found.kind == "ground" and found.sure == 1.0
    assert abs(found.rho - rho[40, 30]) < 0.02 * found.rho


def test_a_mover_before_a_wall_is_only_before_it() -> None:
    rho, rays = np.full((48, 64), 0.2, np.float32), _floor()[1]
    piece = np.zeros(rho.shape, bool)
    piece[10:30, 28:34] = True
    found = contact.stand(piece, ~piece, rho, np.ones_like(rho), rays, np.array([[0.0, -1.0, 0.0]]))
    assert found.kind == "front" and found.sure < 0.5
    assert found.rho > 0.2


def test_a_leap_does_not_move_the_stand() -> None:
    frames = np.arange(30.0)
    true = 0.2 + 0.003 * frames
    told = true.copy()
    told[[9, 10, 20]] *= 0.6  # in the air: the lowest point is seen against floor far behind
    smooth = contact.smooth_log(frames, told, np.ones(30))
    assert np.abs(smooth / true - 1).max() < 0.06


def test_pieces_keep_their_names() -> None:
    links = [np.array([[50, 0], [3, 40]]), np.array([[0], [30]])]
    assert [list(names) for names in contact.chains(links, [2, 2, 1])] == [[0, 1], [0, 1], [1]]
