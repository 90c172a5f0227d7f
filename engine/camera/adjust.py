"""Camera room: our own bundle adjustment, for what pycolmap's cannot do: a camera that only turns, a lens that zooms; numpy and scipy.

Levenberg and Marquardt's method on a Cauchy loss, the points eliminated (Triggs et al. 2000, Bundle adjustment, section 6).
A turning camera has no translations: its points are directions. A zooming lens has a focal length for every view, held smooth.
It also gives the uncertainty of what it found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from ..geometry import lens
from ..geometry.pose import rotation_from_vector, skew
from ..geometry.reprojection import sum_by
from .bundle import State, carrying
from .tracks import Tracks

Array = NDArray[np.float64]
USUAL, ROUND = 0.5, 0.1  # sigmas of log focal length and of the distortion's numbers before a shot is seen


@dataclass(frozen=True)
class Bundle:
    """What is adjusted; every view is posed. A view's unknowns: turn (3), place (3, unless turning), log focal (1, if zooming)."""

    rotation: Array  # [V, 3, 3] camera from world
    translation: Array  # [V, 3]
    log_focal: Array  # [V] of focal length in px
    distortion: Array  # [4] k1 k2 p1 p2
    points: Array  # [P, 3]
    centre: Array  # [2] px
    turning: bool = False
    zooming: bool = False
    free: tuple[int, ...] = (0,)  # which of k1 k2 p1 p2 are
    known: bool = False  # the focal length is given
    smooth: float = 0.004  # change of log focal per view and view that counts as one sigma, if zooming
    usual: float | None = None  # log of a usual focal length, believed only where the shot says nothing (a zoom without any turn)

    @property
    def own(self) -> int:
        """Unknowns of each view."""
        return 3 + 3 * (not self.turning) + self.zooming

    @property
    def shared(self) -> int:
        """Unknowns of all views together: log focal, distortion."""
        return int(not self.zooming and not self.known) + len(self.free)

    def residuals(self, tracks: Tracks) -> Array:
        """[N, 2] px."""
        return self._project(tracks)[0] - tracks.xy

    def _project(self, tracks: Tracks) -> tuple[Array, Array, Array, Array, Array]:
        turned = np.einsum("nij,nj->ni", self.rotation[tracks.view], self.points[tracks.track])
        local = turned + self.translation[tracks.view]
        depth = np.where(np.abs(local[:, 2]) < 1e-9, 1e-9, local[:, 2])
        flat = local[:, :2] / depth[:, None]
        focal = np.exp(self.log_focal[tracks.view])
        return lens.distort(flat, self.distortion) * focal[:, None] + self.centre, local, flat, (flat**2).sum(1), focal

    def jacobians(self, tracks: Tracks) -> tuple[Array, Array, Array]:
        """Of the residuals by the view's unknowns [N, 2, own], the shared ones [N, 2, shared], and the point [N, 2, 3]."""
        xy, local, flat, r2, focal = self._project(tracks)
        bent = lens.distort_jacobian(flat, self.distortion) * focal[:, None, None]
        depth = np.where(np.abs(local[:, 2]) < 1e-9, 1e-9, local[:, 2])
        plane = np.zeros((len(flat), 2, 3))
        plane[:, 0, 0] = plane[:, 1, 1] = 1 / depth
        plane[:, :, 2] = -flat / depth[:, None]
        by_local = bent @ plane
        turned = local - self.translation[tracks.view]
        own = [by_local @ -skew(turned)] + ([] if self.turning else [by_local])
        by_focal = (xy - self.centre)[:, :, None]
        own += [by_focal] if self.zooming else []
        shared = [by_focal] if not self.zooming and not self.known else []
        x, y = flat.T
        by_lens = (flat * r2[:, None], flat * r2[:, None] ** 2, np.stack([2 * x * y, r2 + 2 * y * y], 1), np.stack([r2 + 2 * x * x, 2 * x * y], 1))
        shared += [(by_lens[k] * focal[:, None])[:, :, None] for k in self.free]
        empty = np.zeros((len(flat), 2, 0))
        return np.concatenate(own, 2), np.concatenate([*shared, empty], 2), by_local @ self.rotation[tracks.view]

    def moved(self, step: Array, points: Array) -> Bundle:
        """After a step of all unknowns and of the points."""
        views = len(self.rotation)
        own = step[: views * self.own].reshape(views, self.own)
        shared = step[views * self.own :]
        place = self.translation if self.turning else self.translation + own[:, 3:6]
        focal, distortion = self.log_focal, self.distortion.copy()
        if self.zooming:
            focal = focal + own[:, -1]
        elif not self.known:
            focal, shared = focal + shared[0], shared[1:]
        distortion[list(self.free)] += shared
        fresh = self.points + points
        if self.turning:
            fresh = fresh / np.linalg.norm(fresh, axis=1, keepdims=True)
        return replace(self, rotation=rotation_from_vector(own[:, :3]) @ self.rotation, translation=place, log_focal=focal, distortion=distortion, points=fresh)


def of_state(state: State, tracks: Tracks, use: NDArray[np.bool_], per_view: int, **more: Any) -> tuple[Bundle, Tracks, NDArray[np.int64]]:
    """A travelling bundle of `per_view` observations in `use` [N] of each posed view, those observations, and which views these are."""
    few = tracks.where(carrying(tracks, use & state.posed[tracks.view], per_view))
    posed = np.flatnonzero(state.posed)
    number, again = np.unique(few.track, return_inverse=True)
    few = replace(few, track=again, view=np.searchsorted(posed, few.view))
    start = Bundle(
        state.pose[posed, :3, :3], state.pose[posed, :3, 3], np.log(state.focal[posed]), state.distortion, state.points[number], state.centre,
        usual=float(np.log(max(state.size))), **more,
    )
    return start, few, posed


def adjust(bundle: Bundle, tracks: Tracks, loss: float, rounds: int = 25) -> tuple[Bundle, float | None]:
    """The bundle that minimises the Cauchy loss (scale `loss` px) of its residuals, and the standard error of its log focal length."""
    damping, best = 1e-6, _cost(bundle, tracks, loss)
    for _ in range(rounds):
        system = System(bundle, tracks, loss)
        for _ in range(6):
            trial = bundle.moved(*system.step(damping))
            cost = _cost(trial, tracks, loss)
            if cost < best:
                break
            damping *= 10
        else:
            break
        gain, bundle, best, damping = (best - cost) / best, trial, cost, max(damping / 10, 1e-10)
        if gain < 1e-6:
            break
    return bundle, System(bundle, tracks, loss).focal_sigma()


def _cost(bundle: Bundle, tracks: Tracks, loss: float) -> float:
    square = (bundle.residuals(tracks) ** 2).sum(1)
    cost = float((loss**2 * np.log1p(square / loss**2)).sum())
    if bundle.zooming:
        bend = np.diff(bundle.log_focal, 2) / bundle.smooth
        cost += loss**2 * float(np.log1p(bend**2).sum())
    if bundle.usual is not None:
        cost += (loss / USUAL) ** 2 * float(((bundle.log_focal - bundle.usual) ** 2).mean()) + (loss / ROUND) ** 2 * float((bundle.distortion**2).sum())
    return cost


class System:
    """The normal equations at one point, points eliminated."""

    def __init__(self, bundle: Bundle, tracks: Tracks, loss: float) -> None:
        self.bundle, views, own, shared = bundle, len(bundle.rotation), bundle.own, bundle.shared
        residual = bundle.residuals(tracks)
        weight = np.sqrt(1 / (1 + (residual**2).sum(1) / loss**2))
        a, s, p = bundle.jacobians(tracks)
        a, s, p, residual = (x * weight.reshape(-1, *[1] * (x.ndim - 1)) for x in (a, s, p, residual))
        self.size = views * own + shared
        columns = np.concatenate(
            [tracks.view[:, None] * own + np.arange(own), np.broadcast_to(views * own + np.arange(shared), (len(tracks.view), shared))], 1
        )
        left = _rows(np.concatenate([a, s], 2), columns, self.size)
        right = _rows(p, tracks.track[:, None] * 3 + np.arange(3), 3 * len(bundle.points))
        flat = residual.reshape(-1)
        self.normal, self.gradient = (left.T @ left).tolil(), left.T @ flat
        self.cross = (left.T @ right).tocsr()
        self.blocks = sum_by(tracks.track, np.einsum("nki,nkj->nij", p, p), len(bundle.points))
        self.point_gradient = (right.T @ flat).reshape(-1, 3)
        self.spread = float((residual**2).sum() / max(residual.size - self.size - 2 * len(bundle.points), 1))
        if bundle.zooming:
            self._hold_zoom(views, own, loss)
        if bundle.usual is not None:
            self._hold_usual(views, own, loss)
        self.normal = self.normal.tocsr()
        # A track that slipped once stays where it slipped to: its errors count as one, not as many.
        self.length = len(tracks.track) / max(len(np.unique(tracks.track)), 1)

    def _hold_usual(self, views: int, own: int, loss: float) -> None:
        """Next to nothing, but enough where nothing else tells focal length or distortion."""
        bundle, diagonal, pull = self.bundle, np.zeros(self.size), np.zeros(self.size)
        at = np.arange(views) * own + own - 1 if bundle.zooming else np.arange(views * own, views * own + (not bundle.known))
        diagonal[at] = (loss / USUAL) ** 2 / max(len(at), 1)
        pull[at] = bundle.log_focal[: len(at)] - bundle.usual
        tail = slice(self.size - len(bundle.free), self.size)
        diagonal[tail], pull[tail] = (loss / ROUND) ** 2, bundle.distortion[list(bundle.free)]
        self.normal = self.normal.tocsr() + sparse.diags(diagonal)
        self.gradient = self.gradient + diagonal * pull

    def _hold_zoom(self, views: int, own: int, loss: float) -> None:
        """A zoom is smooth, though it may jump: Cauchy loss on the second difference."""
        at = np.arange(views) * own + own - 1
        bend = np.diff(self.bundle.log_focal, 2) / self.bundle.smooth
        weight = loss**2 / self.bundle.smooth**2 / (1 + bend**2)
        picked = sparse.csr_matrix((np.ones(views), (np.arange(views), at)), (views, self.size))
        second = sparse.diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(views - 2, views)) @ picked
        self.normal = (self.normal.tocsr() + second.T @ sparse.diags(weight) @ second).tolil()
        self.gradient = self.gradient + second.T @ (weight * (second[:, at] @ self.bundle.log_focal))

    def step(self, damping: float) -> tuple[Array, Array]:
        """The damped Gauss-Newton step of the unknowns [C] and the points [P, 3]."""
        blocks, reduced = self.reduced(damping)
        inverse_gradient = np.einsum("pij,pj->pi", blocks, self.point_gradient)
        right = self.gradient - self.cross @ inverse_gradient.reshape(-1)
        step = -splu(reduced.tocsc()).solve(right)
        points = -inverse_gradient - np.einsum("pij,pj->pi", blocks, (self.cross.T @ step).reshape(-1, 3))
        return step, points

    def reduced(self, damping: float) -> tuple[Array, sparse.csr_matrix]:
        """The inverse blocks of the points [P, 3, 3], and the normal matrix [C, C] of what is left without them."""
        trace = np.trace(self.blocks, axis1=1, axis2=2)
        blocks = np.linalg.inv(self.blocks + (damping * trace + 1e-9 * trace.max())[:, None, None] * np.eye(3))
        count = len(blocks)
        index = np.arange(3 * count).reshape(count, 1, 3)
        inverse = sparse.csr_matrix(
            (blocks.reshape(-1), np.broadcast_to(index, (count, 3, 3)).reshape(-1), np.arange(0, 9 * count + 1, 3)), (3 * count, 3 * count)
        )
        diagonal = self.normal.diagonal()
        held = sparse.diags(damping * diagonal + self._gauge(diagonal))
        return blocks, self.normal + held - self.cross @ inverse @ self.cross.T

    def _gauge(self, diagonal: Array) -> Array:
        """The first view stays where it is; everything else is held by next to nothing, against singular corners."""
        hold = np.full(self.size, 1e-10 * diagonal.max())
        hold[: 3 if self.bundle.turning else 6] = 1e3 * diagonal.max()
        return hold

    def focal_sigma(self) -> float | None:
        """Standard error of log focal length (its mean over the views where it zooms), from the inverse of the reduced system."""
        if self.bundle.known:
            return 0.0
        views, own = len(self.bundle.rotation), self.bundle.own
        pick = np.zeros(self.size)
        if self.bundle.zooming:
            pick[np.arange(views) * own + own - 1] = 1 / views
        else:
            pick[views * own] = 1.0
        variance = float(pick @ splu(self.reduced(0.0)[1].tocsc()).solve(pick)) * self.spread * self.length
        return float(np.sqrt(variance)) if variance > 0 else None


def _rows(blocks: Array, columns: NDArray[np.int64], width: int) -> sparse.csr_matrix:
    """Jacobian blocks [N, 2, B] at columns [N, B] as a sparse matrix [2 N, width]."""
    count, _, each = blocks.shape
    index = np.repeat(columns, 2, axis=0).reshape(-1)
    return sparse.csr_matrix((blocks.reshape(-1), index, np.arange(0, 2 * count * each + 1, each)), (2 * count, width))
