"""The demo district, generated once for all tests and, under xdist, once for all workers."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path

import pytest

from gridmap.demo import Demo, generate

SMALL = 0.2


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Demo:
    """The full demo district of seed 1."""
    if worker_id == "master":
        return generate()
    return _shared(tmp_path_factory.getbasetemp().parent / "demo.pickle")


def _shared(file: Path) -> Demo:
    """The district in `file`, which the first worker to come writes."""
    lock = file.with_suffix(".lock")
    try:
        lock.mkdir()
    except FileExistsError:
        for _ in range(1_200):
            if file.exists():
                break
            time.sleep(0.25)
        return pickle.loads(file.read_bytes())
    half = file.with_suffix(".part")
    half.write_bytes(pickle.dumps(generate()))
    os.replace(half, file)
    return pickle.loads(file.read_bytes())


@pytest.fixture(scope="session")
def small_demo() -> Demo:
    """A coarse district of another seed, a few seconds to make."""
    return generate(2, scale=SMALL)
