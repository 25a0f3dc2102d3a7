"""
The layer catalogue: which layers a district has and what each of their elements must look like.

How it is read from files is `gridmap.domain.layer_files`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from gridmap.domain.roles import Role
from gridmap.errors import NotFound


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
class OrderRule:
    """
    The date or time in `field` is not before the one in `not_before`; the same is in order.

    Where either is missing there is nothing to compare.
    """

    field: str
    not_before: str


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
class SymbolException:
    """A symbol that a value of another field has first: what is closed, whatever its grade was."""

    field: str
    value: str
    symbol: Symbol


@dataclass(frozen=True, slots=True)
class SymbolRule:
    """Symbols by the value of one field, and exceptions; any other element gets the layer's own symbol."""

    field: str
    symbols: Mapping[str, Symbol] = field(default_factory=dict)
    exceptions: tuple[SymbolException, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that decide, each once, the rule's own first."""
        return tuple(dict.fromkeys([self.field, *(one.field for one in self.exceptions)]))

    def symbol_for(self, properties: Mapping[str, Any]) -> Symbol | None:
        """The symbol of an element with these properties; None: the layer's own."""
        for one in self.exceptions:
            if str(properties.get(one.field)) == one.value:
                return one.symbol
        return self.symbols.get(str(properties.get(self.field)))


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
    rules: tuple[OrderRule, ...] = ()
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
            zh=f"图层“{self.title}”没有字段“{name}”。可用字段:{'、'.join(self.field_names)}。",
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
        return self.symbol_rule.symbol_for(properties) or self.symbol

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
