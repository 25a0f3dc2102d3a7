"""Figures as leaders read them: their words, their change, who may see them; and areas ranked by them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gridmap.domain.freshness import CHINA
from gridmap.domain.periods import PeriodKind
from gridmap.domain.privacy import MASKED_COUNT
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput

SIMULATED = "模拟数据"
# A change that is smaller tells of few people or risks.
SMALL_CHANGE = 5


class Scope(Enum):
    """Who sees the same figures: people with sensitive sight, and people for whom small counts are hidden."""

    FULL = "full"
    MASKED = "masked"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return {"full": "完整数据", "masked": "已隐去小数量"}[self.value]


def scope_of(user: User) -> Scope:
    """The user's masking scope; figures of one scope are never shown in another."""
    return Scope.FULL if user.may(Permission.VIEW_SENSITIVE) else Scope.MASKED


@dataclass(frozen=True, slots=True)
class Stamp:
    """What figures speak of: the moment `at`, the commit `sequence`, whether anything is made up, who may see it."""

    at: datetime
    sequence: int
    is_simulated: bool
    scope: Scope
    method: str

    @property
    def text(self) -> str:
        """One line under a page: data time, commit, how coverage was found, 模拟数据."""
        parts = [f"数据时间 {self.at.astimezone(CHINA):%Y-%m-%d %H:%M}", f"数据序号 {self.sequence}"]
        if self.method:
            parts.append(f"覆盖口径:{self.method}")
        if self.scope is Scope.MASKED:
            parts.append("小于 5 的数量及可据以推算的数字已隐去")
        return " · ".join([*parts, *([SIMULATED] if self.is_simulated else [])])


class Form(Enum):
    """How a figure is written."""

    COUNT = "count"
    SHARE = "share"
    DECIMAL = "decimal"


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One headline figure.

    `value` and `before` (at the end of the period before) are counts, or shares from 0 to 1; None where there
    is none, or where it is hidden (`is_hidden`). `good` says whether more is better (1), worse (-1) or
    neither (0). `change` is `value - before`, None where one is missing or the difference itself is hidden.
    Where `is_flow`, both count what happened in their period, else what was there at its end. `against` says what
    `before` is where it is not the period before: 较现状, for a scenario's figure.
    """

    key: str
    title: str
    value: float | None
    unit: str = ""
    form: Form = Form.COUNT
    before: float | None = None
    change: float | None = None
    good: int = 0
    is_hidden: bool = False
    note: str = ""
    is_flow: bool = False
    against: str = ""

    def since(self, period: PeriodKind) -> str:
        """What the change is against: 较上月末, of what happens 较上月."""
        return self.against or f"较{period.whole_before_title if self.is_flow else period.before_title}"

    @property
    def text(self) -> str:
        """The value as shown, without its unit: 12,345, 87.5%, 2.4, * or –."""
        return _shown(self.value, self.form, is_hidden=self.is_hidden)

    @property
    def before_text(self) -> str:
        """What was before, as shown."""
        return _shown(self.before, self.form)

    @property
    def change_text(self) -> str:
        """The change as shown: +12, -0.4个百分点, 持平; empty where unknown."""
        if self.change is None:
            return ""
        if self.form is Form.SHARE:
            points = round(self.change * 100, 1)
            return "持平" if points == 0 else f"{points:+.1f}个百分点"
        number = round(self.change, 0 if self.form is Form.COUNT else 2)
        if number == 0:
            return "持平"
        return f"{number:+,.0f}" if self.form is Form.COUNT else f"{number:+,.2f}"

    @property
    def is_better(self) -> bool | None:
        """Whether the change is for the better; None where there is none or it does not matter."""
        return None if not self.change or not self.good else self.change * self.good > 0


def _shown(value: float | None, form: Form, *, is_hidden: bool = False) -> str:
    if is_hidden:
        return MASKED_COUNT
    if value is None:
        return "–"
    if form is Form.SHARE:
        return f"{value:.1%}"
    return f"{value:,.0f}" if form is Form.COUNT else f"{value:,.2f}"


@dataclass(frozen=True, slots=True)
class GradeRow:
    """Risks of one grade: open and overdue ones; None where hidden."""

    grade: str
    title: str
    color: str
    open: int | None
    overdue: int | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a ranking."""

    key: str
    title: str
    unit: str = ""
    form: Form = Form.COUNT
    good: int = 0


COLUMNS = (
    Column("people", "人口", "人"),
    Column("covered_share", "人口覆盖率", "", Form.SHARE, 1),
    Column("gap_people", "未覆盖人口", "人", Form.COUNT, -1),
    Column("overdue", "逾期未核实", "个", Form.COUNT, -1),
    Column("fresh_share", "数据鲜活率", "", Form.SHARE, 1),
    Column("open_risks", "未结风险", "处", Form.COUNT, -1),
    Column("overdue_risks", "超期风险", "处", Form.COUNT, -1),
    Column("force", "网格力量", "人", Form.COUNT, 1),
)


@dataclass(frozen=True, slots=True)
class RankRow:
    """One town or grid: its figures by column key; None where there is none, keys in `hidden` where hidden."""

    layer: str
    code: str
    name: str
    values: dict[str, float | None]
    hidden: frozenset[str] = frozenset()

    def text(self, column: Column) -> str:
        """One cell as shown."""
        return _shown(self.values[column.key], column.form, is_hidden=column.key in self.hidden)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Towns (or grids) with their figures, by code; `ordered` ranks them."""

    layer: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[RankRow, ...]

    def ordered(self, key: str, *, worst_first: bool = True) -> list[RankRow]:
        """The rows by one column; hidden and missing figures come last."""
        column = next((one for one in self.columns if one.key == key), None)
        if column is None:
            raise InvalidInput(f"no column {key!r} in the ranking", zh=f"排名中没有“{key}”这一列。")
        known = [one for one in self.rows if one.values[key] is not None]
        rest = [one for one in self.rows if one.values[key] is None]
        is_descending = (column.good <= 0) == worst_first
        known.sort(key=lambda one: (-1 if is_descending else 1) * (one.values[key] or 0.0))
        return [*known, *rest]


@dataclass(frozen=True, slots=True)
class Trend:
    """One line: (moment, value) per whole week, oldest first; None where there was no data or it is hidden."""

    key: str
    title: str
    unit: str
    points: tuple[tuple[datetime, float | None], ...]
    form: Form = Form.COUNT

    @property
    def is_line(self) -> bool:
        """Whether there are enough values for one."""
        return sum(value is not None for _, value in self.points) > 1
