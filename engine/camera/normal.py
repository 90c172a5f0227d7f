"""Camera room: matrices of the normal equations, views along the diagonal and points eliminated; numpy, scipy only for many views.

Dense while they are small, where a product and a solution take less than finding out what is zero. Beyond, what couples views and points is
sparse, and what is left without the points is dense up to some hundred views.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]
DENSE = 800  # unknowns up to which all is dense
SQUARE = 2000  # unknowns up to which what is left without the points is
TOGETHER = 300  # columns of points that are multiplied at once: of neighbours, which the same views see


def arrow(blocks: Array, border: Array, corner: Array) -> Any:
    """Blocks [V, B, B] on the diagonal, a border [V, B, S] and its corner [S, S] as one symmetric matrix."""
    views, each, _ = blocks.shape
    size, last = views * each + len(corner), views * each
    edge = border.reshape(last, -1)
    if size <= SQUARE:
        full = np.zeros((size, size))
        every = np.arange(views)
        full[:last, :last].reshape(views, each, views, each)[every, :, every] = blocks
        full[:last, last:], full[last:, :last], full[last:, last:] = edge, edge.T, corner
        return full
    from scipy import sparse

    diagonal = sparse.bsr_matrix((blocks, np.arange(views), np.arange(views + 1)), shape=(last, last))
    return sparse.bmat([[diagonal, edge], [edge.T, corner]], "csr") if edge.shape[1] else diagonal.tocsr()


def coupling(own: Array, shared: Array, view: Index, point: Index, views: int) -> Any:
    """Blocks [own, 3, N] of the observations' views and points, and [shared, 3, P] of shared unknowns and points, as one matrix [C, 3 P]."""
    each, _, seen = own.shape
    count = shared.shape[2]
    edge = np.swapaxes(shared, 1, 2).reshape(len(shared), 3 * count)
    rows, columns = view * each + np.arange(each)[:, None, None], point * 3 + np.arange(3)[:, None]
    if views * each + len(shared) <= DENSE:
        full = np.zeros((views * each + len(shared), 3 * count))
        full.reshape(-1)[rows * (3 * count) + columns] = own
        full[views * each :] = edge
        return full
    from scipy import sparse

    rows, columns = (np.broadcast_to(part, own.shape) for part in (rows, columns))
    above = sparse.csr_matrix((own.ravel(), (rows.ravel(), columns.ravel())), (views * each, 3 * count))
    return sparse.vstack([above, sparse.csr_matrix(edge)], "csr")


def without(matrix: Any, cross: Any) -> Any:
    """The matrix [C, C] of views and points less what the points take from it, by their coupling [C, 3 P] in units of their roots."""
    if isinstance(cross, np.ndarray) or not isinstance(matrix, np.ndarray):
        return matrix - cross @ cross.T
    columns, out = cross.tocsc(), matrix.copy()
    columns.sort_indices()
    seen = np.flatnonzero(np.diff(columns.indptr))
    seen = seen[np.argsort(columns.indices[columns.indptr[seen]], kind="stable")]
    for start in range(0, len(seen), TOGETHER):
        some = columns[:, seen[start : start + TOGETHER]]
        rows, at = np.unique(some.indices, return_inverse=True)
        part = np.zeros((len(rows), some.shape[1]))
        part[at, np.repeat(np.arange(some.shape[1]), np.diff(some.indptr))] = some.data
        out[np.ix_(rows, rows)] -= part @ part.T
    return out


def raised(matrix: Any, diagonal: Array) -> Any:
    """The matrix with something added to its diagonal."""
    if isinstance(matrix, np.ndarray):
        out = matrix.copy()
        out.flat[:: len(out) + 1] += diagonal
        return out
    from scipy import sparse

    return matrix + sparse.diags(diagonal)


def dense(matrix: Any) -> Array:
    """The matrix with its zeros."""
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def bends(curve: Index, size: int, weight: Array) -> Any:
    """The matrix [size, size] of weighted squares of second differences of the unknowns `curve` [V]; weight [V - 2]."""
    second = np.zeros((len(weight), size)) if size <= DENSE else None
    if second is not None:
        for k, factor in enumerate((1.0, -2.0, 1.0)):
            second[np.arange(len(weight)), curve[k : k + len(weight)]] = factor
        return second.T * weight @ second
    from scipy import sparse

    pick = sparse.csr_matrix((np.ones(len(curve)), (np.arange(len(curve)), curve)), (len(curve), size))
    second = sparse.diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(len(weight), len(curve))) @ pick
    square = second.T @ sparse.diags(weight) @ second
    return square.toarray() if size <= SQUARE else square


def solver(matrix: Any) -> Callable[[Array], Array]:
    """What solves a symmetric positive system for a right side [C]; LinAlgError where it has no solution."""
    if isinstance(matrix, np.ndarray) and len(matrix) <= DENSE:
        return lambda right: np.linalg.solve(matrix, right)
    if isinstance(matrix, np.ndarray):
        from scipy import linalg

        factors = linalg.lu_factor(matrix)
        if not factors[0].diagonal().all():
            raise np.linalg.LinAlgError("a singular system")
        return lambda right: linalg.lu_solve(factors, right)
    from scipy.sparse.linalg import splu

    # Ordered as a symmetric one and without pivots it fills in far less than any other.
    return splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}).solve


def solved(matrix: Any, right: Array) -> Array:
    """The solution of a symmetric positive system; LinAlgError where it has none."""
    return solver(matrix)(right)
