"""Which column of a file is which attribute of a layer: proposed by name and content, settled by a person."""

from __future__ import annotations

import difflib
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gridmap.domain.layers import Catalogue, Layer
from gridmap.domain.names import search_key
from gridmap.errors import InvalidInput

# Attributes that every element has beside code, name and its layer's fields, and that a file of ours carries.
SYSTEM_COLUMNS = {"id": "要素标识", "revision": "版本号", "source": "数据来源", "verified_at": "核实时间"}

_SYNONYMS: dict[str, tuple[str, ...]] = {
    "code": ("编码", "编号", "代码", "bm", "bh", "dm", "adcode", "divisioncode", "区划代码", "no", "number"),
    "name": ("名称", "名字", "标题", "mc", "title", "label", "简称", "全称", "地名"),
    "id": ("要素id", "uuid", "guid"),
    "revision": ("版本", "rev"),
    "source": ("来源", "数据性质"),
    "verified_at": ("核实日期", "verifiedat"),
}
_LEAST_LIKENESS = 0.82
_SAMPLE = 200


class MappingFault(InvalidInput):
    """
    A column mapping names something that is not there, or one field twice.

    Attributes
    ----------
    column, field : what was named
    """

    title = "列对应有误"


@dataclass(frozen=True, slots=True)
class GridColumn:
    """A column that states the grid codes of rows, which the service derives by itself and compares."""

    column: str
    grid_layer: str


def targets(layer: Layer) -> dict[str, str]:
    """Everything that a column can be mapped to, with its Chinese title: fields first, then what files of ours carry."""
    own = {"code": "编码", "name": "名称", **{one.name: one.title for one in layer.fields}}
    return own | {name: title for name, title in SYSTEM_COLUMNS.items() if name not in own}


def _plain(text: str) -> str:
    """The name as it is compared: lower case, no blanks, signs or remarks in brackets."""
    text = re.sub(r"[(\uff08\[【].*?[)\uff09\]】]", "", text.lower())
    return re.sub(r"[\s_\-.:\uff1a/*#]+", "", text)


def _names_of(field: str, title: str) -> list[tuple[str, float]]:
    """Names under which a field is found, each with how sure that is."""
    key = search_key(None, title).split(" ")
    names = [(field, 1.0), (title, 0.98)]
    names += [(one, 0.9) for one in _SYNONYMS.get(field, ())]
    if len(key) == 3:
        names += [(key[1], 0.88), (key[2], 0.6 if len(key[2]) < 4 else 0.8)]
    return [(_plain(name), score) for name, score in names if _plain(name)]


def _likeness(column: str, names: Iterable[tuple[str, float]]) -> float:
    best = 0.0
    for name, score in names:
        if column == name:
            best = max(best, score)
        elif len(column) >= 8 and name.startswith(column):
            best = max(best, score * 0.85)  # a heading cut off by its format
        elif len(name) >= 2 and not name.isascii() and (column.endswith(name) or column.startswith(name)):
            best = max(best, score * 0.7)
        elif len(name) >= 4:
            ratio = difflib.SequenceMatcher(None, column, name).ratio()
            if ratio >= _LEAST_LIKENESS:
                best = max(best, score * ratio * 0.75)
    return best


def _is_uuid(text: Any) -> bool:
    try:
        return str(uuid.UUID(str(text))) == str(text).lower()
    except ValueError:
        return False


def _share(values: Sequence[Any], test: Any) -> float:
    there = [value for value in values[:_SAMPLE] if value not in (None, "")]
    return sum(map(bool, map(test, there))) / len(there) if there else 0.0


def propose(layer: Layer, columns: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    """
    The field for each column that seems to be one, by column; each field at most once.

    By id, Chinese title, usual synonyms, pinyin and similar spelling. A column is taken for the element id
    only if it holds UUIDs, and one that holds codes of the layer's pattern is taken for the code where no
    other column is.
    """
    names = {field: _names_of(field, title) for field, title in targets(layer).items()}
    scored: list[tuple[float, int, str, str]] = []
    for place, (column, values) in enumerate(columns.items()):
        for field, known in names.items():
            score = _likeness(_plain(column), known)
            if field == "id" and score and _share(values, _is_uuid) < 1.0:
                score = 0.0
            if field == "code" and score < 0.9 and _plain(column) in ("id", "fid", "adcode", "gid"):
                score = (
                    0.85 if layer.code_pattern and _share(values, _fits(layer.code_pattern)) >= 0.9 else 0.0
                )
            if score >= 0.45:
                scored.append((-score, place, column, field))
    found: dict[str, str] = {}
    for _, _, column, field in sorted(scored):
        if column not in found and field not in found.values():
            found[column] = field
    return found


def _fits(pattern: str) -> Any:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(str(value))


def settle(
    layer: Layer, columns: Sequence[str], proposed: Mapping[str, str], wanted: Mapping[str, str | None] | None
) -> dict[str, str]:
    """
    The proposal, changed by what a person wants: a field for a column, or None (or "") to leave it out.

    Raises
    ------
    MappingFault
        No such column or field, or two columns for one field.
    """
    mapping = dict(proposed)
    known = targets(layer)
    by_title = {title: field for field, title in known.items()}
    for column, field in (wanted or {}).items():
        if column not in columns:
            raise MappingFault(
                f"no column {column!r}; the file has {', '.join(columns)}",
                zh=f"文件中没有“{column}”列。文件中的列:{'、'.join(columns[:30])}。",
                column=column,
            )
        if not field:
            mapping.pop(column, None)
            continue
        target = field if field in known else by_title.get(field)
        if target is None:
            raise MappingFault(
                f"layer {layer.id} has no field {field!r}; it has {', '.join(known)}",
                zh=f"图层“{layer.title}”没有字段“{field}”。可用字段:{'、'.join(known.values())}。",
                column=column,
                field=field,
            )
        mapping = {one: other for one, other in mapping.items() if other != target or one in (wanted or {})}
        mapping[column] = target
    twice = [field for field in mapping.values() if list(mapping.values()).count(field) > 1]
    if twice:
        pair = [column for column, field in mapping.items() if field == twice[0]]
        raise MappingFault(
            f"columns {', '.join(pair)} are both mapped to {twice[0]}; choose one",
            zh=f"“{'”和“'.join(pair)}”两列都对应“{known[twice[0]]}”,请只保留一列。",
            field=twice[0],
        )
    return mapping


def grid_columns(catalogue: Catalogue, layer: Layer, columns: Iterable[str]) -> list[GridColumn]:
    """Columns that state which grid a row lies in, such as `police_grid`, `警务网格编码` or `所属街镇代码`."""
    found = []
    own = {_plain(name) for one in layer.fields for name in (one.name, one.title)}
    for column in columns:
        plain = _plain(column)
        bare = re.sub(r"^(所属|所在|属于)", "", plain)
        bare = re.sub(
            r"(gridcode|code|编码|代码|编号)$", lambda m: "grid" if m[0] == "gridcode" else "", bare
        )
        for grid in catalogue.grids:
            if grid.id != layer.id and plain not in own and bare in (_plain(grid.id), _plain(grid.title)):
                found.append(GridColumn(column, grid.id))
    return found
