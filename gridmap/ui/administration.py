"""The sections of the administrator's page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import streamlit as st

from gridmap.domain.roles import WHOLE_DISTRICT, Role, User
from gridmap.services import accounts, jobs, names, status
from gridmap.services import district as districts
from gridmap.services.accounts import Account
from gridmap.services.district import District
from gridmap.ui import state, widgets
from gridmap.ui.state import Secret
from gridmap.ui.words import KINDS, action_words, ago, area_words, layers_words, size_words, time_words

PAGE = "admin"
_HANDOVER = "请通过安全的渠道告知本人,首次登录时须修改。离开或关闭后无法再次查看。"
_SCARCE_DISK_SHARE = 0.1
_BACKUP_DUE = timedelta(days=1, hours=6)


def _matches(text: str, *values: object) -> bool:
    return text.strip().casefold() in " ".join(map(str, values)).casefold()


# --- accounts ------------------------------------------------------------------------------------------


def accounts_tab(user: User) -> None:
    """The list of accounts, and everything that can be done to one."""
    district = districts.running()
    found = accounts.list_accounts(district, user)
    choices = accounts.area_choices(district)
    text = st.text_input("查找账号", placeholder="用户名、姓名或角色", key="admin.find")
    shown = [one for one in found if _matches(text, one.username, one.display_name, one.role.title)]
    _accounts_table(district, shown, choices)
    existing, new = st.columns(2, gap="large")
    with existing:
        st.subheader("管理账号", anchor=False)
        by_name = {one.username: one for one in shown}
        called = {name: one.display_name for name, one in by_name.items()}
        username = _account("选择账号", called, "admin.account")
        if username is not None:
            _rights_form(user, district, by_name[username], choices)
            _account_actions(user, district, by_name[username])
    with new:
        st.subheader("新建账号", anchor=False)
        _new_account_form(user, district, choices)


def _accounts_table(district: District, shown: list[Account], choices: dict[str, str]) -> None:
    layers = {one.id: one.title for one in district.catalogue}
    now = district.clock()
    widgets.table(
        ["用户名", "姓名或岗位", "角色", "责任区", "可编辑图层", "状态", "最近登录", "在线", "令牌"],
        [
            (
                one.username,
                one.display_name,
                one.role.title,
                *_rights_words(one, choices, layers),
                _account_state(one),
                ago(one.last_sign_in_at, now),
                one.session_count,
                one.token_count,
            )
            for one in shown
        ],
        empty="没有符合条件的账号。",
        height=420,
    )


def _rights_words(account: Account, choices: dict[str, str], layers: dict[str, str]) -> tuple[str, str]:
    if not accounts.may_write(account.role):
        return "—", "只能查看"
    return area_words(account.area, choices), layers_words(account.layers, layers)


def _account_state(account: Account) -> str:
    words = "启用" if account.is_active else "已停用"
    if account.must_change_password:
        words += ",待修改初始密码"
    return words + (",示例" if account.is_demo else "")


def _role_input(key: str, present: Role | None = None) -> Role:
    roles = list(Role)
    return st.selectbox(
        "角色",
        roles,
        index=roles.index(present) if present else 0,
        format_func=lambda one: one.title,
        key=key,
    )


def _rights_inputs(
    district: District, choices: dict[str, str], key: str, present: Account | None = None
) -> tuple[list[str], list[str]]:
    """Inputs for layers and area; answers both as the service takes them."""
    titles = {one.id: one.title for one in district.catalogue}
    chosen_layers = sorted(present.layers - {WHOLE_DISTRICT}) if present else []
    chosen_area = sorted(present.area - {WHOLE_DISTRICT}) if present else []
    layers = st.multiselect(
        "可编辑图层",
        list(titles),
        default=[one for one in chosen_layers if one in titles],
        format_func=lambda one: titles[one],
        placeholder="角色允许的全部图层",
        key=f"{key}.layers",
    )
    everywhere = st.checkbox(
        "责任区为全区", value=present is not None and WHOLE_DISTRICT in present.area, key=f"{key}.everywhere"
    )
    area = st.multiselect(
        "责任区(镇街、派出所、警务区或警务网格)",
        list(dict.fromkeys([*choices, *chosen_area])),
        default=chosen_area,
        format_func=lambda one: f"{one} {choices.get(one, '')}".strip(),
        placeholder="未勾选“全区”时,请选择",
        key=f"{key}.area",
    )
    return layers or [WHOLE_DISTRICT], [WHOLE_DISTRICT] if everywhere else area


def _rights_form(user: User, district: District, picked: Account, choices: dict[str, str]) -> None:
    key = f"admin.rights.{picked.username}"
    with st.form(key):
        name = st.text_input("姓名或岗位", value=picked.display_name, max_chars=60, key=f"{key}.name")
        role = _role_input(f"{key}.role", picked.role)
        layers, area = _rights_inputs(district, choices, key, picked)
        if not st.form_submit_button("保存权限", type="primary"):
            return
    done = widgets.attempt(
        user,
        lambda: (
            accounts.set_rights(
                district, user, picked.username, display_name=name, role=role, layers=layers, area=area
            )
            or True
        ),
        done=f"已保存账号 {picked.username} 的权限。",
    )
    if done:
        st.rerun()


def _account_actions(user: User, district: District, picked: Account) -> None:
    if picked.username == user.username:
        st.caption("这是您自己的账号:密码和登录请在“我的账号”管理,角色和停用须由另一名管理员操作。")
        return
    reset, revoke, active = st.columns(3)
    with reset:
        _reset_action(user, district, picked)
    with revoke:
        _revoke_action(user, district, picked)
    with active:
        _active_action(user, district, picked)


def _reset_action(user: User, district: District, picked: Account) -> None:
    with st.popover("重置密码", width="stretch"):
        st.write("将生成新的随机密码,并退出该账号的全部登录。")
        if st.button("确定重置", type="primary", key=f"admin.reset.{picked.username}"):
            password = widgets.attempt(user, lambda: accounts.reset_password(district, user, picked.username))
            if password is not None:
                _hand_over(user, f"账号 {picked.username} 的新密码", password)


def _revoke_action(user: User, district: District, picked: Account) -> None:
    with st.popover("强制下线", width="stretch", disabled=not picked.session_count):
        st.write(f"将结束该账号的 {picked.session_count} 处登录。")
        if st.button("确定下线", type="primary", key=f"admin.revoke.{picked.username}"):
            done = widgets.attempt(
                user,
                lambda: accounts.revoke_sessions(district, user, picked.username),
                done=f"已结束账号 {picked.username} 的全部登录。",
            )
            if done is not None:
                st.rerun()


def _active_action(user: User, district: District, picked: Account) -> None:
    verb = "停用" if picked.is_active else "启用"
    with st.popover(f"{verb}账号", width="stretch"):
        st.write(
            "停用后立即退出登录,令牌失效;历史记录保留。" if picked.is_active else "启用后可用原密码登录。"
        )
        if st.button(f"确定{verb}", type="primary", key=f"admin.active.{picked.username}"):
            done = widgets.attempt(
                user,
                lambda: accounts.set_active(district, user, picked.username, not picked.is_active) or True,
                done=f"已{verb}账号 {picked.username}。",
            )
            if done:
                st.rerun()


def _new_account_form(user: User, district: District, choices: dict[str, str]) -> None:
    with st.form("admin.new", clear_on_submit=False):
        username = st.text_input("用户名", max_chars=60, key="admin.new.username", autocomplete="off")
        name = st.text_input("姓名或岗位", max_chars=60, key="admin.new.name", autocomplete="off")
        role = _role_input("admin.new.role")
        layers, area = _rights_inputs(district, choices, "admin.new")
        if not st.form_submit_button("新建账号", type="primary"):
            return
    password = widgets.attempt(
        user,
        lambda: accounts.add(
            district, user, username=username, display_name=name, role=role, layers=layers, area=area
        ),
    )
    if password is not None:
        _hand_over(user, f"账号 {username.strip().casefold()} 的初始密码", password)


def _hand_over(user: User, title: str, password: str) -> None:
    state.of(user).secret = Secret(PAGE, title, password, _HANDOVER)
    st.rerun()


# --- tokens --------------------------------------------------------------------------------------------


def tokens_tab(user: User) -> None:
    """Everybody's tokens, and a new one for any account."""
    district = districts.running()
    found = {
        one.username: one.display_name for one in accounts.list_accounts(district, user) if one.is_active
    }
    st.caption("令牌供程序访问,权限与所属账号相同。只在创建时显示一次。")
    owner = _account("新令牌所属账号", found, "admin.token_owner")
    widgets.tokens(user, district, PAGE, None, owner)


# --- who came, who was refused -------------------------------------------------------------------------


def log_tab(user: User) -> None:
    """The access log, refusals and failed sign-ins first."""
    kind_column, text_column = st.columns([2, 1])
    with kind_column:
        kinds = st.multiselect(
            "类别",
            list(KINDS),
            default=["refusal", "sign_in_failed"],
            format_func=KINDS.__getitem__,
            placeholder="全部类别",
            key="admin.log_kinds",
        )
    with text_column:
        text = st.text_input("筛选", placeholder="用户、地址或对象", key="admin.log_text")
    district = districts.running()
    lines = accounts.access_lines(district, user, kinds=kinds, limit=500)
    called = names.with_accounts(district, [one.username for one in lines])
    shown = [
        one
        for one in lines
        if _matches(text, _name_words(one.username, called), one.address, one.target, one.detail)
    ]
    widgets.table(
        ["时间", "类别", "用户", "地址", "操作", "对象", "说明"],
        [
            (
                time_words(one.at, seconds=True),
                KINDS.get(one.kind, one.kind),
                _name_words(one.username, called),
                one.address or "—",
                action_words(one.action) or "—",
                one.target or "—",
                one.detail or "—",
            )
            for one in shown
        ],
        empty="没有符合条件的记录。",
        height=560,
    )
    st.caption("最多显示最近 500 条。“未知”表示输入的用户名不存在,为防误输密码,不记录原文。")


def _name_words(username: str, called: Mapping[str, str]) -> str:
    return f"未知({username[1:]})" if username.startswith("?") else called.get(username, "—")


# --- jobs ----------------------------------------------------------------------------------------------


def jobs_tab(user: User) -> None:
    """Work in the background, newest first; what still runs can be cancelled."""
    district = districts.running()
    found = jobs.list_jobs(district, user, limit=100)
    called = names.with_accounts(district, [one.username for one in found])
    widgets.table(
        ["提交时间", "任务", "提交人", "状态", "进度", "说明", "结束时间"],
        [
            (
                time_words(one.created_at),
                one.title,
                called[one.username],
                one.state.title,
                f"{one.progress:.0%}",
                one.message or "—",
                time_words(one.ended_at),
            )
            for one in found
        ],
        empty="还没有后台任务。",
        height=520,
    )
    open_jobs = [one for one in found if not one.state.is_final]
    if not open_jobs:
        return
    picked = st.selectbox(
        "取消任务",
        open_jobs,
        index=None,
        format_func=lambda one: f"{one.title} · {called[one.username]}",
        placeholder="请选择进行中的任务",
        key="admin.job",
    )
    if picked is not None and st.button("取消该任务", key="admin.cancel_job"):
        done = widgets.attempt(
            user, lambda: jobs.cancel(district, user, picked.id), done=f"已取消任务“{picked.title}”。"
        )
        if done is not None:
            st.rerun()


# --- the system ----------------------------------------------------------------------------------------


def status_tab(user: User) -> None:
    """Figures of the deployment, with a warning where one needs somebody."""
    district = districts.running()
    found = status.status(district, user)
    if found.disk_free < _SCARCE_DISK_SHARE * found.disk_total:
        st.error(f"磁盘剩余空间不足一成(还剩 {size_words(found.disk_free)}),请尽快清理。")
    if found.last_backup_at is None:
        st.warning("还没有备份记录。请运行 gridmap backup,并定期备份。")
    elif found.at - found.last_backup_at > _BACKUP_DUE:
        st.warning(f"最近一次备份在 {ago(found.last_backup_at, found.at)},请检查定时备份。")
    if found.has_demo_accounts:
        st.warning("存在示例账号,系统只接受本机访问。正式使用前请停用全部示例账号。")
    widgets.cards(
        {
            "版本": found.version,
            "数据库": found.database,
            "数据库大小": size_words(found.database_bytes),
            "磁盘剩余": f"{size_words(found.disk_free)} / {size_words(found.disk_total)}",
            "最近备份": time_words(found.last_backup_at) if found.last_backup_at else "从未",
            "在线登录": f"{len(found.sessions)} 处",
            "要素": f"{found.elements:,}(模拟 {found.simulated:,})",
            "历史版本": f"{found.revisions:,}",
            "数据序号": f"{found.sequence:,}",
        }
    )
    st.subheader("历史链校验值", anchor=False)
    st.caption("每次修改都会更新。与备份回执上的校验值比对,可确认历史记录未被改动(gridmap audit verify)。")
    widgets.table(["校验值"], [[found.chain_head]], empty="")
    st.subheader("在线登录", anchor=False)
    called = names.with_accounts(district, [one.username for one in found.sessions])
    widgets.table(
        ["用户", "地址", "登录时间", "最近使用", "最迟退出"],
        [
            (
                called[one.username],
                one.address or "—",
                time_words(one.created_at),
                time_words(one.seen_at),
                time_words(one.ends_at),
            )
            for one in found.sessions
        ],
        empty="当前无人登录。",
        height=360,
    )


def _account(label: str, called: Mapping[str, str], key: str) -> str | None:
    """The account that is picked; `called` has the name of each."""
    return st.selectbox(
        label,
        list(called),
        index=None,
        format_func=lambda one: f"{one} · {called[one]}",
        placeholder="请选择",
        key=key,
    )
