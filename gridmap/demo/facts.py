"""The few facts that the demo district starts from: units, areas, centres, committees, residents."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from gridmap.errors import SettingsError

FACTS_FOLDER = Path(__file__).resolve().parents[2] / "data" / "facts"


class FactsError(SettingsError):
    """
    The facts of the demo district are missing or contradict each other.

    Attributes
    ----------
    file : name of the file with the fault
    """

    title = "示范区的事实文件缺失或有误"


@dataclass(frozen=True, slots=True)
class Town:
    """One street-level unit; `area_km2` counts tidal flats, `land_km2` does not; `lon`, `lat` is its centroid."""

    code: str
    name: str
    area_km2: float
    land_km2: float
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Committee:
    """One neighbourhood (居委会) or village (村委会) committee, by its 12-digit code."""

    code: str
    name: str

    @property
    def town_code(self) -> str:
        """The nine digits of the unit it belongs to."""
        return self.code[:9]

    @property
    def kind(self) -> str:
        """居委会 or 村委会, which the last digits of an official code tell (villages start at 200)."""
        return "村委会" if int(self.code[9:]) >= 200 else "居委会"


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts; towns and committees ascend by code."""

    division_code: str
    residents: int
    towns: tuple[Town, ...]
    committees: tuple[Committee, ...]


def read_facts(folder: Path = FACTS_FOLDER) -> Facts:
    """
    The facts in `folder` (`towns.toml`, `committees.txt`).

    Raises
    ------
    FactsError
        A file is missing, or a committee belongs to no town.
    """
    try:
        table = tomllib.loads((folder / "towns.toml").read_text(encoding="utf-8"))
        lines = (folder / "committees.txt").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise FactsError(
            f"the demo's facts are missing: {error}; restore {folder}", file=str(folder)
        ) from error
    towns = tuple(sorted((Town(**one) for one in table["towns"]), key=lambda town: town.code))
    rows = (line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    committees = tuple(sorted((Committee(code, name) for code, name in rows), key=lambda one: one.code))
    strangers = sorted({one.town_code for one in committees} - {town.code for town in towns})
    if strangers:
        raise FactsError(f"committees.txt names unknown towns {strangers}; correct it", file="committees.txt")
    return Facts(table["division_code"], table["residents"], towns, committees)
