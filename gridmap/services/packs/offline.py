"""
A pack as one HTML file that needs no network: the map with its layers and popups, figures and tables beside it.

folium builds the map; every script, style sheet, picture and the font's subset are written into the file, which is
then searched for anything that would still make a browser ask another machine.
"""

from __future__ import annotations

import base64
import functools
import html
import json
import mimetypes
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from types import MappingProxyType
from typing import Any

import folium
import numpy as np
import shapely
from folium.utilities import JsCode

from gridmap.domain.layers import GeometryType, Layer, Symbol
from gridmap.domain.roles import User
from gridmap.errors import GridmapError
from gridmap.maps import fonts, offline, styles
from gridmap.maps.painting import symbol_title
from gridmap.services import pictures, standing
from gridmap.services.district import District
from gridmap.services.figures import SIMULATED, Figure
from gridmap.services.packs.contents import BEFORE, Contents, grade_table, ranking_table
from gridmap.services.packs.page import Page, Table

_ASSETS = Path(__file__).resolve().parents[2] / "assets"
_NAME = "gridmap_offline"
# Roads that are drawn only closer than this stay out: the file must open from a stick in a second.
_BASEMAP_ZOOM = 12
_SHOWN_ZOOM = 13
_SIMPLIFY_DEGREES = 4e-5
_DIGITS = 6
_FONT_NAME = "GridmapSans"
# Where the panel and, later, the pictures in it go.
_PANEL = "<!--gridmap-panel-->"
_MARK = "\0%s\0"
_PICTURE = re.compile("\0([^\0]*)\0")


class ForeignReference(GridmapError):
    """
    The finished page would ask another machine for something.

    Attributes
    ----------
    addresses : what it would fetch
    """

    status = 500
    title = "离线网页引用了外部网络资源,已停止生成"


def write(
    target: Path,
    district: District,
    user: User,
    outline: Contents,
    pages: Sequence[Page],
    *,
    maker: str,
    watermark: str,
    pictures_of: Mapping[str, Path] = MappingProxyType({}),
) -> None:
    """
    Write the page into the file `target`.

    `pictures_of` are JPEG files by the key of the page that they stand in: maps that the file's one map does not
    show. They are read one at a time.

    Raises
    ------
    ForeignReference, Unavailable (set-up has not brought the assets)
    """
    text = _page(district, user, outline, pages, frozenset(pictures_of), maker=maker, watermark=watermark)
    with target.open("w", encoding="utf-8", newline="\n") as file:
        # every second part is the key of a picture
        for number, part in enumerate(_PICTURE.split(text)):
            file.write(base64.b64encode(pictures_of[part].read_bytes()).decode() if number % 2 else part)


def _page(
    district: District,
    user: User,
    outline: Contents,
    pages: Sequence[Page],
    pictured: Set[str],
    *,
    maker: str,
    watermark: str,
) -> str:
    offline.localise()
    box = pictures.district_box(district, outline.request.at)
    chart = folium.Map(
        tiles=None,
        prefer_canvas=True,
        zoom_control=True,
        attribution_control=False,
        width="100%",
        height="100%",
    )
    chart._id = _NAME.removeprefix("map_")
    chart.options.update(max_zoom=19, min_zoom=8)
    legend: list[str] = []
    for layer in pictures.shown_layers(district, user, outline.request.layers):
        legend += _add_layer(chart, district, layer, outline)
    chart.fit_bounds([[box[1], box[0]], [box[3], box[2]]])
    folium.LayerControl(collapsed=True).add_to(chart)
    root = chart.get_root()
    root.title = html.escape(outline.request.title)
    root.html.add_child(folium.Element(_PANEL))
    # what people wrote never passes through folium's templates: it could be one
    text = _inlined(root.render()).replace(
        _PANEL, _panel(outline, pages, legend, maker, watermark, pictured), 1
    )
    text = text.replace("</head>", f"<style>{_style(text)}</style></head>", 1)
    # after folium's own script, which stands at the very end
    head, end, tail = text.rpartition("</html>")
    text = f"{head}<script>{_SCRIPT % {'map': chart.get_name()}}</script>{end}{tail}"
    text = text.replace("<html>", '<html lang="zh-CN">', 1)
    _require_alone(text)
    return text


# --- layers -----------------------------------------------------------------------------------------------


def _add_layer(chart: folium.Map, district: District, layer: Layer, outline: Contents) -> list[str]:
    """Put a layer onto the map; its lines of the legend."""
    state = standing.layer_state(district, layer.id, outline.request.at)
    rule = layer.symbol_rule
    values = [json.loads(one) if rule else {} for one in state.properties]
    groups: dict[int, tuple[Symbol, list[int]]] = {}
    for row, one in enumerate(values):
        symbol = layer.symbol_for(one)
        if not (layer.is_basemap and symbol.min_zoom > _BASEMAP_ZOOM):
            groups.setdefault(id(symbol), (symbol, []))[1].append(row)
    if not groups:
        return []
    group = folium.FeatureGroup(
        name=html.escape(layer.title), show=layer.min_zoom <= _SHOWN_ZOOM, control=True
    )
    for symbol, rows in groups.values():
        features = [_feature(layer, symbol, state, row, values[row]) for row in rows]
        _geojson(layer, symbol, {"type": "FeatureCollection", "features": features}).add_to(group)
    group.add_to(chart)
    return [_legend_line(layer, symbol) for symbol, _ in groups.values()]


def _legend_line(layer: Layer, symbol: Symbol) -> str:
    if layer.geometry is GeometryType.POINT:
        picture = _svg(symbol, 16)
    else:
        is_area = layer.geometry is GeometryType.AREA
        fill = f'fill="{symbol.color}" fill-opacity="{symbol.fill_opacity:g}"' if is_area else 'fill="none"'
        path = "M2 3h20v10H2z" if is_area else "M1 8h22"
        dash = " ".join(f"{one * 2:g}" for one in styles.DASHES.get(symbol.shape, []))
        picture = (
            f'<svg width="24" height="16"><path d="{path}" {fill} stroke="{symbol.color}" stroke-width="2" '
            f'stroke-dasharray="{dash}"/></svg>'
        )
    return f"<span>{picture}{html.escape(symbol_title(layer, symbol))}</span>"


def _geojson(layer: Layer, symbol: Symbol, collection: dict[str, Any]) -> folium.GeoJson:
    look = {
        "color": symbol.color,
        "weight": max(1.0, symbol.size * (0.8 if layer.geometry is GeometryType.LINE else 1.0)),
        "fillColor": symbol.color,
        "fillOpacity": symbol.fill_opacity if layer.geometry is GeometryType.AREA else 0.0,
        "fill": layer.geometry is GeometryType.AREA,
        "opacity": 0.75,
        "dashArray": " ".join(
            f"{one * max(1.0, symbol.size):g}" for one in styles.DASHES.get(symbol.shape, [])
        )
        or None,
    }
    options: dict[str, Any] = {"style_function": lambda feature: look}
    if layer.geometry is GeometryType.POINT:
        size = max(12.0, symbol.size * 1.3)
        icon = json.dumps(_svg(symbol, size))
        # as on the live map, marks of less weight come in when one looks closer
        kept = f"gm from-{max(layer.min_zoom, symbol.min_zoom)}"
        options = {
            "point_to_layer": JsCode(
                f"function(feature, latlng) {{ return L.marker(latlng, {{icon: L.divIcon({{className: '{kept}', html: {icon}, "
                f"iconSize: [{size}, {size}]}})}}); }}"
            )
        }
    popup = folium.GeoJsonPopup(fields=["words"], labels=False) if not layer.is_basemap else None
    return folium.GeoJson(collection, popup=popup, smooth_factor=0.5, **options)


def _feature(
    layer: Layer, symbol: Symbol, state: standing.LayerState, row: int, values: dict[str, Any]
) -> dict[str, Any]:
    geometry = state.geometry[row]
    if layer.is_basemap:
        geometry = shapely.simplify(geometry, _SIMPLIFY_DEGREES)
    geometry = shapely.transform(geometry, lambda xy: np.round(xy, _DIGITS))
    lines = [("图层", layer.title), ("编码", state.code[row] or ""), ("名称", state.name[row])]
    if layer.symbol_rule is not None:
        deciding = [layer.field(name) for name in layer.symbol_rule.fields]
        lines += [(one.title, one.choice_title(values.get(one.name))) for one in deciding]
    # popups are raw HTML: what comes from data is escaped here
    words = "<br>".join(f"<b>{html.escape(name)}</b> {html.escape(str(one))}" for name, one in lines if one)
    properties = {} if layer.is_basemap else {"words": words}
    return {"type": "Feature", "geometry": json.loads(shapely.to_geojson(geometry)), "properties": properties}


def _svg(symbol: Symbol, size: float) -> str:
    def ring(points: styles.Ring) -> str:
        return " ".join(f"{x:g},{y:g}" for x, y in points)

    inset = styles.INSETS.get(symbol.shape)
    inner = f'<polygon points="{ring(inset)}" fill="#fff"/>' if inset else ""
    outline = ring(styles.OUTLINES[symbol.shape])
    return (
        f'<svg width="{size:g}" height="{size:g}" viewBox="-1.3 -1.3 2.6 2.6"><polygon points="{outline}" '
        f'fill="{symbol.color}" stroke="#fff" stroke-width="0.28" paint-order="stroke"/>{inner}</svg>'
    )


# --- the panel --------------------------------------------------------------------------------------------


def _panel(
    outline: Contents,
    pages: Sequence[Page],
    legend: Sequence[str],
    maker: str,
    watermark: str,
    pictured: Set[str],
) -> str:
    whole, name = outline.overview, f"{outline.district_title} {outline.request.title}".strip()
    parts = [f"<h1>{html.escape(name)}</h1>"]
    if outline.stamp.is_simulated:
        parts.append(f'<p class="mark">{SIMULATED}</p>')
    parts.append(f'<p class="faint">{html.escape(whole.period.title)}</p>')
    parts.append(_tiles(whole.figures))
    parts += [_table(grade_table(whole)), _table(ranking_table(whole.towns))]
    parts.append(f'<h2>图例</h2><div class="legend">{"".join(legend)}</div>')
    parts += [
        _details(one, is_pictured=one.key in pictured)
        for one in pages
        if one.map is not None and one.map.box is not None
    ]
    parts.append(f'<p class="faint">{html.escape(outline.stamp.text)}</p>')
    parts.append(f'<p class="faint">制作:{html.escape(maker)}<br>{html.escape(watermark)}</p>')
    return f'<aside id="panel">{"".join(parts)}</aside><div id="water">{html.escape(watermark)}</div>'


def _tiles(figures: Sequence[Figure]) -> str:
    cells = []
    for one in figures:
        change = (
            f"<small>{one.against or BEFORE} {html.escape(one.change_text)}</small>"
            if one.change_text
            else ""
        )
        unit = html.escape(one.unit) if one.value is not None else ""
        cells.append(
            f"<div><span>{html.escape(one.title)}</span><b>{html.escape(one.text)}{unit}</b>{change}</div>"
        )
    return f'<div class="tiles">{"".join(cells)}</div>'


def _table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(one)}</th>" for one in table.headers)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(one)}</td>" for one in row) + "</tr>" for row in table.rows
    )
    return (
        f'<h2>{html.escape(table.title)}</h2><div class="scroll"><table><tr>{head}</tr>{rows}</table></div>'
    )


def _details(one: Page, *, is_pictured: bool) -> str:
    assert one.map is not None
    box = json.dumps(one.map.box)
    words = "".join(f"<p>{html.escape(line)}</p>" for line in one.text.splitlines())
    if is_pictured:
        words += f'<img alt="{html.escape(one.title)}" src="data:image/jpeg;base64,{_MARK % one.key}">'
    if one.text or is_pictured:
        words = f'<p class="faint">{html.escape(one.subtitle)}</p>{words}'
    facts = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(words)}</td></tr>" for name, words in one.facts
    )
    tables = "".join(_table(table) for table in one.tables)
    return (
        f'<details data-box="{html.escape(box)}"><summary>{html.escape(one.title)}</summary>{words}{_tiles(one.figures)}'
        f"<table>{facts}</table>{tables}</details>"
    )


# The map is Leaflet's; opening a page's entry goes to its place.
_SCRIPT = """
(function (map) {
  function look() {
    for (var z = 1; z < 20; z++) map.getContainer().classList.toggle("below-" + z, map.getZoom() < z);
  }
  map.on("zoomend", look);
  look();
})(%(map)s);
document.querySelectorAll("details[data-box]").forEach(function (one) {
  one.addEventListener("toggle", function () {
    if (!one.open) return;
    var b = JSON.parse(one.dataset.box);
    %(map)s.fitBounds([[b[1], b[0]], [b[3], b[2]]]);
  });
});
"""


def _style(text: str) -> str:
    plain = "".join(sorted((set(html.unescape(text)) | _escaped(text)) - {"\0"}))
    woff = base64.b64encode(fonts.subset(plain)).decode()
    return (
        f'@font-face {{ font-family: "{_FONT_NAME}"; src: url(data:font/woff;base64,{woff}) format("woff"); }}'
        f'html, body, .leaflet-container {{ font-family: "{_FONT_NAME}", sans-serif; color: {styles.INK}; }}'
        f".folium-map {{ position: fixed !important; left: 0 !important; top: 0; right: 400px; width: auto !important; "
        f"height: 100% !important; background: {styles.PAPER}; }}"
        "#panel { position: fixed; right: 0; top: 0; bottom: 0; width: 400px; overflow: auto; box-sizing: border-box; "
        "padding: 14px 16px; background: #fff; border-left: 1px solid #c9ced6; z-index: 1000; font-size: 13px; }"
        "#panel h1 { font-size: 20px; margin: 0 0 6px; } #panel h2 { font-size: 14px; margin: 14px 0 4px; }"
        ".mark { display: inline-block; border: 1.5px solid #b3261e; color: #b3261e; padding: 1px 8px; margin: 0; "
        "font-weight: bold; } .faint, .tiles span, .tiles small { color: #5d6673; font-size: 12px; }"
        ".tiles { display: grid; grid-template-columns: 1fr 1fr; gap: 6px; margin: 8px 0; }"
        ".tiles div { background: #f4f6f9; padding: 6px 8px; display: flex; flex-direction: column; }"
        ".tiles b { font-size: 17px; } .scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }"
        "details img { width: 100%; border: 1px solid #c9ced6; } th, td { border-bottom: 1px solid #e6e9ee; padding: 3px 5px; text-align: left; white-space: nowrap; "
        "font-size: 12px; } details { border-top: 1px solid #c9ced6; padding: 6px 0; } summary { cursor: pointer; "
        "font-weight: bold; } #water { position: fixed; left: 6%; top: 46%; transform: rotate(-24deg); opacity: .12; "
        "font-size: 34px; pointer-events: none; z-index: 900; }"
        ".legend span { display: inline-flex; align-items: center; gap: 6px; width: 48%; font-size: 12px; }"
        + "".join(f".below-{zoom} .from-{zoom} {{ display: none; }}" for zoom in range(1, 20))
        + "@media (max-width: 900px) { .folium-map { right: 0; height: 55% !important; } "
        "#panel { top: 55%; width: 100%; } }"
    )


def _escaped(text: str) -> set[str]:
    """Characters that the page's scripts write as \\uXXXX."""
    return {chr(int(one, 16)) for one in re.findall(r"\\u([0-9a-fA-F]{4})", text)}


# --- one file ---------------------------------------------------------------------------------------------

_SCRIPT_TAG = re.compile(r'<script src="([^"]+)"></script>')
_STYLE_TAG = re.compile(r'<link rel="stylesheet" href="([^"]+)"\s*/?>')
_CSS_URL = re.compile(r"url\((['\"]?)(?!data:|#)([^)'\"]+)\1\)")
# In what people wrote quotes are escaped, so that it holds no attribute; a sheet's address counts in sheets alone.
_ASKS = re.compile(r"""(?:src|href|action)\s*=\s*["'](?!data:|\#|javascript:)[^"']+["']""", re.I)
_SHEET_ASKS = re.compile(r"""url\(\s*['"]?(?!data:|\#)[^)]*\)|@import""", re.I)
_SHEETS = re.compile(r"""<style[^>]*>.*?</style>|style\s*=\s*(?:"[^"]*"|'[^']*')""", re.I | re.S)


def _inlined(text: str) -> str:
    text = _SCRIPT_TAG.sub(lambda match: f"<script>{_script(match[1])}</script>", text)
    return _STYLE_TAG.sub(lambda match: f"<style>{_sheet(match[1])}</style>", text)


def _asset(address: str) -> Path:
    """The file behind an address of our own server."""
    _, mark, path = address.partition("assets/")
    if not mark or "//" in address:
        raise ForeignReference(f"the page would fetch {address}", addresses=[address])
    return _ASSETS / path.partition("?")[0]


@functools.cache
def _script(address: str) -> str:
    if _asset(address).name == "leaflet-defaults.js":
        return ""  # it looks for pictures beside itself; nothing on this map needs them
    return _asset(address).read_text("utf-8").replace("</script", "<\\/script")


@functools.cache
def _sheet(address: str) -> str:
    file = _asset(address)

    def embedded(match: re.Match[str]) -> str:
        picture = file.parent / match[2]
        kind = mimetypes.guess_type(picture.name)[0] or "application/octet-stream"
        return f"url(data:{kind};base64,{base64.b64encode(picture.read_bytes()).decode()})"

    return _CSS_URL.sub(embedded, file.read_text("utf-8"))


def _asking(text: str) -> Iterator[str]:
    """What in the page, outside its scripts, would make a browser fetch something."""
    text = re.sub(r"<script>.*?</script>", "", text, flags=re.S)
    yield from (match[0] for match in _ASKS.finditer(text))
    for sheet in _SHEETS.finditer(text):
        yield from (match[0] for match in _SHEET_ASKS.finditer(sheet[0]))


def _require_alone(text: str) -> None:
    found = [*_asking(text), *re.findall(r"<script[^>]+src=[^>]*>", text)]
    if found:
        raise ForeignReference(
            f"the page would fetch {found[0][:200]}", addresses=[one[:200] for one in found]
        )
