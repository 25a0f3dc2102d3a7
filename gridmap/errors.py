"""
Everything that gridmap refuses, as one family of exceptions.

Each class is one fact. The message is English and says what, which and what next; `chinese()` says the
same to a person at a screen, and `status` is the HTTP status under which the API reports it.
"""

from __future__ import annotations

from typing import Any, ClassVar


class GridmapError(Exception):
    """
    The root of all errors that gridmap raises on purpose.

    Facts ride as attributes: every keyword given becomes one, and the API shows those whose values are
    plain (text, number, list) as members of its problem document.
    """

    status: ClassVar[int] = 400
    title: ClassVar[str] = "请求无法完成"

    def __init__(self, message: str, *, zh: str | None = None, **facts: Any) -> None:
        super().__init__(message)
        self.zh = zh
        self.facts = facts
        for name, value in facts.items():
            setattr(self, name, value)

    def chinese(self) -> str:
        """The sentence a person reads: what happened, where, what to do next."""
        return self.zh or f"{self.title}。"


class SettingsError(GridmapError):
    """A setting is missing or makes no sense."""

    status = 500
    title = "系统设置有误"


class InvalidInput(GridmapError, ValueError):
    """Input that a person or program can correct: wrong type, range, choice, format."""

    status = 422
    title = "输入有误"


class NotFound(GridmapError, LookupError):
    """The thing asked for does not exist, or the asker may not know that it does."""

    status = 404
    title = "未找到"


class AuthenticationRequired(GridmapError):
    """Nobody is signed in, or the session or token has ended."""

    status = 401
    title = "请先登录"


class PermissionDenied(GridmapError, PermissionError):
    """The account is known and may not do this."""

    status = 403
    title = "没有权限"


class EditConflict(GridmapError):
    """
    The element has moved on since the revision that the edit was based on.

    Attributes
    ----------
    base, mine, theirs : the three states (element documents, or None where deleted)
    fields : names of the fields in conflict
    """

    status = 412
    title = "编辑冲突:该要素已被他人修改"


class RevisionRequired(GridmapError):
    """A write came without the revision it is based on."""

    status = 428
    title = "缺少版本号"


class StateConflict(GridmapError):
    """The request contradicts what is stored: a code already used, an element already retired."""

    status = 409
    title = "与现有数据冲突"


class TooLarge(GridmapError):
    """The input exceeds a stated limit of size or count."""

    status = 413
    title = "内容过大"


class TooManyRequests(GridmapError):
    """The sender must wait before trying again."""

    status = 429
    title = "尝试过于频繁,请稍后再试"


class Unavailable(GridmapError):
    """Something the server needs is missing or does not answer."""

    status = 503
    title = "服务暂时不可用"
