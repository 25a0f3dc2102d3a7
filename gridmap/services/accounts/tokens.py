"""API tokens: a machine client acts for an account, with its rights and no password."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gridmap.domain.roles import Permission, User
from gridmap.errors import AuthenticationRequired, InvalidInput, NotFound
from gridmap.services import access
from gridmap.services.accounts.rows import clean, existing, keyed_hash, log, user_of
from gridmap.services.district import District
from gridmap.storage import accounts as stored
from gridmap.storage.accounts import TokenRow

TOKEN_PREFIX = "gm_"
MAX_TOKEN_DAYS = 730
_TOUCH_EVERY = timedelta(minutes=1)


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
    if found is None or account is None or not account.is_active or not serves(found, now):
        raise AuthenticationRequired(
            "the token is unknown, revoked or past its end", zh="访问令牌无效、已撤销或已过期。"
        )
    if found.used_at is None or now - found.used_at >= _TOUCH_EVERY:
        with district.database.write() as connection:
            stored.change_token(connection, found.id, {"used_at": now})
    # a token was given by somebody who may; the first password waits for whoever signs in with it
    return replace(user_of(account, address), must_change_password=False)


def _token_hash(district: District, token: str) -> str:
    return keyed_hash(district, "token", token)


def serves(token: TokenRow, now: datetime) -> bool:
    """Whether the token opens anything now."""
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
    label = clean(label, 80)
    if not label:
        raise InvalidInput("a token needs a label", zh="请填写令牌用途,以便日后辨认。")
    if not 1 <= days <= MAX_TOKEN_DAYS:
        raise InvalidInput(
            f"a token lasts 1 to {MAX_TOKEN_DAYS} days, not {days}",
            zh=f"令牌有效期应为 1 至 {MAX_TOKEN_DAYS} 天。",
        )
    text, now = TOKEN_PREFIX + secrets.token_urlsafe(32), district.clock()
    with district.database.write() as connection:
        account = existing(stored.get(connection, username), username)
        row = TokenRow(
            str(uuid.uuid4()), account.username, label, now, now + timedelta(days=days), None, None
        )
        stored.add_token(connection, row, _token_hash(district, text))
        log(connection, district, actor, "create_token", username, label)
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
            serves(row, now),
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
            log(connection, district, actor, "revoke_token", found.username, found.label)


def _require_self_or_admin(district: District, actor: User, username: str | None) -> None:
    if username != actor.username:
        access.require(district, actor, Permission.ADMINISTER, f"account {username or '*'}")
