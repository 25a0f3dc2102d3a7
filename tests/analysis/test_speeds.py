"""Speeds and seconds by mode and class."""

from __future__ import annotations

import numpy as np
import pytest

from gridmap.analysis.speeds import HIGHEST_KMH, SPEED_KMH, Mode, edge_seconds, speed_kmh
from gridmap.errors import InvalidInput


def test_every_mode_knows_the_same_classes_and_none_is_faster_than_plausible() -> None:
    assert {frozenset(table) for table in SPEED_KMH.values()} == {frozenset(SPEED_KMH[Mode.CAR])}
    for mode, table in SPEED_KMH.items():
        assert max(table.values()) <= HIGHEST_KMH[mode]
        assert min(table.values()) >= 0


def test_seconds_are_length_over_speed_and_closed_classes_take_for_ever() -> None:
    seconds = edge_seconds([480, 480, 480, 0], ["residential", "motorway", "steps", "path"], Mode.FOOT)
    np.testing.assert_allclose(seconds, [360, np.inf, 720, 0])


def test_a_limit_lowers_and_never_raises_a_speed() -> None:
    seconds = edge_seconds([1000] * 3, ["primary"] * 3, Mode.CAR, limit_kmh=[20, 120, np.nan])
    np.testing.assert_allclose(seconds, [180, 80, 80])


def test_links_count_as_their_class_and_unknown_ones_as_unclassified() -> None:
    assert speed_kmh("primary_link", Mode.CAR) == speed_kmh("primary", Mode.CAR)
    assert speed_kmh("village_lane", Mode.CAR) == speed_kmh("unclassified", Mode.CAR)


def test_people_on_foot_ignore_oneway_and_cars_run_outwards() -> None:
    assert [mode.obeys_oneway for mode in Mode] == [False, True, True]
    assert [mode.runs_to_point for mode in Mode] == [True, True, False]
    assert [mode.title for mode in Mode] == ["步行", "电动自行车", "警车"]


@pytest.mark.parametrize(
    ("length", "classes"), [([-1.0], ["path"]), ([np.nan], ["path"]), ([1.0, 2.0], ["path"])]
)
def test_bad_lengths_are_refused(length: list, classes: list) -> None:
    with pytest.raises(InvalidInput):
        edge_seconds(length, classes, Mode.FOOT)
