"""
Check-up of grids (网格体检): everything that keeps them from being a partition, place by place.

Each finding says where it is, whom it concerns, and what could be done; nothing is mended before a person
chooses. Whatever is chosen is checked like any other edit.
"""

from gridmap.services.grid_check.checking import check, repair
from gridmap.services.grid_check.findings import CheckUp, Finding, Kind, Repair
from gridmap.services.grid_check.look import TOLERANCE_M2, sound_areas

__all__ = ["TOLERANCE_M2", "CheckUp", "Finding", "Kind", "Repair", "check", "repair", "sound_areas"]
