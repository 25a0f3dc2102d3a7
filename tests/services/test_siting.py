"""Siting on the canal: choices that can be checked by trying all of them."""

from __future__ import annotations

import time
from itertools import combinations

import numpy as np
import pytest
import shapely

from gridmap.analysis.siting import InfeasibleError
from gridmap.errors import InvalidInput, NotFound
from gridmap.services import coverage_exports, jobs, siting
from gridmap.services.balance import balance
from gridmap.services.candidates import compared
from gridmap.services.coverage import report
from gridmap.services.district import District
from gridmap.services.questions import Question, Travel, parse_question, parse_within
from gridmap.services.siting import Problem, SitingQuestion, parse_siting, solve
from tests.support.canal import home, lonlat, make_canal
from tests.support.clock import FakeClock
from tests.support.district import ANALYST, VIEWER, element, put

PLACES = [(0, 350), (0, 1000), (200, 100), (200, 700), (100, 1000), (200, 0)]


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("siting")
    made = make_canal(f"sqlite:///{folder / 'd.gpkg'}", folder, FakeClock())
    put(made, home("D5", 0, 800, 80), home("D6", 200, 500, 60))
    put(
        made,
        *(
            element("police_office", f"JWS{at:03}", f"候选{at}", shapely.Point(lonlat(*xy)))
            for at, xy in enumerate(PLACES)
        ),
    )
    yield made
    made.close()


def asked(problem: str, count: int = 2, within: str = "320m", **more) -> SitingQuestion:
    question = Question(within=parse_within(within))
    return SitingQuestion(
        question, Problem(problem), count, candidates="police_office", time_limit=20, **more
    )


def costs(district: District) -> tuple[np.ndarray, np.ndarray]:
    """Walks by hand: up the own bank, over the bridge; and people."""
    points = [(0, 0), (200, 1000), *PLACES]
    demand = [(0, 400, 100), (200, 50, 300), (200, 900, 50), (0, 800, 80), (200, 500, 60)]

    def walk(x: float, y: float, u: float, v: float) -> float:
        # the bridge street joins the banks at y = 1000; the south street ends at the water
        if x == u:
            return abs(y - v)
        return (1000 - y) + abs(x - u) + (1000 - v)

    matrix = np.array([[walk(x, y, u, v) for u, v in points] for x, y, _ in demand])
    return matrix, np.array([one[2] for one in demand], float)


def best(district: District, value, p: int, options=range(2, 8), fixed=(0, 1)):
    return [value(list(fixed) + list(chosen)) for chosen in combinations(options, p)]


def test_mclp_equals_trying_all(district: District) -> None:
    matrix, people = costs(district)
    covered = best(district, lambda open_: people[(matrix[:, open_] <= 320).any(axis=1)].sum(), 2)

    found = solve(district, ANALYST, asked("mclp"), keep=False)

    assert found["objective"] == found["bound"] == max(covered)
    assert found["is_optimal"]
    assert found["proof_text"] == "已证明最优"
    new = [one for one in found["sites"] if one["is_new"]]
    assert len(new) == 2
    assert found["after"]["covered"] == max(covered)
    assert found["after"]["covered"] - found["before"]["covered"] == sum(one["gained"] for one in new)


def test_p_median_and_p_center_equal_trying_all(district: District) -> None:
    matrix, people = costs(district)
    means = best(district, lambda open_: (people * matrix[:, open_].min(axis=1)).sum(), 2)
    farthest = best(district, lambda open_: matrix[:, open_].min(axis=1).max(), 2)

    assert solve(district, ANALYST, asked("p-median"), keep=False)["objective"] == pytest.approx(
        min(means), abs=600
    )
    assert solve(district, ANALYST, asked("p-center"), keep=False)["objective"] == pytest.approx(
        min(farthest), abs=1
    )


def test_lscp_opens_as_few_as_trying_all(district: District) -> None:
    matrix, _ = costs(district)
    reachable = (matrix <= 320).any(axis=1)
    fewest = next(
        p
        for p in range(7)
        if any(
            (matrix[:, [0, 1, *c]] <= 320).any(axis=1)[reachable].all() for c in combinations(range(2, 8), p)
        )
    )

    found = solve(district, ANALYST, asked("lscp", 0), keep=False)

    assert found["objective"] == 2 + fewest


def test_movable_points_may_all_go_elsewhere(district: District) -> None:
    matrix, people = costs(district)
    covered = best(
        district, lambda open_: people[(matrix[:, open_] <= 320).any(axis=1)].sum(), 2, range(8), ()
    )

    found = solve(district, ANALYST, asked("mclp", 0, is_movable=True), keep=False)

    assert found["objective"] == max(covered)
    assert len(found["sites"]) == 2
    assert {one["code"] for one in found["closed"]} <= {"JWZ01", "JWZ02"}


def test_closable_points_are_those_that_carry_least(district: District) -> None:
    found = solve(district, ANALYST, asked("mclp", 1, closable=1), keep=False)

    assert len(found["sites"]) == 3
    assert not found["is_optimal"]
    assert "前提" in found["proof_text"]


def test_the_curve_rises_and_the_fewest_sites_are_enough(district: District) -> None:
    found = solve(district, ANALYST, asked("mclp", 1, curve=4, share=0.9), keep=False)
    covered = [row[1] for row in found["curve"]]

    assert covered == sorted(covered)
    assert len(covered) == 5
    assert covered[1] == found["objective"]
    fewest = found["fewest"]["sites"]
    assert found["fewest"]["is_optimal"]
    assert covered[fewest] >= 0.9 * 590 > covered[fewest - 1]


@pytest.mark.parametrize("source", ["roads", "grid"])
@pytest.mark.parametrize("mode", [Travel.FOOT, Travel.LINE])
def test_candidates_can_be_made(district: District, source: str, mode: Travel) -> None:
    question = SitingQuestion(
        Question(mode=mode, within=parse_within("320m")), Problem.MCLP, 1, candidates=source
    )
    if (source, mode) == ("roads", Travel.LINE):
        with pytest.raises(InvalidInput):
            solve(district, ANALYST, question, keep=False)
        return
    found = solve(district, ANALYST, question, keep=False)

    assert found["candidates"] > 0
    assert found["after"]["covered"] >= found["before"]["covered"]


def test_impossible_wishes_are_refused_in_words(district: District) -> None:
    with pytest.raises(InfeasibleError) as many:
        solve(district, ANALYST, asked("mclp", 7), keep=False)
    assert "候选" in many.value.chinese() or "可选" in many.value.chinese()
    with pytest.raises(InvalidInput):
        asked("mclp", 0)
    with pytest.raises(InvalidInput):
        asked("mclp", -1)
    with pytest.raises(InvalidInput):
        solve(
            district,
            ANALYST,
            SitingQuestion(Question(), Problem.MCLP, 1, candidates="safe_house"),
            keep=False,
        )
    with pytest.raises(NotFound):
        siting.start(district, ANALYST, SitingQuestion(Question(), Problem.MCLP, 1, candidates="nowhere"))
    with pytest.raises(InvalidInput):
        parse_siting({"problem": "best"}, Question())
    with pytest.raises(InvalidInput):
        parse_siting({"problem": "mclp", "count": "2"}, Question())


def test_several_covers_equal_trying_all(district: District) -> None:
    matrix, people = costs(district)
    near = matrix <= 450
    twice = best(district, lambda open_: people[near[:, open_].sum(axis=1) >= 2].sum(), 3)
    half = best(
        district,
        lambda open_: (
            people * (near[:, open_].any(axis=1) * 1.0 + (near[:, open_].sum(axis=1) >= 2)) / 2
        ).sum(),
        3,
    )

    found = solve(district, ANALYST, asked("mclp", 3, "450m", covers=2, curve=3, share=0.5), keep=False)
    assert (found["objective"], found["is_optimal"]) == (max(twice), True)
    assert found["after"]["covered_often"] == max(twice) > found["before"]["covered_often"]
    assert found["objective_text"] == f"至少 2 次覆盖 {max(twice):,.0f} 人"
    assert found["limits_text"] == "至少覆盖 2 次"
    assert found["curve"][3][1] == max(twice)
    assert found["curve"][found["fewest"]["sites"]][1] >= 0.5 * 590

    mixed = solve(district, ANALYST, asked("mclp", 3, "450m", covers=2, backup=0.5), keep=False)
    assert mixed["objective"] == max(half)

    fewest = next(
        p
        for p in range(7)
        if any(
            (near[:, [0, 1, *c]].sum(axis=1) >= np.minimum(2, near.sum(axis=1))).all()
            for c in combinations(range(2, 8), p)
        )
    )
    assert solve(district, ANALYST, asked("lscp", 0, "450m", covers=2), keep=False)["objective"] == 2 + fewest
    short = people[(near.sum(axis=1) < 2) & near.any(axis=1)].sum()
    warned = [one for one in found["warnings"] if "达不到 2 次覆盖" in one]
    assert warned == (
        [] if short == 0 else [f"有 {short:,.0f} 人即使启用全部候选点也达不到 2 次覆盖,不计入至少覆盖次数。"]
    )


def test_a_point_serves_no_more_people_than_its_limit(district: District) -> None:
    _, people = costs(district)
    free = solve(district, ANALYST, asked("p-median"), keep=False)
    limited = solve(district, ANALYST, asked("p-median", capacity=300), keep=False)

    assert limited["is_optimal"]
    assert limited["objective"] > free["objective"]
    assert sum(one["assigned"] for one in limited["sites"]) == people.sum()
    assert max(one["assigned"] for one in limited["sites"]) <= 300
    assert "每站最多服务 300 人" in limited["limits_text"]
    assert free["limits_text"] == ""

    cover = solve(district, ANALYST, asked("mclp", 2, "450m", capacity=160), keep=False)
    assert cover["objective"] == sum(one["assigned"] for one in cover["sites"])
    assert max(one["assigned"] for one in cover["sites"]) <= 160
    assert cover["objective_text"].startswith("上限内覆盖")
    # the 300 people of one home fit no point of 160
    with pytest.raises(InfeasibleError) as heavy:
        solve(district, ANALYST, asked("p-median", capacity=160), keep=False)
    assert "拆分" in heavy.value.chinese()
    with pytest.raises(InfeasibleError) as little:
        solve(district, ANALYST, asked("p-median", 0, is_movable=True, capacity=290.5), keep=False)
    assert "290" in little.value.chinese() or "超过" in little.value.chinese()


@pytest.mark.parametrize(
    ("problem", "more", "word"),
    [
        ("p-median", {"covers": 2}, "至少覆盖次数"),
        ("p-center", {"capacity": 100}, "每站服务人数上限"),
        ("lscp", {"capacity": 100}, "每站服务人数上限"),
        ("mclp", {"capacity": 100, "covers": 2}, "不能同时"),
        ("mclp", {"covers": 0}, "至少覆盖次数"),
        ("mclp", {"covers": 2.5}, "至少覆盖次数"),
        ("mclp", {"capacity": 0}, "每站服务人数上限"),
        ("mclp", {"backup": 0.5}, "兼顾首次覆盖"),
        ("mclp", {"covers": 2, "backup": 1.5}, "重复覆盖所占比重"),
    ],
)
def test_limits_that_make_no_sense_are_refused_in_words(problem: str, more: dict, word: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        asked(problem, **more)
    assert word in caught.value.chinese()


def test_more_covers_than_points_is_refused(district: District) -> None:
    with pytest.raises(InfeasibleError) as caught:
        solve(district, ANALYST, asked("mclp", 1, covers=4), keep=False)
    assert "至少覆盖 4 次" in caught.value.chinese()


def test_a_stopped_solve_keeps_its_best_choice_and_says_so(district: District) -> None:
    question = SitingQuestion(Question(within=parse_within("320m")), Problem.P_MEDIAN, 2, candidates="grid")
    best_ = solve(district, ANALYST, question, keep=False)
    stopped = solve(district, ANALYST, question, keep=False, should_stop=lambda: True)

    assert stopped["is_cancelled"]
    assert len([one for one in stopped["sites"] if one["is_new"]]) == 2
    assert stopped["bound"] <= best_["objective"] <= stopped["objective"]
    if not stopped["is_optimal"]:
        assert "计算已取消,保留停止时最好的方案" in stopped["proof_text"]
    assert not best_["is_cancelled"]


def test_a_cancelled_job_that_can_stop_early_keeps_its_result(district: District) -> None:
    jobs.register("test-stop_early", "tests.support.jobs:stop_early")
    job = jobs.start(district, ANALYST, "test-stop_early", "数数", {})
    ends = time.monotonic() + 60
    while jobs.get(district, ANALYST, job.id).message != "正在数数":
        assert time.monotonic() < ends
        time.sleep(0.02)

    ended = jobs.cancel(district, ANALYST, job.id)

    assert ended.state is jobs.JobState.CANCELLED
    assert ended.result is not None
    assert ended.result["count"] > 0
    assert "保留" in ended.message


def test_an_answer_is_kept_as_a_run_that_can_be_computed_again(district: District) -> None:
    found = solve(district, ANALYST, asked("mclp"))
    run = {
        "format": "gridmap-run", "version": 1, "kind": "site", "question": found["question"],
        "sequence": found["sequence"], "is_masked": False, "result": found,
    }  # fmt: skip

    assert coverage_exports.rerun(district, ANALYST, run)["is_same"]
    assert len(found["run"]) == 36
    limited = solve(district, ANALYST, asked("mclp", capacity=300), keep=False)
    assert limited["question"]["capacity"] == 300
    run |= {"question": limited["question"], "result": limited}
    assert coverage_exports.rerun(district, ANALYST, run)["is_same"]


def test_a_job_solves_and_tells(district: District) -> None:
    job = siting.start(district, ANALYST, asked("mclp"))
    done = jobs.wait(district, ANALYST, job.id, seconds=120)

    assert done.result is not None
    assert done.result["is_optimal"]
    assert done.result["objective"] == solve(district, ANALYST, asked("mclp"), keep=False)["objective"]
    assert parse_question(done.parameters, now=district.clock()) == asked("mclp").question.__class__(
        within=parse_within("320m"), direction=asked("mclp").question.heading
    )


# --- candidates and balance -------------------------------------------------------------------------------


def test_candidates_stand_in_a_table_for_the_residents(district: District) -> None:
    put(
        district,
        element("premises", "XX0001", "示例小学", shapely.Point(lonlat(200, 150)), category="学校幼儿园"),
    )
    lon, lat = lonlat(200, 50)
    places = [
        {"lon": lon, "lat": lat, "name": "南岸", "cost": 20},
        {"lon": lonlat(0, 700)[0], "lat": lonlat(0, 700)[1]},
    ]

    found = compared(district, ANALYST, Question(within=parse_within("320m")), places)
    south, north = found["candidates"]

    assert (south["name"], south["gained"], south["per_cost"]) == ("南岸", 300, 15)
    assert south["school_m"] == pytest.approx(100, abs=1)
    assert south["farthest"] == pytest.approx(450, abs=2)  # D6 at y = 500 would come, B being 500 m away
    assert north["gained"] == 180
    assert south["nearest"]["name"] == "JWZ01站"
    with pytest.raises(InvalidInput):
        compared(district, ANALYST, Question(), [])
    with pytest.raises(InvalidInput):
        compared(district, ANALYST, Question(), [{"lon": 200, "lat": 0}])


def test_balanced_areas_are_compared_with_todays(district: District) -> None:
    found = balance(district, ANALYST, Question(), tolerance=1.0)

    assert sum(one["load"] for one in found["points"]) == 590
    assert sorted(len(one["grids"]) for one in found["points"]) == [1, 1]
    assert found["ratio"] <= found["ratio_today"] + 1e-9
    assert len(found["areas"]["features"]) == 2
    with pytest.raises(InvalidInput):
        balance(district, ANALYST, Question(), tolerance=0)


# --- files ------------------------------------------------------------------------------------------------


def test_a_workbook_says_what_the_report_says(district: District, tmp_path) -> None:
    import openpyxl

    question = Question(within=parse_within("320m"))
    made = coverage_exports.export(district, ANALYST, question, tmp_path / "c.xlsx", format="xlsx")
    book = openpyxl.load_workbook(made.path)
    total = report(district, ANALYST, question).total

    assert book.sheetnames == ["总体", "各街镇", "各网格", "各站点", "死角", "说明"]
    assert [cell.value for cell in book["总体"][2]][1:4] == [total.people, total.covered, total.uncovered]
    assert sum(row[3].value for row in book["死角"].iter_rows(min_row=2)) == total.uncovered
    assert any("步行沿路网" in str(row[1].value) for row in book["说明"].iter_rows())
    book.close()


def test_a_geopackage_holds_gaps_areas_and_reach(district: District, tmp_path) -> None:
    import pyogrio

    made = coverage_exports.export(district, ANALYST, Question(), tmp_path / "c.gpkg", format="gpkg")

    titles = {name for name, _ in pyogrio.list_layers(made.path).tolist()}
    assert {"死角", "责任区", "可达范围"} <= titles
    assert len(pyogrio.read_dataframe(made.path, layer="责任区")) == 2


def test_exports_are_logged(district: District, tmp_path) -> None:
    from sqlalchemy import select

    from gridmap.storage.tables import access_log

    coverage_exports.export(district, VIEWER, Question(), tmp_path / "r.json", format="json")
    with district.database.read() as connection:
        rows = connection.execute(
            select(access_log).where(access_log.c.kind == "export", access_log.c.username == "viewer")
        ).all()

    assert len(rows) == 1
    assert "覆盖分析" in rows[0].detail
    with pytest.raises(InvalidInput):
        coverage_exports.export(district, ANALYST, Question(), tmp_path / "c.pdf", format="pdf")
