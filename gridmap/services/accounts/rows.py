"""What every part of the accounts needs of a stored row: its user, cleaned names, keyed hashes, log lines."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata

from sqlalchemy import Connection

from gridmap.domain.roles import WHOLE_DISTRICT, Role, User
from gridmap.errors import NotFound
from gridmap.services.district import District
from gridmap.storage import access_log
from gridmap.storage.accounts import AccountRow

# Whoever may run commands on the server's machine owns the store anyway.
CONSOLE = User("console", "命令行", Role.ADMIN, area=frozenset({WHOLE_DISTRICT}))


def clean(text: str, length: int) -> str:
    """What both databases can store of a text somebody typed: no control characters, at most `length`."""
    return "".join(one for one in text[: 4 * length] if one.isprintable()).strip()[:length]


def folded(username: str) -> str:
    """The username as it is stored, however it was typed."""
    return clean(unicodedata.normalize("NFKC", username[:200]), 60).casefold()


def keyed_hash(district: District, purpose: str, text: str) -> str:
    """What the store keeps of a secret text: nobody gets it back, nor finds it without our key."""
    message = f"{purpose}:{text}".encode("utf-8", "surrogatepass")
    return hmac.new(district.settings.secret, message, hashlib.sha256).hexdigest()


def user_of(row: AccountRow, address: str) -> User:
    """The account as the one who asks, from this address."""
    return User(
        username=row.username,
        display_name=row.display_name,
        role=row.role,
        layers=row.layers,
        area=row.area,
        must_change_password=row.must_change_password,
        address=address,
    )


def existing(found: AccountRow | None, username: str) -> AccountRow:
    """The row that was found; raises NotFound where there is none."""
    if found is None:
        raise NotFound(f"there is no account {username!r}", zh=f"没有账号“{username}”。", username=username)
    return found


def log(
    connection: Connection,
    district: District,
    actor: User,
    action: str,
    target: str,
    detail: str = "",
) -> None:
    """Write down what was done to an account, in the same transaction."""
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
