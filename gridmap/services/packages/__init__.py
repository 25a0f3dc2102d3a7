"""
Work packages: elements taken along in a GeoPackage, edited in other software, and brought back.

Each row carries its id and the revision it left with, which is the base of a three-way merge when it comes
back: what nobody else touched is stored, what others changed too waits for a person, by the same rules as an
edit on the map. A row that is gone was deleted, a row without id is new. Bringing the same file back twice
changes nothing the second time.
"""

from gridmap.services.packages.deciding import conflict, decide, drop, waiting
from gridmap.services.packages.reading import PackageUnknown
from gridmap.services.packages.returning import bring_back
from gridmap.services.packages.sending import MOST_ELEMENTS, Sent, send, sent
from gridmap.services.packages.work import Returned

__all__ = [
    "MOST_ELEMENTS", "PackageUnknown", "Returned", "Sent", "bring_back", "conflict", "decide", "drop", "send", "sent",
    "waiting",
]  # fmt: skip
