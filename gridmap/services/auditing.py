"""The history as a ledger: is it whole, and dropping what should never have been stored."""

from __future__ import annotations

from dataclasses import replace

from gridmap.domain.roles import Permission, User
from gridmap.errors import NotFound, StateConflict
from gridmap.services import access
from gridmap.services.district import District
from gridmap.storage import access_log, history, present
from gridmap.storage import elements as stored
from gridmap.storage.history import ChainReport

_TOLD = 5


def verify(district: District) -> ChainReport:
    """
    The outcome of recomputing the chain of all revisions, and of comparing every element with its newest one.
    """
    with district.database.read() as connection:
        report = history.verify(connection, district.settings.secret)
        if not report.is_valid:
            return report
        odd = list(present.differing(connection))
    if odd:
        few = ", ".join(odd[:_TOLD])
        return replace(
            report, problem=f"{len(odd)} element(s) are not what their newest revision says: {few}"
        )
    return report


def redact(district: District, user: User, element_id: str, revision: int, *, reason: str) -> None:
    """
    Drop the content of one revision and keep its hash, so that the chain stays valid.

    The element's present state must not be that revision: change the element first.

    Raises
    ------
    PermissionDenied, NotFound, StateConflict (it is the present state)
    """
    access.require(district, user, Permission.ADMINISTER, element_id)
    with district.database.read() as connection:
        state = stored.get(connection, element_id)
    if state is not None and state.revision == revision:
        raise StateConflict(
            f"revision {revision} is the present state of {element_id}; change the element first",
            zh="这是要素的当前版本,请先修改要素,再清除旧版本的内容。",
        )
    with district.database.write() as connection:
        if not history.redact(connection, element_id, revision):
            raise NotFound(
                f"element {element_id} has no revision {revision} with content",
                zh="没有这一版本,或其内容已经清除。",
            )
        access_log.append(
            connection,
            at=district.clock(),
            kind="redaction",
            username=user.username,
            address=user.address,
            action="redact",
            target=f"{element_id}/{revision}",
            detail=reason,
        )
