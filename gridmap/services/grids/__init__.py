"""
Editing grids as a partition: every edit changes all the grids it touches in one commit, or none.

Moving a border, splitting, merging and re-numbering keep the ground covered exactly once, give no code out
twice, and note what became of each grid. An edit that reaches into another officer's area becomes a proposal.
"""

from gridmap.services.grids.codes import choose_scheme, lineage, next_codes, scheme_of
from gridmap.services.grids.edits import (
    NoPartition,
    carry_out,
    merge,
    move_border,
    move_line,
    redraw,
    renumber,
    split,
    transfer,
    undo,
)
from gridmap.services.grids.plans import GridReceipt
from gridmap.services.grids.storing import GridsBusy

__all__ = [
    "GridReceipt", "GridsBusy", "NoPartition", "carry_out", "choose_scheme", "lineage", "merge", "move_border",
    "move_line", "next_codes", "redraw", "renumber", "scheme_of", "split", "transfer", "undo",
]  # fmt: skip
