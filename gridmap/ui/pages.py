"""The pages of the application, in the order of the menu."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gridmap.domain.roles import Permission, User
from gridmap.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "pages"


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A page: its file and address, its title, and what one must be allowed to do to see it.

    `group` is the heading it stands under in the menu; without one it stands in the menu itself.
    """

    name: str
    title: str
    icon: str
    permission: Permission | None = None
    group: str = ""

    @property
    def file(self) -> Path:
        """Where the page's script is."""
        return FOLDER / f"{self.name}.py"

    def is_for(self, user: User) -> bool:
        """Whether the user finds it in the menu."""
        if user.must_change_password:
            return self.name == "account"
        return self.permission is None or user.may(self.permission)


UPKEEP, ANALYSIS, SYSTEM = "日常维护", "研判汇报", "系统"
# As many words as the menu has room for on a screen 1024 px wide.
_MOST_WORDS = 6

_PAGES = (
    Entry("map", "一张图", ":material/map:", Permission.VIEW_ELEMENTS),
    Entry("elements", "要素", ":material/table_rows:", Permission.VIEW_ELEMENTS),
    Entry("inbox", "待办", ":material/inbox:", Permission.EDIT_ELEMENTS),
    Entry("freshness", "核实", ":material/event_available:", Permission.EDIT_ELEMENTS, UPKEEP),
    Entry("grids", "网格管理", ":material/grid_on:", Permission.EDIT_ELEMENTS, UPKEEP),
    Entry("history", "历史对比", ":material/history:", Permission.VIEW_HISTORY, UPKEEP),
    Entry("packages", "工作包", ":material/cases:", Permission.IMPORT, UPKEEP),
    Entry("overview", "总览", ":material/dashboard:", Permission.VIEW_COVERAGE),
    Entry("stories", "汇报", ":material/slideshow:", Permission.VIEW_ELEMENTS, ANALYSIS),
    Entry("coverage", "覆盖分析", ":material/radar:", Permission.VIEW_COVERAGE, ANALYSIS),
    Entry("account", "我的账号", ":material/person:", None, SYSTEM),
    Entry("admin", "系统管理", ":material/admin_panel_settings:", Permission.ADMINISTER, SYSTEM),
)


def pages() -> list[Entry]:
    """The pages that this installation has, whoever asks."""
    return [one for one in _PAGES if one.file.is_file()]


def menu(user: User, listed: Sequence[Entry]) -> dict[str, list[Entry]]:
    """
    The pages by the heading they stand under in this person's menu, those without one (`""`) first.

    Where all pages have room there are no headings, and a heading over a single page would only be in the way.
    Pages that the person may not see are among those without heading: they have an address and no place in the
    menu.
    """
    seen = Counter(one.group for one in listed if one.is_for(user))
    if seen.total() <= _MOST_WORDS:
        return {"": list(listed)}
    grouped: dict[str, list[Entry]] = {"": []}
    for one in listed:
        group = one.group if one.is_for(user) and seen[one.group] > 1 else ""
        grouped.setdefault(group, []).append(one)
    return grouped
