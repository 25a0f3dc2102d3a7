"""Roles and what each may do; the principal on whose behalf a service acts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """What an account is for. One account has one role."""

    VIEWER = "viewer"
    PRESENTER = "presenter"
    OFFICER = "officer"
    GRID_KEEPER = "grid_keeper"
    ANALYST = "analyst"
    ADMIN = "admin"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return _ROLE_TITLES[self]


_ROLE_TITLES = {
    Role.VIEWER: "查看者",
    Role.PRESENTER: "汇报员",
    Role.OFFICER: "社区民警",
    Role.GRID_KEEPER: "网格管理员",
    Role.ANALYST: "研判员",
    Role.ADMIN: "系统管理员",
}


class Permission(Enum):
    """One thing a person may do. Layers and area narrow the editing permissions further."""

    VIEW_ELEMENTS = "view_elements"
    VIEW_SENSITIVE = "view_sensitive"
    VIEW_HISTORY = "view_history"
    EDIT_ELEMENTS = "edit_elements"
    IMPORT = "import"
    EXPORT = "export"
    VIEW_COVERAGE = "view_coverage"
    SAVE_SCENARIOS = "save_scenarios"
    SAVE_STORIES = "save_stories"
    ADMINISTER = "administer"


_SEE = frozenset({Permission.VIEW_ELEMENTS, Permission.EXPORT})
_WORK = _SEE | {Permission.VIEW_SENSITIVE, Permission.VIEW_HISTORY, Permission.VIEW_COVERAGE}

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _SEE | {Permission.VIEW_COVERAGE},
    Role.PRESENTER: _SEE | {Permission.VIEW_SENSITIVE, Permission.VIEW_COVERAGE, Permission.SAVE_STORIES},
    Role.OFFICER: _WORK | {Permission.EDIT_ELEMENTS, Permission.IMPORT},
    Role.GRID_KEEPER: _WORK | {Permission.EDIT_ELEMENTS, Permission.IMPORT},
    Role.ANALYST: _WORK
    | {Permission.EDIT_ELEMENTS, Permission.IMPORT, Permission.SAVE_SCENARIOS, Permission.SAVE_STORIES},
    Role.ADMIN: frozenset(Permission),
}

WHOLE_DISTRICT = "*"


@dataclass(frozen=True, slots=True)
class User:
    """
    Somebody who is signed in, or a machine client acting with an account's rights.

    `layers` are the layers the account may edit (`"*"`: every layer its role may edit); `area` the grid or
    town codes inside which it may write (`"*"`: the whole district). `address` is where the request came
    from, for the record of refusals.
    """

    username: str
    display_name: str
    role: Role
    layers: frozenset[str] = frozenset({WHOLE_DISTRICT})
    area: frozenset[str] = frozenset()
    must_change_password: bool = False
    address: str = ""

    def may(self, permission: Permission) -> bool:
        """Whether the role includes `permission`."""
        return permission in PERMISSIONS[self.role]

    @property
    def writes_everywhere(self) -> bool:
        """Whether no area limits this account's writes."""
        return WHOLE_DISTRICT in self.area
