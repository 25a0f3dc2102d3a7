"""The documents that clients read, where the HTTP tests do not look: features and receipts to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gridmap.domain.elements import Source
from gridmap.services import documents
from gridmap.services.district import District
from gridmap.services.elements import Receipt
from tests.support.clock import FakeClock
from tests.support.district import ADMIN, element, make_district, put


@pytest.fixture
def district(gpkg_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[District]:
    made = make_district(gpkg_url, tmp_path, clock)
    yield made
    made.close()


@given(st.floats(-180, 180), st.floats(-90, 90))
def test_coordinates_come_out_to_the_last_bit(lon: float, lat: float) -> None:
    assert documents.geometry_document(shapely.Point(lon, lat))["coordinates"] == [lon, lat]


def test_a_feature_lists_every_field_then_what_the_system_knows(district: District) -> None:
    [stored] = put(
        district,
        element("road", None, "路", shapely.LineString([(121.4, 30.9), (121.5, 30.9)]), **{"class": "path"}),
    )
    properties = documents.feature(district, stored)["properties"]
    names = ["code", "name", *district.catalogue.layer("road").field_names, *documents.SYSTEM_PROPERTIES]

    assert list(properties) == names
    assert (properties["class"], properties["speed_kmh"], properties["source"]) == (
        "path",
        None,
        Source.REAL.value,
    )


def test_a_receipt_names_the_commit(district: District) -> None:
    [stored] = put(district, element("crossing", None, "口", shapely.Point(121.4, 30.9), kind="bridge"))
    document = documents.receipt(district, ADMIN, Receipt(stored, ("请核对",)))

    assert (document["etag"], document["sequence"], document["warnings"]) == ('"1"', 1, ["请核对"])
    assert document["feature"]["id"] == stored.id


def test_an_empty_district_has_no_bounds(district: District) -> None:
    document = documents.catalogue(district, ADMIN)

    assert document["district"] == {"name": "辖区", "bounds": None}
    assert len(document["layers"]) == len(district.catalogue)
    assert {one["extent"] for one in document["layers"]} == {None}


def test_a_district_without_an_outline_is_bounded_by_its_elements(district: District) -> None:
    put(district, element("crossing", None, "口", shapely.Point(121.4, 30.9), kind="bridge"))

    assert documents.district_bounds(district) == pytest.approx([121.4, 30.9, 121.4, 30.9], abs=2e-4)


def test_an_unnamed_element_of_a_grid_is_listed_by_its_code(district: District) -> None:
    put(district, element("town", "310199101", "西镇", shapely.box(121.4, 30.9, 121.5, 31.0)))

    [grid] = documents.grids_document(district, district.catalogue.layer("town"))["grids"]
    assert {name: grid[name] for name in ("code", "name", "bbox", "town")} == {
        "code": "310199101", "name": "西镇", "bbox": [121.4, 30.9, 121.5, 31.0], "town": None,
    }  # fmt: skip
