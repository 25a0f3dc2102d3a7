"""系统管理: accounts, tokens, the log, jobs and figures, for administrators."""

import pytest

from gridmap.domain.roles import Role
from gridmap.errors import AuthenticationRequired
from gridmap.services import accounts
from gridmap.services.accounts import SignInFailed
from tests.ui.conftest import Visit, fine, press, texts


@pytest.fixture
def admin(visit: Visit) -> Visit:
    return visit.sign_in("admin")


def pick(visit: Visit, username: str):
    page = visit.page("admin")
    return fine(page.selectbox(key="admin.account").set_value(username).run())


def account(visit: Visit, username: str) -> accounts.Account:
    return {one.username: one for one in accounts.list_accounts(visit.district, accounts.CONSOLE)}[username]


def test_the_list_shows_every_account_in_words(admin: Visit) -> None:
    shown = texts(admin.page("admin"))
    for words in ("officer2", "示例民警02", "东镇(街镇)", "网格管理员", "全区", "只能查看", "启用,示例"):
        assert words in shown


def test_a_search_narrows_the_list(admin: Visit) -> None:
    page = admin.page("admin")
    page.text_input(key="admin.find").set_value("研判").run()
    table = next(one for one in texts(page).split('<div class="gm-table"') if "可编辑图层" in one)
    assert "analyst" in table
    assert "officer2" not in table


def test_a_new_account_gets_a_password_that_is_shown_once(admin: Visit) -> None:
    page = admin.page("admin")
    page.text_input(key="admin.new.username").set_value("west01")
    page.text_input(key="admin.new.name").set_value("示例民警09")
    page.selectbox(key="admin.new.role").set_value(Role.OFFICER)
    page.multiselect(key="admin.new.layers").set_value(["workstation"])
    page.multiselect(key="admin.new.area").set_value(["310199101"])
    page = press(page, "新建账号")
    password = page.session_state["gridmap"].secret.text
    assert password in texts(page)
    made = account(admin, "west01")
    assert (made.role, made.layers, made.area) == (Role.OFFICER, {"workstation"}, {"310199101"})
    assert accounts.sign_in(admin.district, "west01", password, address="").user.must_change_password

    page = press(page, "已记下,不再显示")
    assert password not in texts(page)


def test_a_taken_name_is_refused_in_words(admin: Visit) -> None:
    page = admin.page("admin")
    page.text_input(key="admin.new.username").set_value("Officer")
    page.text_input(key="admin.new.name").set_value("又一个")
    page = press(page, "新建账号")
    assert "已被使用" in page.error[0].value


def test_a_reset_password_is_handed_over_once(admin: Visit) -> None:
    old = admin.passwords["viewer"]
    page = press(pick(admin, "viewer"), "确定重置")
    accounts.sign_in(admin.district, "viewer", page.session_state["gridmap"].secret.text, address="")
    with pytest.raises(SignInFailed):
        accounts.sign_in(admin.district, "viewer", old, address="")


def test_rights_are_changed_and_shown(admin: Visit) -> None:
    page = pick(admin, "officer")
    page.selectbox(key="admin.rights.officer.role").set_value(Role.GRID_KEEPER)
    page.checkbox(key="admin.rights.officer.everywhere").check()
    page = press(page, "保存权限")
    assert "已保存账号 officer 的权限。" in [one.value for one in page.success]
    made = account(admin, "officer")
    assert (made.role, made.area, made.layers) == (Role.GRID_KEEPER, {"*"}, {"*"})


def test_saving_rights_untouched_changes_nothing(admin: Visit) -> None:
    before = account(admin, "officer")
    press(pick(admin, "officer"), "保存权限")
    after = account(admin, "officer")
    assert (after.role, after.area, after.layers) == (before.role, before.area, before.layers)


def test_an_account_is_closed_and_opened_again(admin: Visit) -> None:
    key = accounts.sign_in(admin.district, "viewer", admin.passwords["viewer"], address="").key
    page = press(pick(admin, "viewer"), "确定停用")
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(admin.district, key)
    assert "已停用" in texts(page)
    page = press(page, "确定启用")
    assert account(admin, "viewer").is_active


def test_sessions_are_ended_from_here(admin: Visit) -> None:
    key = accounts.sign_in(admin.district, "viewer", admin.passwords["viewer"], address="").key
    press(pick(admin, "viewer"), "确定下线")
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(admin.district, key)


def test_the_own_account_has_no_such_buttons(admin: Visit) -> None:
    page = pick(admin, "admin")
    assert not [one for one in page.button if one.label in ("确定重置", "确定停用", "确定下线")]


def test_a_token_is_made_for_somebody_else(admin: Visit) -> None:
    page = admin.page("admin")
    page.text_input(key="admin.token_label").set_value("接口")
    page = press(page, "创建令牌")
    assert "请先选择令牌所属账号" in page.error[0].value
    page.selectbox(key="admin.token_owner").set_value("analyst").run()
    page.text_input(key="admin.token_label").set_value("接口")
    page = press(page, "创建令牌")
    token = page.session_state["gridmap"].secret.text
    assert accounts.user_of_token(admin.district, token).username == "analyst"


def test_the_log_shows_refusals_first_and_hides_what_was_typed_as_a_name(visit: Visit) -> None:
    with pytest.raises(SignInFailed):
        accounts.sign_in(visit.district, "my-secret-password", "x", address="10.9.9.9")
    visit.sign_in("viewer").page("admin")
    page = visit.sign_in("admin").page("admin")
    shown = texts(page)
    assert "10.9.9.9" in shown
    assert "未知(" in shown
    assert "my-secret-password" not in shown
    assert "拒绝" in shown
    assert "<td>系统管理</td>" in shown

    page.multiselect(key="admin.log_kinds").set_value(["sign_in"])
    page.text_input(key="admin.log_text").set_value("viewer").run()
    assert "10.9.9.9" not in texts(page)


def test_the_state_of_the_system_is_told_with_its_warnings(admin: Visit) -> None:
    page = admin.page("admin")
    shown = texts(page)
    with admin.district.database.read() as connection:
        from gridmap.storage.status import figures

        head = figures(connection).chain_head
    for words in ("GeoPackage(内嵌)", "从未", "18(模拟 0)", head, "还没有后台任务。"):
        assert words in shown
    warnings = " ".join(one.value for one in page.warning)
    assert "gridmap backup" in warnings
    assert "示例账号" in warnings
