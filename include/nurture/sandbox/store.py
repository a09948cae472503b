"""Store: what the sandbox has promised to remember survives `kill -9`, because it commits before it answers."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).with_name("schema.sql")


class Store:
    """One SQLite file under the sandbox's home: one writer at a time, readers beside it."""

    def __init__(self, home: Path) -> None:
        """Open the store under `home`, and make it when absent."""
        home.mkdir(parents=True, exist_ok=True)
        self._path = home / "sandbox.sqlite3"
        self._writing = threading.RLock()
        self._threads = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._writer = self._open()
        self._writer.executescript(SCHEMA.read_text(encoding="utf-8"))

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")  # A killed process loses nothing; only a power cut may.
        connection.execute("pragma cache_size = -65536")
        self._connections.append(connection)
        return connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give the writer inside a transaction; what was written is durable once the block has ended."""
        with self._writing:
            if self._writer.in_transaction:
                yield self._writer
                return
            self._writer.execute("begin immediate")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("rollback")
                raise
            self._writer.execute("commit")

    def read(self, statement: str, parameters: Any = ()) -> list[sqlite3.Row]:
        """Return all rows of a select, as committed."""
        connection = getattr(self._threads, "reader", None)
        if connection is None:
            connection = self._threads.reader = self._open()
        return connection.execute(statement, parameters).fetchall()

    def close(self) -> None:
        """Close every connection."""
        for connection in self._connections:
            connection.close()

    def setting(self, name: str) -> Any:
        """Return a setting, or None."""
        rows = self.read("select value from settings where name = ?", (name,))
        return json.loads(rows[0]["value"]) if rows else None

    def set(self, name: str, value: Any) -> None:
        """Keep a setting."""
        with self.write() as db:
            db.execute(
                "insert into settings (name, value) values (?, ?)"
                " on conflict (name) do update set value = excluded.value",
                (name, json.dumps(value)),
            )


class Clock:
    """The sandbox's time: the machine's until somebody sets it, then exactly what was set."""

    def __init__(self, store: Store) -> None:
        """Take up the clock where the store left it."""
        self._store = store
        self.set_to: float | None = store.setting("clock")

    def now(self) -> float:
        """Return the moment as Unix seconds."""
        return time.time() if self.set_to is None else self.set_to

    def set(self, moment: float | None) -> None:
        """Set the clock, or let it follow the machine's again (None)."""
        self._store.set("clock", moment)
        self.set_to = moment


def insert_queue(db: sqlite3.Connection, rows: list[tuple[float, str, int, str]]) -> None:
    """Put acts into the queue: (due_at, kind, about, detail as JSON)."""
    db.executemany("insert into queue (due_at, kind, about, detail) values (?, ?, ?, ?)", rows)
