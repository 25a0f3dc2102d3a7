"""What people are called: the store keeps the account of whoever did something, people read a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from gridmap.services.district import District
from gridmap.storage import accounts as stored


def of(district: District, accounts: Iterable[str | None]) -> dict[str, str]:
    """
    The name of each account given; one query, however many there are, and none for nobody.

    Two people of the same name are told apart by their accounts. A word that is no account stands for itself:
    what the demo was made by, or an account of a district that was restored from elsewhere. None is left out.
    """
    asked = {one for one in accounts if one}
    if not asked:
        return {}
    known = _known(district)
    count = Counter(known.values())
    return {
        one: _with_account(one, known) if count[known.get(one, one)] > 1 else known.get(one, one)
        for one in asked
    }


def one(district: District, account: str | None) -> str:
    """The name of one account; nothing for None."""
    return of(district, [account]).get(account or "", "")


def with_accounts(district: District, accounts: Iterable[str | None]) -> dict[str, str]:
    """Names with the account behind each, for those who keep accounts."""
    asked = {one for one in accounts if one}
    known = _known(district) if asked else {}
    return {one: _with_account(one, known) for one in asked}


def find(district: District, text: str) -> list[str]:
    """The accounts that somebody may mean: the word itself, and those whose display name contains it."""
    wanted = text.strip().casefold()
    return sorted(
        {text.strip(), *(one for one, name in _known(district).items() if wanted in name.casefold())}
    )


def _known(district: District) -> dict[str, str]:
    with district.database.read() as connection:
        return stored.display_names(connection)


def _with_account(account: str, known: dict[str, str]) -> str:
    return f"{known[account]}({account})" if account in known else account
