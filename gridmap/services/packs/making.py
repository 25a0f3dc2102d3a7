"""A pack made: every page is drawn once and written to each file at once, so that memory does not grow with pages."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from gridmap.domain.freshness import CHINA, day_of
from gridmap.domain.roles import User
from gridmap.services import figures, pictures
from gridmap.services.district import District
from gridmap.services.job_worker import JobContext
from gridmap.services.packs import contents
from gridmap.services.packs.contents import Contents
from gridmap.services.packs.page import Page
from gridmap.services.packs.requests import PackFormat, PackRequest, Paper, parse_request
from gridmap.settings import Settings
from gridmap.storage import access_log, scenarios
from gridmap.storage import packs as stored
from gridmap.storage.packs import StoredPack

if TYPE_CHECKING:
    from PIL import Image

Progress = Callable[[float, str], None]
FILES = {
    PackFormat.PDF: "pack.pdf",
    PackFormat.PPTX: "pack.pptx",
    PackFormat.PNG: "pack.zip",
    PackFormat.HTML: "pack.html",
    PackFormat.XLSX: "pack.xlsx",
}
# Enough for print at the size that a map has on the page.
_DPI = {Paper.A4: 150, Paper.A3: 120}
_PNG_DPI, _SMALL_DPI = 150, 110


def folder_of(settings: Settings, pack_id: str) -> Path:
    """Where a pack's files are kept."""
    return settings.home / "packs" / pack_id


def key_of(district: District, user: User, request: PackRequest, sequence: int) -> str:
    """
    What two packs share that say the same: request, data, day, masking scope and, for the watermark, the maker.

    Scenarios are no part of the data: those that slides compare with count by their revision.
    """
    slides = [one.document() | {"id": None} for one in request.slides]
    compared = {one.compare.scenario for one in request.slides if one.compare and one.compare.scenario}
    with district.database.read() as connection:
        found = [scenarios.get(connection, one) for one in sorted(compared)]
    facts = [
        {**request.document(), "formats": sorted(one.value for one in request.formats), "slides": slides},
        [(one.id, one.revision) for one in found if one is not None], sequence, day_of(district.clock()).isoformat(), figures.scope_of(user).value, user.username,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def make(
    district: District, user: User, request: PackRequest, folder: Path, *, progress: Progress | None = None
) -> StoredPack:
    """
    Write every file that `request` names into `folder`; the pack is not stored yet.

    Raises
    ------
    PermissionDenied, NotFound, InvalidInput, Unavailable
    """
    tell = progress or (lambda share, message: None)
    tell(0.01, "正在汇总指标")
    outline = contents.contents(district, user, request)
    request = outline.request
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    now = district.clock()
    writers = _Writers(district, user, outline, folder, pictures.watermark(user, now))
    count = outline.count
    for number, page in enumerate(contents.pages(district, user, outline)):
        tell(0.05 + 0.9 * number / count, f"第 {number + 1}/{count} 页:{page.title}")
        writers.add(page)
    tell(0.95, "正在写出文件")
    writers.finish()
    when = f"{now.astimezone(CHINA):%Y%m%d_%H%M}"
    files = [
        {
            "format": one.value,
            "name": FILES[one],
            "suggested_name": f"{outline.district_title}{request.title}_{when}{Path(FILES[one]).suffix}",
            "bytes": (folder / FILES[one]).stat().st_size,
        }
        for one in request.formats
    ]
    stamp = outline.stamp
    key = key_of(district, user, request, stamp.sequence)
    return StoredPack(
        str(uuid.uuid4()), request.title, key, stamp.scope.value, request.document(), stamp.at, stamp.sequence,
        stamp.is_simulated, count, files, user.username, now,
    )  # fmt: skip


class _Writers:
    """The files of a pack while its pages come in."""

    def __init__(
        self, district: District, user: User, outline: Contents, folder: Path, watermark: str
    ) -> None:
        self.district, self.user, self.outline, self.folder = district, user, outline, folder
        self.request, self.watermark, self.maker = outline.request, watermark, pictures.maker(user)
        self.pages: list[Page] = []
        self.pictures: dict[str, Path] = {}
        self.pdf = self.slides = self.book = self.zip = None
        title = f"{outline.district_title} {self.request.title}".strip()
        common: dict[str, Any] = {
            "title": title,
            "maker": self.maker,
            "watermark": watermark,
            "count": outline.count,
        }
        formats = self.request.formats
        # where to look for what has no room on a page
        printed = common | {"rest": "见工作簿" if PackFormat.XLSX in formats else "此处从略"}
        # each library is loaded only where its format is asked for
        if PackFormat.PDF in formats:
            from gridmap.services.packs.pdf import PdfWriter

            self.pdf = PdfWriter(folder / FILES[PackFormat.PDF], self.request.paper, **printed)
        if PackFormat.PPTX in formats:
            from gridmap.services.packs.slides import SlideWriter

            self.slides = SlideWriter(folder / FILES[PackFormat.PPTX], **printed)
        if PackFormat.XLSX in formats:
            from gridmap.services.packs.workbook import WorkbookWriter

            path = folder / FILES[PackFormat.XLSX]
            self.book = WorkbookWriter(path, outline, maker=self.maker, watermark=watermark)
        if PackFormat.PNG in formats:
            self.zip = zipfile.ZipFile(folder / FILES[PackFormat.PNG], "w", zipfile.ZIP_STORED)

    def add(self, page: Page) -> None:
        """Write one page to every file."""
        picture = self._picture(page) if (self.pdf or self.slides) and page.map is not None else None
        if self.pdf is not None:
            self.pdf.add(page, picture)
        if self.slides is not None:
            self.slides.add(page, picture)
        if self.book is not None:
            self.book.add(page)
        if self.zip is not None and page.map is not None:
            name = f"{len(self.zip.namelist()) + 1:03d}_{_safe(page.title)}.png"
            self.zip.writestr(name, self._poster(page))
        if PackFormat.HTML in self.request.formats:
            self.pages.append(page)
            if page.map is not None and page.map.is_own:
                self.pictures[page.key] = self._small(page)

    def finish(self) -> None:
        """End every file."""
        for one in (self.pdf, self.slides, self.book):
            if one is not None:
                one.finish()
        if self.zip is not None:
            self.zip.close()
        if PackFormat.HTML in self.request.formats:
            from gridmap.services.packs import offline

            offline.write(
                self.folder / FILES[PackFormat.HTML], self.district, self.user, self.outline, self.pages,
                maker=self.maker, watermark=self.watermark, pictures_of=self.pictures,
            )  # fmt: skip
            for one in self.pictures.values():
                one.unlink()

    def _picture(self, page: Page) -> Image.Image:
        from gridmap.services.packs.pdf import map_frame

        frame = map_frame(self.request.paper)
        return self._drawn(
            page, pictures.Request(
                width_mm=frame.width, height_mm=frame.height, dpi=_DPI[self.request.paper], has_footer=False
            )
        )  # fmt: skip

    def _poster(self, page: Page) -> bytes:
        """The map as a picture that stands alone: with title, data time, maker and mark."""
        title = f"{page.title}  {page.subtitle}"
        stream = io.BytesIO()
        self._drawn(page, pictures.Request(title=title, dpi=_PNG_DPI)).save(
            stream, "PNG", dpi=(_PNG_DPI, _PNG_DPI), compress_level=4
        )
        return stream.getvalue()

    def _small(self, page: Page) -> Path:
        """The map as a file, for the web page, whose own map is the same for all pages."""
        target = self.folder / f"picture-{len(self.pictures)}.jpg"
        request = pictures.Request(width_mm=180, height_mm=110, dpi=_SMALL_DPI, has_footer=False)
        self._drawn(page, request).save(target, "JPEG", quality=80)
        return target

    def _drawn(self, page: Page, request: pictures.Request) -> Image.Image:
        assert page.map is not None
        highlights = []
        if page.map.reach is not None:
            highlights.append(pictures.reach_highlight(*page.map.reach))
        if page.map.outline is not None:
            highlights.append(pictures.area_highlight(*page.map.outline))
        highlights += pictures.change_highlights(page.map.marks)
        whole = replace(
            request, box=page.map.box, at=page.map.at, named=page.map.named,
            layers=self.request.layers if page.map.layers is None else page.map.layers,
        )  # fmt: skip
        found = pictures.picture(self.district, self.user, whole, stamp=page.stamp, highlights=highlights)
        return found.image


def _safe(name: str) -> str:
    return "".join("_" if one in '\\/:*?"<>|' else one for one in name)[:60]


def log(district: District, user: User, made: StoredPack) -> None:
    """Write into the log that a pack was taken away."""
    with district.database.write() as connection:
        _log(connection, district, user, made)


def _log(connection: Connection, district: District, user: User, made: StoredPack) -> None:
    names = ",".join(one["format"] for one in made.files)
    access_log.append(
        connection, at=district.clock(), kind="export", username=user.username, address=user.address,
        action="make a pack", target=made.id,
        detail=f"{made.title},{made.pages} 页,{names},第 {made.sequence} 次更新,{made.scope}",
    )  # fmt: skip


def store(
    district: District,
    user: User,
    made: StoredPack,
    folder: Path,
    *,
    end: Callable[[Connection], None] | None = None,
) -> None:
    """
    Keep a pack whose files lie in `folder`: they move to where packs are kept, and the log has a line.

    `end` takes part in the transaction that stores it.
    """
    target = folder_of(district.settings, made.id)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.move(str(folder), target)
    try:
        with district.database.write() as connection:
            stored.add(connection, made)
            _log(connection, district, user, made)
            if end is not None:
                end(connection)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def run_job(context: JobContext) -> dict[str, Any]:
    """Make a pack in a worker. Parameters of the job: the request's document. The result names the pack."""
    request = parse_request(dict(context.parameters))
    folder = context.folder / "pack"
    made = make(context.district, context.user, request, folder, progress=context.progress)
    result = {"pack": made.id, "pages": made.pages, "sequence": made.sequence, "files": list(made.files)}
    store(
        context.district,
        context.user,
        made,
        folder,
        end=lambda connection: context.finish(connection, result),
    )
    return result
