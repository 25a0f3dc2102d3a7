"""Set-up sees what the machine has, and never pretends."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gridmap.setup import system


def test_a_browser_that_is_named_is_used_and_a_wrong_name_is_not_replaced(
    monkeypatch, tmp_path: Path
) -> None:
    program = tmp_path / "my-browser"
    program.touch()
    monkeypatch.setenv("GRIDMAP_CHROMIUM", str(program))
    assert system.find_chromium() == str(program)
    monkeypatch.setenv("GRIDMAP_CHROMIUM", str(tmp_path / "absent"))
    assert system.find_chromium() is None


def _postgresql(folder: Path, version: str, *, postgis: bool) -> Path:
    programs = folder / "lib" / version / "bin"
    programs.mkdir(parents=True)
    (programs / "initdb").touch()
    extensions = folder / "share" / version / "extension"
    extensions.mkdir(parents=True)
    if postgis:
        (extensions / "postgis.control").touch()
    config = programs / "pg_config"
    config.write_text(f"#!/bin/sh\necho {folder / 'share' / version}\n")
    config.chmod(0o755)
    return programs


def test_a_postgresql_without_postgis_does_not_count(monkeypatch, tmp_path: Path) -> None:
    old = _postgresql(tmp_path, "9.6", postgis=True)
    middle = _postgresql(tmp_path, "15", postgis=True)
    newest = _postgresql(tmp_path, "17", postgis=False)
    monkeypatch.setattr(
        system.glob, "glob", lambda pattern: [str(newest), str(middle), str(old)] if "lib" in pattern else []
    )
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert system.find_postgis() == middle


def test_a_font_is_found_by_its_file_name_where_fontconfig_is_missing(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(system, "FONT_FOLDERS", (str(tmp_path),))
    assert system.find_cjk_font() is None
    (tmp_path / "noto").mkdir()
    font = tmp_path / "noto" / "NotoSansCJK-Regular.ttc"
    font.touch()
    assert system.find_cjk_font() == str(font)


def _need(found: object | None) -> system.Need:
    return system.Need("thing", "a purpose", lambda: found, ("thing-package",))


def test_nothing_is_run_when_nothing_is_missing(monkeypatch, capsys) -> None:
    monkeypatch.setattr(system, "NEEDS", (_need("here"),))
    monkeypatch.setattr(system, "install", lambda _: pytest.fail("nothing to install"))
    assert system.main() == 0
    assert capsys.readouterr() == ("", "")


def test_without_the_right_to_install_the_message_says_what_a_person_can_do(monkeypatch, capsys) -> None:
    monkeypatch.setattr(system, "NEEDS", (_need(None),))
    monkeypatch.setattr(system, "_root_prefix", lambda: None)
    monkeypatch.setattr(
        system.subprocess, "run", lambda *_, **__: pytest.fail("ran a command without the right to")
    )
    assert system.main() == 0
    message = capsys.readouterr().err
    assert "thing is not on this machine" in message
    assert "apt-get install --no-install-recommends thing-package" in message


def test_packages_are_installed_without_questions(monkeypatch) -> None:
    commands = []

    class Done:
        returncode = 0

    monkeypatch.setattr(system, "_root_prefix", lambda: ["sudo", "-n"])
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(system.subprocess, "run", lambda command, **_: commands.append(command) or Done())
    assert system.install([_need(None)])
    assert commands[-1][:4] == ["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive"]
    assert commands[-1][-2:] == ["--no-install-recommends", "thing-package"]
    assert "-y" in commands[-1]
