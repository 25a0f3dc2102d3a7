"""
How fresh the map is (核实): what is overdue and whose it is, reminders, spot checks, and what is not mapped yet.

An element is overdue from the day after its due day (`gridmap.domain.freshness`); one with a rule that nobody
ever verified counts apart.
"""

from gridmap.services.freshness.mapped import (
    MappedRow,
    MappedShare,
    RegisteredItem,
    mapped_share,
    register_counts,
    register_items,
)
from gridmap.services.freshness.overdue import (
    NOBODY,
    SOON_DAYS,
    Board,
    Due,
    Tally,
    board,
    officers_of,
    verified_elements,
    watched_layers,
)
from gridmap.services.freshness.reminders import (
    Prompt,
    SpotCheck,
    YearRow,
    YearSummary,
    monthly_prompts,
    spot_check,
    yearly,
)

__all__ = [
    "Board", "Due", "MappedRow", "MappedShare", "NOBODY", "Prompt", "RegisteredItem", "SOON_DAYS", "SpotCheck", "Tally", "YearRow", "YearSummary",
    "board", "mapped_share", "monthly_prompts", "officers_of", "register_counts", "register_items", "spot_check", "verified_elements", "watched_layers", "yearly",
]  # fmt: skip
