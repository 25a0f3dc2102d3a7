"""One pack of everything, made once, and what it was made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gridmap.services.district import District
from gridmap.services.packs import making
from gridmap.services.packs.contents import Page, contents, pages
from gridmap.services.packs.requests import parse_request
from gridmap.storage.packs import StoredPack
from tests.support.clock import FakeClock
from tests.support.district import ADMIN
from tests.support.leaders import populated

ALL = ["pdf", "pptx", "png", "html", "xlsx"]


@dataclass(frozen=True)
class Made:
    """A finished pack, the folder of its files and the pages behind them."""

    pack: StoredPack
    folder: Path
    pages: list[Page]


@pytest.fixture(scope="session")
def leaders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    """The district that leaders look at; tests that use it must not change elements."""
    home = tmp_path_factory.mktemp("leaders")
    made = populated(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    yield made
    made.close()


@pytest.fixture(scope="session")
def atlas(leaders: District, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Everything in all formats, with a page for each grid."""
    request = parse_request({"title": "三月例会", "formats": ALL, "atlas": "police_grid"})
    folder = tmp_path_factory.mktemp("atlas")
    pack = making.make(leaders, ADMIN, request, folder)
    return Made(pack, folder, list(pages(leaders, ADMIN, contents(leaders, ADMIN, request))))
