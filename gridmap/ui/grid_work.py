"""What somebody is in the middle of on the page of grids: edits that were looked at, repairs that can be undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gridmap.domain.elements import Element
from gridmap.services.grids import GridReceipt


@dataclass(frozen=True, slots=True)
class GridOrder:
    """
    An edit of grids that was tried and not stored.

    Attributes
    ----------
    title : what it is, in words
    layer : its id
    before : the grids as they were when it was tried
    trial : what it would do
    act : stores it, based on the revisions that it was tried on
    """

    title: str
    layer: str
    before: tuple[Element, ...]
    trial: GridReceipt
    act: Callable[[], GridReceipt]


@dataclass(frozen=True, slots=True)
class Done:
    """A stored edit that may be taken back, and what it was."""

    sequence: int
    title: str


@dataclass(slots=True)
class GridsWork:
    """
    One person's work on grids.

    Attributes
    ----------
    order : the edit that waits to be confirmed
    done : the edits of this session, newest last
    orders : how many edits were begun; part of the keys of the inputs, so that they start empty
    """

    order: GridOrder | None = None
    done: list[Done] = field(default_factory=list)
    orders: int = 0
