"""我的账号: who I am here, my password, where I am signed in, my tokens."""

import streamlit as st

from gridmap.domain.passwords import MIN_LENGTH
from gridmap.services import accounts
from gridmap.services.district import running
from gridmap.ui import gate, state, widgets
from gridmap.ui.words import area_words, layers_words, time_words

user = gate.require(with_first_password=True)

district = running()
mine = state.of(user)
key = gate.session_key() or ""

st.title("我的账号", anchor=False)
widgets.notices(user, "account")
if user.must_change_password:
    st.warning("您使用的是初始密码,请先修改密码,然后才能使用其他功能。")

about, password = st.columns(2, gap="large")

with about:
    st.subheader("账号信息", anchor=False)
    areas = accounts.area_titles(district, user.area)
    layers = {one.id: one.title for one in district.catalogue}
    widgets.table(
        ["项目", "内容"],
        [
            ("用户名", user.username),
            ("姓名或岗位", user.display_name),
            ("角色", user.role.title),
            (
                "可编辑的图层",
                layers_words(user.layers, layers) if accounts.may_write(user.role) else "无(只能查看)",
            ),
            ("责任区", area_words(user.area, areas) if accounts.may_write(user.role) else "无(只能查看)"),
        ],
        empty="",
    )
    st.caption("角色、图层和责任区由系统管理员设置。")

with password:
    st.subheader("修改密码", anchor=False)
    with st.form("account.password", clear_on_submit=True):
        old = st.text_input("当前密码", type="password", autocomplete="current-password", key="account.old")
        new = st.text_input("新密码", type="password", autocomplete="new-password", key="account.new")
        again = st.text_input(
            "再次输入新密码", type="password", autocomplete="new-password", key="account.again"
        )
        st.caption(f"至少 {MIN_LENGTH} 个字符(每个汉字按两个字符计),不含用户名,可用几个词组成的短句。")
        if st.form_submit_button("修改密码", type="primary"):
            if new != again:
                st.error("两次输入的新密码不一致,请重新输入。")
            elif widgets.attempt(
                user,
                lambda: accounts.change_password(district, user, old, new, key=key) or True,
                done="密码已修改,其他设备上的登录已全部退出。",
            ):
                st.rerun()

if user.must_change_password:
    st.stop()

st.subheader("登录中的设备", anchor=False)
sessions = accounts.own_sessions(district, user, key=key)
widgets.table(
    ["地址", "登录时间", "最近使用", "最迟退出", "说明"],
    [
        (
            one.address or "—",
            time_words(one.created_at),
            time_words(one.seen_at),
            time_words(one.ends_at),
            "当前设备" if one.is_current else "",
        )
        for one in sessions
    ],
    empty="没有登录记录。",
)
if any(not one.is_current for one in sessions) and st.button("退出其他设备", key="account.end_others"):
    accounts.end_own_sessions(district, user, key=key)
    mine.notice = "其他设备上的登录已全部退出。"
    st.rerun()

st.subheader("接口令牌", anchor=False)
st.caption("供 QGIS 等程序访问数据使用,权限与本账号相同。令牌只在创建时显示一次。")
widgets.tokens(user, district, "account", user.username)
