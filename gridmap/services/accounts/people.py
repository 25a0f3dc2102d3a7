"""Accounts as an administrator keeps them: who there is, with which rights, open or closed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gridmap.domain.passwords import temporary_password
from gridmap.domain.privacy import find_personal_data
from gridmap.domain.roles import WHOLE_DISTRICT, Permission, Role, User
from gridmap.errors import InvalidInput, StateConflict
from gridmap.services import access
from gridmap.services.accounts import passwords
from gridmap.services.accounts.rows import clean, existing, folded, log
from gridmap.services.accounts.sessions import idle
from gridmap.services.accounts.tokens import serves
from gridmap.services.district import District
from gridmap.storage import access_log
from gridmap.storage import accounts as stored
from gridmap.storage.accounts import AccountRow

_USERNAME = re.compile(r"\w[\w.-]{1,59}")


@dataclass(frozen=True, slots=True)
class Account:
    """What an administrator sees of an account."""

    username: str
    display_name: str
    role: Role
    layers: frozenset[str]
    area: frozenset[str]
    must_change_password: bool
    is_active: bool
    is_demo: bool
    created_at: datetime
    last_sign_in_at: datetime | None
    session_count: int
    token_count: int


def list_accounts(district: District, actor: User) -> list[Account]:
    """All accounts with their living sessions and valid tokens counted. For administrators."""
    access.require(district, actor, Permission.ADMINISTER, "accounts")
    now = district.clock()
    with district.database.read() as connection:
        rows = stored.all_accounts(connection)
        sessions = stored.living_sessions(connection, now, now - idle(district))
        tokens = [one for one in stored.tokens(connection) if serves(one, now)]
    return [
        Account(
            username=row.username,
            display_name=row.display_name,
            role=row.role,
            layers=row.layers,
            area=row.area,
            must_change_password=row.must_change_password,
            is_active=row.is_active,
            is_demo=row.is_demo,
            created_at=row.created_at,
            last_sign_in_at=row.last_sign_in_at,
            session_count=sum(one.username == row.username for one in sessions),
            token_count=sum(one.username == row.username for one in tokens),
        )
        for row in rows
    ]


def add(
    district: District,
    actor: User,
    *,
    username: str,
    display_name: str,
    role: Role,
    layers: Iterable[str] = (WHOLE_DISTRICT,),
    area: Iterable[str] | None = None,
    password: str | None = None,
) -> str:
    """
    Open an account and answer its temporary password, which must be changed at the first sign-in.

    Parameters
    ----------
    layers : ids of the layers it may edit, or "*"
    area : codes of grids or towns inside which it may write, or "*"; when left out the whole district for
        grid keepers, analysts and administrators, nothing for others
    password : a first password instead of a random one

    Raises
    ------
    PermissionDenied, WeakPassword
    InvalidInput
        The username has a wrong form, or a layer or code is unknown.
    StateConflict
        The username is taken.
    """
    access.require(district, actor, Permission.ADMINISTER, f"account {username}")
    name, display_name = folded(username), clean(display_name, 60)
    if not _USERNAME.fullmatch(name):
        raise InvalidInput(
            f"{username!r} is no username: 2 to 60 letters, digits, dots, hyphens and underscores",
            zh="用户名应为 2 至 60 个字母、数字、点、连字符或下划线,并以字母或数字开头。",
        )
    if not display_name:
        raise InvalidInput("an account needs a display name", zh="请填写姓名或岗位名称。")
    _refuse_numbers(display_name)
    everywhere = role in (Role.GRID_KEEPER, Role.ANALYST, Role.ADMIN)
    default_area = (WHOLE_DISTRICT,) if everywhere else ()
    password_hash = passwords.hash_of(password, name) if password else ""
    password = password or temporary_password()
    row = AccountRow(
        username=name,
        display_name=display_name,
        role=role,
        layers=_known_layers(district, layers),
        area=_known_codes(district, default_area if area is None else area),
        password_hash=password_hash or passwords.hashed(password),
        must_change_password=True,
        is_active=True,
        is_demo=False,
        created_at=district.clock(),
    )
    with district.database.write() as connection:
        if stored.get(connection, name) is not None:
            raise StateConflict(
                f"the username {name} is taken", zh=f"用户名“{name}”已被使用,请换一个。", username=name
            )
        stored.add(connection, row)
        log(connection, district, actor, "add", name, role.title)
    return password


def _known_layers(district: District, layers: Iterable[str]) -> frozenset[str]:
    wanted = frozenset(layers)
    if WHOLE_DISTRICT in wanted:
        return frozenset({WHOLE_DISTRICT})
    for one in sorted(wanted):
        district.catalogue.layer(one)
    return wanted


def _known_codes(district: District, codes: Iterable[str]) -> frozenset[str]:
    wanted = frozenset(one.strip() for one in codes if one.strip())
    if WHOLE_DISTRICT in wanted:
        return frozenset({WHOLE_DISTRICT})
    known = {
        code
        for layer in district.catalogue.grids
        for code in district.frames.by_code(layer.id, sorted(wanted))
    }
    if unknown := sorted(wanted - known):
        raise InvalidInput(
            f"no grid or town has the code(s) {', '.join(unknown)}",
            zh=f"没有编码为 {'、'.join(unknown)} 的镇街或网格,请核对。",
            codes=unknown,
        )
    return wanted


def reset_password(district: District, actor: User, username: str) -> str:
    """
    A new random password for somebody else's account, to be changed at the next sign-in; ends its sessions.

    Raises
    ------
    PermissionDenied, NotFound
    StateConflict
        The account is the actor's own.
    """
    _require_admin_over(district, actor, username, "请在“我的账号”修改自己的密码。")
    password = temporary_password()
    changes = {"password_hash": passwords.hashed(password), "must_change_password": True}
    with district.database.write() as connection:
        existing(stored.get(connection, username), username)
        stored.change(connection, username, changes)
        stored.end_sessions(connection, username)
        log(connection, district, actor, "reset_password", username)
    return password


def revoke_sessions(district: District, actor: User, username: str) -> int:
    """End all sessions of an account; answers how many there were."""
    access.require(district, actor, Permission.ADMINISTER, f"account {username}")
    with district.database.write() as connection:
        existing(stored.get(connection, username), username)
        count = stored.end_sessions(connection, username)
        log(connection, district, actor, "revoke_sessions", username, f"{count} 个")
    return count


def set_active(district: District, actor: User, username: str, is_active: bool) -> None:
    """
    Close somebody else's account (its sessions and tokens end) or open it again.

    Raises
    ------
    PermissionDenied, NotFound
    StateConflict
        The account is the actor's own, or the last active administrator's.
    """
    _require_admin_over(district, actor, username, "不能停用自己的账号。")
    with district.database.write() as connection:
        admins = stored.active_with_role(connection, Role.ADMIN)
        existing(stored.get(connection, username), username)
        if not is_active:
            _keep_an_admin(admins, username)
            stored.end_sessions(connection, username)
        stored.change(connection, username, {"is_active": is_active})
        log(connection, district, actor, "activate" if is_active else "deactivate", username)


def set_rights(
    district: District,
    actor: User,
    username: str,
    *,
    display_name: str | None = None,
    role: Role | None = None,
    layers: Iterable[str] | None = None,
    area: Iterable[str] | None = None,
) -> None:
    """
    Change what an account may do; None leaves a part as it is. A new role ends the account's sessions.

    Raises
    ------
    PermissionDenied, NotFound, InvalidInput (an unknown layer or code)
    StateConflict
        It would change the actor's own role, or demote the last active administrator.
    """
    access.require(district, actor, Permission.ADMINISTER, f"account {username}")
    changes: dict[str, object] = {}
    if display_name is not None and (shown := clean(display_name, 60)):
        _refuse_numbers(shown)
        changes["display_name"] = shown
    if layers is not None:
        changes["layers"] = _known_layers(district, layers)
    if area is not None:
        changes["area"] = _known_codes(district, area)
    with district.database.write() as connection:
        admins = stored.active_with_role(connection, Role.ADMIN)
        found = existing(stored.get(connection, username), username)
        if role is not None and role is not found.role:
            if username == actor.username:
                raise StateConflict("nobody changes the own role", zh="不能修改自己的角色。")
            _keep_an_admin(admins, username)
            stored.end_sessions(connection, username)
            changes["role"] = role
        if changes:
            stored.change(connection, username, changes)
            log(connection, district, actor, "set_rights", username, "、".join(sorted(changes)))


def _require_admin_over(district: District, actor: User, username: str, zh: str) -> None:
    access.require(district, actor, Permission.ADMINISTER, f"account {username}")
    if username == actor.username:
        raise StateConflict(f"{username} is the actor's own account", zh=zh)


def _keep_an_admin(admins: Sequence[str], username: str) -> None:
    if list(admins) == [username]:
        raise StateConflict(
            f"{username} is the last active administrator; make another one first",
            zh="这是最后一个可用的系统管理员账号,请先设置另一名管理员。",
            username=username,
        )


def access_lines(
    district: District, actor: User, *, kinds: Sequence[str] = (), limit: int = 200
) -> list[access_log.Access]:
    """The newest lines of the access log, of `kinds` only where given. For administrators."""
    access.require(district, actor, Permission.ADMINISTER, "access log")
    with district.database.read() as connection:
        return access_log.newest(connection, kinds=tuple(kinds), limit=limit)


def _refuse_numbers(display_name: str) -> None:
    if find_personal_data(display_name):
        raise InvalidInput(
            "the display name looks like a personal number",
            zh="姓名或岗位名称疑似含有证件号或手机号,未保存。",
        )
