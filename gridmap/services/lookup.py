"""What a request calls by its code: known ones pass, for others the answer says what there is."""

from __future__ import annotations

from collections.abc import Iterable

from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.errors import NotFound
from gridmap.services import access
from gridmap.services.district import District

_SHOWN = 12


def require_grid(district: District, user: User, layer_id: str, code: str) -> None:
    """
    Pass when the grid layer has an area of this code now, and the user may see it.

    Raises
    ------
    NotFound (no such layer, no grid layer, no such code), PermissionDenied
    """
    layer = grid_layer(district, user, layer_id)
    frame = district.frames.frame(layer.id)
    require_code(layer, code, frame.arrays.code[frame.living])


def grid_layer(district: District, user: User, layer_id: str) -> Layer:
    """The layer, where it groups elements and the user may see it; raises NotFound or PermissionDenied."""
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    if not layer.is_grid:
        known = [one.id for one in district.catalogue.grids]
        raise NotFound(
            f"layer {layer.id} is no grid layer; grid layers are {', '.join(known)}",
            zh=f"“{layer.title}”不是网格图层。网格图层有:{'、'.join(known)}。",
            layer=layer.id,
        )
    return layer


def require_code(layer: Layer, code: str, known: Iterable[str | None]) -> None:
    """Pass when `code` is among the layer's codes `known`; raises NotFound."""
    there = {one for one in known if one}
    if code in there:
        return
    codes = sorted(there)
    if not codes:
        zh = f"图层“{layer.title}”还没有带编码的要素,请先导入。"
    else:
        more = " 等" if len(codes) > _SHOWN else ""
        zh = (
            f"图层“{layer.title}”中没有编码“{code}”。现有 {len(codes)} 个:{'、'.join(codes[:_SHOWN])}{more}。"
        )
    raise NotFound(
        f"layer {layer.id} has no code {code!r}; it has {', '.join(codes[:_SHOWN]) or 'none'}",
        zh=zh,
        layer=layer.id,
        code=code,
    )
