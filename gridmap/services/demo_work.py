"""What the demo's people have begun: a scenario of the analyst, a story of the presenter, a proposal of an officer."""

from __future__ import annotations

from datetime import timedelta

from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry
from shapely.ops import nearest_points

from gridmap.domain.elements import Element
from gridmap.domain.scenarios import Add
from gridmap.domain.stories import Compare, CompareKind, Focus, Slide
from gridmap.services import accounts, proposals, reach, scenarios, siting, stories
from gridmap.services.district import District
from gridmap.services.siting import Problem, SitingQuestion
from gridmap.storage import elements as stored
from gridmap.storage.elements import Query
from gridmap.storage.proposals import Proposal
from gridmap.storage.scenarios import Scenario

NEW_POSTS = 2
# What every slide stands on.
_GROUND = ("district", "town", "road", "barrier")
_QUARTER = timedelta(days=91)
# Some fifty metres, in degrees: well inside of a border, and still near it.
_BEYOND = 0.0005
_MOVED = "safe_house"


def begin(district: District, towns: tuple[str, str]) -> None:
    """
    Let the demo's people begin their work, through the same services as anybody.

    Parameters
    ----------
    towns : the codes of the two officers' towns; the second one's officer asks the first one's
    """
    scenario = _scenario(district)
    _story(district, scenario)
    _proposal(district, *towns)


def _scenario(district: District) -> Scenario:
    """The best two new workstations, proven, for the question that the overview asks."""
    analyst = accounts.demo_user(district, "analyst")
    asked = SitingQuestion(reach.QUESTION, Problem.MCLP, count=NEW_POSTS)
    found = siting.solve(district, analyst, asked)
    return scenarios.save(
        district, analyst, f"示例方案:新增 {NEW_POSTS} 处警务站", siting.changes_of(found), reach.QUESTION,
        note="由“选址”求得的覆盖人口最多的位置,可在“推演”中继续调整。",
    )  # fmt: skip


def _story(district: District, scenario: Scenario) -> None:
    """Six slides: the whole, its risks, where the scenario begins, a quarter's change, the scenario, a workstation."""
    first = next(one for one in scenario.changes if isinstance(one, Add))
    place = Point(first.lon, first.lat)
    towns, posts = _living(district, Query("town")), _living(district, Query("workstation"))
    town = next(one for one in towns if one.geometry.covers(place))
    post = min(posts, key=lambda one: one.geometry.distance(place))
    before = district.clock() - _QUARTER
    slides = [
        Slide(
            "全区概况", "警务网格一张图:要素上图、风险上图、动态维护。", None,
            (*_GROUND, "police_grid", "workstation"), figures=("people", "covered_share", "overdue", "open_risks"),
        ),
        Slide(
            "风险上图", "未结风险按等级显示,超期的请责任单位说明。", None, (*_GROUND, "risk", "workstation"),
            figures=("open_risks", "overdue_risks", "new_risks"),
        ),
        Slide(
            f"补点位置:{town.name}", "方案的第一处新增警务站在这里。", None,
            (*_GROUND, "workstation", "residential_area"),
            figures=("people", "covered_share", "gap_people"), focus=Focus("town", str(town.code)),
        ),
        Slide(
            "三个月来的变化", "三个月前与现在的警务站、风险和上图率。", None,
            (*_GROUND, "workstation", "risk"),
            figures=("posts", "covered_share", "mapped_share"), compare=Compare(CompareKind.DATES, before),
        ),
        Slide(
            scenario.name, "现状与方案:多覆盖多少人,见指标。", None, (*_GROUND, "workstation"),
            figures=("covered_share", "gap_people"), compare=Compare(CompareKind.SCENARIO, scenario=scenario.id),
        ),
        Slide(
            f"重点站点:{post.name}", "离新增位置最近的警务站。", None, (*_GROUND, "police_grid", "workstation"),
            focus=Focus("workstation", post.id),
        ),
    ]  # fmt: skip
    stories.create(district, accounts.demo_user(district, "presenter"), "示例汇报:警务网格运行情况", slides)


def _proposal(district: District, asked: str, asking: str) -> Proposal:
    """The safe house of the asking town that is nearest to the other town is to move across their border."""
    officer = accounts.demo_user(district, "officer2")
    ground = next(one.geometry for one in _living(district, Query("town")) if one.code == asked)
    own = _living(district, Query(_MOVED, grid=("town", asking)))
    house = min(own, key=lambda one: one.geometry.distance(ground))
    return proposals.propose_change(
        district, officer, _MOVED, house.id, base_revision=house.revision,
        geometry=_across(house.geometry, ground), reason="商铺迁到了贵辖区一侧,请核对后同意。",
    )  # fmt: skip


def _across(start: BaseGeometry, ground: BaseGeometry) -> Point:
    """The nearest place that lies a little inside of the ground."""
    return nearest_points(ground.buffer(-_BEYOND), start)[0]


def _living(district: District, query: Query) -> list[Element]:
    with district.database.read() as connection:
        return stored.find(connection, query)
