"""Networks are compiled once, kept until a layer changes, and say what is wrong with them."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import shapely

from gridmap.analysis.speeds import Mode
from gridmap.domain.crs import to_metric
from gridmap.errors import InvalidInput, NotFound
from gridmap.services.coverage import report
from gridmap.services.district import District
from gridmap.services.networks import LAYERS, crs_of, network, quality
from gridmap.services.questions import Question
from gridmap.services.snapshots import Kept, Snapshot
from tests.support.canal import CRS, lonlat, make_canal, road, station
from tests.support.clock import FakeClock
from tests.support.district import ANALYST, element, put


def compiled(district: District, mode: Mode = Mode.FOOT, unit: str = "s"):
    snapshot = Snapshot(district, [*LAYERS, "district"])
    return network(snapshot, crs_of(snapshot, "district"), mode, unit)  # type: ignore[arg-type]


def findings(district: District, mode: str = "foot") -> dict[str, int]:
    return {one["kind"]: one["count"] for one in quality(district, ANALYST, mode)["findings"]}


def test_a_network_is_made_once_until_a_layer_changes(canal_copy: District) -> None:
    first = compiled(canal_copy)
    assert compiled(canal_copy) is first
    put(canal_copy, station("JWZ09", 0, 10))
    assert compiled(canal_copy) is first  # points are no part of it
    put(canal_copy, road("新路", (0, 500), (50, 500)))
    newer = compiled(canal_copy)
    assert newer is not first
    assert len(newer.graph.tail) == len(first.graph.tail) + 1
    assert compiled(canal_copy, Mode.CAR) is not newer


def test_metres_and_seconds_are_two_networks_of_the_same_roads(canal: District) -> None:
    seconds, metres = compiled(canal), compiled(canal, unit="m")

    assert np.allclose(metres.graph.seconds / seconds.graph.seconds, 4.8 / 3.6)
    assert metres.off_road_mps == 1.0


def test_the_canal_network_is_told_as_it_is(canal: District) -> None:
    found = quality(canal, ANALYST, "foot")

    assert found["components"] == 1  # both halves of the south street hang on the roads of their own bank
    assert found["length_km"] == pytest.approx(2.4, abs=0.001)
    assert findings(canal) == {
        "off_main": 0, "one_way_traps": 0, "dead_ends": 2, "too_fast": 0, "too_slow": 0, "cut": 1, "unjoined": 0,
        "idle_crossings": 0, "far_workstation": 0, "far_residential_area": 0,
    }  # fmt: skip
    cut = next(one for one in found["findings"] if one["kind"] == "cut")
    x, y = shapely.get_coordinates(
        to_metric(np.array([shapely.Point(*cut["places"][0])], dtype=object), CRS)
    )[0]
    assert (round(x - 358_100), round(y - 3_420_000)) == (0, 0)


def test_odd_roads_and_crossings_are_found(tmp_path: Path) -> None:
    district = make_canal(f"sqlite:///{tmp_path / 'd.gpkg'}", tmp_path, FakeClock())
    put(
        district,
        road("孤路", (-200, 200), (-200, 400)),
        road("立交", (-50, 700), (50, 700)),
        element("crossing", None, "无路之桥", shapely.Point(lonlat(100, 400)), kind="footbridge"),
        station("JWZ09", -2_000, 0),
    )
    found = findings(district)

    assert found["off_main"] == 4  # the lonely road, and the flyover that meets no vertex
    assert found["unjoined"] == 1
    assert found["idle_crossings"] == 1
    assert found["far_workstation"] == 1
    assert any("不连通" in one for one in report(district, ANALYST, Question()).warnings) is False
    district.close()


def test_modes_use_the_roads_that_are_theirs(tmp_path: Path) -> None:
    district = make_canal(f"sqlite:///{tmp_path / 'd.gpkg'}", tmp_path, FakeClock(), without=("road",))
    put(
        district,
        road("步道", (0, 0), (0, 100), **{"class": "path"}),
        road("高速", (0, 0), (50, 0), **{"class": "motorway"}),
    )
    put(district, road("禁车", (0, 100), (0, 300), car=False))

    assert compiled(district).graph.length_m.sum() == pytest.approx(300, abs=0.1)
    assert compiled(district, Mode.CAR).graph.length_m.sum() == pytest.approx(50, abs=0.1)
    district.close()


def test_a_speed_limit_slows_wheels_down(tmp_path: Path) -> None:
    district = make_canal(f"sqlite:///{tmp_path / 'd.gpkg'}", tmp_path, FakeClock(), without=("road",))
    put(
        district, road("慢街", (0, 0), (0, 100), speed_kmh=10), road("快街", (0, 100), (0, 200), speed_kmh=90)
    )
    seconds = sorted(compiled(district, Mode.CAR).graph.seconds.tolist())

    assert seconds == pytest.approx([100 * 3.6 / 22, 100 * 3.6 / 10], abs=0.05)
    district.close()


def test_what_names_no_mode_or_layer_is_refused(canal: District) -> None:
    with pytest.raises(InvalidInput):
        quality(canal, ANALYST, "line")
    with pytest.raises(NotFound):
        quality(canal, ANALYST, "foot", points="nothing")


# --- what is kept -----------------------------------------------------------------------------------------


def test_what_is_kept_is_made_once_and_the_oldest_goes() -> None:
    made: list[int] = []
    kept = Kept(2)

    def make(number: int):
        return kept.get(number, lambda: made.append(number) or number)

    threads = [threading.Thread(target=make, args=(1,)) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert made == [1]
    for number in (2, 1, 3, 1, 2):
        make(number)
    assert made == [1, 2, 3, 2]


def test_something_that_cannot_be_made_is_tried_again() -> None:
    kept = Kept(2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)

    assert kept.get("a", lambda: 5) == 5
