"""Who else is here: an open map says where it is, and hears of the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from gridmap.api import bodies
from gridmap.api.calls import BadRequest, Call, answer, empty
from gridmap.domain.roles import User
from gridmap.services import accounts, presence
from gridmap.services.presence import Person

_CLIENT = re.compile(r"[0-9A-Za-z-]{8,36}", re.ASCII)


def be(call: Call) -> Response:
    """`POST /api/presence`: `{"client", "layer", "id", "editing", "lon", "lat"}`; answers who is there"""
    body = bodies.read_object(call, known=("client", "layer", "id", "editing", "lon", "lat"))
    layer, element = (bodies.text_of(body, name) if body.get(name) else None for name in ("layer", "id"))
    user = _somebody(call)
    found = presence.be(
        call.district, user, _client(body),
        layer_id=layer, element_id=element, is_editing=_is_editing(body), place=_place(body),
    )  # fmt: skip
    return answer({"people": documents_of(user, found)})


def leave(call: Call) -> Response:
    """`DELETE /api/presence`: `{"client"}`"""
    presence.leave(call.district, _somebody(call), _client(bodies.read_object(call, known=("client",))))
    return empty()


def documents_of(reader: User, people: Sequence[Person]) -> list[dict[str, Any]]:
    """What a map is told of the people at open maps: their display names, grids and elements."""
    return [
        {
            "key": one.key,
            "display_name": one.display_name,
            "is_me": one.username == reader.username,
            "grid": one.grid_code and {"code": one.grid_code, "name": one.grid_name},
            "layer": one.element and one.element.layer,
            "id": one.element and one.element.id,
            "title": one.element and (one.element.name or one.element.code or ""),
            "editing": one.is_editing,
        }
        for one in people
    ]


def _somebody(call: Call) -> User:
    user = call.listener()
    accounts.require_settled(user)
    return user


def _client(body: Any) -> str:
    name = bodies.text_of(body, "client", max_length=36)
    if not _CLIENT.fullmatch(name):
        raise BadRequest(
            "'client' must be 8 to 36 letters and digits", zh="窗口编号格式有误。", member="client"
        )
    return name


def _is_editing(body: Any) -> bool:
    value = body.get("editing", False)
    if not isinstance(value, bool):
        raise BadRequest(
            "'editing' must be true or false", zh="“editing”应为 true 或 false。", member="editing"
        )
    return value


def _place(body: Any) -> tuple[float, float] | None:
    lon, lat = body.get("lon"), body.get("lat")
    if lon is None and lat is None:
        return None
    is_place = all(type(one) in (int, float) for one in (lon, lat)) and abs(lon) <= 180 and abs(lat) <= 90
    if not is_place:
        raise BadRequest("'lon' and 'lat' must be a place", zh="经纬度格式有误。", member="lon")
    return float(lon), float(lat)
