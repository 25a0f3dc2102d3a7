"""Codes that more than one grid uses."""

from __future__ import annotations

from gridmap.domain.codes import CodeSchemeError, CodesExhausted
from gridmap.services import grids
from gridmap.services.grid_check.findings import Finding, Kind, Repair
from gridmap.services.grid_check.look import Look


def code_findings(look: Look) -> list[Finding]:
    """Grids with the code of another; the one that was stored first keeps it."""
    holders: dict[str, list[int]] = {}
    for at, code in enumerate(look.frame.arrays.code[look.frame.living]):
        if code:
            holders.setdefault(code, []).append(at)
    found = []
    for code, (first, *later) in holders.items():
        # living elements come in the order in which they were stored
        for at in later:
            message = f"编码“{code}”被 {len(later) + 1} 个网格使用"
            repairs = [Repair("recode", "给后登记的网格编新码")] if _has_next(look, code) else []
            found.append(look.finding(Kind.DUPLICATE_CODE, look.sound[at], [at, first], message, repairs))
    return found


def _has_next(look: Look, code: str) -> bool:
    """Whether another code can be given under the same prefix."""
    try:
        grids.next_codes(look.district, look.layer.id, code, 1)
    except (CodeSchemeError, CodesExhausted):
        return False
    return True
