"""Edits of areas that are refused: drawings that make no sense, ground that nobody would have."""

from __future__ import annotations

from gridmap.errors import InvalidInput, StateConflict


class GridEditError(InvalidInput):
    """
    A grid edit makes no sense on the ground: a line that cuts nothing, an outline that is no area.

    Attributes
    ----------
    place : (x, y) where it happens, where that is known
    """

    title = "网格编辑无法完成"


class GroundLeftOver(StateConflict):
    """
    Ground would belong to nobody: an area gives it up and no neighbour of the same parent touches it.

    Attributes
    ----------
    place : (x, y) on the piece
    area_m2 : its size
    """

    title = "会留下空白"


class GridSwallowed(StateConflict):
    """
    An area would lose all its ground; merging is the edit that says so.

    Attributes
    ----------
    index : its position among the areas
    """

    title = "网格会消失"
