"""`gridmap report` makes the same packs as the pages, from a shell."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pypdf import PdfReader

from gridmap.cli import root
from gridmap.domain.stories import Slide
from gridmap.services import stories
from gridmap.services.district import assemble
from gridmap.settings import load_settings
from tests.support.clock import FakeClock
from tests.support.leaders import PRESENTER, populated

SECRET = "a secret of the tests"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("leaders")
    populated(f"sqlite:///{made / 'district.gpkg'}", made, FakeClock()).close()
    return made


def run(home: Path, *arguments: str | Path) -> Result:
    env = {"GRIDMAP_HOME": str(home), "GRIDMAP_SECRET": SECRET, "GRIDMAP_DATABASE_URL": ""}
    return CliRunner().invoke(root, ["report", *(str(one) for one in arguments)], env=env)


def test_a_pack_comes_as_files_with_their_names(home: Path, tmp_path: Path) -> None:
    result = run(
        home,
        "--to",
        tmp_path / "out",
        "--format",
        "pdf",
        "--format",
        "xlsx",
        "--atlas",
        "town",
        "--title",
        "例会",
        "--json",
    )
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["pages"] == 5
    assert [one["format"] for one in found["files"]] == ["pdf", "xlsx"]
    assert all(Path(one["file"]).stat().st_size == one["bytes"] for one in found["files"])
    assert len(PdfReader(found["files"][0]["file"]).pages) == 5
    assert "例会" in Path(found["files"][0]["file"]).name


def test_a_story_is_printed_slide_by_slide(home: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{home / 'district.gpkg'}"
    with closing(
        assemble(
            load_settings({"GRIDMAP_HOME": str(home), "GRIDMAP_DATABASE_URL": url}, secret=SECRET.encode())
        )
    ) as district:
        slides = [Slide("人口多少", figures=("people",)), Slide("站点多少", figures=("posts",))]
        story = stories.create(district, PRESENTER, "例会", slides).id
    named = run(home, "--to", tmp_path / "named", "--no-overview", "--story", "例会", "--json")
    result = run(home, "--to", tmp_path / "by id", "--no-overview", "--story", story, "--json")
    assert (named.exit_code, result.exit_code) == (0, 0), result.stderr
    assert json.loads(named.stdout)["pages"] == 2
    pages = PdfReader(json.loads(result.stdout)["files"][0]["file"]).pages
    texts = ["".join(one.extract_text().split()) for one in pages]
    assert len(texts) == 2
    assert "人口多少" in texts[0] and "3,700人" in texts[0]  # noqa: PT018
    assert "站点多少" in texts[1] and "6个" in texts[1]  # noqa: PT018


def test_a_story_that_is_not_there_is_named(home: Path, tmp_path: Path) -> None:
    result = run(home, "--to", tmp_path, "--story", "nothing")
    assert result.exit_code == 1
    assert "没有汇报“nothing”" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_time_is_printed(home: Path, tmp_path: Path) -> None:
    result = run(home, "--to", tmp_path, "--as-of", "2026-02-20T08:00:00+08:00", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    text = "".join(PdfReader(found["files"][0]["file"]).pages[0].extract_text().split())
    assert "数据时间2026-02-2008:00" in text
    assert "人口3,300人" in text


@pytest.mark.parametrize(
    "arguments", [["--as-of", "yesterday"], ["--no-overview"], ["--atlas", "town", "--town", "999999999"]]
)
def test_what_makes_no_sense_is_refused_in_words(home: Path, tmp_path: Path, arguments: list[str]) -> None:
    result = run(home, "--to", tmp_path, *arguments)
    assert result.exit_code == 1
    assert "未完成" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("atlas", ["none", "town", "police_grid", "workstation"])
def test_an_unknown_town_is_refused_with_the_codes_that_there_are(
    home: Path, tmp_path: Path, atlas: str
) -> None:
    result = run(home, "--to", tmp_path, "--atlas", atlas, "--town", "999999999", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["code"] == "999999999"
    assert "没有编码“999999999”" in result.stderr
    assert "310199101" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_town_without_an_atlas_is_refused_since_it_would_change_nothing(home: Path, tmp_path: Path) -> None:
    result = run(home, "--to", tmp_path, "--town", "310199101")
    assert result.exit_code == 1
    assert "请同时选择一种图册" in result.stderr
