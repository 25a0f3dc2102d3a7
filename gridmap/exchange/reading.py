"""Reading a file of any known format as a table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePath

from gridmap.domain.crs import CrsUnknownError, parse_datum
from gridmap.exchange.delimited import read_csv
from gridmap.exchange.errors import FormatUnknown, OptionUseless
from gridmap.exchange.formats import Format, detect_format
from gridmap.exchange.gdal import check_geopackage, layer_names, read_geopackage
from gridmap.exchange.geojson import read_geojson
from gridmap.exchange.kml import read_kml
from gridmap.exchange.shapefile import read_shapefile, shapefile_names
from gridmap.exchange.source import Source, archive_names, open_source, private_folder
from gridmap.exchange.table import Draft, Limits, SourceTable
from gridmap.exchange.workbook import read_xlsx, sheet_names

Paths = Path | str | Iterable[Path | str] | None
_SUFFIX = re.compile(r"_(gcj02|bd09|cgcs2000|wgs84|epsg\d{4,5})(?:[ _(.-].*)?$", re.IGNORECASE)


def read_table(
    path_or_bytes: Path | str | bytes | bytearray | memoryview,
    *,
    filename: str | None = None,
    layer_name: str | None = None,
    encoding: str | None = None,
    lon_column: str | None = None,
    lat_column: str | None = None,
    limits: Limits | None = None,
    forbidden: Paths = None,
) -> SourceTable:
    """
    The table in a file, as it is.

    Parameters
    ----------
    path_or_bytes : the file, or its content
    filename : what the file was called (for content, needed to tell a name from its content)
    layer_name : which layer, sheet or shapefile, where there are several
    encoding : of the text, where the format leaves it open; by default found by strict decoding
    lon_column, lat_column : in CSV and XLSX, the columns of longitude (or easting) and latitude (or northing)
    limits : the most that is read
    forbidden : paths that must not be opened: the live database

    Returns
    -------
    SourceTable, its coordinates those of the file: `to_wgs84` them by the datum that the user states.

    Raises
    ------
    NotFound, TooLarge, LiveFileRefused
        No such file, one beyond the limits, or the live database.
    FileBroken, FormatMismatch, FormatUnknown, EncodingUnknown, LayerMissing, ColumnMissing, OptionUseless
        As each says, in Chinese by `chinese()`.
    """
    limits = limits or Limits()
    source = open_source(path_or_bytes, filename=filename, limits=limits, forbidden=forbidden)
    format = _format(source, limits)
    _refuse_useless(format, layer_name, encoding, lon_column or lat_column)
    draft = _read(
        source,
        format,
        limits,
        layer_name=layer_name,
        encoding=encoding,
        columns=(lon_column, lat_column),
    )
    _settle_datum(draft, source.filename)
    return draft.finished(format)


def list_layers(
    path_or_bytes: Path | str | bytes | bytearray | memoryview,
    *,
    filename: str | None = None,
    limits: Limits | None = None,
    forbidden: Paths = None,
) -> tuple[str, ...]:
    """Names that `layer_name` of `read_table` can take for this file; empty where the format has one layer."""
    limits = limits or Limits()
    source = open_source(path_or_bytes, filename=filename, limits=limits, forbidden=forbidden)
    format = _format(source, limits)
    if format is Format.XLSX:
        return sheet_names(source, limits)
    if format is Format.SHAPEFILE:
        return shapefile_names(source, limits)
    if format is Format.GEOPACKAGE:
        with private_folder() as folder:
            path = source.copy_to(folder / "data.gpkg")
            check_geopackage(path)
            return layer_names(path)
    return ()


def _format(source: Source, limits: Limits) -> Format:
    return detect_format(source.head(), archive_names(source, limits), source.filename)


_IN_PARTS = (Format.XLSX, Format.SHAPEFILE, Format.GEOPACKAGE)
_OF_TEXT = (Format.CSV, Format.GEOJSON, Format.KML, Format.SHAPEFILE)
_WITHOUT_GEOMETRY = (Format.CSV, Format.XLSX)


def _refuse_useless(
    format: Format, layer_name: str | None, encoding: str | None, place_column: str | None
) -> None:
    """Raise OptionUseless for what this format has not."""
    for given, name, chinese, formats in (
        (layer_name, "layer_name", "图层或工作表", _IN_PARTS),
        (encoding, "encoding", "文字编码", _OF_TEXT),
        (place_column, "lon_column, lat_column", "经纬度列", _WITHOUT_GEOMETRY),
    ):
        if given and format not in formats:
            raise OptionUseless(name, chinese, format.title)


def _read(
    source: Source,
    format: Format,
    limits: Limits,
    *,
    layer_name: str | None,
    encoding: str | None,
    columns: tuple[str | None, str | None],
) -> Draft:
    lon_column, lat_column = columns
    match format:
        case Format.GEOJSON:
            return read_geojson(source.read(), limits=limits, encoding=encoding)
        case Format.KML:
            return read_kml(source, limits=limits, encoding=encoding)
        case Format.CSV:
            return read_csv(
                source.read(), limits=limits, encoding=encoding, lon_column=lon_column, lat_column=lat_column
            )
        case Format.XLSX:
            return read_xlsx(
                source, limits=limits, layer_name=layer_name, lon_column=lon_column, lat_column=lat_column
            )
        case Format.SHAPEFILE:
            return read_shapefile(source, limits=limits, layer_name=layer_name, encoding=encoding)
        case Format.GEOPACKAGE:
            with private_folder() as folder:
                path = source.copy_to(folder / "data.gpkg")
                check_geopackage(path)
                return read_geopackage(path, limits=limits, layer_name=layer_name)
    raise FormatUnknown(f"no reader for {format}")  # pragma: no cover


def _settle_datum(draft: Draft, filename: str) -> None:
    """The datum in the words of `parse_datum`; the file's name tells where the content does not."""
    if draft.declared_crs is None:
        match = _SUFFIX.search(PurePath(filename).stem)
        if match:
            draft.declared_crs = re.sub(r"^epsg", "EPSG:", match[1].lower())
            draft.notes.append(f"文件名说明坐标系为 {draft.declared_crs},请在导入时确认。")
        return
    try:
        draft.declared_crs = str(parse_datum(draft.declared_crs))
    except CrsUnknownError:
        draft.notes.append("文件声明的坐标系无法识别,请在导入时选择坐标系。")
