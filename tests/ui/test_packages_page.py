"""工作包: taken along, brought back after a look at what it would do, and listed."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import pyogrio
import shapely
from streamlit.testing.v1 import AppTest

from gridmap.services import elements, packages
from gridmap.services.district import District
from gridmap.storage.elements import Query
from tests.support.district import ADMIN, OFFICER_WEST, element, put
from tests.ui.conftest import Visit, fine, press, texts

_numbers = count(560)
OFFICER = replace(OFFICER_WEST, username="officer")


def opened(visit: Visit, tab: str = "领取") -> AppTest:
    page = visit.page("packages")
    page.session_state["packages.tab"] = tab
    return fine(page.run())


def upload(page: AppTest, content: bytes) -> AppTest:
    return fine(page.file_uploader[0].set_value(("带回.gpkg", content, "application/octet-stream")).run())


def test_a_package_is_made_of_the_chosen_layers(visit: Visit, store: District) -> None:
    page = opened(visit.sign_in("officer"))
    assert [one for one in page.button if one.label == "生成工作包"][0].disabled
    page.multiselect(key="packages.layers").set_value(["workstation"])
    page = press(fine(page.run()), "生成工作包")
    assert "工作包已生成" in texts(page)
    assert "警务站" in texts(page)
    sent = packages.sent(store, OFFICER)[0]
    made = page.session_state["gridmap"].package
    assert (made.asked, made.name[-5:]) == ((sent.id,), ".gpkg")
    assert "示例民警01" in texts(opened(visit, "记录"))


def test_a_package_is_looked_at_before_it_is_stored(visit: Visit, store: District, tmp_path: Path) -> None:
    number = next(_numbers)
    place = shapely.Point(121.45, 30.995)
    [one] = put(
        store, element("workstation", f"JWZ{number}", "离线站", place, opening_hours="24h", officer_count=3)
    )
    sent = packages.send(store, OFFICER, ["workstation"], tmp_path / "package.gpkg")
    frame = pyogrio.read_dataframe(sent.path, layer="警务站")
    frame.loc[frame["id"] == one.id, "name"] = "离线站改"
    pyogrio.write_dataframe(frame, tmp_path / "edited.gpkg", layer="警务站")

    page = upload(opened(visit.sign_in("officer"), "带回"), (tmp_path / "edited.gpkg").read_bytes())
    assert "<dt>修改</dt><dd>1 个</dd>" in texts(page)
    found = Query("workstation", ids=[one.id])
    assert elements.find(store, ADMIN, found).elements[0].revision == 1
    page = press(page, "入库(1 处)")
    assert "修改 1 个" in texts(page)
    assert elements.find(store, ADMIN, found).elements[0].name == "离线站改"


def test_a_file_that_is_no_package_is_refused_in_words(visit: Visit) -> None:
    assert upload(opened(visit.sign_in("officer"), "带回"), b"no package").error
