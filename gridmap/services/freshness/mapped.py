"""上图率: what is on the map of what is registered."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gridmap.domain.layers import Layer
from gridmap.domain.privacy import find_personal_data
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput
from gridmap.services import access
from gridmap.services.district import District
from gridmap.services.freshness.overdue import grid_names, require_grid_layer
from gridmap.storage import membership as members
from gridmap.storage import registered
from gridmap.storage.registered import Item as RegisteredItem

_MOST_REGISTERED = 200_000


@dataclass(frozen=True, slots=True)
class MappedRow:
    """One grid: how many are registered, how many of them on the map, and how many are missing."""

    grid_code: str
    grid_name: str
    registered: int
    mapped: int
    missing: int

    @property
    def share(self) -> float | None:
        """上图率: mapped ÷ registered (above 1 where more is on the map); None where nothing is registered."""
        return self.mapped / self.registered if self.registered else None


@dataclass(frozen=True, slots=True)
class MappedShare:
    """
    上图率 of one layer.

    With a register, an element counts where its code is registered; `missing` names what is not on the map,
    `unregistered` the codes on the map that the register does not know. With counts alone both are empty.
    """

    layer: str
    grid_layer: str
    rows: tuple[MappedRow, ...]
    total: MappedRow
    missing: tuple[RegisteredItem, ...] = ()
    unregistered: tuple[str, ...] = ()
    has_register: bool = field(default=False)


def register_counts(
    district: District, user: User, layer_id: str, grid_layer: str, counts: Mapping[str, int]
) -> None:
    """
    Keep how many elements of a layer are registered in each grid, in place of what was kept before.

    Raises
    ------
    PermissionDenied (only for those who import and write in the whole district), InvalidInput, NotFound
    """
    layer = _require_registrar(district, user, layer_id)
    grid = require_grid_layer(district, user, grid_layer)
    known = grid_names(district, grid)
    for code, count in counts.items():
        if code not in known:
            raise InvalidInput(
                f"no grid {code} in {grid.id}", zh=f"没有编码为“{code}”的{grid.title}。", code=code
            )
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= 10_000_000:
            raise InvalidInput(
                f"{code}: {count!r} is no count", zh=f"“{code}”的登记数应为非负整数。", code=code
            )
    with district.database.write() as connection:
        registered.put_counts(connection, layer.id, grid.id, counts, by=user.username, at=district.clock())


def register_items(district: District, user: User, layer_id: str, items: Sequence[RegisteredItem]) -> None:
    """
    Keep the register of a layer: what should be on the map, by code, in place of what was kept before.

    Raises
    ------
    As `register_counts`; InvalidInput also for a code given twice and for personal data in a name
    """
    layer = _require_registrar(district, user, layer_id)
    if len(items) > _MOST_REGISTERED:
        raise InvalidInput(
            f"more than {_MOST_REGISTERED} items", zh=f"登记清单不能超过 {_MOST_REGISTERED:,} 行。"
        )
    codes = Counter(one.code for one in items)
    doubled = next((code for code, number in codes.items() if number > 1 or not code.strip()), None)
    if doubled is not None:
        raise InvalidInput(
            f"code {doubled!r} is empty or given twice", zh=f"登记清单中编码“{doubled}”为空或重复。"
        )
    for one in items:
        if len(one.name) > 120 or len(one.code) > 60 or find_personal_data(one.name):
            raise InvalidInput(
                f"item {one.code}: the name is too long or holds personal data",
                zh=f"登记清单中“{one.code}”的名称过长或疑似含有个人信息,未保存。",
                code=one.code,
            )
    with district.database.write() as connection:
        registered.put_items(connection, layer.id, items, by=user.username, at=district.clock())


def _require_registrar(district: District, user: User, layer_id: str) -> Layer:
    layer = district.catalogue.layer(layer_id)
    access.require(district, user, Permission.IMPORT, layer_id)
    access.require_edit(district, user, layer)
    if not user.writes_everywhere:
        raise access.refuse(district, user, "register", layer_id, zh="登记数由网格管理员维护。")
    return layer


def mapped_share(
    district: District, user: User, layer_id: str, *, grid_layer: str = "police_grid"
) -> MappedShare:
    """
    上图率 of a layer per grid and in all, by its register where there is one, else by registered counts.

    Raises
    ------
    PermissionDenied, NotFound, InvalidInput (no grid layer)
    """
    layer = district.catalogue.layer(layer_id)
    access.require_sight(district, user, layer)
    grid = require_grid_layer(district, user, grid_layer)
    with district.database.read() as connection:
        register = registered.items(connection, layer_id)
        numbers = registered.counts(connection, layer_id, grid_layer)
        on_map = members.counts(connection, layer_id, grid_layer)
    if register:
        return _share_of_register(district, layer, grid, register)
    names = grid_names(district, grid)
    rows = [_row(code, names.get(code, code), numbers[code], on_map.get(code, 0)) for code in sorted(numbers)]
    return MappedShare(layer_id, grid_layer, tuple(rows), _total(rows))


def _share_of_register(
    district: District, layer: Layer, grid: Layer, register: Sequence[RegisteredItem]
) -> MappedShare:
    frame = district.frames.frame(layer.id)
    codes = {code for code in frame.arrays.code[frame.living].tolist() if code}
    names, per_grid = grid_names(district, grid), defaultdict(lambda: [0, 0])
    for one in register:
        sums = per_grid[one.grid_code or ""]
        sums[0] += 1
        sums[1] += one.code in codes
    rows = [_row(code, names.get(code, code or "未注明"), *per_grid[code]) for code in sorted(per_grid)]
    known = {one.code for one in register}
    return MappedShare(
        layer.id, grid.id, tuple(rows), _total(rows), tuple(one for one in register if one.code not in codes),
        tuple(sorted(codes - known)), True,
    )  # fmt: skip


def _row(code: str, name: str, number: int, mapped: int) -> MappedRow:
    return MappedRow(code, name, number, mapped, max(0, number - mapped))


def _total(rows: Sequence[MappedRow]) -> MappedRow:
    sums = (
        np.array([(one.registered, one.mapped, one.missing) for one in rows], dtype=int)
        .reshape(-1, 3)
        .sum(axis=0)
    )
    return MappedRow("", "合计", *(int(one) for one in sums))
