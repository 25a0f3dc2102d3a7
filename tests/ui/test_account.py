"""我的账号: people see their own data, change their password, end other sessions, handle their tokens."""

import pytest

from gridmap.errors import AuthenticationRequired
from gridmap.services import accounts
from tests.ui.conftest import Visit, press, texts

GOOD = "grey-otter-48-moss"


def change_password(visit: Visit, old: str, new: str, again: str):
    page = visit.page("account")
    for key, text in (("old", old), ("new", new), ("again", again)):
        page.text_input(key=f"account.{key}").set_value(text)
    return press(page, "修改密码")


def test_an_officer_sees_role_and_area_in_words(visit: Visit) -> None:
    shown = texts(visit.sign_in("officer").page("account"))
    assert "社区民警" in shown
    assert "西镇(街镇)" in shown
    assert "角色允许的全部图层" in shown


def test_a_viewer_reads_that_nothing_may_be_edited(visit: Visit) -> None:
    shown = texts(visit.sign_in("viewer").page("account"))
    assert shown.count("无(只能查看)") == 2


def test_a_changed_password_keeps_this_session_and_ends_the_others(visit: Visit) -> None:
    other = visit.sign_in("viewer").key
    old = visit.passwords["viewer"]
    page = change_password(visit.sign_in("viewer"), old, GOOD, GOOD)
    assert [one.value for one in page.success] == ["密码已修改,其他设备上的登录已全部退出。"]
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(visit.district, other)
    accounts.sign_in(visit.district, "viewer", GOOD, address="")
    page.run()
    assert not page.success


@pytest.mark.parametrize(
    ("old", "new", "again", "words"),
    [
        (None, GOOD, GOOD + "x", "两次输入的新密码不一致"),
        (None, "short", "short", "至少需要 12 个字符"),
        ("wrong", GOOD, GOOD, "用户名或密码不正确"),
    ],
)
def test_a_refused_password_says_why_and_changes_nothing(
    visit: Visit, old: str | None, new: str, again: str, words: str
) -> None:
    present = visit.passwords["viewer"]
    page = change_password(visit.sign_in("viewer"), old or present, new, again)
    assert words in page.error[0].value
    accounts.sign_in(visit.district, "viewer", present, address="")


def test_with_the_first_password_only_the_form_is_there(visit: Visit) -> None:
    first = accounts.reset_password(visit.district, accounts.CONSOLE, "viewer")
    page = visit.sign_in("viewer", first).page("account")
    assert "初始密码" in page.warning[0].value
    assert [one.label for one in page.button] == ["修改密码"]

    page = change_password(visit, first, GOOD, GOOD)
    assert not page.warning
    assert "创建令牌" in [one.label for one in page.button]


def test_other_sessions_are_listed_and_ended(visit: Visit) -> None:
    other = visit.sign_in("viewer").key
    page = visit.sign_in("viewer").page("account")
    assert texts(page).count("当前设备") == 1
    page = press(page, "退出其他设备")
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(visit.district, other)
    assert "退出其他设备" not in [one.label for one in page.button]


def test_a_token_is_shown_once_and_can_be_revoked(visit: Visit) -> None:
    page = visit.sign_in("officer").page("account")
    page.text_input(key="account.token_label").set_value("QGIS <b>")
    page = press(page, "创建令牌")
    token = page.session_state["gridmap"].secret.text
    assert token in texts(page)
    assert "QGIS &lt;b&gt;" in texts(page)
    assert accounts.user_of_token(visit.district, token).username == "officer"

    page = press(page, "已记下,不再显示")
    assert token not in texts(page)
    [row] = accounts.list_tokens(visit.district, accounts.CONSOLE, "officer")
    page.selectbox(key="account.token_picked").select_index(0).run()
    page = press(page, "确定撤销")
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_token(visit.district, token)
    assert "已撤销" in texts(page)


def test_a_secret_does_not_follow_to_another_page(visit: Visit) -> None:
    page = visit.sign_in("admin").page("account")
    page.text_input(key="account.token_label").set_value("脚本")
    page = press(page, "创建令牌")
    page.session_state["gridmap"].secret.page = "admin"
    page.run()
    assert page.session_state["gridmap"].secret is None
