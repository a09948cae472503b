"""Worker: one attempt at a product's mails in a process of its own, which may strike at a point of the protocol."""

import os
import signal
import socket
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from nurture import db, dispatch, events, settlement
from nurture.answers import Refused, Unanswered
from nurture.definitions.products import Company, Product
from nurture.sendgrid import SendGrid

# A statement before which, or after which, a point lies; the other points lie in the call, or on the wire.
BEFORE = {"before claim": "lock_due", "settling": "settle_accepted", "giving up": "give_up"}
AFTER = {"before commit": "open_request", "settled": "settle_accepted", "given up": "give_up"}
IN_THE_CALL = ("after commit", "before recording")
POINTS = (*BEFORE, *AFTER, *IN_THE_CALL)


@dataclass(frozen=True)
class Strike:
    """At which point, at its which occurrence, who is killed (None: the database's connection is cut)."""

    point: str
    nth: int
    pid: int | None
    mark: Path  # made when it strikes


@dataclass(frozen=True)
class Attempt:
    """What a worker is told."""

    dsn: str
    host: str
    product: Product
    company: Company
    links: dispatch.Links
    at: datetime
    strike: Strike | None = None


def work(attempt: Attempt, parent: Connection) -> None:
    """Settle, send what is due, take in events, as a run does; tell the parent how it goes."""
    engine = db.engine(attempt.dsn)
    sendgrid = SendGrid("SG.crash", attempt.host)
    watch = Watch(engine, attempt.strike)
    product, at = attempt.product, attempt.at
    parent.send("ready")
    parent.recv()
    problem = ""
    try:
        with engine.connect() as conn:
            settlement.settle(conn, product, at, sendgrid.logged_message_ids)
            parent.send("settled")
            dispatch.send_due(conn, product, attempt.company, at, at, watch.around(sendgrid.send), attempt.links)
            events.take_in(conn, at, {product.product: product.timezone})
    except (dispatch.Stopped, Refused, Unanswered, exc.DBAPIError) as error:
        problem = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        parent.send("ended")
    parent.send((problem, watch.windows))


class Watch:
    """Sees a worker's statements, commits and calls, and strikes at its point."""

    def __init__(self, engine: sa.Engine, strike: Strike | None) -> None:
        """Watch an engine's connections."""
        self._strike, self._seen = strike, 0
        self._is_claimed, self._committed = False, deque[float]()  # when, of the claims whose call has not begun
        self._connection: Any = None
        self.windows: list[float] = []  # seconds from a claim's commit to its call (N4's window)
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "commit", self._has_committed)
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)

    def around(self, send: dispatch.Send) -> dispatch.Send:
        """Return a send function that is watched."""

        def watched(body: dict[str, Any]) -> str:
            self.windows.append(time.monotonic() - self._committed.popleft())
            self._at("after commit")
            given = send(body)
            self._at("before recording")
            return given

        return watched

    def _connected(self, connection: Any, _: Any) -> None:
        self._connection = connection

    def _has_committed(self, _: Any) -> None:
        if self._is_claimed:
            self._is_claimed = False
            self._committed.append(time.monotonic())

    def _before(self, _conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self._around_statement(BEFORE, statement)

    def _after(self, _conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        if f"execute {db.often_name(db.statements('dispatch').open_request)}" in statement:
            self._is_claimed = cursor.rowcount > 0
        self._around_statement(AFTER, statement)

    def _around_statement(self, points: dict[str, str], statement: str) -> None:
        point = self._strike.point if self._strike else ""
        if point not in points:
            return
        stage = db.statements("dispatch" if points[point] in ("lock_due", "open_request") else "settlement")
        wanted = {getattr(stage, points[point])}
        if points[point] == "settle_accepted":  # by whichever evidence
            wanted.add(stage.settle_planned)
        if statement in wanted or any(f"execute {db.often_name(each)}" in statement for each in wanted):
            self._at(point)

    def _at(self, point: str) -> None:
        strike = self._strike
        if strike is None or strike.point != point:
            return
        self._seen += 1
        if self._seen != strike.nth:
            return
        strike.mark.touch()
        if strike.pid is not None:
            os.kill(strike.pid or os.getpid(), signal.SIGKILL)
            return
        with closing(socket.socket(fileno=os.dup(self._connection.fileno()))) as connection:
            connection.shutdown(socket.SHUT_RDWR)
