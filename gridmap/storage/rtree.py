"""
The box index of the embedded store, filled at once.

SQLite's R*Tree takes boxes one by one, 15 microseconds each: a hundred thousand of them are a third of an
import. A tree of that many is packed here instead, level by level, and written into the three tables in which
SQLite keeps an R*Tree (`%_node`, `%_rowid`, `%_parent`; their form is part of SQLite's stable file format).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import Connection

_TABLE = "element_bbox"
# Of the cells that a node has room for; the rest is left for boxes that come later one by one.
_FILL = 0.85
_CELL = np.dtype([("id", ">i8"), ("box", ">f4", (4,))])
_HEAD_BYTES = 4


def pack(connection: Connection, pks: np.ndarray[Any, Any], boxes: np.ndarray[Any, Any]) -> None:
    """
    Add boxes to the index by building it anew, with those that are in it already.

    Parameters
    ----------
    pks : (n,) keys that are not in the index yet
    boxes : (n, 4) min_x, max_x, min_y, max_y, doubles; the index keeps them in 32 bits, rounded outwards
    """
    old = connection.exec_driver_sql(f"SELECT pk, min_x, max_x, min_y, max_y FROM {_TABLE}").fetchall()
    stored = np.array(old, dtype=float).reshape(-1, 5)
    ids = np.concatenate([stored[:, 0].astype(np.int64), np.asarray(pks, dtype=np.int64)])
    edges = np.concatenate([stored[:, 1:].astype(np.float32), _outwards(boxes)])
    node_bytes = connection.exec_driver_sql(
        f"SELECT length(data) FROM {_TABLE}_node WHERE nodeno = 1"
    ).scalar_one()
    for name in ("node", "rowid", "parent"):
        connection.exec_driver_sql(f"DELETE FROM {_TABLE}_{name}")
    _write(connection, ids, edges, node_bytes)


def _outwards(boxes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The boxes in single precision, each edge rounded away from the middle so that nothing is lost."""
    single = boxes.astype(np.float32)
    low, high = single[:, [0, 2]], single[:, [1, 3]]
    low = np.where(low > boxes[:, [0, 2]], np.nextafter(low, np.float32(-np.inf)), low)
    high = np.where(high < boxes[:, [1, 3]], np.nextafter(high, np.float32(np.inf)), high)
    return np.column_stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]])


def _write(
    connection: Connection, ids: np.ndarray[Any, Any], boxes: np.ndarray[Any, Any], node_bytes: int
) -> None:
    room = (node_bytes - _HEAD_BYTES) // _CELL.itemsize
    per_node = max(2, int(room * _FILL))
    nodes: list[tuple[int, bytes]] = []
    parents: list[tuple[int, int]] = []
    next_number, level = 2, 0
    while True:
        order = _tiled(boxes, per_node)
        ids, boxes = ids[order], boxes[order]
        count = -(-len(ids) // per_node)
        # the root is node 1 by agreement, whatever its level
        numbers = np.array([1]) if count <= 1 else np.arange(next_number, next_number + count)
        starts = np.arange(0, max(len(ids), 1), per_node)
        for number, start in zip(numbers.tolist(), starts.tolist(), strict=True):
            depth = level if number == 1 else 0
            part = slice(start, start + per_node)
            nodes.append((number, _node(ids[part], boxes[part], depth, node_bytes)))
        owner = np.repeat(numbers, per_node)[: len(ids)]
        if level == 0:
            by_id = np.argsort(ids)
            rows = list(zip(ids[by_id].tolist(), owner[by_id].tolist(), strict=True))
            _insert(connection, "rowid", "rowid, nodeno", rows)
        else:
            parents += zip(ids.tolist(), owner.tolist(), strict=True)
        if count <= 1:
            break
        low = np.minimum.reduceat(boxes, starts, axis=0)
        high = np.maximum.reduceat(boxes, starts, axis=0)
        boxes = np.column_stack([low[:, 0], high[:, 1], low[:, 2], high[:, 3]])
        ids, next_number, level = numbers, next_number + count, level + 1
    _insert(connection, "node", "nodeno, data", sorted(nodes))
    _insert(connection, "parent", "nodeno, parentnode", sorted(parents))


def _tiled(boxes: np.ndarray[Any, Any], per_node: int) -> np.ndarray[Any, Any]:
    """An order in which neighbours come together: strips from west to east, each from south to north."""
    n = len(boxes)
    if n <= per_node:
        return np.arange(n)
    x, y = boxes[:, 0] + boxes[:, 1], boxes[:, 2] + boxes[:, 3]
    per_strip = per_node * max(1, round(np.sqrt(n / per_node)))
    by_x = np.argsort(x, kind="stable")
    strip = np.empty(n, dtype=np.int64)
    strip[by_x] = np.arange(n) // per_strip
    return np.lexsort((y, strip))


def _node(ids: np.ndarray[Any, Any], boxes: np.ndarray[Any, Any], depth: int, node_bytes: int) -> bytes:
    cells = np.empty(len(ids), dtype=_CELL)
    cells["id"], cells["box"] = ids, boxes
    head = depth.to_bytes(2, "big") + len(ids).to_bytes(2, "big")
    return (head + cells.tobytes()).ljust(node_bytes, b"\0")


def _insert(connection: Connection, name: str, columns: str, rows: list[tuple[Any, Any]]) -> None:
    if rows:
        connection.exec_driver_sql(f"INSERT INTO {_TABLE}_{name} ({columns}) VALUES (?, ?)", rows)
