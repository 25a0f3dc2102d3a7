"""
Writes the lock files anew: `make lock`, after a change to pyproject.toml or package.json.

The result holds for every platform and every supported Python, and names versions, never places.
Only this step needs the `uv` package; set-up itself needs pip alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
OLDEST_PYTHON = "3.11"
HEADER = "# Made by `make lock` from pyproject.toml; {purpose}.\n"


def _compile(target: Path, purpose: str, *options: str) -> None:
    """Resolve pyproject.toml into `target`, keeping the versions that are already there where they still fit."""
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--fork-strategy",
        "fewest",
    ]
    command += ["--python-version", OLDEST_PYTHON, "--no-header", "--no-annotate", "--no-emit-index-url"]
    command += [*options, "pyproject.toml", "--output-file", str(target)]
    subprocess.run(command, cwd=PROJECT, check=True)
    pins = [line for line in target.read_text("utf-8").splitlines() if not line.startswith(("#", "--"))]
    target.write_text(HEADER.format(purpose=purpose) + "\n".join(pins) + "\n", "utf-8")


def lock_python() -> None:
    """requirements.lock for running, requirements-test.lock for running and testing; shared pins are equal."""
    runtime = PROJECT / "requirements.lock"
    _compile(runtime, "what running needs")
    extras = ("--extra", "test", "--extra", "bench")
    _compile(
        PROJECT / "requirements-test.lock",
        "what running and testing need",
        "--constraint",
        str(runtime),
        *extras,
    )


def without_places(lock: dict) -> dict:
    """An npm lock without the addresses of registries and of those who collect for a package."""
    for package in lock.get("packages", {}).values():
        package.pop("resolved", None)
        package.pop("funding", None)
    return lock


def lock_npm() -> None:
    """package-lock.json from package.json."""
    subprocess.run(
        ["npm", "install", "--package-lock-only", "--no-audit", "--no-fund"], cwd=PROJECT, check=True
    )
    file = PROJECT / "package-lock.json"
    lock = without_places(json.loads(file.read_text("utf-8")))
    file.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    lock_python()
    lock_npm()
