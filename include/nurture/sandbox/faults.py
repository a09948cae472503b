"""Faults: answers that a network and a provider under strain give, injected on demand.

Kinds. Before the request is taken: `reset_before` (connection reset), `status` (any status, with `headers` and
`body`), `429`, `html_413`. After it was taken, so that the caller cannot know: `accept_then_reset`, `hang` (silence for
`seconds`, then the connection closes), `hang_body` (status and headers, then silence), `truncate` (half a status line,
or with `"part": "body"` half a body), `accept_then_status` (a 5xx although it was taken). `slow` answers rightly,
`seconds` late; `silent` takes the mail and nothing ever comes of it.
"""

import asyncio
import json
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BEFORE = ("reset_before", "status", "429", "html_413")
AFTER = ("accept_then_reset", "hang", "hang_body", "truncate", "accept_then_status")
KINDS = {*BEFORE, *AFTER, "slow", "silent"}


@dataclass
class Fault:
    """One fault: on which path, of which kind, how often."""

    on: str  # a part of the path, such as mail/send
    kind: str
    method: str | None = None
    times: int | None = 1  # None: until taken away
    after: int = 0  # so many matching requests pass first
    every: int = 1  # then every so many-th
    status: int = 503
    seconds: float = 60
    part: str = "status"
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    seen: int = 0
    injected: int = 0

    def __post_init__(self) -> None:
        """Refuse a kind that does not exist."""
        if self.kind not in KINDS:
            raise ValueError(f"no fault {self.kind!r}: one of {', '.join(sorted(KINDS))}")

    def strikes(self, method: str, path: str) -> bool:
        """Count a request, and say whether this fault is for it."""
        if self.on not in path or (self.method and self.method.upper() != method):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.seen - self.after) % self.every:
            return False
        if self.times is not None and self.injected >= self.times:
            return False
        self.injected += 1
        return True


class Faults:
    """The outermost ASGI app: gives every request to the app behind it, except as the faults say."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`, without faults."""
        self._app = app
        self._counting = threading.Lock()
        self.faults: list[Fault] = []

    def replace(self, listed: Any) -> None:
        """Put these faults in the place of the ones before; a wrong one is a ValueError."""
        try:
            self.faults = [Fault(**{**entry, "kind": str(entry.get("kind"))}) for entry in listed]
        except (TypeError, AttributeError) as error:
            raise ValueError(f"give a list of faults with on, kind, times, after, every, …: {error}") from error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not self.faults or scope["path"].startswith("/sandbox"):
            await self._app(scope, receive, send)
            return
        with self._counting:
            struck = next((fault for fault in self.faults if fault.strikes(scope["method"], scope["path"])), None)
        if struck is None:
            await self._app(scope, receive, send)
            return
        await self._inject(struck, scope, receive, send)

    async def _inject(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        match fault.kind:
            case "reset_before":
                await _reset(receive, send)
            case "status" | "429" | "html_413":
                await _read_all(receive)
                await _refuse(fault, send)
            case "slow":
                await asyncio.sleep(fault.seconds)
                await self._app(scope, receive, send)
            case "silent":
                scope.setdefault("state", {})["is_silent"] = True
                await self._app(scope, receive, send)
            case _:
                await self._take_and_fail(fault, scope, receive, send)

    async def _take_and_fail(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app take the request, withhold its answer, and fail in the way asked for."""
        answer: list[Message] = []

        async def withhold(message: Message) -> None:
            answer.append(message)

        await self._app(scope, receive, withhold)
        match fault.kind:
            case "accept_then_reset":
                await _reset(receive, send)
            case "accept_then_status":
                await _refuse(fault, send)
            case "hang":
                await _be_silent(receive, fault.seconds)
                await _reset(receive, send)
            case _ if fault.kind == "hang_body" or fault.part == "body":
                start = answer[0]
                headers = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
                await send({**start, "headers": [*headers, (b"content-length", b"100")]})
                await send({"type": "http.response.body", "body": b'{"half', "more_body": True})
                if fault.kind == "hang_body":
                    await _be_silent(receive, fault.seconds)
                await _reset(receive, send, abruptly=False)
            case _:
                _transport(send).write(b"HTTP/1.1 2")
                await _reset(receive, send, abruptly=False)


def _transport(send: Send) -> asyncio.Transport:
    """Return the connection under a request: uvicorn's `send` is a method of what holds it."""
    return send.__self__.transport  # pyright: ignore[reportFunctionMemberAccess]


async def _reset(receive: Receive, send: Send, *, abruptly: bool = True) -> None:
    transport = _transport(send)
    if abruptly:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
    await _disconnected(receive)


async def _be_silent(receive: Receive, seconds: float) -> None:
    """Say nothing for so long, or until the caller gives up."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read_all(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def _refuse(fault: Fault, send: Send) -> None:
    status, kind, headers = fault.status, "application/json", dict(fault.headers)
    body = fault.body
    if fault.kind == "html_413":
        status, kind = 413, "text/html"
        body = "<html><head><title>413 Request Entity Too Large</title></head><body><hr>nginx</body></html>"
    elif fault.kind == "429":
        status = 429
        body = body or {"errors": [{"field": None, "message": "too many requests"}]}
        if not headers:
            headers = {
                "X-RateLimit-Limit": "600",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(int(time.time()) + 2),
            }
    elif body is None:
        body = {"errors": [{"field": None, "message": "service unavailable", "help": None}]}
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    headers = {"Content-Type": kind, "Content-Length": str(len(content)), **headers}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": content})
