"""KML and KMZ: placemarks with typed extended data; nothing is fetched that the file only points to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gridmap.domain.crs import Datum, DatumKind
from gridmap.errors import TooLarge
from gridmap.exchange.cells import text_of
from gridmap.exchange.delimited import too_many_rows
from gridmap.exchange.errors import FileBroken, FormatUnknown
from gridmap.exchange.geojson import BadGeometry
from gridmap.exchange.source import Source, archive_names, opened_archive, unpack
from gridmap.exchange.table import Draft, Limits, RowProblem
from gridmap.exchange.text import decode, without_controls

NAMESPACE = "http://www.opengis.net/kml/2.2"
_DATUM = re.compile(r"坐标系[::]\s*([A-Za-z0-9:]+)")


def read_kml(source: Source, *, limits: Limits, encoding: str | None = None) -> Draft:
    """
    The placemarks of a KML document, or of the first one in a KMZ archive, numbered in the document's order.

    Extended data become columns, typed where a schema says so (a field that is not there is missing, an empty
    one is an empty text); `name`, `description` and the placemark's id fill columns of these names unless the
    extended data have them.
    """
    text, codec = decode(_document(source, limits), encoding)
    root = _parsed(text)
    types = _schema_types(root)
    draft = Draft(rows=[], geometry=[], encoding=codec)
    records: list[dict[str, Any]] = []
    for mark in root.iter("Placemark"):
        row = len(records) + 1
        if row > limits.max_rows:
            raise too_many_rows(limits)
        records.append(_attributes(mark, types, row, draft.problems))
        draft.geometry.append(_geometry(mark, row, draft.problems, limits))
        draft.rows.append(row)
    names = list(dict.fromkeys([*filter(None, types), *(name for record in records for name in record)]))
    if len(names) > limits.max_columns:
        raise TooLarge(f"{len(names)} fields", zh=f"字段过多({len(names)} 个,上限 {limits.max_columns} 个)。")
    draft.columns = {name: [record.get(name) for record in records] for name in names}
    draft.declared_crs = _stated_datum(root)
    _note_what_is_left_out(root, draft)
    return draft


def _document(source: Source, limits: Limits) -> bytes:
    if archive_names(source, limits) is None:
        return source.read()
    with opened_archive(source, limits) as (archive, entries):
        documents = sorted(
            (entry for entry in entries if entry.ending == ".kml"),
            key=lambda e: (e.name.lower() != "doc.kml", e.name),
        )
        return unpack(archive, documents[0])


def _parsed(text: str) -> ElementTree.Element:
    if re.search(r"<!(?:DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise FileBroken(
            "the KML defines entities", zh="KML 里含有实体定义(DOCTYPE),已拒绝。请重新导出后重试。"
        )
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        line = getattr(error, "position", (None,))[0]
        is_cut_off = "no element found" in str(error) or "unclosed" in str(error)
        raise FileBroken(
            f"the KML is not well formed: {error}",
            zh=("KML 不完整:内容在末尾中断。" if is_cut_off else f"KML 语法错误(第 {line} 行)。")
            + "请重新导出或下载后重试。",
            line=line,
        ) from error
    for element in root.iter():  # files use several namespaces, and none
        element.tag = element.tag.rpartition("}")[2]
    if root.tag not in ("kml", "Document", "Folder", "Placemark"):
        raise FormatUnknown("the XML is not KML", zh="文件是 XML,但不是 KML。")
    return root


def _schema_types(root: ElementTree.Element) -> dict[str, str]:
    return {
        field.get("name", ""): field.get("type", "string")
        for schema in root.iter("Schema")
        for field in schema.iter("SimpleField")
    }


def _attributes(
    mark: ElementTree.Element, types: dict[str, str], row: int, problems: list[RowProblem]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for data in (one for kind in ("SimpleData", "Data") for one in mark.iter(kind)):
        name = data.get("name") or ""
        value = data if data.tag == "SimpleData" else data.find("value")
        if name and value is not None:
            values[name] = _typed(value.text or "", types.get(name, "string"), name, row, problems)
    for name in ("name", "description"):
        element = mark.find(name)
        if element is not None and element.text is not None and element.text.strip():
            values.setdefault(name, element.text)
    if mark.get("id"):
        values.setdefault("id", mark.get("id"))
    return values


def _typed(text: str, kind: str, name: str, row: int, problems: list[RowProblem]) -> Any:
    try:
        if kind in ("int", "uint", "short", "ushort"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
        if kind == "bool":
            return {"true": True, "1": True, "false": False, "0": False}[text.strip().lower()]
    except (ValueError, KeyError):
        if text.strip():
            problems.append(RowProblem(row, name, f"“{text[:40]}”不是声明的类型 {kind}。"))
            return text
        return None
    return text


def _geometry(
    mark: ElementTree.Element, row: int, problems: list[RowProblem], limits: Limits
) -> BaseGeometry | None:
    for child in mark:
        if child.tag in _BUILDERS:
            try:
                with np.errstate(
                    invalid="ignore"
                ):  # shapely warns of NaN, which is not for this floor to judge
                    return _built(child, limits.max_depth)
            except BadGeometry as error:
                problems.append(RowProblem(row, "geometry", str(error)))
                return None
        if child.tag in ("Track", "MultiTrack", "Model"):
            problems.append(RowProblem(row, "geometry", "轨迹与模型不能导入,请改为点、线或面。"))
    return None


def _built(element: ElementTree.Element, depth: int) -> BaseGeometry:
    if depth <= 0:
        raise BadGeometry("几何集合嵌套过深。")
    return _BUILDERS[element.tag](element, depth)


def _positions(element: ElementTree.Element, least: int) -> np.ndarray[Any, Any]:
    node = element.find("coordinates")
    # A blank after the comma is wrong, and common.
    text = (node.text if node is not None else None) or ""
    if ", " in text or " ," in text:
        text = re.sub(r"\s*,\s*", ",", text)
    try:
        xy = [tuple(map(float, position.split(",")[:2])) for position in text.split()]
    except ValueError as error:
        raise BadGeometry("坐标不是成对的数字。") from error
    if len(xy) < least or any(len(position) != 2 for position in xy):
        raise BadGeometry(f"坐标点数不足:至少 {least} 个,只有 {len(xy)} 个。")
    return np.array(xy)


def _ring(element: ElementTree.Element | None) -> BaseGeometry:
    ring = None if element is None else element.find("LinearRing")
    if ring is None:
        raise BadGeometry("面缺少边界(LinearRing)。")
    xy = _positions(ring, 4)
    if not np.array_equal(xy[0], xy[-1], equal_nan=True):
        raise BadGeometry("面的边界没有闭合:第一个点与最后一个点不同。")
    return shapely.linearrings(xy)


def _point(element: ElementTree.Element, _: int) -> BaseGeometry:
    return shapely.points(_positions(element, 1)[0])


def _line(element: ElementTree.Element, _: int) -> BaseGeometry:
    return shapely.linestrings(_positions(element, 2))


def _polygon(element: ElementTree.Element, _: int) -> BaseGeometry:
    holes = [_ring(one) for one in element if one.tag == "innerBoundaryIs"]
    return shapely.polygons(_ring(element.find("outerBoundaryIs")), holes=holes or None)


def _multi(element: ElementTree.Element, depth: int) -> BaseGeometry:
    parts = [_built(one, depth - 1) for one in element if one.tag in _BUILDERS]
    kinds = {part.geom_type for part in parts}
    gather = {
        frozenset({"Point"}): shapely.MultiPoint,
        frozenset({"LineString"}): shapely.MultiLineString,
        frozenset({"Polygon"}): shapely.MultiPolygon,
    }.get(frozenset(kinds), shapely.GeometryCollection)
    return gather(parts)


_BUILDERS = {
    "Point": _point,
    "LineString": _line,
    "LinearRing": _line,
    "Polygon": _polygon,
    "MultiGeometry": _multi,
}


def _stated_datum(root: ElementTree.Element) -> str | None:
    """KML knows WGS 84 alone; our own exports say in the description where they are not."""
    for document in root.iter("Document"):
        description = document.find("description")
        match = _DATUM.search(description.text or "") if description is not None else None
        if match:
            return match[1]
    return None


def _note_what_is_left_out(root: ElementTree.Element, draft: Draft) -> None:
    if not draft.rows:
        draft.notes.append("文件里没有地标(Placemark)。")
    for name, words in (("NetworkLink", "网络链接"), ("GroundOverlay", "贴图")):
        if any(True for _ in root.iter(name)):
            draft.notes.append(f"文件里的{words}没有读取:只导入文件自身的地标。")


# --- writing ----------------------------------------------------------------------------------------------

_NC_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)


def kml_text(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    geometry: np.ndarray[Any, Any],
    *,
    types: Sequence[type],
    datum: Datum,
    title: str,
    remarks: Sequence[tuple[str, str]],
) -> Iterator[str]:
    """
    Pieces of a KML document: all columns as extended data of a schema, the column `name` also as the label.

    `types` are the columns' Python types; decimals, truth values and whole numbers of 32 bits (KML has no
    longer ones) are typed in the schema, everything else is text. A missing value is left out.
    """
    about = [f"{key}:{text}" for key, text in remarks]
    if datum.kind is not DatumKind.WGS84:
        about.insert(0, f"坐标系:{datum}({datum.title};不是 WGS 84,直接叠加会有偏移)")
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="{NAMESPACE}"><Document>'
    yield f"<name>{_text(title)}</name>"
    if about:
        yield f"<description>{_text(chr(10).join(about))}</description>"
    yield '<Schema name="fields" id="fields">'
    rows = list(rows)
    for place, (name, kind) in enumerate(zip(columns, types, strict=True)):
        is_long = kind is int and any(abs(row[place] or 0) >= 2**31 for row in rows)
        yield f'<SimpleField name={_attribute(name)} type="{"string" if is_long else _KINDS.get(kind, "string")}"/>'
    yield "</Schema>\n"
    label = columns.index("name") if "name" in columns else None
    key = columns.index("id") if "id" in columns else None
    for record, shape in zip(rows, geometry, strict=True):
        values = [None if value is None else text_of(value) for value in record]
        identity = values[key] if key is not None else None
        is_name = identity is not None and _NC_NAME.fullmatch(identity) is not None
        yield f"<Placemark id={_attribute(identity)}>" if is_name else "<Placemark>"
        if label is not None and values[label]:
            yield f"<name>{_text(values[label])}</name>"
        yield '<ExtendedData><SchemaData schemaUrl="#fields">'
        for name, value in zip(columns, values, strict=True):
            if value is not None:
                yield f"<SimpleData name={_attribute(name)}>{_text(value)}</SimpleData>"
        yield f"</SchemaData></ExtendedData>{_shape(shape)}</Placemark>\n"
    yield "</Document></kml>\n"


_KINDS = {int: "int", float: "double", bool: "bool"}


def _text(text: str) -> str:
    return escape(without_controls(text), {"\r": "&#13;"})


def _attribute(text: str) -> str:
    return quoteattr(without_controls(text), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _shape(geometry: BaseGeometry | None) -> str:
    if geometry is None or geometry.is_empty:
        return ""
    kind = geometry.geom_type
    if kind == "Point":
        return f"<Point><coordinates>{_coordinates(geometry)}</coordinates></Point>"
    if kind == "LineString":
        return f"<LineString><coordinates>{_coordinates(geometry)}</coordinates></LineString>"
    if kind == "Polygon":
        inner = "".join(
            f"<innerBoundaryIs>{_linear_ring(ring)}</innerBoundaryIs>" for ring in geometry.interiors
        )
        return (
            f"<Polygon><outerBoundaryIs>{_linear_ring(geometry.exterior)}</outerBoundaryIs>{inner}</Polygon>"
        )
    return f"<MultiGeometry>{''.join(map(_shape, geometry.geoms))}</MultiGeometry>"


def _linear_ring(ring: BaseGeometry) -> str:
    return f"<LinearRing><coordinates>{_coordinates(ring)}</coordinates></LinearRing>"


def _coordinates(geometry: BaseGeometry) -> str:
    return " ".join(f"{x!r},{y!r}" for x, y in shapely.get_coordinates(geometry).tolist())
