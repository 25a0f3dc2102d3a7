"""
Chance that repeats: random streams and smooth noise that give the same numbers on every machine.

Only sums, products and square roots are used on the way to a coordinate: these are exact to the last bit
everywhere, while sines and exponentials differ between processors.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SPAN_M = 160_000.0


def stream(seed: int, purpose: str) -> np.random.Generator:
    """The random stream of one purpose, so that a draw more in one place changes nothing elsewhere."""
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(purpose.encode())]))


def _spline_weights(t: Floats) -> list[Floats]:
    """The four weights of the uniform cubic B-spline at `t` in [0, 1)."""
    t2 = t * t
    t3 = t2 * t
    s = 1.0 - t
    return [s * s * s / 6, (3 * t3 - 6 * t2 + 4) / 6, (3 * (t + t2 - t3) + 1) / 6, t3 / 6]


def smooth_noise(rng: np.random.Generator, wavelength_m: float, x: Floats, y: Floats) -> Floats:
    """
    Smooth noise of about -1 to 1 over the plane, twice differentiable.

    Parameters
    ----------
    wavelength_m : spacing of the control points
    x, y : metres from the middle of the district, any equal shapes, at most 75 km each
    """
    count = int(_SPAN_M / wavelength_m) + 5
    control = 2.0 * rng.random((count, count)) - 1.0
    gx, gy = (x + _SPAN_M / 2) / wavelength_m, (y + _SPAN_M / 2) / wavelength_m
    ix, iy = np.floor(gx).astype(np.int64), np.floor(gy).astype(np.int64)
    wx, wy = _spline_weights(gx - ix), _spline_weights(gy - iy)
    total = np.zeros(np.shape(gx))
    for a in range(4):
        for b in range(4):
            total += wx[a] * wy[b] * control[ix + a, iy + b]
    return 1.7 * total


def line_noise(rng: np.random.Generator, wavelength_m: float, along: Floats) -> Floats:
    """Smooth noise of about -1 to 1 along a line; `along` in metres, at most 75 km from the middle."""
    count = int(_SPAN_M / wavelength_m) + 5
    control = 2.0 * rng.random(count) - 1.0
    g = (along + _SPAN_M / 2) / wavelength_m
    i = np.floor(g).astype(np.int64)
    return 1.4 * sum(w * control[i + a] for a, w in enumerate(_spline_weights(g - i)))


def shares(total: int, weight: Floats) -> NDArray[np.int64]:
    """`total` split in whole numbers by `weight`, by largest remainder; ties go to the first."""
    exact = weight * (total / weight.sum())
    whole = np.floor(exact).astype(np.int64)
    rest = np.argsort(-(exact - whole), kind="stable")[: total - int(whole.sum())]
    whole[rest] += 1
    return whole


def pick(rng: np.random.Generator, count: int, weight: Floats) -> NDArray[np.int64]:
    """
    Indices of at most `count` different items, ascending, each with a chance in proportion to `weight`.

    Systematic sampling over a shuffled order: an item heavier than one share is taken once.
    """
    order = rng.permutation(len(weight))
    share = np.minimum(weight[order] * (count / weight.sum()), 1.0)
    for _ in range(6):  # what heavy items cannot use goes to the others
        share = np.minimum(share * (count / share.sum()), 1.0)
    marks = np.floor(np.cumsum(share) + rng.random()).astype(np.int64)
    return np.sort(order[np.diff(marks, prepend=0) > 0])
