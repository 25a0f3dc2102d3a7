"""
Files into a layer: a dry run that judges every row, then one commit that stores all rows or the good ones.

A row is an element that is there already when its id is, else when its code is, else (without a code) when
name and place are. So the same file imported twice changes nothing the second time.
"""

from gridmap.services.imports.dry_run import plan
from gridmap.services.imports.job import JOB_ROWS, problems_csv, run_job
from gridmap.services.imports.plans import (
    Action,
    ImportNotUndoable,
    ImportOutdated,
    ImportPlan,
    ImportReceipt,
    ImportRefused,
    Mode,
    Progress,
    RowIssue,
    parse_mode,
    vars_of,
)
from gridmap.services.imports.reading import limits_of, propose_mapping, read
from gridmap.services.imports.sameness import SAME_PLACE_DEGREES
from gridmap.services.imports.storing import apply, is_import
from gridmap.services.imports.undoing import undo_import

__all__ = [
    "Action", "ImportNotUndoable", "ImportOutdated", "ImportPlan", "ImportReceipt", "ImportRefused", "JOB_ROWS",
    "Mode", "Progress", "RowIssue", "SAME_PLACE_DEGREES", "apply", "is_import", "limits_of",
    "parse_mode", "plan", "problems_csv", "propose_mapping", "read", "run_job", "undo_import", "vars_of",
]  # fmt: skip
