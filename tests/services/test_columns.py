"""Which column of a file is which attribute of a layer."""

import pytest

from gridmap.domain.layer_files import load_catalogue
from gridmap.services import columns
from gridmap.settings import DATA_FOLDER

CATALOGUE = load_catalogue([DATA_FOLDER / "layers"])
STATION = CATALOGUE.layer("workstation")
TOWN = CATALOGUE.layer("town")
UUID = "0b9bd1de-3f43-4a3b-9d2e-0c8a4a9f6a51"


@pytest.mark.parametrize(
    ("column", "values", "field"),
    [
        ("服务能力", [], "capacity"),
        ("fuwunengli", [], "capacity"),
        ("机动车数(辆)", [], "vehicle_count"),
        ("opening_ho", [], "opening_hours"),
        ("officer_cnt", [], "officer_count"),
        ("数据来源", [], "source"),
        ("id", [UUID, None, UUID.replace("5", "6")], "id"),
        ("id", ["17", "18"], None),
        ("备注", [], None),
        ("lanes", [], None),
    ],
)
def test_a_column_is_proposed_for_the_field_it_sounds_like(
    column: str, values: list, field: str | None
) -> None:
    assert columns.propose(STATION, {column: values}).get(column) == field


def test_an_id_column_that_holds_codes_is_the_code() -> None:
    assert columns.propose(TOWN, {"id": ["310120001", "310120002"], "name": ["甲", "乙"]}) == {
        "id": "code", "name": "name",
    }  # fmt: skip
    # unless another column is
    assert columns.propose(TOWN, {"id": ["310120001"], "code": ["310120001"]})["code"] == "code"


def test_each_field_and_each_column_is_used_once() -> None:
    proposed = columns.propose(STATION, {"名称": [], "站点名称": [], "name": []})
    assert proposed == {"name": "name"}


def test_a_wish_takes_the_field_from_the_column_that_was_proposed() -> None:
    settled = columns.settle(STATION, ["名称", "简名"], {"名称": "name"}, {"简名": "name"})
    assert settled == {"简名": "name"}
    assert columns.settle(STATION, ["名称"], {"名称": "name"}, {"名称": None}) == {}


@pytest.mark.parametrize(
    ("column", "grid"),
    [
        ("police_grid", "police_grid"),
        ("police_grid_code", "police_grid"),
        ("所属警务网格", "police_grid"),
        ("警务网格编码", "police_grid"),
        ("所在街镇代码", "town"),
        ("网格", None),
        ("地址", None),
    ],
)
def test_columns_that_state_a_grid_are_known(column: str, grid: str | None) -> None:
    found = columns.grid_columns(CATALOGUE, STATION, [column])
    assert [one.grid_layer for one in found] == ([] if grid is None else [grid])


def test_a_field_of_the_layer_is_no_grid_column() -> None:
    station = CATALOGUE.layer("police_station")
    assert columns.grid_columns(CATALOGUE, station, ["town_code", "所在街镇代码"]) == []
