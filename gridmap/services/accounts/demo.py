"""The accounts of the demo district: one per role, with random passwords."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from gridmap.domain.passwords import temporary_password
from gridmap.domain.roles import WHOLE_DISTRICT, Role, User
from gridmap.errors import StateConflict
from gridmap.services.accounts import passwords
from gridmap.services.accounts.rows import existing, user_of
from gridmap.services.district import District
from gridmap.storage import accounts as stored
from gridmap.storage.accounts import AccountRow

_DEMO = (
    ("viewer", "示例查看者", Role.VIEWER),
    ("presenter", "示例汇报员", Role.PRESENTER),
    ("officer", "示例民警01", Role.OFFICER),
    ("officer2", "示例民警02", Role.OFFICER),
    ("keeper", "示例网格管理员", Role.GRID_KEEPER),
    ("analyst", "示例研判员", Role.ANALYST),
    ("admin", "示例管理员", Role.ADMIN),
)


def create_demo_accounts(district: District, officer_areas: Sequence[str] = ()) -> dict[str, str]:
    """
    One account per role (two officers, in different towns), and their random passwords by username.

    Those that exist get a new password; they need not change it, since it is random and the server answers
    only the machine it runs on while they exist.

    Parameters
    ----------
    officer_areas : the codes of the two officers' towns or grids; the district's first two towns when empty

    Raises
    ------
    StateConflict
        One of the usernames belongs to a real account.
    """
    areas = list(officer_areas) or _first_towns(district)
    made = {username: temporary_password() for username, _, _ in _DEMO}
    hashes = {username: passwords.hashed(password) for username, password in made.items()}
    with district.database.write() as connection:
        for username, display_name, role in _DEMO:
            area = {WHOLE_DISTRICT} if role in (Role.GRID_KEEPER, Role.ANALYST, Role.ADMIN) else set()
            if role is Role.OFFICER:
                area = {areas[len(areas) > 1 and username == "officer2"]} if areas else set()
            row = AccountRow(
                username=username,
                display_name=display_name,
                role=role,
                layers=frozenset({WHOLE_DISTRICT}),
                area=frozenset(area),
                password_hash=hashes[username],
                must_change_password=False,
                is_active=True,
                is_demo=True,
                created_at=district.clock(),
            )
            _put_demo(connection, row)
    return made


def _put_demo(connection: Connection, row: AccountRow) -> None:
    found = stored.get(connection, row.username)
    if found is None:
        stored.add(connection, row)
        return
    if not found.is_demo:
        raise StateConflict(
            f"the account {row.username} is no demo account; the demo belongs into a store of its own",
            zh=f"账号“{row.username}”不是示例账号,请为示范区另建数据库。",
            username=row.username,
        )
    stored.end_sessions(connection, row.username)
    names = ("display_name", "role", "layers", "area", "password_hash", "must_change_password", "is_active")
    stored.change(connection, row.username, {name: getattr(row, name) for name in names})


def _first_towns(district: District) -> list[str]:
    if "town" not in district.catalogue:
        return []
    frame = district.frames.frame("town")
    return sorted(str(frame.arrays.code[at]) for at in frame.living)[:2]


def demo_user(district: District, username: str) -> User:
    """One of the demo's people, as the one who asks; raises NotFound."""
    with district.database.read() as connection:
        return user_of(existing(stored.get(connection, username), username), "")


def has_demo_accounts(district: District) -> bool:
    """Whether somebody could sign in by a demo account; `serve` then answers only its own machine."""
    with district.database.read() as connection:
        return stored.has_demo(connection)
