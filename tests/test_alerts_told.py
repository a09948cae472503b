"""Alerts are told through Airflow's notifiers, over a real mail server, each once, and kept as told only then."""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from airflow_fixture import database, parse
from builders import rows

from nurture import alerts, runs
from nurture.problem import Problem

# Airflow, its providers and Apprise warn of their own affairs.
pytestmark = pytest.mark.filterwarnings("ignore")

TO = "operations@example.co.jp"
TOLD = "select told_by, told_at is not null from alerts order by alert_id"


class Mailbox:
    """A mail server on loopback and what it took."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.mails: list[Message] = []
        self.server: Controller | None = None

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"

    def start(self) -> None:
        self.server = Controller(self, hostname="127.0.0.1", port=self.port)
        self.server.start()

    def stop(self) -> None:
        if self.server:
            self.server.stop()
        self.server = None

    @property
    def subjects(self) -> list[str]:
        return [str(make_header(decode_header(mail["Subject"]))) for mail in self.mails]

    def text(self, number: int) -> str:
        """Return the words of a mail, whatever its parts."""
        parts = [part for part in self.mails[number].walk() if part.get_content_maintype() == "text"]
        return "\n".join(part.get_payload(decode=True).decode() for part in parts)


@pytest.fixture
def mailbox(airflow: None, dsn: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    box = Mailbox()
    box.start()
    plain = {
        "disable_ssl": True,
        "disable_tls": True,
        "retry_limit": 0,
        "timeout": 5,
        "from_email": "nurture@example.co.jp",
    }
    smtp = {"conn_type": "smtp", "host": "127.0.0.1", "port": box.port, "extra": plain}
    service = f"mailto://127.0.0.1:{box.port}?from=nurture@example.co.jp&to=chat@example.co.jp"
    monkeypatch.setenv("AIRFLOW_CONN_NURTURE_DB", json.dumps(database(dsn)))
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(smtp))
    apprise = {"conn_type": "apprise", "extra": {"config": {"path": service}}}
    monkeypatch.setenv("AIRFLOW_CONN_APPRISE_DEFAULT", json.dumps(apprise))
    monkeypatch.setenv("NURTURE_ALERTS_TO", f"{TO}, second@example.co.jp")
    yield box
    box.stop()


def raise_one(conn: sa.Connection) -> None:
    alerts.raise_alert(
        conn, "held", "product cloud_backup stopped", "12 of 200 mails {{ bounced }} <6%>", "nurture sends resume",
        datetime.now(UTC), "cloud_backup",
    )  # fmt: skip
    conn.commit()


def test_a_trouble_is_mailed_once_in_both_languages(mailbox: Mailbox, conn: sa.Connection):
    from nurture import tasks

    raise_one(conn)
    assert tasks.tell_troubles(conn)["told"] == 1
    assert tasks.tell_troubles(conn)["told"] == 0
    assert mailbox.subjects == ["[nurture] 配信停止 / Sending is held"]
    assert mailbox.mails[0]["To"] == f"{TO}, second@example.co.jp"
    words = mailbox.text(0)
    assert "12 of 200 mails {{ bounced }} &lt;6%&gt;" in words  # neither Jinja nor HTML to anybody
    assert "nurture sends resume" in words
    assert "https://airflow.example" in words
    assert rows(conn, TOLD) == [(["mail"], True)]


def test_apprise_tells_wherever_people_look(mailbox: Mailbox, conn: sa.Connection, monkeypatch: pytest.MonkeyPatch):
    from nurture import tasks

    monkeypatch.delenv("NURTURE_ALERTS_TO")
    monkeypatch.setenv("NURTURE_ALERTS_APPRISE", "apprise_default")
    raise_one(conn)
    assert tasks.tell_troubles(conn)["told"] == 1
    assert mailbox.subjects == ["[nurture] 配信停止 / Sending is held"]
    assert "12 of 200 mails {{ bounced }} <6%>" in mailbox.text(0)
    assert rows(conn, TOLD) == [(["apprise"], True)]


@pytest.mark.parametrize("channel", ["mail", "apprise"])
def test_what_no_server_took_is_not_kept_as_told_and_is_told_later(
    mailbox: Mailbox, conn: sa.Connection, monkeypatch: pytest.MonkeyPatch, channel: str
):
    from nurture import tasks

    if channel == "apprise":
        monkeypatch.delenv("NURTURE_ALERTS_TO")
        monkeypatch.setenv("NURTURE_ALERTS_APPRISE", "apprise_default")
    raise_one(conn)
    mailbox.stop()
    with pytest.raises(Problem, match=f"alerts did not leave by {channel}"):
        tasks.tell_troubles(conn)
    assert rows(conn, TOLD) == [([], False)]
    mailbox.start()
    assert tasks.tell_troubles(conn)["told"] == 1
    assert rows(conn, TOLD) == [([channel], True)]


def test_a_channel_that_fails_keeps_the_other_from_nothing(
    mailbox: Mailbox, conn: sa.Connection, monkeypatch: pytest.MonkeyPatch
):
    from nurture import tasks

    monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT")
    monkeypatch.setenv("NURTURE_ALERTS_APPRISE", "apprise_default")
    raise_one(conn)
    with pytest.raises(Problem, match="alerts did not leave by mail"):
        tasks.tell_troubles(conn)
    assert rows(conn, TOLD) == [(["apprise"], True)]
    assert len(mailbox.mails) == 1


def test_where_no_channel_is_set_a_trouble_stays_untold(
    mailbox: Mailbox, conn: sa.Connection, monkeypatch: pytest.MonkeyPatch
):
    from nurture import tasks

    monkeypatch.delenv("NURTURE_ALERTS_TO")
    raise_one(conn)
    assert tasks.tell_troubles(conn)["told"] == 0
    assert rows(conn, TOLD) == [([], False)]


def failed(root: Path) -> dict[str, Any]:
    """Return what Airflow hands the callback of a run whose last tasks were killed."""
    dag = parse(root / "dags").dags["nurture_pulse"]
    return {"dag": dag, "run_id": "scheduled__1", "reason": "task_failure"}


def test_a_run_whose_last_tasks_were_killed_is_told_by_airflow(mailbox: Mailbox, conn: sa.Connection, root: Path):
    from nurture import tasks

    runs.begin(conn, "nurture_pulse", None, datetime.now(UTC), "scheduled", "scheduled__1")
    context = failed(root)
    tasks.tell_failure(context)
    tasks.tell_failure(context)
    assert mailbox.subjects == ["[nurture] 処理の失敗 / A run failed"]
    assert "nurture_pulse" in mailbox.text(0)


def test_a_database_that_cannot_be_reached_is_told_all_the_same(
    mailbox: Mailbox, root: Path, dsn: str, monkeypatch: pytest.MonkeyPatch
):
    from nurture import tasks

    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    monkeypatch.setenv("AIRFLOW_CONN_NURTURE_DB", json.dumps({**database(dsn), "port": closed}))
    tasks.tell_failure(failed(root))
    assert mailbox.subjects == ["[nurture] データベースに接続できません / The database cannot be reached"]
