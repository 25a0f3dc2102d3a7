"""What people may do with elements, on both databases."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import shapely

from gridmap.domain.elements import Operation
from gridmap.domain.freshness import due_at
from gridmap.domain.roles import User
from gridmap.errors import EditConflict, NotFound, PermissionDenied, RevisionRequired, StateConflict
from gridmap.services import auditing, elements
from gridmap.services.district import District
from gridmap.services.elements import InvalidElement, writing
from gridmap.services.partition import GridOverlapError, OutsideParentError
from gridmap.storage import access_log, history
from gridmap.storage.elements import Query
from tests.support.clock import FakeClock
from tests.support.district import (
    ADMIN,
    KEEPER,
    OFFICER_EAST,
    OFFICER_WEST,
    VIEWER,
    element,
    open_store,
    put,
    seeded_elements,
)

STATION = {"code": "JWZ11", "name": "新警务站", "opening_hours": "24h", "officer_count": 4}
IN_WEST, IN_EAST = shapely.Point(121.43, 30.98), shapely.Point(121.57, 30.91)


@pytest.fixture
def district(seeded_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = open_store(seeded_url, tmp_path, clock)
    yield made
    made.close()


def station(code: str = "JWZ01") -> str:
    return seeded_elements()[code].id


def change(district: District, user: User, code: str = "JWZ01", *, base: int | None = 1, **changes):
    return elements.change(
        district, user, "workstation", station(code), base_revision=base, changes=changes
    ).element  # fmt: skip


def test_an_officer_adds_a_station_in_the_own_area(district: District, clock: FakeClock) -> None:
    receipt = elements.create(district, OFFICER_WEST, "workstation", STATION, IN_WEST)

    stored = elements.get(district, OFFICER_WEST, "workstation", receipt.element.id)
    assert stored == receipt.element
    assert (stored.revision, stored.created_by) == (1, "officer1")
    assert stored.properties["readiness_minutes"] == 1
    assert stored.due_at == due_at(clock(), 30)


def test_a_new_element_knows_its_grids(district: District) -> None:
    made = elements.create(district, OFFICER_WEST, "workstation", STATION, IN_WEST).element
    assert elements.grids_of(district, made) == {"town": "310199101", "police_grid": "310199101001002"}


def test_an_edit_stores_one_revision_with_who_and_when(district: District, clock: FakeClock) -> None:
    changed = change(district, OFFICER_WEST, officer_count=5, name="改名")

    newest, first = elements.history(district, OFFICER_WEST, "workstation", changed.id)
    assert (newest.revision, newest.actor, newest.at, newest.base_revision) == (2, "officer1", clock(), 1)
    assert (newest.element.name, first.element.name) == ("改名", "西镇第一警务站")


def test_an_edit_that_changes_nothing_stores_nothing(district: District) -> None:
    before = district.database.sequence()
    assert change(district, OFFICER_WEST, officer_count=3).revision == 1
    assert district.database.sequence() == before


def test_a_stale_edit_is_refused_with_the_present_state(district: District) -> None:
    change(district, KEEPER, officer_count=5)

    with pytest.raises(EditConflict) as caught:
        change(district, OFFICER_WEST, officer_count=9)
    assert caught.value.theirs.properties["officer_count"] == 5
    assert (caught.value.revision, caught.value.updated_by) == (2, "keeper")
    assert elements.get(district, ADMIN, "workstation", station()).revision == 2


def test_an_edit_without_a_revision_is_refused(district: District) -> None:
    with pytest.raises(RevisionRequired):
        change(district, OFFICER_WEST, base=None, officer_count=9)


@pytest.mark.parametrize("code", ["JWZ03", "JWZ04"])
def test_an_officer_of_one_town_is_refused_in_another(district: District, code: str) -> None:
    with pytest.raises(PermissionDenied):
        change(district, OFFICER_WEST, code, officer_count=9)
    with district.database.read() as connection:
        [line] = access_log.newest(connection, kinds=("refusal",))
    assert line.username == "officer1"


def test_an_officer_cannot_move_a_station_out_of_the_area(district: District) -> None:
    with pytest.raises(PermissionDenied):
        elements.change(
            district, OFFICER_WEST, "workstation", station(), base_revision=1, geometry=IN_EAST
        )  # fmt: skip
    assert elements.get(district, ADMIN, "workstation", station()).geometry.x == 121.42


def test_an_account_without_an_area_writes_nowhere(district: District) -> None:
    stranger = User("officer9", "示例民警09", OFFICER_WEST.role)
    with pytest.raises(PermissionDenied):
        change(district, stranger, officer_count=9)


def test_an_account_limited_to_layers_writes_only_there(district: District) -> None:
    from dataclasses import replace

    limited = replace(OFFICER_WEST, layers=frozenset({"safe_house"}))
    with pytest.raises(PermissionDenied):
        change(district, limited, officer_count=9)


_ACTS = {
    "create": lambda district: elements.create(district, VIEWER, "workstation", STATION, IN_WEST),
    "change": lambda district: change(district, VIEWER, officer_count=9),
    "delete": lambda district: elements.delete(district, VIEWER, "workstation", station(), base_revision=1),
    "verify": lambda district: elements.verify(district, VIEWER, "workstation", station(), base_revision=1),
    "restore": lambda district: elements.restore(district, VIEWER, "workstation", station()),
}


@pytest.mark.parametrize("act", _ACTS)
def test_a_viewer_can_change_nothing(district: District, act: str) -> None:
    before = district.database.sequence()
    with pytest.raises(PermissionDenied):
        _ACTS[act](district)
    assert district.database.sequence() == before


def test_a_viewer_sees_no_sensitive_layer(district: District) -> None:
    for layer in ("risk", "care_point"):
        with pytest.raises(PermissionDenied):
            elements.find(district, VIEWER, Query(layer))
    assert elements.search(district, VIEWER, "测试风险") == []
    assert elements.search(district, OFFICER_EAST, "测试风险")


def test_a_viewer_sees_no_small_count(district: District) -> None:
    seen = elements.get(district, VIEWER, "workstation", station())
    assert seen.properties["officer_count"] is None
    assert elements.get(district, ADMIN, "workstation", station()).properties["officer_count"] == 3


def test_rules_broken_are_told_field_by_field_and_nothing_is_stored(district: District) -> None:
    before = district.database.sequence()
    with pytest.raises(InvalidElement) as caught:
        elements.create(
            district, ADMIN, "workstation", {**STATION, "code": "X", "officer_count": -1}, IN_WEST
        )  # fmt: skip
    assert {one["field"] for one in caught.value.problems} == {"code", "officer_count"}
    assert district.database.sequence() == before


@pytest.mark.parametrize(
    "geometry",
    [
        shapely.LineString([(121.41, 30.95), (121.42, 30.96)]),
        shapely.Point(),
        shapely.Point(float("nan"), 30.9),
        shapely.Point(221.4, 30.9),
    ],
    ids=["line", "empty", "nan", "range"],
)
def test_a_geometry_that_does_not_fit_is_refused(district: District, geometry: shapely.Geometry) -> None:
    with pytest.raises(InvalidElement) as caught:
        elements.create(district, ADMIN, "workstation", STATION, geometry)
    assert {one["field"] for one in caught.value.problems} == {"geometry"}


def test_a_code_in_use_is_refused_also_when_its_element_is_deleted(district: District) -> None:
    elements.delete(district, ADMIN, "workstation", station(), base_revision=1)
    with pytest.raises(StateConflict):
        elements.create(district, ADMIN, "workstation", {**STATION, "code": "JWZ01"}, IN_WEST)


def test_a_station_close_to_another_warns(district: District) -> None:
    receipt = elements.create(district, ADMIN, "workstation", STATION, shapely.Point(121.4201, 30.92))
    assert any("JWZ01" in warning for warning in receipt.warnings)


def test_deleting_and_restoring_keeps_the_id_and_the_code(district: District) -> None:
    deleted = elements.delete(district, OFFICER_WEST, "workstation", station(), base_revision=1).element
    with pytest.raises(NotFound):
        elements.get(district, ADMIN, "workstation", deleted.id)

    restored = elements.restore(district, OFFICER_WEST, "workstation", deleted.id).element
    assert (restored.id, restored.code, restored.revision) == (deleted.id, "JWZ01", 3)
    assert elements.grids_of(district, restored)["town"] == "310199101"
    operations = [one.operation for one in elements.history(district, ADMIN, "workstation", deleted.id)]
    assert operations == [Operation.RESTORE, Operation.DELETE, Operation.CREATE]


def test_restoring_what_was_not_deleted_is_refused(district: District) -> None:
    with pytest.raises(StateConflict):
        elements.restore(district, ADMIN, "workstation", station())


def test_undo_takes_the_last_change_back_exactly(district: District) -> None:
    before = elements.get(district, ADMIN, "workstation", station())
    moved = elements.change(
        district, OFFICER_WEST, "workstation", before.id, base_revision=1, geometry=IN_WEST,
        changes={"officer_count": 9},
    ).element  # fmt: skip
    undone = elements.undo(
        district, OFFICER_WEST, "workstation", before.id, base_revision=moved.revision
    ).element

    assert undone.revision == 3
    assert shapely.equals_identical(undone.geometry, before.geometry)
    assert undone.values() == before.values()


def test_undo_is_refused_when_somebody_wrote_after(district: District) -> None:
    mine = change(district, OFFICER_WEST, officer_count=9)
    change(district, KEEPER, base=2, officer_count=10)
    with pytest.raises(EditConflict):
        elements.undo(district, OFFICER_WEST, "workstation", mine.id, base_revision=2)


def test_undoing_a_creation_deletes_and_undoing_a_deletion_restores(district: District) -> None:
    made = elements.create(district, ADMIN, "workstation", STATION, IN_WEST).element
    gone = elements.undo(district, ADMIN, "workstation", made.id, base_revision=1).element
    assert gone.is_retired
    back = elements.undo(district, ADMIN, "workstation", made.id, base_revision=2).element
    assert not back.is_retired
    assert back.values() == made.values()


def test_verifying_moves_the_due_date_and_nothing_else(district: District, clock: FakeClock) -> None:
    clock.advance(days=10)
    verified = elements.verify(district, OFFICER_WEST, "workstation", station(), base_revision=1).element

    assert verified.verified_at == clock()
    assert verified.due_at == due_at(clock(), 30)
    before = seeded_elements()["JWZ01"]
    assert verified.values() == before.values()


def test_a_request_sent_twice_is_carried_out_once(district: District) -> None:
    first = elements.create(district, ADMIN, "workstation", STATION, IN_WEST, idempotency_key="k1")
    again = elements.create(district, ADMIN, "workstation", STATION, IN_WEST, idempotency_key="k1")

    assert again.element == first.element
    assert again.is_repeat
    other = {**STATION, "code": "JWZ12"}
    with pytest.raises(StateConflict):
        elements.create(district, ADMIN, "workstation", other, IN_WEST, idempotency_key="k1")
    assert elements.find(district, ADMIN, Query("workstation")).total == 7


def test_a_request_sent_again_brings_the_warnings_of_the_first_time(district: District) -> None:
    beside = seeded_elements()["JWZ01"].geometry
    first = elements.create(district, ADMIN, "workstation", STATION, beside, idempotency_key="k2")
    change(district, KEEPER, officer_count=8)
    elements.delete(district, KEEPER, "workstation", first.element.id, base_revision=1)
    again = elements.create(district, ADMIN, "workstation", STATION, beside, idempotency_key="k2")

    assert first.warnings
    assert (again.element, again.warnings) == (first.element, first.warnings)


def test_a_request_sent_again_after_its_content_was_redacted_says_so(district: District) -> None:
    def send() -> elements.Receipt:
        return elements.create(district, ADMIN, "workstation", STATION, IN_WEST, idempotency_key="k3")

    made = send().element
    elements.change(
        district, ADMIN, "workstation", made.id, base_revision=1, changes={"name": "改名"}
    )  # fmt: skip
    auditing.redact(district, ADMIN, made.id, 1, reason="误填")

    with pytest.raises(NotFound, match="redacted"):
        send()
    assert elements.find(district, ADMIN, Query("workstation")).total == 7


RISK = {
    "code": "FX7001",
    "name": "河道",
    "category": "涉水安全",
    "grade": "blue",
    "reported_on": "2026-03-02",
}


def test_a_risk_cannot_be_due_before_it_was_reported(district: District) -> None:
    with pytest.raises(InvalidElement) as refused:
        elements.create(district, KEEPER, "risk", {**RISK, "deadline_on": "2026-03-01"}, IN_WEST)
    assert refused.value.facts["problems"] == [
        {
            "field": "deadline_on", "rule": "not_before",
            "message": "“办理期限”(2026-03-01)不能早于“上报日期”(2026-03-02)",
        }
    ]  # fmt: skip
    made = elements.create(district, KEEPER, "risk", {**RISK, "deadline_on": "2026-03-02"}, IN_WEST).element
    with pytest.raises(InvalidElement):
        elements.change(
            district, KEEPER, "risk", made.id, base_revision=1, changes={"reported_on": "2026-03-03"}
        )
    assert elements.get(district, KEEPER, "risk", made.id) == made


def test_as_of_shows_the_element_as_it_was(district: District, clock: FakeClock) -> None:
    then = clock()
    clock.advance(hours=1)
    change(district, OFFICER_WEST, name="改名")

    assert elements.element_as_of(district, ADMIN, "workstation", station(), then).name == "西镇第一警务站"
    assert elements.element_as_of(district, ADMIN, "workstation", station(), clock()).name == "改名"
    with pytest.raises(NotFound):
        elements.element_as_of(district, ADMIN, "workstation", station(), then - timedelta(days=1))


def test_a_click_finds_points_before_lines_before_areas(district: District) -> None:
    found = elements.identify(
        district, ADMIN, 121.42, 30.92, tolerance=0.001,
        layers=["workstation", "road", "police_grid", "town"],
    )  # fmt: skip
    assert [one.layer for one in found] == ["workstation", "road", "police_grid", "town"]


def test_a_click_finds_an_element_where_it_was_moved_to(district: District) -> None:
    elements.identify(district, ADMIN, 121.42, 30.92, tolerance=0.001, layers=["workstation"])
    elements.change(district, ADMIN, "workstation", station(), base_revision=1, geometry=IN_EAST)

    def at(point: shapely.Point) -> list[str | None]:
        found = elements.identify(district, ADMIN, point.x, point.y, tolerance=0.001, layers=["workstation"])
        return [one.code for one in found]

    assert at(shapely.Point(121.42, 30.92)) == []
    assert at(IN_EAST) == ["JWZ01"]


def grid(code: str = "310199101001001") -> str:
    return seeded_elements()[code].id


def test_a_grid_that_overlaps_its_neighbour_is_refused_with_both_codes(district: District) -> None:
    larger = shapely.box(121.4, 30.9, 121.5, 30.951)
    with pytest.raises(GridOverlapError) as caught:
        elements.change(district, ADMIN, "police_grid", grid(), base_revision=1, geometry=larger)
    assert caught.value.grid_codes == ["310199101001001", "310199101001002"]
    # 0.1° × 0.001° at 30.95° N is about 9,556 m × 111 m
    assert caught.value.area_m2 == pytest.approx(9_556 * 110.9, rel=0.01)


def test_a_grid_that_leaves_its_parent_is_refused(district: District) -> None:
    outside = shapely.box(121.399, 30.9, 121.5, 30.95)
    with pytest.raises(OutsideParentError):
        elements.change(district, ADMIN, "police_grid", grid(), base_revision=1, geometry=outside)


def test_a_grid_that_gives_up_ground_warns(district: District) -> None:
    smaller = shapely.box(121.4, 30.9, 121.5, 30.949)
    receipt = elements.change(district, ADMIN, "police_grid", grid(), base_revision=1, geometry=smaller)
    assert any("不再属于任何警务网格" in warning for warning in receipt.warnings)


def test_moving_a_border_re_derives_the_grid_of_the_points_beside_it(district: District) -> None:
    # JWZ06 lies at 30.91 in the lower grid; the lower grid shrinks past it, then the upper one takes over
    below, above = shapely.box(121.4, 30.9, 121.5, 30.905), shapely.box(121.4, 30.905, 121.5, 31.0)
    elements.change(district, ADMIN, "police_grid", grid(), base_revision=1, geometry=below)
    point = elements.get(district, ADMIN, "workstation", station("JWZ06"))
    assert "police_grid" not in elements.grids_of(district, point)

    elements.change(
        district, ADMIN, "police_grid", grid("310199101001002"), base_revision=1, geometry=above
    )  # fmt: skip
    assert elements.grids_of(district, point)["police_grid"] == "310199101001002"
    assert elements.get(district, ADMIN, "workstation", station("JWZ06")).revision == 1


def test_the_chain_is_valid_after_all_kinds_of_writes(district: District) -> None:
    made = elements.create(district, ADMIN, "workstation", STATION, IN_WEST).element
    elements.verify(district, ADMIN, "workstation", made.id, base_revision=1)
    elements.delete(district, ADMIN, "workstation", made.id, base_revision=2)
    elements.restore(district, ADMIN, "workstation", made.id)

    with district.database.read() as connection:
        assert history.verify(connection, district.settings.secret).is_valid


def test_a_code_that_a_grid_gave_up_is_not_given_to_another(district: District) -> None:
    grid = seeded_elements()["310199101001001"]
    changed = elements.change(
        district, KEEPER, "police_grid", grid.id, base_revision=1, changes={"code": "310199101001009"}
    ).element
    other = seeded_elements()["310199101001002"]
    with pytest.raises(StateConflict):
        elements.change(
            district, KEEPER, "police_grid", other.id, base_revision=1, changes={"code": grid.code}
        )
    # its own old code it may have back
    elements.change(district, KEEPER, "police_grid", grid.id, base_revision=2, changes={"code": grid.code})
    assert changed.revision == 2


def test_an_account_whose_grid_got_another_code_still_works_there(district: District) -> None:
    officer = User("officer7", "示例民警07", OFFICER_WEST.role, area=frozenset({"310199101001001"}))
    elements.change(
        district, KEEPER, "police_grid", seeded_elements()["310199101001001"].id, base_revision=1,
        changes={"code": "310199101001009"},
    )  # fmt: skip
    assert change(district, officer, officer_count=9).revision == 2
    with pytest.raises(PermissionDenied):
        change(district, officer, "JWZ02", officer_count=9)


def test_of_two_grids_drawn_over_each_other_at_the_same_moment_one_is_refused(
    district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    west, east = seeded_elements()["310199101001001"], seeded_elements()["310199102001001"]
    elements.change(
        district,
        KEEPER,
        "police_grid",
        east.id,
        base_revision=1,
        geometry=shapely.box(121.52, 30.9, 121.6, 30.95),
    )
    original, calls = elements.checked, []

    def meanwhile(*arguments: object) -> object:
        checked = original(*arguments)
        if not calls:
            calls.append(1)
            # between the look at the map and the district's turn the neighbour takes the ground back
            elements.change(district, KEEPER, "police_grid", east.id, base_revision=2, geometry=east.geometry)
        return checked

    monkeypatch.setattr(writing, "checked", meanwhile)
    wider = shapely.box(121.4, 30.9, 121.51, 30.95)
    with pytest.raises(GridOverlapError):
        elements.change(district, KEEPER, "police_grid", west.id, base_revision=1, geometry=wider)


def test_values_of_a_grid_can_be_edited_while_its_ground_is_still_wrong(district: District) -> None:
    [stray] = put(
        district, element("police_grid", "310199101001005", "海上", shapely.box(122.0, 30.9, 122.1, 31.0))
    )
    elements.change(district, KEEPER, "police_grid", stray.id, base_revision=1, changes={"name": "待核"})
    with pytest.raises(OutsideParentError):
        elements.change(
            district,
            KEEPER,
            "police_grid",
            stray.id,
            base_revision=2,
            geometry=shapely.box(122.0, 30.9, 122.1, 31.1),
        )


def test_a_place_beside_the_district_is_stored_with_a_warning(district: District) -> None:
    values = {"code": "PAW990", "name": "远处", "host": "商铺", "opening_hours": "24h"}
    far = elements.create(district, ADMIN, "safe_house", values, shapely.Point(116.4, 39.9))
    assert any("本区范围之外" in one for one in far.warnings)
    near = elements.create(
        district, ADMIN, "safe_house", values | {"code": "PAW991"}, shapely.Point(121.43, 30.93)
    )
    assert not any("本区范围之外" in one for one in near.warnings)


def test_a_new_code_follows_the_greatest_and_is_never_one_that_was_used(district: District) -> None:
    values = {"name": "屋", "host": "商铺", "opening_hours": "24h"}
    place = shapely.Point(121.43, 30.93)
    assert elements.next_code(district, ADMIN, "police_grid") is None
    first = elements.next_code(district, ADMIN, "safe_house")
    assert first is not None
    made = elements.create(district, ADMIN, "safe_house", values | {"code": first}, place).element
    assert elements.next_code(district, ADMIN, "safe_house") == f"PAW{int(first[3:]) + 1:0{len(first) - 3}d}"
    elements.delete(district, ADMIN, "safe_house", made.id, base_revision=1)
    assert elements.next_code(district, ADMIN, "safe_house") != first
    assert elements.next_code(district, ADMIN, "workstation") == "JWZ07"
