"""
Grid codes: how a district writes them, which number comes next, and how grids are numbered on the map.

There is no single national grid code, so a scheme is data: the widths of its parts (`6+3+3+3`) and the order
in which grids are numbered. The last part is the number, all before it the prefix, which grids of one
neighbourhood share. Codes are text. A code that was ever used is never given to another grid.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike

from gridmap.errors import InvalidInput, StateConflict


class CodeSchemeError(InvalidInput):
    """
    A code does not fit the scheme of its layer, or a text describes no scheme.

    Attributes
    ----------
    code, scheme : the two that do not fit, where it is about a code
    """

    title = "编码规则不符"


class CodesExhausted(StateConflict):
    """
    A prefix has no unused number left.

    Attributes
    ----------
    prefix : the prefix
    """

    title = "编码已用尽"


class Order(Enum):
    """In which order grids are numbered."""

    WEST_TO_EAST = "west_to_east"
    NORTH_TO_SOUTH = "north_to_south"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return "自西向东、由北到南" if self is Order.WEST_TO_EAST else "由北到南、自西向东"


@dataclass(frozen=True, slots=True)
class CodeScheme:
    """
    How the codes of one layer are written.

    `widths` are the digits of each part, the number last. Grids whose places differ by less than `band_m`
    metres along the first direction of `order` count as level there, and the second direction decides.
    """

    widths: tuple[int, ...]
    order: Order = Order.WEST_TO_EAST
    band_m: float = 1.0

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or not all(1 <= one <= 9 for one in self.widths):
            raise CodeSchemeError(
                f"a scheme needs at least two parts of 1 to 9 digits, not {self.text!r}",
                zh=f"编码规则“{self.text}”有误:至少两段,每段 1 至 9 位,例如 6+3+3+3。",
            )
        if not self.band_m > 0:
            raise CodeSchemeError(f"band_m must be above 0, not {self.band_m}", zh="编码分带宽度应大于 0。")

    @property
    def text(self) -> str:
        """The widths as people write them: `6+3+3+3`."""
        return "+".join(str(one) for one in self.widths)

    @property
    def length(self) -> int:
        """Digits of a whole code."""
        return sum(self.widths)

    def split(self, code: str) -> tuple[str, int]:
        """Prefix and number of a code; raises CodeSchemeError where it does not fit."""
        if not (code.isascii() and code.isdigit() and len(code) == self.length):
            raise CodeSchemeError(
                f"code {code} does not fit the scheme {self.text}; choose the layer's scheme or give codes by hand",
                zh=f"编码“{code}”不符合编码规则 {self.text}({self.length} 位数字),请调整编码规则或手工填写新编码。",
                code=code,
                scheme=self.text,
            )
        return code[: -self.widths[-1]], int(code[-self.widths[-1] :])

    def code(self, prefix: str, number: int) -> str:
        """The code of a number under a prefix."""
        return f"{prefix}{number:0{self.widths[-1]}d}"

    def next_codes(self, prefix: str, used: Collection[str], count: int) -> list[str]:
        """
        The next `count` codes under `prefix`: above every number in `used`, then those never used below.

        Raises
        ------
        CodesExhausted
            Fewer are left.
        """
        taken = {self.split(one)[1] for one in used if one.startswith(prefix) and len(one) == self.length}
        top, most = max(taken, default=0), 10 ** self.widths[-1] - 1
        free = [*range(top + 1, min(most, top + count) + 1)]
        if len(free) < count:
            free += [one for one in range(1, top) if one not in taken][: count - len(free)]
        if len(free) < count:
            raise CodesExhausted(
                f"prefix {prefix} has {len(free)} unused number(s) left, {count} are needed; use a wider scheme",
                zh=f"“{prefix}”下只剩 {len(free)} 个未用过的编号,需要 {count} 个。编码不重复使用,请改用更长的编码规则。",
                prefix=prefix,
            )
        return [self.code(prefix, one) for one in free]

    def reading_order(self, xy: ArrayLike) -> np.ndarray:
        """Positions of the places `xy` ((n, 2), metres, y to the north) in the order of numbering."""
        place = np.asarray(xy, dtype=float).reshape(-1, 2)
        east, south = np.round(place[:, 0] / self.band_m), -np.round(place[:, 1] / self.band_m)
        first, second = (east, south) if self.order is Order.WEST_TO_EAST else (south, east)
        # exact places last, so that grids level in both still have one order
        return np.lexsort((-place[:, 1], place[:, 0], second, first))

    def renumbered(self, codes: Sequence[str], xy: ArrayLike, used: Iterable[str]) -> dict[str, str]:
        """
        New codes, by old code, that make the numbers under each prefix ascend in the order of numbering.

        As many grids as possible from the first on keep their code; all after the first that is out of order
        get numbers never used before, because old codes are not given out again. Grids that keep their code
        are left out.
        """
        place, ever = np.asarray(xy, dtype=float).reshape(-1, 2), set(used) | set(codes)
        groups: dict[str, list[int]] = {}
        for at, code in enumerate(codes):
            groups.setdefault(self.split(code)[0], []).append(at)
        changed: dict[str, str] = {}
        for prefix, members in sorted(groups.items()):
            ordered = [members[k] for k in self.reading_order(place[members])]
            numbers = [self.split(codes[at])[1] for at in ordered]
            kept = 1
            while kept < len(numbers) and numbers[kept] > numbers[kept - 1]:
                kept += 1
            fresh = self.next_codes(prefix, ever, len(ordered) - kept)
            if sorted(fresh) != fresh or (fresh and fresh[0] < codes[ordered[kept - 1]]):
                raise CodesExhausted(
                    f"prefix {prefix} has no run of unused numbers left; use a wider scheme",
                    zh=f"“{prefix}”下已没有连续的未用编号,无法重新编号,请改用更长的编码规则。",
                    prefix=prefix,
                )
            changed |= {codes[at]: new for at, new in zip(ordered[kept:], fresh, strict=True)}
        return changed


_TEXT = re.compile(r"[1-9](?:\+[1-9])+")


def parse_scheme(text: str, order: Order | str = Order.WEST_TO_EAST, band_m: float = 1.0) -> CodeScheme:
    """The scheme that a text such as `6+3+3+3` describes; raises CodeSchemeError."""
    words = text.replace(" ", "").replace("＋", "+")
    if not _TEXT.fullmatch(words):
        raise CodeSchemeError(
            f"{text!r} is no code scheme; write the widths of its parts like 6+3+3+3",
            zh=f"“{text}”不是编码规则,请写成各段位数相加,例如 6+3+3+3。",
        )
    try:
        chosen = Order(order)
    except ValueError:
        raise CodeSchemeError(f"{order!r} is no order of numbering", zh="编号顺序有误。") from None
    return CodeScheme(tuple(int(one) for one in words.split("+")), chosen, band_m)


# What a district starts with; its own choice is kept in the store.
_USUAL = "6+3+3+3"
_DEFAULTS = {
    "town": "6+3",
    "committee": "6+3+3",
    "police_station": "6+3+3",
    "police_beat": "6+3+3+2",
    "micro_grid": "6+3+3+3+3",
}


def default_scheme(layer_id: str) -> CodeScheme:
    """The scheme of a layer for which the district chose none."""
    return parse_scheme(_DEFAULTS.get(layer_id, _USUAL))
