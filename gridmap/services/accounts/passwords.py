"""Passwords: hashed with Argon2, compared in the same time whether an account exists or not."""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gridmap.domain.passwords import MAX_LENGTH, normalised, weakness
from gridmap.errors import InvalidInput
from gridmap.storage.accounts import AccountRow

HASHER = PasswordHasher()


class WeakPassword(InvalidInput):
    """The new password breaks a rule; `chinese()` says which."""

    title = "密码不符合要求"


def _bytes_of(password: str) -> bytes:
    # a lone surrogate is no text, but a wrong password all the same
    return normalised(password).encode("utf-8", "surrogatepass")


@cache
def _decoy() -> str:
    """A hash that no password fits, so that an unknown name costs the same time as a known one."""
    return HASHER.hash(secrets.token_urlsafe(32))


def fits(found: AccountRow | None, password: str) -> bool:
    """Whether this is the account's password."""
    known = found is not None and found.password_hash is not None
    try:
        HASHER.verify(found.password_hash if known else _decoy(), _bytes_of(password[: 2 * MAX_LENGTH]))
    except (VerificationError, InvalidHashError):
        return False
    return known


def hash_of(password: str, username: str) -> str:
    """The hash of a password that somebody chose; raises WeakPassword."""
    reason = weakness(password, username)
    if reason is not None:
        raise WeakPassword("the password breaks the rules for passwords", zh=reason)
    return hashed(password)


def hashed(password: str) -> str:
    """The hash of a password, whatever it is worth."""
    return HASHER.hash(_bytes_of(password))


def is_outdated(password_hash: str) -> bool:
    """Whether a hash was made with weaker parameters than those of today."""
    return HASHER.check_needs_rehash(password_hash)
