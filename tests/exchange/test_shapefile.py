"""Shapefiles: GBK and UTF-8 by what the bytes are, whole or refused, and nothing lost on the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.exchange import (
    EncodingUnknown,
    FileBroken,
    FormatCannotHold,
    LayerMissing,
    list_layers,
    read_table,
    write_table,
)
from gridmap.exchange.shapefile import FIELDS_TABLE, TEXTS_TABLE, short_names
from tests.exchange.samples import AREA, frame_of, unzipped, values, workstations, zipped

NAMES = ["南桥警务站", "奉浦", None]


def parts(tmp_path: Path, frame: Any = None, **options: Any) -> dict[str, bytes]:
    """The files of a shapefile as we write it."""
    frame = (
        frame_of({"名称": NAMES, "code": ["007", "1", "2"]}, [shapely.Point(121.5, 30.9)] * 3)
        if frame is None
        else frame
    )
    write_table(frame, tmp_path / "s.zip", title="s", **options)
    return unzipped((tmp_path / "s.zip").read_bytes())


def as_others_write(tmp_path: Path, encoding: str) -> dict[str, bytes]:
    """The same, as other programs write it: no tables beside it."""
    import geopandas

    frame = geopandas.GeoDataFrame(
        {"名称": NAMES, "code": ["007", "1", "2"]}, geometry=[shapely.Point(121.5, 30.9)] * 3, crs=4326
    )
    pyogrio.write_dataframe(frame, tmp_path / "s.shp", encoding=encoding)
    return {file.name: file.read_bytes() for file in tmp_path.glob("s.*") if file.suffix != ".zip"}


def read(files: dict[str, bytes], **options: Any) -> Any:
    return read_table(zipped(files), filename="s.zip", **options)


# --- encodings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["GBK", "UTF-8", "GB18030"])
@pytest.mark.parametrize("page", ["as it is", "missing", "wrong", "western", "nonsense"])
def test_the_encoding_is_what_the_bytes_fit(encoding: str, page: str, tmp_path: Path) -> None:
    files = as_others_write(tmp_path, encoding)
    dbf = bytearray(files["s.dbf"])
    dbf[29] = 0  # no statement in the header either
    files["s.dbf"] = bytes(dbf)
    other = {
        "missing": None,
        "wrong": b"UTF-8" if encoding != "UTF-8" else b"Big5-HKSCS:2004!",
        "western": b"ISO-8859-1",
        "nonsense": b"\xff\x00",
    }
    if page != "as it is":
        files.pop("s.cpg", None)
        if other[page] is not None:
            files["s.cpg"] = other[page]
    table = read(files)
    assert values(table.frame) == {"名称": NAMES, "code": ["007", "1", "2"]}
    assert table.encoding == ("utf-8" if encoding == "UTF-8" else "gb18030")
    if page == "wrong" and encoding != "UTF-8":
        assert any("不符" in note for note in table.notes)


def test_the_language_byte_of_the_header_decides_where_the_bytes_fit_both(tmp_path: Path) -> None:
    # GBK characters whose bytes are UTF-8 too; from six on they are no accident by themselves.
    name = bytes(byte for lead in range(0xC4, 0xCC) for byte in (lead, 0xA6)).decode("gbk")
    assert len(name) == 8
    frame = frame_of({"n": [name]}, [shapely.Point(121.5, 30.9)])
    pyogrio.write_dataframe(frame, tmp_path / "s.shp", encoding="GBK")
    files = {file.name: file.read_bytes() for file in tmp_path.glob("s.*") if file.suffix != ".cpg"}
    for language, encoding in [(0x4D, "gb18030"), (0, "utf-8")]:
        dbf = bytearray(files["s.dbf"])
        dbf[29] = language
        table = read(files | {"s.dbf": bytes(dbf)})
        assert table.encoding == encoding
        assert (values(table.frame)["n"] == [name]) is (encoding == "gb18030")


def test_a_named_encoding_counts_and_is_refused_where_it_does_not_fit(tmp_path: Path) -> None:
    files = as_others_write(tmp_path, "GBK")
    assert read(files, encoding="gbk").encoding == "gb18030"
    with pytest.raises(EncodingUnknown, match="utf-8"):
        read(files, encoding="utf-8")


def test_a_text_cut_inside_a_character_is_reported_not_nonsense(tmp_path: Path) -> None:
    files = as_others_write(tmp_path, "GBK")
    dbf = files["s.dbf"].replace("奉浦".encode("gbk"), "奉".encode("gbk") + "浦".encode("gbk")[:1] + b" ")
    table = read(files | {"s.dbf": dbf})
    assert values(table.frame)["名称"] == ["南桥警务站", "奉", None]
    assert [(one.row, one.column) for one in table.problems] == [(2, "名称")]


def test_bytes_that_fit_nothing_are_refused(tmp_path: Path) -> None:
    files = as_others_write(tmp_path, "GBK")
    dbf = files["s.dbf"].replace("奉浦".encode("gbk"), b"\xff\xff\xff\xff")
    with pytest.raises(EncodingUnknown):
        read(files | {"s.dbf": dbf})


def test_a_projection_named_in_chinese_does_no_harm(tmp_path: Path) -> None:
    files = as_others_write(tmp_path, "UTF-8")
    crs = 'GEOGCS["我的坐标系",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["Degree",0.0174532925199433]]'
    for prj in (crs.encode("gbk"), crs.encode(), b"\xff\xff\xff", b""):
        assert len(read(files | {"s.prj": prj})) == 3


# --- whole or refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".shp", ".shx", ".dbf"])
def test_a_missing_or_cut_part_is_refused_by_name(ending: str, tmp_path: Path) -> None:
    files = parts(tmp_path)
    whole = files.pop(f"s{ending}")
    with pytest.raises(FileBroken) as caught:
        read(files)
    assert ending in caught.value.chinese()
    for cut in (whole[:-20], whole[:20], b""):
        with pytest.raises(FileBroken) as caught:
            read(files | {f"s{ending}": cut})
        assert ending in caught.value.chinese()


def test_a_shapefile_without_projection_says_nothing_of_its_datum(tmp_path: Path) -> None:
    files = parts(tmp_path)
    assert read(files).declared_crs == "wgs84"
    files.pop("s.prj")
    assert read(files).declared_crs is None


def test_several_shapefiles_have_to_be_chosen_from(tmp_path: Path) -> None:
    one = parts(tmp_path)
    two = {
        f"folder/T{Path(name).suffix.upper()}": content
        for name, content in one.items()
        if name.startswith("s.")
    }
    archive = zipped(one | two)
    assert list_layers(archive) == ("s", "T")
    with pytest.raises(LayerMissing) as caught:
        read_table(archive)
    assert caught.value.layers == ["s", "T"]
    assert len(read_table(archive, layer_name="T")) == 3
    assert read_table(archive, layer_name="s").columns == ("名称", "code")


# --- what travels beside ----------------------------------------------------------------------------------


def test_long_names_are_cut_between_characters_and_come_back(tmp_path: Path) -> None:
    columns = {
        "矛盾纠纷类型": ["a"],
        "矛盾纠纷状态": ["b"],
        "covered_share": [0.5],
        "covered_share_2": [0.25],
        "A": ["x"],
        "a": ["y"],
    }
    frame = frame_of(columns, [shapely.Point(121.5, 30.9)])
    report = write_table(frame, tmp_path / "s.zip", title="警务站")
    assert any("字段名" in note for note in report.notes)
    assert values(read_table(tmp_path / "s.zip").frame) == columns
    other = pyogrio.read_dataframe(f"/vsizip/{tmp_path / 's.zip'}/警务站.shp")
    assert [name for name in other.columns if name != "geometry"] == [
        "矛盾纠",
        "矛盾_1",
        "covered_sh",
        "covered__1",
        "A",
        "a_1",
    ]


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("矛盾纠纷aAbB_1"), min_size=1, max_size=8), unique=True, max_size=12))
def test_short_names_fit_differ_and_never_change(names: list[str]) -> None:
    shorts = short_names(names)
    assert all(0 < len(name.encode()) <= 10 for name in shorts)
    assert len({name.casefold() for name in shorts}) == len(names)
    assert shorts == short_names(names)
    if len({name.casefold() for name in names}) == len(names):
        assert all(
            short == name for short, name in zip(shorts, names, strict=True) if len(name.encode()) <= 10
        )


def test_long_texts_are_reported_not_silently_cut_and_come_back(tmp_path: Path) -> None:
    long = "南桥" * 200
    frame = frame_of({"name": [long, "x" * 254, "x" * 255, "", " 前后 "]}, [shapely.Point(121.5, 30.9)] * 5)
    report = write_table(frame, tmp_path / "s.zip", title="s")
    assert any("2 处文字超过 254 个字节" in note for note in report.notes)
    assert values(read_table(tmp_path / "s.zip").frame)["name"] == [long, "x" * 254, "x" * 255, "", " 前后 "]
    files = unzipped((tmp_path / "s.zip").read_bytes())
    cut = values(read({name: data for name, data in files.items() if name.startswith("s.")}).frame)["name"]
    assert cut == ["南桥" * 42, "x" * 254, "x" * 254, None, "前后"]


def test_a_text_that_somebody_edited_is_not_overwritten_by_its_old_length(tmp_path: Path) -> None:
    files = parts(tmp_path, frame_of({"name": ["南桥" * 200, "x" * 300]}, [shapely.Point(121.5, 30.9)] * 2))
    dbf = files["s.dbf"].replace("南桥".encode(), "奉浦".encode(), 1)
    table = read(files | {"s.dbf": dbf})
    assert values(table.frame)["name"] == ["奉浦" + "南桥" * 41, "x" * 300]


def test_types_that_dbf_lacks_come_back_and_without_the_table_stay_readable(tmp_path: Path) -> None:
    frame = workstations()[["is_open", "people", "share", "checked_on", "geometry"]]
    files = parts(tmp_path, frame)
    assert values(read(files).frame) == values(frame)
    del files[FIELDS_TABLE]
    plain = values(read(files).frame)
    assert plain["is_open"] == [1, None, 0]
    assert plain["people"] == [12, None, 2**53 + 1]
    assert plain["checked_on"] == values(frame)["checked_on"]


def test_broken_tables_beside_are_overlooked(tmp_path: Path) -> None:
    files = parts(tmp_path, frame_of({"长长长长名": ["x" * 300]}, [shapely.Point(121.5, 30.9)]))
    assert TEXTS_TABLE in files
    for table in (
        b"\xef\xbb\xbfa,b\r\n1,2\r\n",
        "短名,全名,类型\r\n,,\r\n".encode(),
        "行号,短名,全文\r\nx,y,z\r\n999,长长长,z\r\n".encode(),
    ):
        assert len(read(files | {FIELDS_TABLE: table, TEXTS_TABLE: table})) == 1


def test_a_mixture_of_points_and_areas_is_refused_with_advice(tmp_path: Path) -> None:
    frame = frame_of({"id": ["a", "b"]}, [shapely.Point(121.5, 30.9), AREA])
    with pytest.raises(FormatCannotHold) as caught:
        write_table(frame, tmp_path / "s.zip")
    assert "GeoPackage" in caught.value.chinese()
    assert not (tmp_path / "s.zip").exists()
    collection = shapely.GeometryCollection([shapely.Point(1, 2)])
    with pytest.raises(FormatCannotHold):
        write_table(frame_of({"id": ["a"]}, [collection]), tmp_path / "s.zip")


def test_the_archive_is_named_by_title_and_datum_and_holds_the_remarks(tmp_path: Path) -> None:
    remarks = [("数据来源", "模拟数据")]
    write_table(workstations(), tmp_path / "s.zip", title="警务站", datum="gcj02", remarks=remarks)
    files = unzipped((tmp_path / "s.zip").read_bytes())
    assert {name for name in files if name.startswith("警务站")} == {
        f"警务站_gcj02{ending}" for ending in (".shp", ".shx", ".dbf", ".prj", ".cpg")
    }
    assert files["警务站_gcj02.cpg"] == b"UTF-8"
    assert "GCJ-02" in files["警务站_gcj02.prj"].decode()
    assert "模拟数据" in files["说明.txt"].decode()
