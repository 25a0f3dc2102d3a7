"""The whole demo district, each promise checked by other means than those that made it."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from scipy.stats import spearmanr

from gridmap.demo import TODAY, Demo, generate
from gridmap.demo.facts import FACTS_FOLDER, read_facts
from gridmap.domain.layer_files import load_catalogue
from gridmap.domain.layers import Catalogue, Field, FieldType
from gridmap.errors import InvalidInput
from tests.demo.conftest import SMALL

ROOT = Path(__file__).resolve().parents[2]
METRIC = "EPSG:32651"
NESTED = [
    ("town", "district"), ("committee", "town"), ("police_station", "district"), ("police_beat", "police_station"),
    ("police_grid", "police_beat"), ("police_grid", "committee"), ("committee", "governance_grid"),
    ("governance_grid", "town"), ("micro_grid", "governance_grid"), ("micro_grid", "committee"),
]  # fmt: skip
PARTITIONS = sorted({child for child, _ in NESTED})
POINT_LAYERS = [
    "workstation", "police_office", "safe_house", "service_point", "premises", "care_point", "incident", "risk",
]  # fmt: skip


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue([ROOT / "data" / "layers"])


@pytest.fixture(scope="session")
def metric(demo: Demo) -> dict[str, np.ndarray]:
    """Geometries in metres."""
    return {name: layer.to_crs(METRIC).geometry.array for name, layer in demo.layers.items()}


def _road_graph(roads: gpd.GeoDataFrame) -> nx.DiGraph:
    """Junctions by their coordinates; an arc for each direction a car may drive."""
    graph = nx.DiGraph()
    for row in roads.itertuples():
        first, last = row.geometry.coords[0], row.geometry.coords[-1]
        if row.car:
            graph.add_edge(first, last)
            if not row.oneway:
                graph.add_edge(last, first)
    return graph


@pytest.fixture(scope="session")
def car_net(demo: Demo) -> set[tuple[float, float]]:
    """Junctions from which a car gets to all others and back."""
    return max(nx.strongly_connected_components(_road_graph(demo.layers["road"])), key=len)


# -- what the catalogue asks for


def test_every_layer_of_the_catalogue_is_there_and_no_other(demo: Demo, catalogue: Catalogue) -> None:
    assert set(demo.layers) == set(catalogue.layers)


def test_columns_are_code_name_the_fields_and_the_geometry(demo: Demo, catalogue: Catalogue) -> None:
    for layer in catalogue:
        assert list(demo.layers[layer.id].columns) == ["code", "name", *layer.field_names, "geometry"]
        assert demo.layers[layer.id].crs.to_epsg() == 4326


def test_geometries_are_valid_and_of_the_layers_type(demo: Demo, catalogue: Catalogue) -> None:
    for layer in catalogue:
        frame = demo.layers[layer.id]
        assert set(frame.geom_type) <= layer.geometry.accepted, layer.id
        assert frame.geometry.is_valid.all(), layer.id
        assert not frame.geometry.is_empty.any(), layer.id


def test_codes_fit_their_pattern_and_are_unique(demo: Demo, catalogue: Catalogue) -> None:
    for layer in catalogue:
        codes = demo.layers[layer.id]["code"]
        assert codes.is_unique, layer.id
        if layer.code_pattern:
            assert codes.map(lambda code, p=layer.code_pattern: bool(re.fullmatch(p, code))).all(), layer.id


def _breaches(field: Field, values: pd.Series) -> Iterator[object]:
    for value in values:
        if value is None:
            if field.is_required:
                yield value
            continue
        good = {
            FieldType.TEXT: lambda v: isinstance(v, str) and len(v) <= field.max_length,
            FieldType.CHOICE: lambda v: v in {choice.value for choice in field.choices},
            FieldType.INTEGER: lambda v: float(v).is_integer() and not isinstance(v, bool | np.bool_),
            FieldType.NUMBER: lambda v: np.isfinite(float(v)),
            FieldType.BOOLEAN: lambda v: isinstance(v, bool | np.bool_),
            FieldType.DATE: lambda v: date.fromisoformat(v),
            FieldType.DATETIME: lambda v: datetime.fromisoformat(v).tzinfo,
        }[field.type](value)
        fits = field.pattern is None or re.fullmatch(field.pattern, value)
        low, high = field.minimum, field.maximum
        in_range = (low is None or float(value) >= low) and (high is None or float(value) <= high)
        if not (good and fits and in_range):
            yield value


def test_every_value_satisfies_its_field(demo: Demo, catalogue: Catalogue) -> None:
    for layer in catalogue:
        for field in layer.fields:
            breaches = list(_breaches(field, demo.layers[layer.id][field.name]))
            assert breaches == [], (layer.id, field.name)


def test_points_of_a_layer_keep_the_distance_of_its_duplicate_radius(
    demo: Demo, catalogue: Catalogue
) -> None:
    for layer in catalogue:
        if layer.duplicate_radius_m and layer.id != "premises":
            points = demo.layers[layer.id].to_crs(METRIC).geometry.array
            gap = _nearest_other(points)
            assert (gap < layer.duplicate_radius_m).mean() < 0.02, layer.id


def _nearest_other(points: np.ndarray) -> np.ndarray:
    index, distance = shapely.STRtree(points).query_nearest(points, exclusive=True, return_distance=True)
    return distance[np.unique(index[0], return_index=True)[1]]


def test_there_are_as_many_as_promised(demo: Demo) -> None:
    count = {name: len(layer) for name, layer in demo.layers.items()}
    assert count["district"] == 1
    assert count["town"] == 12
    assert count["committee"] == 352
    assert count["police_grid"] == 400
    assert count["workstation"] == 40
    assert count["police_office"] == 176
    assert 1_300 <= count["micro_grid"] <= 2_000
    assert 2_500 <= count["residential_area"] <= 5_000
    assert count["incident"] == 5_000
    assert demo.layers["workstation"]["code"].tolist() == [f"JWZ{k:02d}" for k in range(1, 41)]


# -- areas


def test_towns_and_committees_carry_their_official_codes_and_names(demo: Demo) -> None:
    facts = read_facts()
    for layer, known in (("town", facts.towns), ("committee", facts.committees)):
        frame = demo.layers[layer]
        assert dict(zip(frame["code"], frame["name"], strict=True)) == {one.code: one.name for one in known}


def test_each_town_is_near_its_true_area_and_place(demo: Demo) -> None:
    towns = demo.layers["town"].set_index("code").to_crs(METRIC)
    for town in read_facts().towns:
        area = towns.geometry[town.code]
        centre = gpd.GeoSeries.from_xy([town.lon], [town.lat], crs=4326).to_crs(METRIC)[0]
        assert area.area / 1e6 == pytest.approx(town.area_km2, rel=0.10), town.name
        assert area.centroid.distance(centre) < 2_000, town.name


@pytest.mark.parametrize("layer", PARTITIONS)
def test_a_partition_has_neither_overlap_nor_gap(
    layer: str, demo: Demo, metric: dict[str, np.ndarray]
) -> None:
    assert shapely.coverage_is_valid(demo.layers[layer].geometry.array)
    assert shapely.coverage_is_valid(metric[layer])
    union = shapely.unary_union(metric[layer])
    assert abs(shapely.area(metric[layer]).sum() - union.area) < 1.0
    assert union.symmetric_difference(metric["district"][0]).area < 1.0
    pairs = shapely.STRtree(metric[layer]).query(metric[layer], predicate="overlaps")
    assert shapely.area(shapely.intersection(metric[layer][pairs[0]], metric[layer][pairs[1]])).sum() < 1.0


@pytest.mark.parametrize(("child", "parent"), NESTED)
def test_every_area_lies_in_one_parent_and_shares_its_vertices(
    child: str, parent: str, demo: Demo, metric: dict[str, np.ndarray]
) -> None:
    """Every vertex of a parent is a vertex of its children: no T-junction without a vertex."""
    inner = shapely.point_on_surface(metric[child])
    index, holder = shapely.STRtree(metric[parent]).query(inner, predicate="intersects")
    assert len(index) == len(inner)
    outside = shapely.area(shapely.difference(metric[child][index], metric[parent][holder]))
    assert outside.max() < 1.0
    vertices = {
        name: {tuple(xy) for xy in shapely.get_coordinates(demo.layers[name].geometry.array).tolist()}
        for name in (child, parent)
    }
    assert vertices[parent] <= vertices[child]


def test_every_area_is_in_one_piece(demo: Demo) -> None:
    for layer in PARTITIONS:
        assert (demo.layers[layer].geom_type == "Polygon").all(), layer


def test_codes_of_areas_begin_with_those_they_lie_in(demo: Demo, metric: dict[str, np.ndarray]) -> None:
    for child, parent, digits in (
        ("town", "district", 6), ("committee", "town", 9), ("police_station", "town", 9),
        ("police_beat", "police_station", 12), ("police_grid", "committee", 12), ("governance_grid", "town", 9),
        ("micro_grid", "governance_grid", 15),
    ):  # fmt: skip
        inner = shapely.point_on_surface(metric[child])
        index, holder = shapely.STRtree(metric[parent]).query(inner, predicate="intersects")
        codes, holders = (
            demo.layers[child]["code"].to_numpy()[index],
            demo.layers[parent]["code"].to_numpy()[holder],
        )
        assert [one[:digits] for one in codes] == holders.tolist(), child


def test_police_grids_name_the_beat_they_lie_in(demo: Demo, metric: dict[str, np.ndarray]) -> None:
    inner = shapely.point_on_surface(metric["police_grid"])
    index, holder = shapely.STRtree(metric["police_beat"]).query(inner, predicate="intersects")
    beats = demo.layers["police_beat"]["code"].to_numpy()[holder]
    assert demo.layers["police_grid"]["beat_code"].to_numpy()[index].tolist() == beats.tolist()


def test_grids_of_a_committee_are_numbered_from_west_to_east(demo: Demo) -> None:
    grids = demo.layers["police_grid"]
    metric_x = grids.to_crs(METRIC).centroid.x
    for _, group in grids.groupby(grids["code"].str[:12]):
        assert [code[12:] for code in group["code"]] == [f"{k:03d}" for k in range(1, len(group) + 1)]
    twice = grids["code"].str[:12].duplicated(keep=False)
    east = metric_x[twice].to_numpy().reshape(-1, 2)
    assert (east[:, 0] < east[:, 1] + 30).all()  # cells are turned a little against the projected axes


# -- people


def test_residential_areas_carry_the_census_total(demo: Demo) -> None:
    homes = demo.layers["residential_area"]
    assert homes["population"].sum() == 1_140_872
    assert homes["population"].min() > 0
    assert (homes["elder_count"] <= homes["population"]).all()
    assert (homes["household_count"] <= homes["population"]).all()


def test_density_falls_from_each_towns_centre(demo: Demo, metric: dict[str, np.ndarray]) -> None:
    homes = shapely.centroid(metric["residential_area"])
    people = demo.layers["residential_area"]["population"].to_numpy()
    towns = demo.layers["town"].set_index("code")["geometry"].to_crs(METRIC)
    ranks = []
    for town in read_facts().towns:
        centre = gpd.GeoSeries.from_xy([town.lon], [town.lat], crs=4326).to_crs(METRIC)[0]
        away = shapely.distance(homes, centre)
        rings = np.arange(0, 5_000, 1_000)
        density = []
        for inner in rings:
            ring = (
                centre.buffer(inner + 1_000).difference(centre.buffer(inner)).intersection(towns[town.code])
            )
            here = (away >= inner) & (away < inner + 1_000) & shapely.contains(towns[town.code], homes)
            density.append(people[here].sum() / max(ring.area, 1.0))
        ranks.append(spearmanr(rings, density).statistic)
    assert np.mean(ranks) < -0.75
    assert max(ranks) < -0.4


def test_homes_are_small_apart_and_each_in_one_micro_grid(demo: Demo, metric: dict[str, np.ndarray]) -> None:
    homes = metric["residential_area"]
    assert shapely.area(homes).max() < 12_000
    pairs = shapely.STRtree(homes).query(homes, predicate="intersects")
    assert (pairs[0] == pairs[1]).all()
    inside = shapely.STRtree(demo.layers["micro_grid"].geometry.array).query(
        demo.layers["residential_area"].geometry.array, predicate="covered_by"
    )
    assert len(inside[0]) == len(homes)


def test_homes_keep_off_barriers_and_roads(demo: Demo) -> None:
    homes = demo.layers["residential_area"].geometry.array
    barriers = shapely.STRtree(demo.layers["barrier"].geometry.array).query(homes, predicate="intersects")
    assert barriers.size == 0
    roads = shapely.STRtree(demo.layers["road"].geometry.array).query(homes, predicate="intersects")
    assert len(set(roads[0].tolist())) <= 0.002 * len(homes)


def test_households_of_grids_are_those_of_the_homes_in_them(
    demo: Demo, metric: dict[str, np.ndarray]
) -> None:
    total = demo.layers["residential_area"]["household_count"].sum()
    centre = shapely.centroid(metric["residential_area"])
    for layer in ("police_grid", "micro_grid"):
        home, area = shapely.STRtree(metric[layer]).query(centre, predicate="intersects")
        count = np.bincount(
            area, demo.layers["residential_area"]["household_count"].to_numpy()[home], len(metric[layer])
        )
        assert demo.layers[layer]["household_count"].tolist() == count.astype(int).tolist()
        assert demo.layers[layer]["household_count"].sum() == total


# -- roads and barriers


def test_the_road_net_has_twenty_thousand_nodes_in_one_piece(demo: Demo, car_net: set) -> None:
    graph = nx.Graph()
    roads = demo.layers["road"].geometry
    graph.add_edges_from((line.coords[0], line.coords[-1]) for line in roads)
    assert len(graph) >= 20_000
    assert nx.is_connected(graph)
    by_car = _road_graph(demo.layers["road"])
    assert len(car_net) == len(by_car)


def test_edges_run_from_junction_to_junction(demo: Demo) -> None:
    """Edges meet at their ends only: no road goes through another's junction, none is a loop, no two are twins."""
    lines = demo.layers["road"].geometry.array
    ends = Counter(xy for line in lines for xy in (line.coords[0], line.coords[-1]))
    assert all(line.coords[0] != line.coords[-1] for line in lines)
    pairs = Counter(frozenset((line.coords[0], line.coords[-1])) for line in lines)
    assert pairs.most_common(1)[0][1] == 1
    inner = {tuple(xy) for line in lines for xy in line.coords[1:-1]}
    assert not inner & set(ends)


def test_a_car_reaches_every_home(demo: Demo, metric: dict[str, np.ndarray], car_net: set) -> None:
    roads = demo.layers["road"]
    on_net = [
        row.car and row.geometry.coords[0] in car_net and row.geometry.coords[-1] in car_net
        for row in roads.itertuples()
    ]
    homes = shapely.centroid(metric["residential_area"])
    _, away = shapely.STRtree(metric["road"][on_net]).query_nearest(
        homes, return_distance=True, all_matches=False
    )
    assert len(away) == len(homes)
    assert away.max() < 150


def test_roads_meet_barriers_at_crossings_and_nowhere_else(demo: Demo) -> None:
    """Segment by segment: each meeting is a single point, a vertex of both lines and a crossing."""
    crossings = {tuple(xy) for xy in shapely.get_coordinates(demo.layers["crossing"].geometry.array).tolist()}
    segments = {name: _segments(demo.layers[name].geometry.array) for name in ("road", "barrier")}
    road, barrier = shapely.STRtree(segments["barrier"]).query(segments["road"], predicate="intersects")
    meets = shapely.intersection(segments["road"][road], segments["barrier"][barrier])
    assert set(shapely.get_type_id(meets).tolist()) == {0}
    places = {tuple(xy) for xy in shapely.get_coordinates(meets).tolist()}
    assert places == crossings
    for name in ("road", "barrier"):
        vertices = {tuple(xy) for xy in shapely.get_coordinates(demo.layers[name].geometry.array).tolist()}
        assert crossings <= vertices


def _segments(lines: np.ndarray) -> np.ndarray:
    xy, owner = shapely.get_coordinates(shapely.get_parts(lines), return_index=True)
    same = owner[:-1] == owner[1:]
    return shapely.linestrings(np.stack([xy[:-1][same], xy[1:][same]], axis=1))


def test_a_crossing_carries_only_what_its_road_carries(demo: Demo) -> None:
    crossings = demo.layers["crossing"]
    roads = demo.layers["road"]
    modes = {}
    for row in roads.itertuples():
        for xy in row.geometry.coords[1:-1]:
            modes[xy] = (row.foot, row.ebike, row.car)
    assert all(
        modes[row.geometry.coords[0]] == (row.foot, row.ebike, row.car) for row in crossings.itertuples()
    )


def test_waters_are_walls_for_most_lanes_and_open_for_great_roads(demo: Demo) -> None:
    kinds = Counter(demo.layers["barrier"]["kind"])
    assert kinds["railway"] >= 1
    assert kinds["motorway"] == 1
    assert kinds["water"] > 300
    water = demo.layers["barrier"].loc[demo.layers["barrier"]["kind"] == "water"].to_crs(METRIC)
    km = water.clip(demo.layers["district"].to_crs(METRIC)).length.sum() / 1e3
    bridges = (demo.layers["crossing"]["kind"] == "bridge").sum()
    assert km > 800
    assert 1.0 < bridges / km < 4.0
    assert water["width_m"].max() > 200


def test_roads_are_denser_where_people_are_and_within_bounds(
    demo: Demo, metric: dict[str, np.ndarray]
) -> None:
    """By fifths of the committees by density, tidal flats (committees mostly without roads) left out."""
    committees = gpd.GeoDataFrame(geometry=metric["committee"], crs=METRIC)
    roads = gpd.GeoDataFrame(geometry=metric["road"], crs=METRIC)
    cut = gpd.overlay(roads, committees.assign(committee=range(len(committees))), how="intersection")
    km = cut.length.groupby(cut["committee"]).sum().reindex(range(len(committees)), fill_value=0) / 1e3
    home, area = shapely.STRtree(metric["committee"]).query(
        shapely.centroid(metric["residential_area"]), predicate="intersects"
    )
    people = np.bincount(
        area, demo.layers["residential_area"]["population"].to_numpy()[home], len(committees)
    )
    km2 = committees.area.to_numpy() / 1e6
    town = demo.layers["committee"]["code"].str[:9]
    inland = ~town.isin(["310120118", "310120123", "310120503"]).to_numpy()
    fifth = pd.qcut(people[inland] / km2[inland], 5, labels=False)
    density = [km[inland].to_numpy()[fifth == k].sum() / km2[inland][fifth == k].sum() for k in range(5)]
    assert density == sorted(density)
    assert 2 <= density[0] < 5
    assert 7 < density[-1] <= 12


def test_roads_go_on_beyond_the_districts_edge(demo: Demo, metric: dict[str, np.ndarray]) -> None:
    outside = shapely.distance(shapely.get_point(metric["road"], 0), metric["district"][0])
    assert 2_000 < outside.max() < 4_000
    great = demo.layers["road"]["class"].isin(["primary", "secondary"]).to_numpy()
    assert (outside[great] > 1_000).sum() > 100


def test_classes_speeds_and_one_way_streets_are_all_there(demo: Demo) -> None:
    roads = demo.layers["road"]
    assert set(roads["class"]) == {"motorway", "primary", "secondary", "tertiary", "residential", "path"}
    assert roads.groupby("class")["speed_kmh"].max().to_dict() == {
        "motorway": 100, "primary": 60, "secondary": 50, "tertiary": 40, "residential": 30, "path": 15,
    }  # fmt: skip
    assert roads.loc[roads["class"] == "motorway", "oneway"].all()
    assert not roads.loc[roads["class"] == "motorway", ["foot", "ebike"]].any(axis=None)
    assert not roads.loc[roads["class"] == "path", "car"].any()
    assert 200 < (roads["oneway"] & (roads["class"] == "residential")).sum() < 3_000


# -- points


def test_points_lie_inside_the_district(demo: Demo) -> None:
    district = demo.layers["district"].geometry[0]
    shapely.prepare(district)
    for layer in POINT_LAYERS:
        assert shapely.contains_properly(district, demo.layers[layer].geometry.array).all(), layer


def test_workstations_are_spread_over_all_towns_with_more_where_more_people_live(demo: Demo) -> None:
    joined = demo.layers["workstation"].sjoin(demo.layers["town"][["code", "geometry"]], predicate="within")
    count = Counter(joined["code_right"])
    assert len(count) == 12
    assert count["310120101"] == max(count.values())


def test_some_people_live_far_from_any_workstation(demo: Demo, metric: dict[str, np.ndarray]) -> None:
    homes = shapely.centroid(metric["residential_area"])
    _, away = shapely.STRtree(metric["workstation"]).query_nearest(
        homes, return_distance=True, all_matches=False
    )
    people = demo.layers["residential_area"]["population"].to_numpy()
    far = people[away > 3_000].sum() / people.sum()
    near = people[away <= 1_500].sum() / people.sum()
    assert 0.01 < far < 0.3
    assert 0.3 < near < 0.8


def test_incidents_cluster(demo: Demo, metric: dict[str, np.ndarray]) -> None:
    """Half of the incidents fall on a small part of the kilometre squares that have any."""
    xy = np.floor(shapely.get_coordinates(metric["incident"]) / 1_000).astype(int)
    count = np.array(sorted(Counter(map(tuple, xy.tolist())).values(), reverse=True))
    busiest = np.searchsorted(np.cumsum(count), count.sum() / 2)
    assert busiest / len(count) < 0.2


def test_times_fall_into_the_year_before_today(demo: Demo) -> None:
    assert demo.today == TODAY
    times = demo.layers["incident"]["occurred_at"]
    assert "2025-06-29" <= times.min() < "2025-07-05"
    assert "2026-06-25" < times.max() < "2026-06-30"
    assert demo.layers["risk"]["reported_on"].max() < "2026-06-30"


def test_visits_are_told_for_every_row(demo: Demo) -> None:
    visits = demo.chronicle.visits
    assert all(len(days) == len(demo.layers[name]) for name, days in visits.items())
    assert {"workstation", "premises", "risk", "police_grid"} <= set(visits)


# -- no person anywhere


def test_no_phone_no_id_number_no_name_of_a_person(demo: Demo) -> None:
    for name, layer in demo.layers.items():
        if "duty_phone" in layer:
            assert layer["duty_phone"].isna().all()
        for column in layer.columns.drop(["geometry", "code"]):
            if layer[column].dtype.kind in "OUT" and not column.endswith("_code"):
                text = "\n".join(str(value) for value in layer[column].unique())
                assert not re.search(r"1[3-9]\d{9}|\d{17}[\dXx]", text), (name, column)
    officers = demo.layers["police_grid"]["community_officer"]
    assert officers.map(lambda text: bool(re.fullmatch(r"示例民警\d{2,3}", text))).all()


def test_points_say_in_their_names_that_they_are_examples(demo: Demo) -> None:
    for layer in (*POINT_LAYERS, "residential_area"):
        names = demo.layers[layer]["name"]
        assert names.str.contains("示范|模拟").all(), layer


# -- the same again


def _digest(demo: Demo) -> str:
    total = hashlib.sha256()
    for name in sorted(demo.layers):
        layer = demo.layers[name]
        total.update(name.encode())
        for blob in shapely.to_wkb(layer.geometry.array):
            total.update(blob)
        total.update(layer.drop(columns="geometry").to_json(force_ascii=False).encode())
    total.update(repr(demo.chronicle).encode())
    return total.hexdigest()


_IN_ANOTHER_PROCESS = f"""
from gridmap.demo import generate
from tests.demo.test_district import _digest
print(_digest(generate(2, scale={SMALL})))
"""


def test_another_process_makes_the_same_district(small_demo: Demo) -> None:
    """With other hash seeds and numbers of threads, as on another machine."""
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "OMP_NUM_THREADS": "3", "TZ": "America/Lima"}
    done = subprocess.run(
        [sys.executable, "-c", _IN_ANOTHER_PROCESS],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == _digest(small_demo)


def test_another_seed_makes_another_district(demo: Demo, small_demo: Demo) -> None:
    assert demo.layers["town"].geometry[0] != small_demo.layers["town"].geometry[0]


def test_a_small_district_is_whole_in_what_matters(small_demo: Demo) -> None:
    report = small_demo.report
    assert report.residents == 1_140_872
    assert (report.counts["committee"], report.counts["workstation"]) == (352, 40)
    assert report.counts["police_grid"] == 400
    assert report.crossing_faults == 0
    assert report.unreached_areas == 0
    assert max(report.gap_m2.values()) < 1
    assert max(abs(town.area_error) for town in report.towns) < 0.1


@pytest.mark.parametrize(("seed", "scale"), [(-1, 1.0), (1, 0.1), (1, 1.5)])
def test_a_seed_or_scale_out_of_range_is_refused(seed: int, scale: float) -> None:
    with pytest.raises(InvalidInput, match="scale"):
        generate(seed, scale=scale)


def test_generation_reads_nothing_but_the_facts(tmp_path: Path) -> None:
    """With an empty facts folder it stops at once: there is no other source."""
    assert FACTS_FOLDER.is_dir()
    with pytest.raises(Exception, match="facts are missing"):
        generate(facts_folder=tmp_path)
