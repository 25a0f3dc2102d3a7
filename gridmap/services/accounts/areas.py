"""What screens show of an account's area and rights."""

from __future__ import annotations

from collections.abc import Iterable

from gridmap.domain.roles import PERMISSIONS, WHOLE_DISTRICT, Permission, Role
from gridmap.services.district import District


def may_write(role: Role) -> bool:
    """Whether layers and area mean anything for this role."""
    return Permission.EDIT_ELEMENTS in PERMISSIONS[role]


def area_choices(district: District) -> dict[str, str]:
    """Codes that may limit an account's area, coarse before fine, with "name(layer)" for people to read."""
    choices: dict[str, str] = {}
    for layer_id in _AREA_LAYERS:
        if layer_id in district.catalogue:
            choices |= _titles(district, layer_id)
    return choices


def area_titles(district: District, area: Iterable[str]) -> dict[str, str]:
    """The words for the codes of an area; a code that nothing has any more is left out."""
    wanted = set(area) - {WHOLE_DISTRICT}
    titles: dict[str, str] = {}
    for layer in district.catalogue.grids if wanted else ():
        titles |= {code: text for code, text in _titles(district, layer.id).items() if code in wanted}
    return titles


# finer grids exist; an area of hundreds of micro grids would be a police grid
_AREA_LAYERS = ("town", "police_station", "police_beat", "police_grid")


def _titles(district: District, layer_id: str) -> dict[str, str]:
    layer, frame = district.catalogue.layer(layer_id), district.frames.frame(layer_id)
    codes, names = frame.arrays.code, frame.arrays.name
    rows = sorted((str(codes[at]), str(names[at])) for at in frame.living if codes[at])
    return {code: f"{name}({layer.title})" for code, name in rows}
