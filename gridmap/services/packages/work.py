"""The bringing back of one package as it goes along: what was stored, and what waits for a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.elements import new_id
from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.errors import GridmapError
from gridmap.services.district import District
from gridmap.services.elements import InvalidElement
from gridmap.services.merging import MergeConflict
from gridmap.storage.packages import Trouble, WaitingEdit, WorkPackage


@dataclass(frozen=True, slots=True)
class Returned:
    """
    What came of bringing a package back.

    Ids of elements that were created, changed and deleted; `merged` are those among the changed whose other
    fields somebody else had changed meanwhile; `waiting` are edits for a person to decide. On a trial run
    nothing is stored, and the lists say what would happen.
    """

    package: WorkPackage
    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    waiting: tuple[WaitingEdit, ...] = ()
    unchanged: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileEdit:
    """
    One edit that the file holds.

    Attributes
    ----------
    element_id : empty for a new element
    base : the revision that went out; None for a new element
    changes : attribute values that differ from the base
    geometry : WGS 84; None where it is as in the base
    """

    layer: Layer
    element_id: str = ""
    base: int | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    geometry: BaseGeometry | None = None
    is_delete: bool = False


@dataclass(slots=True)
class Work:
    """The lists of `Returned` while they are filled."""

    district: District
    user: User
    package: WorkPackage
    dry_run: bool
    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    waiting: list[WaitingEdit] = field(default_factory=list)
    unchanged: int = 0

    @property
    def reason(self) -> str:
        return f"工作包回传:{self.package.title}"

    def wait(self, edit: FileEdit, trouble: Trouble, message: str) -> None:
        """Put an edit aside for a person."""
        shape = None if edit.geometry is None else shapely.to_wkb(edit.geometry, hex=True)
        self.waiting.append(
            WaitingEdit(
                new_id(), self.package.id, edit.layer.id, edit.element_id, edit.base, edit.is_delete,
                dict(edit.changes), shape, trouble, message[:1000], self.user.username, self.district.clock(),
            )
        )  # fmt: skip

    def attempt(self, edit: FileEdit, act: Callable[[], None]) -> None:
        """Act; a refusal puts the edit aside."""
        try:
            act()
        except MergeConflict as error:
            self.wait(edit, Trouble.CONFLICT, error.chinese())
        except InvalidElement as error:
            self.wait(edit, Trouble.INVALID, error.chinese())
        except GridmapError as error:
            self.wait(edit, Trouble.REFUSED, error.chinese())

    def returned(self, notes: list[str]) -> Returned:
        return Returned(
            self.package, tuple(self.created), tuple(self.changed), tuple(self.merged), tuple(self.deleted),
            tuple(self.waiting), self.unchanged, tuple(notes),
        )  # fmt: skip
