"""The whole run, played for days: again it finds nothing to do (N6), and an older one spoils nothing (N7)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from builders import DAY, LINKS, NOON, Provider, company, everything, product, record, rows, told, value

from nurture import (
    consolidate,
    dispatch,
    events,
    handoff,
    journeys,
    plan,
    reporting,
    runs,
    scoring,
    segments,
    settlement,
)  # fmt: skip

COMPANY = company(frequency={"mails": 2, "within": "7 days"})
BACKUP = product(
    segments={"warm": {"clicked": True, "within": "30 days"}},
    scenarios=[
        {
            "scenario": "follow_up",
            "journey": [
                {"email": "thanks", "mail_type": "know_how"},
                {"wait": "1 days", "name": "cool_off"},
                {
                    "name": "clicked_or_not",
                    "branch": {
                        "if": {"clicked": "thanks"},
                        "then": [{"email": "case", "mail_type": "case_study"}],
                        "else": [{"email": "guide", "mail_type": "download"}],
                    },
                },
            ],
        }
    ],
    plan=[{"name": "news", "date": "2026-11-18", "email": "news", "to": "warm", "mail_type": "product_news"}],
    qualification={"when": {"score": {"min": 15}}},
)
ZONES = {"backup": "Asia/Tokyo"}
DAYS = 6
Stage = Callable[[sa.Connection, datetime, bool], Any]


class Crm:
    """A CRM that takes everything and says nothing."""

    name = "hubspot"

    def __init__(self) -> None:
        self.notes: list[str] = []

    def push_contact(self, contact: dict[str, Any], known_id: str | None) -> str:
        """Take a contact."""
        return known_id or f"c{contact['nurture_lead_id']}"

    def push_note(self, crm_id: str, body: str, key: str, at: datetime) -> None:
        """Take a note."""
        self.notes.append(key)


PROVIDER, CRM = Provider(), Crm()
STAGES: dict[str, Stage] = {
    "consolidate": lambda conn, at, live: consolidate.consolidate(conn, at),
    "segments": lambda conn, at, live: segments.refresh(conn, BACKUP, at, live=live),
    "journeys": lambda conn, at, live: journeys.walk(conn, BACKUP, COMPANY.calendars["always"], at, live=live),
    "plan": lambda conn, at, live: plan.plan_due(conn, BACKUP, COMPANY.calendars["always"], at, live=live),
    "settlement": lambda conn, at, live: settlement.settle(conn, BACKUP, at, lambda address, since: {}),
    "dispatch": lambda conn, at, live: (
        dispatch.send_due(conn, BACKUP, COMPANY, at, at, PROVIDER, LINKS) if live else {}
    ),
    "events": lambda conn, at, live: events.take_in(conn, at, ZONES),
    "scoring": lambda conn, at, live: scoring.rescore(conn, BACKUP, at, ["backup"], live=live),
    "qualify": lambda conn, at, live: handoff.qualify(conn, BACKUP, at, live=live),
    "handoff": lambda conn, at, live: handoff.hand_off(conn, BACKUP, at, CRM) if live else {},
    "reporting": lambda conn, at, live: reporting.recount(conn, at, ZONES),
}


@pytest.fixture
def played(conn: sa.Connection) -> sa.Connection:
    """Six days of twenty people: half of them click, one complains, one's row says no, two share a mailbox."""
    consent = {"consent": {"basis": "business_card", "evidence": "名刺"}}
    for number in range(20):
        refusal = {"opt_out": {"evidence": "no"}} if number == 3 else {}
        mailbox = f"lead{max(number, 1)}@lead.example"
        record(
            conn, f"k{number}", email=mailbox, name=f"山田 {number}", industry="logistics", facts={**consent, **refusal}
        )
    for day in range(DAYS):
        at = NOON + day * DAY
        for stage in STAGES.values():
            stage(conn, at, True)
        told_so_far = {
            message for (message,) in rows(conn, "select message_id from events where message_id is not null")
        }
        for message, lead_id in rows(conn, "select message_id, lead_id from messages where status = 'accepted'"):
            if message not in told_so_far:
                told(conn, "delivered", message, at + DAY / 24)
                if lead_id % 2:
                    told(conn, "click", message, at + DAY / 12, url="https://www.backup.example/case")
                if lead_id == 8:
                    told(conn, "spamreport", message, at + DAY / 12)
        conn.commit()
    PROVIDER.bodies.clear()
    CRM.notes.clear()
    for stage in STAGES.values():
        stage(conn, NOON + DAYS * DAY, True)
    return conn


def test_the_days_that_were_played_hold_something_of_everything(played: sa.Connection):
    assert PROVIDER.posted or value(played, "select count(*) from messages where status = 'accepted'") > 30
    for table in ("merges", "match_edges"):
        assert value(played, f'select count(*) from "{table}"') == 0
    for table in ("decisions", "signals", "scores", "qualifications", "handoffs", "daily_facts", "opt_outs"):
        assert value(played, f"select count(*) from {table}") > 0, table
    assert value(played, "select count(*) from messages where ended_reason = 'same mailbox'") > 0
    assert {reason for (reason,) in rows(played, "select distinct ended_reason from enrollments")} >= {
        "opted_out", "qualified", "completed",
    }  # fmt: skip
    [overview] = reporting.overview(played)
    assert (overview["product"], overview["enrolled"], overview["unknown"]) == ("backup", 20, 0)
    assert overview["accepted"] == value(played, "select sum(accepted) from daily_facts")


def test_n6_every_stage_again_with_the_same_as_of_changes_nothing(played: sa.Connection):
    before = everything(played)
    PROVIDER.bodies.clear()
    CRM.notes.clear()
    for name, stage in STAGES.items():
        stage(played, NOON + DAYS * DAY, True)
        assert everything(played) == before, name
    assert PROVIDER.posted == []
    assert CRM.notes == []


def test_n7_an_older_run_changes_nothing_that_was_decided(played: sa.Connection):
    before = everything(played)
    PROVIDER.bodies.clear()
    CRM.notes.clear()
    for day in range(DAYS):
        for name, stage in STAGES.items():
            stage(played, NOON + day * DAY + DAY / 2, False)
            after = everything(played)
            changed = {table for table in before if before[table] != after[table]}
            assert changed <= {"scores"}, name  # of its own moments, where none stood
            assert set(before["scores"]) <= set(after["scores"]), name
    assert PROVIDER.posted == []
    assert CRM.notes == []
    newest = "select lead_id, score from current_scores order by lead_id"
    [*now] = rows(played, newest)
    scoring.rescore(played, BACKUP, NOON + DAYS * DAY, ["backup"])
    assert rows(played, newest) == now


@pytest.mark.parametrize("kind", ["scheduled", "manual", "asset_triggered", "history"])
def test_n7_a_run_is_the_newest_until_one_with_a_later_as_of_has_begun(conn: sa.Connection, kind: str):
    assert runs.is_newest(conn, "nurture_backup", NOON)
    begun = runs.begin(conn, "nurture_backup", "backup", NOON, kind)
    assert runs.is_newest(conn, "nurture_backup", NOON)
    assert runs.is_newest(conn, "nurture_backup", NOON + DAY)
    assert not runs.is_newest(conn, "nurture_backup", NOON - DAY)
    assert runs.is_newest(conn, "nurture_planner", NOON - DAY)
    runs.finish(conn, begun)
    assert not runs.is_newest(conn, "nurture_backup", NOON - DAY)


def test_n7_a_backfill_takes_no_other_runs_place(conn: sa.Connection):
    runs.begin(conn, "nurture_backup", "backup", NOON + DAY, "backfill")
    assert runs.is_newest(conn, "nurture_backup", NOON)
