"""Work that a card records and replays gives what it gives unrecorded; without a card it is simply called."""

from __future__ import annotations

import pytest
import torch

from engine.nets.super_slomo import SuperSloMo
from engine.recorded import Recorded
from engine.slowmo import network


def test_on_the_cpu_it_is_called_each_time() -> None:
    asked = []
    twice = Recorded(lambda x: (asked.append(x) or 2 * x,), torch.device("cpu"))
    assert twice(torch.ones(2))[0].tolist() == [2, 2] and twice(torch.zeros(2))[0].tolist() == [0, 0] and len(asked) == 2


def test_what_fits_on_a_card_is_not_cut() -> None:
    assert network.limits((1280, 720), 40 << 30) == (1280, 16)
    assert network.limits((1920, 1080), 12 << 30) == (1920, 3)
    tile, batch = network.limits((3840, 2160), 6 << 30)
    assert tile == network.TILE and batch == 3
    assert network.limits((3840, 2160), 0) == (network.TILE, 1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="recording needs a graphics card")
def test_a_replay_takes_new_numbers_and_new_shapes() -> None:
    device = torch.device("cuda")
    work = Recorded(lambda x, y: (x @ y, x.sum(0)), device)
    for side in (3, 5, 3):
        x, y = torch.randn(2, side, side, device=device)
        made, total = (part.clone() for part in work(x, y))
        assert torch.allclose(made, x @ y, atol=1e-5) and torch.allclose(total, x.sum(0), atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="recording needs a graphics card")
def test_super_slomo_on_a_card_gives_the_cpu_s_pictures() -> None:
    torch.manual_seed(0)
    net = SuperSloMo().eval()
    first, second = (torch.rand(96, 160, 3).numpy() * 255 for _ in range(2))
    on_cpu = network.Pair(network.Sight(net, torch.device("cpu")), first, second).at([0.25, 0.5, 0.75], 8)
    sight = network.Sight(net.to("cuda", memory_format=torch.channels_last), torch.device("cuda"))
    for _ in range(2):  # recorded, then replayed
        on_card = network.Pair(sight, first, second).at([0.25, 0.5, 0.75], 8)
        assert max(abs(a.astype(int) - b.astype(int)).mean() for a, b in zip(on_cpu, on_card)) < 1
