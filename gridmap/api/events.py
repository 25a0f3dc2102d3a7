"""Server-sent events: what changes in the district, while it changes."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from gridmap.api import parameters
from gridmap.api.calls import Call, GetDistrict, MethodNotAllowed, empty, refusal
from gridmap.api.presence import documents_of
from gridmap.errors import GridmapError
from gridmap.services import accounts, changes, presence
from gridmap.services.changes import Changes, Feed

HEARTBEAT_SECONDS = 15.0
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # a proxy that gathers answers would hold events back
    (b"x-accel-buffering", b"no"),
]


class ChangeStream:
    """
    `GET /api/changes?since=N`: an ASGI application that stays with each client until one of them goes.

    It holds no thread while it waits. Whoever listens is asked for anew at each wake-up and heartbeat, which
    does not count as a use of the session: an idle session ends though its stream is open.
    """

    def __init__(self, get_district: GetDistrict) -> None:
        self.get_district = get_district

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            if request.method == "OPTIONS":
                await empty({"Allow": "GET, OPTIONS"})(scope, receive, send)
                return
            if request.method != "GET":
                raise MethodNotAllowed(
                    "only GET is answered here", zh="此地址只支持 GET。", allowed=["GET", "OPTIONS"]
                )
            call = await run_in_threadpool(self._call, request)
            since = _since(call)
            feed = changes.feed(call.district)
            wake = asyncio.Event()
            loop = asyncio.get_running_loop()
            end = await run_in_threadpool(feed.listen, functools.partial(loop.call_soon_threadsafe, wake.set))
        except Exception as error:
            await refusal(error)(scope, receive, send)
            return
        gone = asyncio.create_task(_gone(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await _tell(call, feed, since, wake, gone, send)
            await send({"type": "http.response.body", "body": b""})
        except OSError:
            pass  # the client went away in the middle of a word
        finally:
            end()
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone

    def _call(self, request: Request) -> Call:
        call = Call(request, self.get_district())
        parameters.only(call, ("since",))
        accounts.require_settled(call.user)
        return call


def _since(call: Call) -> int | None:
    """The commit that the client knows: as its browser remembers after a break, or as the page says."""
    remembered = call.request.headers.get("last-event-id", "")
    if remembered.isascii() and remembered.isdecimal() and len(remembered) <= 15:
        return int(remembered)
    if "since" not in call.request.query_params:
        return None
    return parameters.whole(call, "since", default=0)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _tell(
    call: Call, feed: Feed, since: int | None, wake: asyncio.Event, gone: asyncio.Task[None], send: Send
) -> None:
    present = await run_in_threadpool(call.district.database.sequence)
    known = present if since is None else since
    await _say(send, _event("hello", {"sequence": present}, number=known))
    wake.set()
    there: list[dict[str, Any]] = []
    while not feed.is_closed:
        # cleared before the store is read: a commit after that sets it again
        woken = wake.is_set()
        wake.clear()
        try:
            news, people = await run_in_threadpool(_news, call, known if woken else None)
        except GridmapError as error:
            await _say(send, _event("end", {"status": error.status, "detail": error.chinese()}))
            return
        if people != there:
            there = people
            await _say(send, _event("presence", {"people": people}))
        if news is not None and (news.touches is None or news.touches or news.sequence != known):
            known = news.sequence
            await _say(send, _change(news))
        elif not woken:
            await _say(send, b": still here\n\n")
        await _first_of(wake, gone, HEARTBEAT_SECONDS)
        if gone.done():
            return


async def _first_of(wake: asyncio.Event, gone: asyncio.Task[None], seconds: float) -> None:
    waiting = asyncio.create_task(wake.wait())
    try:
        await asyncio.wait({waiting, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


def _news(call: Call, known: int | None) -> tuple[Changes | None, list[dict[str, Any]]]:
    """What this user sees of the commits after `known`, and who is there; raises when no longer signed in."""
    user = call.listener()
    people = documents_of(user, presence.people(call.district, user))
    return (None if known is None else changes.after(call.district, user, known)), people


def _change(news: Changes) -> bytes:
    document: dict[str, Any] = {"sequence": news.sequence}
    if news.touches is None:
        document["reload"] = True
    document["changes"] = [
        {
            "layer": one.layer,
            "id": one.element_id,
            "revision": one.revision,
            "operation": one.operation.value,
            "operation_title": one.operation.title,
            "actor": one.actor,
            "actor_name": news.called[one.actor],
            "boxes": one.boxes,
        }
        for one in news.touches or ()
    ]
    return _event("change", document, number=news.sequence)


def _event(name: str, document: Any, *, number: int | None = None) -> bytes:
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {name}\ndata: {data}\n\n".encode()


async def _say(send: Send, words: bytes) -> None:
    await send({"type": "http.response.body", "body": words, "more_body": True})
