"""Leads: every value says which record it came from and why it won, and an id that was merged shows who it is now."""

import json

import pytest
import sqlalchemy as sa
from builders import DAY, NOON, insert, record
from consolidating import CARD, MAIL, link, merged_pair, owner
from typer.testing import CliRunner

from nurture import leads
from nurture.cli.main import app
from nurture.consolidate import consolidate


def test_each_value_names_its_record_and_the_reason(conn: sa.Connection):
    card = record(
        conn, "1", name="山田 太郎", email=MAIL, company="見本商事", title="課長", precedence=3, postal_code="1000001"
    )
    crm = record(
        conn, "1", source="crm", name="Taro Yamada", last_name="Yamada", email=MAIL, precedence=1,
        postal_code="1500001", occurred_at=NOON - 2 * DAY,
    )  # fmt: skip
    consolidate(conn, NOON)
    assert owner(conn, card) == owner(conn, crm)
    record(conn, "2", name="山田 太郎", email=MAIL, company="青空物流", title="部長", precedence=3, occurred_at=NOON)
    consolidate(conn, NOON + DAY)
    shown = leads.show(conn, owner(conn, card))
    assert shown is not None
    found = {row["field"]: (row["value"], row["source"], row["source_key"], row["why"]) for row in shown["attributes"]}
    assert found["name"] == ("山田 太郎", "cards", "2", "written in kanji")
    assert found["company"] == ("青空物流", "cards", "2", "the newest record that names a company, whole")
    assert found["postal_code"] == ("1500001", "crm", "1", "the source believed first (precedence 1)")
    assert found["last_name"] == ("Yamada", "crm", "1", "nobody says otherwise")
    assert [sorted(version["changed"]) for version in shown["versions"]][1] == ["company", "title"]
    before = leads.show(conn, owner(conn, card), NOON)
    assert before is not None
    assert {row["field"]: row["value"] for row in before["attributes"]}["company"] == "見本商事"


def test_a_merged_id_shows_the_person_with_all_that_was_refused_and_permitted(
    conn: sa.Connection, dsn: str, monkeypatch: pytest.MonkeyPatch
):
    older, younger = merged_pair(conn)
    link(conn)
    insert(conn, "opt_outs", lead_id=younger, product="backup", mail_type="event")
    conn.commit()
    monkeypatch.setenv("NURTURE_DSN", dsn)
    told = CliRunner().invoke(app, ["leads", "show", str(younger), "--json"], catch_exceptions=False)
    shown = json.loads(told.output)
    assert (shown["lead_id"], len(shown["addresses"]), len(shown["consents"])) == (older, 2, 2)
    assert [row["mail_type"] for row in shown["refusals"]] == ["event"]
    assert [(row["survivor_id"], row["merged_id"]) for row in shown["merges"]] == [(older, younger)]
    text = CliRunner().invoke(app, ["leads", "show", str(younger)], catch_exceptions=False).output
    assert f"lead {older} (lead {younger} was merged into it)" in text
    assert f"mailbox   {MAIL}" in text
    assert CARD["consent"]["evidence"] in text


def test_a_lead_that_is_none_is_none(conn: sa.Connection):
    assert leads.show(conn, 999) is None
