"""
Cells of spreadsheets: texts that must not run as formulas, and values as text.

A spreadsheet program runs a text that begins with = + - @ as a formula. Such texts are written behind an
apostrophe and lose it again when read: `unguarded(guarded(text)) == text` for every text.
"""

from __future__ import annotations

import json
import re
from datetime import date, datetime, time
from enum import Enum
from typing import Any

# The full-width forms count too: some programs read them as the narrow ones. So do leading control characters.
_RISKY = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def guarded(text: str) -> str:
    """The text behind an apostrophe where a spreadsheet would run it, or would lose an apostrophe of its own."""
    return f"'{text}" if _RISKY.match(text) else text


def unguarded(text: str) -> str:
    """The text that `guarded` was given."""
    return text[1:] if text.startswith("'") and _RISKY.match(text) else text


def text_of(value: Any) -> str | None:
    """
    A value as text: ISO dates, `true`/`false`, decimals that read back to the same number, lists as JSON.

    None stays None.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, ensure_ascii=False, default=text_of)
    if isinstance(value, Enum):
        return text_of(value.value)
    return str(value)
