"""One table of a TOML file read key by key, so that all its faults are told at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

_TYPES: dict[type, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


class TableReader:
    """
    Reads one TOML table key by key, collecting every breach instead of stopping at the first.

    `faults` are "where: key: rule" sentences, shared by all readers of a catalogue.
    """

    def __init__(self, table: Mapping[str, Any], where: str, faults: list[str]) -> None:
        self.table, self.where, self.faults = table, where, faults
        self.known: set[str] = set()

    def fault(self, key: str, rule: str) -> None:
        """Note that the key breaks a rule."""
        self.faults.append(f"{self.where}: {key}: {rule}")

    def value(self, key: str, kind: type, default: Any = None, *, required: bool = False) -> Any:
        """The value of this type, else the default; a whole number serves as a number."""
        self.known.add(key)
        if key not in self.table:
            if required:
                self.fault(key, f"is required and must be {_TYPES[kind]}")
            return default
        value = self.table[key]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.fault(key, f"must be {_TYPES[kind]}, not {value!r}")
            return default
        return value

    def one_of(self, key: str, enum: type[Enum], default: Any = None, *, required: bool = False) -> Any:
        """The member of the enum that the text names, else the default."""
        text = self.value(key, str, None, required=required)
        if text is None:
            return default
        try:
            return enum(text)
        except ValueError:
            self.fault(key, f"must be one of {', '.join(str(e.value) for e in enum)}, not {text!r}")
            return default

    def pattern(self, key: str) -> str | None:
        """A regular expression; None where there is none or it cannot be compiled."""
        text = self.value(key, str)
        try:
            re.compile(text or "")
        except re.error as error:
            self.fault(key, f"is not a regular expression: {error}")
            return None
        return text

    def array(self, key: str, default: Sequence[Any] = ()) -> Sequence[Any]:
        """The entries of an array, of whatever type; a text is none."""
        self.known.add(key)
        value = self.table.get(key, default)
        if not isinstance(value, list | tuple):
            self.fault(key, f"must be an array, not {value!r}")
            return default
        return value

    def tables(self, key: str) -> list[Mapping[str, Any]]:
        """The tables of an array of tables; none where an entry is something else."""
        self.known.add(key)
        value = self.table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.fault(key, "must be an array of tables")
            return []
        return value

    def sub(self, key: str, *, required: bool = False) -> TableReader:
        """A reader of the table under this key; of an empty one where there is none."""
        self.known.add(key)
        value = self.table.get(key)
        if value is None and required:
            self.fault(key, "is required")
        elif value is not None and not isinstance(value, dict):
            self.fault(key, "must be a table")
        return TableReader(value if isinstance(value, dict) else {}, f"{self.where}: {key}", self.faults)

    def finish(self) -> None:
        """Note every key that nobody asked for."""
        for key in self.table.keys() - self.known:
            self.fault(key, f"is not a known key; known are {', '.join(sorted(self.known))}")
