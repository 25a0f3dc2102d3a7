"""What reading and writing elements answers, and the error for one that breaks its layer's rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gridmap.domain.elements import Element
from gridmap.errors import InvalidInput
from gridmap.storage.database import Commit
from gridmap.validation.attributes import Problem

# Something else to store in the same transaction.
Also = Callable[[Commit], None]


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    What a write answers: the element as this write stored it, and warnings that a person should read (Chinese).

    Attributes
    ----------
    is_repeat : the same request was carried out before, and this is the answer of that time
    is_unchanged : the element was like that already: nothing was stored, and its revision may be anybody's
    """

    element: Element
    warnings: tuple[str, ...] = ()
    is_repeat: bool = False
    is_unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Part of the elements that a query matches, and how many match in all."""

    elements: tuple[Element, ...]
    total: int


class InvalidElement(InvalidInput):
    """
    An element breaks hard rules of its layer.

    Attributes
    ----------
    problems : list of {"field", "rule", "message"}
    """

    title = "要素不符合图层规则"

    def __init__(self, problems: Sequence[Problem]) -> None:
        listed = [{"field": one.field, "rule": one.rule, "message": one.message} for one in problems]
        text = "; ".join(f"{one.field}: {one.rule}" for one in problems)
        super().__init__(f"the element breaks {len(listed)} rule(s): {text}", problems=listed)
        self.zh = "未保存:" + ";".join(one.message.rstrip("。") for one in problems[:5]) + "。"
