"""What a siting solve is asked, checked: costs, reach, people, fixed sites, the clock."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from gridmap.analysis._answer import InfeasibleError
from gridmap.analysis._watch import Progress, Watch
from gridmap.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Reach = ArrayLike | sparse.spmatrix | sparse.sparray


def cost_array(cost: ArrayLike) -> NDArray[np.floating]:
    array = np.asarray(cost)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if array.ndim != 2:
        raise InvalidInput(
            f"cost has {array.ndim} dimensions; give one row per demand point and one column per site",
            zh="成本矩阵须为二维:每行一个需求点,每列一个候选点。",
        )
    wrong = np.flatnonzero(~(array >= 0).all(axis=1))
    if wrong.size:
        raise InvalidInput(
            f"cost is negative or NaN in {len(wrong)} rows, first row {wrong[0]}; use inf for unreachable",
            zh=f"成本矩阵第 {wrong[0] + 1} 行含负数或空值,不可达请用无穷大。",
            rows=wrong.tolist(),
        )
    return array


def reach_matrix(reach: Reach) -> sparse.csr_array:
    """The reach as a sparse matrix of ones with sorted, distinct columns in each row."""
    if sparse.issparse(reach):
        matrix = sparse.csr_array(reach, copy=True)
        matrix.sum_duplicates()
        if not np.isfinite(matrix.data).all():
            raise InvalidInput("reach holds NaN or inf; give true or false", zh="可达矩阵含空值。")
        matrix.eliminate_zeros()
        return sparse.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
    array = np.asarray(reach)
    if array.ndim != 2:
        raise InvalidInput(
            f"reach has {array.ndim} dimensions; give one row per demand point and one column per site",
            zh="可达矩阵须为二维:每行一个需求点,每列一个候选点。",
        )
    if array.dtype != bool:
        if not np.isfinite(array.astype(np.float64)).all():
            raise InvalidInput("reach holds NaN or inf; give true or false", zh="可达矩阵含空值。")
        array = array != 0
    n, m = array.shape
    at = np.flatnonzero(array)
    row = at // m if m else at
    starts = np.searchsorted(row, np.arange(n + 1))
    return sparse.csr_array((np.ones(len(at)), at - row * m, starts), shape=(n, m))


def weights(weight: ArrayLike, rows: int) -> Floats:
    people = np.asarray(weight, dtype=np.float64)
    if people.shape != (rows,):
        raise InvalidInput(
            f"weight has shape {people.shape}; give one number for each of the {rows} demand rows",
            zh=f"权重个数与需求点数({rows})不一致。",
        )
    wrong = np.flatnonzero(~(people >= 0) | np.isinf(people))
    if wrong.size:
        raise InvalidInput(
            f"weight is negative, NaN or infinite in {len(wrong)} rows, first row {wrong[0]}",
            zh=f"第 {wrong[0] + 1} 个需求点的人口不是有效的非负数。",
            rows=wrong.tolist(),
        )
    return people


def opened_sites(columns: int, p: int, fixed: Iterable[int]) -> tuple[Ints, Ints]:
    """Fixed columns in the order given, and the candidates: all others."""
    try:
        count = operator.index(p)
        opened = np.array([operator.index(site) for site in fixed], np.intp)
    except TypeError as error:
        raise InvalidInput(
            f"p and fixed must be whole numbers: {error}", zh="新增点数与固定点须为整数。"
        ) from error
    if count < 0:
        raise InvalidInput(f"p is {count}; give 0 or more", zh="新增点数不能为负。")
    if ((opened < 0) | (opened >= columns)).any() or len(np.unique(opened)) < len(opened):
        raise InvalidInput(
            f"fixed names sites outside 0..{columns - 1} or one twice: {opened.tolist()}",
            zh="固定点编号超出范围或重复。",
            fixed=opened.tolist(),
        )
    candidates = np.setdiff1d(np.arange(columns), opened)
    if count > len(candidates):
        raise InfeasibleError(
            f"p is {count} but only {len(candidates)} sites are not fixed; ask for fewer or add candidates",
            zh=f"要求新增 {count} 处,但只有 {len(candidates)} 个候选点,请减少数量或增加候选点。",
            rows=[],
            p=count,
            candidates=len(candidates),
        )
    return opened, candidates


def times_asked(covers: int) -> int:
    """How many open sites must reach a row: a whole number, 1 or more."""
    try:
        times = operator.index(covers)
    except TypeError:
        times = 0
    if times < 1:
        raise InvalidInput(
            f"covers is {covers!r}; give a whole number, 1 or more", zh="至少覆盖次数须为不小于 1 的整数。"
        )
    return times


def backup_share(backup: float) -> float:
    """The share of a row's weight that counts at its last cover needed, 0 to 1."""
    if not 0 <= backup <= 1:
        raise InvalidInput(
            f"backup is {backup}; give a share from 0 to 1", zh="重复覆盖所占比重须在 0 到 1 之间。"
        )
    return float(backup)


def watching(
    time_limit: float,
    on_progress: Callable[[Progress], None] | None,
    should_stop: Callable[[], bool] | None,
) -> Watch:
    if not time_limit >= 0:
        raise InvalidInput(
            f"time_limit is {time_limit}; give seconds, 0 or more", zh="计算时限须为非负秒数。"
        )
    return Watch(time_limit, on_progress, should_stop)


def whole_unit(values: Floats) -> float:
    """The greatest number that divides all these; 0 when some is not whole."""
    if (values % 1).any() or values.max(initial=0) >= 2**53:
        return 0.0
    return float(np.gcd.reduce(values.astype(np.int64), initial=0))
