"""`gridmap coverage` and `gridmap site` on the district of the canal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import shapely
from click.testing import CliRunner, Result

from gridmap.cli import root
from tests.support.canal import lonlat, make_canal
from tests.support.clock import FakeClock
from tests.support.district import element, put

SECRET = "a secret of the tests, long enough"
ASK = ("--points", "workstation", "--demand", "residential_area", "--mode", "foot", "--within", "500m")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("canal")
    district = make_canal(f"sqlite:///{folder / 'district.gpkg'}", folder, FakeClock())
    put(district, element("police_office", "JWS001", "南岸", shapely.Point(lonlat(200, 100))))
    district.close()
    return folder


def run(home: Path, *arguments: str | Path, code: int = 0) -> Result:
    env = {"GRIDMAP_HOME": str(home), "GRIDMAP_SECRET": SECRET, "GRIDMAP_DATABASE_URL": ""}
    result = CliRunner().invoke(root, [str(one) for one in arguments], env=env)
    assert result.exit_code == code, result.stdout + result.stderr
    return result


def answer(home: Path, *arguments: str | Path, code: int = 0) -> Any:
    return json.loads(run(home, *arguments, "--json", code=code).stdout)


def test_coverage_prints_one_document(home: Path) -> None:
    found = answer(home, "coverage", *ASK, "--by", "town", "--gaps")

    assert found["total"]["covered"] == 150
    assert found["total"]["people"] == 450
    assert [one["covered"] for one in found["groups"]] == [100, 50]
    assert found["gaps"][0]["people"] == 300
    assert found["crs"] == "EPSG:32651"
    assert found["sequence"] == 3


def test_coverage_tells_a_person_in_lines(home: Path) -> None:
    said = run(home, "coverage", *ASK).stdout

    assert "已覆盖 150(33.3%)" in said
    assert "步行沿路网不超过 500 米" in said


def test_a_run_file_gives_the_same_figures_or_exit_code_one(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    run(home, "coverage", *ASK, "--to", file)
    assert answer(home, "coverage", "--run", file)["is_same"]

    changed = json.loads(file.read_text("utf-8"))
    changed["result"]["total"]["covered"] = 149
    file.write_text(json.dumps(changed), "utf-8")
    assert answer(home, "coverage", "--run", file, code=1)["differences"][0]["now"] == 150
    file.write_text("no run", "utf-8")
    assert "detail" in answer(home, "coverage", "--run", file, code=1)


def test_site_asks_for_several_covers_and_limits_people(home: Path) -> None:
    site = ("site", "--candidates", "police_office", "--count", "1")
    said = run(home, *site, "--problem", "mclp", "--covers", "2", "--backup", "0.5", *ASK).stdout
    assert "至少覆盖 2 次,首次覆盖计 50%" in said
    found = answer(home, *site, "--problem", "mclp", "--capacity", "100000", *ASK)
    assert (found["question"]["capacity"], found["is_optimal"]) == (100000, True)
    refused = run(home, *site, "--problem", "p-median", "--capacity", "1", *ASK, code=1)
    assert "服务人数上限" in refused.stderr


def test_site_names_the_best_place(home: Path) -> None:
    found = answer(home, "site", "--problem", "mclp", "--candidates", "police_office", "--count", "1", *ASK)

    assert found["is_optimal"]
    assert found["objective"] == 450
    assert [one["name"] for one in found["sites"] if one["is_new"]] == ["南岸"]
    said = run(home, "site", "--problem", "p-median", "--candidates", "police_office", *ASK).stdout
    assert "已证明最优" in said
    assert "南岸" in said


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("coverage",), 2),
        (("coverage", *ASK[:-1], "far"), 2),
        (("coverage", *ASK[:-1], "0m"), 1),
        (("coverage", *ASK, "--mode", "boat"), 2),
        (("coverage", *ASK, "--mode", "line", "--within", "5min"), 1),
        (("coverage", *ASK, "--points", "nothing"), 1),
        (("coverage", *ASK, "--demand", "safe_house"), 1),
        (("coverage", *ASK, "--to", "figures.pdf"), 2),
        (("site", "--problem", "mclp", "--candidates", "police_office", *ASK[:-2]), 2),
        (("site", "--problem", "mclp", "--candidates", "police_office", "--count", "2", *ASK), 1),
        (("site", "--problem", "mclp", "--candidates", "safe_house", *ASK), 1),
        (("site", "--problem", "best", "--candidates", "roads", *ASK), 2),
    ],
)
def test_exit_codes_tell_a_refusal_from_wrong_usage(
    home: Path, arguments: tuple[str, ...], code: int
) -> None:
    said = run(home, *arguments, code=code).stderr

    assert ("未完成" in said) == (code == 1)


def test_a_refusal_is_a_problem_document(home: Path) -> None:
    found = answer(home, "coverage", *ASK, "--demand", "safe_house", code=1)

    assert found["status"] == 422
    assert "没有数据" in found["detail"]


def test_an_extract_of_openstreetmap_becomes_roads(home: Path, tmp_path: Path) -> None:
    (west, south), (east, north) = lonlat(0, 0), lonlat(200, 500)
    ways = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"highway": "tertiary", "name": "新路", "oneway": "True", "maxspeed": "40"},
                "geometry": {"type": "LineString", "coordinates": [[west, south], [east, north]]},
            }
        ],
    }
    file = tmp_path / "ways.geojson"
    file.write_text(json.dumps(ways), "utf-8")

    found = answer(home, "import", file, "--layer", "road", "--datum", "wgs84", "--osm", "--dry-run")

    assert found["rows"] == 1
    assert (
        "道路"
        in answer(home, "import", file, "--layer", "workstation", "--datum", "wgs84", "--osm", code=1)[
            "detail"
        ]
    )
