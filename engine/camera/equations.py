"""Camera room: the normal equations of our own adjustment, the step they call for, and the uncertainty that they tell; numpy."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

from ..geometry.reprojection import sum_by
from . import normal
from .tracks import Tracks
from .unknowns import Bundle

Array = NDArray[np.float64]
CURVED, PROBE = 0.75, 0.1  # most that a step may bend, and the part of it over which its bend is measured
PARTS = 4  # rows and columns into which the picture is cut, to see whether its parts agree
FLATTEST = 0.1  # least part of the slope that the loss's bend leaves
ASIDE = 0.01  # sigma of the principal point's way from the picture's middle, in widths
USUAL, ROUND = 0.5, 0.1  # sigmas of log focal length and of the distortion's numbers before a shot is seen


class System:
    """The normal equations at one point, points eliminated.

    `bent` counts in how the loss flattens with the error (Triggs et al. 2000, section 4.3): near the least cost it is reached in a
    few steps, far from it that leads astray. An uncertainty is asked of one that is not.
    """

    def __init__(self, bundle: Bundle, tracks: Tracks, loss: float, bent: bool = False) -> None:
        self.bundle, self.tracks, views, own, shared = bundle, tracks, len(bundle.rotation), bundle.own, bundle.shared
        self.residual, *slopes = bundle.slopes(tracks)
        square = self.residual[0] ** 2 + self.residual[1] ** 2
        far = square / loss**2
        weight = np.sqrt(1 / (1 + far))
        a, s, p = (x * weight for x in slopes)
        residual = self.residual * weight
        self.spread, self.weight, self.flat = _spread(square, bundle, loss), weight, np.ones(1)
        self.way = residual / np.maximum(np.sqrt(far) * weight * loss, 1e-12)  # [2, N] each residual's direction
        if bent:
            self.flat = np.sqrt(np.maximum((1 - far) / (1 + far), FLATTEST))
            a, s, p = (self._flattened(x) for x in (a, s, p))
            residual = residual / self.flat
        self.size, count = views * own + shared, len(bundle.points)
        # Observations are sorted by view: each view's part is one product of matrices.
        rows = np.concatenate([a, s, residual[None]])
        square = np.array([part @ part.T for part in (rows[:, :, some].reshape(len(rows), -1) for some in tracks.views(views))])
        self.gradient = np.concatenate([square[:, :own, -1].ravel(), square[:, own:-1, -1].sum(0)])
        self.normal = normal.arrow(square[:, :own, :own], square[:, :own, own:-1], square[:, own:-1, own:-1].sum(0))
        self.slopes = a, s, p
        self.cross = _paired(a, p)  # [own, 3, N]
        self.shared_cross = _summed(_paired(s, p), tracks.track, count)  # [shared, 3, P]
        self.blocks = _summed(_triangle(p), tracks.track, count)  # [6, P]
        self.point_gradient = _summed(_paired(p, residual[None])[:, 0], tracks.track, count)  # [3, P]
        self.length = repeats(tracks)
        self.belief, self.grain = np.zeros(self.size), bundle.grain or loss  # what is usual, as it is held
        if bundle.zooming:
            self._hold_zoom(loss)
        if bundle.usual is not None:
            self._hold_usual()

    @property
    def focals(self) -> NDArray[np.int64]:
        """Where log focal length stands among the unknowns: for each view where it zooms, once where it does not, nowhere where it is known."""
        views, own = len(self.bundle.rotation), self.bundle.own
        if self.bundle.zooming:
            return np.arange(views) * own + own - 1
        return np.arange(views * own, views * own + (not self.bundle.known))

    def _hold_usual(self) -> None:
        """Next to nothing, but enough where nothing else tells focal length or distortion."""
        bundle, diagonal, pull, at = self.bundle, np.zeros(self.size), np.zeros(self.size), self.focals
        diagonal[at] = self.length * (self.grain / USUAL) ** 2 / max(len(at), 1)
        pull[at] = bundle.log_focal[: len(at)] - bundle.usual
        last = self.size - (bundle.late is not None)
        tail = slice(last - len(bundle.free), last)
        diagonal[tail], pull[tail] = self.length * (self.grain / ROUND) ** 2, bundle.distortion[list(bundle.free)]
        self.belief = diagonal
        self.normal = normal.raised(self.normal, diagonal)
        self.gradient = self.gradient + diagonal * pull

    def _hold_zoom(self, loss: float) -> None:
        """A zoom is smooth, though it may jump: Cauchy loss on the second difference."""
        bend = np.diff(self.bundle.log_focal, 2) / self.bundle.smooth
        self.held = normal.bends(self.focals, self.size, loss**2 / self.bundle.smooth**2 / (1 + bend**2))
        self.normal = self.normal + self.held
        curve = np.zeros(self.size)
        curve[self.focals] = self.bundle.log_focal
        self.gradient = self.gradient + self.held @ curve

    def _flattened(self, slope: Array) -> Array:
        """Weighted slopes of the residuals [..., 2, N], less along them as the loss flattens."""
        along = slope[..., 0, :] * self.way[0] + slope[..., 1, :] * self.way[1]
        return slope - ((1 - self.flat) * along)[..., None, :] * self.way

    def step(self, damping: float) -> tuple[Array, Array]:
        """The damped Gauss-Newton step of the unknowns [C] and the points [P, 3], bent as the residuals bend along it."""
        downhill = self._downhill(damping)
        straight = downhill(self.gradient, self.point_gradient)
        bend = downhill(*self._pull(self._bend(*straight)))
        if self._length(*bend) > CURVED * self._length(*straight):
            return straight
        return straight[0] + bend[0] / 2, straight[1] + bend[1] / 2

    def _downhill(self, damping: float) -> Callable[[Array, Array], tuple[Array, Array]]:
        """What solves the damped equations for a gradient by the unknowns [C] and by the points [3, P]."""
        half, cross, reduced = self._eliminated(damping)
        solved = normal.solver(reduced)

        def downhill(gradient: Array, by_points: Array) -> tuple[Array, Array]:
            pull = np.stack([sum(half[i, j] * by_points[i] for i in range(j + 1)) for j in range(3)], 1)
            step = -solved(gradient - cross @ pull.ravel())
            return step, _back(half, pull + (cross.T @ step).reshape(-1, 3))

        return downhill

    def _bend(self, step: Array, points: Array) -> Array:
        """[2, N] second derivatives of the weighted residuals along a step."""
        ahead, behind = (self.bundle.moved(k * step, k * points).residuals(self.tracks).T for k in (PROBE, -PROBE))
        return self._flattened((ahead - 2 * self.residual + behind) / PROBE**2 * self.weight)

    def _pull(self, residual: Array) -> tuple[Array, Array]:
        """The gradient by the unknowns [C] and by the points [3, P] that such residuals [2, N] would have."""
        a, s, p = self.slopes
        along = a[:, 0] * residual[0] + a[:, 1] * residual[1]
        by_view = [along[:, some].sum(1) for some in self.tracks.views(len(self.bundle.rotation))]
        by_points = _summed(p[:, 0] * residual[0] + p[:, 1] * residual[1], self.tracks.track, len(self.bundle.points))
        return np.concatenate([np.array(by_view).ravel(), (s * residual).sum((1, 2))]), by_points

    def _length(self, step: Array, points: Array) -> float:
        """How long a step is, by what it does to the residuals if each unknown stood alone."""
        return float(np.sqrt(self.normal.diagonal() @ step**2 + (self.blocks[[0, 3, 5]].T * points**2).sum()))

    def reduced(self, damping: float) -> Any:
        """The normal matrix [C, C] of what is left without the points."""
        return self._eliminated(damping)[2]

    def _eliminated(self, damping: float) -> tuple[Array, Any, Any]:
        """Roots [3, 3, P] of the points' inverse blocks, the coupling to them in those units [C, 3 P], and the normal matrix without them."""
        half = _root_of_inverse(self.blocks, damping)
        of_view = half.take(self.tracks.track, 2)
        own, shared = (np.stack([c[:, 0] * h[0, 0], c[:, 0] * h[0, 1] + c[:, 1] * h[1, 1], c[:, 0] * h[0, 2] + c[:, 1] * h[1, 2] + c[:, 2] * h[2, 2]], 1)
                       for c, h in ((self.cross, of_view), (self.shared_cross, half)))
        cross = normal.coupling(own, shared, self.tracks.view, self.tracks.track, len(self.bundle.rotation))
        diagonal = self.normal.diagonal()
        return half, cross, normal.raised(normal.without(self.normal, cross), damping * diagonal + self._gauge(diagonal))

    def _gauge(self, diagonal: Array) -> Array:
        """The first view stays where it is; everything else is held by next to nothing, against singular corners."""
        hold = np.full(self.size, 1e-10 * diagonal.max())
        hold[: 3 if self.bundle.turning else 6] = 1e3 * diagonal.max()
        return hold

    def focal_sigma(self, aside: float = 0.0) -> float | None:
        """Standard error of log focal length (its mean over the views where it zooms), from the inverse of the reduced system.

        `aside` is the sigma in px of the principal point, that is taken to be the picture's middle.
        """
        if self.bundle.known:
            return 0.0
        pick = self.focal_pick()
        sigma = self._sigma(pick)
        return sigma if sigma is None or not aside else float(np.hypot(sigma, aside * np.linalg.norm(self.by_centre() @ pick)))

    def focal_pick(self) -> Array:
        """[C] what makes log focal length, or its mean over the views, of the unknowns."""
        pick = np.zeros(self.size)
        pick[self.focals] = 1 / max(len(self.focals), 1)
        return pick

    def by_centre(self) -> Array:
        """[2, C] by how much the unknowns are off for each px by which the principal point lies farther right, or down, than it is taken to."""
        downhill = self._downhill(0.0)
        return np.array([downhill(*self._pull(-side[:, None] * self.weight))[0] for side in np.eye(2)])

    def readout_sigma(self) -> float | None:
        """Standard error of the readout, in frames' times."""
        return self._sigma(np.eye(1, self.size, self.size - 1)[0])

    def _sigma(self, pick: Array) -> float | None:
        """Standard error of one unknown: by the tracks' noise, or by how far the parts of the picture disagree, if that is more."""
        half, cross, reduced = self._eliminated(0.0)
        # What is usual may be held harder than it is known: here it counts against the noise of the tracks.
        known = normal.raised(reduced, self.belief * (self.spread / self.grain**2 - 1))
        step = normal.solved(known, pick)
        variance = float(pick @ step) * self.spread * self.length
        points = _back(half, (cross.T @ step).reshape(-1, 3))
        return float(np.sqrt(max(variance, self._disagreement(step, points)))) if variance > 0 else None

    def _disagreement(self, step: Array, points: Array) -> float:
        """Variance of what an unknown is by the parts of the picture, each left out in turn (infinitesimal jackknife, by clusters).

        `step` [C] and `points` [P, 3]: its row of the inverse. Blur, gliding edges and what moves a little pull all tracks of a part the
        same way, which their noise, taken one by one, does not tell (Liang and Zeger 1986).
        """
        a, s, p = self.slopes
        tracks, views, own = self.tracks, len(self.bundle.rotation), self.bundle.own
        by_view = step[: views * own].reshape(views, own).T[:, tracks.view]
        slope = (a * by_view[:, None]).sum(0) + np.einsum("kcn,k->cn", s, step[views * own :]) + (p * points.T[:, None, tracks.track]).sum(0)
        pull = np.bincount(tracks.track, (slope * self.residual * self.weight).sum(0), len(self.bundle.points))
        seen = np.bincount(tracks.track, minlength=len(pull))
        place = sum_by(tracks.track, tracks.xy, len(pull)) / np.maximum(seen, 1)[:, None]
        column, row = np.clip(place / (2 * self.bundle.centre) * PARTS, 0, PARTS - 1).astype(int).T
        part = row * PARTS + column
        parts = max(len(np.unique(part[seen > 0])), 2)
        return float((np.bincount(part, pull, PARTS * PARTS) ** 2).sum()) * parts / (parts - 1)


def spread(bundle: Bundle, tracks: Tracks, loss: float) -> float:
    """Variance in square px of what is left of the observations, by their weights."""
    return _spread((bundle.residuals(tracks) ** 2).sum(1), bundle, loss)


def _spread(square: Array, bundle: Bundle, loss: float) -> float:
    """The same of square residuals [N]."""
    freedom = 2 * len(square) - bundle.own * len(bundle.rotation) - bundle.shared - 2 * len(bundle.points)
    return float((square / (1 + square / loss**2)).sum() / max(freedom, 1))


def repeats(tracks: Tracks) -> float:
    """Observations of each track. One that slipped once stays where it slipped to: its errors count as one, not as many."""
    return len(tracks.track) / max(np.count_nonzero(np.bincount(tracks.track)), 1)


def _back(half: Any, push: Array) -> Array:
    """The points' part [P, 3] of a step, from what pulls at them in the units of their roots [3, 3, P]."""
    return -np.stack([sum(half[i, j] * push[:, j] for j in range(i, 3)) for i in range(3)], 1)


def _paired(a: Array, b: Array) -> Array:
    """[A, 2, N] and [B, 2, N] -> [A, B, N], summed over the two residuals."""
    return a[:, None, 0] * b[None, :, 0] + a[:, None, 1] * b[None, :, 1]


def _summed(values: Array, track: NDArray[np.int64], count: int) -> Array:
    """Values [..., N] of observations, summed over those of each of `count` tracks: [..., count]."""
    out = np.array([np.bincount(track, row, count) for row in values.reshape(-1, values.shape[-1])])
    return out.reshape(*values.shape[:-1], count)


def _triangle(p: Array) -> Array:
    """[3, 2, N] -> [6, N]: the products of its rows, xx xy xz yy yz zz, summed over the two residuals."""
    return np.stack([p[i, 0] * p[j, 0] + p[i, 1] * p[j, 1] for i in range(3) for j in range(i, 3)])


def _root_of_inverse(blocks: Array, damping: float) -> Array:
    """Symmetric blocks [6, P] (xx xy xz yy yz zz), damped -> upper triangles U [3, 3, P] with U U' their inverse.

    Cholesky's way, written out; no pivot can be less than what is added.
    """
    xx, xy, xz, yy, yz, zz = blocks
    trace = xx + yy + zz
    more = damping * trace + 1e-9 * trace.max()
    a = np.sqrt(xx + more)
    b, c = xy / a, xz / a
    d = np.sqrt(np.maximum(yy + more - b * b, more))
    e = (yz - b * c) / d
    f = np.sqrt(np.maximum(zz + more - c * c - e * e, more))
    out = np.zeros((3, 3, len(xx)))
    out[0, 0], out[1, 1], out[2, 2] = 1 / a, 1 / d, 1 / f
    out[0, 1], out[1, 2] = -b / (a * d), -e / (d * f)
    out[0, 2] = (b * e - c * d) / (a * d * f)
    return out
