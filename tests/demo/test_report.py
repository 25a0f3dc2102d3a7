"""The report tells the truth, also about a district that is not in order."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import shapely
from scipy.stats import spearmanr

from gridmap.demo import Demo
from gridmap.demo.report import count_crossing_faults, spearman


def test_the_demo_district_has_no_fault(demo: Demo) -> None:
    assert demo.report.faults() == ()


def test_rank_correlation_agrees_with_scipy_also_with_ties() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 12, 200).astype(float), rng.random(200).round(1)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)


def test_counts_and_nodes_are_those_of_the_layers(demo: Demo) -> None:
    assert demo.report.counts == {name: len(layer) for name, layer in demo.layers.items()}
    ends = {xy for line in demo.layers["road"].geometry for xy in (line.coords[0], line.coords[-1])}
    assert demo.report.road_nodes == len(ends)


def test_a_missing_crossing_is_a_fault(small_demo: Demo) -> None:
    layers = dict(small_demo.layers)
    layers["crossing"] = layers["crossing"].iloc[1:]
    assert count_crossing_faults(layers) == 1


def test_a_road_into_the_water_is_a_fault(small_demo: Demo) -> None:
    layers = dict(small_demo.layers)
    water = layers["barrier"].geometry[0]
    place = shapely.get_coordinates(water)[3]
    roads = layers["road"].iloc[:200].copy()
    before = count_crossing_faults({**layers, "road": roads})
    roads.loc[roads.index[0], "geometry"] = shapely.LineString([place - 1e-4, place + 2e-4])
    assert count_crossing_faults({**layers, "road": roads}) > before


def test_whatever_misses_its_bound_is_told(demo: Demo) -> None:
    town = dataclasses.replace(demo.report.towns[0], area_error=0.12, centre_m=2_500.0)
    sparse = dataclasses.replace(demo.report.road_density[0], road_km=1.0)
    broken = dataclasses.replace(
        demo.report,
        towns=(town, *demo.report.towns[1:]),
        road_density=(sparse,),
        overlap_m2={"police_grid": 3.0},
        gap_m2={"micro_grid": 4.0},
        density_rank=-0.1,
        road_nodes=19_000,
        crossing_faults=2,
        unreached_areas=1,
    )
    assert len(broken.faults()) == 9
