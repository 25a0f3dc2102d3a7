"""What is pinned is what the project declares, for every platform, from no particular place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gridmap.setup.lock import without_places

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def _pins(name: str) -> dict[str, str]:
    pins = {}
    for line in (ROOT / name).read_text("utf-8").splitlines():
        if not line.startswith("#"):
            requirement = Requirement(line)
            (specifier,) = requirement.specifier
            assert specifier.operator == "=="
            assert requirement.url is None
            pins[canonicalize_name(requirement.name)] = specifier.version
    return pins


def _extras() -> list[str]:
    return [line for extra in PROJECT["optional-dependencies"].values() for line in extra]


@pytest.mark.parametrize(
    ("lock", "declared"),
    [
        ("requirements.lock", PROJECT["dependencies"]),
        ("requirements-test.lock", PROJECT["dependencies"] + _extras()),
    ],
)
def test_every_declared_package_is_pinned_inside_its_range(lock: str, declared: list[str]) -> None:
    pins = _pins(lock)
    for line in declared:
        requirement = Requirement(line)
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), line


def test_tests_run_on_the_versions_that_people_run() -> None:
    runtime, test = _pins("requirements.lock"), _pins("requirements-test.lock")
    assert {name: test.get(name) for name in runtime} == runtime


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock"])
def test_a_lock_names_no_place(lock: str) -> None:
    assert not re.search(r"://|--index|--find-links|file:", (ROOT / lock).read_text("utf-8"))


def test_an_npm_lock_loses_its_places_and_keeps_its_hashes() -> None:
    lock = {
        "packages": {"node_modules/a": {"version": "1", "resolved": "x", "integrity": "sha", "funding": {}}}
    }
    assert without_places(lock) == {"packages": {"node_modules/a": {"version": "1", "integrity": "sha"}}}
