"""The faces that borders enclose: the smallest pieces of ground that an edit can hand over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from gridmap.domain.grids.polygons import Array
from gridmap.domain.grids.scale import Scale, scale_of
from gridmap.domain.grids.vertices import Known


@dataclass(frozen=True, slots=True)
class Faces:
    """
    The smallest areas that all borders enclose, and who owns each.

    Attributes
    ----------
    faces : (f,) Polygon; vertices are rounded to a tenth of a millimetre, `known` turns them back
    inner : (f,) a point inside each
    owned : (areas, f) bool; several owners overlap
    """

    faces: Array
    inner: Array
    owned: Array
    known: Known
    scale: Scale

    @classmethod
    def of(cls, areas: Array, lines: Sequence[BaseGeometry] = ()) -> Faces:
        """The faces between the borders of the areas and these lines."""
        scale = scale_of(areas)
        borders = shapely.union_all([*shapely.boundary(areas), *lines], grid_size=scale.rounding)
        faces = shapely.get_parts(shapely.polygonize([borders]))
        inner = shapely.point_on_surface(faces)
        owned = _owners(areas, inner, scale.rounding)
        return cls(faces, inner, owned, Known.of([*areas, *lines], scale.rounding), scale)

    def union(self, which: Array) -> BaseGeometry:
        """The ground of these faces (bool each)."""
        return shapely.coverage_union_all(self.faces[which]) if which.any() else Polygon()

    def inside(self, geometry: BaseGeometry) -> Array:
        """(f,) whether each face lies in the geometry."""
        shapely.prepare(geometry)
        return shapely.intersects(geometry, self.inner)


def _owners(areas: Array, inner: Array, rounding: float) -> Array:
    owned = np.zeros((len(areas), len(inner)), dtype=bool)
    tree = shapely.STRtree(areas)
    face, area = tree.query(inner, predicate="intersects")
    owned[area, face] = True
    # the inner point of a face as thin as the rounding may fall just beside the area that it came from
    lost = np.flatnonzero(~owned.any(axis=0))
    face, area = tree.query(inner[lost], predicate="dwithin", distance=rounding)
    _, first = np.unique(face, return_index=True)
    owned[area[first], lost[face[first]]] = True
    return owned
