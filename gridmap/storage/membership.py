"""Which grids each element lies in, as the services derived it: every combination of grids is stored once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, func, select

from gridmap.storage import bulk
from gridmap.storage.tables import element, membership, place, place_grid

_CHUNK = 5_000

Grids = Mapping[str, str]


def _text(grids: Grids) -> str:
    return json.dumps(dict(grids), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _numbers(connection: Connection, combinations: Sequence[Grids]) -> list[int]:
    """The store's number of each combination of grids; new ones are added."""
    texts = [_text(one) for one in combinations]
    known: dict[str, int] = {}
    for start in range(0, len(texts), _CHUNK):
        query = select(place.c.grids, place.c.pk).where(place.c.grids.in_(texts[start : start + _CHUNK]))
        known |= dict(connection.execute(query).all())
    new = sorted(set(texts) - known.keys())
    last = connection.execute(select(func.max(place.c.pk))).scalar() or 0
    known |= {text: number for number, text in enumerate(new, last + 1)}
    bulk.insert(connection, "place", ("pk", "grids"), [(known[text], text) for text in new])
    rows = [(known[text], layer, code) for text in new for layer, code in json.loads(text).items()]
    bulk.insert(connection, "place_grid", ("place_pk", "grid_layer", "grid_code"), rows)
    return [known[text] for text in texts]


def put(
    connection: Connection,
    ids: Sequence[str],
    combinations: Sequence[Grids],
    which: Sequence[int],
    *,
    is_new: bool = False,
) -> None:
    """
    Note that element `ids[k]` lies in the grids `combinations[which[k]]` (codes by grid layer).

    What was noted about these elements before is forgotten; `is_new` says that there was nothing. Runs in the
    district's turn, so nobody else adds combinations meanwhile.
    """
    if not is_new:
        for start in range(0, len(ids), _CHUNK):
            connection.execute(
                delete(membership).where(membership.c.element_id.in_(ids[start : start + _CHUNK]))
            )
    used = sorted({one for one in which if combinations[one]})
    numbers = dict(zip(used, _numbers(connection, [combinations[one] for one in used]), strict=True))
    rows = [(element_id, numbers[one]) for element_id, one in zip(ids, which, strict=True) if one in numbers]
    bulk.insert(connection, "membership", ("element_id", "place_pk"), rows)


def move(connection: Connection, ids: Sequence[str], grid_layer: str, codes: Sequence[str | None]) -> None:
    """Change the code that each of these elements has in one grid layer (None: in none); others stay."""
    present = grids_of(connection, ids)
    changed: list[str] = []
    combinations: list[dict[str, str]] = []
    for element_id, code in zip(ids, codes, strict=True):
        before = present.get(element_id, {})
        if before.get(grid_layer) == code:
            continue
        rest = {layer: one for layer, one in before.items() if layer != grid_layer}
        changed.append(element_id)
        combinations.append(rest if code is None else {**rest, grid_layer: code})
    put(connection, changed, combinations, range(len(changed)))


def of_element(connection: Connection, element_id: str) -> dict[str, str]:
    """The codes of the grids one element lies in, by grid layer."""
    return grids_of(connection, [element_id]).get(element_id, {})


def grids_of(connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """The codes of the grids of each of these elements, by grid layer; those outside every grid are left out."""
    found: dict[str, dict[str, str]] = {}
    read: dict[str, dict[str, str]] = {}
    for start in range(0, len(ids), _CHUNK):
        statement = (
            select(membership.c.element_id, place.c.grids)
            .join(place, place.c.pk == membership.c.place_pk)
            .where(membership.c.element_id.in_(ids[start : start + _CHUNK]))
        )
        for element_id, text in connection.execute(statement):
            if text not in read:
                read[text] = json.loads(text)
            found[element_id] = read[text]
    return found


def of_elements(connection: Connection, ids: Sequence[str], grid_layer: str) -> dict[str, str]:
    """The grid code of each of these elements in one grid layer; those outside every grid are left out."""
    return {
        element_id: grids[grid_layer]
        for element_id, grids in grids_of(connection, ids).items()
        if grid_layer in grids
    }


def counts(connection: Connection, layer: str, grid_layer: str) -> dict[str, int]:
    """How many living elements of `layer` lie in each grid of `grid_layer`, by grid code."""
    statement = (
        select(place_grid.c.grid_code, func.count())
        .join(membership, membership.c.place_pk == place_grid.c.place_pk)
        .join(element, element.c.id == membership.c.element_id)
        .where(
            place_grid.c.grid_layer == grid_layer, element.c.layer == layer, element.c.is_retired.is_(False)
        )
        .group_by(place_grid.c.grid_code)
    )
    return dict(connection.execute(statement).all())
