"""
The layer catalogue: which layers a district has and what each of their elements must look like.

A layer is one TOML file. The files shipped in `data/layers` are the built-in layers; a deployment adds a
layer by adding a file, never code. Every file is checked when it is loaded, and all faults of all files are
reported together, each with file, key and rule.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from gridmap.domain.roles import Role
from gridmap.errors import NotFound, SettingsError


class GeometryType(Enum):
    """The geometry an element of a layer has; a single part is stored as such in a Multi- layer too."""

    POINT = "Point"
    LINE = "MultiLineString"
    AREA = "MultiPolygon"

    @property
    def accepted(self) -> frozenset[str]:
        """Names of the GeoJSON geometry types that an element of such a layer may have."""
        return frozenset({self.value, self.value.removeprefix("Multi")})


class FieldType(Enum):
    """What a field's value is, in JSON and on screen."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    CHOICE = "choice"


class FieldClass(Enum):
    """What a field's content is about; it decides what the privacy guard does with it."""

    PLAIN = "plain"
    CODE = "code"
    DUTY_CONTACT = "duty_contact"
    COUNT = "count"
    FREE_TEXT = "free_text"


class Privacy(Enum):
    """Who may see the elements of a layer one by one."""

    INTERNAL = "internal"
    SENSITIVE = "sensitive"
    TOTALS_ONLY = "totals_only"


class Shape(Enum):
    """Shapes of symbols; a grade is told by shape *and* colour, never by colour alone."""

    CIRCLE = "circle"
    SQUARE = "square"
    DIAMOND = "diamond"
    TRIANGLE = "triangle"
    TRIANGLE_DOWN = "triangle_down"
    PENTAGON = "pentagon"
    HEXAGON = "hexagon"
    STAR = "star"
    CROSS = "cross"
    SHIELD = "shield"
    HOUSE = "house"
    SOLID = "solid"
    DASHED = "dashed"
    DOTTED = "dotted"
    DOUBLE = "double"


@dataclass(frozen=True, slots=True)
class Choice:
    """One admitted value of a field, with the words a person reads."""

    value: str
    title: str


@dataclass(frozen=True, slots=True)
class Field:
    """
    One property of a layer's elements.

    `pattern` must match the whole text; `minimum` and `maximum` are inclusive. A breach of a *soft* field's
    rule (`is_soft`) warns and is stored; any other breach is refused.
    """

    name: str
    title: str
    type: FieldType
    is_required: bool = False
    is_soft: bool = False
    choices: tuple[Choice, ...] = ()
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    max_length: int = 500
    unit: str | None = None
    default: Any = None
    help: str | None = None
    field_class: FieldClass = FieldClass.PLAIN

    def choice_title(self, value: Any) -> str:
        """The words for `value`: the choice's title, or the value itself as text."""
        return next((choice.title for choice in self.choices if choice.value == value), str(value))


@dataclass(frozen=True, slots=True)
class Symbol:
    """
    How an element is drawn: shape and colour together.

    `size` is in pixels (marker or line width); below `min_zoom` the element is left off the map.
    """

    shape: Shape
    color: str
    size: float = 10.0
    fill_opacity: float = 0.15
    title: str | None = None
    min_zoom: int = 0


@dataclass(frozen=True, slots=True)
class SymbolRule:
    """Symbols by the value of one field; elements with any other value get the layer's own symbol."""

    field: str
    symbols: Mapping[str, Symbol] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FreshnessRule:
    """
    After how many days an element must be verified again, by category × grade.

    `None` for category or grade means any; `days` of None means no fixed cycle. The element is due on day
    `days` and overdue from the day after.
    """

    days: int | None
    category: str | None = None
    grade: str | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of the catalogue. Zooms are Web Mercator levels, both ends included."""

    id: str
    title: str
    group: str
    geometry: GeometryType
    fields: tuple[Field, ...]
    symbol: Symbol
    order: int = 100
    description: str = ""
    symbol_rule: SymbolRule | None = None
    editors: frozenset[Role] = frozenset({Role.OFFICER, Role.GRID_KEEPER, Role.ADMIN})
    freshness: tuple[FreshnessRule, ...] = ()
    category_field: str | None = None
    grade_field: str | None = None
    privacy: Privacy = Privacy.INTERNAL
    min_zoom: int = 0
    max_zoom: int = 22
    label_min_zoom: int = 14
    is_visible: bool = True
    is_basemap: bool = False
    is_grid: bool = False
    is_partition: bool = False
    parent: str | None = None
    code_pattern: str | None = None
    is_code_required: bool = True
    duplicate_radius_m: float | None = None

    def field(self, name: str) -> Field:
        """The field called `name`; raises NotFound."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise NotFound(
            f"layer {self.id} has no field {name!r}; its fields are {', '.join(self.field_names)}",
            zh=f"图层“{self.title}”没有字段“{name}”。",
            layer=self.id,
            field=name,
        )

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of the layer's own fields, in catalogue order."""
        return tuple(one.name for one in self.fields)

    def symbol_for(self, properties: Mapping[str, Any]) -> Symbol:
        """The symbol of an element with these properties."""
        if self.symbol_rule is None:
            return self.symbol
        return self.symbol_rule.symbols.get(str(properties.get(self.symbol_rule.field)), self.symbol)

    def days_until_due(self, properties: Mapping[str, Any]) -> int | None:
        """Days from a verification to its due date, by the first rule that fits; None: no fixed cycle."""
        category = properties.get(self.category_field) if self.category_field else None
        grade = properties.get(self.grade_field) if self.grade_field else None
        for rule in self.freshness:
            if rule.category in (None, category) and rule.grade in (None, grade):
                return rule.days
        return None


# Attributes that every element has beside its layer's fields; no field may take one of these names.
CORE_ATTRIBUTES = ("code", "name")
SYSTEM_ATTRIBUTES = (
    "id", "fid", "geom", "geometry", "type", "layer", "source", "revision", "sequence", "verified_at",
    "verified_by", "due_at", "created_at", "created_by", "updated_at", "updated_by", "is_retired", "pinyin",
)  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All layers of a district, by id, in drawing order (ascending `order`)."""

    layers: Mapping[str, Layer]

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers.values())

    def __contains__(self, layer_id: object) -> bool:
        return layer_id in self.layers

    def __len__(self) -> int:
        return len(self.layers)

    def layer(self, layer_id: str) -> Layer:
        """The layer with this id; raises NotFound."""
        try:
            return self.layers[layer_id]
        except KeyError:
            raise NotFound(
                f"no layer {layer_id!r}; the catalogue has {', '.join(self.layers)}",
                zh=f"没有图层“{layer_id}”。可用图层:{'、'.join(self.layers)}。",
                layer=layer_id,
            ) from None

    @property
    def grids(self) -> tuple[Layer, ...]:
        """Layers whose areas group elements (town, committee, police grid, ...)."""
        return tuple(layer for layer in self if layer.is_grid)


_ID = re.compile(r"[a-z][a-z0-9_]{1,39}")
_COLOR = re.compile(r"#[0-9a-f]{6}")
_TYPES: dict[type, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
_LINE_SHAPES = {Shape.SOLID, Shape.DASHED, Shape.DOTTED, Shape.DOUBLE}


class _Reader:
    """Reads one TOML table key by key, collecting every breach instead of stopping at the first."""

    def __init__(self, table: Mapping[str, Any], where: str, faults: list[str]) -> None:
        self.table, self.where, self.faults = table, where, faults
        self.known: set[str] = set()

    def fault(self, key: str, rule: str) -> None:
        self.faults.append(f"{self.where}: {key}: {rule}")

    def value(self, key: str, kind: type, default: Any = None, *, required: bool = False) -> Any:
        self.known.add(key)
        if key not in self.table:
            if required:
                self.fault(key, f"is required and must be {_TYPES[kind]}")
            return default
        value = self.table[key]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.fault(key, f"must be {_TYPES[kind]}, not {value!r}")
            return default
        return value

    def one_of(self, key: str, enum: type[Enum], default: Any = None, *, required: bool = False) -> Any:
        text = self.value(key, str, None, required=required)
        if text is None:
            return default
        try:
            return enum(text)
        except ValueError:
            self.fault(key, f"must be one of {', '.join(str(e.value) for e in enum)}, not {text!r}")
            return default

    def pattern(self, key: str) -> str | None:
        text = self.value(key, str)
        try:
            re.compile(text or "")
        except re.error as error:
            self.fault(key, f"is not a regular expression: {error}")
            return None
        return text

    def tables(self, key: str) -> list[Mapping[str, Any]]:
        self.known.add(key)
        value = self.table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.fault(key, "must be an array of tables")
            return []
        return value

    def sub(self, key: str, *, required: bool = False) -> _Reader:
        self.known.add(key)
        value = self.table.get(key)
        if value is None and required:
            self.fault(key, "is required")
        elif value is not None and not isinstance(value, dict):
            self.fault(key, "must be a table")
        return _Reader(value if isinstance(value, dict) else {}, f"{self.where}: {key}", self.faults)

    def finish(self) -> None:
        for key in self.table.keys() - self.known:
            self.fault(key, f"is not a known key; known are {', '.join(sorted(self.known))}")


def _read_symbol(reader: _Reader, geometry: GeometryType | None, base: Symbol | None = None) -> Symbol:
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


def _read_choices(reader: _Reader) -> tuple[Choice, ...]:
    reader.known.add("choices")
    choices = []
    for entry in reader.table.get("choices", []):
        if isinstance(entry, str):
            choices.append(Choice(entry, entry))
        elif isinstance(entry, dict) and set(entry) == {"value", "title"}:
            choices.append(Choice(str(entry["value"]), str(entry["title"])))
        else:
            reader.fault("choices", f"each must be a text or {{value, title}}, not {entry!r}")
    if len({choice.value for choice in choices}) < len(choices):
        reader.fault("choices", "values must differ")
    return tuple(choices)


def _check_default(reader: _Reader, field_: Field) -> None:
    kinds = {
        FieldType.TEXT: str, FieldType.CHOICE: str, FieldType.INTEGER: int, FieldType.BOOLEAN: bool,
        FieldType.NUMBER: (int, float), FieldType.DATE: (str, date), FieldType.DATETIME: (str, datetime),
    }  # fmt: skip
    if field_.default is not None and not isinstance(field_.default, kinds[field_.type]):
        reader.fault("default", f"does not fit the type {field_.type.value}: {field_.default!r}")
    if (
        field_.choices
        and field_.default is not None
        and field_.default not in {c.value for c in field_.choices}
    ):
        reader.fault("default", f"is not among the choices: {field_.default!r}")


def _read_field(table: Mapping[str, Any], where: str, faults: list[str]) -> Field:
    reader = _Reader(table, f"{where}: {table.get('name', '?')}", faults)
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


class _Rule(Enum):
    HARD = "hard"
    SOFT = "soft"


def _read_freshness(reader: _Reader) -> tuple[FreshnessRule, ...]:
    rules = []
    for number, table in enumerate(reader.tables("freshness"), start=1):
        entry = _Reader(table, f"{reader.where}: freshness {number}", reader.faults)
        days = entry.value("days", int)
        if days is not None and days < 1:
            entry.fault("days", "must be 1 or more; leave it out for no fixed cycle")
        rules.append(FreshnessRule(days, entry.value("category", str), entry.value("grade", str)))
        entry.finish()
    return tuple(rules)


def _read_symbol_rule(
    reader: _Reader, geometry: GeometryType, base: Symbol, fields: Sequence[Field]
) -> SymbolRule | None:
    tables = reader.tables("symbols")
    by = reader.value("symbol_by", str)
    if not tables and by is None:
        return None
    if by not in {one.name for one in fields}:
        reader.fault("symbol_by", f"must name one of the layer's fields, not {by!r}")
    symbols = {}
    for number, table in enumerate(tables, start=1):
        entry = _Reader(table, f"{reader.where}: symbols {number}", reader.faults)
        value = entry.value("value", str, "", required=True)
        symbols[value] = _read_symbol(entry, geometry, base)
        entry.finish()
    return SymbolRule(by or "", symbols)


def _read_editors(reader: _Reader) -> frozenset[Role]:
    reader.known.add("editors")
    names = reader.table.get("editors", ["officer", "grid_keeper", "admin"])
    known = {role.value for role in Role}
    for name in names:
        if name not in known:
            reader.fault("editors", f"{name!r} is not a role; roles are {', '.join(sorted(known))}")
    return frozenset(Role(name) for name in names if name in known)


def _read_layer(table: Mapping[str, Any], where: str, faults: list[str]) -> Layer:
    reader = _Reader(table, where, faults)
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


def _check_layer(reader: _Reader, layer: Layer) -> None:
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
