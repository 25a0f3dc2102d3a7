"""What looks wrong in a network, on paper and in a real one."""

from __future__ import annotations

import pytest

from gridmap.analysis.network import RoadGraph
from tests.analysis.networks import Roads


def test_quality_names_what_looks_wrong() -> None:
    #  0 - 1 - 2 -> 3     4 - 5 cut off, 2 -> 3 a trap, 0 a dead end
    xy = [[0, 0], [100, 0], [200, 0], [300, 0], [900, 900], [950, 900]]
    graph = RoadGraph.from_edges(
        xy,
        [0, 1, 2, 4, 1],
        [1, 2, 3, 5, 2],
        [10, 10, 1, 1000, 11],
        length_m=[100, 60, 100, 50, 100],
        oneway=[False, False, True, False, False],
    )
    quality = graph.quality()
    assert quality.component_sizes.tolist() == [4, 2]
    assert quality.off_main.tolist() == [4, 5]
    assert quality.one_way_traps.tolist() == [3]
    assert quality.dead_ends.tolist() == [0, 3, 4, 5]
    assert quality.parallel.tolist() == [4]
    assert quality.too_short.tolist() == [1]
    assert quality.too_fast.tolist() == [2]
    assert quality.too_slow.tolist() == [3]
    assert quality.main_share == pytest.approx(4 / 6)
    assert graph.components().tolist() == [0, 0, 0, 0, 1, 1]


def test_quality_of_a_real_network_is_mostly_one_piece(futian: Roads) -> None:
    quality = futian.graph.quality()
    assert quality.nodes == len(futian.node_xy)
    assert quality.main_share > 0.7
    assert len(quality.too_fast) == 0
