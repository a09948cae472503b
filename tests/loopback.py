"""Real HTTP on loopback for the tests: an app served in this process, and the sandbox as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

API_KEY = "SG.test.key"
CRM_TOKEN = "crm-token"
TRACKING_KEY = "tracking-key"


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds; it is an error when it does not within 30 seconds."""
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come true within 30 seconds")


@contextmanager
def serving(app: Any, port: int | None = None) -> Iterator[str]:
    """Serve an ASGI app and give its URL."""
    port = port or free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, ws="none", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


class Sandbox:
    """A running sandbox: its URL, and a client that carries the SendGrid key."""

    def __init__(self, home: Path, receiver_url: str | None, *options: str) -> None:
        """Start it and wait until it answers."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "nurture.sandbox", "--home", str(home), "--port", str(port), *options]
        keys = {"SENDGRID_API_KEY": API_KEY, "NURTURE_CRM_TOKEN": CRM_TOKEN, "NURTURE_TRACKING_KEY": TRACKING_KEY}
        self.process = subprocess.Popen(
            [*command, *(["--receiver-url", receiver_url] if receiver_url else [])], env={**os.environ, **keys}
        )
        self.http = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {API_KEY}"}, timeout=60, trust_env=False
        )
        self._wait()

    def _wait(self) -> None:
        for _ in range(600):
            try:
                self.http.get("/health").raise_for_status()
                return
            except httpx.TransportError:
                assert self.process.poll() is None, "the sandbox ended while it started"
                time.sleep(0.05)
        raise AssertionError("the sandbox did not answer within 30 seconds")

    def move_clock(self, at: str | None, **options: Any) -> dict[str, Any]:
        """Set the clock, and let what is due happen."""
        return self.http.put("/sandbox/clock", json={"at": at, **options}).raise_for_status().json()

    def messages(self, **asked: Any) -> list[dict[str, Any]]:
        """Return the mails that were taken."""
        return self.http.get("/sandbox/messages", params=asked).raise_for_status().json()["messages"]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process."""
        self.process.send_signal(how)
        self.process.wait(timeout=20)
        self.http.close()


@contextmanager
def sandbox(home: Path, receiver_url: str | None = None, *options: str) -> Iterator[Sandbox]:
    """Run a sandbox for as long as the block lasts."""
    running = Sandbox(home, receiver_url, *options)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


def mail(*addresses: str, **changed: Any) -> dict[str, Any]:
    """Return a request as the `sendgrid` library would post it, to these addresses."""
    page = (
        '<html><body><p>-m1_name_html-</p><a href="https://www.example.co.jp/cases/logistics?'
        'utm_source=nurture&amp;utm_campaign=cloud_backup&amp;nt=-m1_token_url-">事例</a>'
        '<a href="https://www.example.co.jp/pricing?utm_campaign=cloud_backup">価格</a>'
        '<a href="-m1_unsubscribe_url_html-">配信停止</a></body></html>'
    )
    return {
        "from": {"email": "news@mail.example", "name": "サンプル株式会社"},
        "subject": "-m1_name_raw- 物流業の事例",
        "content": [
            {"type": "text/plain", "value": "-m1_name_raw-\n配信停止: -m1_unsubscribe_url_raw-"},
            {"type": "text/html", "value": page},
        ],
        "categories": ["cloud_backup", "case_study"],
        "personalizations": [
            {
                "to": [{"email": address}],
                "substitutions": {
                    "-m1_name_raw-": f"山田{number} <様>",
                    "-m1_name_html-": f"山田{number} &lt;様&gt;",
                    "-m1_token_url-": f"token{number}",
                    "-m1_unsubscribe_url_raw-": f"https://mail.example/u/token{number}",
                    "-m1_unsubscribe_url_html-": f"https://mail.example/u/token{number}",
                },
                "headers": {
                    "List-Unsubscribe": f"<https://mail.example/u/token{number}>",
                    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
                },
                "custom_args": {"message_id": str(number)},
            }
            for number, address in enumerate(addresses, 1)
        ],
        **changed,
    }
