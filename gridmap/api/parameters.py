"""Query parameters and headers as values, or a refusal that says what would be right."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote_to_bytes

from gridmap.api.calls import BadRequest, Call
from gridmap.domain.elements import parse_time
from gridmap.domain.privacy import find_personal_data
from gridmap.errors import InvalidInput
from gridmap.services import access, elements, lookup

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
# GeoJSON's own coordinate system under the names that clients send
_CRS84_NAMES = frozenset(
    {
        CRS84,
        CRS84.replace("http:", "https:"),
        "urn:ogc:def:crs:OGC:1.3:CRS84",
        "[OGC:CRS84]",
        "OGC:CRS84",
        "CRS84",
    }
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"\d{1,10}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
_MAX_TEXT = 200
_MAX_REASON = 200


class BadParameter(BadRequest):
    """
    A query parameter is unknown or makes no sense.

    Attributes
    ----------
    parameter : its name
    """

    title = "请求参数有误"

    def __init__(self, name: str, english: str, chinese: str) -> None:
        shown = _CONTROL.sub("?", name)[:60]
        super().__init__(f"parameter {shown!r} {english}", zh=f"参数“{shown}”{chinese}。", parameter=shown)


def only(call: Call, known: Iterable[str]) -> None:
    """Pass when every parameter is known and given once."""
    names = [name for name, _ in call.request.query_params.multi_items()]
    allowed = list(known)
    for name in names:
        if name not in allowed:
            raise BadParameter(name, f"is not known here; known are {', '.join(allowed)}", "在此处不可用")
        if names.count(name) > 1:
            raise BadParameter(name, "is given more than once", "重复出现")


def text(call: Call, name: str, default: str = "") -> str:
    """The text of a parameter: at most 200 characters, none of them a control character."""
    value = call.request.query_params.get(name, default)
    if len(value) > _MAX_TEXT or _CONTROL.search(value):
        raise BadParameter(name, f"must be at most {_MAX_TEXT} plain characters", "过长或含有控制字符")
    return value


def layers(call: Call, name: str = "layers") -> list[str]:
    """
    Ids of layers, separated by commas; empty when the parameter is missing.

    Raises
    ------
    NotFound, PermissionDenied
        One is not in the catalogue, or the user may not see it.
    """
    named = [one for one in (part.strip() for part in _long_text(call, name).split(",")) if one]
    found = [call.district.catalogue.layer(one) for one in named]
    for one in found:
        access.require_seen(call.district, call.user, one)
    return [one.id for one in found]


def _long_text(call: Call, name: str) -> str:
    value = call.request.query_params.get(name, "")
    if len(value) > 5_000 or _CONTROL.search(value):
        raise BadParameter(name, "is too long or holds control characters", "过长或含有控制字符")
    return value


def number(call: Call, name: str, *, least: float, most: float, default: float | None = None) -> float:
    """A finite number within both limits (inclusive); required where there is no default."""
    value = call.request.query_params.get(name)
    if value is None and default is not None:
        return default
    found = _float(value or "")
    if found is None or not least <= found <= most:
        raise BadParameter(
            name, f"must be a number from {least:g} to {most:g}", f"应为 {least:g} 至 {most:g} 之间的数字"
        )
    return found


def _float(value: str) -> float | None:
    if len(value) > 40 or not _NUMBER.fullmatch(value):
        return None
    found = float(value)
    return found if math.isfinite(found) else None


def whole(
    call: Call, name: str, *, default: int, least: int = 0, most: int = 10**9, clamps: bool = False
) -> int:
    """A whole number within both limits; with `clamps`, one above the upper limit counts as the limit."""
    value = call.request.query_params.get(name)
    if value is None:
        return default
    if not _WHOLE.fullmatch(value) or int(value) < least or (int(value) > most and not clamps):
        raise BadParameter(
            name, f"must be a whole number from {least} to {most}", f"应为 {least} 至 {most} 的整数"
        )
    return min(int(value), most)


def box(call: Call, name: str = "bbox") -> tuple[float, float, float, float] | None:
    """
    `west,south,east,north`, or six numbers with heights, which are ignored.

    A box across the antimeridian (west above east) is refused.
    """
    value = call.request.query_params.get(name)
    if value is None:
        return None
    numbers = [_float(part.strip()) for part in value[:400].split(",")]
    if len(numbers) not in (4, 6) or None in numbers:
        raise BadParameter(
            name, "must be 4 or 6 numbers, west,south,east,north", "应为 4 或 6 个数字:西,南,东,北"
        )
    half = len(numbers) // 2
    west, south, east, north = (float(one or 0.0) for one in (*numbers[:2], *numbers[half : half + 2]))
    if west > east or south > north:
        raise BadParameter(
            name, "has its corners swapped or crosses the antimeridian", "的角点顺序有误或跨越 180° 经线"
        )
    return west, south, east, north


def time(call: Call, name: str) -> datetime:
    """A required time with an offset (RFC 3339)."""
    value = text(call, name)
    found = _instant(value)
    if found is None:
        raise BadParameter(
            name, "must be a time like 2026-03-01T08:00:00Z", "应为时间,如 2026-03-01T08:00:00+08:00"
        )
    return found


def _instant(value: str) -> datetime | None:
    # a plus sign that was not escaped arrives as a space
    try:
        return parse_time(value.strip().replace(" ", "+"))
    except (ValueError, OverflowError):
        return None


def interval(call: Call, name: str = "datetime") -> tuple[datetime | None, datetime | None]:
    """
    From and until (inclusive) of an instant, a day, or an interval with possibly open ends (`..` or nothing).
    """
    value = call.request.query_params.get(name)
    if value is None:
        return None, None
    start, slash, end = value[:100].partition("/")
    first = _bound(start, is_end=False, is_open_allowed=bool(slash))
    last = _bound(end if slash else start, is_end=True, is_open_allowed=bool(slash))
    if first is False or last is False or (first and last and first > last):
        raise BadParameter(
            name,
            "must be a time, or an interval time/time whose ends may be ..",
            "应为时间或时间区间,如 2026-03-01T00:00:00Z/..",
        )
    return first or None, last or None


def _bound(value: str, *, is_end: bool, is_open_allowed: bool) -> datetime | bool | None:
    if value.strip() in ("", ".."):
        return None if is_open_allowed else False
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        found = _instant(f"{value}T00:00:00Z")
        if found is not None and is_end:
            found = found + timedelta(days=1, microseconds=-1) if found < _LAST_DAY else found
    else:
        found = _instant(value)
    return False if found is None else found


_LAST_DAY = datetime(9999, 12, 31, tzinfo=UTC)


def grid(call: Call, name: str = "grid") -> tuple[str, str] | None:
    """`layer:code` of a grid that is there and that the user sees; None when the parameter is missing."""
    value = text(call, name)
    if not value:
        return None
    layer_id, colon, code = value.partition(":")
    if not layer_id or not colon or not code:
        raise BadParameter(name, "must be layer:code", "应为“网格图层:编码”")
    lookup.require_grid(call.district, call.user, layer_id, code)
    return layer_id, code


def require_crs84(call: Call, *parameters: str) -> None:
    """Pass when these parameters are missing or name CRS84, the only coordinate system spoken here."""
    for name in parameters:
        value = call.request.query_params.get(name)
        if value is not None and value not in _CRS84_NAMES:
            raise BadParameter(name, f"must be {CRS84}", "只支持 CRS84(WGS 84 经纬度)")


def require_json(call: Call) -> None:
    """Pass when the parameter `f` is missing or asks for JSON."""
    value = call.request.query_params.get("f")
    if value not in (None, "json", "application/json", "application/geo+json"):
        raise BadParameter("f", "must be json", "只支持 json")


# --- headers ---------------------------------------------------------------------------------------------


def _tags(header: str) -> list[tuple[bool, str]]:
    """The entity tags in a header, each with whether it is weak; raises BadRequest when it holds none."""
    parts = [part.strip() for part in header[:2_000].split(",")]
    matches = [_TAG.fullmatch(part) for part in parts if part]
    found = [(match[1] is not None, match[2]) for match in matches if match is not None]
    if not found or len(found) < len(matches):
        raise BadRequest(
            'If-Match must hold entity tags like "3", or *', zh='请求头 If-Match 应为实体标签,如 "3"。'
        )
    return found


def base_revision(call: Call, layer: str, element: str) -> int | None:
    """
    The revision that a write is based on, by `If-Match`; None when the header is missing.

    `*` takes the element as it is. Weak tags and foreign ones match nothing (RFC 9110): they count as
    revision 0, which no element has.
    """
    header = call.request.headers.get("if-match")
    if header is None:
        return None
    if header.strip() == "*":
        return elements.present_revision(call.district, call.user, layer, element)
    revisions = [int(tag) for is_weak, tag in _tags(header) if not is_weak and _WHOLE.fullmatch(tag)]
    if len(revisions) > 1:
        present = elements.present_revision(call.district, call.user, layer, element)
        return present if present in revisions else revisions[0]
    return revisions[0] if revisions else 0


def is_unchanged(call: Call, etag: str) -> bool:
    """Whether `If-None-Match` names this tag (compared weakly), so that the client has the content already."""
    header = call.request.headers.get("if-none-match", "").strip()
    if not header:
        return False
    return header == "*" or etag.removeprefix("W/") in [
        part.strip().removeprefix("W/") for part in header.split(",")
    ]


def idempotency_key(call: Call) -> str | None:
    """The client's own name for this request; None when it sent none."""
    value = call.request.headers.get("idempotency-key")
    if value is not None and not _IDEMPOTENCY_KEY.fullmatch(value):
        raise BadRequest(
            "Idempotency-Key must be 1 to 200 visible ASCII characters",
            zh="请求头 Idempotency-Key 格式有误。",
        )
    return value


def reason(call: Call, stated: object = None) -> str:
    """
    Why something is changed: `stated`, or the header `X-Gridmap-Reason` (percent-encoded UTF-8).

    Raises
    ------
    InvalidInput
        It is too long, or holds personal data.
    """
    if stated is not None and not isinstance(stated, str):
        raise BadRequest("a reason is a text", zh="修改说明应为文字。")
    value = (_reason_header(call) if stated is None else stated).strip()
    if len(value) > _MAX_REASON or _CONTROL.search(value):
        raise InvalidInput(
            f"a reason has at most {_MAX_REASON} plain characters",
            zh=f"修改说明最多 {_MAX_REASON} 个字,不含控制字符。",
        )
    if find_personal_data(value):
        raise InvalidInput(
            "the reason seems to hold personal data", zh="修改说明中疑似含有个人信息,请删除后再提交。"
        )
    return value


def _reason_header(call: Call) -> str:
    """What the header says: UTF-8, percent-encoded or as it is; headers come as if they were Latin-1."""
    try:
        return unquote_to_bytes(call.request.headers.get("x-gridmap-reason", "").encode("latin-1")).decode()
    except UnicodeError:
        raise BadRequest(
            "X-Gridmap-Reason must be percent-encoded UTF-8",
            zh="请求头 X-Gridmap-Reason(修改说明)应为百分号编码的 UTF-8。",
        ) from None


def header_text(value: str) -> str:
    """Text of any kind as a header may carry it: percent-encoded UTF-8."""
    return quote(value, safe="")
