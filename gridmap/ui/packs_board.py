"""材料包: what a pack is to hold, how far it is, and those that are finished."""

from __future__ import annotations

import streamlit as st

from gridmap.domain.periods import PeriodKind
from gridmap.domain.roles import Permission, User
from gridmap.services import briefings, cards, jobs, names, stories
from gridmap.services import district as districts
from gridmap.services.district import District
from gridmap.services.packs import shelf
from gridmap.services.packs.requests import Atlas, PackFormat, PackRequest, Paper
from gridmap.services.packs.shelf import Pack, PackFile, Started
from gridmap.services.standing import TOWN
from gridmap.services.stories import Story
from gridmap.storage.jobs import JobState
from gridmap.ui import gate, state, widgets
from gridmap.ui.element_words import literal
from gridmap.ui.words import size_words, time_words

_SHOWN = 10


def packs_tab(user: User) -> None:
    """The form on the left, what is under way and finished on the right."""
    district = districts.running()
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.subheader("制作材料包", anchor=False)
        if user.may(Permission.EXPORT):
            _order(user, district)
        else:
            widgets.empty("您没有导出权限。")
    with right:
        if state.of(user).show.pack is not None:
            _follow(user)
        st.subheader("已完成的材料包", anchor=False)
        found = shelf.list_packs(district, user)
        if not found:
            widgets.empty("还没有材料包。")
        called = names.of(district, [one.created_by for one in found])
        for one in widgets.page_of(found, size=_SHOWN, key="packs.page"):
            _pack(user, district, one, called[one.created_by])


# --- ordering ------------------------------------------------------------------------------------------------------


def _order(user: User, district: District) -> None:
    title = st.text_input("标题", "网格总览", max_chars=60, key="packs.title")
    formats = st.pills(
        "文件格式", list(PackFormat), default=[PackFormat.PDF], selection_mode="multi",
        format_func=lambda one: one.title, key="packs.formats",
    )  # fmt: skip
    has_overview = st.toggle("含全区总览", value=True, key="packs.overview")
    atlas = st.segmented_control(
        "分页图册", list(Atlas), default=Atlas.NONE, format_func=lambda one: one.title, key="packs.atlas",
        required=True,
    )  # fmt: skip
    town = None
    if atlas not in (None, Atlas.NONE):
        towns = dict(cards.area_codes(district, user, TOWN))
        town = st.selectbox(
            "图册范围", ["", *towns], format_func=lambda one: towns.get(one, "全区"),
            key="packs.town",
        )  # fmt: skip
    with st.container(horizontal=True):
        paper = st.segmented_control(
            "PDF 纸张(横向)", list(Paper), default=Paper.A4, format_func=lambda one: one.value.upper(),
            key="packs.paper", required=True,
        )  # fmt: skip
        period = st.segmented_control(
            "期间", list(PeriodKind), default=PeriodKind.MONTH, format_func=lambda one: one.title,
            key="packs.period", required=True,
        )  # fmt: skip
    written = {one.id: one.title for one in briefings.list_briefings(district, user)}
    briefing = st.selectbox(
        "附平安通报", ["", *written], format_func=lambda one: written.get(one, "不附"),
        key="packs.briefing",
    )  # fmt: skip
    told = {one.id: one.title for one in stories.list_stories(district, user) if one.slides}
    story = st.selectbox(
        "附汇报(一屏一页,前后对比为两页)", ["", *told], format_func=lambda one: told.get(one, "不附"),
        key="packs.story",
    )  # fmt: skip
    is_empty = not has_overview and not story and atlas in (None, Atlas.NONE)
    if not formats or is_empty:
        st.caption("请至少选择一种格式,以及总览、汇报或一种图册。")
    if st.button(
        "开始制作",
        type="primary",
        disabled=not formats or is_empty,
        icon=":material/inventory_2:",
        key="packs.start",
    ):
        request = PackRequest(
            title=title, formats=tuple(formats), atlas=atlas or Atlas.NONE, has_overview=has_overview,
            paper=paper or Paper.A4, period=period or PeriodKind.MONTH, town=town or None, briefing=briefing or None,
            story=story or None,
        )  # fmt: skip
        _begin(user, widgets.attempt(user, lambda: shelf.start(district, user, request)))


def order_story(user: User, story: Story) -> None:
    """Have a story's slides made as PDF and slides, and say where they will be."""
    district = districts.running()
    request = PackRequest(
        title=story.title[:60], formats=(PackFormat.PDF, PackFormat.PPTX), has_overview=False, story=story.id
    )
    _begin(user, widgets.attempt(user, lambda: shelf.start(district, user, request)), is_elsewhere=True)


def _begin(user: User, started: Started | None, *, is_elsewhere: bool = False) -> None:
    if started is None:
        return
    if started.job is not None:
        state.of(user).show.pack = started.job.id
        if is_elsewhere:
            state.of(user).notice = "正在后台制作,进度和文件见“材料包”。"
    else:
        where = "“材料包”列表" if is_elsewhere else "右侧列表最上方"
        state.of(user).notice = f"同样内容、同样数据的材料包今天已经做过,见{where}。"
    st.rerun()


@st.fragment(run_every="1s")
def _follow(user: User) -> None:
    """How far the pack is, looked at every second."""
    gate.require()
    district, mine = districts.running(), state.of(user)
    if mine.show.pack is None:
        st.rerun()
    job = jobs.get(district, user, mine.show.pack)
    if job.state.is_final:
        mine.show.pack = None
        if job.state is JobState.DONE:
            mine.notice = f"{job.title} 已完成。"
        else:
            mine.faults = [f"{job.title}:{job.message or job.state.title}"]
        st.rerun()
    words = job.message or ("排队等候" if job.state is JobState.QUEUED else "正在制作")
    st.progress(min(job.progress, 1.0), text=f"{literal(words)}(后台制作,可先去其他页面)")
    if st.button("取消制作", key="packs.cancel"):
        jobs.cancel(district, user, mine.show.pack)


# --- finished ------------------------------------------------------------------------------------------------------


def _pack(user: User, district: District, one: Pack, maker: str) -> None:
    with st.container(border=True, key=f"pack_{one.id}"):
        st.markdown(f"**{literal(one.title)}** · {one.request.what} · {one.pages} 页")
        simulated = " · 模拟数据" if one.is_simulated else ""
        st.caption(
            f"数据时间 {time_words(one.data_at)} · 数据序号 {one.sequence} · {literal(maker)} 于 "
            f"{time_words(one.created_at)} 制作{simulated}"
        )
        with st.container(horizontal=True):
            if not one.files:
                st.caption("文件不在本机(已清理,或恢复时没有材料包存档),可按原数据重做。")
            for file in one.files:
                _download(user, district, one, file)
            if st.button("按原数据重做", key=f"packs.again.{one.id}"):
                _begin(user, widgets.attempt(user, lambda: shelf.again(district, user, one.id)))
            if one.may_delete:
                _delete(user, district, one)


def _download(user: User, district: District, one: Pack, file: PackFile) -> None:
    st.download_button(
        f"{file.format.title}({size_words(file.bytes)})",
        # read, and written into the log, when somebody takes it
        lambda: shelf.fetch(district, user, one.id, file.format).path.read_bytes(),
        file_name=file.name, mime=file.media_type, on_click="ignore", icon=":material/download:",
        key=f"packs.file.{one.id}.{file.format.value}",
    )  # fmt: skip


def _delete(user: User, district: District, one: Pack) -> None:
    with st.popover("删除"):
        st.write("删除后文件不能恢复。")
        if st.button("确定删除", type="primary", key=f"packs.delete.{one.id}") and widgets.attempt(
            user, lambda: shelf.delete(district, user, one.id) or True, done="材料包已删除。"
        ):
            st.rerun()
