"""
网格总览: the district in a dozen figures, its towns and grids ranked, its trends, each with what they were before.

Figures are the same for everybody of one masking scope and are kept until the district changes or the day ends.
For those without sensitive sight, small counts of people and risks are hidden, with as many others as it takes
(`gridmap.domain.privacy`). Everything carries the time and the commit it speaks of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from gridmap.domain.elements import Operation
from gridmap.domain.freshness import day_of, first_moment
from gridmap.domain.layers import Privacy
from gridmap.domain.periods import Period, PeriodKind, ends_of_weeks, period_at
from gridmap.domain.roles import Permission, User
from gridmap.errors import InvalidInput
from gridmap.services import access, freshness, standing
from gridmap.services.district import District
from gridmap.services.figures import (
    COLUMNS,
    SMALL_CHANGE,
    Figure,
    Form,
    GradeRow,
    Ranking,
    RankRow,
    Scope,
    Stamp,
    Trend,
    scope_of,
)
from gridmap.services.keeping import kept
from gridmap.services.masking import Hidden, hide, hide_parts, hide_row, nothing_hidden
from gridmap.services.standing import Standing
from gridmap.storage import activity, past, registered

TREND_WEEKS = 12
_SUNDAY = 6


# The headline figures, in the order in which they are shown.
FIGURE_KEYS = (
    "people", "covered_share", "gap_people", "gap_grids", "overdue", "fresh_share", "mapped_share", "open_risks",
    "overdue_risks", "new_risks", "force_per_grid", "posts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything the overview page shows besides the map."""

    stamp: Stamp
    period: Period
    figures: tuple[Figure, ...]
    grades: tuple[GradeRow, ...]
    towns: Ranking
    grids: Ranking
    trends: tuple[Trend, ...]

    def figure(self, key: str) -> Figure:
        """The headline figure with this key; raises InvalidInput."""
        found = next((one for one in self.figures if one.key == key), None)
        if found is None:
            raise InvalidInput(f"no figure {key!r} in the overview", zh=f"总览中没有“{key}”这个指标。")
        return found


def overview(
    district: District, user: User, *, period: PeriodKind | str = PeriodKind.MONTH, at: datetime | None = None
) -> Overview:
    """
    The district's figures in the present period, or in that which `at` (aware, not in the future) lies in.

    Changes are against the last moment of the period before; they are missing where the history does not
    reach back that far.

    Raises
    ------
    PermissionDenied, InvalidInput
    """
    access.require(district, user, Permission.VIEW_ELEMENTS, "overview")
    kind, _ = _kind(period), _moment(district, at)
    scope = scope_of(user)
    with district.database.read() as connection:
        listed = registered.present(connection)
    key = ("overview", scope, kind, at or day_of(district.clock()), *sorted(listed.items()))
    return kept(district, key, lambda: _Maker(district, user, kind, at, listed).overview())


def _kind(period: PeriodKind | str) -> PeriodKind:
    try:
        return PeriodKind(period)
    except ValueError:
        raise InvalidInput(
            f"no period {period!r}; use week, month, quarter or year", zh="期间应为周、月、季或年。"
        ) from None


def _moment(district: District, at: datetime | None) -> datetime:
    if at is not None and (at.tzinfo is None or at > district.clock()):
        raise InvalidInput("the moment must have an offset and lie in the past", zh="请选择一个过去的时间。")
    return at or district.clock()


def sums(
    district: District, user: User, *, period: PeriodKind | str = PeriodKind.MONTH, at: datetime | None = None
) -> tuple[Sums, Sums | None]:
    """The counts behind an overview: now, and at the end of the period before (None where history ends)."""
    access.require(district, user, Permission.VIEW_ELEMENTS, "overview")
    kind, _ = _kind(period), _moment(district, at)
    key = ("sums", scope_of(user), kind, at or day_of(district.clock()))

    def make() -> tuple[Sums, Sums | None]:
        maker = _Maker(district, user, kind, at, {})
        return maker.now, maker.then

    return kept(district, key, make)


def sequence_at(district: District, at: datetime | None) -> int:
    """The district's newest commit, or that of `at`."""
    if at is None:
        return district.database.sequence()
    with district.database.read() as connection:
        return past.sequence_at(connection, at)


def standing_at(district: District, period: Period, at: datetime | None) -> Standing:
    """The counted district (unmasked: for services only), from memory while it has not changed."""
    key = ("standing", period.kind, at or day_of(district.clock()))
    return kept(
        district, key, lambda: standing.standing(district, at, since=period.since), is_past=at is not None
    )


def warm(district: District, *, is_over: Callable[[], bool] = lambda: False) -> bool:
    """
    Count the district as the first overview will ask for it; whether there was anything that takes its time.

    Nothing is counted where there are no people, stations or grids to count. `is_over` is asked between two
    moments: whether to leave out the rest.
    """
    needed = ("residential_area", "workstation", standing.GRID)
    if not all(len(district.frames.frame(layer).living) for layer in needed):
        return False
    period = period_at(PeriodKind.MONTH, district.clock())
    standing_at(district, period, None)
    if not is_over():
        _standing_before(district, period)
    return True


def _standing_before(district: District, period: Period) -> Standing | None:
    """The counted district at the end of the period before; None where history does not reach back so far."""
    with district.database.read() as connection:
        first = past.first_write(connection)
    if first is None or first > period.before:
        return None
    return standing_at(district, period_at(period.kind, period.before), period.before)


# --- making -----------------------------------------------------------------------------------------------

# Counted things that may tell of few people or few risks, each with the whole that it is a part of.
_SENSITIVE = {
    standing.COVERED: standing.PEOPLE,
    standing.OVERDUE_RISKS: standing.OPEN_RISKS,
    standing.NEW_RISKS: standing.NEW_RISKS,
    standing.INCIDENTS: standing.INCIDENTS,
}


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """The district's counts as one scope sees them: `of(key)` and `hidden(key)` go together."""

    standing: Standing
    scope: Scope
    checks: dict[str, tuple[np.ndarray, np.ndarray]]
    masks: dict[str, Hidden]

    def of(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """Counts by grid and by town, each with a last entry for what lies outside."""
        if key in self.checks:
            return self.checks[key]
        return self.standing.of_grid[key], self.standing.of_town[key]

    def total(self, key: str) -> int:
        """The whole district's count."""
        return int(self.of(key)[0].sum())

    def hidden(self, key: str) -> Hidden:
        """What of it is hidden."""
        found = self.masks.get(key)
        return found or nothing_hidden(len(self.standing.grids), len(self.standing.towns))


def sums_of(district: District, scope: Scope, found: Standing) -> Sums:
    """The counted district with what `scope` may not see marked as hidden."""
    seen = [
        checks
        for layer, checks in found.checks.items()
        if scope is Scope.FULL or district.catalogue.layer(layer).privacy is Privacy.INTERNAL
    ]
    empty = (np.zeros(len(found.grids) + 1, dtype=np.int64), np.zeros(len(found.towns) + 1, dtype=np.int64))
    checks = {
        key: tuple(sum((one[key][side] for one in seen), start=empty[side]) for side in (0, 1))
        for key in standing.BY_LAYER
    }
    masks: dict[str, Hidden] = {}
    if scope is Scope.MASKED:
        for part, whole in _SENSITIVE.items():
            pair = [(found.of_grid[key], found.of_town[key]) for key in (part, whole)]
            is_split = part != whole
            hidden = hide_parts(*pair, found.grids.town) if is_split else hide(*pair[0], found.grids.town)
            masks[part] = masks[whole] = hidden
    return Sums(found, scope, checks, masks)  # type: ignore[arg-type]


class _Maker:
    """Makes the figures of one moment for one scope."""

    def __init__(
        self,
        district: District,
        user: User,
        kind: PeriodKind,
        at: datetime | None,
        listed: Mapping[str, datetime],
    ) -> None:
        self.district, self.user, self.listed = district, user, listed
        self.sequence = sequence_at(district, at)
        self.period = period_at(kind, at or district.clock())
        self.scope = scope_of(user)
        self.now = sums_of(district, self.scope, standing_at(district, self.period, at))
        self.then = self._earlier()

    def _earlier(self) -> Sums | None:
        found = _standing_before(self.district, self.period)
        return None if found is None else sums_of(self.district, self.scope, found)

    def overview(self) -> Overview:
        found = self.now.standing
        stamp = Stamp(found.at, self.sequence, found.is_simulated, self.scope, found.cover.text)
        return Overview(
            stamp,
            self.period,
            self._figures(),
            self._grades(),
            self._ranking(0),
            self._ranking(1),
            self._trends(),
        )

    # figures

    def _figure(
        self,
        key: str,
        title: str,
        of: Callable[[Sums], float | None],
        *,
        unit: str = "",
        form: Form = Form.COUNT,
        good: int = 0,
        masks: Sequence[str] = (),
        note: str = "",
        is_flow: bool = False,
    ) -> Figure:
        is_hidden = any(self.now.hidden(one).total for one in masks)
        was_hidden = self.then is not None and any(self.then.hidden(one).total for one in masks)
        value = None if is_hidden else of(self.now)
        before = None if self.then is None or was_hidden else of(self.then)
        change = None if value is None or before is None else value - before
        is_told = masks and self.scope is Scope.MASKED and form is Form.COUNT
        if is_told and change is not None and 0 < abs(change) < SMALL_CHANGE:
            before = change = None
        return Figure(key, title, value, unit, form, before, change, good, is_hidden, note, is_flow)

    def _figures(self) -> tuple[Figure, ...]:
        make, cover = self._figure, (standing.COVERED,)
        risks = (standing.OPEN_RISKS,)
        return (
            make("people", "人口", lambda one: one.total(standing.PEOPLE), unit="人", masks=cover),
            make("covered_share", "人口覆盖率", _share(standing.COVERED, standing.PEOPLE), form=Form.SHARE, good=1,
                 masks=cover, note=self.now.standing.cover.text),
            make("gap_people", "未覆盖人口", lambda one: one.total(standing.PEOPLE) - one.total(standing.COVERED),
                 unit="人", good=-1, masks=cover),
            make("gap_grids", "有死角的网格", _gap_grids, unit="个", good=-1, note="有未覆盖人口的警务网格"),
            make("overdue", "逾期未核实", lambda one: one.total(standing.OVERDUE), unit="个", good=-1),
            make("fresh_share", "数据鲜活率", _fresh_share, form=Form.SHARE, good=1, note="已核实且未逾期"),
            make("mapped_share", "上图率", self._mapped_share, form=Form.SHARE, good=1, note="已上图 ÷ 已登记"),
            make("open_risks", "未结风险", lambda one: one.total(standing.OPEN_RISKS), unit="处", good=-1,
                 masks=risks),
            make("overdue_risks", "超期风险", lambda one: one.total(standing.OVERDUE_RISKS), unit="处", good=-1,
                 masks=risks),
            make("new_risks", f"{self.period.kind.title}新增风险", lambda one: one.total(standing.NEW_RISKS),
                 unit="处", good=-1, masks=(standing.NEW_RISKS,), is_flow=True),
            make("force_per_grid", "格均力量", _share(standing.FORCE, ""), unit="人", form=Form.DECIMAL, good=1,
                 note="每个警务网格的社区民警与辅警"),
            make("posts", "警务站", lambda one: one.total(standing.POSTS), unit="个"),
        )  # fmt: skip

    def _mapped_share(self, sums: Sums) -> float | None:
        """Of everything registered in layers that this scope sees; None where nothing is, or then not known."""
        count = mapped = 0
        for layer in self.listed:
            if layer not in self.district.catalogue or not access.sees(
                self.user, self.district.catalogue.layer(layer)
            ):
                continue
            if sums is self.now and self.now.standing.is_present:
                total = freshness.mapped_share(self.district, self.user, layer).total
                count, mapped = count + total.registered, mapped + total.mapped
                continue
            with self.district.database.read() as connection:
                codes = {one.code for one in registered.items(connection, layer)}
            if not codes or layer not in sums.standing.codes:
                return None
            count, mapped = count + len(codes), mapped + len(codes & set(sums.standing.codes[layer].tolist()))
        return mapped / count if count else None

    # tables

    def _grades(self) -> tuple[GradeRow, ...]:
        found, layer = self.now.standing, self.district.catalogue.layer("risk")
        opened = [found.open_by_grade[one] for one in standing.GRADES]
        overdue = [found.overdue_by_grade[one] for one in standing.GRADES]
        hidden = [False] * len(opened)
        if self.scope is Scope.MASKED:
            parts = [opened, overdue, [one - late for one, late in zip(opened, overdue, strict=True)]]
            masks = [hide_row(one)[0] for one in parts]
            hidden = [any(one) for one in zip(*masks, strict=True)]
        return tuple(
            GradeRow(
                grade, layer.field("grade").choice_title(grade), layer.symbol_for({"grade": grade}).color,
                None if is_hidden else one, None if is_hidden else late,
            )
            for grade, one, late, is_hidden in zip(standing.GRADES, opened, overdue, hidden, strict=True)
        )  # fmt: skip

    def _ranking(self, side: int) -> Ranking:
        """Of towns (0) or grids (1)."""
        found = self.now.standing
        places = found.grids if side else found.towns
        rows = tuple(self._row(places, row, 0 if side else 1) for row in range(len(places)))
        return Ranking(places.layer, self.district.catalogue.layer(places.layer).title, COLUMNS, rows)

    def _row(self, places: standing.Areas, row: int, at: int) -> RankRow:
        return rank_row(self.now, places, row, at)

    # trends

    def _trends(self) -> tuple[Trend, ...]:
        # a week that has only begun would look like a fall
        *ends, begun = ends_of_weeks(self.now.standing.at, TREND_WEEKS + 1)
        if day_of(begun).weekday() == _SUNDAY:
            ends = [*ends[1:], begun]
        found = self.now.standing
        layers = [one.id for one in self.district.catalogue if one.freshness and access.sees(self.user, one)]
        with self.district.database.read() as connection:
            first = past.first_write(connection)
            since = first_moment(day_of(ends[0]) - timedelta(days=6))
            edits = activity.edits(connection, since=since, until=ends[-1], layers=layers)
        verified = [day_of(one.at).isoformat() for one in edits if one.operation is Operation.VERIFY]
        return (
            self._weekly("new_risks", "每周新增风险", "处", ends, found.risk_days, is_sensitive=True),
            self._weekly("incidents", "每周警情", "起", ends, found.incident_days, is_sensitive=True),
            self._weekly("verified", "每周核实", "次", ends, verified, known_from=first),
        )

    def _weekly(
        self,
        key: str,
        title: str,
        unit: str,
        ends: Sequence[datetime],
        days: Sequence[str],
        *,
        is_sensitive: bool = False,
        known_from: datetime | None = None,
    ) -> Trend:
        last = [day_of(one).isoformat() for one in ends]
        monday = day_of(ends[-1]) - timedelta(days=day_of(ends[-1]).weekday())
        edges = [(monday - timedelta(days=7 * back)).isoformat() for back in range(len(ends) - 1, -1, -1)]
        counts = Counter(day for day in days if day)
        values = [
            sum(number for day, number in counts.items() if first <= day <= end)
            for first, end in zip(edges, last, strict=True)
        ]
        hidden = hide_row(values)[0] if is_sensitive and self.scope is Scope.MASKED else [False] * len(values)
        is_known = [known_from is None or end >= day_of(known_from).isoformat() for end in last]
        points = tuple(
            (at, float(value) if known and not is_hidden else None)
            for at, value, known, is_hidden in zip(ends, values, is_known, hidden, strict=True)
        )
        return Trend(key, title, unit, points)


def _share(part: str, whole: str) -> Callable[[Sums], float | None]:
    """One count as a share of another; of the number of grids where `whole` is empty."""

    def share(sums: Sums) -> float | None:
        total = sums.total(whole) if whole else len(sums.standing.grids)
        return sums.total(part) / total if total else None

    return share


def _gap_grids(sums: Sums) -> float:
    people, covered = sums.of(standing.PEOPLE)[0], sums.of(standing.COVERED)[0]
    return float((people[:-1] > covered[:-1]).sum())


def _fresh_share(sums: Sums) -> float | None:
    watched = sums.total(standing.WATCHED)
    return 1 - (sums.total(standing.OVERDUE) + sums.total(standing.NEVER)) / watched if watched else None


def rank_row(sums: Sums, places: standing.Areas, row: int, at: int) -> RankRow:
    """The figures of one grid (`at` 0) or town (`at` 1)."""

    def count(key: str) -> int:
        return int(sums.of(key)[at][row])

    def is_hidden(key: str) -> bool:
        hidden = sums.hidden(key)
        return bool((hidden.grids, hidden.towns)[at][row])

    people, covered, watched = count(standing.PEOPLE), count(standing.COVERED), count(standing.WATCHED)
    values: dict[str, float | None] = {
        "people": people,
        "covered_share": covered / people if people else None,
        "gap_people": people - covered,
        "overdue": count(standing.OVERDUE),
        "fresh_share": 1 - (count(standing.OVERDUE) + count(standing.NEVER)) / watched if watched else None,
        "open_risks": count(standing.OPEN_RISKS),
        "overdue_risks": count(standing.OVERDUE_RISKS),
        "force": count(standing.FORCE),
    }
    hidden = {"people", "covered_share", "gap_people"} if is_hidden(standing.COVERED) else set()
    hidden |= {"open_risks", "overdue_risks"} if is_hidden(standing.OPEN_RISKS) else set()
    return RankRow(
        places.layer, places.code[row], places.name[row],
        {key: None if key in hidden else value for key, value in values.items()}, frozenset(hidden),
    )  # fmt: skip
