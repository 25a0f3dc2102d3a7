"""OpenStreetMap extracts become roads, barriers and crossings."""

from __future__ import annotations

from pathlib import Path

import geopandas
import pandas
import pytest
import shapely

from gridmap.errors import InvalidInput
from gridmap.exchange.errors import FileBroken
from gridmap.exchange.osm import barriers, converted, crossings, is_extract, read_osm, roads


def ways(*rows: tuple[str | None, dict[str, str], list[tuple[float, float]]]) -> geopandas.GeoDataFrame:
    frame = pandas.DataFrame({"name": [one[0] for one in rows], "tags": [one[1] for one in rows]})
    return geopandas.GeoDataFrame(frame, geometry=[shapely.LineString(one[2]) for one in rows], crs=4326)


def test_ways_are_split_where_they_share_a_vertex() -> None:
    found = roads(
        ways(
            ("大道", {"highway": "trunk", "maxspeed": "60"}, [(0, 0), (1, 0), (2, 0)]),
            ("小路", {"highway": "footway"}, [(1, 0), (1, 1)]),
        )
    )

    assert found["name"].tolist() == ["大道", "大道", "小路"]
    assert found["class"].tolist() == ["primary", "primary", "path"]
    assert found["speed_kmh"].iloc[0] == 60
    assert found["car"].tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("tags", "oneway", "first"),
    [
        ({"oneway": "yes"}, True, 0.0),
        ({"oneway": "-1"}, True, 1.0),
        ({"oneway": "True"}, True, 0.0),
        ({"oneway": "False"}, False, 0.0),
        ({"junction": "roundabout"}, True, 0.0),
        ({}, False, 0.0),
    ],
)
def test_one_way_streets_run_as_drawn(tags: dict[str, str], oneway: bool, first: float) -> None:
    found = roads(ways((None, {"highway": "residential", **tags}, [(0, 0), (1, 0)])))

    assert bool(found["oneway"].iloc[0]) is oneway
    assert found.geometry.iloc[0].coords[0][0] == first


def test_a_street_listed_in_both_directions_counts_once() -> None:
    both = roads(
        ways(
            ("路", {"highway": "residential", "oneway": "False"}, [(0, 0), (1, 0)]),
            ("路", {"highway": "residential", "oneway": "False"}, [(1, 0), (0, 0)]),
            ("单行", {"highway": "residential", "oneway": "True"}, [(5, 0), (6, 0)]),
            ("单行", {"highway": "residential", "oneway": "True"}, [(6, 0), (5, 0)]),
        )
    )

    assert both["name"].tolist() == ["路", "单行", "单行"]


def test_tags_say_who_may_pass() -> None:
    found = roads(
        ways(
            (None, {"highway": "service", "motor_vehicle": "no"}, [(0, 0), (1, 0)]),
            (None, {"highway": "motorway"}, [(0, 2), (1, 2)]),
            (None, {"highway": "steps"}, [(0, 4), (1, 4)]),
            (None, {"highway": "tertiary", "foot": "no"}, [(0, 6), (1, 6)]),
            (None, {"highway": "proposed"}, [(0, 8), (1, 8)]),
        )
    )

    assert found[["foot", "ebike", "car"]].to_numpy().tolist() == [
        [True, True, False], [False, False, True], [True, False, False], [False, True, True],
    ]  # fmt: skip


def test_water_and_rails_are_barriers_and_whatever_passes_them_crosses() -> None:
    extract = ways(
        ("运河", {"waterway": "canal"}, [(5, -5), (5, 5)]),
        (None, {"waterway": "stream", "tunnel": "culvert"}, [(7, -5), (7, 5)]),
        (None, {"railway": "rail"}, [(8, -5), (8, 5)]),
        ("桥", {"highway": "primary", "bridge": "yes"}, [(0, 0), (10, 0)]),
        (None, {"highway": "footway", "bridge": "yes"}, [(0, 3), (6, 3)]),
    )

    assert barriers(extract)["kind"].tolist() == ["water", "railway"]
    found = crossings(extract)
    places = {(one.x, one.y): kind for one, kind in zip(found.geometry, found["kind"], strict=True)}
    assert places == {(5, 0): "bridge", (8, 0): "bridge", (5, 3): "footbridge"}
    assert found["car"].tolist() == [kind != "footbridge" for kind in found["kind"]]


GRAPHML = """<?xml version='1.0'?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="d1" for="node" attr.name="x"/><key id="d2" for="node" attr.name="y"/>
<key id="d3" for="edge" attr.name="highway"/><key id="d4" for="edge" attr.name="name"/>
<key id="d5" for="edge" attr.name="geometry"/><key id="d6" for="edge" attr.name="oneway"/>
<graph edgedefault="directed">
<node id="1"><data key="d1">121.5</data><data key="d2">30.9</data></node>
<node id="2"><data key="d1">121.6</data><data key="d2">30.9</data></node>
<edge source="1" target="2"><data key="d3">primary</data><data key="d4">南路</data><data key="d6">True</data></edge>
<edge source="2" target="1"><data key="d3">['residential', 'service']</data>
<data key="d5">LINESTRING (121.6 30.9, 121.55 30.95, 121.5 30.9)</data></edge>
</graph></graphml>"""


def test_a_network_of_osmnx_is_read(tmp_path: Path) -> None:
    file = tmp_path / "net.graphml"
    file.write_text(GRAPHML, "utf-8")
    found = read_osm(file, "road")

    assert is_extract(file)
    assert found["class"].tolist() == ["primary", "residential"]
    assert found["oneway"].tolist() == [True, False]
    assert [len(one.coords) for one in found.geometry] == [2, 3]
    assert len(geopandas.read_file(converted(file, "road", tmp_path))) == 2


@pytest.mark.parametrize(
    "text",
    ["no xml", "<graphml/>", GRAPHML.replace("121.5<", "east<"), GRAPHML.replace("<graphml", "<!DOCTYPE g><graphml"),
     GRAPHML.replace(">121.5<", ">358000<")],
)  # fmt: skip
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "net.graphml"
    file.write_text(text, "utf-8")

    with pytest.raises((FileBroken, InvalidInput)) as refused:
        read_osm(file, "road")
    assert refused.value.chinese()
    with pytest.raises(InvalidInput):
        read_osm(file, "workstation")


def test_a_real_extract_becomes_all_three_layers(shared_data: Path) -> None:
    file = shared_data / "networks" / "liechtenstein-latest.osm.pbf"
    if not file.exists():
        pytest.skip("no extract of Liechtenstein among the sample data")
    found = {layer: read_osm(file, layer) for layer in ("road", "barrier", "crossing")}

    assert {layer: len(frame) > 100 for layer, frame in found.items()} == dict.fromkeys(found, True)
    assert set(found["road"]["class"]) <= {
        "motorway",
        "primary",
        "secondary",
        "tertiary",
        "residential",
        "path",
    }
    assert set(found["barrier"]["kind"]) == {"water", "railway"}


def test_a_damaged_extract_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.osm.pbf"
    for content in (b"", b"nothing of the kind" * 50, b"\x00\x00\x00\x0d\x0a\x09OSMHeader" + b"x" * 500):
        file.write_bytes(content)
        with pytest.raises((FileBroken, InvalidInput)):
            read_osm(file, "road")
