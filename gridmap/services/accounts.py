"""
Accounts: who may sign in, with which rights; their sessions and API tokens.

A session is a random key in the browser's cookie; the store holds only its keyed hash, so whoever reads the
store cannot use it. Every request and every page run asks `user_of_session` again: what an administrator
takes away is gone at the next click. Sign-in by an identity provider (OIDC) is prepared in the table
(`oidc_subject`) and not wired.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection

from gridmap.domain.passwords import MAX_LENGTH, normalised, temporary_password, weakness
from gridmap.domain.roles import PERMISSIONS, WHOLE_DISTRICT, Permission, Role, User
from gridmap.errors import (
    AuthenticationRequired,
    InvalidInput,
    NotFound,
    PermissionDenied,
    StateConflict,
    TooManyRequests,
)
from gridmap.services import access
from gridmap.services.district import District
from gridmap.storage import access_log
from gridmap.storage import accounts as stored
from gridmap.storage.accounts import AccountRow, SessionRow, TokenRow

HASHER = PasswordHasher()
TOKEN_PREFIX = "gm_"
MAX_TOKEN_DAYS = 730
_TOUCH_EVERY = timedelta(minutes=1)
_WINDOW = timedelta(minutes=1)
# an office of many people may share one address
_ADDRESS_FACTOR = 5
_USERNAME = re.compile(r"\w[\w.-]{1,59}")

# Whoever may run commands on the server's machine owns the store anyway.
CONSOLE = User("console", "命令行", Role.ADMIN, area=frozenset({WHOLE_DISTRICT}))


class SignInFailed(AuthenticationRequired):
    """The username and password do not belong together, or the account is closed; never says which."""

    title = "用户名或密码不正确"

    def __init__(self) -> None:
        super().__init__(
            "no active account has this username and password",
            zh="用户名或密码不正确,请重新输入;忘记密码请联系系统管理员重置。",
        )


class TooManySignIns(TooManyRequests):
    """
    Too many failed sign-ins from one address.

    Attributes
    ----------
    retry_after : seconds to wait
    """

    def __init__(self) -> None:
        seconds = int(_WINDOW.total_seconds())
        super().__init__(
            f"too many failed sign-ins; wait {seconds} s",
            zh="登录失败次数过多,请一分钟后再试。",
            retry_after=seconds,
        )


class WeakPassword(InvalidInput):
    """The new password breaks a rule; `chinese()` says which."""

    title = "密码不符合要求"


class PasswordChangeRequired(PermissionDenied):
    """The account still has its first password and may do nothing but change it."""

    title = "请先修改初始密码"

    def __init__(self, user: User) -> None:
        super().__init__(
            f"{user.username} must change the first password before anything else",
            zh="请先在“我的账号”修改初始密码,然后再使用其他功能。",
        )


@dataclass(frozen=True, slots=True)
class SignIn:
    """A fresh session: whose it is, and the key for the cookie, which is stored nowhere else."""

    user: User
    key: str


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


@dataclass(frozen=True, slots=True)
class Session:
    """A living session; `id` names it without giving it away."""

    id: str
    username: str
    address: str
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    is_current: bool


@dataclass(frozen=True, slots=True)
class Token:
    """An API token without its secret text."""

    id: str
    username: str
    label: str
    created_at: datetime
    ends_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None
    is_valid: bool


# --- signing in ----------------------------------------------------------------------------------------


def sign_in(district: District, username: str, password: str, *, address: str) -> SignIn:
    """
    Open a session for whoever knows the password.

    Raises
    ------
    SignInFailed
        Wrong name or password, or a closed account; all take the same time and say the same.
    TooManySignIns
        `settings.signins_per_minute` attempts failed within the last minute for this name from this
        address, or five times as many from this address.
    """
    name, address = _folded(username), _clean(address, 60)
    with district.database.read() as connection:
        found = stored.get(connection, name)
    attempt = _attempt(district, found, name, "sign_in", address)
    if not _password_fits(found, password) or found is None:
        raise SignInFailed
    if not found.is_active:
        with district.database.write() as connection:
            stored.settle_attempt(connection, attempt, kind="sign_in_failed", detail="账号已停用")
        raise SignInFailed
    key = secrets.token_urlsafe(32)
    _open_session(district, found, key, password, attempt=attempt, address=address)
    return SignIn(_user(found, address), key)


def _clean(text: str, length: int) -> str:
    """What both databases can store of a text somebody typed: no control characters, at most `length`."""
    return "".join(one for one in text[: 4 * length] if one.isprintable()).strip()[:length]


def _folded(username: str) -> str:
    return _clean(unicodedata.normalize("NFKC", username[:200]), 60).casefold()


def _bytes_of(password: str) -> bytes:
    # a lone surrogate is no text, but a wrong password all the same
    return normalised(password).encode("utf-8", "surrogatepass")


def _attempt(district: District, found: AccountRow | None, name: str, action: str, address: str) -> int:
    """
    Write an attempt as failed before it is judged, so that many at once are counted too.

    A name that no account has may be a password typed into the wrong field: the log gets a hash of it.
    """
    logged = found.username if found else "?" + _keyed_hash(district, "name", name)[:8]
    now, limit = district.clock(), district.settings.signins_per_minute
    with district.database.write() as connection:
        stored.take_turn(connection, address)
        since = now - _WINDOW
        count = stored.attempts_since(connection, since, address, kind="sign_in_failed", username=logged)
        everyone = stored.attempts_since(connection, since, address, kind="sign_in_failed")
        is_refused = count >= limit or everyone >= _ADDRESS_FACTOR * limit
        if not is_refused:
            return stored.note_attempt(connection, now, username=logged, address=address, action=action)
        # one line a minute tells the administrator as much as a thousand
        if not stored.attempts_since(connection, since, address, kind="refusal", username=logged):
            access_log.append(
                connection,
                at=now,
                kind="refusal",
                username=logged,
                address=address,
                action=action,
                detail="失败次数过多",
            )
    raise TooManySignIns


@cache
def _decoy() -> str:
    """A hash that no password fits, so that an unknown name costs the same time as a known one."""
    return HASHER.hash(secrets.token_urlsafe(32))


def _password_fits(found: AccountRow | None, password: str) -> bool:
    known = found is not None and found.password_hash is not None
    try:
        HASHER.verify(found.password_hash if known else _decoy(), _bytes_of(password[: 2 * MAX_LENGTH]))
    except (VerificationError, InvalidHashError):
        return False
    return known


def _open_session(
    district: District, found: AccountRow, key: str, password: str, *, attempt: int, address: str
) -> None:
    now = district.clock()
    changes: dict[str, object] = {"last_sign_in_at": now}
    if HASHER.check_needs_rehash(found.password_hash or ""):
        changes["password_hash"] = HASHER.hash(_bytes_of(password))
    with district.database.write() as connection:
        stored.settle_attempt(connection, attempt, kind="sign_in")
        stored.forget_dead_sessions(connection, now, now - _idle(district))
        stored.change(connection, found.username, changes)
        stored.open_session(
            connection,
            SessionRow(
                key_hash=_session_hash(district, key),
                username=found.username,
                address=address,
                created_at=now,
                seen_at=now,
                ends_at=now + timedelta(hours=district.settings.session_hours),
            ),
        )


def _keyed_hash(district: District, purpose: str, text: str) -> str:
    message = f"{purpose}:{text}".encode("utf-8", "surrogatepass")
    return hmac.new(district.settings.secret, message, hashlib.sha256).hexdigest()


def _session_hash(district: District, key: str) -> str:
    return _keyed_hash(district, "session", key)


def _token_hash(district: District, token: str) -> str:
    return _keyed_hash(district, "token", token)


def _idle(district: District) -> timedelta:
    return timedelta(minutes=district.settings.session_idle_minutes)


def _user(row: AccountRow, address: str) -> User:
    return User(
        username=row.username,
        display_name=row.display_name,
        role=row.role,
        layers=row.layers,
        area=row.area,
        must_change_password=row.must_change_password,
        address=address,
    )


# --- sessions ------------------------------------------------------------------------------------------


def user_of_session(district: District, key: str | None, *, address: str = "", touch: bool = True) -> User:
    """
    Whose session `key` is, with the rights the account has now.

    A session ends `session_idle_minutes` after its last use and `session_hours` after its beginning, at the
    latest. The use is noted at most once a minute; `touch=False` (a heartbeat, a change stream) does not
    count as one.

    Raises
    ------
    AuthenticationRequired
        There is no such session, or it has ended.
    """
    now = district.clock()
    key_hash = _session_hash(district, key or "")
    with district.database.read() as connection:
        session = stored.get_session(connection, key_hash) if key else None
        account = stored.get(connection, session.username) if session else None
    if session is None or account is None or not account.is_active or not _lives(district, session, now):
        raise AuthenticationRequired(
            "no session, or it has ended; sign in", zh="尚未登录或登录已过期,请重新登录。"
        )
    if touch and now - session.seen_at >= _TOUCH_EVERY:
        with district.database.write() as connection:
            stored.touch_session(connection, key_hash, now)
    return _user(account, address)


def _lives(district: District, session: SessionRow, now: datetime) -> bool:
    return now < session.ends_at and now - session.seen_at < _idle(district)


def require_settled(user: User) -> None:
    """Pass when the account has a password of its own; raises PasswordChangeRequired otherwise."""
    if user.must_change_password:
        raise PasswordChangeRequired(user)


def sign_out(district: District, key: str | None, *, address: str = "") -> None:
    """End the session; harmless when it has ended already."""
    if not key:
        return
    with district.database.write() as connection:
        username = stored.end_session(connection, _session_hash(district, key))
        if username is not None:
            access_log.append(
                connection, at=district.clock(), kind="sign_out", username=username, address=address
            )


def own_sessions(district: District, user: User, *, key: str = "") -> list[Session]:
    """The user's living sessions, the one of `key` marked as current."""
    return _sessions(district, username=user.username, key=key)


def _sessions(district: District, *, username: str | None, key: str = "") -> list[Session]:
    now, current = district.clock(), _session_hash(district, key)
    with district.database.read() as connection:
        rows = stored.living_sessions(connection, now, now - _idle(district), username=username)
    return [
        Session(
            row.key_hash,
            row.username,
            row.address,
            row.created_at,
            row.seen_at,
            row.ends_at,
            row.key_hash == current,
        )
        for row in rows
    ]


def end_own_sessions(district: District, user: User, *, key: str = "") -> int:
    """End all sessions of the user but the one of `key`; answers how many."""
    with district.database.write() as connection:
        count = stored.end_sessions(
            connection, user.username, except_hash=_session_hash(district, key) if key else ""
        )
        _log(connection, district, user, "end_sessions", user.username, f"{count} 个")
    return count


def change_password(district: District, user: User, old: str, new: str, *, key: str = "") -> None:
    """
    Give the user's account a new password and end all its sessions but the one of `key`.

    Raises
    ------
    SignInFailed
        `old` is not the present password. Counts towards the limit of failed sign-ins.
    WeakPassword, TooManySignIns
    """
    with district.database.read() as connection:
        found = stored.get(connection, user.username)
    attempt = _attempt(district, found, user.username, "change_password", user.address)
    if found is None or not _password_fits(found, old):
        raise SignInFailed
    with district.database.write() as connection:
        stored.settle_attempt(connection, attempt, kind="account")
    if normalised(new) == normalised(old):
        raise WeakPassword("the new password is the old one", zh="新密码不能与原密码相同。")
    changes = {"password_hash": _hash_of(new, user.username), "must_change_password": False}
    with district.database.write() as connection:
        stored.change(connection, user.username, changes)
        stored.end_sessions(
            connection, user.username, except_hash=_session_hash(district, key) if key else ""
        )


def _hash_of(password: str, username: str) -> str:
    reason = weakness(password, username)
    if reason is not None:
        raise WeakPassword("the password breaks the rules for passwords", zh=reason)
    return HASHER.hash(_bytes_of(password))


# --- API tokens ----------------------------------------------------------------------------------------


def user_of_token(district: District, token: str, *, address: str = "") -> User:
    """
    The account that a machine client acts for, with all its rights.

    Raises
    ------
    AuthenticationRequired
        The token is unknown, revoked or past its end, or its account is closed.
    """
    now = district.clock()
    with district.database.read() as connection:
        found = stored.token_by_hash(connection, _token_hash(district, token))
        account = stored.get(connection, found.username) if found else None
    if found is None or account is None or not account.is_active or not _serves(found, now):
        raise AuthenticationRequired(
            "the token is unknown, revoked or past its end", zh="访问令牌无效、已撤销或已过期。"
        )
    if found.used_at is None or now - found.used_at >= _TOUCH_EVERY:
        with district.database.write() as connection:
            stored.change_token(connection, found.id, {"used_at": now})
    return _user(account, address)


def _serves(token: TokenRow, now: datetime) -> bool:
    return token.revoked_at is None and (token.ends_at is None or now < token.ends_at)


def create_token(district: District, actor: User, username: str, label: str, days: int = 365) -> str:
    """
    A new token of the account, for a machine client; the text is shown this once and stored nowhere.

    People make tokens for themselves, administrators for everybody.

    Raises
    ------
    PermissionDenied, NotFound
    InvalidInput
        No label, or `days` is not from 1 to 730.
    """
    _require_self_or_admin(district, actor, username)
    label = _clean(label, 80)
    if not label:
        raise InvalidInput("a token needs a label", zh="请填写令牌用途,以便日后辨认。")
    if not 1 <= days <= MAX_TOKEN_DAYS:
        raise InvalidInput(
            f"a token lasts 1 to {MAX_TOKEN_DAYS} days, not {days}",
            zh=f"令牌有效期应为 1 至 {MAX_TOKEN_DAYS} 天。",
        )
    text, now = TOKEN_PREFIX + secrets.token_urlsafe(32), district.clock()
    with district.database.write() as connection:
        account = _existing(stored.get(connection, username), username)
        row = TokenRow(
            str(uuid.uuid4()), account.username, label, now, now + timedelta(days=days), None, None
        )
        stored.add_token(connection, row, _token_hash(district, text))
        _log(connection, district, actor, "create_token", username, label)
    return text


def list_tokens(district: District, actor: User, username: str | None = None) -> list[Token]:
    """The tokens of an account, or of all for an administrator, newest first; revoked ones included."""
    _require_self_or_admin(district, actor, username)
    now = district.clock()
    with district.database.read() as connection:
        rows = stored.tokens(connection, username=username)
    return [
        Token(
            row.id,
            row.username,
            row.label,
            row.created_at,
            row.ends_at,
            row.used_at,
            row.revoked_at,
            _serves(row, now),
        )
        for row in rows
    ]


def revoke_token(district: District, actor: User, token_id: str) -> None:
    """End a token for good; harmless when it was revoked before. Raises NotFound, PermissionDenied."""
    with district.database.read() as connection:
        found = stored.token(connection, token_id)
    if found is None:
        raise NotFound(f"there is no token {token_id}", zh="没有这个令牌,可能已被删除。")
    _require_self_or_admin(district, actor, found.username)
    if found.revoked_at is None:
        with district.database.write() as connection:
            stored.change_token(connection, token_id, {"revoked_at": district.clock()})
            _log(connection, district, actor, "revoke_token", found.username, found.label)


def _require_self_or_admin(district: District, actor: User, username: str | None) -> None:
    if username != actor.username:
        access.require(district, actor, Permission.ADMINISTER, f"account {username or '*'}")


# --- administration ------------------------------------------------------------------------------------


def list_accounts(district: District, actor: User) -> list[Account]:
    """All accounts with their living sessions and valid tokens counted. For administrators."""
    access.require(district, actor, Permission.ADMINISTER, "accounts")
    now = district.clock()
    with district.database.read() as connection:
        rows = stored.all_accounts(connection)
        sessions = stored.living_sessions(connection, now, now - _idle(district))
        tokens = [one for one in stored.tokens(connection) if _serves(one, now)]
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


def list_sessions(district: District, actor: User) -> list[Session]:
    """Everybody's living sessions, newest use first. For administrators."""
    access.require(district, actor, Permission.ADMINISTER, "sessions")
    return _sessions(district, username=None)


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
    name, display_name = _folded(username), _clean(display_name, 60)
    if not _USERNAME.fullmatch(name):
        raise InvalidInput(
            f"{username!r} is no username: 2 to 60 letters, digits, dots, hyphens and underscores",
            zh="用户名应为 2 至 60 个字母、数字、点、连字符或下划线,并以字母或数字开头。",
        )
    if not display_name:
        raise InvalidInput("an account needs a display name", zh="请填写姓名或岗位名称。")
    everywhere = role in (Role.GRID_KEEPER, Role.ANALYST, Role.ADMIN)
    default_area = (WHOLE_DISTRICT,) if everywhere else ()
    password_hash = _hash_of(password, name) if password else ""
    password = password or temporary_password()
    row = AccountRow(
        username=name,
        display_name=display_name,
        role=role,
        layers=_known_layers(district, layers),
        area=_known_codes(district, default_area if area is None else area),
        password_hash=password_hash or HASHER.hash(_bytes_of(password)),
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
        _log(connection, district, actor, "add", name, role.title)
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


def _existing(found: AccountRow | None, username: str) -> AccountRow:
    if found is None:
        raise NotFound(f"there is no account {username!r}", zh=f"没有账号“{username}”。", username=username)
    return found


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
    changes = {"password_hash": HASHER.hash(_bytes_of(password)), "must_change_password": True}
    with district.database.write() as connection:
        _existing(stored.get(connection, username), username)
        stored.change(connection, username, changes)
        stored.end_sessions(connection, username)
        _log(connection, district, actor, "reset_password", username)
    return password


def revoke_sessions(district: District, actor: User, username: str) -> int:
    """End all sessions of an account; answers how many there were."""
    access.require(district, actor, Permission.ADMINISTER, f"account {username}")
    with district.database.write() as connection:
        _existing(stored.get(connection, username), username)
        count = stored.end_sessions(connection, username)
        _log(connection, district, actor, "revoke_sessions", username, f"{count} 个")
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
        _existing(stored.get(connection, username), username)
        if not is_active:
            _keep_an_admin(admins, username)
            stored.end_sessions(connection, username)
        stored.change(connection, username, {"is_active": is_active})
        _log(connection, district, actor, "activate" if is_active else "deactivate", username)


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
    if display_name is not None and (shown := _clean(display_name, 60)):
        changes["display_name"] = shown
    if layers is not None:
        changes["layers"] = _known_layers(district, layers)
    if area is not None:
        changes["area"] = _known_codes(district, area)
    with district.database.write() as connection:
        admins = stored.active_with_role(connection, Role.ADMIN)
        found = _existing(stored.get(connection, username), username)
        if role is not None and role is not found.role:
            if username == actor.username:
                raise StateConflict("nobody changes the own role", zh="不能修改自己的角色。")
            _keep_an_admin(admins, username)
            stored.end_sessions(connection, username)
            changes["role"] = role
        if changes:
            stored.change(connection, username, changes)
            _log(connection, district, actor, "set_rights", username, "、".join(sorted(changes)))


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


def _log(
    connection: Connection,
    district: District,
    actor: User,
    action: str,
    target: str,
    detail: str = "",
) -> None:
    access_log.append(
        connection,
        at=district.clock(),
        kind="account",
        username=actor.username,
        address=actor.address,
        action=action,
        target=target,
        detail=detail,
    )


def access_lines(
    district: District, actor: User, *, kinds: Sequence[str] = (), limit: int = 200
) -> list[access_log.Access]:
    """The newest lines of the access log, of `kinds` only where given. For administrators."""
    access.require(district, actor, Permission.ADMINISTER, "access log")
    with district.database.read() as connection:
        return access_log.newest(connection, kinds=tuple(kinds), limit=limit)


# --- demo accounts -------------------------------------------------------------------------------------

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
    passwords = {username: temporary_password() for username, _, _ in _DEMO}
    hashes = {username: HASHER.hash(_bytes_of(password)) for username, password in passwords.items()}
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
    return passwords


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


def has_demo_accounts(district: District) -> bool:
    """Whether somebody could sign in by a demo account; `serve` then answers only its own machine."""
    with district.database.read() as connection:
        return stored.has_demo(connection)


# --- what screens show of rights -----------------------------------------------------------------------


def may_write(role: Role) -> bool:
    """Whether layers and area mean anything for this role."""
    return Permission.EDIT_ELEMENTS in PERMISSIONS[role]


def area_choices(district: District) -> dict[str, str]:
    """Codes that may limit an account's area, coarse before fine, with "name(layer)" for people to read."""
    choices: dict[str, str] = {}
    for layer_id in _AREA_LAYERS:
        if layer_id in district.catalogue:
            choices |= _titles(district, layer_id)
    return choices


def area_titles(district: District, area: Iterable[str]) -> dict[str, str]:
    """The words for the codes of an area; a code that nothing has any more is left out."""
    wanted = set(area) - {WHOLE_DISTRICT}
    titles: dict[str, str] = {}
    for layer in district.catalogue.grids if wanted else ():
        titles |= {code: text for code, text in _titles(district, layer.id).items() if code in wanted}
    return titles


# finer grids exist; an area of hundreds of micro grids would be a police grid
_AREA_LAYERS = ("town", "police_station", "police_beat", "police_grid")


def _titles(district: District, layer_id: str) -> dict[str, str]:
    layer, frame = district.catalogue.layer(layer_id), district.frames.frame(layer_id)
    codes, names = frame.arrays.code, frame.arrays.name
    rows = sorted((str(codes[at]), str(names[at])) for at in frame.living if codes[at])
    return {code: f"{name}({layer.title})" for code, name in rows}
