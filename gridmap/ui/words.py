"""Words and numbers as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from gridmap.domain.freshness import CHINA
from gridmap.domain.roles import WHOLE_DISTRICT

APP_TITLE = "警务网格一张图"

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_SIZES = ("B", "KB", "MB", "GB", "TB")

KINDS = {
    "refusal": "拒绝",
    "sign_in": "登录",
    "sign_in_failed": "登录失败",
    "sign_out": "退出",
    "account": "账号管理",
    "view": "查看敏感图层",
    "export": "导出",
}

_ACTIONS = {
    "sign_in": "登录",
    "change_password": "修改密码",
    "end_sessions": "退出其他设备",
    "add": "新建账号",
    "reset_password": "重置密码",
    "revoke_sessions": "强制下线",
    "activate": "启用账号",
    "deactivate": "停用账号",
    "set_rights": "调整权限",
    "create_token": "新建令牌",
    "revoke_token": "撤销令牌",
    "administer": "系统管理",
    "view": "查看",
    "edit": "编辑",
    "edit outside the own area": "编辑责任区外要素",
    "view_elements": "查看要素",
    "view_sensitive": "查看敏感信息",
    "view_history": "查看历史",
    "edit_elements": "编辑要素",
    "import": "导入",
    "export": "导出",
    "view_coverage": "覆盖分析",
    "save_scenarios": "保存方案",
    "save_stories": "保存汇报",
}


def time_words(at: datetime | None, *, seconds: bool = False) -> str:
    """A time as China's clocks show it, to the minute or the second; a dash for none."""
    if at is None:
        return "—"
    return at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago, in the largest whole unit; a dash for never."""
    if at is None:
        return "—"
    seconds = (now - at).total_seconds()
    if seconds < _MINUTE:
        return "刚刚"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} 分钟前"
    if seconds < _DAY:
        return f"{int(seconds // _HOUR)} 小时前"
    return f"{int(seconds // _DAY)} 天前"


def size_words(size: float) -> str:
    """A number of bytes in the unit that leaves fewest digits."""
    for unit in _SIZES:
        if size < 1024 or unit == _SIZES[-1]:
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"


def action_words(action: str) -> str:
    """What somebody did or wanted to do."""
    return _ACTIONS.get(action, action)


def area_words(area: Iterable[str], titles: dict[str, str]) -> str:
    """The codes of an area with the names of their grids and towns."""
    codes = sorted(area)
    if WHOLE_DISTRICT in codes:
        return "全区"
    return "、".join(titles.get(one, one) for one in codes) or "无"


def layers_words(layers: Iterable[str], titles: dict[str, str]) -> str:
    """The layers an account may edit."""
    ids = sorted(layers)
    if WHOLE_DISTRICT in ids:
        return "角色允许的全部图层"
    return "、".join(titles.get(one, one) for one in ids) or "无"
