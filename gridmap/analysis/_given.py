"""What callers give about networks, checked: node numbers, limits, metres instead of degrees."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gridmap.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_METRES_PER_DEGREE = 111_320.0


def refuse_rows(rows: Ints, what: str, zh: str) -> None:
    """Raise InvalidInput where there are rows, naming them and what is wrong in them."""
    if len(rows):
        raise InvalidInput(
            f"{what} are out of range in {len(rows)} rows, first row {rows[0]}",
            zh=f"{zh}在第 {rows[0] + 1} 行无效(共 {len(rows)} 行)。",
            rows=rows.tolist(),
        )


def limit_of(limit: float) -> float:
    """The most that a way may cost; raises InvalidInput for NaN or less than 0."""
    if not limit >= 0:
        raise InvalidInput(f"limit is {limit}; give 0 or more", zh="上限须为非负数。")
    return float(limit)


def node_numbers(nodes: ArrayLike, count: int) -> Ints:
    """The numbers as an array; raises InvalidInput where one is not of 0 to `count` - 1."""
    numbers = np.asarray(nodes)
    if numbers.size == 0:
        return np.zeros(0, np.intp)
    if numbers.ndim != 1 or not np.issubdtype(numbers.dtype, np.integer):
        raise InvalidInput(
            f"node numbers are {numbers.dtype} of shape {numbers.shape}; give a list of whole numbers",
            zh="路网节点编号须为整数列表。",
        )
    refuse_rows(np.flatnonzero((numbers < 0) | (numbers >= count)), "node numbers", "路网节点编号")
    return numbers.astype(np.intp)


def refuse_degrees(xy: Floats, tail: Ints, head: Ints, length_m: Floats) -> None:
    """Raise when the lengths are what the coordinates measure as longitude and latitude."""
    if len(tail) == 0 or (np.abs(xy) > (180.0, 90.0)).any():
        return
    step = (xy[head] - xy[tail]) * _METRES_PER_DEGREE
    step[:, 0] *= np.cos(np.radians(xy[tail, 1]))
    on_earth = np.hypot(step[:, 0], step[:, 1])
    fits = (length_m > 0.5 * on_earth) & (length_m < 2 * on_earth)
    if fits.mean() >= 0.9:
        raise InvalidInput(
            "node_xy are degrees, not metres: the edges' lengths fit longitude and latitude; project them first",
            zh="路网坐标是经纬度,请先投影到以米为单位的坐标系。",
        )
