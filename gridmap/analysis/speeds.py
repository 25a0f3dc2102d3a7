"""How fast people move: three modes over road classes, in km/h."""

from __future__ import annotations

import enum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gridmap.errors import InvalidInput


class Mode(enum.Enum):
    """How people reach each other. The value is the word in commands and files."""

    FOOT = "foot"
    EBIKE = "ebike"
    CAR = "car"

    @property
    def title(self) -> str:
        """The word a user reads."""
        return {"foot": "步行", "ebike": "电动自行车", "car": "警车"}[self.value]

    @property
    def obeys_oneway(self) -> bool:
        """Whether one-way streets bind this mode; people on foot walk both ways."""
        return self is not Mode.FOOT

    @property
    def runs_to_point(self) -> bool:
        """Whether the usual question runs from resident to service point; patrol cars drive the other way."""
        return self is not Mode.CAR


FOOT_KMH = 4.8
"""1.33 m/s, the walking speed of accessibility studies; also used off the network in every mode."""
OFF_ROAD_MPS = FOOT_KMH / 3.6

# Average door-to-door speeds, junctions included: settings of ours, not a standard. Electric bicycles are
# limited to 25 km/h by GB 17761. 0 marks a class the mode may not use.
SPEED_KMH: dict[Mode, dict[str, float]] = {
    Mode.FOOT: {
        "motorway": 0.0,
        "trunk": FOOT_KMH,
        "primary": FOOT_KMH,
        "secondary": FOOT_KMH,
        "tertiary": FOOT_KMH,
        "residential": FOOT_KMH,
        "living_street": FOOT_KMH,
        "unclassified": FOOT_KMH,
        "service": FOOT_KMH,
        "track": FOOT_KMH,
        "pedestrian": FOOT_KMH,
        "footway": FOOT_KMH,
        "cycleway": FOOT_KMH,
        "path": FOOT_KMH,
        "steps": 2.4,
    },
    Mode.EBIKE: {
        "motorway": 0.0,
        "trunk": 18.0,
        "primary": 18.0,
        "secondary": 18.0,
        "tertiary": 16.0,
        "residential": 14.0,
        "living_street": 12.0,
        "unclassified": 14.0,
        "service": 12.0,
        "track": 10.0,
        "pedestrian": 6.0,
        "footway": 6.0,
        "cycleway": 18.0,
        "path": 8.0,
        "steps": 0.0,
    },
    Mode.CAR: {
        "motorway": 80.0,
        "trunk": 60.0,
        "primary": 45.0,
        "secondary": 38.0,
        "tertiary": 32.0,
        "residential": 22.0,
        "living_street": 12.0,
        "unclassified": 25.0,
        "service": 15.0,
        "track": 12.0,
        "pedestrian": 0.0,
        "footway": 0.0,
        "cycleway": 0.0,
        "path": 0.0,
        "steps": 0.0,
    },
}
HIGHEST_KMH: dict[Mode, float] = {Mode.FOOT: 7.0, Mode.EBIKE: 25.0, Mode.CAR: 130.0}
"""Faster than this is a mistake in the data, not a speed."""


def speed_kmh(road_class: str, mode: Mode) -> float:
    """Speed on a road class, 0 where the mode may not go; link roads count as their class, unknown as unclassified."""
    table = SPEED_KMH[mode]
    return table.get(road_class.removesuffix("_link"), table["unclassified"])


def edge_seconds(
    length_m: ArrayLike, road_class: ArrayLike, mode: Mode, *, limit_kmh: ArrayLike | None = None
) -> NDArray[np.float64]:
    """
    Seconds to pass each edge; infinite where the mode may not go (leave those edges out of a graph).

    A speed limit (km/h, NaN where unknown) lowers the class's speed and never raises it.

    Raises
    ------
    InvalidInput
        A length is negative or NaN, or the arrays differ in length.
    """
    length = np.asarray(length_m, dtype=np.float64)
    classes = np.asarray(road_class, dtype=str)
    if length.shape != classes.shape or length.ndim != 1:
        raise InvalidInput(
            f"{length.shape} lengths and {classes.shape} road classes differ",
            zh="道路长度与等级的个数不一致。",
        )
    wrong = np.flatnonzero(~(length >= 0))
    if wrong.size:
        raise InvalidInput(
            f"length of edge {wrong[0]} is {length[wrong[0]]}; give metres",
            zh=f"第 {wrong[0] + 1} 条道路的长度无效。",
            rows=wrong.tolist(),
        )
    names, which = np.unique(classes, return_inverse=True)
    speed = np.array([speed_kmh(str(name), mode) for name in names], dtype=np.float64)[which]
    if limit_kmh is not None:
        limit = np.asarray(limit_kmh, dtype=np.float64)
        speed = np.where(limit > 0, np.fmin(speed, limit), speed)
    return np.divide(length * 3.6, speed, out=np.full(len(length), np.inf), where=speed > 0)
