"""The server dies in the middle of the work and comes back: what was typed goes through, once."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from gridmap.services import elements
from tests.browser.server import run_server
from tests.support.district import ADMIN
from tests.support.live import map_frame, running_application
from tests.support.mapping import edit_fields, find, make_station, numbers, receipt, save_form, stored


def test_edits_deletions_and_half_filled_forms_outlive_a_killed_server(
    new_context, tmp_path: Path, watch
) -> None:
    watch.allow(
        "Failed to load resource|WebSocket|ERR_|status of|Client [Ee]rror|Connection|Streamlit server"
    )
    with running_application(tmp_path) as live:
        edited, deleted, open_form = (make_station(live) for _ in range(3))
        context = new_context()
        live.sign_in(context, "officer2")
        page = live.open_map(context)
        app = map_frame(page)
        find(app, deleted)
        app.get_by_role("button", name="删除").click()
        app.get_by_role("dialog").wait_for()
        live.server.kill()
        app.get_by_role("dialog").get_by_role("button", name="删除").click()
        expect(app.locator("#gm-pending")).to_contain_text("待发送 1")
        assert not stored(live, deleted).is_retired
        code = f"PAW{next(numbers)}"
        app.locator("#gm-add").click()
        app.get_by_role("button", name=re.compile("^平安屋")).click()
        app.locator("#gm-bar").get_by_role("button", name="坐标").click()
        box = app.get_by_role("dialog", name="用文字输入坐标")
        box.get_by_label("每行一个点").fill("121.53,30.94")
        box.get_by_role("button", name="使用这些坐标").click()
        app.get_by_label("编码").fill(code)
        app.get_by_label("名称").fill("断电时新增")
        save_form(app)
        expect(app.locator("#gm-pending")).to_contain_text("待发送 2")
        app.locator("#gm-pending").click()
        pending = app.get_by_role("dialog", name="待发送与草稿")
        expect(pending.locator("li")).to_have_count(2)
        pending.get_by_role("button", name="关闭").click()

        env = {
            "GRIDMAP_HOME": str(tmp_path),
            "GRIDMAP_DATABASE_URL": live.district.settings.database_url,
            "GRIDMAP_SECRET": "a secret of the tests",
            "GRIDMAP_SIGNINS_PER_MINUTE": "600",
        }
        log = tmp_path / "again.log"
        with run_server(env=env, log_file=log, port=live.server.port) as again:
            expect(app.locator("#gm-pending")).to_be_hidden()
            assert [one.name for one in elements.search(live.district, ADMIN, code)] == ["断电时新增"]
            assert (stored(live, deleted).is_retired, stored(live, deleted).revision) == (True, 2)
            find(app, edited)
            edit_fields(app, 名称="断电前改的")
            again.kill()
            save_form(app)
            expect(app.locator("#gm-pending")).to_contain_text("待发送 1")

        with run_server(env=env, log_file=log, port=live.server.port):
            receipt(app, "第 2 版")
            now = stored(live, edited)
            assert (now.name, now.revision) == ("断电前改的", 2)
            assert len(elements.history(live.district, ADMIN, edited.layer, edited.id)) == 2
            find(app, open_form)
            edit_fields(app, 名称="还没填完")
            page.reload()
            app.locator("body[data-ready]").wait_for()
            expect(app.get_by_label("名称")).to_have_value("还没填完")
            save_form(app)
            receipt(app, "第 2 版")
