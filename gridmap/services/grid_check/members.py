"""Elements in grids: those that lie in none, and those noted in another grid than the one they lie in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from shapely.geometry.base import BaseGeometry

from gridmap.domain.layers import Layer
from gridmap.services.grid_check.findings import Finding, Kind, Repair
from gridmap.services.grid_check.look import Look, sound_areas
from gridmap.services.membership import grid_codes, representative_points
from gridmap.storage import membership as members


def member_findings(look: Look) -> list[Finding]:
    """Elements of every layer that belongs into grids, compared with where they lie."""
    if not len(look.ids):
        return []
    return [one for layer in _layers_in_grids(look) for one in _of_layer(look, layer)]


def _layers_in_grids(look: Look) -> Iterator[Layer]:
    """Layers whose elements belong into grids: roads and what belongs to them go on beyond the district's edge."""
    catalogue = look.district.catalogue
    network = {one.group for one in catalogue if one.is_basemap and not one.is_grid}
    for layer in catalogue:
        if not (layer.is_grid or layer.is_basemap or layer.group in network):
            yield layer


def _of_layer(look: Look, layer: Layer) -> Iterator[Finding]:
    frame = look.district.frames.frame(layer.id)
    if not len(frame.living):
        return
    points = representative_points(sound_areas(frame.arrays.geometry[frame.living]))
    lies = grid_codes(look.sound, np.array(look.codes, dtype=object), points)
    ids = frame.arrays.id[frame.living].tolist()
    with look.district.database.read() as connection:
        noted = members.of_elements(connection, ids, look.layer.id)
    for at, (element_id, code) in enumerate(zip(ids, lies, strict=True)):
        was = noted.get(element_id)
        if code is not None and was == code:
            continue
        name = frame.arrays.code[frame.living[at]] or frame.arrays.name[frame.living[at]]
        title = f"{layer.title}“{name}”"
        if code is None:
            message = f"{title}不在任何{look.layer.title}内"
            yield _finding(look, Kind.ORPHAN, layer, (element_id, name), points[at], message)
        if was != code:
            message = f"{title}的归属应为“{code or '无'}”,记录为“{was or '无'}”"
            repairs = [Repair("derive", "重新推算全部归属")]
            yield _finding(look, Kind.MISPLACED, layer, (element_id, name), points[at], message, repairs)


def _finding(
    look: Look,
    kind: Kind,
    layer: Layer,
    element: tuple[str, str],
    point: BaseGeometry,
    message: str,
    repairs: Sequence[Repair] = (),
) -> Finding:
    """A finding about an element (its id and code) of another layer than the grids'."""
    element_id, name = element
    found = look.finding(kind, point, [], message, repairs, has_area=False)
    key = hashlib.sha256(f"{kind.value}|{layer.id}|{element_id}|{message}".encode()).hexdigest()[:16]
    return replace(found, key=key, elements=(element_id,), codes=(name,))
