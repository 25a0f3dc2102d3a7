"""Every script and style sheet of a map comes from this server."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import folium
import folium.plugins
import pytest
from branca.colormap import LinearColormap
from folium.elements import JSCSSMixin

import gridmap.maps
from gridmap.maps import offline
from gridmap.setup import vendor


def _classes() -> list[type]:
    return [folium.Map, JSCSSMixin, *offline._subclasses(JSCSSMixin)]


def _tables() -> list[tuple[type, str, list[tuple[str, str]]]]:
    names = ("default_js", "default_css")
    return [(cls, n, vars(cls)[n]) for cls in _classes() for n in names if n in vars(cls)]


# As this file is collected, before any test has made a map.
STOCK = _tables()


@pytest.fixture(autouse=True)
def stock_tables() -> Iterator[None]:
    """folium's tables are shared by the whole process: begin with its own, give them back as they were."""
    before = _tables()
    for cls, name, table in STOCK:
        setattr(cls, name, table)
    yield
    for cls, name, table in before:
        setattr(cls, name, table)


def _map(**options: object) -> folium.Map:
    return folium.Map(location=[30.9, 121.5], tiles=None, **options)


def plain(url: str) -> str:
    """The address without its fingerprint."""
    return url.partition("?")[0]


def test_a_stock_map_is_refused_before_localising() -> None:
    with pytest.raises(offline.ForeignAssetError) as refused:
        offline.require_local(_map())
    assert any("leaflet.js" in address for address in refused.value.addresses)


def test_a_localised_map_names_no_other_machine() -> None:
    offline.localise()
    chart = _map()
    folium.GeoJson({"type": "FeatureCollection", "features": []}).add_to(chart)
    folium.Marker([30.9, 121.5], popup="警务站", icon=folium.DivIcon(html="<b>站</b>")).add_to(chart)
    folium.LayerControl().add_to(chart)
    offline.require_local(chart)
    html = chart.get_root().render()
    assert "//cdn" not in html
    assert '"/assets/vendor/leaflet/leaflet.js?v=' in html


def test_leaflet_defaults_come_right_after_leaflet() -> None:
    offline.localise()
    names = [name for name, _ in folium.Map.default_js]
    assert names[names.index("leaflet") + 1] == offline.DEFAULTS_NAME


def test_localising_twice_changes_nothing_more() -> None:
    offline.localise()
    once = (list(folium.Map.default_js), list(folium.Map.default_css))
    offline.localise()
    assert (folium.Map.default_js, folium.Map.default_css) == once


def test_every_local_address_is_a_file_that_set_up_provides() -> None:
    offline.localise()
    provided = {offline.BASE + asset.target for asset in vendor.ASSETS}
    own = {offline.ASSETS + file.name for file in vendor.VENDOR.parent.glob("*.js")}
    used = {plain(url) for _, url in (*folium.Map.default_js, *folium.Map.default_css)}
    assert used <= provided | own


def test_a_vendored_file_is_kept_by_browsers_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ours(JSCSSMixin):
        default_js = [("ours", "/assets/vendor/ours.js")]

    monkeypatch.setattr(offline, "VENDOR", tmp_path)

    def address(content: str) -> str:
        (tmp_path / "ours.js").write_text(content, encoding="utf-8")
        Ours.default_js = [("ours", "/assets/vendor/ours.js")]
        offline.localise()
        return Ours.default_js[0][1]

    assert address("one") == address("one") != address("two")


def test_a_path_in_front_reaches_our_own_plugins_too() -> None:
    class Ours(JSCSSMixin):
        default_js = [
            ("ours", "/assets/ours.js"),
            ("geoman", "/assets/vendor/leaflet-geoman/leaflet-geoman.min.js"),
        ]

    offline.localise("/gridmap/assets/vendor/")
    assert [plain(url) for _, url in Ours.default_js] == [
        "/gridmap/assets/ours.js",
        "/gridmap/assets/vendor/leaflet-geoman/leaflet-geoman.min.js",
    ]
    assert "/gridmap/assets/vendor/leaflet/leaflet.css" in [plain(url) for _, url in folium.Map.default_css]


@pytest.mark.parametrize(
    "addition",
    [
        pytest.param(lambda: folium.plugins.MarkerCluster(), id="plugin without local files"),
        pytest.param(lambda: folium.TileLayer("OpenStreetMap"), id="tiles of another machine"),
        pytest.param(lambda: LinearColormap(["white", "red"]), id="colour map"),
    ],
)
def test_what_would_go_elsewhere_is_refused(addition) -> None:
    offline.localise()
    chart = _map()
    addition().add_to(chart)
    with pytest.raises(offline.ForeignAssetError):
        offline.require_local(chart)


def test_tiles_that_the_deployment_names_are_allowed() -> None:
    offline.localise()
    chart = _map()
    folium.TileLayer("http://tiles.intranet/{z}/{x}/{y}.png", attr="内网").add_to(chart)
    offline.require_local(chart, allowed_tiles={"http://tiles.intranet/{z}/{x}/{y}.png"})


def test_no_class_of_ours_names_another_machine() -> None:
    for module in pkgutil.walk_packages(gridmap.maps.__path__, "gridmap.maps."):
        importlib.import_module(module.name)
    offline.localise()
    ours = [cls for cls in _classes() if cls.__module__.startswith("gridmap.")] + [folium.Map]
    foreign = {
        f"{cls.__name__}: {url}"
        for cls in ours
        for name in ("default_js", "default_css")
        for _, url in getattr(cls, name, [])
        if urlsplit(url).netloc
    }
    assert not foreign


def test_a_base_that_is_no_vendor_folder_is_refused() -> None:
    with pytest.raises(ValueError, match="vendor/"):
        offline.localise("/static/")
