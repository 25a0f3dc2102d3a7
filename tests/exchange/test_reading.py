"""Bad files: each is refused with what is wrong and what to do, in Chinese, and nothing else happens."""

from __future__ import annotations

import io
import os
import sqlite3
import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridmap.errors import GridmapError, NotFound, TooLarge
from gridmap.exchange import (
    EncodingUnknown,
    FileBroken,
    Format,
    FormatMismatch,
    FormatUnknown,
    LayerMissing,
    Limits,
    LiveFileRefused,
    list_layers,
    read_table,
    write_table,
)
from tests.exchange.samples import frame_of, workstations, zipped


def files(tmp_path: Path) -> dict[Format, bytes]:
    """One whole file of each format, with five hundred points."""
    import shapely

    frame = frame_of(
        {"id": [f"{n:04d}" for n in range(500)]}, [shapely.Point(121 + n / 1e4, 31) for n in range(500)]
    )
    result = {}
    for format in Format:
        path = tmp_path / f"whole{format.extension}"
        write_table(frame, path, title="点")
        result[format] = path.read_bytes()
    return result


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[Format, bytes]:
    return files(tmp_path_factory.mktemp("whole"))


GEOJSON = b'{"type":"FeatureCollection","features":[]}'
HTML = b"<!DOCTYPE html><html><head><title>\xe8\xaf\xb7\xe7\x99\xbb\xe5\xbd\x95</title></head></html>"


@pytest.mark.parametrize(
    ("content", "name", "error", "words"),
    [
        (b"", "a.csv", FileBroken, "空的"),
        (b"", "a.gpkg", FileBroken, "空的"),
        (b"\xef\xbb\xbf \r\n", "a.geojson", FileBroken, "空的"),
        (b"\x00" * 5000, "a.shp", FileBroken, "空的"),
        (HTML, "a.geojson", FileBroken, "网页"),
        (b"\n <html><body>502</body></html>", "a.csv", FileBroken, "网页"),
        (b"<?xml version='1.0'?><gpx></gpx>", "a.gpx", FormatUnknown, "XML"),
        (GEOJSON, "a.csv", FormatMismatch, ".csv"),
        (b"name,lon,lat\n", "a.geojson", FormatMismatch, "CSV"),
        (b"name,lon,lat\n", "a.xlsx", FormatMismatch, "CSV"),
        (b"%PDF-1.7 ...", "a.pdf", FormatUnknown, "PDF"),
        (b"\x89PNG\r\n", "a.csv", FormatUnknown, "图片"),
        (b"Rar!\x1a\x07", "a.rar", FormatUnknown, "RAR"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a.xls", FormatUnknown, ".xlsx"),
        (b"\x00\x00\x27\x0a" + b"\x00" * 96, "a.shp", FormatUnknown, "zip"),
        (os.urandom(64) + b"\x00\x01" * 500, "a.bin", FormatUnknown, "无法识别"),
        (zipped({"a.docx": b"x"}), "a.zip", FormatUnknown, "没有 Shapefile"),
        (zipped({"a.dbf": b"x", "a.prj": b""}), "a.zip", FileBroken, "缺少 .shp"),
        (zipped({"a.shp": b"x"}), "a.zip", FileBroken, "缺少与 .shp 同名"),
        (b"PK\x03\x04garbage", "a.zip", FileBroken, "压缩包"),
        (b'{"type":"FeatureCollection","features":[{"ty', "a.geojson", FileBroken, "不完整"),
        (b'{"type": nonsense}', "a.geojson", FileBroken, "语法"),
        (b'{"a": 1}', "a.json", FormatUnknown, "GeoJSON"),
        (b'{"type":"Topology","objects":{}}', "a.json", FormatUnknown, "TopoJSON"),
        (b"[" * 100_000, "a.geojson", FileBroken, "嵌套"),
        (b'{"type":"Point","coordinates":[' + b"9" * 5000 + b",1]}", "a.json", FileBroken, "数字"),
        (b"<kml><Document>", "a.kml", FileBroken, "不完整"),
        (b"<kml><Placemark></kml>", "a.kml", FileBroken, "语法"),
        (b'<!DOCTYPE kml [<!ENTITY a "b">]><kml>&a;</kml>', "a.kml", FileBroken, "DOCTYPE"),
        ("名称,经度\n".encode("gbk") + b"\xff\xff", "a.csv", EncodingUnknown, "UTF-8"),
        ("名称,经度,纬度\n南".encode()[:-1], "a.csv", FileBroken, "截断"),
        (b'a,b\n"x,1\ny,2\n', "a.csv", FileBroken, "引号"),
        (b",,,\n,,\n", "a.csv", FileBroken, "没有内容"),
        (b"SQLite format 3\x00" + b"\x00" * 50, "a.gpkg", FileBroken, "GeoPackage"),
    ],
)  # fmt: skip
def test_what_is_no_data_is_refused_by_name(
    content: bytes, name: str, error: type[GridmapError], words: str
) -> None:
    with pytest.raises(error) as caught:
        read_table(content, filename=name)
    assert words in caught.value.chinese()
    assert 400 <= caught.value.status < 500
    assert len(caught.value.chinese()) < 200


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_cut_off_file_is_refused(format: Format, share: float, whole: dict[Format, bytes]) -> None:
    data = whole[format]
    cut = data[: int(len(data) * share)]
    if format is Format.CSV:
        # A table cut off between two characters cannot be told from a shorter one.
        assert len(read_table(cut, filename="a.csv")) < 500
        return
    with pytest.raises(FileBroken):
        read_table(cut, filename=f"a{format.extension}")


@pytest.mark.parametrize("format", Format)
def test_content_decides_over_a_wrong_extension(format: Format, whole: dict[Format, bytes]) -> None:
    for other in Format:
        name = f"a{other.extension}"
        if other is format:
            assert len(read_table(whole[format], filename=name)) == 500
        else:
            with pytest.raises(FormatMismatch) as caught:
                read_table(whole[format], filename=name)
            assert caught.value.extension == other.extension
            assert format.extension in caught.value.chinese()


@pytest.mark.parametrize("format", Format)
def test_a_name_without_a_known_extension_does_not_matter(format: Format, whole: dict[Format, bytes]) -> None:
    assert read_table(whole[format], filename="upload").format is format
    assert read_table(whole[format]).format is format


@pytest.mark.parametrize("format", Format)
def test_rows_columns_and_bytes_are_limited(format: Format, whole: dict[Format, bytes]) -> None:
    name = f"a{format.extension}"
    assert len(read_table(whole[format], filename=name, limits=Limits(max_rows=500))) == 500
    with pytest.raises(TooLarge) as caught:
        read_table(whole[format], filename=name, limits=Limits(max_rows=499))
    assert "499" in caught.value.chinese()
    with pytest.raises(TooLarge):
        read_table(whole[format], filename=name, limits=Limits(max_bytes=100))
    with pytest.raises(TooLarge):
        read_table(whole[format], filename=name, limits=Limits(max_columns=0))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_never_raise_anything_unexpected(
    data: st.DataObject, whole: dict[Format, bytes]
) -> None:
    format = data.draw(st.sampled_from(list(Format)))
    content = bytearray(whole[format])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        table = read_table(bytes(content), filename=f"a{format.extension}")
    except GridmapError as error:
        sentence = error.chinese()
    else:
        sentence = "。" if len(table) <= 501 else ""
    assert "。" in sentence


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from(["a.csv", "a.geojson", "a.kml", "a.zip", "a.gpkg", "a.xlsx", "a"]),
)
def test_any_bytes_are_a_table_or_a_clear_refusal(content: bytes, name: str) -> None:
    try:
        table = read_table(content, filename=name)
    except GridmapError as error:
        sentence = error.chinese()
    else:
        sentence = f"{len(table.rows)} 行。"
    assert "。" in sentence


# --- choosing ---------------------------------------------------------------------------------------------


def two_sheets() -> bytes:
    book = openpyxl.Workbook()
    book.active.title = "甲"
    book.active.append(["name"])
    book.create_sheet("乙").append(["code"])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_layers_are_listed_where_a_format_has_several(whole: dict[Format, bytes], tmp_path: Path) -> None:
    assert list_layers(two_sheets(), filename="a.xlsx") == ("甲", "乙")
    assert list_layers(whole[Format.GEOPACKAGE], filename="a.gpkg") == ("点",)
    assert list_layers(whole[Format.SHAPEFILE], filename="a.zip") == ("点",)
    for format in (Format.GEOJSON, Format.KML, Format.CSV):
        assert list_layers(whole[format]) == ()


def test_an_unknown_layer_is_refused_with_the_list_of_known_ones(whole: dict[Format, bytes]) -> None:
    for content, names in (
        (two_sheets(), ["甲", "乙"]),
        (whole[Format.GEOPACKAGE], ["点"]),
        (whole[Format.SHAPEFILE], ["点"]),
    ):
        with pytest.raises(LayerMissing) as caught:
            read_table(content, layer_name="丙")
        assert caught.value.layers == names
        assert "、".join(names) in caught.value.chinese()


def test_a_path_is_read_as_its_content_is(whole: dict[Format, bytes], tmp_path: Path) -> None:
    path = tmp_path / "点.csv"
    path.write_bytes(whole[Format.CSV])
    assert read_table(path).columns == read_table(str(path)).columns == ("id",)
    with pytest.raises(NotFound):
        read_table(tmp_path / "无.csv")


def test_the_live_database_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = tmp_path / "district.gpkg"
    write_table(workstations(), live, title="警务站")
    before = live.stat()
    for function in (read_table, list_layers):
        with pytest.raises(LiveFileRefused):
            function(live, forbidden=live)
    assert live.stat().st_mtime_ns == before.st_mtime_ns
    assert len(read_table(live)) == 3  # a file that is not the live one may be of the same kind


def test_gdal_sees_private_copies_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyogrio

    seen: list[Path] = []
    true_read = pyogrio.read_arrow

    def read_arrow(path: Path, **options: object) -> object:
        seen.append(Path(path))
        return true_read(path, **options)

    monkeypatch.setattr(pyogrio, "read_arrow", read_arrow)
    for format in (Format.GEOPACKAGE, Format.SHAPEFILE):
        path = tmp_path / f"点{format.extension}"
        write_table(workstations(), path, title="点")
        read_table(path)
    assert len(seen) == 2
    assert all(tmp_path not in path.parents and path.stem == "data" and not path.exists() for path in seen)


def test_a_vrt_is_no_data(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    vrt = f'<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>{secret}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'
    for name in ("a.vrt", "a.kml", "a.xml"):
        with pytest.raises(FormatUnknown):
            read_table(vrt.encode(), filename=name)
    inside = zipped({"a.shp": vrt, "a.shx": vrt, "a.dbf": vrt})
    with pytest.raises(FileBroken):
        read_table(inside, filename="a.zip")


def test_an_sqlite_database_that_is_no_geopackage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.gpkg"
    with sqlite3.connect(path) as database:
        database.execute("create table secret (a)")
    database.close()
    with pytest.raises(FileBroken, match="no GeoPackage"):
        read_table(path)


def test_the_name_tells_the_datum_where_the_content_does_not() -> None:
    csv = b"lon,lat\n121,31\n"
    for name, datum in [
        ("警务站_gcj02.csv", "gcj02"), ("a_BD09.csv", "bd09"), ("a_epsg4549 (1).csv", "EPSG:4549"),
        ("a_gcj02_2.csv", "gcj02"), ("gcj02.csv", None), ("a.csv", None),
    ]:  # fmt: skip
        assert read_table(csv, filename=name).declared_crs == datum
    stated = b'{"type":"FeatureCollection","datum":{"id":"bd09"},"features":[]}'
    assert read_table(stated, filename="a_gcj02.geojson").declared_crs == "bd09"


def test_a_zip_in_a_zip_is_not_opened(whole: dict[Format, bytes]) -> None:
    with pytest.raises(FormatUnknown):
        read_table(zipped({"a.zip": whole[Format.SHAPEFILE]}), filename="a.zip")


def test_an_archive_bomb_is_refused_whatever_it_claims_to_be() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("[Content_Types].xml", "xl/workbook.xml", "a.shp", "a.shx", "a.dbf", "doc.kml"):
            archive.writestr(name, b" " * 2_000_000)
    for name in ("a.xlsx", "a.zip", "a.kmz"):
        with pytest.raises(TooLarge):
            read_table(buffer.getvalue(), filename=name)
