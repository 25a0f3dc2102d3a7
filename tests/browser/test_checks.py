"""The automatic look finds what it should, and is silent about a good page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.checks import assert_looks_right, axe_violations, look

GOOD = """
<html lang="zh"><head><title>好</title></head><body style="font: 16px sans-serif; color: #111; background: #fff">
<main><h1>警务网格一张图</h1><p>核实时间 2026-03-02,详见<a href="#x" style="color:#1f4e9d">说明</a>。</p>
<button style="min-width: 44px; min-height: 44px; color: #fff; background: #1f4e9d">保存</button>
<label style="display:inline-block; min-height: 40px; min-width: 40px"><input type="checkbox"> 显示</label>
<div tabindex="0" style="width: 200px; overflow: auto; white-space: nowrap">很长的一行文字可以滚动看到后面的内容不算被截断因为有滚动条</div>
<div title="全名在提示里" style="width: 60px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap">全名在提示里</div>
<button disabled style="color: #ccc; background: #fff">停用</button>
</main></body></html>
"""

BAD = {
    "contrast": '<p style="color: #999">浅灰字</p>',
    "clipped": '<div style="width: 50px; overflow: hidden; white-space: nowrap">这一行被截断了看不见</div>',
    "overflow": '<div style="width: 3000px; height: 5px; background: #eee">宽</div>',
    "target": '<button style="width: 24px; height: 24px; padding: 0; color: #111; background: #fff">x</button>',
    "garbled": "<p>锟斤拷锟斤拷</p>",
    "glyph": "<p>\U000323b0</p>",
    "image": '<img src="data:image/png;base64,AAAA" alt="坏图" style="width: 50px; height: 50px">',
}


def test_a_good_page_has_no_flaws(page: Page) -> None:
    page.set_content(GOOD)
    assert_looks_right(page)
    assert axe_violations(page) == []


@pytest.mark.parametrize("kind", BAD)
def test_each_kind_of_flaw_is_found(page: Page, kind: str) -> None:
    page.set_content(GOOD.replace("</main>", BAD[kind] + "</main>"))
    assert {flaw.kind for flaw in look(page)} == {kind}


def test_faded_text_counts_as_it_is_seen(page: Page) -> None:
    page.set_content(GOOD.replace("</main>", '<div style="opacity: .4"><p>半透明</p></div></main>'))
    assert [flaw.text for flaw in look(page)] == ["半透明"]


def test_a_pale_placeholder_is_found(page: Page) -> None:
    style = "<style>::placeholder { color: #bbb; opacity: 1 }</style>"
    field = '<input placeholder="请输入" aria-label="名称" style="width: 200px; height: 40px">'
    page.set_content(GOOD.replace("</main>", style + field + "</main>"))
    assert [(flaw.kind, flaw.text) for flaw in look(page)] == [("contrast", "请输入")]


def test_flaws_inside_a_frame_are_found(page: Page) -> None:
    frame = '<iframe title="图" style="width: 300px; height: 200px" srcdoc="<p style=&quot;color:#aaa&quot;>框内</p>"></iframe>'
    page.set_content(GOOD.replace("</main>", frame + "</main>"))
    page.frame_locator("iframe").get_by_text("框内").wait_for()
    assert [flaw.text for flaw in look(page)] == ["框内"]


def test_what_is_ignored_is_not_looked_at(page: Page) -> None:
    page.set_content(GOOD.replace("</main>", '<div id="logo"><p style="color: #999">浅</p></div></main>'))
    assert look(page, ignore=["#logo"]) == []


def test_axe_finds_a_button_without_a_name(page: Page) -> None:
    page.set_content(GOOD.replace("</main>", '<button style="width: 44px; height: 44px"></button></main>'))
    assert any(line.startswith("button-name:") for line in axe_violations(page))
