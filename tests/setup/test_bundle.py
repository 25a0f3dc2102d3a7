"""The bundle holds what is needed and nothing private, and installs without network."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from gridmap.setup import bundle

INSTALL = bundle.SCRIPTS / "install.sh"
START = bundle.SCRIPTS / "start.sh"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small git work tree with a tracked, an untracked, an ignored and a test file."""
    folder = tmp_path / "project"
    for name in ("gridmap/a.py", "gridmap/new.py", "tests/test_a.py", ".env", "district.gpkg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / ".gitignore").write_text(".env\n*.gpkg\n")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    subprocess.run(["git", "add", "gridmap/a.py", "tests/test_a.py"], cwd=folder, check=True)
    return folder


def test_ignored_files_and_tests_stay_at_home(project: Path) -> None:
    assert set(bundle.project_files(project)) == {"gridmap/a.py", "gridmap/new.py", ".gitignore"}


def test_the_name_says_for_which_machine_it_is() -> None:
    assert bundle.bundle_name().endswith(
        f"{platform.machine()}-py{platform.python_version().rsplit('.', 1)[0]}"
    )


def _unpacked(tmp_path: Path, *, machine: str | None = None) -> Path:
    """What an archive holds after unpacking, without wheels."""
    shutil.copy(INSTALL, tmp_path / "install.sh")
    (tmp_path / "README").write_text("text")
    bundle._write_facts(tmp_path)
    if machine:
        facts = (tmp_path / "BUNDLE").read_text()
        own = f"{os.uname().sysname}-{os.uname().machine}"
        (tmp_path / "BUNDLE").write_text(facts.replace(own, machine))
    return tmp_path


def _install(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "install.sh"], cwd=folder, capture_output=True, text=True, check=False)


def test_the_wrong_kind_of_machine_is_told_so_before_anything_happens(tmp_path: Path) -> None:
    answer = _install(_unpacked(tmp_path, machine="Linux-loongarch64"))
    assert answer.returncode == 1
    assert "Linux-loongarch64" in answer.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_damaged_copy_is_seen(tmp_path: Path) -> None:
    folder = _unpacked(tmp_path)
    (folder / "README").write_text("damaged")
    answer = _install(folder)
    assert answer.returncode == 1
    assert "校验不一致" in answer.stderr
    assert not (tmp_path / ".venv").exists()


def test_starting_before_installing_says_what_to_do(tmp_path: Path) -> None:
    shutil.copy(START, tmp_path / "start.sh")
    answer = subprocess.run(["sh", "start.sh"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "install.sh" in answer.stderr


@pytest.mark.parametrize(
    "script", [INSTALL, START, bundle.SCRIPTS.parent / "make_venv.sh"], ids=lambda p: p.name
)
def test_scripts_are_plain_shell(script: Path) -> None:
    assert script.read_text("utf-8").startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", str(script)], check=True)


def _closed() -> list[str]:
    """A command prefix under which there is no network at all."""
    if (
        not shutil.which("unshare")
        or subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("no right to make a network namespace here, so 'without network' could not be shown")
    return ["unshare", "-n"]


@pytest.mark.bundle
@pytest.mark.skipif(
    not os.environ.get("GRIDMAP_TEST_BUNDLE"), reason="builds 200 MB from packages: GRIDMAP_TEST_BUNDLE=1"
)
def test_the_bundle_installs_where_there_is_no_network(tmp_path: Path) -> None:
    prefix = _closed()
    archive = bundle.make_bundle(target=tmp_path / "dist")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "there", filter="data")
    (folder,) = (tmp_path / "there").iterdir()
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LANG": "C.UTF-8"}
    subprocess.run([*prefix, "./install.sh"], cwd=folder, env=environment, check=True)
    doctor = (
        "from gridmap.setup.doctor import *; f = diagnose(); print(report(f)); raise SystemExit(is_broken(f))"
    )
    subprocess.run([*prefix, ".venv/bin/python", "-c", doctor], cwd=folder, env=environment, check=True)
