"""
What a pack says, before anybody prints it: pages with figures, tables, charts, a map and notes.

Every format is made from these pages, so that a number is the same wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import shapely

from gridmap.domain.freshness import CHINA
from gridmap.domain.privacy import MASKED_COUNT
from gridmap.domain.roles import User
from gridmap.services import briefings, cards, figures, overview, reach, standing
from gridmap.services.cards import Card, PostCard
from gridmap.services.district import District
from gridmap.services.figures import Figure, Form, Ranking, Stamp
from gridmap.services.overview import Overview
from gridmap.services.packs import told
from gridmap.services.packs.page import Chart, MapSpec, Page, Table
from gridmap.services.packs.requests import Atlas, PackRequest, require_named, with_slides

BEFORE = "较上期"
_TOWNS_IN_CHART = 12
_ROWS_ON_PAGE = 18
_POST_REACH_DEGREES = 0.018


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """A pack's pages as `user` may see them, made one at a time, and the tables of the whole for the workbook."""

    user: User
    request: PackRequest
    stamp: Stamp
    overview: Overview
    stops: tuple[tuple[str, str], ...]
    district_title: str
    text: str = ""
    made: list[Page] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many pages there will be."""
        of_slides = sum(told.count(self.user, one, at=self.request.at) for one in self.request.slides)
        return len(self.stops) + of_slides + (len(_overview_pages(self)) if self.request.has_overview else 0)


def contents(district: District, user: User, request: PackRequest) -> Contents:
    """
    The pack's outline: figures of the whole, the slides of its story, which towns, grids or points have a page.

    Raises
    ------
    PermissionDenied, NotFound, InvalidInput
    """
    request = with_slides(district, user, request)
    require_named(district, user, request)
    whole = overview.overview(district, user, period=request.period, at=request.at)
    stops: list[tuple[str, str]] = []
    if request.atlas is Atlas.POINTS:
        stops = [
            (key, name) for key, _, name in cards.post_ids(district, user, at=request.at, town=request.town)
        ]
    elif request.atlas is not Atlas.NONE:
        stops = list(cards.area_codes(district, user, request.atlas.value, at=request.at, town=request.town))
    text = ""
    if request.briefing:
        text = briefings.get(district, user, request.briefing).text
    names = standing.layer_state(district, "district", request.at).name
    return Contents(
        user, request, whole.stamp, whole, tuple(stops), str(names[0]) if len(names) else "", text
    )


def pages(district: District, user: User, outline: Contents) -> Iterator[Page]:
    """The pages in order; each is made when it is asked for."""
    request = outline.request
    if request.has_overview:
        yield from (_dated(one, request) for one in _overview_pages(outline))
    for number, slide in enumerate(request.slides, 1):
        yield from told.pages(district, user, slide, number, at=request.at, stamp=outline.stamp)
    for key, _ in outline.stops:
        if request.atlas is Atlas.POINTS:
            post = cards.post_card(district, user, key, at=request.at)
            yield _dated(post_page(post, reach.shape(district, key, at=request.at)), request)
        else:
            card = cards.card(district, user, request.atlas.value, key, period=request.period, at=request.at)
            yield _dated(card_page(card), request)


def _dated(page: Page, request: PackRequest) -> Page:
    """The page with the pack's date on its map."""
    return page if page.map is None else replace(page, map=replace(page.map, at=request.at))


# --- the district -----------------------------------------------------------------------------------------


def _overview_pages(outline: Contents) -> list[Page]:
    whole, stamp = outline.overview, outline.stamp
    name = outline.district_title
    title = f"{name} {outline.request.title}".strip()
    found = [
        Page(
            title, whole.period.title, stamp, figures=whole.figures, tables=(grade_table(whole),),
            map=MapSpec(named=frozenset({standing.TOWN})), notes=overview_notes(whole), key="overview",
        ),
        Page(
            "街镇排名", whole.period.title, stamp, tables=(ranking_table(whole.towns),),
            charts=(ranking_chart(whole.towns, "overdue"), ranking_chart(whole.towns, "open_risks")),
            notes=_ranking_notes(whole), key="towns",
        ),
        Page(
            "变化趋势", whole.period.title, stamp, tables=(change_table(whole),),
            charts=tuple(trend_chart(one) for one in whole.trends if one.is_line),
            notes="近十二个整周的变化,按周一至周日统计。", key="trends",
        ),
    ]  # fmt: skip
    if outline.text:
        paragraphs = tuple(one for one in outline.text.splitlines() if one.strip())
        found.append(
            Page(
                "平安通报",
                whole.period.title,
                stamp,
                paragraphs=paragraphs,
                notes=outline.text,
                key="briefing",
            )
        )
    return found


def overview_notes(whole: Overview) -> str:
    """What a speaker says to the overview."""
    values = briefings.figures_by_name(whole)
    return (
        briefings.fill(
            "{period_title}重点:人口 {people} 人,覆盖率 {covered_share}{covered_share_change},未覆盖 {gap_people} 人;"
            "逾期未核实 {overdue} 个{overdue_change};未结风险 {open_risks} 处{open_risks_change},"
            "其中超期 {overdue_risks} 处。逾期较多:{overdue_towns}。\n",
            values,
        )
        + whole.stamp.text
    )


def _ranking_notes(whole: Overview) -> str:
    values = briefings.figures_by_name(whole)
    return briefings.fill("逾期较多的街镇:{overdue_towns}。未结风险较多的街镇:{risk_towns}。", values)


def grade_table(whole: Overview) -> Table:
    """Open and overdue risks by grade."""
    rows = [(one.title, one.open, one.overdue) for one in whole.grades]
    return Table(
        "风险分级", ("等级", "未结(处)", "超期(处)"),
        tuple((title, _count(opened), _count(late)) for title, opened, late in rows),
        tuple((title, _cell(opened), _cell(late)) for title, opened, late in rows), ("@", "#,##0", "#,##0"),
    )  # fmt: skip


def _count(value: float | None) -> str:
    return MASKED_COUNT if value is None else f"{value:,.0f}"


def _cell(value: float | None) -> Any:
    return MASKED_COUNT if value is None else value


_EXCEL = {Form.COUNT: "#,##0", Form.SHARE: "0.0%", Form.DECIMAL: "0.00"}


def ranking_table(ranking: Ranking) -> Table:
    """Every town or grid with all its figures."""
    headers = tuple(f"{one.title}({one.unit})" if one.unit else one.title for one in ranking.columns)
    return Table(
        f"{ranking.title}指标", ("编码", ranking.title, *headers),
        tuple((row.code, row.name, *(row.text(one) for one in ranking.columns)) for row in ranking.rows),
        tuple(
            (row.code, row.name, *(MASKED_COUNT if one.key in row.hidden else row.values[one.key] for one in ranking.columns))
            for row in ranking.rows
        ),
        ("@", "@", *(_EXCEL[one.form] for one in ranking.columns)),
    )  # fmt: skip


def figure_table(figures: Sequence[Figure], title: str = "主要指标") -> Table:
    """Headline figures with their change."""
    # a scenario's figures are against today
    is_mixed = any(one.against for one in figures)
    changes = [
        f"{one.against or BEFORE} {one.change_text}" if is_mixed and one.change_text else one.change_text
        for one in figures
    ]
    return Table(
        title, ("指标", "数值", "单位", "变化" if is_mixed else BEFORE),
        tuple((one.title, one.text, one.unit, change or "–") for one, change in zip(figures, changes, strict=True)),
        tuple(
            (one.title, MASKED_COUNT if one.is_hidden else one.value, one.unit, change)
            for one, change in zip(figures, changes, strict=True)
        ),
        ("@", "", "@", "@"),
    )  # fmt: skip


def change_table(whole: Overview) -> Table:
    """Each headline figure now and at the end of the period before."""
    figures = whole.figures
    before = [Figure(one.key, one.title, one.before, one.unit, one.form) for one in figures]
    return Table(
        "与上期对比", ("指标", "本期", whole.period.kind.before_title, "变化"),
        tuple(
            (f"{one.title}({one.unit})" if one.unit else one.title, one.text, then.text, one.change_text or "–")
            for one, then in zip(figures, before, strict=True)
        ),
        tuple(
            (one.title, MASKED_COUNT if one.is_hidden else one.value, one.before, one.change) for one in figures
        ),
        ("@", "", "", ""),
    )  # fmt: skip


def ranking_chart(ranking: Ranking, key: str) -> Chart:
    """The first towns of a ranking as bars."""
    column = next(one for one in ranking.columns if one.key == key)
    rows = [one for one in ranking.ordered(key) if one.values[key] is not None][:_TOWNS_IN_CHART]
    values = tuple(one.values[key] for one in rows)
    return Chart(
        column.title,
        column.unit,
        tuple(one.name for one in rows),
        ((column.title, values),),
        form=column.form,
    )


def trend_chart(trend: figures.Trend) -> Chart:
    """A trend as a line over weeks."""
    days = tuple(f"{at.astimezone(CHINA):%m-%d}" for at, _ in trend.points)
    values = tuple(value for _, value in trend.points)
    return Chart(trend.title, trend.unit, days, ((trend.title, values),), is_line=True, form=trend.form)


# --- cards ------------------------------------------------------------------------------------------------


def card_page(card: Card) -> Page:
    """A town or grid on a page (一格一图)."""
    facts = [("编码", card.code), ("面积", f"{card.area_km2:,.2f} km²")]
    if card.layer == standing.GRID:
        facts += [("所属街镇", card.town or "–"), ("社区民警", card.officer or "–")]
    tables = [_posts_table(card), _counts_table(card)]
    if card.risks:
        tables.insert(0, _risks_table(card))
    changes = "、".join(
        f"{one.title}新增 {one.created}、修改 {one.updated}、核实 {one.verified}" for one in card.changes[:4]
    )
    return Page(
        card.name or card.code, f"{card.layer_title} · {card.period.title}", card.stamp, card.figures, tuple(facts),
        tuple(one for one in tables if one.rows),
        map=MapSpec(
            tuple(shapely.bounds(card.geometry).tolist()), (card.geometry, card.name or card.layer_title),  # type: ignore[arg-type]
            named=frozenset({standing.GRID if card.layer == standing.TOWN else "workstation"}),
        ),
        notes=f"{card.name}:" + ",".join(f"{one.title} {one.text}{one.unit}" for one in card.figures)
        + (f"。{card.period.kind.title}变化:{changes}" if changes else "") + "。",
        key=card.code,
    )  # fmt: skip


def _posts_table(card: Card) -> Table:
    rows = tuple((one.layer_title, one.code, one.name) for one in card.posts)
    return Table("警务支点", ("类别", "编码", "名称"), rows, rows, ("@", "@", "@"))


def _risks_table(card: Card) -> Table:
    rows = tuple(
        (
            one.grade_title,
            one.category,
            one.state,
            f"{one.deadline_on or '–'}{'(超期)' if one.is_overdue else ''}",
        )
        for one in card.risks
    )
    return Table("未结风险", ("等级", "类别", "状态", "期限"), rows, rows, ("@",) * 4)


def _counts_table(card: Card) -> Table:
    values = tuple((one.title, one.total, one.created, one.updated, one.verified) for one in card.counts)
    rows = tuple((one[0], *(f"{number:,}" for number in one[1:])) for one in values)
    headers = ("图层", "总数", "新增", "修改", "核实")
    return Table(f"要素与{card.period.kind.title}变化", headers, rows, values, ("@", *["#,##0"] * 4))


def post_page(post: PostCard, reached: shapely.Geometry | None) -> Page:
    """A linkage point on a page."""
    place = post.place
    facts = [
        ("编码", place.code),
        ("所在街镇", post.town or "–"),
        ("所在网格", post.grid or "–"),
        *post.facts,
    ]
    if post.nearest is not None and post.nearest_m is not None:
        facts.append(("最近的其他警务站", f"{post.nearest.name}(直线 {post.nearest_m:,.0f} 米)"))
    box = (
        place.lon - _POST_REACH_DEGREES, place.lat - _POST_REACH_DEGREES * 0.75,
        place.lon + _POST_REACH_DEGREES, place.lat + _POST_REACH_DEGREES * 0.75,
    )  # fmt: skip
    shown = None
    if reached is not None and not shapely.is_empty(reached):
        bounds = shapely.bounds(reached)
        box = tuple(bounds.tolist())  # type: ignore[assignment]
        shown = (reached, "服务范围")
    return Page(
        place.name or place.code, "网格警务连接点", post.stamp, post.figures, tuple(facts),
        map=MapSpec(box, reach=shown, named=frozenset({cards.POST})),
        notes=f"{place.name}:" + ",".join(f"{one.title} {one.text}{one.unit}" for one in post.figures) + "。",
        key=place.code or place.element_id,
    )  # fmt: skip
