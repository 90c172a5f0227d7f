"""What was lost and is seen again becomes one track, at the same place; what only looks alike does not."""

from __future__ import annotations

import cv2
import numpy as np

from engine.camera import loops
from engine.camera.following import follow
from engine.camera.tracks import Tracks
from engine.synth.shots import SHOTS, render_scene

SIZE = (480, 270)


def apart(first: np.ndarray, second: np.ndarray) -> Tracks:
    """Tracks of three views of one picture and three of another, with nothing in common."""
    one, two = (follow([picture] * 3, [None] * 3, 500) for picture in (first, second))
    return Tracks(
        np.concatenate([one.track, two.track + one.track.max() + 1]), np.concatenate([one.view, two.view + 3]),
        np.concatenate([one.xy, two.xy]), np.concatenate([one.moving, two.moving]),
    )


def grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def test_a_returning_shot_is_joined_where_it_is_the_same() -> None:
    scene = SHOTS["orbit"](40)
    shot = render_scene("orbit", scene, 2, SIZE, 1)
    first, second = (grey(picture) for picture in shot.pictures)
    tracks = apart(first, second)
    joined, count = loops.closed(tracks, 6, lambda view: first if view < 3 else second)
    assert count > 80 and len(np.unique(joined.track)) == len(np.unique(tracks.track)) - count
    assert (np.bincount(joined.view * (joined.track.max() + 1) + joined.track) <= 1).all()  # one place in each view
    a, b = joined.pair(joined.views(6)[0], joined.views(6)[5])
    x, y = np.floor(joined.xy[a]).astype(int).T
    still = ~shot.moving[0][y, x] & shot.visible[0][y, x]
    off = np.linalg.norm(joined.xy[a] + shot.flow[0][y, x] - joined.xy[b], axis=1)[still]
    assert len(off) > 60 and np.median(off) < 0.2 and (off < 1).mean() > 0.95
    again, none = loops.closed(joined, 6, lambda view: first if view < 3 else second)
    assert none < 0.1 * count


def test_two_places_are_not_joined() -> None:
    first, second = (grey(render_scene(name, SHOTS[name](40), 1, SIZE, 1).pictures[0]) for name in ("orbit", "stairs"))
    tracks = apart(first, second)
    same, count = loops.closed(tracks, 6, lambda view: first if view < 3 else second)
    assert count == 0 and same is tracks
