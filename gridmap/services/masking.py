"""Which counts of a district stay hidden from people without sensitive sight, for towns, grids and totals at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridmap.domain.privacy import mask_small_counts

Flags = np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """Which figures of one kind are hidden: by grid and by town (a last entry: outside all), and the total."""

    grids: Flags
    towns: Flags
    total: bool

    def __or__(self, other: Hidden) -> Hidden:
        return Hidden(self.grids | other.grids, self.towns | other.towns, self.total or other.total)


def nothing_hidden(grids: int, towns: int) -> Hidden:
    """For those who see everything; sizes without the last entries."""
    return Hidden(np.zeros(grids + 1, dtype=bool), np.zeros(towns + 1, dtype=bool), False)


def hide(of_grid: np.ndarray, of_town: np.ndarray, town_of_grid: np.ndarray) -> Hidden:
    """
    What to hide of one kind of count so that no small one follows from what is shown.

    Parameters
    ----------
    of_grid, of_town : (g + 1,) and (t + 1,) counts; the last ones are what lies outside
    town_of_grid : (g,) town row of each grid; -1 for none
    """
    outside = len(of_town) - 1
    group = np.append(np.where(town_of_grid < 0, outside, town_of_grid), outside)
    by_grid = mask_small_counts(of_grid, group)
    towns = mask_small_counts(of_town)
    hidden_towns = towns.cells.copy()
    hidden_towns[by_grid.labels.astype(int)[by_grid.groups]] = True
    return Hidden(by_grid.cells.copy(), hidden_towns, bool(by_grid.total or towns.total))


def hide_parts(
    part: tuple[np.ndarray, np.ndarray], whole: tuple[np.ndarray, np.ndarray], town_of_grid: np.ndarray
) -> Hidden:
    """
    What to hide where a part, the rest and the whole of it are shown side by side: all three or none.

    `part` and `whole` are (by grid, by town) counts as `hide` takes them.
    """
    rest = (whole[0] - part[0], whole[1] - part[1])
    part_hidden, rest_hidden, whole_hidden = (hide(*one, town_of_grid) for one in (part, rest, whole))
    return part_hidden | rest_hidden | whole_hidden


def hide_row(counts: list[int]) -> tuple[list[bool], bool]:
    """Which of a row of counts, and whether their total, stay hidden."""
    if not counts:
        return [], False
    found = mask_small_counts(counts)
    return [bool(one) for one in found.cells], bool(found.total)
