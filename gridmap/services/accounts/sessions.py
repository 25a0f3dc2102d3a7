"""Sessions: signing in and out, and who it is that asks.

A session is a random key in the browser's cookie; the store holds only its keyed hash, so whoever reads the
store cannot use it. Every request and every page run asks `user_of_session` again: what an administrator
takes away is gone at the next click.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from gridmap.domain.passwords import normalised
from gridmap.domain.roles import Permission, User
from gridmap.errors import AuthenticationRequired, PermissionDenied, TooManyRequests
from gridmap.services import access
from gridmap.services.accounts import passwords
from gridmap.services.accounts.rows import clean, folded, keyed_hash, log, user_of
from gridmap.services.district import District
from gridmap.storage import access_log
from gridmap.storage import accounts as stored
from gridmap.storage.accounts import AccountRow, SessionRow

_TOUCH_EVERY = timedelta(minutes=1)
_WINDOW = timedelta(minutes=1)
# an office of many people may share one address
_ADDRESS_FACTOR = 5


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
class Session:
    """A living session; `id` names it without giving it away."""

    id: str
    username: str
    address: str
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    is_current: bool


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
    name, address = folded(username), clean(address, 60)
    with district.database.read() as connection:
        found = stored.get(connection, name)
    attempt = _attempt(district, found, name, "sign_in", address)
    if not passwords.fits(found, password) or found is None:
        raise SignInFailed
    if not found.is_active:
        with district.database.write() as connection:
            stored.settle_attempt(connection, attempt, kind="sign_in_failed", detail="账号已停用")
        raise SignInFailed
    key = secrets.token_urlsafe(32)
    _open_session(district, found, key, password, attempt=attempt, address=address)
    return SignIn(user_of(found, address), key)


def _attempt(district: District, found: AccountRow | None, name: str, action: str, address: str) -> int:
    """
    Write an attempt as failed before it is judged, so that many at once are counted too.

    A name that no account has may be a password typed into the wrong field: the log gets a hash of it.
    """
    logged = found.username if found else "?" + keyed_hash(district, "name", name)[:8]
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


def _open_session(
    district: District, found: AccountRow, key: str, password: str, *, attempt: int, address: str
) -> None:
    now = district.clock()
    changes: dict[str, object] = {"last_sign_in_at": now}
    if passwords.is_outdated(found.password_hash or ""):
        changes["password_hash"] = passwords.hashed(password)
    with district.database.write() as connection:
        stored.settle_attempt(connection, attempt, kind="sign_in")
        stored.forget_dead_sessions(connection, now, now - idle(district))
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


def _session_hash(district: District, key: str) -> str:
    return keyed_hash(district, "session", key)


def idle(district: District) -> timedelta:
    """How long a session lives without being used."""
    return timedelta(minutes=district.settings.session_idle_minutes)


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
    return user_of(account, address)


def _lives(district: District, session: SessionRow, now: datetime) -> bool:
    return now < session.ends_at and now - session.seen_at < idle(district)


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


def list_sessions(district: District, actor: User) -> list[Session]:
    """Everybody's living sessions, newest use first. For administrators."""
    access.require(district, actor, Permission.ADMINISTER, "sessions")
    return _sessions(district, username=None)


def _sessions(district: District, *, username: str | None, key: str = "") -> list[Session]:
    now, current = district.clock(), _session_hash(district, key)
    with district.database.read() as connection:
        rows = stored.living_sessions(connection, now, now - idle(district), username=username)
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
        log(connection, district, user, "end_sessions", user.username, f"{count} 个")
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
    if found is None or not passwords.fits(found, old):
        raise SignInFailed
    with district.database.write() as connection:
        stored.settle_attempt(connection, attempt, kind="account")
    if normalised(new) == normalised(old):
        raise passwords.WeakPassword("the new password is the old one", zh="新密码不能与原密码相同。")
    changes = {"password_hash": passwords.hash_of(new, user.username), "must_change_password": False}
    with district.database.write() as connection:
        stored.change(connection, user.username, changes)
        stored.end_sessions(
            connection, user.username, except_hash=_session_hash(district, key) if key else ""
        )
