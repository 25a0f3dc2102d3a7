"""How the system is: what an administrator looks at to know that all is well."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime

from gridmap import __version__
from gridmap.domain.roles import Permission, User
from gridmap.services import access, accounts, jobs
from gridmap.services.accounts import Session
from gridmap.services.district import District
from gridmap.services.jobs import Job
from gridmap.storage import status as stored


@dataclass(frozen=True, slots=True)
class Status:
    """
    The state of one deployment at the moment `at`.

    Sizes are bytes; `last_backup_at` is None when there never was one; `chain_head` is the hash of the newest
    revision, which a printed backup receipt must show too.
    """

    at: datetime
    version: str
    database: str
    database_bytes: int
    disk_free: int
    disk_total: int
    sequence: int
    chain_head: str
    elements: int
    simulated: int
    revisions: int
    last_backup_at: datetime | None
    sessions: tuple[Session, ...]
    jobs: tuple[Job, ...]
    has_demo_accounts: bool

    @property
    def is_simulated(self) -> bool:
        """Whether any element is made up."""
        return self.simulated > 0


def status(district: District, actor: User) -> Status:
    """The present state of the system. For administrators; raises PermissionDenied."""
    access.require(district, actor, Permission.ADMINISTER, "status")
    settings = district.settings
    with district.database.read() as connection:
        figures = stored.figures(connection)
    file = settings.database_file
    size = figures.database_bytes
    if file is not None:
        # asking for its size does not open the file
        size = sum(one.stat().st_size for one in file.parent.glob(f"{file.name}*") if one.is_file())
    disk = shutil.disk_usage(settings.home)
    return Status(
        at=district.clock(),
        version=__version__,
        database="GeoPackage(内嵌)" if settings.is_embedded else "PostgreSQL + PostGIS",
        database_bytes=size,
        disk_free=disk.free,
        disk_total=disk.total,
        sequence=figures.sequence,
        chain_head=figures.chain_head,
        elements=figures.elements,
        simulated=figures.simulated,
        revisions=figures.revisions,
        last_backup_at=figures.last_backup_at,
        sessions=tuple(accounts.list_sessions(district, actor)),
        jobs=tuple(jobs.list_jobs(district, actor, limit=50)),
        has_demo_accounts=accounts.has_demo_accounts(district),
    )
