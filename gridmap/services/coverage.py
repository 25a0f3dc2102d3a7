"""
Coverage reports: how well points cover demand, for the whole, per grid, per town and per point.

Figures are of people, from demand points, never from polygons; small ones are hidden from those without
sensitive sight, with as many others as it takes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridmap.analysis.access import e2sfca, gini, lorenz, two_step_fca
from gridmap.analysis.coverage import GroupCoverage, closures, pair_closures
from gridmap.domain.elements import time_text
from gridmap.domain.privacy import SMALL_COUNT, mask_small_counts
from gridmap.domain.roles import Permission, User
from gridmap.domain.scenarios import documents
from gridmap.services import situations
from gridmap.services.district import District
from gridmap.services.places import Groups
from gridmap.services.questions import Question
from gridmap.services.situations import Situation
from gridmap.services.snapshots import Shelf
from gridmap.storage import scenarios as stored

Floats = NDArray[np.float64]

PER = 10_000
"""Accessibility is officers per this many people."""
_BANDS = ((1 / 3, 1.0), (2 / 3, 0.68), (1.0, 0.22))
"""Luo & Qi (2009): near, middle and far third of the threshold."""
_LORENZ_POINTS = 51
_GROUP_TOWN_DIGITS = 9
_reports = Shelf(12)


@dataclass(frozen=True, slots=True)
class Figures:
    """
    Who is covered, in one place or all; None where a figure is hidden or there is none.

    `once` and `twice` are people covered by one point, by two or more. Costs are to the nearest point, in the
    question's unit, `None` where nobody (or, for median and p95, not enough people) reaches one. `access` is
    officers per 10,000 people (E2SFCA), the mean of the people there.
    """

    people: float | None
    covered: float | None
    uncovered: float | None
    covered_share: float | None
    once: float | None
    twice: float | None
    mean: float | None
    median: float | None
    p95: float | None
    unreached: float | None
    access: float | None
    is_hidden: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}


_HIDDEN = Figures(*[None] * 11, is_hidden=True)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """The figures of one grid or town; `code` is None for demand that lies in none."""

    code: str | None
    name: str
    figures: Figures

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {"code": self.code, "name": self.name, **self.figures.document()}


@dataclass(frozen=True, slots=True)
class PointFigures:
    """
    What one point carries.

    `within` counts people inside the threshold, shared ones too; `unique` those whom it alone covers, which
    is what closing it loses; `assigned` those for whom it is the nearest. `nearest` and `second` are the
    nearest other points (id, name, cost).
    """

    id: str
    code: str | None
    name: str
    lon: float
    lat: float
    state: str
    change: str | None
    is_on_network: bool
    within: float | None
    unique: float | None
    assigned: float | None
    nearest: dict[str, Any] | None
    second: dict[str, Any] | None
    officers: float | None
    load_per_officer: float | None
    readiness_minutes: float
    opening_hours: str | None
    address: str | None
    services: str | None
    is_hidden: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Report:
    """
    A coverage report with all that is needed to trust and repeat it.

    `sequence` is the commit whose data it shows, `data_time` when that was asked (or made); `is_masked` says
    that small counts were hidden from this reader. `gaps` is None unless asked for.
    """

    question: Question
    method: dict[str, Any]
    crs: str
    data_time: datetime
    sequence: int
    is_simulated: bool
    is_masked: bool
    scenario: dict[str, Any]
    warnings: tuple[str, ...]
    total: Figures
    groups: tuple[GroupFigures, ...]
    towns: tuple[GroupFigures, ...]
    points: tuple[PointFigures, ...]
    access: dict[str, Any]
    off_network: dict[str, Any]
    gaps: list[dict[str, Any]] | None = None

    def document(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "question": self.question.document(),
            "method": self.method,
            "crs": self.crs,
            "data_time": time_text(self.data_time),
            "sequence": self.sequence,
            "is_simulated": self.is_simulated,
            "is_masked": self.is_masked,
            "scenario": self.scenario,
            "warnings": list(self.warnings),
            "total": self.total.document(),
            "groups": [one.document() for one in self.groups],
            "towns": [one.document() for one in self.towns],
            "points": [one.document() for one in self.points],
            "access": self.access,
            "off_network": self.off_network,
            "gaps": self.gaps,
        }


def report(
    district: District, user: User, question: Question, *, gaps: bool = False, sequence: int | None = None
) -> Report:
    """
    The answer to a question, now or after commit `sequence`.

    Parameters
    ----------
    gaps : also the ranked gaps, which need the shapes of what is reached (seconds at first, then kept)

    Raises
    ------
    PermissionDenied, NotFound, InvalidInput
        See `situations.prepare`.
    """
    situation, snapshot = situations.prepared(district, user, question, sequence=sequence)
    is_open = user.may(Permission.VIEW_SENSITIVE)
    made = _reports.of(district).get((situation.key, is_open), lambda: _Maker(situation, is_open).parts())
    found = None
    if gaps:
        from gridmap.services import gaps as shapes  # gaps need figures of this module

        found = [one.document() for one in shapes.ranked(district, user, situation)]
    return Report(
        question=question,
        data_time=snapshot.data_time,
        sequence=snapshot.sequence,
        scenario=_scenario(district, question),
        gaps=found,
        **made,
    )


def number(value: float) -> float | None:
    """A figure for JSON: None for what is not finite, whole numbers as such."""
    if not math.isfinite(value):
        return None
    return int(value) if value == int(value) else float(value)


def _scenario(district: District, question: Question) -> dict[str, Any]:
    if question.scenario is None:
        name = "未保存的方案" if question.changes else "现状"
        return {"id": None, "name": name, "changes": documents(question.changes)}
    with district.database.read() as connection:
        found = stored.get(connection, question.scenario)
    name = found.name if found else ""
    changes = documents((*(found.changes if found else ()), *question.changes))
    return {"id": question.scenario, "name": name, "changes": changes}


# --- privacy ----------------------------------------------------------------------------------------------


def hidden_rows(
    columns: Sequence[Floats], labels: Sequence[str] | None = None
) -> tuple[NDArray[np.bool_], set[str], bool]:
    """
    Which rows of a table of counts to hide whole, which groups' totals, and whether the grand total.

    Each column is protected by itself (`mask_small_counts`); what is hidden in one is hidden in all, so that a
    row's own sum gives nothing away and each column only has more unknowns than it needs.
    """
    rows = np.zeros(len(columns[0]) if columns else 0, bool)
    groups: set[str] = set()
    is_total_hidden = False
    for column in columns:
        found = mask_small_counts(np.ceil(column), labels)
        rows |= found.cells
        groups |= {str(one) for one, is_hidden in zip(found.labels, found.groups, strict=True) if is_hidden}
        is_total_hidden |= bool(found.total)
    return rows, groups if labels is not None else set(), is_total_hidden


# --- making -----------------------------------------------------------------------------------------------


class _Maker:
    """Figures of one situation for one kind of reader."""

    def __init__(self, situation: Situation, sees_small: bool) -> None:
        self.situation, self.sees_small = situation, sees_small
        self.cover = situation.cover
        self.bands = [(situation.threshold * share, weight) for share, weight in _BANDS]
        officers = situation.points.officers[situation.active]
        arguments = situation.cost, situation.demand.weight, officers
        self.two_step = two_step_fca(*arguments, situation.threshold) * PER
        self.e2sfca = e2sfca(*arguments, self.bands) * PER

    def parts(self) -> dict[str, Any]:
        """The fields of the report that do not depend on the moment it is asked."""
        one = self.situation
        groups = self._groups(one.groups)
        towns = (
            self._groups(one.towns)
            if one.towns is not None and one.towns.layer.id != one.groups.layer.id
            else None
        )
        hides = self._hides(groups, towns)
        return {
            "method": one.method(),
            "crs": f"EPSG:{one.crs.to_epsg()}",
            "is_simulated": one.is_simulated,
            "is_masked": not self.sees_small,
            "warnings": tuple(one.warnings()),
            "total": _HIDDEN if hides.total else self._whole(),
            "groups": self._listed(one.groups, groups, hides.groups),
            "towns": self._listed(one.towns, towns, hides.towns) if towns is not None else
                     self._listed(one.groups, groups, hides.groups) if one.towns is not None else (),
            "points": tuple(self._points()),
            "access": self._access(),
            "off_network": self._off_network(),
        }  # fmt: skip

    def _whole(self) -> Figures:
        nobody = np.zeros(len(self.situation.demand.weight), np.intp)
        found = self.cover.by_group(nobody, 1)
        return self._figures(found, 0, self._mean_access(nobody, 1)[0])

    def _groups(self, groups: Groups | None) -> tuple[GroupCoverage, Floats] | None:
        if groups is None:
            return None
        found = self.cover.by_group(groups.of_demand, len(groups))
        return found, self._mean_access(
            np.where(groups.of_demand < 0, len(groups), groups.of_demand), len(groups) + 1
        )

    def _mean_access(self, group: NDArray[np.intp], count: int) -> Floats:
        weight = self.situation.demand.weight
        people = np.bincount(group, weight, minlength=count)
        amount = np.bincount(group, weight * self.e2sfca, minlength=count)
        return np.divide(amount, people, out=np.full(count, np.nan), where=people > 0)

    def _figures(self, found: GroupCoverage, row: int, access: float) -> Figures:
        none, once, twice = found.by_times[row]
        people = float(found.total[row])
        cost = [np.asarray(value)[row] for value in found.cost.values()]
        return Figures(
            number(people), number(once + twice), number(none), float(found.covered_share[row]), number(once),
            number(twice), *(number(float(one)) for one in cost), number(float(access)),
        )  # fmt: skip

    def _listed(
        self, groups: Groups | None, found: tuple[GroupCoverage, Floats] | None, hidden: NDArray[np.bool_]
    ) -> tuple[GroupFigures, ...]:
        if groups is None or found is None:
            return ()
        cover, access = found
        rows = [
            GroupFigures(code, name, _HIDDEN if hidden[row] else self._figures(cover, row, access[row]))
            for row, (code, name) in enumerate(zip(groups.code, groups.name, strict=True))
        ]
        last = len(groups)
        if cover.total[last] > 0:
            rest = _HIDDEN if hidden[last] else self._figures(cover, last, access[last])
            rows.append(GroupFigures(None, f"不在{groups.layer.title}内", rest))
        return tuple(rows)

    def _hides(
        self, groups: tuple[GroupCoverage, Floats] | None, towns: tuple[GroupCoverage, Floats] | None
    ) -> _Hides:
        one = self.situation
        rows = len(one.groups) + 1
        town_rows = len(one.towns) + 1 if one.towns is not None else 0
        hides = _Hides(np.zeros(rows, bool), np.zeros(max(rows, town_rows), bool), False)
        if self.sees_small or groups is None:
            return hides
        labels = [str(code)[:_GROUP_TOWN_DIGITS] for code in one.groups.code] + [""]
        columns = list(groups[0].by_times.T) + [groups[0].total]
        cells, labelled, total = hidden_rows(columns, labels)
        hides = _Hides(cells, np.zeros(max(rows, town_rows), bool), total)
        if towns is not None and one.towns is not None:
            own, _, town_total = hidden_rows(list(towns[0].by_times.T) + [towns[0].total])
            named = np.array(
                [str(code)[:_GROUP_TOWN_DIGITS] in labelled for code in one.towns.code] + ["" in labelled]
            )
            hides = _Hides(cells, own | named, total or town_total)
        return hides

    def _points(self) -> list[PointFigures]:
        one = self.situation
        points, threshold_people = one.points, self.cover.within
        unique, assigned = self.cover.unique, self.cover.assigned
        column = {int(row): at for at, row in enumerate(one.active)}
        hidden = np.zeros(len(one.active), bool)
        if not self.sees_small and len(one.active):
            hidden = hidden_rows([unique, assigned, threshold_people])[0]
        near = one.point_is_near
        return [
            self._point(row, column.get(row), hidden, near, threshold_people, unique, assigned)
            for row in range(len(points))
        ]

    def _point(
        self,
        row: int,
        at: int | None,
        hidden: NDArray[np.bool_],
        near: NDArray[np.bool_],
        within: Floats,
        unique: Floats,
        assigned: Floats,
    ) -> PointFigures:
        points = self.situation.points
        officers = float(points.officers[row])
        # the load of a shown number of people would tell the officers, and the other way round
        is_few = not self.sees_small and 0 < officers < SMALL_COUNT
        is_hidden = at is not None and bool(hidden[at])
        counted = at is not None and not is_hidden
        others = [None, None] if at is None else self._others(at)
        return PointFigures(
            id=points.id[row],
            code=points.code[row],
            name=points.name[row],
            lon=float(points.lonlat[row, 0]),
            lat=float(points.lonlat[row, 1]),
            state="closed" if at is None else "open" if near[at] else "off_network",
            change=points.change[row],
            is_on_network=at is None or bool(near[at]),
            within=number(within[at]) if counted else None,
            unique=number(unique[at]) if counted else None,
            assigned=number(assigned[at]) if counted else None,
            nearest=others[0],
            second=others[1],
            officers=None if is_few else officers,
            load_per_officer=(
                number(assigned[at] / officers) if counted and officers > 0 and not is_few else None
            ),
            readiness_minutes=float(points.ready_s[row] / 60),
            opening_hours=points.hours[row],
            address=points.address[row],
            services=points.services[row],
            is_hidden=is_hidden,
        )

    def _others(self, at: int) -> list[dict[str, Any] | None]:
        """The nearest and second-nearest other point."""
        one = self.situation
        found: list[dict[str, Any] | None] = []
        for other in np.argsort(one.between[at], kind="stable")[:2]:
            cost = float(one.between[at, other])
            row = one.active[other]
            is_way = math.isfinite(cost)
            found.append(
                {"id": one.points.id[row], "name": one.points.name[row], "cost": cost} if is_way else None
            )
        return [*found, None, None][:2]

    def _access(self) -> dict[str, Any]:
        weight = self.situation.demand.weight
        heads, amounts = lorenz(self.e2sfca, weight)
        shares = np.linspace(0, 1, _LORENZ_POINTS)
        curve = np.interp(shares, heads, amounts)
        total = float(weight.sum())
        return {
            "per": PER,
            "bands": [[upper, share] for upper, share in self.bands],
            "two_step_mean": number(float(weight @ self.two_step) / total) if total else None,
            "two_step_gini": gini(self.two_step, weight),
            "e2sfca_mean": number(float(weight @ self.e2sfca) / total) if total else None,
            "e2sfca_gini": gini(self.e2sfca, weight),
            "lorenz": [[round(float(x), 4), round(float(y), 6)] for x, y in zip(shares, curve, strict=True)],
        }

    def _off_network(self) -> dict[str, Any]:
        one = self.situation
        far = ~one.demand_is_near
        rows = one.active[~one.point_is_near]
        names = [one.points.code[row] or one.points.name[row] for row in rows]
        people = float(one.demand.weight[far].sum())
        is_small = not self.sees_small and 0 < people < 5
        return {
            "points": names,
            "demand_count": None if is_small else int(far.sum()),
            "people": None if is_small else number(people),
        }


@dataclass(frozen=True, slots=True)
class _Hides:
    """Rows of groups and towns to hide, and whether the whole is."""

    groups: NDArray[np.bool_]
    towns: NDArray[np.bool_]
    total: bool


# --- resilience -------------------------------------------------------------------------------------------


def resilience(district: District, user: User, question: Question, *, pairs: bool = False) -> dict[str, Any]:
    """
    Every active point closed in turn, the greatest loss first; with `pairs` also each two, the worst 100.

    `lost` are people no longer covered, `cut_off` those who then reach no point at all, `mean` the mean cost
    afterwards.
    """
    situation, snapshot = situations.prepared(district, user, question)
    points, active = situation.points, situation.active
    hides = not user.may(Permission.VIEW_SENSITIVE)
    found = closures(situation.cover)
    hidden = (
        hidden_rows([found.lost, found.cut_off])[0] if hides and len(active) else np.zeros(len(active), bool)
    )

    def named(at: int) -> dict[str, Any]:
        row = active[at]
        return {"id": points.id[row], "code": points.code[row], "name": points.name[row]}

    rows = [
        {
            **named(at),
            "lost": None if hidden[at] else number(found.lost[at]),
            "cut_off": None if hidden[at] else number(found.cut_off[at]),
            "mean": number(found.mean[at]),
            "is_hidden": bool(hidden[at]),
        }
        for at in found.order.tolist()
    ]
    document = {
        "question": question.document(),
        "method": situation.method(),
        "crs": f"EPSG:{situation.crs.to_epsg()}",
        "data_time": time_text(snapshot.data_time),
        "sequence": snapshot.sequence,
        "is_simulated": situation.is_simulated,
        "mean": number(float(situation.cover.cost.mean)),
        "closures": rows,
        "pairs": None,
    }
    if pairs:
        lost = pair_closures(situation.cover)
        a, b = np.triu_indices(len(active), 1)
        order = np.argsort(-lost[a, b], kind="stable")[:100]
        document["pairs"] = [
            {"points": [named(int(a[at])), named(int(b[at]))],
             "lost": None if hides and (0 < lost[a[at], b[at]] < 5 or hidden[a[at]] or hidden[b[at]]) else number(lost[a[at], b[at]])}
            for at in order
        ]  # fmt: skip
    return document
