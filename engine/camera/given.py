"""Camera room: a camera that comes from elsewhere, in place of a solve: read, checked against the clip, and given points; no torch, no pycolmap.

Known: a text model of COLMAP (cameras.txt, images.txt) and a .chan of Nuke (order ZXY, Y up).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..failures import RequestFailure
from ..geometry import lens
from ..geometry.camera import Camera
from ..geometry.evenly import nearest
from ..geometry.pose import invert, pose, rotation_from_quaternion
from ..stage import Report
from . import bundle, formats, telling
from .bundle import State
from .footage import Footage
from .outcome import Outcome
from .tracks import Tracks

Array = NDArray[np.float64]
# Where each of our fx fy cx cy k1 k2 p1 p2 stands among the parameters of a COLMAP camera; -1 is 0.
MODELS = {
    "SIMPLE_PINHOLE": (0, 0, 1, 2, -1, -1, -1, -1), "PINHOLE": (0, 1, 2, 3, -1, -1, -1, -1), "SIMPLE_RADIAL": (0, 0, 1, 2, 3, -1, -1, -1),
    "RADIAL": (0, 0, 1, 2, 3, 4, -1, -1), "OPENCV": (0, 1, 2, 3, 4, 5, 6, 7),
}
FITS = 1.5e-3  # of the width, by which a track may miss its point
FAR = 5.0  # units at which directions seen from one place are laid


def outcome(footage: Footage, path: Path, focal: float, count: int, report: Report) -> Outcome:
    """The camera of a file, with points where the clip's tracks, `count` at a time, meet in it; `focal` in px of the clip's frames, as in `read`."""
    frames = footage.frames
    camera = read(path, frames.numbers, frames.size, focal)
    tables: list[telling.Table] = []
    agree, first, done = 0.0, 0, 0
    for part in frames.spans():
        rows = np.searchsorted(frames.numbers, part)
        tracks = footage.followed(part, count, lambda view, done=done: report.progress(done + view, len(frames), "following points")).long(3)
        xyz, point, seen, share = points(camera, rows, tracks, footage.size)
        tables.append((xyz, point + first, rows[seen.view], seen.xy * footage.factor, np.zeros_like(seen.xy)))
        agree += share * len(part) / len(frames)
        first, done = first + len(xyz), done + len(part)
    still = np.ptp(camera.place[camera.solved], axis=0).max() == 0
    about = {
        "method": f"given by {path.name}", "motion": "tripod" if still else "free", "lens": "known", "working_size": list(footage.size), "diagnosis": {},
        "keyframes": telling.some(frames), "world": "given" if path.suffix.lower() == ".chan" else "any",
        "spans": [{"first": frames.numbers[0], "last": frames.numbers[-1], "solved": True}], "agreement": round(agree, 3),
    }
    return telling.told(frames, camera, tables, about)


def read(path: Path, numbers: list[int], size: tuple[int, int], focal: float) -> Camera:
    """The camera of a file on the clip's frames `numbers`, for pictures of `size`; frames that it does not hold stay unsolved.

    `focal` (px at `size`) serves a .chan that tells no field of view.
    """
    try:
        chan = path.suffix.lower() == ".chan"
        rows = _chan(path, size, focal) if chan else _colmap(path if path.is_dir() else path.parent, size)
    except (OSError, UnicodeDecodeError) as error:
        raise unusable(f"It cannot be read: {error}.") from None
    except (ValueError, IndexError) as error:
        raise unusable(f"{path.name} is no .chan and no text model of COLMAP that can be understood ({error}).") from None
    held = sorted(set(rows) & set(numbers))
    if len(held) < min(3, len(numbers)):
        had = f"frames {min(rows)} to {max(rows)}" if rows else "no frame"
        raise unusable(f"It holds {had}; the clip has frames {numbers[0]} to {numbers[-1]}.")
    if not all(np.isfinite(part).all() for frame in held for part in rows[frame]):
        raise unusable("A number in it is not finite.")
    known = np.isin(numbers, held)
    filled = nearest(known)
    table = np.array([rows[numbers[k]][1] for k in filled])
    poses = np.array([rows[numbers[k]][0] for k in filled])
    return Camera(np.array(numbers), poses, table[:, :2], table[:, 2:4], table[:, 4:], known, size)


def unusable(why: str) -> RequestFailure:
    """The one failure of a camera file."""
    return RequestFailure(
        "camera-file", "The camera file cannot be used.", why,
        "Give a COLMAP text model (its images.txt, beside cameras.txt) or a Nuke .chan whose frame numbers are the clip's, or let the camera be solved.",
        {"solve": {"camera_file": ""}},
    )


def _colmap(folder: Path, size: tuple[int, int]) -> dict[int, tuple[Array, Array]]:
    """Frame number -> pose and lens (fx fy cx cy k1 k2 p1 p2 at `size`); the number is the last in the picture's name."""
    lenses = {}
    for words in _lines(folder / "cameras.txt"):
        if words:
            lenses[words[0]] = _lens(words, size)
    rows = {}
    for words in _lines(folder / "images.txt")[::2]:
        if words:
            values = np.array([float(word) for word in words[1:8]])
            name = " ".join(words[9:])
            digits = "".join(letter if letter.isdigit() else " " for letter in Path(name).stem).split()
            if not digits:
                raise ValueError(f"the picture '{name}' has no number")
            rows[int(digits[-1])] = (invert(pose(rotation_from_quaternion(values[:4]), values[4:])), lenses[_known(words[8], lenses)])
    return rows


def _lines(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def _known(name: str, lenses: dict[str, Array]) -> str:
    if name not in lenses:
        raise ValueError(f"cameras.txt has no camera {name}")
    return name


def _lens(words: list[str], size: tuple[int, int]) -> Array:
    model, width, height = words[1], float(words[2]), float(words[3])
    if model not in MODELS:
        raise ValueError(f"the lens model {model} is not among {', '.join(MODELS)}")
    if not np.isfinite([width, height]).all() or abs(width / height * size[1] / size[0] - 1) > 0.01:
        raise ValueError(f"its pictures are {width:.0f} x {height:.0f} px, the clip's {size[0]} x {size[1]}")
    values = np.array([float(word) for word in words[4:]])
    if len(values) != max(MODELS[model]) + 1 or not values[0] > 0:
        raise ValueError(f"camera {words[0]} has {len(values)} parameters")
    lens_of = np.array([values[k] if k >= 0 else 0.0 for k in MODELS[model]])
    lens_of[:4] *= size[0] / width
    return lens_of


def _chan(path: Path, size: tuple[int, int], focal: float) -> dict[int, tuple[Array, Array]]:
    table = [[float(word) for word in words] for words in _lines(path) if words]
    if not table or len({len(row) for row in table}) > 1 or len(table[0]) not in (7, 8):
        raise ValueError("each line must hold frame, three of place, three of turn, and the vertical field of view")
    values = np.array(table)
    if values.shape[1] == 7 and not focal:
        raise ValueError("it tells no field of view: give the focal length beside it")
    length = focal if values.shape[1] == 7 else size[1] / 2 / np.tan(np.radians(values[:, 7]) / 2)
    length = np.broadcast_to(length, len(values))
    if not (length > 0).all():
        raise ValueError("a field of view is not between 0 and 180 degrees")
    poses = np.linalg.inv(formats.Y_UP) @ pose(formats.turn_of(values[:, 4:7]), values[:, 1:4]) @ formats.OPENGL
    middle = [size[0] / 2, size[1] / 2, 0, 0, 0, 0]
    return {int(frame): (matrix, np.array([f, f, *middle])) for frame, matrix, f in zip(values[:, 0], poses, length)}


def points(camera: Camera, rows: NDArray[np.int64], tracks: Tracks, size: tuple[int, int]) -> tuple[Array, NDArray[np.int64], Tracks, float]:
    """Points [P, 3] of the tracks (px at `size`, one view for each of `rows`) in the camera's world, the point [N] of each
    observation that fits, those observations, and the part of the still tracks that fit.
    """
    small = camera.scaled(size)
    focal = small.focal[rows, 0]
    # The tracks as a lens without faults would have seen them, which is the one that a State can hold.
    ideal = lens.undistort((tracks.xy - small.centre[rows][tracks.view]) / small.focal[rows][tracks.view], small.distortion[rows][tracks.view])
    plain = replace(tracks, xy=ideal * focal[tracks.view, None] + np.asarray(size) / 2)
    count = int(tracks.track.max(initial=-1)) + 1
    state = State(size, focal, np.zeros(4), camera.camera_from_world[rows], camera.solved[rows], np.full((count, 3), np.nan))
    still, limit = ~plain.moving & state.posed[plain.view], max(0.7, FITS * size[0])
    if np.ptp(camera.place[rows][state.posed], axis=0).max(initial=0) == 0:
        state = replace(state, points=_directions(state, plain))
    else:
        state = bundle.triangulated(state, plain, limit)
    fits = (state.errors(plain) < limit) & np.isfinite(state.points[plain.track, 0])
    named, again = np.unique(plain.track[fits], return_inverse=True)
    return state.points[named], again, tracks.where(fits), float(fits[still].mean()) if still.any() else 0.0


def _directions(state: State, tracks: Tracks) -> Array:
    """Points [P, 3] far out on the first ray of each track: all that a camera without travel can tell."""
    out = np.full_like(state.points, np.nan)
    first = np.unique(tracks.track, return_index=True)[1]
    first = first[state.posed[tracks.view[first]]]
    world = invert(state.pose)[tracks.view[first]]
    rays = state.rays(tracks.where(np.isin(np.arange(len(tracks.track)), first)))
    order = np.argsort(np.argsort(first))
    rays = rays[order] / np.linalg.norm(rays[order], axis=1, keepdims=True)
    out[tracks.track[first]] = np.einsum("nij,nj->ni", world[:, :3, :3], rays) * FAR + world[:, :3, 3]
    return out
