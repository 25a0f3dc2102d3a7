"""HiGHS as this package uses it: one thread, silent, minimising, rows given as sparse matrices."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from gridmap.analysis._watch import Watch

Floats = NDArray[np.float64]

_INFINITY = float(highspy.kHighsInf)
_STOPPED = (
    highspy.HighsModelStatus.kTimeLimit,
    highspy.HighsModelStatus.kInterrupt,
    highspy.HighsModelStatus.kIterationLimit,
)


@dataclass(frozen=True, slots=True)
class LpAnswer:
    """A solved linear program: the point, the price of each row, the value."""

    x: Floats
    row_price: Floats
    value: float


class LpInfeasible(Exception):
    """No point satisfies the rows (caught inside the package)."""


class LpStopped(Exception):
    """The time was up before the linear program was solved (caught inside the package)."""


class Lp:
    """A linear program that stays warm between solves: rows are added, bounds change, the basis is kept."""

    def __init__(self, cost: ArrayLike, lower: ArrayLike, upper: ArrayLike, watch: Watch) -> None:
        self._watch = watch
        self._model = _silent_model()
        self._model.setOptionValue("solver", "simplex")
        self._model.setOptionValue("primal_feasibility_tolerance", 1e-9)
        self._model.setOptionValue("dual_feasibility_tolerance", 1e-9)
        self._columns = _add_columns(self._model, cost, lower, upper)

    def add_rows(self, lower: ArrayLike, upper: ArrayLike, matrix: sparse.csr_array) -> None:
        """Add the rows `lower <= matrix @ x <= upper`."""
        _add_rows(self._model, lower, upper, matrix)

    def add_row(self, lower: float, columns: NDArray[np.intp], values: Floats) -> None:
        """Add the row `lower <= values @ x[columns]`."""
        self._model.addRow(lower, _INFINITY, len(columns), columns.astype(np.int32), values)

    def set_bounds(self, lower: ArrayLike, upper: ArrayLike) -> None:
        """Replace the bounds of all columns."""
        self._model.changeColsBounds(
            self._columns, np.arange(self._columns, dtype=np.int32), _floats(lower), _floats(upper)
        )

    def solve(self) -> LpAnswer:
        """Solve from the last basis; raises `LpInfeasible` or `LpStopped`."""
        if math.isfinite(self._watch.remaining):
            self._model.setOptionValue("time_limit", self._model.getRunTime() + self._watch.remaining)
        self._model.run()
        status = self._model.getModelStatus()
        if status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            raise LpInfeasible
        if status != highspy.HighsModelStatus.kOptimal:
            raise LpStopped(str(status))
        solution = self._model.getSolution()
        return LpAnswer(
            np.array(solution.col_value),
            np.array(solution.row_dual),
            float(self._model.getInfo().objective_function_value),
        )


@dataclass(frozen=True, slots=True)
class BinaryAnswer:
    """
    A binary program as far as it got: the best point or None, and a value no point can go below.

    `bound` is infinite when it is proven that no point exists.
    """

    x: Floats | None
    bound: float
    is_proven: bool


def solve_binary(
    cost: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    matrix: sparse.csr_array,
    watch: Watch,
    *,
    whole: int | None = None,
    worth: float = 1e-9,
    start: Floats | None = None,
    on_bound: Callable[[float], None] | None = None,
    tolerance: float | None = None,
) -> BinaryAnswer:
    """
    Minimise `cost @ x` over x in [0, 1] with `lower <= matrix @ x <= upper`.

    The first `whole` columns (all by default) must be 0 or 1. Differences below `worth` are not pursued. The
    watch is asked during the search; what is known then comes back. `start` is a point to begin from,
    `on_bound` hears the bound now and then, `tolerance` is how far a row may be missed.
    """
    model = _silent_model()
    if tolerance is not None:
        model.setOptionValue("primal_feasibility_tolerance", tolerance)
        model.setOptionValue("mip_feasibility_tolerance", tolerance)
    model.setOptionValue("mip_rel_gap", 0.0)
    model.setOptionValue("mip_abs_gap", worth)
    if math.isfinite(watch.remaining):
        model.setOptionValue("time_limit", watch.remaining)
    columns = _add_columns(model, cost, np.zeros(matrix.shape[1]), np.ones(matrix.shape[1]))
    _add_rows(model, lower, upper, matrix)
    count = columns if whole is None else whole
    kinds = np.array([highspy.HighsVarType.kInteger] * count, dtype=object)
    model.changeColsIntegrality(count, np.arange(count, dtype=np.int32), kinds)

    if start is not None:
        point = highspy.HighsSolution()
        point.col_value = _floats(start).tolist()
        model.setSolution(point)

    def interrupt(event: Any) -> None:
        if watch.expired:
            event.interrupt()
        elif on_bound is not None and math.isfinite(event.data_out.mip_dual_bound):
            on_bound(event.data_out.mip_dual_bound)

    model.cbMipInterrupt.subscribe(interrupt)
    model.run()
    status, info = model.getModelStatus(), model.getInfo()
    if status == highspy.HighsModelStatus.kInfeasible:
        return BinaryAnswer(None, math.inf, True)
    found = info.primal_solution_status == highspy.kSolutionStatusFeasible
    x = np.round(np.array(model.getSolution().col_value)) if found else None
    if status == highspy.HighsModelStatus.kOptimal:
        return BinaryAnswer(x, float(info.mip_dual_bound), True)
    if status not in _STOPPED:
        raise AssertionError(f"HiGHS ended with {status}")  # pragma: no cover - a malformed model
    bound = float(info.mip_dual_bound)
    return BinaryAnswer(x, bound if math.isfinite(bound) else -math.inf, False)


def _silent_model() -> Any:
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    model.setOptionValue("threads", 1)
    return model


def _add_columns(model: Any, cost: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> int:
    costs = _floats(cost)
    count = len(costs)
    model.addVars(count, _floats(lower), _floats(upper))
    model.changeColsCost(count, np.arange(count, dtype=np.int32), costs)
    return count


def _add_rows(model: Any, lower: ArrayLike, upper: ArrayLike, matrix: sparse.csr_array) -> None:
    model.addRows(
        matrix.shape[0],
        _floats(lower),
        _floats(upper),
        matrix.nnz,
        matrix.indptr[:-1].astype(np.int32),
        matrix.indices.astype(np.int32),
        matrix.data.astype(np.float64),
    )


def _floats(values: ArrayLike) -> Floats:
    array = np.ascontiguousarray(values, dtype=np.float64)
    return np.clip(array, -_INFINITY, _INFINITY)
