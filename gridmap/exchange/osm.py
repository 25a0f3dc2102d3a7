"""
OpenStreetMap extracts as roads, barriers and crossings: `.osm.pbf`, GraphML as OSMnx writes it, or a table of ways.

Ways are split where they share a vertex, so that one element runs from junction to junction. Speeds, one-way
marks and who may pass come from the usual tags; what a tag does not say is left to the road's class.
"""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import geopandas
import numpy as np
import pandas
import pyogrio
import pyogrio.errors
import shapely

from gridmap.errors import InvalidInput, TooLarge
from gridmap.exchange.errors import FileBroken
from gridmap.exchange.writing import write_table

EXTENSIONS = (".osm.pbf", ".pbf", ".graphml")
LAYERS = ("road", "barrier", "crossing")
MOST_BYTES = 500 * 2**20
_HSTORE = re.compile(r'"((?:[^"\\]|\\.)*)"=>"((?:[^"\\]|\\.)*)"')
_CLASSES = {
    "motorway": "motorway", "trunk": "primary", "primary": "primary", "secondary": "secondary",
    "tertiary": "tertiary", "unclassified": "tertiary", "residential": "residential",
    "living_street": "residential", "service": "residential", "track": "residential", "road": "residential",
    "busway": "residential", "pedestrian": "path", "footway": "path", "cycleway": "path", "path": "path",
    "steps": "path", "bridleway": "path",
}  # fmt: skip
_WATER = {"river", "canal", "stream", "drain", "ditch"}
_RAILS = {"rail", "light_rail", "subway", "tram", "narrow_gauge"}
_NO = {"no", "private"}
_GRAPHML = "{http://graphml.graphdrawing.org/xmlns}"


def is_extract(path: Path) -> bool:
    """Whether the file's name says that it is an OpenStreetMap extract or a GraphML network."""
    return path.name.lower().endswith(EXTENSIONS)


def read_osm(path: Path, layer: str) -> geopandas.GeoDataFrame:
    """
    The roads, barriers or crossings of an extract, with the fields of the layer of that name; WGS 84.

    Parameters
    ----------
    layer : `road`; or `barrier` (waterways, railways) and `crossing` (bridges and tunnels over these), which
        only a `.osm.pbf` holds

    Raises
    ------
    FileBroken, TooLarge, InvalidInput (another layer, a projected network, nothing found)
    """
    if layer not in LAYERS:
        raise InvalidInput(
            f"an OpenStreetMap extract holds {', '.join(LAYERS)}, not {layer}",
            zh="OpenStreetMap 数据只能导入到道路(road)、阻隔(barrier)或桥梁道口(crossing)图层。",
        )
    if path.stat().st_size > MOST_BYTES:
        raise TooLarge(
            f"{path.name} is larger than {MOST_BYTES} bytes", zh="文件过大(上限 500 MB),请先裁剪到辖区范围。"
        )
    ways = _ways(path)
    if layer == "road":
        found = roads(ways)
    elif layer == "barrier":
        found = barriers(ways)
    else:
        found = crossings(ways)
    if len(found) == 0:
        raise InvalidInput(f"{path.name} holds no {layer}", zh="文件中没有这类要素,请检查文件或改选图层。")
    return found


def converted(path: Path, layer: str, folder: Path) -> Path:
    """The extract's roads (barriers, crossings) as a GeoPackage in `folder` that the import reads; see `read_osm`."""
    target = folder / f"{path.name.split('.')[0]}.gpkg"
    write_table(read_osm(path, layer), target, title=layer)
    return target


def _ways(path: Path) -> geopandas.GeoDataFrame:
    """Lines with their tags as columns `name` and `tags`."""
    name = path.name.lower()
    if name.endswith(".graphml"):
        return _graphml(path)
    if name.endswith(".pbf"):
        return _pbf(path)
    frame = _quiet(path, None)
    if "highway" not in frame:
        raise InvalidInput(
            f"{path.name} has no column highway", zh="文件没有 highway 字段,不是 OpenStreetMap 道路数据。"
        )
    if frame.crs is not None and frame.crs.to_epsg() != 4326:
        frame = frame.to_crs(4326)
    columns = [one for one in frame.columns if one not in (frame.geometry.name, "name")]
    tags = [
        _plain_tags(dict(zip(columns, row, strict=True)))
        for row in frame[columns].itertuples(index=False, name=None)
    ]
    return _frame(frame.get("name", pandas.Series([None] * len(frame))), tags, frame.geometry.to_numpy())


def _quiet(path: Path, layer: str | None, **options: Any) -> geopandas.GeoDataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pyogrio.read_dataframe(path, layer=layer, **options)
    except Exception as error:  # GDAL's drivers raise several kinds
        raise FileBroken(
            f"{path.name} cannot be read: {error}", zh="文件不完整或已损坏,无法读取。"
        ) from error


def _pbf(path: Path) -> geopandas.GeoDataFrame:
    where = "highway IS NOT NULL OR waterway IS NOT NULL OR other_tags LIKE '%\"railway\"%'"
    with path.open("rb") as file:
        is_whole = b"OSMHeader" in file.read(64)  # GDAL would try other drivers on anything else
    if not is_whole:
        raise FileBroken(
            f"{path.name} is no OpenStreetMap extract", zh="文件不是 OpenStreetMap 数据(.osm.pbf)。"
        )
    try:
        columns = set(pyogrio.read_info(path, layer="lines")["fields"].tolist())
    except pyogrio.errors.DataSourceError as error:
        raise FileBroken(
            f"{path.name} cannot be read: {error}", zh="文件不完整或已损坏,无法读取。"
        ) from error
    if "railway" in columns:
        where = "highway IS NOT NULL OR waterway IS NOT NULL OR railway IS NOT NULL"
    frame = _quiet(path, "lines", where=where)
    own = [one for one in ("highway", "waterway", "railway") if one in frame]
    tags = []
    for row in frame[[*own, "other_tags"]].itertuples(index=False, name=None):
        extra = {key: value for key, value in _HSTORE.findall(row[-1] if isinstance(row[-1], str) else "")}
        tags.append(extra | _plain_tags(dict(zip(own, row[:-1], strict=True))))
    return _frame(frame["name"], tags, frame.geometry.to_numpy())


def _plain_tags(tags: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: str(value)
        for key, value in tags.items()
        if value is not None and not (isinstance(value, float) and math.isnan(value))
    }


def _graphml(path: Path) -> geopandas.GeoDataFrame:
    """Edges of a network as OSMnx writes it: places at the nodes, WKT at bent edges."""
    text = path.read_bytes()
    if b"<!DOCTYPE" in text[:2_000] or b"<!ENTITY" in text:
        raise FileBroken(
            f"{path.name} declares entities", zh="GraphML 文件含有实体声明,出于安全考虑不予读取。"
        )
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise FileBroken(f"{path.name} is no XML: {error}", zh="GraphML 文件不完整或已损坏。") from error
    keys = {one.get("id"): one.get("attr.name") for one in root.iter(f"{_GRAPHML}key")}

    def data(element: ElementTree.Element) -> dict[str, str]:
        return {str(keys.get(one.get("key"))): one.text or "" for one in element.findall(f"{_GRAPHML}data")}

    place: dict[str | None, tuple[float, float]] = {}
    try:
        for node in root.iter(f"{_GRAPHML}node"):
            found = data(node)
            place[node.get("id")] = (float(found["x"]), float(found["y"]))
        rows = [
            _edge(data(one), place[one.get("source")], place[one.get("target")])
            for one in root.iter(f"{_GRAPHML}edge")
        ]
    except (KeyError, ValueError, shapely.errors.GEOSException) as error:
        raise FileBroken(
            f"{path.name} is no road network: {error!r}", zh="GraphML 文件不是带坐标的路网。"
        ) from error
    if any(abs(x) > 180 or abs(y) > 90 for x, y in place.values()):
        raise InvalidInput(f"{path.name} is projected", zh="GraphML 路网不是经纬度坐标,请在投影之前导出。")
    return _frame([one[0] for one in rows], [one[1] for one in rows], [one[2] for one in rows])


def _edge(
    found: dict[str, str], start: tuple[float, float], end: tuple[float, float]
) -> tuple[str | None, dict[str, str], shapely.Geometry]:
    line = shapely.from_wkt(found["geometry"]) if found.get("geometry") else shapely.LineString([start, end])
    return found.pop("name", None), found, line


def _frame(names: Iterable[Any], tags: list[dict[str, str]], lines: Any) -> geopandas.GeoDataFrame:
    geometry = np.empty(len(tags), dtype=object)
    geometry[:] = list(lines)
    frame = pandas.DataFrame({"name": pandas.Series(list(names), dtype=object), "tags": tags})
    return geopandas.GeoDataFrame(frame, geometry=geometry, crs=4326)


# --- what the tags mean -----------------------------------------------------------------------------------


def roads(ways: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """Ways that somebody can pass, split at junctions; of a street listed once each way, one."""
    rows: list[dict[str, Any]] = []
    lines: list[shapely.Geometry] = []
    for name, tags, line in zip(ways["name"], ways["tags"], ways.geometry, strict=True):
        kind = _first(tags.get("highway", "")).removesuffix("_link")
        if kind not in _CLASSES or line is None or line.is_empty:
            continue
        way = _first(tags.get("oneway", ""))
        is_oneway = way.lower() in ("yes", "true", "1", "-1") or tags.get("junction") == "roundabout"
        if kind == "motorway" and way.lower() != "no":
            is_oneway = True
        for part in shapely.get_parts(line):
            lines.append(shapely.reverse(part) if way == "-1" else part)
            rows.append(_road(_first(name), kind, tags, is_oneway))
    frame = geopandas.GeoDataFrame(pandas.DataFrame(rows), geometry=lines, crs=4326) if rows else _nothing()
    return _each_once(_split(frame))


def _road(name: str, kind: str, tags: Mapping[str, str], is_oneway: bool) -> dict[str, Any]:
    wheels = _first(tags.get("motor_vehicle", tags.get("vehicle", tags.get("access", ""))))
    walks = _first(tags.get("foot", tags.get("access", "")))
    rides = _first(tags.get("bicycle", tags.get("access", "")))
    is_path = _CLASSES[kind] == "path"
    return {
        "name": name or "",
        "class": _CLASSES[kind],
        "oneway": is_oneway,
        "speed_kmh": _speed(tags.get("maxspeed", "")),
        "foot": walks not in _NO and kind != "motorway",
        "ebike": rides not in _NO and kind not in ("motorway", "steps"),
        "car": wheels not in _NO and not is_path,
    }


def _first(text: Any) -> str:
    """The first of several values; `['a', 'b']` is how OSMnx writes a list."""
    if not isinstance(text, str):
        return ""
    return text.strip("[]").split(",")[0].split(";")[0].strip(" '\"")


def _speed(text: str) -> float | None:
    match = re.match(r"([0-9]{1,3})(?:\s*(mph))?", _first(text))
    if match is None:
        return None
    value = float(match[1]) * (1.609344 if match[2] else 1.0)
    return round(value, 1) if 1 <= value <= 140 else None


def _split(frame: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """Lines cut at every vertex that another line (or the line itself) has too."""
    counts: Counter[tuple[float, float]] = Counter()
    coordinates = [shapely.get_coordinates(one) for one in frame.geometry]
    for xy in coordinates:
        counts.update(map(tuple, xy.tolist()))
    rows, lines = [], []
    for at, xy in enumerate(coordinates):
        places = list(map(tuple, xy.tolist()))
        begin = 0
        for end in range(1, len(places)):
            if end == len(places) - 1 or counts[places[end]] > 1:
                if len(set(places[begin : end + 1])) > 1:
                    rows.append(at)
                    lines.append(shapely.LineString(xy[begin : end + 1]))
                begin = end
    values = frame.drop(columns=frame.geometry.name).iloc[rows].reset_index(drop=True)
    return geopandas.GeoDataFrame(values, geometry=lines, crs=4326)


def _each_once(frame: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """Two-way streets that come once in each direction (as networks list them) once."""
    seen: set[Any] = set()
    keep = []
    for at, (line, is_oneway) in enumerate(zip(frame.geometry, frame["oneway"], strict=True)):
        key = (line.wkb, bool(is_oneway))
        if key in seen or (not is_oneway and (shapely.reverse(line).wkb, False) in seen):
            continue
        seen.add(key)
        keep.append(at)
    return frame.iloc[keep].reset_index(drop=True)


def barriers(ways: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """Waterways and railways on the ground, which nobody crosses but at crossings."""
    rows, lines = [], []
    for name, tags, line in zip(ways["name"], ways["tags"], ways.geometry, strict=True):
        kind = _barrier_kind(tags)
        if kind is not None and line is not None and not line.is_empty:
            rows.append(
                {
                    "name": _first(name),
                    "kind": kind,
                    "blocks_foot": True,
                    "blocks_ebike": True,
                    "blocks_car": True,
                }
            )
            lines.append(line)
    return geopandas.GeoDataFrame(pandas.DataFrame(rows), geometry=lines, crs=4326) if rows else _nothing()


def _barrier_kind(tags: Mapping[str, str]) -> str | None:
    if tags.get("tunnel", "no") not in ("no", "") or tags.get("covered") == "yes":
        return None
    if tags.get("waterway") in _WATER:
        return "water"
    if tags.get("railway") in _RAILS and tags.get("bridge", "no") in ("no", ""):
        return "railway"
    return None


def crossings(ways: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """Where roads meet waterways and railways: bridges, tunnels, and level crossings of railways."""
    walls = barriers(ways)
    if len(walls) == 0:
        return _nothing()
    is_road = [_first(tags.get("highway", "")).removesuffix("_link") in _CLASSES for tags in ways["tags"]]
    passing = ways[is_road]
    tree = shapely.STRtree(walls.geometry.to_numpy())
    way, wall = tree.query(passing.geometry.to_numpy(), predicate="intersects")
    rows: dict[tuple[float, float], dict[str, Any]] = {}
    for one, other in zip(way.tolist(), wall.tolist(), strict=True):
        name, tags = passing["name"].iloc[one], passing["tags"].iloc[one]
        meets = shapely.intersection(passing.geometry.iloc[one], walls.geometry.iloc[other])
        kind = _crossing_kind(tags, walls["kind"].iloc[other])
        for point in shapely.get_parts(meets):
            if point.geom_type == "Point":
                road = _road("", _first(tags["highway"]).removesuffix("_link"), tags, False)
                modes = {mode: road[mode] for mode in ("foot", "ebike", "car")}
                rows.setdefault((point.x, point.y), {"name": _first(name), "kind": kind, **modes})
    if not rows:
        return _nothing()
    return geopandas.GeoDataFrame(
        pandas.DataFrame(list(rows.values())), geometry=shapely.points(list(rows)), crs=4326
    )


def _crossing_kind(tags: Mapping[str, str], wall: str) -> str:
    if tags.get("tunnel", "no") not in ("no", ""):
        return "tunnel"
    if wall == "railway" and tags.get("bridge", "no") in ("no", ""):
        return "level_crossing"
    is_path = _CLASSES.get(_first(tags.get("highway", ""))) == "path"
    return "footbridge" if is_path else "bridge"


def _nothing() -> geopandas.GeoDataFrame:
    empty: dict[str, list[Any]] = {"name": [], "oneway": []}
    return geopandas.GeoDataFrame(empty, geometry=[], crs=4326)
