"""Who is reached by a workstation, by the one definition that overview, cards and packs print beside every figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import shapely
import shapely.geometry

from gridmap.domain.roles import WHOLE_DISTRICT, Role, User
from gridmap.errors import InvalidInput, NotFound
from gridmap.services import gaps, situations
from gridmap.services.district import District
from gridmap.services.questions import Question, Travel, Within
from gridmap.storage import elements, past

QUESTION = Question(mode=Travel.EBIKE, within=Within(600.0, "s"))
# Figures are counted for nobody in particular; `gridmap.services.overview` hides what a reader may not see.
_COUNTER = User("overview", "总览", Role.ADMIN, area=frozenset({WHOLE_DISTRICT}))


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """
    Whether each demand point is reached, and what each workstation carries.

    `within[k]` counts the people within reach of workstation k, `unique[k]` those whom it alone reaches,
    `nearest[k]` those for whom it is the nearest one, however far.
    """

    is_covered: np.ndarray
    within: np.ndarray
    unique: np.ndarray
    nearest: np.ndarray
    text: str


def reach(
    district: District, homes: Sequence[str], posts: Sequence[str], *, at: datetime | None = None
) -> Reach:
    """
    Which demand points (ids of residential areas) are reached from the workstations (ids), now or at `at`.

    By `QUESTION`: along roads, at the modes' speeds; a place exactly at the threshold is reached. Where the
    district lacks what the question needs, nobody is reached and `text` says why.
    """
    try:
        found = situations.prepare(district, _COUNTER, QUESTION, sequence=sequence_at(district, at))
    except InvalidInput as nothing:  # a district without people, points or roads yet has figures all the same
        none = np.zeros(len(posts))
        return Reach(np.zeros(len(homes), dtype=bool), none, none, none, f"未计算:{nothing.chinese()}")
    covered = dict(zip(found.demand.id.tolist(), found.cover.is_covered.tolist(), strict=True))
    column = {found.points.id[row]: number for number, row in enumerate(found.active)}
    columns = np.array([column.get(one, -1) for one in posts], dtype=np.int64)

    def carried(counts: np.ndarray) -> np.ndarray:
        return np.append(counts, 0.0)[columns]

    return Reach(
        np.array([covered.get(one, False) for one in homes], dtype=bool), carried(found.cover.within),
        carried(found.cover.unique), carried(found.cover.assigned), _words(found),
    )  # fmt: skip


def shape(district: District, post: str, *, at: datetime | None = None) -> shapely.Geometry | None:
    """
    The area (lon, lat) that a workstation reaches, for the eye; None where it is not active, or where roads or
    points were others at `at`.
    """
    if sequence_at(district, at) is not None:
        return None
    try:
        found = gaps.reach_shapes(district, _COUNTER, QUESTION, point=post)
    except (NotFound, InvalidInput):
        return None
    return shapely.geometry.shape(found["features"][0]["geometry"])


def _words(found: situations.Situation) -> str:
    method = found.method()
    return f"{method['mode_title']} {method['within_text']}内到警务站(沿路网,EPSG:{found.crs.to_epsg()})"


def sequence_at(district: District, at: datetime | None) -> int | None:
    """The commit that was the newest at `at`; None (the present) where nothing that matters came after it."""
    if at is None:
        return None
    with district.database.read() as connection:
        then = past.sequence_at(connection, at)
        layers = situations.layers_of(QUESTION, district)
        newest = max((elements.layer_sequence(connection, one) for one in layers), default=0)
    return None if newest <= then else then
