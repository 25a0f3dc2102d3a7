"""系统管理: accounts, tokens, who came and who was refused, work in the background, the state of the system."""

import streamlit as st

from gridmap.domain.roles import Permission
from gridmap.ui import administration, gate, widgets

user = gate.require(Permission.ADMINISTER)

st.title("系统管理", anchor=False)
widgets.notices(user, "admin")

people, tokens, log, work, system = st.tabs(["账号", "接口令牌", "登录与拒绝记录", "后台任务", "系统状态"])

with people:
    administration.accounts_tab(user)
with tokens:
    administration.tokens_tab(user)
with log:
    administration.log_tab(user)
with work:
    administration.jobs_tab(user)
with system:
    administration.status_tab(user)
