"""The map's shell: the same script at every run, every file from this server, nothing forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import folium
import pytest
from folium.elements import JSCSSMixin

from gridmap.maps import offline, shell

FOLDER = shell.FOLDER


@pytest.fixture(autouse=True)
def restored_tables() -> Iterator[None]:
    """folium's tables are shared by the whole process: give them back as they were."""
    classes = [folium.Map, JSCSSMixin, *offline._subclasses(JSCSSMixin)]
    before = [
        (cls, n, vars(cls)[n]) for cls in classes for n in ("default_js", "default_css") if n in vars(cls)
    ]
    shell._localised.cache_clear()
    yield
    for cls, name, table in before:
        setattr(cls, name, table)
    shell._localised.cache_clear()


def _rendered(chart: folium.Map) -> str:
    return chart.get_root().render()


def _links(chart: folium.Map) -> list[str]:
    parts: list[Any] = [chart, *chart._children.values()]
    return [
        url
        for part in parts
        for _, url in [*getattr(part, "default_js", []), *getattr(part, "default_css", [])]
    ]


def test_two_shells_generate_the_same_script() -> None:
    assert _rendered(shell.make_map()) == _rendered(shell.make_map())


def test_another_mode_is_another_script() -> None:
    assert '"mode": "map"' in _rendered(shell.make_map())
    assert _rendered(shell.make_map()) != _rendered(shell.make_map(mode="overview"))


def test_every_file_is_asked_for_relative_to_the_applications_root() -> None:
    links = _links(shell.make_map())
    assert links
    assert all(link.startswith("../../assets/") for link in links)
    for link in links:
        file = FOLDER.parents[1] / link.removeprefix("../../").split("?")[0]
        assert file.is_file(), f"{link} is missing"


def test_scripts_load_after_what_they_stand_on() -> None:
    links = [link.split("?")[0].rsplit("/", 1)[-1] for link in _links(shell.make_map()) if ".js" in link]
    order = ["leaflet.js", "leaflet-geoman.min.js", "protomaps-leaflet.js", "boot.js"]
    assert [one for one in links if one in order] == order
    assert (shell.SCRIPTS[0], shell.SCRIPTS[-1]) == ("core", "main")


def test_every_script_of_the_folder_is_loaded_or_a_worker() -> None:
    scripts = {file.stem for file in FOLDER.glob("*.js")}
    shown = {one for names in shell.SHOW_SCRIPTS.values() for one in names}
    assert scripts == {*shell.SCRIPTS, *shell.COVERAGE_SCRIPTS, *shown, shell.BOOT, "live-worker"}


def test_the_coverage_page_alone_has_its_tools() -> None:
    made = _rendered(shell.make_map(mode="coverage"))
    assert _rendered(shell.make_map(mode="coverage")) == made
    assert all(
        f'"{one}"' in made and f'"{one}"' not in _rendered(shell.make_map()) for one in shell.COVERAGE_SCRIPTS
    )
    assert shell.scripts_of("coverage")[-1] == "main"


def test_the_version_changes_with_the_files(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    first = shell.asset_version(tmp_path)
    (tmp_path / "a.js").write_text("2")
    assert shell.asset_version(tmp_path) != first


def _scripts() -> dict[str, str]:
    return {file.name: file.read_text("utf-8") for file in FOLDER.glob("*.js")}


def test_no_script_of_ours_turns_text_into_html() -> None:
    """Names come from data: only text nodes may hold them."""
    ways = re.compile(
        r"\.innerHTML|\.outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|bindPopup|bindTooltip"
    )
    assert [f"{name}: {found}" for name, text in _scripts().items() for found in ways.findall(text)] == []


def test_every_write_carries_the_mark_against_forgery() -> None:
    """One place makes requests, so that none forgets it; tiles are read there only where they are drawn."""
    callers = {name for name, text in _scripts().items() if re.search(r"\bfetch\(", text)}
    assert callers == {"api.js", "tiles.js", "swipe.js"}
    assert 'all["X-Gridmap"] = "1"' in _scripts()["api.js"]


def test_a_shell_that_would_go_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = [*shell.MapApplication.default_js, ("x", "https://cdn.example.com/x.js")]
    monkeypatch.setattr(shell.MapApplication, "default_js", foreign)
    with pytest.raises(offline.ForeignAssetError):
        shell.make_map()
