"""Commands on files: import, export."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from gridmap.cli.common import OPERATOR, REFUSED, answer, json_option, opened, progress, refusals, say
from gridmap.domain.elements import Source
from gridmap.exchange import osm
from gridmap.services import exports, imports
from gridmap.services.exports import Headings
from gridmap.services.imports import Action, ImportPlan

_SHOWN = 50


def pairs(texts: tuple[str, ...], option: str, what: str) -> dict[str, str]:
    """`LEFT=RIGHT` texts of an option as a mapping; raises UsageError for anything else."""
    found = {}
    for text in texts:
        left, mark, right = text.partition("=")
        if not mark or not left:
            raise click.UsageError(f"{option} takes {what}, not {text!r}")
        found[left] = right
    return found


def _meanings(texts: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """`FIELD:TEXT=VALUE` texts: what texts of the file mean, by field."""
    found: dict[str, dict[str, str]] = {}
    for left, value in pairs(texts, "--value", "FIELD:TEXT=VALUE").items():
        field, mark, text = left.partition(":")
        if not mark:
            raise click.UsageError(f"--value takes FIELD:TEXT=VALUE, not {left!r}")
        found.setdefault(field, {})[text] = value
    return found


def _report(plan: ImportPlan) -> None:
    """What the dry run found, on stderr."""
    counts = ",".join(f"{one.title} {plan.count(one)}" for one in Action if plan.count(one))
    say(f"{plan.filename} → {plan.layer.title}:{len(plan.table)} 行({counts or '空'})")
    for warning in (*plan.table.notes, *plan.warnings):
        say(f"提醒:{warning}")
    for issue in plan.problems[:_SHOWN]:
        say(f"第 {issue.row} 行 [{issue.field}] {issue.message}")
    if len(plan.problems) > _SHOWN:
        say(f"……另有 {len(plan.problems) - _SHOWN} 处问题;--json 列出全部")


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--layer", required=True, help="Layer that the elements go into.")
@click.option(
    "--datum", required=True, help="wgs84, cgcs2000, gcj02, bd09 or EPSG:n; nothing in a file says it."
)
@click.option(
    "--map", "mapping", multiple=True, metavar="COLUMN=FIELD", help="Field of a column; empty leaves it out."
)
@click.option("--mode", type=click.Choice(["all", "good"]), default="all", show_default=True,
              help="Rows with faults: refuse the whole file, or import the good rows.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would happen, and store nothing.")
@click.option(
    "--where", multiple=True, metavar="COLUMN=TEXT", help="Only rows with this text in this column."
)
@click.option("--value", "meanings", multiple=True, metavar="FIELD:TEXT=VALUE",
              help="What a text of the file means, such as class:trunk=primary.")  # fmt: skip
@click.option("--encoding", help="Text encoding; found out without it.")
@click.option("--sheet", help="Layer or sheet of the file, where it has several.")
@click.option("--lon-column", help="Column of longitudes (eastings), where its name does not tell.")
@click.option("--lat-column", help="Column of latitudes (northings), where its name does not tell.")
@click.option("--osm", "is_osm", is_flag=True, help="The file holds OpenStreetMap ways (column highway).")
@click.option("--simulated", is_flag=True, help="Mark new elements as 模拟数据.")
@json_option
@refusals
def import_command(
    file: Path,
    layer: str,
    datum: str,
    mapping: tuple[str, ...],
    mode: str,
    dry_run: bool,
    where: tuple[str, ...],
    meanings: tuple[str, ...],
    encoding: str | None,
    sheet: str | None,
    lon_column: str | None,
    lat_column: str | None,
    is_osm: bool,
    simulated: bool,
    as_json: bool,
) -> None:
    """Import a file, or with --dry-run list every bad row by number, field and rule."""
    wanted = pairs(mapping, "--map", "COLUMN=FIELD (an empty field leaves the column out)")
    chosen, values = pairs(where, "--where", "COLUMN=TEXT"), _meanings(meanings)
    with opened() as district, progress(file.name) as tell:
        with TemporaryDirectory(prefix="gridmap-osm-") as folder:
            is_extract = is_osm or osm.is_extract(file)
            source = osm.converted(file, layer, Path(folder)) if is_extract else file
            table = imports.read(
                district,
                source,
                filename=source.name,
                layer_name=sheet,
                encoding=encoding,
                lon_column=lon_column,
                lat_column=lat_column,
            )
        plan = imports.plan(
            district,
            OPERATOR,
            layer,
            table,
            datum=datum,
            mapping=wanted,
            mode=mode,
            filename=file.name,
            where=chosen,
            values=values,
            source=Source.SIMULATED if simulated else Source.REAL,
            progress=tell,
        )
        document = plan.document() | {"is_dry_run": dry_run, "receipt": None}
        is_refused = mode == "all" and not plan.is_clean
        if not dry_run and not is_refused:
            receipt = imports.apply(district, OPERATOR, plan, progress=tell)
            document["receipt"] = receipt.document()
    _report(plan)
    text = "" if document["receipt"] is None else receipt.chinese()
    if is_refused and not dry_run:
        say("未导入:有不合格的行。修改文件后重试,或用 --mode good 只导入合格的行。")
    answer(document, text, as_json=as_json)
    if is_refused:
        sys.exit(REFUSED)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        # without an offset it is meant as the clock on the wall says
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.UsageError(
            f"--as-of takes a time such as 2026-03-01T08:00:00+08:00, not {text!r}"
        ) from None


def _grid(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    layer, mark, code = text.partition(":")
    if not mark:
        raise click.UsageError(f"--grid takes LAYER:CODE, such as police_grid:310120001001001, not {text!r}")
    return layer, code


@click.command(name="export")
@click.option("--to", "file", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="File to write; its ending says the format.")  # fmt: skip
@click.option("--layer", help="Layer to write; all layers into one GeoPackage without it.")
@click.option(
    "--format",
    "format_name",
    help="geojson, gpkg, shapefile, kml, csv or xlsx, where the ending does not say.",
)
@click.option("--datum", default="wgs84", show_default=True, help="wgs84, cgcs2000, gcj02, bd09 or EPSG:n.")
@click.option("--as-of", "as_of", metavar="TIME", help="The state at this time (RFC 3339), inclusive.")
@click.option("--grid", metavar="LAYER:CODE", help="Only elements in this grid.")
@click.option("--headings", type=click.Choice([one.value for one in Headings]), default="ids", show_default=True,
              help="Columns called by field ids, or by Chinese titles.")  # fmt: skip
@click.option("--encoding", help="Of CSV: utf-8-sig, utf-8 or gb18030.")
@json_option
@refusals
def export_command(
    file: Path,
    layer: str | None,
    format_name: str | None,
    datum: str,
    as_of: str | None,
    grid: str | None,
    headings: str,
    encoding: str | None,
    as_json: bool,
) -> None:
    """Write a layer, or with no --layer the whole district, to a file that says what it is."""
    at, place = _time(as_of), _grid(grid)
    _refuse_misnamed(file, layer)
    if layer is None and (grid or encoding or format_name not in (None, "gpkg")):
        raise click.UsageError("--grid, --encoding and other formats than gpkg need --layer")
    with opened() as district:
        if layer is None:
            report = exports.export_district(
                district, OPERATOR, file, datum=datum, as_of=at, headings=headings
            )
        else:
            report = exports.export_layer(
                district,
                OPERATOR,
                layer,
                file,
                format=format_name,
                datum=datum,
                as_of=at,
                grid=place,
                headings=headings,
                encoding=encoding,
            )
    for note in report.notes:
        say(f"提醒:{note}")
    if report.is_simulated:
        say(exports.SIMULATED_REMARK)
    text = f"已导出:{report.path}({sum(report.rows.values()):,} 个要素,{report.datum.title},第 {report.sequence} 次更新)"
    answer(report.document(), text, as_json=as_json)


def _refuse_misnamed(file: Path, layer: str | None) -> None:
    """A name that promises another content than is written: no program could open it by its name."""
    ending = file.suffix.lower()
    if layer is None and ending != ".gpkg":
        raise click.UsageError(f"the whole district is one GeoPackage: name the file *.gpkg, not *{ending}")
    if ending == ".shp":
        raise click.UsageError("a shapefile is several files: name it *.zip, they are packed together")
    if ending == ".kmz":
        raise click.UsageError("KMZ is read, not written: name the file *.kml")


COMMANDS: tuple[click.Command, ...] = (import_command, export_command)
