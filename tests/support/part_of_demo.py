"""A small demo district in the store, some layers of it, for tests that need its shape and not its size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gridmap.demo import generate
from gridmap.services.district import District
from tests.support.district import element, put


def put_part(district: District, layers: Sequence[str], *, seed: int) -> None:
    """Store these layers of a demo at a fifth of its size, coarse before fine."""
    demo = generate(seed, scale=0.2)
    for layer in layers:
        frame = demo.layers[layer]
        fields = [one.name for one in district.catalogue.layer(layer).fields if one.name in frame]
        rows = zip(frame["code"], frame["name"], frame.geometry, *(frame[one] for one in fields), strict=True)
        put(
            district,
            *(
                element(layer, code, name, shape, **{k: _plain(v) for k, v in zip(fields, rest, strict=True)})
                for code, name, shape, *rest in rows
            ),
        )


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value
