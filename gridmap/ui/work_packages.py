"""工作包: elements taken along in a GeoPackage for QGIS or QField, and their edits brought back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from gridmap.domain.layers import Layer
from gridmap.domain.roles import Permission, User
from gridmap.services import access, names, packages
from gridmap.services import district as districts
from gridmap.services.district import District
from gridmap.services.packages import Returned
from gridmap.storage.packages import WorkPackage
from gridmap.ui import element_filters as filters
from gridmap.ui import state, widgets
from gridmap.ui.element_words import literal
from gridmap.ui.element_work import Download
from gridmap.ui.words import size_words, time_words

_MEDIA_TYPE = "application/geopackage+sqlite3"


def take_tab(user: User) -> None:
    """Make a package and take it along."""
    district = districts.running()
    layers = _layers(district, user)
    if not layers:
        widgets.empty("您没有可编辑的图层,不能领取工作包。")
        return
    st.write(
        "工作包是一个 GeoPackage 文件,带有每个要素的标识和版本,可以在没有网络的地方用 QGIS 或 QField 修改。"
        "修改后在“带回”中上传:没有冲突的自动入库,有冲突的进入“待办”等您决定。"
    )
    with st.container(border=True, key="packages_take"):
        title = st.text_input(
            "工作包名称", value="工作包", max_chars=60, width=320, key="packages.title"
        ).strip()
        chosen = st.multiselect(
            "图层", list(layers), format_func=lambda one: layers[one].title, placeholder="请选择图层",
            key="packages.layers",
        )  # fmt: skip
        with st.container(horizontal=True, vertical_alignment="bottom"):
            grid = filters.grid_input(district, "packages.take")
        if not user.writes_everywhere:
            st.caption("只包含您责任区内的要素。")
        if st.button("生成工作包", type="primary", disabled=not (chosen and title), key="packages.make"):
            _make(district, user, chosen, title, grid)
    _download(user)


def _layers(district: District, user: User) -> dict[str, Layer]:
    if not user.may(Permission.EXPORT):
        return {}
    return {
        one.id: one
        for one in district.catalogue
        if access.may_edit(user, one) and len(district.frames.frame(one.id))
    }


def _make(
    district: District, user: User, chosen: list[str], title: str, grid: tuple[str, str] | None
) -> None:
    mine = state.of(user)
    mine.package = None
    with st.spinner("正在生成工作包…"), tempfile.TemporaryDirectory(prefix="gridmap-package-") as folder:
        sent = widgets.attempt(
            user,
            lambda: packages.send(
                district, user, chosen, Path(folder) / "package.gpkg", title=title, grid=grid
            ),
        )
        if sent is None:
            return
        parts = "、".join(
            f"{district.catalogue.layer(layer).title} {count:,} 个" for layer, count in sent.rows.items()
        )
        mine.package = Download(
            (sent.package.id,), sent.suggested_name, _MEDIA_TYPE, sent.path.read_bytes(), (parts,)
        )


def _download(user: User) -> None:
    made = state.of(user).package
    if made is None:
        return
    with st.container(border=True, key="packages_download"):
        st.write(
            literal(f"工作包已生成:{made.name}({size_words(len(made.content))}),{''.join(made.notes)}。")
        )
        st.download_button(
            "下载工作包", made.content, file_name=made.name, mime=made.media_type, type="primary",
            on_click="ignore", key="packages.download",
        )  # fmt: skip
        st.caption("请不要改动 id、revision、package 三列;删除一行就是删除该要素,新增的行不用填这三列。")


# --- bringing back -------------------------------------------------------------------------------------------


def return_tab(user: User) -> None:
    """Upload an edited package: first what it would do, then do it."""
    district = districts.running()
    st.write("上传改好的工作包,先看会发生什么,再确认入库。同一个文件带回两次,第二次什么也不会改变。")
    file = st.file_uploader("改好的工作包(.gpkg)", type=["gpkg"], key="packages.file")
    if file is None:
        return
    taken = [one for one in packages.sent(district, user)]
    package_id = None
    if st.checkbox("文件中的行已全部删除,由我指明是哪个工作包", key="packages.states"):
        package_id = _which(taken)
        if package_id is None:
            return
    content = file.getvalue()
    with st.spinner("正在与现在的数据比对…"):
        found = widgets.attempt(
            user,
            lambda: packages.bring_back(
                district, user, content, filename=file.name, package_id=package_id, dry_run=True
            ),
        )
    if found is None:
        return
    _report(found, is_trial=True)
    total = len(found.created) + len(found.changed) + len(found.deleted) + len(found.waiting)
    if st.button(f"入库({total} 处)", type="primary", disabled=not total, key="packages.bring"):
        with st.spinner("正在入库…"):
            done = widgets.attempt(
                user,
                lambda: packages.bring_back(
                    district, user, content, filename=file.name, package_id=package_id
                ),
            )
        if done is not None:
            state.of(user).notice = literal(_words(done))
            st.rerun()


def _which(taken: list[WorkPackage]) -> str | None:
    called = names.of(districts.running(), [one.username for one in taken])
    words = {one.id: f"{one.title} · {called[one.username]} · {time_words(one.at)}" for one in taken}
    return st.selectbox(
        "工作包",
        list(words),
        index=None,
        format_func=words.__getitem__,
        placeholder="请选择",
        key="packages.which",
    )


def _words(done: Returned) -> str:
    sentence = (
        f"“{done.package.title}”已带回:新增 {len(done.created)} 个,修改 {len(done.changed)} 个"
        f"(其中 {len(done.merged)} 个与他人的修改合并),删除 {len(done.deleted)} 个,未变 {done.unchanged} 个。"
    )
    return sentence + (f"另有 {len(done.waiting)} 个请到“待办”中决定。" if done.waiting else "")


def _report(found: Returned, *, is_trial: bool) -> None:
    widgets.cards(
        {
            "新增": f"{len(found.created)} 个",
            "修改": f"{len(found.changed)} 个",
            "删除": f"{len(found.deleted)} 个",
            "需要您决定": f"{len(found.waiting)} 个",
            "未变": f"{found.unchanged} 个",
        }
    )
    for one in found.notes:
        st.caption(literal(one))
    if found.waiting:
        widgets.table(
            ["问题", "说明"],
            [(one.problem.title, one.message) for one in found.waiting],
            empty="",
            height=260,
        )


# --- what went out -------------------------------------------------------------------------------------------


def list_tab(user: User) -> None:
    """The packages that went out."""
    district = districts.running()
    found = packages.sent(district, user)
    called = names.of(district, [one.username for one in found])
    rows = [
        (
            one.title, called[one.username], time_words(one.at),
            "、".join(district.catalogue.layer(layer).title for layer in one.contents),
            sum(map(len, one.contents.values())), time_words(one.returned_at),
        )
        for one in found
    ]  # fmt: skip
    widgets.table(
        ["名称", "领取人", "领取时间", "图层", "要素数", "最近带回"],
        rows,
        empty="还没有领取过工作包。",
        height=520,
    )
