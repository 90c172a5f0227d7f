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
DENSE = 800  # unknowns of all views up to which a dense product is taken
WIDTHS = 0.85  # a usual focal length of moving pictures
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
    late: Array | None = None  # [N, 2] px by which an observation lies further on for each frame's time of readout, where that is adjusted
    readout: float = 0.0  # in frames' times, beyond what the observations are already freed of

    @property
    def own(self) -> int:
        """Unknowns of each view."""
        return 3 + 3 * (not self.turning) + self.zooming

    @property
    def shared(self) -> int:
        """Unknowns of all views together: log focal, distortion, readout."""
        return int(not self.zooming and not self.known) + len(self.free) + (self.late is not None)

    def residuals(self, tracks: Tracks) -> Array:
        """[N, 2] px."""
        error = self._project(tracks)[0] - tracks.xy
        return error if self.late is None else error + self.readout * self.late

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
        shared += [] if self.late is None else [self.late[:, :, None]]
        empty = np.zeros((len(flat), 2, 0))
        return np.concatenate(own, 2), np.concatenate([*shared, empty], 2), by_local @ self.rotation[tracks.view]

    def moved(self, step: Array, points: Array) -> Bundle:
        """After a step of all unknowns and of the points."""
        views = len(self.rotation)
        own = step[: views * self.own].reshape(views, self.own)
        shared = step[views * self.own :]
        place = self.translation if self.turning else self.translation + own[:, 3:6]
        focal, distortion, readout = self.log_focal, self.distortion.copy(), self.readout
        if self.zooming:
            focal = focal + own[:, -1]
        elif not self.known:
            focal, shared = focal + shared[0], shared[1:]
        if self.late is not None:
            readout, shared = readout + float(shared[-1]), shared[:-1]
        distortion[list(self.free)] += shared
        fresh = self.points + points
        if self.turning:
            fresh = fresh / np.linalg.norm(fresh, axis=1, keepdims=True)
        return replace(
            self, rotation=rotation_from_vector(own[:, :3]) @ self.rotation, translation=place, log_focal=focal, distortion=distortion,
            points=fresh, readout=readout,
        )


def of_state(state: State, tracks: Tracks, use: NDArray[np.bool_], per_view: int, **more: Any) -> tuple[Bundle, Tracks, NDArray[np.int64]]:
    """A travelling bundle of `per_view` observations in `use` [N] of each posed view, those observations, and which views these are."""
    few = tracks.where(carrying(tracks, use & state.posed[tracks.view], per_view))
    posed = np.flatnonzero(state.posed)
    number, again = np.unique(few.track, return_inverse=True)
    few = replace(few, track=again, view=np.searchsorted(posed, few.view))
    start = Bundle(
        state.pose[posed, :3, :3], state.pose[posed, :3, 3], np.log(state.focal[posed]), state.distortion, state.points[number], state.centre,
        usual=float(np.log(WIDTHS * max(state.size))), **more,
    )
    return start, few, posed


def adjust(bundle: Bundle, tracks: Tracks, loss: float, rounds: int = 25) -> tuple[Bundle, float | None]:
    """The bundle that minimises the Cauchy loss (scale `loss` px) of its residuals, and the standard error of its log focal length."""
    damping, best = 1e-6, _cost(bundle, tracks, loss)
    for _ in range(rounds):
        system = System(bundle, tracks, loss)
        start = damping
        for _ in range(6):
            trial = bundle.moved(*system.step(damping))
            cost = _cost(trial, tracks, loss)
            if cost < best:
                break
            damping *= 10
        else:
            break
        gain, bundle, best = (best - cost) / best, trial, cost
        damping = damping if damping > start else max(damping / 10, 1e-10)
        if gain < 1e-6:
            break
    return bundle, 0.0 if bundle.known else System(bundle, tracks, loss).focal_sigma()


def _cost(bundle: Bundle, tracks: Tracks, loss: float) -> float:
    square = (bundle.residuals(tracks) ** 2).sum(1)
    cost = float((loss**2 * np.log1p(square / loss**2)).sum())
    if bundle.zooming:
        bend = np.diff(bundle.log_focal, 2) / bundle.smooth
        cost += loss**2 * float(np.log1p(bend**2).sum())
    if bundle.usual is not None:
        unusual = float(((bundle.log_focal - bundle.usual) ** 2).mean()) / USUAL**2 + float((bundle.distortion**2).sum()) / ROUND**2
        cost += loss**2 * repeats(tracks) * unusual
    return cost


class System:
    """The normal equations at one point, points eliminated."""

    def __init__(self, bundle: Bundle, tracks: Tracks, loss: float) -> None:
        self.bundle, self.tracks, views, own, shared = bundle, tracks, len(bundle.rotation), bundle.own, bundle.shared
        residual = bundle.residuals(tracks)
        weight = np.sqrt(1 / (1 + (residual**2).sum(1) / loss**2))
        a, s, p = (x * weight[:, None, None] for x in bundle.jacobians(tracks))
        residual = residual * weight[:, None]
        self.size = views * own + shared
        self.gradient = np.concatenate([sum_by(tracks.view, _carried(a, residual), views).ravel(), _carried(s, residual).sum(0)])
        self.normal = _arrow(sum_by(tracks.view, _square(a, a), views), sum_by(tracks.view, _square(a, s), views), _square(s, s).sum(0))
        count = len(bundle.points)
        self.cross, self.shared_cross = _square(a, p), sum_by(tracks.track, _square(s, p), count)  # [N, own, 3], [P, shared, 3]
        self.blocks = sum_by(tracks.track, _square(p, p), count)
        self.point_gradient = sum_by(tracks.track, _carried(p, residual), count)
        self.length = repeats(tracks)
        self.spread = float((residual**2).sum() / max(residual.size - self.size - 2 * count, 1))
        self.belief, self.loss = np.zeros(self.size), loss  # what is usual, as it is held
        if bundle.zooming:
            self._hold_zoom(views, own, loss)
        if bundle.usual is not None:
            self._hold_usual(views, own, loss)

    def _hold_usual(self, views: int, own: int, loss: float) -> None:
        """Next to nothing, but enough where nothing else tells focal length or distortion."""
        bundle, diagonal, pull = self.bundle, np.zeros(self.size), np.zeros(self.size)
        at = np.arange(views) * own + own - 1 if bundle.zooming else np.arange(views * own, views * own + (not bundle.known))
        diagonal[at] = self.length * (loss / USUAL) ** 2 / max(len(at), 1)
        pull[at] = bundle.log_focal[: len(at)] - bundle.usual
        last = self.size - (bundle.late is not None)
        tail = slice(last - len(bundle.free), last)
        diagonal[tail], pull[tail] = self.length * (loss / ROUND) ** 2, bundle.distortion[list(bundle.free)]
        self.belief = diagonal
        self.normal = self.normal + sparse.diags(diagonal)
        self.gradient = self.gradient + diagonal * pull

    def _hold_zoom(self, views: int, own: int, loss: float) -> None:
        """A zoom is smooth, though it may jump: Cauchy loss on the second difference."""
        at = np.arange(views) * own + own - 1
        bend = np.diff(self.bundle.log_focal, 2) / self.bundle.smooth
        weight = loss**2 / self.bundle.smooth**2 / (1 + bend**2)
        picked = sparse.csr_matrix((np.ones(views), (np.arange(views), at)), (views, self.size))
        second = sparse.diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(views - 2, views)) @ picked
        self.normal = self.normal + second.T @ sparse.diags(weight) @ second
        self.gradient = self.gradient + second.T @ (weight * (second[:, at] @ self.bundle.log_focal))

    def step(self, damping: float) -> tuple[Array, Array]:
        """The damped Gauss-Newton step of the unknowns [C] and the points [P, 3]."""
        half, cross, reduced = self._eliminated(damping)
        pull = np.einsum("pji,pj->pi", half, self.point_gradient)
        step = -_solved(reduced, self.gradient - cross @ pull.ravel())
        return step, -np.einsum("pij,pj->pi", half, pull + (cross.T @ step).reshape(-1, 3))

    def reduced(self, damping: float) -> sparse.csr_matrix:
        """The normal matrix [C, C] of what is left without the points."""
        return self._eliminated(damping)[2]

    def _eliminated(self, damping: float) -> tuple[Array, sparse.csr_matrix, sparse.csr_matrix]:
        """Roots [P, 3, 3] of the points' inverse blocks, the coupling to them in those units [C, 3 P], and the normal matrix without them."""
        trace = np.trace(self.blocks, axis1=1, axis2=2)
        inverse = np.linalg.inv(self.blocks + (damping * trace + 1e-9 * trace.max())[:, None, None] * np.eye(3))
        half = np.linalg.cholesky(0.5 * (inverse + np.swapaxes(inverse, 1, 2)))
        cross = self._coupling(self.cross @ half[self.tracks.track], self.shared_cross @ half)
        diagonal = self.normal.diagonal()
        held = sparse.diags(damping * diagonal + self._gauge(diagonal))
        if self.size > DENSE:
            return half, cross, self.normal + held - cross @ cross.T
        full = cross.toarray()  # a small one is quicker so
        return half, cross, self.normal + held - sparse.csr_matrix(full @ full.T)

    def _coupling(self, own: Array, shared: Array) -> sparse.csr_matrix:
        """Blocks [N, own, 3] of views and points, and [P, shared, 3] of shared unknowns and points, as one matrix [C, 3 P]."""
        views, each, count = len(self.bundle.rotation), self.bundle.own, len(self.blocks)
        rows = self.tracks.view[:, None, None] * each + np.arange(each)[:, None]
        columns = self.tracks.track[:, None, None] * 3 + np.arange(3)
        index = np.broadcast_to(rows, own.shape).ravel(), np.broadcast_to(columns, own.shape).ravel()
        above = sparse.csr_matrix((own.ravel(), index), (views * each, 3 * count))
        return sparse.vstack([above, sparse.csr_matrix(np.swapaxes(shared, 0, 1).reshape(-1, 3 * count))], "csr")

    def _gauge(self, diagonal: Array) -> Array:
        """The first view stays where it is; everything else is held by next to nothing, against singular corners."""
        hold = np.full(self.size, 1e-10 * diagonal.max())
        hold[: 3 if self.bundle.turning else 6] = 1e3 * diagonal.max()
        return hold

    def focal_sigma(self) -> float | None:
        """Standard error of log focal length (its mean over the views where it zooms), from the inverse of the reduced system."""
        views, own = len(self.bundle.rotation), self.bundle.own
        pick = np.zeros(self.size)
        if self.bundle.zooming:
            pick[np.arange(views) * own + own - 1] = 1 / views
        else:
            pick[views * own] = 1.0
        return self._sigma(pick)

    def readout_sigma(self) -> float | None:
        """Standard error of the readout, in frames' times."""
        return self._sigma(np.eye(1, self.size, self.size - 1)[0])

    def _sigma(self, pick: Array) -> float | None:
        # What is usual is held harder than it is known, against a noise of `loss`: here it counts against that of the tracks.
        known = self.reduced(0.0) + sparse.diags(self.belief * (self.spread / self.loss**2 - 1))
        variance = float(pick @ _solved(known, pick)) * self.spread * self.length
        return float(np.sqrt(variance)) if variance > 0 else None


def _solved(normal: sparse.csr_matrix, right: Array) -> Array:
    """The solution of a symmetric positive system: ordered as one and without pivots it fills in far less than any other."""
    return splu(normal.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}).solve(right)


def repeats(tracks: Tracks) -> float:
    """Observations of each track. One that slipped once stays where it slipped to: its errors count as one, not as many."""
    return len(tracks.track) / max(np.count_nonzero(np.bincount(tracks.track)), 1)


def _square(a: Array, b: Array) -> Array:
    """[N, 2, A] and [N, 2, B] -> [N, A, B], summed over the two residuals."""
    return np.swapaxes(a, 1, 2) @ b


def _carried(a: Array, residual: Array) -> Array:
    """[N, 2, A] and [N, 2] -> [N, A]."""
    return np.einsum("nka,nk->na", a, residual)


def _arrow(blocks: Array, border: Array, corner: Array) -> sparse.csr_matrix:
    """Blocks [V, B, B] on the diagonal, a border [V, B, S] and its corner [S, S] as one symmetric matrix."""
    views, each, _ = blocks.shape
    diagonal = sparse.bsr_matrix((blocks, np.arange(views), np.arange(views + 1)), shape=(views * each, views * each))
    edge = border.reshape(views * each, -1)
    if not edge.shape[1]:
        return diagonal.tocsr()
    return sparse.bmat([[diagonal, edge], [edge.T, corner]], "csr")
