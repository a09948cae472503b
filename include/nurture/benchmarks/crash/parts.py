"""Parts: the database, the sandbox and the receiver of a crash benchmark, each a process that can be killed."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from nurture import db
from nurture.definitions.products import Company, EmailTemplate, Product
from nurture.dispatch import Links
from nurture.problem import Problem
from nurture.stack.home import free_port
from nurture.stack.postgres import Postgres

Policy = Literal["hold", "resend_when_absent"]

DATABASE = "nurture"
EMAILS = ("thanks", "case", "guide", "news")
START_SECONDS = 60
_MJML = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>{{ lead.name }} 様 "
    '<a href="https://www.crash.example/case">事例</a> <a href="{{ lead.unsubscribe_url }}">配信停止</a>'
    "</mj-text></mj-column></mj-section></mj-body></mjml>"
)


class Taken(NamedTuple):
    """What the sandbox's store says: how often it took a message, and a mailbox's mail of one occasion."""

    messages: Counter[int]
    occasions: Counter[tuple[str, str]]


class Parts:
    """A stack without Airflow: started whole, killed in parts, mended."""

    def __init__(self, folder: Path, *, fast: bool = False) -> None:
        """Start everything in a folder; `fast` is the tests' PostgreSQL, which only a power cut would hurt."""
        self.folder = folder
        self.server = Postgres(folder / "postgres", fast=fast)
        self._ports = {"sandbox": free_port()}
        self._ports["receiver"] = free_port(unlike=self._ports.values())
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.links = Links(f"http://127.0.0.1:{self._ports['receiver']}", b"k" * 32)
        self._postgres_port: int | None = None
        self._key = ""

    def start(self) -> None:
        """Start the database, the sandbox, and the receiver that takes its webhooks."""
        self.server.start()
        self._postgres_port = self.server.port
        self.server.create_database(DATABASE)
        db.migrate(self.dsn)
        self.mend()

    @property
    def dsn(self) -> str:
        """The database's address."""
        return self.server.dsn(DATABASE)

    @property
    def sandbox_port(self) -> int:
        """Where the sandbox listens."""
        return self._ports["sandbox"]

    def pid(self, victim: str) -> int:
        """Return the process id of a part."""
        found = self.server.pid if victim == "postgres" else self._processes["sandbox"].pid
        if found is None:
            raise Problem("PostgreSQL does not run")
        return found

    def kill(self, victim: str) -> None:
        """End a part at once."""
        os.kill(self.pid(victim), signal.SIGKILL)

    def mend(self) -> None:
        """Start again whatever is dead, and wait until it answers."""
        if not self.server.running:
            self.server.start(self._postgres_port)
        receiver = ("--receiver-url", self.links.receiver_url)
        self._start("sandbox", "nurture.sandbox", "--home", str(self.folder / "sandbox"), *receiver)
        self._key = self._key or self.ask("GET", "/sandbox/webhook-public-key")["public_key"]
        self._start("receiver", "nurture.receiver")

    def _start(self, name: str, module: str, *options: str) -> None:
        running = self._processes.get(name)
        if running is not None and running.poll() is None:
            return
        environment = {
            **os.environ, "NURTURE_DSN": self.dsn, "SENDGRID_API_KEY": "SG.crash", "NURTURE_TOKEN_KEY": "k" * 32,
            "SENDGRID_WEBHOOK_PUBLIC_KEYS": self._key, "NURTURE_TRACKING_KEY": "crash", "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }  # fmt: skip
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", module, "--port", str(self._ports[name]), *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._processes[name].poll() is None:
            try:
                self._ask(name, "GET", "/health")
                return
            except (OSError, urllib.error.URLError):
                time.sleep(0.05)
        raise Problem(f"the {name} did not start: see {self.folder / name}.log")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the sandbox's answer to one of its controls."""
        return self._ask("sandbox", method, path, body)

    def _ask(self, name: str, method: str, path: str, body: Any = None) -> Any:
        url = f"http://127.0.0.1:{self._ports[name]}{path}"
        request = urllib.request.Request(url, json.dumps(body).encode() if body else None, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=300) as answer:
            return json.loads(answer.read() or b"null")

    def set_clock(self, at: datetime) -> None:
        """Set the sandbox's clock: what is due until then happens and is told to the receiver."""
        self.ask("PUT", "/sandbox/clock", {"at": at.isoformat()})

    def taken(self, after: int) -> Taken:
        """Return what the sandbox has taken of the messages after an id: its store, and not its word, is asked."""
        with closing(sqlite3.connect(self.folder / "sandbox" / "sandbox.sqlite3")) as store:
            rows = store.execute(
                "select cast(message_id as integer), mailbox, json_extract(personalization, '$.custom_args.occasion')"
                " from messages where cast(message_id as integer) > ?",
                (after,),
            ).fetchall()
        return Taken(Counter(row[0] for row in rows), Counter((row[2], row[1]) for row in rows))

    def stop(self) -> None:
        """End everything."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        self.server.stop()


def product(policy: Policy) -> Product:
    """Return a product that is always open, with a policy for what nobody knows."""
    made = Product.model_validate(
        {
            "product": "crash", "name": "見本", "owner": "marketing@crash.example", "schedule": "0 9 * * *",
            "calendar": "always", "site": "https://www.crash.example", "unknown": policy,
            "sender": {
                "name": "株式会社見本", "email": "news@mail.crash.example", "postal_address": "東京都見本町1-1",
                "complaint_contact": "soudan@crash.example",
            },
            "target": {"industries": ["manufacturing"]},
            "segments": {"everyone": {"none": [{"lifecycle": "customer"}]}},
            "limits": {"mails_per_day": 10_000_000, "stop_when": {"of_at_least": 10_000_000}},
            "scoring": {
                "half_life": "30 days",
                "fit": [{"when": {"industry": "target"}, "points": 10}],
                "engagement": [{"when": "clicked", "points": 5, "per_day": 5, "at_most": 20}],
            },
            "qualification": {"when": {"submitted": "quote_request"}},
            "handoff": {"crm": "hubspot"},
        }
    )  # fmt: skip
    mails = {name: EmailTemplate(email=name, subject="{{ lead.name }} 様へ", mjml=_MJML) for name in EMAILS}
    return made.model_copy(update={"emails": mails})


def company() -> Company:
    """Return a company that mails at any hour and caps nobody."""
    always = {"weekdays": [1, 2, 3, 4, 5, 6, 7], "opens": 0, "closes": 24}
    domains = {"mail.crash.example": {"stop_when": {"of_at_least": 10_000_000}}}
    said = {"company": "株式会社見本", "frequency": {"mails": 100, "within": "7 days"}, "calendars": {"always": always}}
    return Company.model_validate({**said, "sending_domains": domains})
