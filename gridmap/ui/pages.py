"""The pages of the application, in the order of the menu."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gridmap.domain.roles import Permission, User
from gridmap.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "pages"


@dataclass(frozen=True, slots=True)
class Entry:
    """A page: its file and address, its title, and what one must be allowed to do to see it."""

    name: str
    title: str
    icon: str
    permission: Permission | None = None

    @property
    def file(self) -> Path:
        """Where the page's script is."""
        return FOLDER / f"{self.name}.py"

    def is_for(self, user: User) -> bool:
        """Whether the user finds it in the menu."""
        if user.must_change_password:
            return self.name == "account"
        return self.permission is None or user.may(self.permission)


_PAGES = (
    Entry("map", "一张图", ":material/map:", Permission.VIEW_ELEMENTS),
    Entry("elements", "要素", ":material/table_rows:", Permission.VIEW_ELEMENTS),
    Entry("overview", "总览", ":material/dashboard:", Permission.VIEW_COVERAGE),
    Entry("coverage", "覆盖分析", ":material/radar:", Permission.VIEW_COVERAGE),
    Entry("account", "我的账号", ":material/person:"),
    Entry("admin", "系统管理", ":material/admin_panel_settings:", Permission.ADMINISTER),
)


def pages() -> list[Entry]:
    """The pages that this installation has, whoever asks."""
    return [one for one in _PAGES if one.file.is_file()]
