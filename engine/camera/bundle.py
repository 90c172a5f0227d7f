"""Camera room: all frames and all points adjusted together by pycolmap's Ceres; runs in the mapping child; no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import lens as lens_geometry
from ..geometry import reprojection
from ..geometry.evenly import evenly
from ..geometry.pose import invert
from .tracks import Tracks

Array = NDArray[np.float64]
MODELS = {"SIMPLE_PINHOLE": (), "SIMPLE_RADIAL": (0,), "RADIAL": (0, 1), "OPENCV": (0, 1, 2, 3)}  # which of k1 k2 p1 p2 are free


@dataclass(frozen=True)
class State:
    """Everything that is adjusted. One distortion for all views, and one focal length unless the lens zooms."""

    size: tuple[int, int]
    focal: Array  # [V] px
    distortion: Array  # [4] k1 k2 p1 p2
    pose: Array  # [V, 4, 4] camera_from_world
    posed: NDArray[np.bool_]  # [V]
    points: Array  # [P, 3], one for each track, nan where it has none

    @property
    def centre(self) -> Array:
        """[2] px; the principal point is taken to be the picture's middle."""
        return np.asarray(self.size, np.float64) / 2

    @property
    def bends(self) -> tuple[int, ...]:
        """Which of k1 k2 p1 p2 are unknown: what the shot did not tell was left at 0, but is not known, so k1 always counts."""
        return tuple(sorted({0, *(int(k) for k in np.flatnonzero(self.distortion))}))

    def rays(self, tracks: Tracks) -> Array:
        """[N, 3] in camera axes."""
        return lens_geometry.unproject(tracks.xy, self.focal[tracks.view, None], self.centre, self.distortion)

    def depths(self, tracks: Tracks) -> Array:
        """[N] how far before its camera each observation's point lies; nan where there is none."""
        return np.einsum("nj,nj->n", self.pose[tracks.view, 2, :3], self.points[tracks.track]) + self.pose[tracks.view, 2, 3]

    def errors(self, tracks: Tracks) -> Array:
        """Reprojection error [N] px; inf where there is no pose, no point, or the point lies behind."""
        pose, (x, y, z) = self.pose[:, :3].transpose(1, 2, 0).take(tracks.view, 2), self.points.T.take(tracks.track, 1)
        x, y, z = pose[:, 0] * x + pose[:, 1] * y + pose[:, 2] * z + pose[:, 3]
        near, focal = 1 / np.where(np.abs(z) < 1e-12, 1e-12, z), self.focal[tracks.view]
        x, y = lens_geometry.bent(x * near, y * near, self.distortion)
        error = np.hypot(x * focal + self.centre[0] - tracks.xy[:, 0], y * focal + self.centre[1] - tracks.xy[:, 1])
        return np.where((z > 1e-6) & self.posed[tracks.view] & np.isfinite(error), error, np.inf)


def spread(state: State, most: int) -> NDArray[np.bool_]:
    """`most` of the posed views [V], evenly spread; all where there are no more."""
    posed, some = np.flatnonzero(state.posed), np.zeros_like(state.posed)
    some[posed[evenly(len(posed), most)]] = True
    return some


def triangulated(state: State, tracks: Tracks, limit: float, parallax: float = 2e-3, rounds: int = 3, least: int = 3) -> State:
    """The state with a point for every track that at least `least` posed views see within `limit` px of each other's word.

    Observations that disagree are left out one by one: the worst of each track in each round.
    """
    count = max(len(state.points), int(tracks.track.max(initial=-1)) + 1)
    use, rays, place = state.posed[tracks.view], state.rays(tracks), invert(state.pose)
    points, error, open_ = np.full((count, 3), np.nan), np.full(len(use), np.inf), np.ones(count, bool)
    for _ in range(rounds):
        rows = np.flatnonzero(open_[tracks.track])
        seen, number = rows[use[rows]], np.cumsum(open_) - 1
        points[open_] = reprojection.triangulate(rays[seen], place, number[tracks.track[seen]], tracks.view[seen], np.count_nonzero(open_))
        error[rows] = replace(state, points=points).errors(tracks.where(rows))
        bad = use & (error > limit)
        if not bad.any():
            break
        worst = np.zeros(count)
        np.maximum.at(worst, tracks.track[use], np.minimum(error[use], 1e9))
        out = bad & (error >= np.minimum(worst, 1e9)[tracks.track])
        use, open_ = use & ~out, np.bincount(tracks.track[out], minlength=count) > 0
    good = error < limit
    seen = np.bincount(tracks.track[good], minlength=count)
    of_track = np.bincount(tracks.track[state.posed[tracks.view]], minlength=count)
    angle = reprojection.parallax(points, place[:, :3, 3], tracks.track[good], tracks.view[good])
    # A track most of which disagrees moves by itself, and its agreeing part is chance.
    keep = (seen >= least) & (seen >= 0.7 * of_track) & (angle > parallax)
    return replace(state, points=np.where(keep[:, None], points, np.nan))


def carrying(tracks: Tracks, use: NDArray[np.bool_], per_view: int, mixed: bool = False) -> NDArray[np.bool_]:
    """Observations [N] of as few tracks in `use` as give each view `per_view` of them, the longest first.

    More tracks cost time and hardly sharpen the camera; long ones hold it together. Those of things nearby are short: `mixed`, long
    ones are only likelier to come first.
    """
    rows = np.flatnonzero(use)
    count = np.bincount(tracks.track[rows], minlength=int(tracks.track.max(initial=-1)) + 1)
    late = np.random.default_rng(0).exponential(size=len(count)) / np.maximum(count, 1) if mixed else -count
    turn = np.empty(len(count), np.int64)
    turn[np.argsort(late, kind="stable")] = np.arange(len(count))
    # A track is left out only where all its views are full, so whoever comes among the first of any view is taken.
    order = rows[np.argsort(tracks.view[rows] * len(count) + turn[tracks.track[rows]], kind="stable")]
    place = np.arange(len(order)) - np.searchsorted(tracks.view[order], tracks.view[order])
    taken = np.zeros(len(count), bool)
    taken[tracks.track[order[place < per_view]]] = True
    return use & taken[tracks.track]


def adjusted(
    pycolmap: Any, state: State, tracks: Tracks, use: NDArray[np.bool_], loss: float, model: str,
    known: bool = False, zoom: bool = False, rounds: int = 30, fixed: bool = False,
) -> State:
    """Poses, points and lens that minimise a Cauchy loss of the reprojection error of the observations in `use` [N].

    A `known` focal length is kept; with a `fixed` lens its distortion too.
    """
    scene, of_track = _scene(pycolmap, state, tracks, use, model, zoom)
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    options.refine_focal_length = not (known or fixed)  # OPENCV frees one for each axis
    options.refine_extra_params = model != "SIMPLE_PINHOLE" and not fixed
    ceres = options.ceres
    ceres.loss_function_type, ceres.loss_function_scale = pycolmap.LossFunctionType.CAUCHY, loss
    ceres.solver_options.max_num_iterations, ceres.solver_options.num_threads = rounds, 1
    ceres.solver_options.function_tolerance = 1e-6
    pycolmap.bundle_adjustment(scene, options)
    pose, points = state.pose.copy(), np.full_like(state.points, np.nan)
    for view in np.flatnonzero(state.posed):
        pose[view, :3] = scene.images[int(view) + 1].cam_from_world().matrix()
    for track, name in of_track.items():
        points[track] = scene.points3D[name].xyz  # those that were not adjusted are triangulated afresh by the caller
    lenses = np.array([camera.params for _, camera in sorted(scene.cameras.items())])
    focal = state.focal.copy()
    focal[state.posed if zoom else slice(None)] = lenses[:, 0] if zoom else lenses[0, 0]
    distortion = np.zeros(4)
    distortion[list(MODELS[model])] = np.median(lenses, axis=0)[4 if model == "OPENCV" else 3 :]
    return replace(state, pose=pose, points=points, focal=focal, distortion=distortion)


def _camera(pycolmap: Any, state: State, model: str, view: int, name: int = 1) -> Any:
    (width, height), (x, y) = state.size, state.centre
    focal = [state.focal[view]] * (2 if model == "OPENCV" else 1)
    extra = list(state.distortion[list(MODELS[model])])
    return pycolmap.Camera(model=model, width=width, height=height, params=[*focal, x, y, *extra], camera_id=name)


def _scene(pycolmap: Any, state: State, tracks: Tracks, use: NDArray[np.bool_], model: str, zoom: bool) -> tuple[Any, dict[int, int]]:
    """The state as a reconstruction of pycolmap's, and the name of each track's point in it."""
    scene = pycolmap.Reconstruction()
    for view in np.flatnonzero(state.posed)[: None if zoom else 1]:
        scene.add_camera_with_trivial_rig(_camera(pycolmap, state, model, int(view), int(view) + 1 if zoom else 1))
    chosen = tracks.where(tracks.shared(use & state.posed[tracks.view] & np.isfinite(state.points[tracks.track, 0])))
    for view, rows in enumerate(chosen.views(len(state.posed))):
        if state.posed[view]:
            image = pycolmap.Image(name=f"{view:06d}", keypoints=chosen.xy[rows], camera_id=view + 1 if zoom else 1, image_id=view + 1)
            scene.add_image_with_trivial_frame(image, pycolmap.Rigid3d(state.pose[view, :3]))
    order = np.argsort(chosen.track, kind="stable")
    within = np.arange(len(chosen.view)) - np.searchsorted(chosen.view, chosen.view)
    edges = np.flatnonzero(np.diff(chosen.track[order], prepend=-1, append=-2))
    of_track = {}
    for start, stop in zip(edges[:-1], edges[1:]):
        rows = order[start:stop]
        track = pycolmap.Track()
        for view, row in zip(chosen.view[rows].tolist(), within[rows].tolist()):
            track.add_element(view + 1, row)
        name = int(chosen.track[rows[0]])
        of_track[name] = scene.add_point3D(state.points[name], track)
    return scene, of_track
