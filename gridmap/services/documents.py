"""The documents that screens and programs are given: features, the catalogue, receipts, histories."""

from __future__ import annotations

import dataclasses
import json
import math
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.elements import Element, Revision, time_text
from gridmap.domain.layers import Field, FieldType, Layer, Symbol
from gridmap.domain.names import search_key
from gridmap.domain.patterns import in_words
from gridmap.domain.roles import Permission, User
from gridmap.services import access, names
from gridmap.services.district import District
from gridmap.services.elements import Receipt
from gridmap.services.problems import plain
from gridmap.storage import elements as stored
from gridmap.storage import membership as members
from gridmap.storage.database import Database

Document = dict[str, Any]

TOWN = "town"
SYSTEM_PROPERTIES = (
    "source", "revision", "verified_at", "verified_by", "due_at",
    "created_at", "created_by", "updated_at", "updated_by",
)  # fmt: skip


def etag(element: Element) -> str:
    """The entity tag of an element's present state: its revision, quoted (a strong tag)."""
    return f'"{element.revision}"'


def geometry_document(geometry: BaseGeometry) -> Document:
    """The geometry as GeoJSON, coordinates to the last bit."""
    if geometry.geom_type == "Point" and not geometry.is_empty:
        # most elements are points, and a page has up to ten thousand
        return {"type": "Point", "coordinates": [geometry.x, geometry.y]}
    return json.loads(shapely.to_geojson(geometry))


def feature(district: District, element: Element) -> Document:
    """The element as a GeoJSON feature: all fields of its layer (null where there is no value), then the system's."""
    layer = district.catalogue.layer(element.layer)
    return {
        "type": "Feature",
        "id": element.id,
        # a count that is too small for this reader is no missing one
        **({"masked": sorted(element.blanked)} if element.blanked else {}),
        "geometry": geometry_document(element.geometry),
        "properties": {
            "code": element.code,
            "name": element.name,
            **{one.name: element.properties.get(one.name) for one in layer.fields},
            "source": element.source.value,
            "revision": element.revision,
            "verified_at": time_text(element.verified_at),
            "verified_by": element.verified_by,
            "due_at": time_text(element.due_at),
            "created_at": time_text(element.created_at),
            "created_by": element.created_by,
            "updated_at": time_text(element.updated_at),
            "updated_by": element.updated_by,
        },
    }


def people_document(district: District, elements: Sequence[Element]) -> dict[str, str]:
    """What the people behind the accounts in the features of `elements` are called, by account."""
    return names.of(
        district, [who for one in elements for who in (one.created_by, one.updated_by, one.verified_by)]
    )


def receipt(district: District, user: User, answer: Receipt) -> Document:
    """
    What a write answers: the stored feature, its entity tag, people, warnings (Chinese), the commit's
    number, and whether all was like that before, so that nothing was stored.
    """
    element = answer.element
    return {
        "feature": feature(district, element),
        "etag": etag(element),
        "people": people_document(district, [element]),
        "warnings": list(answer.warnings),
        "sequence": element.sequence,
        "is_unchanged": answer.is_unchanged,
    }


def user_document(user: User) -> Document:
    """Who is signed in, and what this person may do."""
    return {
        "username": user.username,
        "display_name": user.display_name,
        "role": user.role.value,
        "role_title": user.role.title,
        "permissions": sorted(one.value for one in Permission if user.may(one)),
        "must_change_password": user.must_change_password,
        "area": sorted(user.area),
        "layers": sorted(user.layers),
    }


# --- the catalogue ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Census:
    sequence: int
    counts: dict[str, int]
    extents: dict[str, tuple[float, float, float, float]]
    is_simulated: bool


_censuses: weakref.WeakKeyDictionary[Database, _Census] = weakref.WeakKeyDictionary()
_census_lock = threading.Lock()


def _census(district: District) -> _Census:
    """Counts and extents of all layers, counted once per commit."""
    sequence = district.database.sequence()
    with _census_lock:
        known = _censuses.get(district.database)
        if known is not None and known.sequence >= sequence:
            return known
        with district.database.read() as connection:
            fresh = _Census(
                sequence,
                stored.counts(connection),
                stored.layer_extents(connection),
                stored.has_simulated(connection),
            )
        _censuses[district.database] = fresh
        return fresh


def catalogue(district: District, user: User) -> Document:
    """Everything the map and the forms need to know about the district, as this user may see it."""
    census = _census(district)
    layers = access.visible_layers(district, user)
    return {
        "district": _district_document(district, census),
        "layers": [_layer_document(one, user, census) for one in layers],
        "groups": list(dict.fromkeys(one.group for one in layers)),
        "is_simulated": census.is_simulated,
        "tile_sources": [dataclasses.asdict(one) for one in district.settings.tile_sources],
        "photos": district.settings.allows_photos,
        "sequence": census.sequence,
        "user": user_document(user),
    }


def layer_document(district: District, user: User, layer: Layer) -> Document:
    """One layer as it stands in the catalogue."""
    return _layer_document(layer, user, _census(district))


def district_bounds(district: District) -> list[float] | None:
    """The lon/lat box of the district (of all elements where it has no outline); None when it is empty."""
    return _bounds(_census(district))


def _bounds(census: _Census) -> list[float] | None:
    boxes = [census.extents["district"]] if "district" in census.extents else list(census.extents.values())
    if not boxes:
        return None
    west, south, east, north = zip(*boxes, strict=True)
    return _outward((min(west), min(south), max(east), max(north)))


def _outward(box: tuple[float, float, float, float]) -> list[float]:
    """A box for looking at, in whole 0.0001 degrees: nothing lies outside, though it may be 20 m too large."""
    west, south, east, north = (one * 10_000 for one in box)
    return [one / 10_000 for one in (math.floor(west), math.floor(south), math.ceil(east), math.ceil(north))]


def _district_document(district: District, census: _Census) -> Document:
    name = "辖区"
    if census.counts.get("district"):
        frame = district.frames.frame("district")
        name = str(frame.arrays.name[frame.living[0]]) or name
    return {"name": name, "bounds": _bounds(census)}


def _layer_document(layer: Layer, user: User, census: _Census) -> Document:
    rule = layer.symbol_rule
    return {
        "id": layer.id,
        "title": layer.title,
        "group": layer.group,
        "order": layer.order,
        "description": layer.description,
        "geometry": layer.geometry.value,
        "privacy": layer.privacy.value,
        "min_zoom": layer.min_zoom,
        "max_zoom": layer.max_zoom,
        "label_min_zoom": layer.label_min_zoom,
        "visible": layer.is_visible,
        "basemap": layer.is_basemap,
        "grid": layer.is_grid,
        "partition": layer.is_partition,
        "parent": layer.parent,
        "code_pattern": layer.code_pattern,
        "code_format": in_words(layer.code_pattern),
        "code_required": layer.is_code_required,
        "symbol": _symbol_document(layer.symbol),
        "symbol_by": rule.field if rule else None,
        "symbols": {value: _symbol_document(one) for value, one in rule.symbols.items()} if rule else {},
        "symbol_exceptions": [
            {"field": one.field, "value": one.value, "symbol": _symbol_document(one.symbol)}
            for one in (rule.exceptions if rule else ())
        ],
        "fields": [_field_document(one) for one in layer.fields],
        "count": census.counts.get(layer.id, 0),
        "extent": _outward(census.extents[layer.id]) if layer.id in census.extents else None,
        "may_edit": access.may_edit(user, layer),
        "freshness": bool(layer.freshness),
    }


def _symbol_document(symbol: Symbol) -> Document:
    return {
        "shape": symbol.shape.value,
        "color": symbol.color,
        "size": symbol.size,
        "fill_opacity": symbol.fill_opacity,
        "title": symbol.title,
        "min_zoom": symbol.min_zoom,
    }


def _field_document(field: Field) -> Document:
    return {
        "name": field.name,
        "title": field.title,
        "type": field.type.value,
        "required": field.is_required,
        "soft": field.is_soft,
        "choices": [{"value": one.value, "title": one.title} for one in field.choices],
        "pattern": field.pattern,
        "format": in_words(field.pattern),
        "minimum": field.minimum,
        "maximum": field.maximum,
        "max_length": field.max_length,
        "unit": field.unit,
        "default": plain(field.default),
        "help": field.help,
        "class": field.field_class.value,
    }


# --- one element -----------------------------------------------------------------------------------------


def element_document(district: District, user: User, element: Element, grids: dict[str, str]) -> Document:
    """The element with its entity tag, people, the grids it lies in, and whether this user may edit it."""
    layer = district.catalogue.layer(element.layer)
    reason = access.why_not_edit(district, user, layer, element.geometry)
    return {
        "feature": feature(district, element),
        "etag": etag(element),
        "people": people_document(district, [element]),
        "grids": _grid_documents(district, grids),
        "may_edit": reason is None,
        "cannot_edit_reason": reason,
    }


def _grid_documents(district: District, grids: dict[str, str]) -> list[Document]:
    documents = []
    for layer in district.catalogue.grids:
        code = grids.get(layer.id)
        if code is None:
            continue
        frame = district.frames.frame(layer.id)
        names = frame.arrays.name[(frame.arrays.code == code) & ~frame.is_hidden]
        documents.append(
            {
                "layer": layer.id,
                "layer_title": layer.title,
                "code": code,
                "name": str(names[0]) if len(names) else "",
            }
        )
    return documents


def search_document(district: District, found: Sequence[Element]) -> Document:
    """Search results: enough to list each and to fly to it."""
    return {"results": [_result(district, one) for one in found]}


def _result(district: District, element: Element) -> Document:
    shape = element.geometry
    place = shape if shape.geom_type == "Point" else shapely.point_on_surface(shape)
    return {
        "id": element.id,
        "layer": element.layer,
        "layer_title": district.catalogue.layer(element.layer).title,
        "code": element.code,
        "name": element.name,
        "center": [place.x, place.y],
        "bbox": list(shape.bounds),
    }


def grids_document(district: District, layer: Layer) -> Document:
    """All areas of a grid layer by code, for a filter: each with its town and what a search in it matches."""
    frame = district.frames.frame(layer.id)
    boxes = shapely.bounds(frame.arrays.geometry)
    listed = [at for at in frame.living if frame.arrays.code[at]]
    towns = _town_names(district, [frame.arrays.id[at] for at in listed])
    grids = []
    for at in listed:
        code, name, town = frame.arrays.code[at], frame.arrays.name[at], towns.get(frame.arrays.id[at])
        # a town's name finds all that lies in it
        key = f"{search_key(code, name)} {search_key(None, town or '')}".strip()
        grids.append({"code": code, "name": name, "bbox": boxes[at].tolist(), "town": town, "search": key})
    return {"grids": sorted(grids, key=lambda one: one["code"])}


def _town_names(district: District, ids: Sequence[str]) -> dict[str, str]:
    """The name of the town that each element lies in, by id."""
    towns = district.frames.frame(TOWN)
    names = dict(zip(towns.arrays.code[towns.living], towns.arrays.name[towns.living], strict=True))
    with district.database.read() as connection:
        codes = members.of_elements(connection, ids, TOWN)
    return {one: names[code] or code for one, code in codes.items() if code in names}


# --- history ---------------------------------------------------------------------------------------------


def history_document(district: District, layer: Layer, revisions: Sequence[Revision]) -> Document:
    """An element's revisions, newest first, each with what it changed from the one before."""
    before = [*revisions[1:], None]
    called = names.of(district, [one.actor for one in revisions])
    return {
        "revisions": [
            _revision_document(layer, now, then) | {"actor_name": called[now.actor]}
            for now, then in zip(revisions, before, strict=True)
        ]
    }


def _revision_document(layer: Layer, now: Revision, then: Revision | None) -> Document:
    return {
        "revision": now.revision,
        "operation": now.operation.value,
        "operation_title": now.operation.title,
        "actor": now.actor,
        "at": time_text(now.at),
        "reason": now.reason,
        "base_revision": now.base_revision,
        "changed": changes(layer, now.element, then.element if then else None) if then else [],
        "is_redacted": now.element is None,
    }


def changes(layer: Layer, now: Element | None, then: Element | None) -> list[Document]:
    """Each field that differs, with both values and the words for them; nothing where a state is missing."""
    if now is None or then is None:
        return []
    titles = {"code": "编码", "name": "名称", **{one.name: one.title for one in layer.fields}}
    new, old = now.values(), then.values()
    found = [
        {
            "field": name,
            "title": title,
            "before": old.get(name),
            "after": new.get(name),
            "before_text": _value_text(layer, name, old.get(name)),
            "after_text": _value_text(layer, name, new.get(name)),
        }
        for name, title in titles.items()
        if old.get(name) != new.get(name)
    ]
    if not shapely.equals_identical(now.geometry, then.geometry):
        found.append(
            {
                "field": "geometry",
                "title": "位置",
                "before": geometry_document(then.geometry),
                "after": geometry_document(now.geometry),
                "before_text": _shape_text(then.geometry),
                "after_text": _shape_text(now.geometry),
            }
        )
    return found


def _value_text(layer: Layer, name: str, value: Any) -> str:
    if value is None:
        return ""
    field = next((one for one in layer.fields if one.name == name), None)
    if field is None:
        return str(value)
    if field.type is FieldType.BOOLEAN:
        return "是" if value else "否"
    return field.choice_title(value) + (f" {field.unit}" if field.unit else "")


def _shape_text(geometry: BaseGeometry) -> str:
    if geometry.geom_type == "Point":
        return f"{geometry.x:.6f}, {geometry.y:.6f}"
    kind = "面" if shapely.get_dimensions(geometry) == 2 else "线"
    return f"{kind},{shapely.get_num_coordinates(geometry)} 个顶点"
