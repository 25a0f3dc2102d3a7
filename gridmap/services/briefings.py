"""
平安通报: a text with the period's figures in it, filled from a template, edited by a person, kept.

Templates are text files in `data/briefings` (a first line `title:`, a line `---`, then the text) with `{names}`
of figures. What is hidden from viewers shows as `*` in a briefing made for them; one with full figures is read by
people with sensitive sight alone.
"""

from __future__ import annotations

import string
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from gridmap.domain.freshness import CHINA, day_of, month_end
from gridmap.domain.periods import PeriodKind, whole_period
from gridmap.domain.privacy import MASKED_COUNT
from gridmap.domain.roles import Permission, Role, User
from gridmap.domain.stories import checked_words
from gridmap.errors import EditConflict, InvalidInput, NotFound
from gridmap.services import access, figures, names, overview
from gridmap.services.district import District
from gridmap.services.figures import Ranking, Scope
from gridmap.services.overview import Overview
from gridmap.settings import DATA_FOLDER
from gridmap.storage import briefings as stored
from gridmap.storage.briefings import StoredBriefing

_FOLDER = DATA_FOLDER / "briefings"
_MOST_TEXT = 20_000
_LISTED = 3
_MASKED_NOTE = f"注:{MASKED_COUNT} 为隐去的数字:小于 5,或可据以推算出小于 5 的数字。"


@dataclass(frozen=True, slots=True)
class Template:
    """One template: its id (the file's name), a title and a text with `{names}`."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A filled template, not yet stored."""

    template: str
    title: str
    text: str
    scope: Scope
    data_at: datetime
    sequence: int


@dataclass(frozen=True, slots=True)
class Briefing:
    """A stored briefing; `may_change` says whether the reader may (its author and administrators)."""

    id: str
    title: str
    text: str
    template: str
    scope: Scope
    data_at: datetime
    sequence: int
    revision: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime
    may_change: bool


def templates() -> list[Template]:
    """The templates that there are, by id; raises InvalidInput for a broken file."""
    found = []
    for file in sorted(_FOLDER.glob("*.txt")):
        head, mark, text = file.read_text("utf-8").partition("\n---\n")
        if not mark or not head.startswith("title:"):
            raise InvalidInput(
                f"template {file.name} must begin with a line `title:` and a line `---`",
                zh=f"通报模板 {file.name} 格式有误:首行应为 title:,其后一行为 ---。",
            )
        found.append(Template(file.stem, head.removeprefix("title:").strip(), text.strip()))
    return found


def template(template_id: str) -> Template:
    """The template with this id; raises NotFound."""
    found = next((one for one in templates() if one.id == template_id), None)
    if found is None:
        raise NotFound(
            f"no template {template_id!r}", zh=f"没有通报模板“{template_id}”。", template=template_id
        )
    return found


# --- filling ----------------------------------------------------------------------------------------------


def draft(
    district: District,
    user: User,
    template_id: str = "monthly",
    *,
    period: PeriodKind | str = PeriodKind.MONTH,
    at: datetime | None = None,
    is_masked: bool = False,
) -> Draft:
    """
    A template filled with the figures that the user may see, now or at `at`; `is_masked`: as viewers see them.

    Raises
    ------
    NotFound (no such template), InvalidInput (a template names a figure that does not exist), PermissionDenied
    """
    chosen = template(template_id)
    reader = replace(user, role=Role.VIEWER) if is_masked else user
    whole = overview.overview(district, reader, period=period, at=at)
    values = figures_by_name(whole)
    stamp = whole.stamp
    text = fill(chosen.text, values)
    if stamp.scope is Scope.MASKED and MASKED_COUNT in text:
        text = f"{text}\n\n{_MASKED_NOTE}"
    return Draft(
        chosen.id,
        fill(chosen.title, values),
        text,
        stamp.scope,
        stamp.at,
        stamp.sequence,
    )


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with every `{name}` replaced; raises InvalidInput for an unknown name."""
    parts = []
    try:
        for words, name, form, conversion in string.Formatter().parse(text):
            parts.append(words)
            if name is not None:
                if name not in values or form or conversion:
                    raise InvalidInput(
                        f"no figure {name!r} for a briefing", zh=f"通报模板中的“{{{name}}}”没有对应的指标。"
                    )
                parts.append(values[name])
    except ValueError as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"braces do not match: {error}", zh="通报模板中的花括号不成对。") from error
    return "".join(parts)


def figures_by_name(whole: Overview) -> dict[str, str]:
    """Every name that a template may use, with its words."""
    stamp, period = whole.stamp, whole.period
    end = (
        month_end(day_of(stamp.at))
        if period.kind is PeriodKind.MONTH
        else day_of(whole_period(period.kind, stamp.at).until)
    )
    values = {
        "time": f"{stamp.at.astimezone(CHINA):%Y年%m月%d日 %H:%M}",
        "sequence": str(stamp.sequence),
        "simulated": f"【{figures.SIMULATED}】" if stamp.is_simulated else "",
        "method": stamp.method,
        "period": period.title,
        "period_title": period.kind.title,
        "period_end": f"{end.month}月{end.day}日",
        "grids": f"{len(whole.grids.rows):,}",
        "towns": f"{len(whole.towns.rows):,}",
    }
    for figure in whole.figures:
        values[figure.key] = figure.text
        change = figure.change_text
        values[f"{figure.key}_change"] = f"({figure.since(period.kind)} {change})" if change else ""
    for row in whole.grades:
        values[f"{row.grade}_open"] = MASKED_COUNT if row.open is None else f"{row.open:,}"
        values[f"{row.grade}_overdue"] = MASKED_COUNT if row.overdue is None else f"{row.overdue:,}"
    values["risk_towns"] = _most(whole.towns, "open_risks")
    values["risk_grids"] = _most(whole.grids, "open_risks")
    values["overdue_towns"] = _most(whole.towns, "overdue")
    values["overdue_grids"] = _most(whole.grids, "overdue")
    values["gap_grids_list"] = _most(whole.grids, "gap_people")
    return values


def _most(ranking: Ranking, key: str) -> str:
    """The first few of a ranking with their figures, as words; no ranking where any row is hidden."""
    column = next(one for one in ranking.columns if one.key == key)
    rows = [one for one in ranking.ordered(key) if one.values[key]][:_LISTED]
    hidden = sum(key in one.hidden for one in ranking.rows)
    if hidden:
        return f"{hidden} 个{ranking.title}的数字已隐去,不作排名"
    return "、".join(f"{one.name}({one.text(column)}{column.unit})" for one in rows) or "无"


# --- keeping ----------------------------------------------------------------------------------------------


def _briefing(user: User, found: StoredBriefing) -> Briefing:
    values = {
        name: getattr(found, name) for name in Briefing.__slots__ if name not in ("may_change", "scope")
    }
    return Briefing(**values, scope=Scope(found.scope), may_change=_may_change(user, found))


def _scopes(user: User) -> list[str]:
    """The masking scopes whose briefings the user may read: everybody's, and full figures with sensitive sight."""
    return sorted({Scope.MASKED.value, figures.scope_of(user).value})


def _may_change(user: User, found: StoredBriefing) -> bool:
    is_own = found.created_by == user.username
    return user.may(Permission.SAVE_STORIES) and (is_own or user.may(Permission.ADMINISTER))


def list_briefings(district: District, user: User) -> list[Briefing]:
    """The briefings with figures that the user may see, the last changed first."""
    access.require(district, user, Permission.VIEW_ELEMENTS, "briefings")
    with district.database.read() as connection:
        return [_briefing(user, one) for one in stored.newest(connection, _scopes(user))]


def get(district: District, user: User, briefing_id: str) -> Briefing:
    """One briefing that the user may read; raises NotFound."""
    access.require(district, user, Permission.VIEW_ELEMENTS, "briefings")
    return _briefing(user, _found(district, user, briefing_id))


def _found(district: District, user: User, briefing_id: str) -> StoredBriefing:
    with district.database.read() as connection:
        found = stored.get(connection, briefing_id)
    if found is None or found.scope not in _scopes(user):
        raise NotFound(f"no briefing {briefing_id}", zh="没有这份通报,或您无权查看。", briefing=briefing_id)
    return found


def _words(title: str, text: str) -> tuple[str, str]:
    return (
        checked_words(title, "通报标题", most=100, is_required=True),
        checked_words(text, "通报正文", most=_MOST_TEXT, is_required=True),
    )


def create(
    district: District, user: User, made: Draft, *, title: str | None = None, text: str | None = None
) -> Briefing:
    """
    Store a draft, with the title and text as a person has edited them.

    Raises
    ------
    PermissionDenied (also for a draft with another scope's figures), InvalidInput (personal data)
    """
    access.require(district, user, Permission.SAVE_STORIES, "briefings")
    if made.scope.value not in _scopes(user):
        raise access.refuse(
            district, user, "store a briefing", made.template, zh="这份通报的数据不属于您的查看范围。"
        )
    words = _words(made.title if title is None else title, made.text if text is None else text)
    now, name = district.clock(), user.username
    kept = StoredBriefing(
        str(uuid.uuid4()),
        *words,
        made.template,
        made.scope.value,
        made.data_at,
        made.sequence,
        1,
        name,
        now,
        name,
        now,
    )
    with district.database.write() as connection:
        stored.add(connection, kept)
    return _briefing(user, kept)


def save(district: District, user: User, briefing_id: str, *, base: int, title: str, text: str) -> Briefing:
    """
    Change a briefing that was read at revision `base`.

    Raises
    ------
    EditConflict (somebody saved it since), PermissionDenied, NotFound, InvalidInput
    """
    found = _own(district, user, briefing_id)
    words = _words(title, text)
    changed = replace(
        found,
        title=words[0],
        text=words[1],
        revision=base + 1,
        updated_by=user.username,
        updated_at=district.clock(),
    )
    with district.database.write() as connection:
        is_saved = stored.change(connection, changed, base=base)
    if not is_saved:
        raise EditConflict(
            f"briefing {briefing_id} is at revision {found.revision}, the edit is based on {base}",
            zh=f"这份通报已被 {names.one(district, found.updated_by)} 修改,您的改动未保存,请刷新后再试。",
            briefing=briefing_id,
        )
    return _briefing(user, changed)


def delete(district: District, user: User, briefing_id: str) -> None:
    """Drop a briefing; raises PermissionDenied, NotFound."""
    _own(district, user, briefing_id)
    with district.database.write() as connection:
        stored.remove(connection, briefing_id)


def _own(district: District, user: User, briefing_id: str) -> StoredBriefing:
    access.require(district, user, Permission.SAVE_STORIES, f"briefing {briefing_id}")
    found = _found(district, user, briefing_id)
    if not _may_change(user, found):
        raise access.refuse(district, user, "change a briefing", briefing_id, zh="只能修改自己的通报。")
    return found
