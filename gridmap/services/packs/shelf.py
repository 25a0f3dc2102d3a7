"""Finished packs: asked for, listed, fetched, made again, dropped. People of one masking scope see each other's."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gridmap.domain.roles import Permission, User
from gridmap.errors import NotFound
from gridmap.services import access, as_of, figures, jobs, overview
from gridmap.services.district import District
from gridmap.services.jobs import Job
from gridmap.services.packs import making
from gridmap.services.packs.requests import (
    PackFormat,
    PackRequest,
    parse_request,
    require_named,
    with_slides,
)
from gridmap.storage import access_log
from gridmap.storage import packs as stored
from gridmap.storage.packs import StoredPack

KIND = "pack"
MEDIA_TYPES = {
    PackFormat.PDF: "application/pdf",
    PackFormat.PPTX: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    PackFormat.PNG: "application/zip",
    PackFormat.HTML: "text/html",
    PackFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True, slots=True)
class PackFile:
    """One file of a pack."""

    format: PackFormat
    name: str
    path: Path
    bytes: int

    @property
    def media_type(self) -> str:
        """Its type for HTTP."""
        return MEDIA_TYPES[self.format]


@dataclass(frozen=True, slots=True)
class Pack:
    """
    A finished pack. `request` made it from the data of commit `sequence` at `data_at`: asked for again it gives
    the same figures.
    """

    id: str
    title: str
    request: PackRequest
    data_at: datetime
    sequence: int
    is_simulated: bool
    pages: int
    files: tuple[PackFile, ...]
    created_by: str
    created_at: datetime
    may_delete: bool


@dataclass(frozen=True, slots=True)
class Started:
    """What came of asking for a pack: one that exists already, or the job that makes it."""

    pack: Pack | None = None
    job: Job | None = None


def start(district: District, user: User, request: PackRequest | Mapping[str, Any]) -> Started:
    """
    Have a pack made in the background, unless the same person has made the same one from the same data today.

    Raises
    ------
    PermissionDenied (also for a past date without the right to see history), InvalidInput
    NotFound (no such layer, town, briefing or story)
    """
    wanted = parse_request(request.document() if isinstance(request, PackRequest) else dict(request))
    access.require(district, user, Permission.EXPORT, "pack")
    if wanted.at is not None:
        access.require(district, user, Permission.VIEW_HISTORY, "pack")
    if any(one.at or (one.compare and one.compare.before) for one in wanted.slides) and not as_of.may_look(
        user
    ):
        # of a story that somebody else keeps, anybody sees the figures of its days; not of days of one's own
        access.require(district, user, Permission.VIEW_HISTORY, "pack")
    wanted = with_slides(district, user, wanted)
    require_named(district, user, wanted)
    return _start(district, user, wanted)


def _start(district: District, user: User, request: PackRequest) -> Started:
    key = making.key_of(district, user, request, overview.sequence_at(district, request.at))
    with district.database.read() as connection:
        found = stored.newest(connection, figures.scope_of(user).value, key=key, limit=1)
    if found and (pack := _pack(district, user, found[0])).files:
        return Started(pack=pack)
    title = f"材料包:{request.title}"
    return Started(job=jobs.start(district, user, KIND, title, request.document()))


def again(district: District, user: User, pack_id: str) -> Started:
    """
    Make a pack anew from the data that it was made of, whatever has changed since.

    Raises
    ------
    NotFound, PermissionDenied
    """
    found = get(district, user, pack_id)
    access.require(district, user, Permission.EXPORT, "pack")
    return _start(district, user, replace(found.request, at=found.data_at))


def list_packs(district: District, user: User) -> list[Pack]:
    """The packs of the user's masking scope, newest first."""
    access.require(district, user, Permission.VIEW_ELEMENTS, "packs")
    with district.database.read() as connection:
        return [_pack(district, user, one) for one in stored.newest(connection, figures.scope_of(user).value)]


def get(district: District, user: User, pack_id: str) -> Pack:
    """One pack of the user's masking scope; raises NotFound."""
    access.require(district, user, Permission.VIEW_ELEMENTS, "packs")
    return _pack(district, user, _found(district, user, pack_id))


def _found(district: District, user: User, pack_id: str) -> StoredPack:
    with district.database.read() as connection:
        found = stored.get(connection, pack_id)
    if found is None or found.scope != figures.scope_of(user).value:
        raise NotFound(f"no pack {pack_id}", zh="没有这份材料包,或您无权查看。", pack=pack_id)
    return found


def _pack(district: District, user: User, found: StoredPack) -> Pack:
    folder = making.folder_of(district.settings, found.id)
    files = tuple(
        PackFile(PackFormat(one["format"]), one["suggested_name"], folder / one["name"], one["bytes"])
        for one in found.files
        if (folder / one["name"]).is_file()
    )
    may_delete = found.created_by == user.username or user.may(Permission.ADMINISTER)
    return Pack(
        found.id, found.title, parse_request(dict(found.parameters)), found.data_at, found.sequence,
        found.is_simulated, found.pages, files, found.created_by, found.created_at, may_delete,
    )  # fmt: skip


def fetch(district: District, user: User, pack_id: str, format: PackFormat | str) -> PackFile:
    """
    A file of a pack, for taking away; the log says who took it.

    Raises
    ------
    NotFound (no such pack or file), PermissionDenied
    """
    access.require(district, user, Permission.EXPORT, f"pack {pack_id}")
    pack = get(district, user, pack_id)
    file = next((one for one in pack.files if one.format.value == getattr(format, "value", format)), None)
    if file is None:
        raise NotFound(f"pack {pack_id} has no {format}", zh="这份材料包没有该格式的文件。", pack=pack_id)
    with district.database.write() as connection:
        access_log.append(
            connection, at=district.clock(), kind="export", username=user.username, address=user.address,
            action="fetch a pack", target=pack_id, detail=f"{file.name},第 {pack.sequence} 次更新",
        )  # fmt: skip
    return file


def delete(district: District, user: User, pack_id: str) -> None:
    """Drop a pack and its files: one's own, or as an administrator anybody's."""
    pack = get(district, user, pack_id)
    if not pack.may_delete:
        raise access.refuse(district, user, "delete a pack", pack_id, zh="只能删除自己制作的材料包。")
    with district.database.write() as connection:
        stored.remove(connection, pack_id)
    shutil.rmtree(making.folder_of(district.settings, pack_id), ignore_errors=True)
