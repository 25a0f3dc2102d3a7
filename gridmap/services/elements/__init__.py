"""
Elements as people work with them: find, create, change, verify, delete, restore, undo, and their history.

Every write names the revision it is based on. A stale one is refused with the present state and nothing is
stored: merging, or asking a person, is the caller's next step.
"""

from gridmap.services.elements.judging import checked, stale
from gridmap.services.elements.past import as_of, element_as_of, history
from gridmap.services.elements.reading import (
    SMALL_COUNT,
    find,
    get,
    grids_of,
    hits,
    identify,
    living,
    masked,
    next_code,
    present_revision,
    search,
)
from gridmap.services.elements.repeats import answered
from gridmap.services.elements.repeats import key_of as request_key
from gridmap.services.elements.results import Also, InvalidElement, Page, Receipt
from gridmap.services.elements.writing import change, create, delete, restore, undo, verify

__all__ = [
    "SMALL_COUNT", "Also", "InvalidElement", "Page", "Receipt", "answered", "as_of", "change", "checked", "create", "delete",
    "element_as_of", "find", "get", "grids_of", "history", "hits", "identify", "living", "masked", "next_code", "present_revision",
    "request_key", "restore", "search", "stale", "undo", "verify",
]  # fmt: skip
