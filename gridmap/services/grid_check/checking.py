"""The check-up of a layer of grids, and the mending of one of its findings."""

from __future__ import annotations

from collections import Counter

from gridmap.domain.layers import Layer
from gridmap.domain.roles import User
from gridmap.errors import InvalidInput, NotFound
from gridmap.services import access, grids
from gridmap.services.district import District
from gridmap.services.grid_check.codes import code_findings
from gridmap.services.grid_check.findings import CheckUp, Finding, Kind
from gridmap.services.grid_check.ground import ground_findings
from gridmap.services.grid_check.look import Look
from gridmap.services.grid_check.members import member_findings
from gridmap.services.grid_check.mending import mend

MOST_OF_A_KIND = 500


def check(district: District, user: User, layer_id: str) -> CheckUp:
    """
    The check-up of a layer of grids.

    Raises
    ------
    NoPartition, PermissionDenied, NotFound
    """
    layer = _require_partition(district, user, layer_id)
    look = Look.at(district, layer)
    findings = [*ground_findings(look), *code_findings(look), *member_findings(look)]
    counts = Counter(one.kind for one in findings)
    shown: list[Finding] = []
    for kind in Kind:
        part = sorted((one for one in findings if one.kind is kind), key=lambda one: -(one.area_m2 or 0.0))
        shown += part[:MOST_OF_A_KIND]
    return CheckUp(layer.id, look.frame.sequence, len(look.ids), dict(counts), tuple(shown))


def repair(
    district: District, user: User, layer_id: str, key: str, repair_id: str | None = None, *, reason: str = ""
) -> int | None:
    """
    Mend one finding in the way `repair_id` names (by default the first); the number of the commit.

    The check is made anew first. None where only derived data were mended, which need no commit.

    Raises
    ------
    NotFound
        The finding is gone, or the grids changed since: check again.
    InvalidInput
        It has no such repair.
    PermissionDenied, and everything that the edit itself raises
    """
    layer = _require_partition(district, user, layer_id)
    access.require_edit(district, user, layer)
    found = next((one for one in check(district, user, layer_id).findings if one.key == key), None)
    if found is None:
        raise NotFound(
            f"layer {layer_id} has no finding {key} any more; check again",
            zh="该问题已不存在,或相关网格已有变化,请重新体检。",
            finding=key,
        )
    chosen = repair_id or (found.repairs[0].id if found.repairs else "")
    if chosen not in {one.id for one in found.repairs}:
        raise InvalidInput(
            f"finding {key} has no repair {chosen!r}", zh="该问题没有这种修复方式。", repair=chosen
        )
    text = reason or f"网格体检:{found.message}"
    return mend(district, user, layer, found, chosen, text[:400])


def _require_partition(district: District, user: User, layer_id: str) -> Layer:
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    if not layer.is_partition:
        raise grids.NoPartition(
            f"layer {layer_id} is no partition",
            zh=f"“{layer.title}”不是铺满划分的网格图层,不作网格体检。",
            layer=layer_id,
        )
    return layer
