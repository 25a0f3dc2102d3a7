"""
Several editors at once, in any order: no accepted edit is lost, every conflict is reported, the chain is valid.

The long form (`make soak`) runs a thousand interleavings on each database; a short form runs with all tests.
A model that knows nothing of the program but the rule of merging says beforehand what each save must answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import shapely
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from shapely import LineString, Point, box

from gridmap.domain.elements import Element
from gridmap.domain.grids import GridEditError, GridSwallowed, GroundLeftOver
from gridmap.domain.merge import GEOMETRY, Choice
from gridmap.domain.roles import Role, User
from gridmap.errors import EditConflict, NotFound, StateConflict
from gridmap.services import elements, grids, merging
from gridmap.services.district import District
from gridmap.services.merging import MergeConflict
from gridmap.services.reverting import CannotUndo
from gridmap.storage import elements as stored
from gridmap.storage import history
from tests.support.clock import FakeClock
from tests.support.district import element, make_district, put
from tests.support.partition import difference_m2, overlap_m2, strays

EDITORS = [
    User(f"editor{at}", f"示例民警{at:02d}", Role.GRID_KEEPER, area=frozenset({"*"})) for at in range(5)
]
ELEMENTS = 3
_numbers = itertools.count(1)

editors, which = st.integers(0, 4), st.integers(0, ELEMENTS - 1)
typed = st.one_of(
    st.tuples(st.just("name"), st.sampled_from(["甲站", "乙站", "丙站"])),
    st.tuples(st.just("officer_count"), st.integers(0, 3)),
    st.tuples(st.just("opening_hours"), st.sampled_from(["24h", "day"])),
    st.tuples(st.just("address"), st.sampled_from([None, "一号", "二号"])),
    st.tuples(
        st.just(GEOMETRY), st.sampled_from([Point(121.41, 30.91), Point(121.42, 30.92), Point(121.43, 30.93)])
    ),
)


@dataclass
class Form:
    """What one editor sees of one element, and typed so far; `choices` after a conflict was shown."""

    base: Element
    changes: dict[str, Any] = field(default_factory=dict)
    choices: dict[str, Choice] = field(default_factory=dict)


def fields_of(one: Element) -> dict[str, Any]:
    """Attributes and place of an element in one mapping, without those that have no value."""
    values = {name: value for name, value in one.values().items() if value is not None}
    return {**values, GEOMETRY: one.geometry.wkt}


class Editing(RuleBasedStateMachine):
    """Two to five people with forms open over the same three elements; `begun` counts the interleavings."""

    district: ClassVar[District]
    clock: ClassVar[FakeClock]
    begun: ClassVar[int] = 0

    @initialize(count=st.integers(2, 5))
    def begin(self, count: int) -> None:
        Editing.begun += 1
        self.count = count
        codes = [f"JWZ{next(_numbers):04d}" for _ in range(ELEMENTS)]
        made = put(
            self.district,
            *(
                element(
                    "workstation", code, "测试", Point(121.4, 30.95), opening_hours="24h", officer_count=2
                )
                for code in codes
            ),
        )
        self.truth = list(made)
        self.accepted: list[Element] = list(made)
        self.forms: dict[tuple[int, int], Form] = {}
        self.conflicts = 0

    # --- what people do -----------------------------------------------------------------------------------

    def form(self, who: int, at: int) -> Form | None:
        return self.forms.get((who % self.count, at))

    @rule(who=editors, at=which)
    def look(self, who: int, at: int) -> None:
        if not self.truth[at].is_retired:
            self.forms[who % self.count, at] = Form(self.truth[at])

    @rule(who=editors, at=which, entry=typed)
    def type(self, who: int, at: int, entry: tuple[str, Any]) -> None:
        if (form := self.form(who, at)) is not None:
            name, value = entry
            form.changes[name] = value
            form.choices.pop(name, None)

    @rule(who=editors, at=which)
    def save(self, who: int, at: int) -> None:
        form = self.form(who, at)
        if form is None or not form.changes:
            return
        theirs = self.truth[at]
        wanted, open_fields = self.expected(form, theirs)
        changes = {name: value for name, value in form.changes.items() if name != GEOMETRY}
        try:
            receipt = merging.save(
                self.district, EDITORS[who % self.count], "workstation", theirs.id, base_revision=form.base.revision,
                changes=changes, geometry=form.changes.get(GEOMETRY), choices=form.choices,
            ).receipt  # fmt: skip
        except MergeConflict as error:
            self.check_conflict(error, theirs, open_fields)
            return
        assert not theirs.is_retired
        assert open_fields == set(), "a conflict was not reported"
        assert fields_of(receipt.element) == wanted
        is_new = wanted != fields_of(theirs)
        assert receipt.element.revision == theirs.revision + is_new
        self.accept(at, receipt.element)
        del self.forms[who % self.count, at]

    def check_conflict(self, error: MergeConflict, theirs: Element, open_fields: set[str]) -> None:
        assert theirs.is_retired or open_fields, "a conflict was reported where there is none"
        assert {one.field for one in error.conflicts} == (set() if theirs.is_retired else open_fields)
        assert error.theirs.revision == theirs.revision
        self.conflicts += 1

    def expected(self, form: Form, theirs: Element) -> tuple[dict[str, Any], set[str]]:
        """What storing the form must make of the element, and the fields that a person has to decide first."""
        base, other, mine = fields_of(form.base), fields_of(theirs), fields_of(form.base)
        for name, value in form.changes.items():
            if value is None:
                mine.pop(name, None)
            else:
                mine[name] = value.wkt if name == GEOMETRY else value
        wanted, undecided = dict(other), set()
        for name in base.keys() | other.keys() | mine.keys():
            then, my, their = base.get(name), mine.get(name), other.get(name)
            if my in (then, their):
                continue
            choice = form.choices.get(name)
            if their != then and choice is None:
                undecided.add(name)
            elif their == then or choice is Choice.MINE:
                wanted[name] = my
                if my is None:
                    del wanted[name]
        return wanted, undecided

    @rule(who=editors, at=which, side=st.sampled_from(Choice))
    def choose(self, who: int, at: int, side: Choice) -> None:
        form = self.form(who, at)
        if form is not None and not self.truth[at].is_retired:
            for name in self.expected(form, self.truth[at])[1]:
                form.choices[name] = side
            self.save(who, at)

    @rule(who=editors, at=which)
    def confirm(self, who: int, at: int) -> None:
        self.strictly(who, at, lambda user, one, base: elements.verify(
            self.district, user, "workstation", one.id, base_revision=base
        ))  # fmt: skip

    @rule(who=editors, at=which)
    def remove(self, who: int, at: int) -> None:
        self.strictly(who, at, lambda user, one, base: elements.delete(
            self.district, user, "workstation", one.id, base_revision=base
        ))  # fmt: skip

    @rule(who=editors, at=which)
    def undo(self, who: int, at: int) -> None:
        if self.truth[at].revision > 1:
            self.strictly(who, at, lambda user, one, base: elements.undo(
                self.district, user, "workstation", one.id, base_revision=base
            ))  # fmt: skip

    def strictly(self, who: int, at: int, act: Any) -> None:
        """A write that takes no stale revision: refused exactly when somebody wrote since the form was opened."""
        form = self.form(who, at)
        if form is None:
            return
        present, base = self.truth[at], form.base.revision
        try:
            receipt = act(EDITORS[who % self.count], present, base)
        except EditConflict:
            assert base != present.revision
            self.conflicts += 1
            return
        except NotFound:
            assert present.is_retired
            return
        assert base == present.revision
        self.accept(at, receipt.element)

    @rule(who=editors, at=which)
    def bring_back(self, who: int, at: int) -> None:
        if self.truth[at].is_retired:
            user = EDITORS[who % self.count]
            self.accept(at, elements.restore(self.district, user, "workstation", self.truth[at].id).element)

    @rule(minutes=st.integers(1, 500))
    def wait(self, minutes: int) -> None:
        self.clock.advance(minutes=minutes)

    def accept(self, at: int, written: Element) -> None:
        self.truth[at] = written
        if written.revision > max(one.revision for one in self.accepted if one.id == written.id):
            self.accepted.append(written)

    # --- what must hold -----------------------------------------------------------------------------------

    @invariant()
    def the_store_has_what_the_receipts_say(self) -> None:
        if not hasattr(self, "truth"):
            return
        with self.district.database.read() as connection:
            found = stored.get_many(connection, [one.id for one in self.truth])
        assert [found[one.id] for one in self.truth] == self.truth

    def teardown(self) -> None:
        if not hasattr(self, "accepted"):
            return
        with self.district.database.read() as connection:
            for one in self.truth:
                told = {line.revision: line.element for line in history.of_element(connection, one.id)}
                assert told == {line.revision: line for line in self.accepted if line.id == one.id}


class GridEditing(RuleBasedStateMachine):
    """Keepers who move borders, split, merge and undo in one town at once."""

    district: ClassVar[District]

    @initialize(count=st.integers(2, 4))
    def begin(self, count: int) -> None:
        number = next(_numbers)
        west, south = 100 + (number % 100) * 0.05, 20 + (number // 100) * 0.05
        self.count, self.town = count, box(west, south, west + 0.04, south + 0.04)
        self.prefix = f"3102{number % 100:02d}{number // 100 + 100:03d}001"
        self.corner = (west, south)
        put(self.district, element("town", self.prefix[:9], "镇", self.town))
        put(self.district, *(
            element("police_grid", f"{self.prefix}{at + 1:03d}", f"格{at}", box(west + x, south + y, west + x + 0.02, south + y + 0.02))
            for at, (x, y) in enumerate(itertools.product((0, 0.02), repeat=2))
        ))  # fmt: skip
        self.seen: dict[int, dict[str, Element]] = {at: self.living() for at in range(count)}
        self.codes = {one.code for one in self.living().values()}
        self.commits: list[int] = []

    def living(self) -> dict[str, Element]:
        frame = self.district.frames.frame("police_grid")
        hits = frame.query(self.town.buffer(-1e-6), predicate="intersects")
        with self.district.database.read() as connection:
            return stored.get_many(connection, frame.arrays.id[hits].tolist())

    def attempt(self, who: int, act: Any) -> None:
        """An edit from what this editor last saw; refused only for a reason, and then nothing is stored."""
        seen, before = self.seen[who % self.count], self.district.database.sequence()
        present = self.living()
        try:
            receipt = act(EDITORS[who % self.count], seen)
        except EditConflict as error:
            # somebody moved that very ground, or ended the grid
            theirs = error.facts.get("theirs")
            assert theirs is None or not shapely.equals(seen[theirs.id].geometry, present[theirs.id].geometry)
            assert self.district.database.sequence() == before
        except NotFound:
            assert any(one not in present for one in seen)
            assert self.district.database.sequence() == before
        except (GridEditError, GridSwallowed, GroundLeftOver):
            assert self.district.database.sequence() == before
        else:
            if receipt.sequence is not None:
                self.commits.append(receipt.sequence)
            fresh = {one.code for one in receipt.created}
            assert not fresh & self.codes, "a code was used twice"
            self.codes |= fresh
        self.seen[who % self.count] = self.living()

    @rule(who=editors)
    def look(self, who: int) -> None:
        self.seen[who % self.count] = self.living()

    @rule(
        who=editors,
        at=st.integers(0, 20),
        corner=st.integers(0, 60),
        x=st.integers(-9, 9),
        y=st.integers(-9, 9),
    )
    def move(self, who: int, at: int, corner: int, x: int, y: int) -> None:
        def act(user: User, seen: dict[str, Element]) -> grids.GridReceipt:
            one = sorted(seen.values(), key=lambda each: each.id)[at % len(seen)]
            ring = shapely.get_coordinates(shapely.get_parts(one.geometry)[0].exterior)[:-1]
            ring[corner % len(ring)] += (x * 5e-4, y * 5e-4)
            return grids.move_border(
                self.district, user, "police_grid", one.id, shapely.Polygon(ring), base_revision=one.revision
            )

        self.attempt(who, act)

    @precondition(lambda self: len(self.living()) < 12)
    @rule(who=editors, at=st.integers(0, 20), is_upright=st.booleans())
    def split(self, who: int, at: int, is_upright: bool) -> None:
        def act(user: User, seen: dict[str, Element]) -> grids.GridReceipt:
            one = sorted(seen.values(), key=lambda each: each.id)[at % len(seen)]
            west, south, east, north = one.geometry.bounds
            middle = one.geometry.representative_point()
            ends = (
                [(middle.x, south - 1e-3), (middle.x, north + 1e-3)]
                if is_upright
                else [(west - 1e-3, middle.y), (east + 1e-3, middle.y)]
            )
            return grids.split(
                self.district, user, "police_grid", one.id, LineString(ends), base_revision=one.revision
            )

        self.attempt(who, act)

    @rule(who=editors, at=st.integers(0, 20), other=st.integers(0, 20))
    def merge(self, who: int, at: int, other: int) -> None:
        def act(user: User, seen: dict[str, Element]) -> grids.GridReceipt:
            ordered = sorted(seen.values(), key=lambda each: each.id)
            pair = {one.id: one.revision for one in (ordered[at % len(seen)], ordered[other % len(seen)])}
            return grids.merge(self.district, user, "police_grid", list(pair), base_revisions=pair)

        self.attempt(who, act)

    @rule(who=editors, back=st.integers(1, 3))
    def undo(self, who: int, back: int) -> None:
        if len(self.commits) >= back:
            try:
                done = grids.undo(self.district, EDITORS[who % self.count], self.commits[-back])
            except (CannotUndo, StateConflict):
                return
            self.commits.append(done.sequence)

    @invariant()
    def the_grids_fill_the_town_once(self) -> None:
        if not hasattr(self, "town"):
            return
        areas = [one.geometry for one in self.living().values()]
        assert overlap_m2(areas) <= 1.0
        assert difference_m2(areas, self.town) <= 1.0

    def teardown(self) -> None:
        if hasattr(self, "town"):
            assert strays([one.geometry for one in self.living().values()]) == []


@pytest.fixture
def district(database_url: str, tmp_path: Path) -> Iterator[District]:
    Editing.clock, Editing.begun = FakeClock(), 0
    made = make_district(database_url, tmp_path, Editing.clock)
    Editing.district = GridEditing.district = made
    yield made
    made.close()


def run(machine: type[RuleBasedStateMachine], district: District, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    with district.database.read() as connection:
        report = history.verify(connection, district.settings.secret)
    assert report.is_valid, report.problem


def test_no_accepted_edit_is_lost_and_every_conflict_is_reported(district: District) -> None:
    run(Editing, district, examples=10, steps=25)


def test_grids_edited_by_several_at_once_stay_a_partition(district: District) -> None:
    run(GridEditing, district, examples=5, steps=12)


@pytest.mark.soak
def test_a_thousand_interleavings_lose_nothing(district: District) -> None:
    run(Editing, district, examples=1_000, steps=50)
    assert Editing.begun >= 1_000


@pytest.mark.soak
def test_hundreds_of_interleaved_grid_edits_stay_a_partition(district: District) -> None:
    run(GridEditing, district, examples=200, steps=30)


def test_the_model_sees_a_lost_edit(district: District, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault: a save that forgets what others changed meanwhile."""
    original = merging.merge

    def forgetful(base: Element, mine: Element, theirs: Element, **options: Any) -> Any:
        found = original(base, mine, theirs, **options)
        return replace(found, element=replace(theirs, geometry=mine.geometry).with_values(mine.values()))

    monkeypatch.setattr(merging, "merge", forgetful)
    machine = Editing()
    machine.begin(2)
    for who, entry in ((0, ("name", "甲站")), (1, ("officer_count", 1))):
        machine.look(who, 0)
        machine.type(who, 0, entry)
    machine.save(0, 0)
    with pytest.raises(AssertionError):
        machine.save(1, 0)
