"""KML and KMZ: typed fields, faults in their placemark, nothing fetched, nothing expanded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyogrio
import pytest
import shapely

from gridmap.exchange import FileBroken, FormatUnknown, Limits, read_table, write_table
from gridmap.exchange.kml import read_kml
from gridmap.exchange.source import Source
from gridmap.exchange.table import Draft
from tests.exchange.samples import AREA, frame_of, same_geometry, workstations, zipped

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="http://www.opengis.net/kml/2.2"><Document>'


def read(body: str, head: str = HEAD, limits: Limits | None = None) -> Draft:
    content = f"{head}{body}</Document></kml>".encode()
    return read_kml(Source("a.kml", content=content), limits=limits or Limits())


def placemark(inside: str) -> str:
    return f"<Placemark>{inside}</Placemark>"


def test_names_and_extended_data_become_columns() -> None:
    draft = read(
        '<Folder><name>甲</name><Folder><Placemark id="p1"><name>南桥警务站</name><description><![CDATA[<b>24小时</b>]]></description>'
        '<ExtendedData><Data name="code"><value>007</value></Data><Data name="note"><value/></Data></ExtendedData>'
        "<Point><coordinates>121.5,30.9,4</coordinates></Point></Placemark></Folder></Folder>"
        "<Placemark><Point><coordinates> 121.6,31 </coordinates></Point></Placemark>"
    )
    assert draft.columns == {
        "code": ["007", None], "note": ["", None], "name": ["南桥警务站", None],
        "description": ["<b>24小时</b>", None], "id": ["p1", None],
    }  # fmt: skip
    assert draft.geometry == [shapely.Point(121.5, 30.9), shapely.Point(121.6, 31)]
    assert draft.rows == [1, 2]


def test_a_schema_types_its_fields_and_names_the_ones_nobody_has() -> None:
    draft = read(
        '<Schema id="s"><SimpleField name="n" type="int"/><SimpleField name="x" type="double"/>'
        '<SimpleField name="yes" type="bool"/><SimpleField name="code" type="string"/><SimpleField name="none"/></Schema>'
        '<Placemark><ExtendedData><SchemaData schemaUrl="#s"><SimpleData name="n">7</SimpleData><SimpleData name="x">0.5</SimpleData>'
        '<SimpleData name="yes">1</SimpleData><SimpleData name="code">007</SimpleData></SchemaData></ExtendedData></Placemark>'
        '<Placemark><ExtendedData><SchemaData><SimpleData name="n">seven</SimpleData><SimpleData name="x"/></SchemaData></ExtendedData></Placemark>'
    )
    assert draft.columns == {
        "n": [7, "seven"], "x": [0.5, None], "yes": [True, None], "code": ["007", None], "none": [None, None],
    }  # fmt: skip
    assert [(one.row, one.column) for one in draft.problems] == [(2, "n")]


def test_extended_data_count_over_the_label() -> None:
    draft = read(
        '<Placemark id="x"><name>标签</name><ExtendedData><Data name="name"><value>全名</value></Data>'
        '<Data name="id"><value>7</value></Data></ExtendedData></Placemark>'
    )
    assert draft.columns == {"name": ["全名"], "id": ["7"]}


RING = "<LinearRing><coordinates>{}</coordinates></LinearRing>"
SQUARE = RING.format("0,0 1,0 1,1 0,1 0,0")


@pytest.mark.parametrize(
    ("inside", "wkt"),
    [
        ("<Point><coordinates>1,2</coordinates></Point>", "POINT (1 2)"),
        ("<LineString><coordinates>0,0\n 1,1\t2,0</coordinates></LineString>", "LINESTRING (0 0, 1 1, 2 0)"),
        ("<LineString><coordinates>0, 0 1, 1</coordinates></LineString>", "LINESTRING (0 0, 1 1)"),
        (SQUARE, "LINESTRING (0 0, 1 0, 1 1, 0 1, 0 0)"),
        (
            f"<Polygon><outerBoundaryIs>{SQUARE}</outerBoundaryIs></Polygon>",
            "POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))",
        ),
        (
            "<MultiGeometry><Point><coordinates>1,2</coordinates></Point><Point><coordinates>3,4</coordinates></Point></MultiGeometry>",
            "MULTIPOINT ((1 2), (3 4))",
        ),
        (
            f"<MultiGeometry><Point><coordinates>1,2</coordinates></Point>{SQUARE}</MultiGeometry>",
            "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 0, 1 1, 0 1, 0 0))",
        ),
        ("<name>无</name>", None),
    ],
)
def test_every_geometry_is_read(inside: str, wkt: str | None) -> None:
    (geometry,) = read(placemark(inside)).geometry
    assert geometry is None if wkt is None else shapely.equals_identical(geometry, shapely.from_wkt(wkt))


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ("<Point><coordinates>1;2</coordinates></Point>", "数字"),
        ("<Point/>", "点数不足"),
        ("<LineString><coordinates>1,2</coordinates></LineString>", "点数不足"),
        ("<Polygon/>", "边界"),
        (f"<Polygon><outerBoundaryIs>{RING.format('0,0 1,0 1,1 0,1')}</outerBoundaryIs></Polygon>", "闭合"),
        ("<Track/>", "轨迹"),
    ],
)
def test_a_bad_geometry_is_reported_in_its_row(inside: str, words: str) -> None:
    draft = read(placemark("<name>a</name>") + placemark(inside))
    assert draft.geometry[1] is None
    (problem,) = draft.problems
    assert problem.row == 2
    assert words in problem.message


def test_other_namespaces_and_none_are_read() -> None:
    body = placemark("<Point><coordinates>1,2</coordinates></Point>")
    for head in ("<kml><Document>", '<kml xmlns="http://earth.google.com/kml/2.1"><Document>'):
        assert read(body, head).geometry == [shapely.Point(1, 2)]
    prefixed = '<k:kml xmlns:k="http://www.opengis.net/kml/2.2"><k:Placemark><k:name>甲</k:name></k:Placemark></k:kml>'
    assert read_table(prefixed.encode(), filename="a.kml").columns == ("name",)


def test_gbk_is_read_whatever_the_declaration_says() -> None:
    text = HEAD.replace("UTF-8", "GBK") + placemark("<name>南桥警务站</name>") + "</Document></kml>"
    for codec in ("gbk", "utf-8"):
        table = read_table(text.encode(codec), filename="a.kml")
        assert [row["name"] for _, row, _ in table.records()] == ["南桥警务站"]


def test_entities_are_refused_even_harmless_ones() -> None:
    laughs = '<!DOCTYPE kml [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><kml><Document><name>&b;</name></Document></kml>'
    outside = '<!DOCTYPE kml [<!ENTITY a SYSTEM "file:///etc/passwd">]><kml><Placemark><name>&a;</name></Placemark></kml>'
    for text in (laughs, outside, laughs.replace("DOCTYPE", "doctype")):
        for codec in ("utf-8", "utf-16"):
            with pytest.raises((FileBroken, FormatUnknown)):
                read_table(text.encode(codec), filename="a.kml")


def test_what_a_file_only_points_to_is_noted_and_not_fetched() -> None:
    draft = read(
        "<NetworkLink><Link><href>http://127.0.0.1:9/x.kml</href></Link></NetworkLink>" + placemark("")
    )
    assert any("网络链接" in note for note in draft.notes)
    assert len(draft.rows) == 1


def test_nesting_is_limited() -> None:
    deep = "<MultiGeometry>" * 60 + "<Point><coordinates>1,2</coordinates></Point>" + "</MultiGeometry>" * 60
    assert "嵌套" in read(placemark(deep)).problems[0].message


def test_a_kmz_gives_its_document() -> None:
    body = (HEAD + placemark("<name>甲</name>") + "</Document></kml>").encode()
    table = read_table(
        zipped({"files/icon.png": b"x", "doc.kml": body, "a.kml": b"<kml/>"}), filename="a.kmz"
    )
    assert [row["name"] for _, row, _ in table.records()] == ["甲"]


def test_an_empty_document_is_a_table_without_rows() -> None:
    draft = read("")
    assert draft.rows == []
    assert any("地标" in note for note in draft.notes)


# --- writing ----------------------------------------------------------------------------------------------


def written(tmp_path: Path, **options: Any) -> str:
    frame = workstations()
    frame.loc[0, "name"] = '<script>alert("x")</script> & 南桥'
    return write_table(frame, tmp_path / "out.kml", title="警务站 <1>", **options).path.read_text("utf-8")


def test_texts_are_escaped(tmp_path: Path) -> None:
    text = written(tmp_path)
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    first = next(read_table(tmp_path / "out.kml").records())[1]
    assert first["name"] == '<script>alert("x")</script> & 南桥'


def test_gdal_reads_names_fields_and_places(tmp_path: Path) -> None:
    written(tmp_path)
    other = pyogrio.read_dataframe(tmp_path / "out.kml", layer=0)
    assert other["code"].tolist() == ["GZZ0001", "007", "310120101001000000001"]
    assert other["share"].dropna().tolist() == [0.1, 1e-7]
    assert [None if one is None or one.is_empty else one.x for one in other.geometry][0] == 121.45231812345678


def test_another_datum_is_said_in_the_description(tmp_path: Path) -> None:
    text = written(tmp_path, datum="gcj02", remarks=[("数据来源", "模拟数据")])
    assert "坐标系:gcj02" in text
    assert "模拟数据" in text
    assert read_table(tmp_path / "out.kml").declared_crs == "gcj02"
    assert "坐标系" not in written(tmp_path)


def test_shapes_of_every_kind_are_written(tmp_path: Path) -> None:
    shapes = [
        AREA,
        shapely.MultiPolygon([AREA, shapely.box(0, 0, 1, 1)]),
        shapely.LineString([(0, 0), (1, 1)]),
        shapely.MultiLineString([[(0, 0), (1, 1)], [(2, 2), (3, 3)]]),
        shapely.MultiPoint([(0, 0), (1, 1)]),
        shapely.GeometryCollection([shapely.Point(1, 2), AREA]),
    ]
    write_table(frame_of({"id": list("abcdef")}, shapes), tmp_path / "a.kml")
    assert same_geometry(read_table(tmp_path / "a.kml").geometry, shapes)
