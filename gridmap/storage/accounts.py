"""Accounts, their sessions and their API tokens: one named function per question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from gridmap.domain.roles import Role
from gridmap.storage.tables import access_log, account, api_token, session


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as the store keeps it; times are aware and in UTC."""

    username: str
    display_name: str
    role: Role
    layers: frozenset[str]
    area: frozenset[str]
    password_hash: str | None
    must_change_password: bool
    is_active: bool
    is_demo: bool
    created_at: datetime
    last_sign_in_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One sign-in that has not ended; `key_hash` also names it."""

    key_hash: str
    username: str
    address: str
    created_at: datetime
    seen_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One API token; the token itself is stored nowhere."""

    id: str
    username: str
    label: str
    created_at: datetime
    ends_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None


def _account(row: Row[Any]) -> AccountRow:
    return AccountRow(
        row.username,
        row.display_name,
        Role(row.role),
        frozenset(row.layers),
        frozenset(row.area),
        row.password_hash,
        row.must_change_password,
        row.is_active,
        row.is_demo,
        row.created_at,
        row.last_sign_in_at,
    )


# --- accounts ------------------------------------------------------------------------------------------


def get(connection: Connection, username: str) -> AccountRow | None:
    """The account with this username."""
    row = connection.execute(select(account).where(account.c.username == username)).first()
    return None if row is None else _account(row)


def all_accounts(connection: Connection) -> list[AccountRow]:
    """Every account, by username."""
    return [_account(row) for row in connection.execute(select(account).order_by(account.c.username))]


def display_names(connection: Connection) -> dict[str, str]:
    """What each account's person is called, by username."""
    rows = connection.execute(select(account.c.username, account.c.display_name))
    return {row.username: row.display_name for row in rows}


def active_with_role(connection: Connection, role: Role) -> list[str]:
    """Usernames of the active accounts of `role`, locked until the end, so that none is lost meanwhile."""
    statement = (
        select(account.c.username)
        .where(account.c.role == role.value, account.c.is_active)
        .order_by(account.c.username)
        .with_for_update()
    )
    return list(connection.execute(statement).scalars())


def has_demo(connection: Connection) -> bool:
    """Whether an active demo account exists."""
    statement = select(account.c.username).where(account.c.is_demo, account.c.is_active).limit(1)
    return connection.execute(statement).first() is not None


def add(connection: Connection, new: AccountRow) -> None:
    """Store a new account."""
    connection.execute(
        insert(account).values(
            username=new.username,
            display_name=new.display_name,
            role=new.role.value,
            layers=sorted(new.layers),
            area=sorted(new.area),
            password_hash=new.password_hash,
            must_change_password=new.must_change_password,
            is_active=new.is_active,
            is_demo=new.is_demo,
            created_at=new.created_at,
        )
    )


def change(connection: Connection, username: str, values: Mapping[str, Any]) -> None:
    """Change columns of one account; a role and sets are turned into what the store keeps."""
    plain = {name: _plain(value) for name, value in values.items()}
    connection.execute(update(account).where(account.c.username == username).values(**plain))


def _plain(value: Any) -> Any:
    if isinstance(value, Role):
        return value.value
    return sorted(value) if isinstance(value, frozenset) else value


# --- sessions ------------------------------------------------------------------------------------------


def _session(row: Row[Any]) -> SessionRow:
    return SessionRow(row.key_hash, row.username, row.address, row.created_at, row.seen_at, row.ends_at)


def open_session(connection: Connection, new: SessionRow) -> None:
    """Store a new session."""
    connection.execute(
        insert(session).values(
            key_hash=new.key_hash,
            username=new.username,
            address=new.address,
            created_at=new.created_at,
            seen_at=new.seen_at,
            ends_at=new.ends_at,
        )
    )


def get_session(connection: Connection, key_hash: str) -> SessionRow | None:
    """The session with this hash, whether or not its time has run out."""
    row = connection.execute(select(session).where(session.c.key_hash == key_hash)).first()
    return None if row is None else _session(row)


def touch_session(connection: Connection, key_hash: str, now: datetime) -> None:
    """Note that the session was used at `now`; one that has ended stays ended."""
    connection.execute(update(session).where(session.c.key_hash == key_hash).values(seen_at=now))


def living_sessions(
    connection: Connection, now: datetime, idle_since: datetime, *, username: str | None = None
) -> list[SessionRow]:
    """Sessions that have not ended by `now` and were used after `idle_since`, newest use first."""
    statement = (
        select(session)
        .where(session.c.ends_at > now, session.c.seen_at > idle_since)
        .order_by(session.c.seen_at.desc(), session.c.key_hash)
    )
    if username is not None:
        statement = statement.where(session.c.username == username)
    return [_session(row) for row in connection.execute(statement)]


def end_session(connection: Connection, key_hash: str) -> str | None:
    """Remove one session and answer whose it was; None when there is none."""
    statement = delete(session).where(session.c.key_hash == key_hash).returning(session.c.username)
    return connection.execute(statement).scalar()


def end_sessions(connection: Connection, username: str, *, except_hash: str = "") -> int:
    """Remove all sessions of an account but `except_hash`, and answer how many there were."""
    statement = delete(session).where(session.c.username == username, session.c.key_hash != except_hash)
    return connection.execute(statement).rowcount


def forget_dead_sessions(connection: Connection, now: datetime, idle_since: datetime) -> None:
    """Remove sessions whose time has run out."""
    connection.execute(delete(session).where(or_(session.c.ends_at <= now, session.c.seen_at <= idle_since)))


# --- tokens --------------------------------------------------------------------------------------------


def _token(row: Row[Any]) -> TokenRow:
    return TokenRow(row.id, row.username, row.label, row.created_at, row.ends_at, row.used_at, row.revoked_at)


def add_token(connection: Connection, new: TokenRow, key_hash: str) -> None:
    """Store a new token by its hash."""
    connection.execute(
        insert(api_token).values(
            id=new.id,
            key_hash=key_hash,
            username=new.username,
            label=new.label,
            created_at=new.created_at,
            ends_at=new.ends_at,
        )
    )


def token_by_hash(connection: Connection, key_hash: str) -> TokenRow | None:
    """The token with this hash, whether or not it still serves."""
    row = connection.execute(select(api_token).where(api_token.c.key_hash == key_hash)).first()
    return None if row is None else _token(row)


def token(connection: Connection, token_id: str) -> TokenRow | None:
    """The token with this id."""
    row = connection.execute(select(api_token).where(api_token.c.id == token_id)).first()
    return None if row is None else _token(row)


def tokens(connection: Connection, *, username: str | None = None) -> list[TokenRow]:
    """All tokens, of one account where given, newest first."""
    statement = select(api_token).order_by(api_token.c.created_at.desc(), api_token.c.id)
    if username is not None:
        statement = statement.where(api_token.c.username == username)
    return [_token(row) for row in connection.execute(statement)]


def change_token(connection: Connection, token_id: str, values: Mapping[str, Any]) -> None:
    """Change columns of one token."""
    connection.execute(update(api_token).where(api_token.c.id == token_id).values(**values))


# --- attempts to sign in -------------------------------------------------------------------------------


def take_turn(connection: Connection, address: str) -> None:
    """Let attempts from one address be counted one after the other, until this transaction ends."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"sign-in {address}"))))


def attempts_since(
    connection: Connection, since: datetime, address: str, *, kind: str, username: str | None = None
) -> int:
    """How many lines of `kind` the access log has from `address` after `since`, for one name where given."""
    statement = (
        select(func.count())
        .select_from(access_log)
        .where(access_log.c.at > since, access_log.c.kind == kind, access_log.c.address == address)
    )
    if username is not None:
        statement = statement.where(access_log.c.username == username)
    return connection.execute(statement).scalar_one()


def note_attempt(connection: Connection, at: datetime, *, username: str, address: str, action: str) -> int:
    """Write an attempt as failed before it is judged, and answer its key."""
    statement = (
        insert(access_log)
        .values(
            at=at,
            kind="sign_in_failed",
            username=username,
            address=address,
            action=action,
            target="",
            detail="",
        )
        .returning(access_log.c.pk)
    )
    return connection.execute(statement).scalar_one()


def settle_attempt(connection: Connection, pk: int, *, kind: str, detail: str = "") -> None:
    """Write what became of an attempt."""
    connection.execute(update(access_log).where(access_log.c.pk == pk).values(kind=kind, detail=detail))
