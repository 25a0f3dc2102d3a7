"""The served browser files are whole, clean and exactly the pinned versions."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from gridmap.errors import Unavailable
from gridmap.setup import vendor


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A node_modules folder with a small file for each asset."""
    folder = tmp_path / "node_modules"
    for asset in vendor.ASSETS:
        file = folder / asset.package / asset.source
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"/* {asset.package} {asset.source} */\n//# sourceMappingURL=x.map\n".encode())
    return folder


@pytest.fixture
def served(tmp_path: Path, modules: Path) -> Path:
    folder = tmp_path / "assets" / "vendor"
    vendor.copy_assets(modules, folder)
    return folder


def test_set_up_has_brought_every_file() -> None:
    assert vendor.missing_assets() == []


def test_before_set_up_every_file_is_missing(tmp_path: Path) -> None:
    assert vendor.missing_assets(tmp_path / "vendor") == sorted(a.target for a in vendor.ASSETS)


def test_after_copying_nothing_is_missing_and_nothing_else_is_there(served: Path) -> None:
    assert vendor.missing_assets(served) == []
    files = {f.relative_to(served).as_posix() for f in served.rglob("*") if f.is_file()}
    assert files == {a.target for a in vendor.ASSETS} | {vendor.MANIFEST}


def test_a_changed_or_removed_file_is_named(served: Path) -> None:
    (served / "leaflet/leaflet.js").write_text("changed")
    (served / "jquery/jquery.min.js").unlink()
    assert vendor.missing_assets(served) == ["leaflet/leaflet.js", "jquery/jquery.min.js"]


def test_an_old_version_is_named_with_the_one_that_is_pinned(served: Path, tmp_path: Path) -> None:
    lock = json.loads((vendor.PROJECT / "package-lock.json").read_text("utf-8"))
    lock["packages"]["node_modules/leaflet"]["version"] = "1.9.99"
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    assert vendor.missing_assets(served, tmp_path) == ["leaflet 1.9.99 (have 1.9.4)"]


def test_a_start_without_files_stops_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "missing_assets", lambda: ["leaflet/leaflet.js"])
    with pytest.raises(Unavailable) as stopped:
        vendor.require_assets()
    assert stopped.value.missing == ["leaflet/leaflet.js"]
    assert "make setup" in stopped.value.chinese()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (b"a();\n//# sourceMappingURL=a.js.map\n", b"a();\n\n"),
        (b"a{}\n/*# sourceMappingURL=a.css.map */", b"a{}\n"),
        (b"const s = '//# sourceMappingURL=';\n", b"const s = '//# sourceMappingURL=';\n"),
    ],
)
def test_comments_that_ask_for_a_map_file_go_and_nothing_else(text: bytes, left: bytes) -> None:
    assert vendor.without_source_maps(text) == left


def test_no_served_file_asks_for_a_map_file() -> None:
    asking = [
        a.target
        for a in vendor.ASSETS
        if b"\n//# sourceMappingURL" in (vendor.VENDOR / a.target).read_bytes()
    ]
    assert asking == []


@pytest.mark.parametrize(
    ("css", "foreign"),
    [
        (b"a { background: url(images/a.png) }", 0),
        (b"a { background: url('data:image/svg+xml,<svg xmlns=\"http://www.w3.org/2000/svg\"/>') }", 0),
        (b"@font-face { src: url(//fonts.example/a.woff) }", 1),
        (b'@import "https://fonts.example/a.css";', 1),
    ],
)
def test_a_style_sheet_that_fetches_elsewhere_is_seen(css: bytes, foreign: int) -> None:
    assert len(vendor.foreign_addresses(css)) == foreign


def test_a_package_whose_style_sheet_fetches_elsewhere_is_refused(modules: Path, tmp_path: Path) -> None:
    (modules / "leaflet/dist/leaflet.css").write_text("@font-face { src: url(//fonts.example/a.woff) }")
    with pytest.raises(Unavailable, match="fonts.example"):
        vendor.copy_assets(modules, tmp_path / "vendor")


def test_a_refused_package_leaves_the_served_files_alone(modules: Path, served: Path) -> None:
    (modules / "leaflet/dist/leaflet.css").write_text("@import '//fonts.example/a.css'")
    with pytest.raises(Unavailable):
        vendor.copy_assets(modules, served)
    assert vendor.missing_assets(served) == []


def test_every_pinned_package_lies_in_the_lock_without_a_place() -> None:
    lock = (vendor.PROJECT / "package-lock.json").read_text("utf-8")
    wanted = json.loads((vendor.PROJECT / "package.json").read_text("utf-8"))["dependencies"]
    assert vendor.pinned_versions() == wanted
    assert "resolved" not in lock
    assert "://" not in lock


def test_without_a_way_to_a_registry_the_advice_is_the_bundle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(1, "npm ci")

    monkeypatch.setattr(vendor, "_system_npm", lambda: "npm")
    monkeypatch.setattr(vendor.subprocess, "run", fail)
    with pytest.raises(Unavailable, match="make bundle"):
        vendor.install_packages(tmp_path)


def test_an_npm_that_is_too_old_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "npm"
    program.write_text("#!/bin/sh\necho 6.14.18\n")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(program))
    assert vendor._system_npm() is None
    program.write_text("#!/bin/sh\necho 10.2.0\n")
    assert vendor._system_npm() == str(program)
