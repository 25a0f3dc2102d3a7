"""The search tree of set cover against every choice of columns."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import sparse

from gridmap.analysis import _cover_tree
from gridmap.analysis._cover_tree import CoverTree
from gridmap.analysis._watch import Watch


def fewest_columns(touches: np.ndarray) -> int:
    columns = range(touches.shape[1])
    return next(
        count
        for count in range(touches.shape[1] + 1)
        if any(
            touches[:, list(chosen)].any(axis=1).all() for chosen in itertools.combinations(columns, count)
        )
    )


@pytest.mark.parametrize("by_row", [True, False])
def test_a_cover_is_found_exactly_where_there_is_one(by_row: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cover_tree, "_ROW_BRANCHING_COUNT", 30 if by_row else 0)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        touches = rng.random((int(rng.integers(2, 16)), int(rng.integers(2, 11)))) < rng.uniform(0.15, 0.5)
        touches[np.arange(len(touches)), rng.integers(0, touches.shape[1], len(touches))] = True
        fewest = fewest_columns(touches)
        tree = CoverTree(sparse.csr_array(touches), Watch())
        assert tree.relaxed()[1] <= fewest
        found = tree.decide(fewest, most_nodes=10_000)
        assert found.is_decided
        assert found.columns is not None
        assert len(found.columns) == fewest
        assert touches[:, found.columns].any(axis=1).all()
        refused = tree.decide(fewest - 1, most_nodes=10_000)
        assert refused.is_decided
        assert refused.columns is None


def test_a_search_that_breaks_off_decides_nothing() -> None:
    # the lines of the Fano plane: three touch every point, and 7/3 do fractionally
    lines = [(0, 1, 2), (0, 3, 4), (0, 5, 6), (1, 3, 5), (1, 4, 6), (2, 3, 6), (2, 4, 5)]
    touches = np.zeros((7, 7), bool)
    for line, points in enumerate(lines):
        touches[list(points), line] = True
    tree = CoverTree(sparse.csr_array(touches), Watch())
    assert tree.relaxed()[1] == 3
    assert tree.decide(3, most_nodes=100).columns is not None
    copies = sparse.block_diag([touches] * 3, format="csr").astype(bool)
    wide = CoverTree(sparse.csr_array(copies), Watch())
    assert not wide.decide(8, most_nodes=1).is_decided
    assert wide.decide(8, most_nodes=10_000).is_decided
    assert not CoverTree(sparse.csr_array(copies), Watch(0.0)).decide(8, most_nodes=100).is_decided
