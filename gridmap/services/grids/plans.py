"""What a grid edit comes to: a plan while it is worked out, a receipt when it is done or asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from gridmap.domain.elements import Element
from gridmap.domain.layers import Layer
from gridmap.services.district import District
from gridmap.storage.lineage import Descent
from gridmap.storage.proposals import Proposal


@dataclass(frozen=True, slots=True)
class GridReceipt:
    """
    What a grid edit answers.

    Either it is stored (`sequence`; `changed` are grids with other ground, vertices, code or values, `created`
    and `retired` the new and the ended ones), or it waits for the other side (`proposal`, nothing stored).
    A trial run has neither. `warnings` are Chinese sentences.
    """

    changed: tuple[Element, ...] = ()
    created: tuple[Element, ...] = ()
    retired: tuple[Element, ...] = ()
    warnings: tuple[str, ...] = ()
    sequence: int | None = None
    proposal: Proposal | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """
    An edit that is worked out and not stored.

    Attributes
    ----------
    before : the states it was worked out from, by id
    as_of : the commit that these stand for
    links : (id before, id after) of the steps that `descent` names
    """

    layer: Layer
    before: Mapping[str, Element]
    as_of: int
    changed: tuple[Element, ...] = ()
    created: tuple[Element, ...] = ()
    retired: tuple[Element, ...] = ()
    descent: Descent | None = None
    links: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def changes(self) -> list[tuple[Element | None, Element]]:
        """Each state before with the one after."""
        pairs: list[tuple[Element | None, Element]] = [(None, one) for one in self.created]
        return pairs + [(self.before[one.id], one) for one in (*self.changed, *self.retired)]

    @property
    def written(self) -> tuple[Element, ...]:
        """Every state that storing would write."""
        return (*self.changed, *self.created, *self.retired)

    @property
    def receipt(self) -> GridReceipt:
        """What a trial run answers."""
        return GridReceipt(self.changed, self.created, self.retired, self.warnings)


class GridEdit(Protocol):
    """An edit that somebody asked for: what it is called, and how it is worked out."""

    def title(self, layer: Layer) -> str: ...

    def plan(self, district: District, layer: Layer) -> Plan: ...


@runtime_checkable
class Proposable(GridEdit, Protocol):
    """An edit that another officer can be asked for: it is written down as it was meant, and read again."""

    kind: ClassVar[str]

    def arguments(self) -> dict[str, Any]: ...

    @classmethod
    def read(cls, arguments: Mapping[str, Any]) -> Self: ...
