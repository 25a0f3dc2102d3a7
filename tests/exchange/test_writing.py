"""A file appears whole or not at all, where it may, and says what it could not hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pytest
import shapely

from gridmap.domain.crs import CrsUnknownError
from gridmap.errors import InvalidInput, NotFound
from gridmap.exchange import (
    EncodingUnknown,
    Format,
    FormatCannotHold,
    FormatUnknown,
    LiveFileRefused,
    list_layers,
    read_table,
    write_layers,
    write_table,
)
from tests.exchange.samples import AREA, frame_of, values, workstations


@pytest.mark.parametrize("format", Format)
def test_the_report_tells_what_was_written(format: Format, tmp_path: Path) -> None:
    path = tmp_path / f"out{format.extension}"
    report = write_table(workstations(), path, datum="bd09", title="警务站")
    assert report.path == path
    assert report.format is format
    assert report.rows == 3
    assert report.suggested_name == f"警务站_bd09{format.extension}"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_an_old_file_is_replaced_and_kept_when_the_new_one_fails(tmp_path: Path) -> None:
    path = tmp_path / "out.zip"
    path.write_bytes(b"old")
    mixed = frame_of({"id": ["a", "b"]}, [shapely.Point(121.5, 30.9), AREA])
    with pytest.raises(FormatCannotHold):
        write_table(mixed, path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["out.zip"]
    write_table(workstations(), path)
    assert len(read_table(path)) == 3


def test_the_live_database_is_never_overwritten(tmp_path: Path) -> None:
    live = tmp_path / "district.gpkg"
    live.write_bytes(b"live")
    with pytest.raises(LiveFileRefused):
        write_table(workstations(), live, forbidden=[live])
    assert live.read_bytes() == b"live"


def test_a_missing_folder_a_foreign_format_and_an_unknown_datum_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        write_table(workstations(), tmp_path / "nowhere" / "a.csv")
    with pytest.raises(FormatUnknown):
        write_table(workstations(), tmp_path / "a.dwg")
    with pytest.raises(CrsUnknownError):
        write_table(workstations(), tmp_path / "a.csv", datum="mars")
    assert list(tmp_path.iterdir()) == []


def test_geometry_in_another_system_is_refused(tmp_path: Path) -> None:
    frame = workstations().set_crs(3857, allow_override=True)
    with pytest.raises(InvalidInput, match="WGS 84"):
        write_table(frame, tmp_path / "a.csv")
    write_table(workstations().set_crs(4490, allow_override=True), tmp_path / "a.csv")
    write_table(workstations().set_crs(None, allow_override=True), tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    frame = pandas.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(InvalidInput, match="same name"):
        write_table(frame, tmp_path / "a.csv")


def test_csv_is_written_in_the_encoding_asked_for(tmp_path: Path) -> None:
    for encoding, beginning in [(None, b"\xef\xbb\xbfid"), ("utf-8", b"id"), ("GBK", b"id")]:
        write_table(workstations(), tmp_path / "a.csv", encoding=encoding)
        data = (tmp_path / "a.csv").read_bytes()
        assert data.startswith(beginning)
        assert "南桥".encode("gbk" if encoding == "GBK" else "utf-8") in data
        assert values(read_table(tmp_path / "a.csv").frame)["name"] == workstations()["name"].tolist()
    with pytest.raises(EncodingUnknown):
        write_table(workstations(), tmp_path / "a.csv", encoding="big5")


def test_csv_says_that_it_has_no_place_for_remarks(tmp_path: Path) -> None:
    report = write_table(workstations(), tmp_path / "a.csv", remarks=[("数据来源", "模拟数据")])
    assert any("附注" in note for note in report.notes)
    assert write_table(workstations(), tmp_path / "a.csv").notes == ()


def test_points_are_written_as_two_numbers_to_the_last_bit(tmp_path: Path) -> None:
    write_table(workstations(), tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text("utf-8-sig").splitlines()
    assert lines[0].endswith(",lon,lat")
    assert "121.45231812345678,30.9" in (tmp_path / "a.csv").read_text("utf-8-sig")
    write_table(workstations(), tmp_path / "a.csv", datum="EPSG:4549")
    assert (tmp_path / "a.csv").read_text("utf-8-sig").splitlines()[0].endswith(",x,y")


@pytest.mark.parametrize("format", [Format.CSV, Format.XLSX])
@pytest.mark.parametrize("shape", [shapely.Point(121.5, 30.9), AREA], ids=["point", "area"])
@pytest.mark.parametrize("taken", ["lon", "LAT", "x", "WKT", "经度", "geometry"])
def test_columns_named_like_coordinates_do_not_move_the_place(
    format: Format, shape: shapely.Geometry, taken: str, tmp_path: Path
) -> None:
    path = tmp_path / f"a{format.extension}"
    frame = frame_of({taken: ["1"], "lat" if taken != "LAT" else "lon": ["2"]}, [shape])
    if taken == "geometry":
        frame = frame_of({"lat": ["2"]}, [shape])
    write_table(frame, path)
    table = read_table(path)
    assert shapely.equals_exact(table.geometry[0], shape, tolerance=1e-12)
    assert values(table.frame) == {name: column for name, column in values(frame).items()}


def test_empty_geometry_is_written_as_none(tmp_path: Path) -> None:
    frame = frame_of({"id": ["a", "b"]}, [shapely.Point(), shapely.Point(1, 2)])
    for format in Format:
        path = tmp_path / f"a{format.extension}"
        write_table(frame, path)
        assert [one is None for one in read_table(path).geometry] == [True, False]


def test_the_frame_is_left_alone(tmp_path: Path) -> None:
    frame = workstations()
    before = frame.copy(deep=True)
    for format in Format:
        write_table(frame, tmp_path / f"a{format.extension}", datum="gcj02")
    assert values(frame) == values(before)
    assert frame.geometry.tolist() == before.geometry.tolist()


def test_frames_of_other_dtypes_are_written(tmp_path: Path) -> None:
    frame = pandas.DataFrame(
        {
            "text": pandas.Series(["a", None], dtype="str"),
            "kind": pandas.Categorical(["甲", "乙"]),
            "small": np.array([1, 2], dtype="int16"),
            "flag": np.array([True, False]),
            "real": np.array([0.5, np.nan], dtype="float32"),
            "at": pandas.to_datetime(["2024-01-01T08:00:00Z", None]),
        }
    )
    write_table(frame, tmp_path / "a.gpkg")
    got = values(read_table(tmp_path / "a.gpkg").frame)
    assert got["text"] == ["a", None]
    assert got["kind"] == ["甲", "乙"]
    assert got["small"] == [1, 2]
    assert got["flag"] == [True, False]
    assert got["real"] == [0.5, None]
    assert [one and one.isoformat() for one in got["at"]] == ["2024-01-01T08:00:00+00:00", None]


def test_several_layers_go_into_one_geopackage_by_their_titles(tmp_path: Path) -> None:
    areas = frame_of({"code": ["007"]}, [AREA])
    tables = [("警务站", workstations()), ("警务网格", areas), ("空", areas.iloc[:0])]
    report = write_layers(tables, tmp_path / "a.gpkg", datum="gcj02", remarks=[("数据来源", "模拟数据")])
    assert report.rows == 4
    assert report.suggested_name == "a_gcj02.gpkg"
    assert set(list_layers(tmp_path / "a.gpkg")) == {"警务站", "警务网格", "空"}
    for title, frame in tables:
        table = read_table(tmp_path / "a.gpkg", layer_name=title)
        assert values(table.frame) == values(frame)
        assert table.declared_crs == "gcj02"
    assert [file.name for file in tmp_path.iterdir()] == ["a.gpkg"]
    with pytest.raises(LiveFileRefused):
        write_layers(tables, tmp_path / "a.gpkg", forbidden=tmp_path / "a.gpkg")
    with pytest.raises(NotFound):
        write_layers(tables, tmp_path / "nowhere" / "a.gpkg")
    for wrong in ([], [("甲", areas), ("甲", areas)]):
        with pytest.raises(InvalidInput, match="titles"):
            write_layers(wrong, tmp_path / "a.gpkg")
