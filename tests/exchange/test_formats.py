"""Formats are known by name, extension and content; a name alone decides nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.domain.crs import GCJ02, WGS84, parse_datum
from gridmap.exchange.errors import FormatUnknown
from gridmap.exchange.formats import Format, parse_format, safe_name, suggested_name


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ("geojson", Format.GEOJSON), ("out.json", Format.GEOJSON), (".gpkg", Format.GEOPACKAGE),
        ("shapefile", Format.SHAPEFILE), ("警务站.ZIP", Format.SHAPEFILE), ("kml", Format.KML),
        ("a.b.csv", Format.CSV), ("XLSX", Format.XLSX), (Format.KML, Format.KML),
    ],
)  # fmt: skip
def test_formats_are_known_by_id_and_extension(text: str, format: Format) -> None:
    assert parse_format(text) is format


@pytest.mark.parametrize("text", ["", "exe", "out.dwg", "out"])
def test_other_formats_are_refused_with_the_list_of_known_ones(text: str) -> None:
    with pytest.raises(FormatUnknown) as caught:
        parse_format(text)
    assert "GeoPackage" in caught.value.chinese()
    assert caught.value.status == 415


@pytest.mark.parametrize("format", Format)
def test_a_suggested_name_leads_back_to_its_format_and_tells_the_datum(format: Format) -> None:
    assert parse_format(suggested_name("警务站", format, WGS84)) is format
    assert suggested_name("警务站", format, WGS84) == f"警务站{format.extension}"
    assert suggested_name("警务站", format, GCJ02) == f"警务站_gcj02{format.extension}"
    assert suggested_name("警务站", format, parse_datum("4549")) == f"警务站_epsg4549{format.extension}"
    assert format.title
    assert "/" in format.media_type


@settings(deadline=None)
@given(st.text(max_size=100))
def test_a_safe_name_is_one_name_on_every_system(title: str) -> None:
    name = safe_name(title)
    assert 1 <= len(name) <= 60
    assert not set(name) & set('<>:"/\\|?*\n\r\t\x00')
    assert name not in (".", "..")
    assert name == name.strip(" .")
