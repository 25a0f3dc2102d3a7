"""
Layer files: the catalogue read from TOML, one file a layer.

The files shipped in `data/layers` are the built-in layers; a deployment adds a layer by adding a file, never
code. Every file is checked when it is loaded, and all faults of all files are reported together, each with
file, key and rule.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from gridmap.domain.layers import (
    CORE_ATTRIBUTES,
    SYSTEM_ATTRIBUTES,
    Catalogue,
    Choice,
    Field,
    FieldClass,
    FieldType,
    FreshnessRule,
    GeometryType,
    Layer,
    OrderRule,
    Privacy,
    Shape,
    Symbol,
    SymbolException,
    SymbolRule,
)
from gridmap.domain.roles import Role
from gridmap.domain.toml_table import TableReader
from gridmap.errors import SettingsError


class CatalogueError(SettingsError):
    """
    The layer files contradict the catalogue's rules.

    Attributes
    ----------
    faults : list of "file: key: rule" sentences, one per fault
    """

    title = "图层目录有误"

    def __init__(self, faults: Sequence[str]) -> None:
        text = "\n".join(faults)
        super().__init__(f"the layer catalogue has {len(faults)} fault(s):\n{text}", faults=list(faults))
        self.zh = f"图层目录有 {len(faults)} 处错误,请修改后重启:\n{text}"


_ID = re.compile(r"[a-z][a-z0-9_]{1,39}")
_COLOR = re.compile(r"#[0-9a-f]{6}")
_LINE_SHAPES = {Shape.SOLID, Shape.DASHED, Shape.DOTTED, Shape.DOUBLE}


def load_catalogue(folders: Iterable[Path]) -> Catalogue:
    """
    The catalogue made of every `*.toml` file in `folders`.

    Raises
    ------
    CatalogueError
        Some file breaks a rule; all faults of all files are listed.
    """
    faults: list[str] = []
    layers: list[tuple[str, Layer]] = []
    for path in (one for folder in folders for one in sorted(folder.glob("*.toml"))):
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            faults.append(f"{path.name}: not a TOML file: {error}")
            continue
        layers.append((path.name, _read_layer(table, path.name, faults)))
    if not layers and not faults:
        faults.append("no layer file was found")
    _check_together(layers, faults)
    if faults:
        raise CatalogueError(faults)
    ordered = sorted((layer for _, layer in layers), key=lambda layer: (layer.order, layer.id))
    return Catalogue({layer.id: layer for layer in ordered})


def _read_layer(table: Mapping[str, Any], where: str, faults: list[str]) -> Layer:
    reader = TableReader(table, where, faults)
    geometry = reader.one_of("geometry", GeometryType, GeometryType.POINT, required=True)
    fields = tuple(_read_field(one, f"{where}: fields", faults) for one in reader.tables("fields"))
    symbol_reader = reader.sub("symbol", required=True)
    symbol = _read_symbol(symbol_reader, geometry)
    symbol_reader.finish()
    layer = Layer(
        id=reader.value("id", str, "unnamed", required=True),
        title=reader.value("title", str, "", required=True),
        group=reader.value("group", str, "其他"),
        geometry=geometry,
        fields=fields,
        symbol=symbol,
        order=reader.value("order", int, 100),
        description=reader.value("description", str, ""),
        symbol_rule=_read_symbol_rule(reader, geometry, symbol, fields),
        editors=_read_editors(reader),
        rules=_read_rules(reader, fields),
        freshness=_read_freshness(reader),
        category_field=reader.value("category_field", str),
        grade_field=reader.value("grade_field", str),
        privacy=reader.one_of("privacy", Privacy, Privacy.INTERNAL),
        min_zoom=reader.value("min_zoom", int, 0),
        max_zoom=reader.value("max_zoom", int, 22),
        label_min_zoom=reader.value("label_min_zoom", int, 14),
        is_visible=reader.value("visible", bool, True),
        is_basemap=reader.value("basemap", bool, False),
        is_grid=reader.value("grid", bool, False),
        is_partition=reader.value("partition", bool, False),
        parent=reader.value("parent", str),
        code_pattern=reader.pattern("code_pattern"),
        is_code_required=reader.value("code_required", bool, True),
        duplicate_radius_m=reader.value("duplicate_radius_m", float),
    )
    _check_layer(reader, layer)
    reader.finish()
    return layer


def _check_layer(reader: TableReader, layer: Layer) -> None:
    if not _ID.fullmatch(layer.id):
        reader.fault("id", "must be lower-case letters, digits and _, 2 to 40 of them, a letter first")
    if len(set(layer.field_names)) < len(layer.fields):
        reader.fault("fields", "two fields have the same name")
    for key in ("category_field", "grade_field"):
        name = getattr(layer, key)
        if name is not None and name not in layer.field_names:
            reader.fault(key, f"names no field of this layer: {name!r}")
    if not 0 <= layer.min_zoom <= layer.max_zoom <= 24:
        reader.fault("min_zoom", "zooms must satisfy 0 <= min_zoom <= max_zoom <= 24")
    if (layer.is_grid or layer.is_partition) and layer.geometry is not GeometryType.AREA:
        reader.fault("grid", "only a MultiPolygon layer can group elements")


def _check_together(layers: Sequence[tuple[str, Layer]], faults: list[str]) -> None:
    ids: dict[str, str] = {}
    titles: dict[str, str] = {}
    for where, layer in layers:
        for seen, key, value in ((ids, "id", layer.id), (titles, "title", layer.title)):
            if value in seen:
                faults.append(f"{where}: {key}: {value!r} is taken by {seen[value]}")
            seen[value] = where
    for where, layer in layers:
        if layer.parent is not None and layer.parent not in ids:
            faults.append(f"{where}: parent: there is no layer {layer.parent!r}")


class _Rule(Enum):
    HARD = "hard"
    SOFT = "soft"


def _read_field(table: Mapping[str, Any], where: str, faults: list[str]) -> Field:
    reader = TableReader(table, f"{where}: {table.get('name', '?')}", faults)
    name = reader.value("name", str, "unnamed", required=True)
    type_ = reader.one_of("type", FieldType, FieldType.TEXT, required=True)
    default_class = FieldClass.FREE_TEXT if type_ is FieldType.TEXT else FieldClass.PLAIN
    reader.known.add("default")
    field_ = Field(
        name=name,
        title=reader.value("title", str, name, required=True),
        type=type_,
        is_required=reader.value("required", bool, False),
        is_soft=reader.one_of("rule", _Rule, _Rule.HARD) is _Rule.SOFT,
        choices=_read_choices(reader),
        pattern=reader.pattern("pattern"),
        minimum=reader.value("minimum", float),
        maximum=reader.value("maximum", float),
        max_length=reader.value("max_length", int, 500),
        unit=reader.value("unit", str),
        default=table.get("default"),
        help=reader.value("help", str),
        field_class=reader.one_of("class", FieldClass, default_class),
    )
    if not _ID.fullmatch(name):
        reader.fault("name", "must be lower-case letters, digits and _, 2 to 40 of them, a letter first")
    if name in CORE_ATTRIBUTES or name in SYSTEM_ATTRIBUTES:
        reader.fault("name", f"{name} is an attribute that every element has already")
    if type_ is FieldType.CHOICE and not field_.choices:
        reader.fault("choices", "a choice field needs at least one")
    if field_.minimum is not None and field_.maximum is not None and field_.minimum > field_.maximum:
        reader.fault("minimum", "is above maximum")
    _check_default(reader, field_)
    reader.finish()
    return field_


def _read_choices(reader: TableReader) -> tuple[Choice, ...]:
    choices = []
    for entry in reader.array("choices"):
        if isinstance(entry, str):
            choices.append(Choice(entry, entry))
        elif isinstance(entry, dict) and set(entry) == {"value", "title"}:
            choices.append(Choice(str(entry["value"]), str(entry["title"])))
        else:
            reader.fault("choices", f"each must be a text or {{value, title}}, not {entry!r}")
    if len({choice.value for choice in choices}) < len(choices):
        reader.fault("choices", "values must differ")
    return tuple(choices)


def _check_default(reader: TableReader, field_: Field) -> None:
    kinds = {
        FieldType.TEXT: str, FieldType.CHOICE: str, FieldType.INTEGER: int, FieldType.BOOLEAN: bool,
        FieldType.NUMBER: (int, float), FieldType.DATE: (str, date), FieldType.DATETIME: (str, datetime),
    }  # fmt: skip
    if field_.default is not None and not isinstance(field_.default, kinds[field_.type]):
        reader.fault("default", f"does not fit the type {field_.type.value}: {field_.default!r}")
    if (
        field_.choices
        and field_.default is not None
        and field_.default not in [one.value for one in field_.choices]
    ):
        reader.fault("default", f"is not among the choices: {field_.default!r}")


def _read_symbol(reader: TableReader, geometry: GeometryType | None, base: Symbol | None = None) -> Symbol:
    default = base or Symbol(Shape.CIRCLE, "#1f4e9d")
    shape = reader.one_of("shape", Shape, default.shape, required=base is None)
    color = reader.value("color", str, default.color, required=base is None)
    if not _COLOR.fullmatch(color):
        reader.fault("color", f"must be a lower-case hex colour like #1f4e9d, not {color!r}")
    if geometry is GeometryType.POINT and shape in _LINE_SHAPES:
        reader.fault("shape", f"{shape.value} is a line style; a point layer needs a marker shape")
    if geometry is not None and geometry is not GeometryType.POINT and shape not in _LINE_SHAPES:
        reader.fault("shape", f"{shape.value} is a marker; lines and areas need a line style")
    symbol = Symbol(
        shape=shape,
        color=color,
        size=reader.value("size", float, default.size),
        fill_opacity=reader.value("fill_opacity", float, default.fill_opacity),
        title=reader.value("title", str),
        min_zoom=reader.value("min_zoom", int, 0),
    )
    if not 0 < symbol.size <= 60:
        reader.fault("size", "must be above 0 and at most 60 pixels")
    if not 0 <= symbol.fill_opacity <= 1:
        reader.fault("fill_opacity", "must be between 0 and 1")
    return symbol


def _read_symbol_rule(
    reader: TableReader, geometry: GeometryType, base: Symbol, fields: Sequence[Field]
) -> SymbolRule | None:
    tables = reader.tables("symbols")
    by = reader.value("symbol_by", str)
    if not tables and by is None:
        return None
    if by not in {one.name for one in fields}:
        reader.fault("symbol_by", f"must name one of the layer's fields, not {by!r}")
    symbols, exceptions = {}, []
    for number, table in enumerate(tables, start=1):
        entry = TableReader(table, f"{reader.where}: symbols {number}", reader.faults)
        value = entry.value("value", str, "", required=True)
        field = entry.value("field", str, by)
        if field not in {one.name for one in fields}:
            entry.fault("field", f"must name one of the layer's fields, not {field!r}")
        symbol = _read_symbol(entry, geometry, base)
        if field == by:
            symbols[value] = symbol
        else:
            exceptions.append(SymbolException(str(field), value, symbol))
        entry.finish()
    return SymbolRule(by or "", symbols, tuple(exceptions))


def _read_rules(reader: TableReader, fields: Sequence[Field]) -> tuple[OrderRule, ...]:
    types = {one.name: one.type for one in fields}
    rules = []
    for number, table in enumerate(reader.tables("rules"), start=1):
        entry = TableReader(table, f"{reader.where}: rules {number}", reader.faults)
        rule = OrderRule(*(entry.value(key, str, "", required=True) for key in ("field", "not_before")))
        for key in ("field", "not_before"):
            if types.get(getattr(rule, key)) not in (FieldType.DATE, FieldType.DATETIME):
                entry.fault(
                    key, f"must name a date or datetime field of the layer, not {getattr(rule, key)!r}"
                )
        if types.get(rule.field) is not types.get(rule.not_before):
            entry.fault("not_before", "must have the type of the other field: a day has no hour to compare")
        if rule.field == rule.not_before:
            entry.fault("not_before", "is the field itself")
        rules.append(rule)
        entry.finish()
    return tuple(rules)


def _read_freshness(reader: TableReader) -> tuple[FreshnessRule, ...]:
    rules = []
    for number, table in enumerate(reader.tables("freshness"), start=1):
        entry = TableReader(table, f"{reader.where}: freshness {number}", reader.faults)
        days = entry.value("days", int)
        if days is not None and days < 1:
            entry.fault("days", "must be 1 or more; leave it out for no fixed cycle")
        rules.append(FreshnessRule(days, entry.value("category", str), entry.value("grade", str)))
        entry.finish()
    return tuple(rules)


def _read_editors(reader: TableReader) -> frozenset[Role]:
    known = {role.value: role for role in Role}
    editors = []
    for name in reader.array("editors", ("officer", "grid_keeper", "admin")):
        if isinstance(name, str) and name in known:
            editors.append(known[name])
        else:
            reader.fault("editors", f"{name!r} is not a role; roles are {', '.join(sorted(known))}")
    return frozenset(editors)
