"""Grids numbered anew: codes that ascend in the order of the layer's scheme."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gridmap.domain.layers import Layer
from gridmap.errors import NotFound
from gridmap.services.district import District
from gridmap.services.grids.codes import middles, scheme_of
from gridmap.services.grids.plans import Plan
from gridmap.storage import elements as stored
from gridmap.storage import lineage as descents
from gridmap.storage.lineage import Descent


@dataclass(frozen=True, slots=True)
class NewNumbers:
    """The living grids whose codes begin with a prefix are numbered in the scheme's order."""

    prefix: str

    def title(self, layer: Layer) -> str:
        return f"重新编号{layer.title}"

    def plan(self, district: District, layer: Layer) -> Plan:
        frame = district.frames.frame(layer.id)
        codes = frame.arrays.code[frame.living].astype(str)
        at = frame.living[np.char.startswith(codes, self.prefix)] if len(codes) else frame.living
        if len(at) == 0:
            zh = f"没有编码以“{self.prefix}”开头的网格。"
            raise NotFound(f"no grid code begins with {self.prefix}", zh=zh)
        with district.database.read() as connection:
            used = descents.codes_ever_used(connection, layer.id, self.prefix)
            present = stored.get_many(connection, frame.arrays.id[at].tolist())
        scheme, places = scheme_of(district, layer.id), middles(frame.arrays.geometry[at])
        new = scheme.renumbered(frame.arrays.code[at].tolist(), places, used)
        grids = {one.code: one for one in present.values()}
        changed = tuple(replace(grids[old], code=fresh) for old, fresh in new.items() if old in grids)
        links = tuple((one.id, one.id) for one in changed)
        return Plan(layer, present, frame.sequence, changed, descent=Descent.RENUMBER, links=links)
