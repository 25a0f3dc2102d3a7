"""What a person should look at: stated grids that are not those of the place, near duplicates."""

from __future__ import annotations

import numpy as np

from gridmap.services import membership
from gridmap.services.imports.plans import Action
from gridmap.services.imports.work import Work
from gridmap.services.near import near_pairs

_MOST_DUPLICATES = 1_000


def look_around(work: Work) -> None:
    _compare_grids(work)
    if work.layer.duplicate_radius_m is not None:
        _near_duplicates(work, work.layer.duplicate_radius_m)


def _compare_grids(work: Work) -> None:
    good = np.flatnonzero(work.is_good)
    for one in work.grid_columns:
        frame = work.district.frames.frame(one.grid_layer)
        if not len(good) or not len(frame):
            continue
        living = frame.living
        points = membership.representative_points(work.geometry[good])
        derived = membership.grid_codes(frame.arrays.geometry[living], frame.arrays.code[living], points)
        title = work.district.catalogue.layer(one.grid_layer).title
        wrong = 0
        for at, code in zip(good.tolist(), derived.tolist(), strict=True):
            stated = work.raw[one.column][at]
            stated = None if stated in (None, "") else str(stated).strip().removesuffix(".0")
            if stated is not None and stated != code:
                wrong += 1
                work.remark(
                    at, one.column, "grid_code", f"文件写的{title}是“{stated}”,按位置应为“{code or '无'}”"
                )
        if wrong:
            work.warnings.append(
                f"“{one.column}”列有 {wrong} 行与按位置推算的{title}不一致;以位置为准,该列不保存。"
            )


def _near_duplicates(work: Work, radius_m: float) -> None:
    new = np.flatnonzero(work.actions == Action.NEW.value)
    if not len(new):
        return
    living = work.frame.living
    together = np.concatenate([work.geometry[new], work.frame.arrays.geometry[living]])
    pairs = near_pairs(together, radius_m)
    pairs = pairs[pairs[:, 0] < len(new)]
    for first, second in pairs[:_MOST_DUPLICATES].tolist():
        if second < len(new):
            other = f"文件第 {work.rows[int(new[second])]} 行"
        else:
            at = living[second - len(new)]
            other = f"已有的“{work.frame.arrays.code[at] or work.frame.arrays.name[at]}”"
        work.remark(
            int(new[first]),
            "geometry",
            "near_duplicate",
            f"{radius_m:g} 米内有{other},请确认不是重复登记",
        )
    if len(pairs):
        work.warnings.append(f"有 {len(pairs)} 处要素相距不到 {radius_m:g} 米,请确认不是重复登记。")
