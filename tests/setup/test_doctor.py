"""Each check says in Chinese what is wrong and what to do, and changes nothing."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from gridmap.errors import Unavailable
from gridmap.setup import doctor
from gridmap.setup.doctor import Health

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_this_machine_can_run_gridmap(tmp_path: Path) -> None:
    findings = doctor.diagnose(database_probe=lambda: "已连接", home=tmp_path)
    assert not doctor.is_broken(findings), doctor.report(findings)
    assert len({f.check for f in findings}) == len(findings)


def test_everything_a_person_reads_is_chinese_and_bad_news_comes_with_advice() -> None:
    bad = [
        doctor.python_version((3, 9, 2)),
        doctor.packages(["no_such_package_of_ours"]),
        doctor.assets(lambda: ["leaflet/leaflet.js"]),
        doctor.database(lambda: 1 / 0),
        doctor.cjk_font(lambda: None),
        doctor.chromium(lambda: None),
        doctor.postgis(lambda: None),
        doctor.transport("http://10.1.2.3:8501"),
    ]
    for finding in bad:
        assert finding.health is not Health.OK
        assert CHINESE.search(finding.title)
        assert CHINESE.search(finding.state)
        assert CHINESE.search(finding.advice)


def test_an_old_python_is_broken() -> None:
    assert doctor.python_version((3, 10, 13)).health is Health.BROKEN
    assert doctor.python_version((3, 11, 0)).health is Health.OK


class _Poor(sqlite3.Connection):
    """A SQLite that was built without the spatial index."""

    def execute(self, statement: str, *parameters):
        if "rtree" in statement:
            raise sqlite3.OperationalError("no such module: rtree")
        return super().execute(statement, *parameters)


def test_a_sqlite_without_its_spatial_index_is_broken() -> None:
    finding = doctor.sqlite_features(lambda: sqlite3.connect(":memory:", factory=_Poor))
    assert finding.health is Health.BROKEN
    assert "R*Tree" in finding.state
    assert "JSON1" not in finding.state


def test_a_package_that_does_not_load_is_named_with_its_reason(tmp_path, monkeypatch) -> None:
    (tmp_path / "halfbroken.py").write_text("raise RuntimeError('libgeos is gone')")
    (tmp_path / "crashing.py").write_text("import os; os._exit(7)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "libgeos is gone" in doctor.packages(["halfbroken", "json"]).state
    assert "crashing" in doctor.packages(["json", "crashing"]).state


def test_a_version_other_than_the_tested_one_is_a_warning(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("# pins\nclick==0.0.1\nnot-installed-here==1\ntzdata==1 ; sys_platform == 'win32'\n")
    finding = doctor.pinned_versions(lock)
    assert finding.health is Health.WARNING
    assert "click" in finding.state
    assert "not-installed-here" in finding.state
    assert "tzdata" not in finding.state


def test_a_password_never_reaches_the_report() -> None:
    def refuse() -> str:
        raise OSError("no route to postgresql://gridmap:geheim@db/gridmap")

    for url in (
        "postgresql+psycopg://gridmap:geheim@db/gridmap",
        "postgresql://db/gridmap?password=geheim&x=1",
    ):
        finding = doctor.database(refuse, url)
        assert finding.health is Health.BROKEN
        assert "geheim" not in doctor.report([finding])


def test_our_own_errors_speak_chinese_in_the_report() -> None:
    def refuse() -> str:
        raise Unavailable("schema 3 needed", zh="数据库版本过旧,请运行 gridmap migrate。")

    assert "gridmap migrate" in doctor.database(refuse).state


@pytest.mark.parametrize(
    ("url", "secure", "health"),
    [
        ("", False, Health.OK),
        ("http://127.0.0.1:8501", False, Health.OK),
        ("http://map.intranet", False, Health.WARNING),
        ("https://map.intranet", False, Health.WARNING),
        ("https://map.intranet", True, Health.OK),
    ],
)
def test_plain_http_to_other_people_is_a_warning(url: str, secure: bool, health: Health) -> None:
    assert doctor.transport(url, secure_cookies=secure).health is health


def test_a_home_that_cannot_be_written_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write anywhere, so the answer of the system is what we plant.
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert doctor.home_folder(tmp_path / "new").health is Health.BROKEN


def test_the_check_of_a_new_home_does_not_make_it(tmp_path: Path) -> None:
    assert doctor.home_folder(tmp_path / "new").health is Health.OK
    assert not (tmp_path / "new").exists()


def test_a_report_has_a_line_per_finding_and_its_advice() -> None:
    text = doctor.report([doctor.python_version((3, 9, 0)), doctor.python_version((3, 12, 0))])
    assert text.count("[故障]") == 1
    assert text.count("[正常]") == 1
    assert text.count("→") == 1


def test_a_finding_is_a_plain_document() -> None:
    assert doctor.npm(lambda _: None).as_dict()["health"] == "ok"
