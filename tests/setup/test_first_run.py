"""The demo district is made once, and only where nobody's data can be in the way."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from gridmap.settings import Settings
from gridmap.setup import first_run


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, database_url=f"sqlite:///{tmp_path / 'district.gpkg'}")


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> list[list[str]]:
    """The commands that the first run starts; each succeeds and leaves its mark in the database file."""
    run: list[list[str]] = []

    class Done:
        returncode = 0

    def pretend(command: list[str], **_: object) -> Done:
        run.append(command[1:])
        settings.database_file.touch()
        return Done()

    monkeypatch.delenv("GRIDMAP_NO_DEMO", raising=False)
    monkeypatch.setattr(first_run, "load_settings", lambda: settings)
    monkeypatch.setattr(first_run.subprocess, "run", pretend)
    return run


def test_the_first_run_makes_the_demo_and_the_second_does_nothing(commands) -> None:
    assert first_run.main() == 0
    assert first_run.main() == 0
    assert commands == [["init"], ["demo"]]


def test_an_existing_database_is_never_touched(commands, settings: Settings) -> None:
    settings.database_file.write_text("somebody's district")
    assert first_run.main() == 0
    assert commands == []
    assert settings.database_file.read_text() == "somebody's district"


def test_a_server_database_is_never_filled_without_being_asked(settings: Settings) -> None:
    server = dataclasses.replace(settings, database_url="postgresql+psycopg://db/gridmap")
    assert first_run.steps(server) == []


def test_a_deployment_may_want_no_demo(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDMAP_NO_DEMO", "1")
    assert first_run.steps(settings) == []


def test_a_run_that_broke_off_starts_over(
    commands, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failed:
        returncode = 3

    def break_off(command: list[str], **_: object) -> Failed:
        settings.database_file.write_text("half a district")
        return Failed()

    whole = first_run.subprocess.run
    monkeypatch.setattr(first_run.subprocess, "run", break_off)
    assert first_run.main() == 3
    monkeypatch.setattr(first_run.subprocess, "run", whole)
    assert first_run.main() == 0
    assert commands == [["init"], ["demo"]]
    assert settings.database_file.read_text() == ""
    assert not (settings.home / first_run.UNFINISHED).exists()
