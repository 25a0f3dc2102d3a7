"""Elements read as this user may see them: by id, by query, by words, by place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import shapely

from gridmap.domain.elements import Element
from gridmap.domain.layers import FieldClass, Layer
from gridmap.domain.roles import Permission, User
from gridmap.errors import NotFound
from gridmap.services import access
from gridmap.services.district import District
from gridmap.services.elements.results import Page
from gridmap.services.frames import Frame
from gridmap.storage import elements as stored
from gridmap.storage import membership as members
from gridmap.storage.elements import Query

SMALL_COUNT = 5
_NUMBERED = re.compile(r"(.*\D|)(\d{1,12})")
# letters, then digits of which so many are the least: FX\d{4,12}
_SIMPLE_PATTERN = re.compile(r"([A-Za-z]+)\\d\{(\d{1,2})(?:,\d*)?\}")
_TRIES, _AT_ONCE = 2_000, 100


def masked(user: User, layer: Layer, element: Element) -> Element:
    """The element as this user may see it: without sensitive sight, small counts are `blanked`."""
    if user.may(Permission.VIEW_SENSITIVE):
        return element
    counts = {one.name for one in layer.fields if one.field_class is FieldClass.COUNT}
    small = frozenset(
        name
        for name, value in element.properties.items()
        if name in counts and value is not None and 0 < value < SMALL_COUNT
    )
    shown = {name: None if name in small else value for name, value in element.properties.items()}
    return replace(element, properties=shown, blanked=small)


def _refuse_masked(district: District, user: User, layer: Layer, names: Iterable[str]) -> None:
    if user.may(Permission.VIEW_SENSITIVE):
        return
    for one in layer.fields:
        if one.name in names and one.field_class is FieldClass.COUNT:
            raise access.refuse(
                district, user, "filter by a masked count", layer.id,
                zh=f"“{one.title}”含有隐去的小数量,您不能按它筛选。",
            )  # fmt: skip


def get(district: District, user: User, layer_id: str, element_id: str) -> Element:
    """The living element; raises NotFound (also for a deleted one) or PermissionDenied."""
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    return masked(user, layer, living(district, layer, element_id))


def next_code(district: District, user: User, layer_id: str) -> str | None:
    """
    A code that no element of the layer has or had: one after the greatest number of the commonest kind.

    None for grids, whose codes follow a scheme, and where codes do not end in a number.
    """
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    if layer.is_grid:
        return None
    frame = district.frames.frame(layer.id)
    found = [_NUMBERED.fullmatch(one) for one in frame.arrays.code[frame.living].tolist() if one]
    kinds = Counter((one[1], len(one[2])) for one in found if one)
    simple = _SIMPLE_PATTERN.fullmatch(layer.code_pattern or "")
    if not kinds and simple is None:
        return None
    prefix, width = kinds.most_common(1)[0][0] if kinds else (simple[1], int(simple[2]))  # type: ignore[index]
    number = max((int(one[2]) for one in found if one and one[1] == prefix), default=0)
    with district.database.read() as connection:
        for step in range(1, _TRIES, _AT_ONCE):
            tried = [f"{prefix}{number + at:0{width}d}" for at in range(step, step + _AT_ONCE)]
            taken = stored.codes_taken(connection, layer.id, tried)
            free = [one for one in tried if one not in taken and _fits(layer, one)]
            if free:
                return free[0]
    return None


def _fits(layer: Layer, code: str) -> bool:
    return layer.code_pattern is None or re.fullmatch(layer.code_pattern, code) is not None


def any_state(district: District, layer: Layer, element_id: str) -> Element:
    """The element as stored, deleted or not; raises NotFound."""
    with district.database.read() as connection:
        found = stored.get(connection, element_id)
    if found is None or found.layer != layer.id:
        raise NotFound(
            f"layer {layer.id} has no element {element_id}",
            zh=f"图层“{layer.title}”中没有这个要素,可能已被移走,请刷新后再试。",
            layer=layer.id,
            element=element_id,
        )
    return found


def living(district: District, layer: Layer, element_id: str) -> Element:
    """The element as stored, whoever asks; raises NotFound (also for a deleted one)."""
    found = any_state(district, layer, element_id)
    if found.is_retired:
        raise NotFound(
            f"element {element_id} was deleted in revision {found.revision}; restore it to use it again",
            zh="该要素已被删除,可在“要素”页的历史中恢复。",
            layer=layer.id,
            element=element_id,
        )
    return found


def present_revision(district: District, user: User, layer_id: str, element_id: str) -> int:
    """The number of the element's newest revision, deleted or not; for writers who take it as it is."""
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    return any_state(district, layer, element_id).revision


def find(district: District, user: User, query: Query, *, limit: int = 100, offset: int = 0) -> Page:
    """
    One page of the elements that `query` asks for, and their total number.

    Raises
    ------
    NotFound
    PermissionDenied
        Also for a question after a count that this user sees masked: the answers would tell it.
    """
    layer = district.catalogue.layer(query.layer)
    access.require_sight(district, user, layer)
    _refuse_masked(district, user, layer, query.equals or {})
    with district.database.read() as connection:
        found = stored.find(connection, query, limit=limit, offset=offset)
        total = stored.count(connection, query)
    return Page(tuple(masked(user, layer, one) for one in found), total)


def search(
    district: District,
    user: User,
    text: str,
    *,
    layers: Sequence[str] = (),
    limit: int = 20,
    grid: tuple[str, str] | None = None,
) -> list[Element]:
    """
    Elements of visible layers whose code, name or pinyin contains `text`, best first; none for blank text.

    `grid` (layer, code) leaves out what lies elsewhere. Finding something of a sensitive layer is a sight of it.
    """
    visible = [one.id for one in access.visible_layers(district, user) if not layers or one.id in layers]
    if not text.strip() or not visible:
        return []
    with district.database.read() as connection:
        found = stored.search(connection, text, visible, limit=limit, grid=grid)
    _note_sight(district, user, found)
    return [masked(user, district.catalogue.layer(one.layer), one) for one in found]


def identify(
    district: District,
    user: User,
    lon: float,
    lat: float,
    *,
    tolerance: float,
    layers: Sequence[str],
    limit: int = 20,
) -> list[Element]:
    """
    Elements of `layers` within `tolerance` degrees of the place, topmost first: points before lines before
    areas, nearer before farther, smaller areas before larger.
    """
    place = shapely.Point(lon, lat)
    found_here: list[tuple[Any, str]] = []
    for layer in access.visible_layers(district, user):
        if layer.id not in layers:
            continue
        found_here += hits(district.frames.frame(layer.id), layer, place, tolerance)
    ids = [one for _, one in sorted(found_here)[:limit]]
    with district.database.read() as connection:
        found = stored.get_many(connection, ids)
    _note_sight(district, user, list(found.values()))
    return [
        masked(user, district.catalogue.layer(found[one].layer), found[one]) for one in ids if one in found
    ]


def hits(
    frame: Frame, layer: Layer, place: shapely.Point, tolerance: float
) -> list[tuple[tuple[int, float, float, int], str]]:
    """Ids of a frame's elements within `tolerance` degrees of the place, each with its rank for sorting."""
    found = []
    for at in frame.in_box(
        (place.x - tolerance, place.y - tolerance, place.x + tolerance, place.y + tolerance)
    ):
        geometry = frame.arrays.geometry[at]
        distance = shapely.distance(geometry, place)
        if distance <= tolerance:
            rank = (int(shapely.get_dimensions(geometry)), geometry.area, float(distance), -layer.order)
            found.append((rank, frame.arrays.id[at]))
    return found


def _note_sight(district: District, user: User, found: Sequence[Element]) -> None:
    for layer_id in dict.fromkeys(one.layer for one in found):
        access.require_sight(district, user, district.catalogue.layer(layer_id))


def grids_of(district: District, element: Element) -> dict[str, str]:
    """The codes of the grids the element lies in, by grid layer."""
    with district.database.read() as connection:
        return members.of_element(connection, element.id)
