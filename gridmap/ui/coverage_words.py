"""Figures of coverage as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gridmap.services.questions import cost_text
from gridmap.ui.words import time_words

HIDDEN = "<5"
STATES = {"open": "开放", "closed": "未开放", "off_network": "离道路过远"}
CHANGES = {"moved": "已移动", "added": "新增", "closed": "裁撤"}
HOURS = {"24h": "24 小时", "day": "日间 8:00–20:00"}


def people(value: float | None, *, is_hidden: bool = False) -> str:
    """A count: thousands apart; `<5` where a small one is hidden, a dash where there is none."""
    if value is None:
        return HIDDEN if is_hidden else "—"
    return f"{value:,.0f}"


def share(value: float | None) -> str:
    """A share as percent."""
    return "—" if value is None else f"{value:.1%}"


def cost(value: float | None, unit: str) -> str:
    """Metres or minutes; a dash where there is none."""
    return "—" if value is None else cost_text(value, "s" if unit == "s" else "m")


def signed(value: float | None) -> str:
    """A difference with its sign."""
    if value is None:
        return HIDDEN
    return f"{value:+,.0f}" if value else "0"


def provenance(document: Mapping[str, Any], scenario: str = "现状") -> str:
    """One line under figures: method, threshold, CRS, data time, commit, mark of simulated data."""
    method = document["method"]
    at = document["data_time"]
    at = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    parts = [
        f"方案:{scenario}",
        f"口径:{method['sentence'].rstrip('。')}",
        f"阈值 {method['within_text']}",
        f"距离按 {document['crs']} 计算",
        f"数据截至 {time_words(at)}(第 {document['sequence']} 次更新)",
    ]
    if document.get("is_masked"):
        parts.append("小于 5 的人数不显示")
    if document["is_simulated"]:
        parts.append("含模拟数据")
    return " · ".join(parts)
