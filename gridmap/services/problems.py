"""Errors as people and programs read them: a Chinese sentence, an HTTP status, a problem document (RFC 9457)."""

from __future__ import annotations

import logging
import math
import re
import secrets
from datetime import date, datetime
from enum import Enum
from typing import Any

from sqlalchemy.exc import OperationalError

from gridmap.domain.elements import time_text
from gridmap.errors import GridmapError, Unavailable

_log = logging.getLogger("gridmap")

_RESERVED = frozenset({"type", "title", "status", "detail", "english", "reference"})
_MAX_LISTED = 200


def problem(error: BaseException) -> dict[str, Any]:
    """
    The problem document of an error: type, title, status, detail (Chinese), english, and its plain facts.

    An error that gridmap did not raise on purpose is written to the log, whole, under a reference number; the
    document carries that number and nothing else of it.
    """
    if not isinstance(error, GridmapError):
        return _unexpected(error)
    # by its class: a fact may bear one of these names
    kind = type(error)
    document: dict[str, Any] = {
        "type": f"/problems/{kebab(kind.__name__)}",
        "title": kind.title,
        "status": kind.status,
        "detail": error.chinese(),
        "english": str(error),
    }
    if kind.status >= 500:
        document["reference"] = _reference(error)
    for name, value in error.facts.items():
        if name not in _RESERVED and is_plain(value := plain(value)):
            document[name] = value
    return document


def chinese(error: BaseException) -> str:
    """The sentence a person reads about an error, with the reference number of an unexpected one."""
    return problem(error)["detail"]


def kebab(name: str) -> str:
    """`EditConflict` as `edit-conflict`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def _reference(error: BaseException) -> str:
    reference = secrets.token_hex(4)
    # what has a sentence of its own needs no trace
    _log.error(
        "reference %s: %s", reference, error, exc_info=None if isinstance(error, GridmapError) else error
    )
    return reference


def _unexpected(error: BaseException) -> dict[str, Any]:
    reference = _reference(error)
    if isinstance(error, OperationalError):
        # the store is busy or away: true for now, and no fault of the request
        return {
            "type": f"/problems/{kebab(Unavailable.__name__)}",
            "title": Unavailable.title,
            "status": Unavailable.status,
            "detail": f"数据库暂时没有响应,请稍后再试。编号 {reference}。",
            "english": f"the store does not answer; try again later (reference {reference})",
            "reference": reference,
        }
    return {
        "type": "/problems/unexpected-error",
        "title": "程序出错",
        "status": 500,
        "detail": f"很抱歉,程序遇到意外错误。请将编号 {reference} 告知系统管理员。",
        "english": f"unexpected error; the log has it under reference {reference}",
        "reference": reference,
    }


def plain(value: Any) -> Any:
    """`value` with times, enums and tuples as JSON has them; anything else comes back as it is."""
    if isinstance(value, datetime):
        return time_text(value) if value.tzinfo else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return sorted(plain(one) for one in value)
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value[:_MAX_LISTED]]
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    return value


def is_plain(value: Any) -> bool:
    """Whether `value` can stand in a JSON document as it is."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(is_plain(one) for one in value)
    if isinstance(value, dict):
        return all(is_plain(one) for one in value.values())
    return value is None or isinstance(value, (str, int))
