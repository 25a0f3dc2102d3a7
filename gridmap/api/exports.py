"""`GET /api/export/{layer}`: one layer as a file, checked, logged and marked as every export is."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from gridmap.api import parameters
from gridmap.api.calls import Call
from gridmap.errors import TooManyRequests
from gridmap.exchange.formats import Format, parse_format
from gridmap.services import exports
from gridmap.services.exports import Headings

MOST_AT_ONCE = 2
_MEDIA_TYPES = {
    Format.GEOJSON: "application/geo+json",
    Format.GEOPACKAGE: "application/geopackage+sqlite3",
    Format.SHAPEFILE: "application/zip",
    Format.KML: "application/vnd.google-earth.kml+xml",
    Format.CSV: "text/csv",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
# writing files keeps a processor busy for seconds: edits and tiles come first
_turns = threading.BoundedSemaphore(MOST_AT_ONCE)


def export(call: Call) -> Response:
    """`GET /api/export/{layer}?format=&datum=&as_of=&grid=&headings=`"""
    parameters.only(call, ("format", "datum", "as_of", "grid", "headings"))
    format = parse_format(parameters.text(call, "format", Format.GEOJSON.value))
    datum = parameters.text(call, "datum", "wgs84")
    as_of = parameters.time(call, "as_of") if "as_of" in call.request.query_params else None
    grid, headings = parameters.grid(call), _headings(call)
    if not _turns.acquire(blocking=False):
        raise TooManyRequests(
            f"{MOST_AT_ONCE} exports are being written; try again in a moment",
            zh="正在写出其他导出文件,请稍后再试。",
            retry_after=10,
        )
    folder = Path(tempfile.mkdtemp(prefix="gridmap-export-"))
    try:
        report = exports.export_layer(
            call.district, call.user, call.path["layer"], folder / f"export{format.extension}",
            format=format, datum=datum, as_of=as_of, grid=grid, headings=headings,
        )  # fmt: skip
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        _turns.release()
    return FileResponse(
        report.path,
        media_type=_MEDIA_TYPES[report.format],
        filename=report.suggested_name,
        headers={"Cache-Control": "no-store", "X-Gridmap-Sequence": str(report.sequence)},
        background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
    )


def _headings(call: Call) -> Headings:
    value = parameters.text(call, "headings", Headings.IDS.value)
    known = {one.value: one for one in Headings}
    if value not in known:
        raise parameters.BadParameter(
            "headings", f"must be one of {', '.join(known)}", "只能是 ids 或 titles"
        )
    return known[value]
