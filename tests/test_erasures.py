"""Erasures: nothing personal stays in any table, counts do, and refusals hold when the address comes back."""

import json

import pytest
import sqlalchemy as sa
from builders import DAY, NOON, address_of, everything, insert, lead, message, raw, record, rows, value
from consolidating import CARD, MAIL, OTHER, link, merged_pair, owner
from typer.testing import CliRunner

from nurture import db, erasures, events
from nurture.cli.main import app
from nurture.consolidate import consolidate
from nurture.problem import Problem

KEY = b"k" * 32
PERSONAL = ("山田", MAIL, OTHER, "+819012345678", "課長", "203.0.113.9", "名刺")


def somebody(conn: sa.Connection) -> tuple[int, int]:
    """Make a person of two leads who was mailed, answered, refused and was handed off; return both ids."""
    older, younger = merged_pair(conn)
    sent = message(conn, younger, status="accepted")
    message(conn, older, occasion="plan/next")
    insert(conn, "enrollments", lead_id=older)
    insert(conn, "opt_outs", lead_id=older, address_id=address_of(conn, older), product="backup", evidence=f"of {MAIL}")
    asked = insert(conn, "qualifications", lead_id=older)
    insert(conn, "handoffs", qualification_id=asked.qualification_id, dossier={"name": "山田 太郎"})
    insert(conn, "crm_links", lead_id=older, crm_id="501")
    link(conn)
    raw(conn, "inbound", **{"from": f"山田 太郎 <{MAIL}>", "text": "課長です"})
    raw(conn, "sendgrid", event="open", message_id=str(sent), timestamp=int(NOON.timestamp()), ip="203.0.113.9",
        sg_event_id="e1", email=OTHER)  # fmt: skip
    events.take_in(conn, NOON + DAY, {"backup": "Asia/Tokyo"})
    insert(conn, "rejected_records", landing_id=1, source="cards", file="cards.csv", line=9, reason="column count",
           raw=f"x,{MAIL.upper()},名刺".encode("cp932"))  # fmt: skip
    conn.commit()
    return older, younger


def test_n13_nothing_personal_stays_and_the_counts_do(conn: sa.Connection):
    older, younger = somebody(conn)
    counts = "select count(*), count(*) filter (where status = 'accepted') from messages"
    signals = "select kind, count from signals"
    before = rows(conn, counts), rows(conn, signals), value(conn, "select count(*) from source_records")
    assert erasures.erase(conn, younger, KEY, NOON + DAY) == {
        "leads": 2, "records": 3, "addresses": 2, "crm": ["hubspot/501"],
    }  # fmt: skip
    conn.commit()
    assert (rows(conn, counts), rows(conn, signals), value(conn, "select count(*) from source_records")) == before
    left = {
        (table, text) for table, found in everything(conn).items() for row in found for text in PERSONAL
        if text in row and table not in ("name_parts", "name_readings")
    }  # fmt: skip
    assert left == set()
    assert rows(conn, "select encode(raw, 'escape') from rejected_records") == [("",)]
    assert rows(conn, "select ended_reason from enrollments") == [("erased",)]
    assert rows(conn, "select status, ended_reason from messages where status <> 'accepted'") == [
        ("cancelled", "erased")
    ]
    assert older < younger


def test_n13_an_address_that_comes_back_comes_back_with_what_it_refused(conn: sa.Connection):
    older, _ = somebody(conn)
    erasures.erase(conn, older, KEY, NOON + DAY)
    again = record(conn, "again", email=MAIL, name="山田 太郎", facts=CARD, occurred_at=NOON + 2 * DAY)
    with pytest.raises(ValueError, match="NURTURE_TOKEN_KEY"):
        consolidate(conn, NOON + 3 * DAY)
    conn.rollback()
    erasures.erase(conn, older, KEY, NOON + DAY)
    again = record(conn, "again", email=MAIL, name="山田 太郎", facts=CARD, occurred_at=NOON + 2 * DAY)
    consolidate(conn, NOON + 3 * DAY, KEY)
    assert owner(conn, again) > older
    refused = "select product, how from opt_outs where address_id = %(address)s and ended_at is null order by 1"
    assert rows(conn, refused, address=address_of(conn, owner(conn, again))) == [
        ("*", "erasure"),
        ("backup", "erasure"),
    ]


def test_a_mailbox_that_somebody_else_has_too_stays_theirs(conn: sa.Connection):
    taro = record(conn, "1", email=MAIL, name="山田 太郎")
    hanako = record(conn, "2", email=MAIL, name="佐藤 花子")
    consolidate(conn, NOON)
    erasures.erase(conn, owner(conn, taro), KEY, NOON)
    assert address_of(conn, owner(conn, hanako)) == value(
        conn, "select address_id from addresses where address = %(mail)s", mail=MAIL
    )


def test_it_is_erased_and_exported_from_the_command_line(
    conn: sa.Connection, dsn: str, monkeypatch: pytest.MonkeyPatch
):
    older, _ = somebody(conn)
    monkeypatch.setenv("NURTURE_DSN", dsn)
    monkeypatch.delenv("NURTURE_TOKEN_KEY", raising=False)
    run = CliRunner().invoke
    told = json.loads(run(app, ["leads", "export", str(older)], catch_exceptions=False).output)
    assert [len(told[part]) for part in ("records", "messages", "addresses")] == [3, 2, 2]
    assert MAIL in {row["address"] for row in told["messages"]}
    with pytest.raises(Problem, match="NURTURE_TOKEN_KEY"):
        run(app, ["leads", "erase", str(older), "--yes"], catch_exceptions=False)
    monkeypatch.setenv("NURTURE_TOKEN_KEY", "k" * 32)
    assert run(app, ["leads", "erase", str(older)], input="n\n").exit_code == 1
    assert "hubspot/501" in run(app, ["leads", "erase", str(older), "--yes"], catch_exceptions=False).output
    assert lead(conn) > older
    assert db.run(conn, db.statements("erasures").any_erasures).scalar_one()
