"""
Map pictures of the district, drawn on the server: what is shown, as of when, and only what the reader may see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from gridmap.domain.elements import Box
from gridmap.domain.freshness import CHINA
from gridmap.domain.layers import Layer, Shape, Symbol
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput
from gridmap.services import access, figures, keeping, overview, standing
from gridmap.services.district import District
from gridmap.services.figures import Stamp
from gridmap.services.outlook import PointChange

if TYPE_CHECKING:  # drawing libraries are loaded by whoever draws
    from gridmap.maps.figure import Highlight, Picture
    from gridmap.maps.painting import Drawn

# As on the live map's swipe.
CHANGE_SYMBOLS = {
    "add": Symbol(Shape.DIAMOND, "#0f6131", size=17),
    "move": Symbol(Shape.DIAMOND, "#8a4500", size=17),
    "close": Symbol(Shape.CROSS, "#a3161b", size=17),
}
MOVE_SYMBOL = Symbol(Shape.DASHED, "#8a4500", size=2.4)
AREA_SYMBOL = Symbol(Shape.SOLID, "#d6336c", size=2.6, fill_opacity=0.06)
REACH_SYMBOL = Symbol(Shape.SOLID, "#2a9d8f", size=1.2, fill_opacity=0.18)


def shown_layers(district: District, user: User, layers: Sequence[str] | None = None) -> list[Layer]:
    """
    The layers of `layers` (or those that the map shows at first) that the user may see, in catalogue order.

    Raises
    ------
    PermissionDenied, NotFound
        A layer was named that the user may not see, or that does not exist.
    """
    access.require(district, user, Permission.VIEW_ELEMENTS, "map")
    if layers is None:
        return [one for one in access.visible_layers(district, user) if one.is_visible]
    named = [district.catalogue.layer(one) for one in layers]
    for one in named:
        access.require_sight(district, user, one)
    return sorted(named, key=lambda one: one.order)


def drawn(district: District, layer: Layer, at: datetime | None = None) -> Drawn:
    """The layer ready to be drawn; kept, so that many pictures share the work."""
    from gridmap.maps.painting import Drawn

    def make() -> Drawn:
        state = standing.layer_state(district, layer.id, at)
        values: list[Mapping[str, Any]] = [{}] * len(state)
        if layer.symbol_rule is not None:
            names = layer.symbol_rule.fields
            values = [{name: found.get(name) for name in names} for found in state.values()]
        labels = state.name.tolist() if layer.label_min_zoom <= 22 else []
        return Drawn(layer, state.geometry, values, labels).prepared()

    return keeping.kept(district, ("drawn", layer.id, at), make, is_past=at is not None)


def district_box(district: District, at: datetime | None = None) -> Box:
    """
    The lon/lat box of the district.

    Raises
    ------
    InvalidInput
        The district is empty.
    """
    for layer in ("district", standing.TOWN, standing.GRID):
        state = standing.layer_state(district, layer, at)
        if len(state):
            return tuple(shapely.total_bounds(state.geometry).tolist())  # type: ignore[return-value]
    raise InvalidInput("the district has no area yet", zh="辖区还没有边界,无法绘图。请先导入辖区或街镇边界。")


@dataclass(frozen=True, slots=True)
class Request:
    """
    A picture that somebody asks for.

    `box` of None is the whole district; `layers` of None those that the map shows at first; `named` are layers
    whose names are written at every scale.
    """

    box: Box | None = None
    layers: tuple[str, ...] | None = None
    at: datetime | None = None
    title: str = ""
    named: frozenset[str] = frozenset()
    width_mm: float = 277.0
    height_mm: float = 170.0
    dpi: int = 150
    has_legend: bool = True
    has_footer: bool = True


def picture(
    district: District,
    user: User,
    request: Request,
    *,
    stamp: Stamp | None = None,
    highlights: Sequence[Highlight] = (),
) -> Picture:
    """
    Draw the map as the user may see it.

    `stamp` is what a page's figures speak of; without one, the picture's own moment is printed below it.

    Raises
    ------
    PermissionDenied, NotFound, InvalidInput (an empty district), Unavailable (set-up has not brought the font)
    """
    from gridmap.maps.figure import FigureSpec, draw

    layers = [drawn(district, one, request.at) for one in shown_layers(district, user, request.layers)]
    land = standing.layer_state(district, "district", request.at).geometry
    now = district.clock()
    if stamp is None:
        moment = request.at or now
        text = f"数据时间 {moment.astimezone(CHINA):%Y-%m-%d %H:%M} · 数据序号 {overview.sequence_at(district, request.at)}"
        is_simulated = overview.overview(district, user, at=request.at).stamp.is_simulated
    else:
        text, is_simulated = stamp.text.removesuffix(f" · {figures.SIMULATED}"), stamp.is_simulated
    spec = FigureSpec(
        box=request.box or district_box(district, request.at),
        layers=tuple(layers),
        land=land,
        highlights=tuple(highlights),
        title=request.title,
        footer=text if request.has_footer else "",
        maker=maker(user) if request.has_footer else "",
        watermark=watermark(user, now),
        is_simulated=is_simulated and request.has_footer,
        has_legend=request.has_legend,
        always_named=request.named,
        width_mm=request.width_mm,
        height_mm=request.height_mm,
        dpi=request.dpi,
    )
    return draw(spec)


def maker(user: User) -> str:
    """Who made it, as printed."""
    return f"{user.display_name}({user.username})"


def watermark(user: User, at: datetime) -> str:
    """Who took it away and when, as printed across it."""
    return f"{user.display_name} {at.astimezone(CHINA):%Y-%m-%d %H:%M}"


def area_highlight(geometry: shapely.Geometry, title: str) -> Highlight:
    """The area that a page is about."""
    from gridmap.maps.figure import Highlight

    return Highlight(np.array([geometry], dtype=object), AREA_SYMBOL, title)


def change_highlights(changes: Sequence[PointChange]) -> list[Highlight]:
    """What a scenario changes among the points: where they would stand, and how far they are moved."""
    from gridmap.maps.figure import Highlight

    found = []
    moved = [shapely.LineString([one.was, one.place]) for one in changes if one.was is not None]
    if moved:
        found.append(Highlight(np.array(moved, dtype=object), MOVE_SYMBOL, "迁移路线"))
    for kind, symbol in CHANGE_SYMBOLS.items():
        of_kind = [one for one in changes if one.kind == kind]
        if of_kind:
            names = tuple(f"{one.title} {one.name}".strip() for one in of_kind)
            places = shapely.points([one.place for one in of_kind])
            found.append(Highlight(places, symbol, f"方案:{of_kind[0].title}", names))
    return found


def reach_highlight(geometry: shapely.Geometry, title: str) -> Highlight:
    """What a linkage point reaches."""
    from gridmap.maps.figure import Highlight

    return Highlight(np.array([geometry], dtype=object), REACH_SYMBOL, title)
