"""Troubles: what people must hear of is found in the database, kept once while it lasts, and over by itself."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from builders import DAY, NOON, insert, product, rows

from nurture import alerts, holds, runs, troubles
from nurture.definitions.products import PlanEntry, Product

SCHEDULES = {"nurture_pulse": ("*/5 * * * *", "UTC")}
HOUR = timedelta(hours=1)
NINE = NOON - 3 * HOUR  # 9:00 in Tokyo, when the product's run is due
BACKUP = product(schedule="0 9 * * 1-5")
YEAR = BACKUP.model_copy(
    update={
        "plan": [
            PlanEntry.model_validate(
                {"name": "case", "date": (NOON - DAY).date(), "email": "case", "to": "all", "mail_type": "case_study"}
            )
        ]
    }
)
STATES = "select kind, key, ended_at is not null from alerts order by alert_id"


def look(conn: sa.Connection, at: datetime = NOON, of: Product = BACKUP) -> dict[str, int]:
    return troubles.look(conn, {"backup": of}, SCHEDULES, at)


def ran(conn: sa.Connection, dag: str, as_of: datetime, failures: dict[str, str] | None = None, **values: Any) -> None:
    given = {"kind": "scheduled", "begun_at": as_of, "ended_at": as_of, "failures": failures or {}, **values}
    insert(conn, "runs", dag=dag, product="backup" if "backup" in dag else None, as_of=as_of, **given)


def told(conn: sa.Connection) -> str:
    [alert] = alerts.open_alerts(conn)
    return alert.what


def test_nothing_is_wrong_before_the_first_run(conn: sa.Connection):
    assert look(conn) == {"new": 0, "over": 0, "open": 0}


def test_a_run_whose_sends_failed_says_why_and_how_many_wait_and_is_over_after_a_good_one(conn: sa.Connection):
    ran(conn, "nurture_backup", NINE, {"dispatch.send": "SendGrid says 500"})
    insert(conn, "messages", lead_id=1, address_id=1)
    assert look(conn) == {"new": 1, "over": 0, "open": 1}
    assert told(conn) == (
        "nurture_backup of 2026-11-16 00:00 UTC failed: task dispatch.send: SendGrid says 500; "
        "1 mails are due and unsent"
    )
    ran(conn, "nurture_backup", NINE + HOUR, {"dispatch.send": "SendGrid says 500"})
    assert look(conn, NOON + HOUR)["new"] == 0  # the same trouble is not raised twice
    ran(conn, "nurture_backup", NINE + 2 * HOUR, kind="backfill")  # a backfill is no run after it
    assert look(conn, NOON + HOUR)["over"] == 0
    ran(conn, "nurture_backup", NINE + 3 * HOUR)
    assert look(conn, NOON + HOUR) == {"new": 0, "over": 1, "open": 0}
    ran(conn, "nurture_backup", NINE + 4 * HOUR, {"dispatch.send": "again"})
    assert look(conn, NOON + 2 * HOUR)["new"] == 1


def test_a_failure_of_the_pulse_names_its_product(conn: sa.Connection):
    ran(conn, "nurture_pulse", NOON, {"backup.send": "no", "pull": "no"})
    look(conn)
    assert [alert.product for alert in alerts.open_alerts(conn)] == ["backup", None]


def test_a_run_that_airflow_calls_failed_is_a_trouble_also_where_its_last_task_was_killed(conn: sa.Connection):
    assert not runs.fail(conn, "nurture_pulse", "scheduled__1", "task_failure")
    runs.begin(conn, "nurture_pulse", None, NOON, "scheduled", "scheduled__1")
    assert runs.fail(conn, "nurture_pulse", "scheduled__1", "task_failure")
    look(conn, NOON + HOUR)
    assert told(conn) == "nurture_pulse of 2026-11-16 03:00 UTC failed: task_failure"


def test_what_the_runs_own_tasks_said_is_not_overwritten(conn: sa.Connection):
    begun = runs.begin(conn, "nurture_pulse", None, NOON, "scheduled", "scheduled__1")
    runs.finish(conn, begun, {"pull": "the disk is full"})
    runs.fail(conn, "nurture_pulse", "scheduled__1", "task_failure")
    assert rows(conn, "select failures from runs") == [({"pull": "the disk is full"},)]


def test_a_run_that_did_not_happen_is_told_once_its_grace_has_passed(conn: sa.Connection):
    ran(conn, "nurture_backup", NINE - 3 * DAY)  # on Friday; today is Monday
    assert look(conn, NINE + timedelta(minutes=59))["new"] == 0
    assert look(conn, NINE + HOUR)["new"] == 1
    assert told(conn).startswith("nurture_backup should have run for 2026-11-16 00:00 UTC")
    ran(conn, "nurture_backup", NINE, begun_at=NINE + 2 * HOUR)
    assert look(conn, NOON)["open"] == 0


def test_a_pulse_that_stopped_is_told_and_one_that_only_ran_by_hand_is_not(conn: sa.Connection):
    ran(conn, "nurture_pulse", NOON - 2 * HOUR, kind="manual")
    assert look(conn)["new"] == 0
    ran(conn, "nurture_pulse", NOON - 2 * HOUR)
    assert look(conn)["new"] == 1


def test_a_run_that_does_not_end_is_told_until_a_later_one_has_ended(conn: sa.Connection):
    ran(conn, "nurture_backup", NINE, begun_at=NINE, ended_at=None)
    assert look(conn, NINE + timedelta(hours=5))["new"] == 0
    assert look(conn, NINE + timedelta(hours=6))["new"] == 1
    ran(conn, "nurture_backup", NINE + HOUR)
    assert look(conn, NINE + timedelta(hours=7))["open"] == 0


@pytest.mark.parametrize(("status", "answered"), [("in_flight", None), ("unknown", NOON)])
def test_unknown_requests_are_told_when_evidence_should_have_come(
    conn: sa.Connection, status: str, answered: datetime | None
):
    for request in (7, 8):
        insert(conn, "send_requests", request_id=request, status=status, answered_at=answered, member_count=600)
    assert look(conn, NOON + timedelta(minutes=59))["new"] == 0
    assert look(conn, NOON + HOUR)["new"] == 1
    assert told(conn).startswith("1,200 mails of backup in 2 requests have no certain answer since 2026-11-16 03:00")
    [alert] = alerts.open_alerts(conn)
    assert "settle 7" in alert.mend


def test_a_plan_date_that_passed_says_how_many_mails_are_unsent_and_why(conn: sa.Connection):
    for lead, status in ((1, "planned"), (2, "planned"), (3, "expired"), (4, "cancelled")):
        ended = None if status == "planned" else status
        insert(
            conn, "messages", message_id=lead, lead_id=lead, address_id=lead, occasion="plan/case", status=status,
            ended_reason=ended,
        )  # fmt: skip
    insert(conn, "decisions", message_id=1, outcome="not_now", reason="awaiting approval", at=NOON)
    conn.exec_driver_sql("update messages set due_at = %(later)s where message_id = 2", {"later": NOON + DAY})
    assert look(conn, NOON - DAY, YEAR)["new"] == 0  # its day is not over
    assert look(conn, of=YEAR)["new"] == 1
    assert told(conn) == (
        "of 4 mails of the plan's case of backup (2026-11-15), 1 are due and unsent and 1 became too late and are "
        "not sent any more, such as one that was awaiting approval"
    )


def test_an_entry_that_no_run_planned_is_told_and_one_with_an_empty_segment_is_not(conn: sa.Connection):
    ran(conn, "nurture_backup", NINE)
    assert look(conn, of=YEAR)["new"] == 0  # the product was not nurtured before the entry's day
    ran(conn, "nurture_backup", NINE - 4 * DAY)
    assert look(conn, of=YEAR)["new"] == 1
    assert "was never planned" in told(conn)
    insert(conn, "definitions", definition_hash="entry", product="backup", part="plan", name="case")
    assert look(conn, of=YEAR)["open"] == 0


def test_content_that_waits_for_a_yes_is_told_and_over_with_the_answer(conn: sa.Connection):
    insert(
        conn, "approvals", product="backup", email="thanks", content_hash="content", reason="first send",
        audience_size=1200, asked_at=NOON,
    )  # fmt: skip
    assert look(conn)["new"] == 1
    assert "1,200 readers" in told(conn)
    conn.exec_driver_sql("update approvals set answer = 'no', answered_by = 'a person', answered_at = now()")
    assert look(conn)["open"] == 0


def test_a_look_leaves_the_alerts_of_a_breaker_to_the_breaker(conn: sa.Connection):
    holds.hold(conn, "product", "backup", "stopped", "5 of 100 mails bounced", NOON)
    assert look(conn) == {"new": 0, "over": 0, "open": 1}
    holds.resume(conn, "product", "backup", "a person", NOON + HOUR)
    assert rows(conn, STATES) == [("held", "product backup stopped", True)]


def test_each_channel_hears_of_a_trouble_once(conn: sa.Connection):
    alerts.raise_alert(conn, "held", "k", "what", "mend", NOON)
    alerts.told(conn, "mail", alerts.open_alerts(conn, "mail"), NOON)
    assert alerts.open_alerts(conn, "mail") == []
    [untold] = alerts.open_alerts(conn, "apprise")
    alerts.told(conn, "apprise", [untold], NOON + HOUR)
    assert rows(conn, "select told_by, told_at from alerts") == [(["mail", "apprise"], NOON)]


def test_a_letter_says_everything_in_both_languages_and_trusts_no_text():
    alert = alerts.Alert(1, "failed", "backup", "SendGrid says <500> {{ x }}", "nurture sends held", NOON)
    letter = alerts.letter([alert, alert._replace(kind="unknown")], "https://airflow.example")
    assert letter.subject == (
        "[nurture] 処理の失敗、送信結果が不明2件 / A run failed, Nobody knows whether mails were sent"
    )
    assert "SendGrid says &lt;500&gt; {{ x }}" in letter.html
    assert "since: 2026-11-16 03:00 UTC" in letter.text
    assert letter.text.endswith("Airflow: https://airflow.example\n")
