"""Streamlit's page becomes ours, and a strange one is refused."""

import re

import pytest

from gridmap.errors import Unavailable
from gridmap.ui.shell import adapted, first_files, page_html


def test_the_page_is_chinese_and_without_inline_scripts_or_strange_links() -> None:
    text = page_html("")
    assert '<html lang="zh-CN">' in text
    assert "<title>警务网格一张图</title>" in text
    assert "Streamlit" not in re.sub(r"<[^>]*>", "", text)
    assert "_stcore/agent" not in text
    assert not re.findall(r"<script>", text)
    assert not re.findall(r"""["'(]\s*(?:https?:)?//""", text)


@pytest.mark.parametrize("base", ["", "/gridmap"])
def test_everything_loads_from_the_root_whatever_page_is_open(base: str) -> None:
    text = page_html(base)
    links = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert links
    assert all(one.startswith((f"{base}/static/", f"{base}/assets/ui/")) for one in links)


def test_the_server_is_told_before_the_front_end_starts() -> None:
    text = page_html("")
    assert text.index("host.js") < text.index('<script type="module"')


def test_an_unknown_form_of_the_page_is_refused() -> None:
    with pytest.raises(Unavailable):
        adapted("<html><title>x</title></html>", "/", "v")


def test_the_first_page_and_the_map_are_fetched_ahead_from_here_and_can_be_kept() -> None:
    files = first_files("/gridmap")
    assert len(files) == len(set(files))
    assert all(one.startswith("/gridmap/") for one in files)
    for part in ("/static/js/index.", "ComponentInstance.", "vendor/leaflet/leaflet.js?v=", "map/main.js?v="):
        assert any(part in one for one in files), part
    # what is asked anew each time would be fetched twice
    assert all("/static/" in one or "?v=" in one or "leaflet-defaults" in one for one in files)
