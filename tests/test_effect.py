"""The effect of a change: whom it lets in and puts out, before it runs and without touching anything."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders import DAY, NOON, everything, insert, lead, message, product
from typer.testing import CliRunner

from nurture import emails, journeys, segments
from nurture.cli.main import app
from nurture.definitions.load import load_products
from nurture.effect import effects

BEFORE: dict[str, Any] = {
    "warm": {"clicked": True, "within": "30 days"},
    "makers": {"all": [{"industry": "manufacturing"}, {"segment": "warm"}]},
    "carriers": {"industry": "logistics"},
}


def people(conn: sa.Connection) -> None:
    for number in range(8):
        made = lead(conn, None, industry="manufacturing" if number % 2 else "logistics")
        if number < 6:
            day = (NOON - (10 if number < 3 else 40) * DAY).date()
            insert(conn, "signals", lead_id=made, day=day)
    conn.commit()


def told(conn: sa.Connection, after: dict[str, Any], **more: Any) -> list[tuple[Any, ...]]:
    return [each[1:] for each in effects(conn, product(segments=after, **more), NOON)]


def test_a_changed_segment_and_what_builds_on_it_say_who_enters_and_leaves(conn: sa.Connection):
    people(conn)
    segments.refresh(conn, product(segments=BEFORE), NOON)
    assert told(conn, BEFORE) == []
    wider = {**BEFORE, "warm": {"clicked": True, "within": "60 days"}}
    assert told(conn, wider) == [("warm", 3, 6, 3, 0), ("makers", 1, 3, 2, 0)]
    other = {**BEFORE, "carriers": {"industry": "manufacturing"}}
    assert told(conn, other) == [("carriers", 4, 4, 4, 4)]


def test_what_is_new_lets_everybody_in_and_what_is_removed_puts_everybody_out(conn: sa.Connection):
    people(conn)
    segments.refresh(conn, product(segments=BEFORE), NOON)
    renamed = {"warm": BEFORE["warm"], "makers": BEFORE["makers"], "shippers": BEFORE["carriers"]}
    assert told(conn, renamed) == [("shippers", 0, 4, 4, 0), ("carriers", 4, 0, 0, 4)]


def test_a_changed_target_counts_as_a_change_of_what_asks_for_it(conn: sa.Connection):
    people(conn)
    asked = {"fitting": {"industry": "target"}, "warm": BEFORE["warm"]}
    segments.refresh(conn, product(segments=asked), NOON)
    assert told(conn, asked, target={"industries": ["logistics"]}) == [("fitting", 8, 4, 0, 4)]


def test_only_the_change_of_words_counts_not_what_happened_since(conn: sa.Connection):
    people(conn)
    segments.refresh(conn, product(segments=BEFORE), NOON)
    conn.exec_driver_sql("update leads set industry = 'retail'")
    conn.commit()
    assert told(conn, BEFORE) == []


def test_a_product_that_never_ran_has_nothing_to_compare_with_and_nothing_is_touched(conn: sa.Connection):
    people(conn)
    before = everything(conn)
    assert told(conn, BEFORE) == []
    segments.refresh(conn, product(segments=BEFORE), NOON)
    before = everything(conn)
    told(conn, {"warm": {"opened": True}})
    assert everything(conn) == before


def test_the_command_tells_the_effect_of_what_is_not_committed_yet(
    conn: sa.Connection, dsn: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    copy = tmp_path / "include"
    shutil.copytree(root / "include", copy, ignore=shutil.ignore_patterns("nurture"))
    monkeypatch.setenv("NURTURE_INCLUDE", str(copy))
    monkeypatch.setenv("NURTURE_DSN", dsn)
    monkeypatch.delenv("NURTURE_HOME", raising=False)
    for number in range(5):
        lead(conn, None, department_function="it" if number < 2 else "general_affairs")
    conn.commit()
    for sample in load_products(copy).products.values():
        segments.refresh(conn, sample, NOON)
    file = copy / "products" / "cloud_backup" / "product.yaml"
    file.write_text(file.read_text("utf-8").replace("{department: [it, general_affairs]}", "{department: it}"), "utf-8")
    done = CliRunner().invoke(app, ["check"])
    assert done.stdout.splitlines()[1:] == ["cloud_backup learning: 0 leads enter, 3 leave (5 → 2)"]
    [effect] = json.loads(CliRunner().invoke(app, ["check", "--json"]).stdout)["effects"]
    assert (effect["segment"], effect["leave"]) == ("learning", 3)


def test_the_command_says_how_many_leads_a_change_mails_this_week_and_touches_nothing(
    conn: sa.Connection, dsn: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    copy = tmp_path / "include"
    shutil.copytree(root / "include", copy, ignore=shutil.ignore_patterns("nurture", "cloud_backup"))
    monkeypatch.setenv("NURTURE_INCLUDE", str(copy))
    monkeypatch.setenv("NURTURE_DSN", dsn)
    monkeypatch.delenv("NURTURE_HOME", raising=False)
    folder = copy / "products" / "shift_planner"
    for name in ("lost_proposals", "web_welcome"):
        (folder / "scenarios" / f"{name}.yaml").unlink()
    file = folder / "scenarios" / "hello.yaml"
    described = folder / "product.yaml"
    said, _, more = described.read_text("utf-8").partition("\nplan:\n")  # its mails would come with the days
    said = said.replace("calendar: japan_stores", "calendar: always") + "\nlimits:" + more.partition("\nlimits:")[2]
    described.write_text(said, "utf-8")

    def write(industries: str) -> None:
        file.write_text(
            f"scenario: hello\npurpose: new_deals\naudience: {{industry: [{industries}]}}\n"
            "journey:\n  - {email: fair_shifts, mail_type: know_how}\nin_flight: finish_old\n",
            "utf-8",
        )

    def weeks(what: str = "weeks") -> list[dict[str, Any]]:
        return json.loads(CliRunner().invoke(app, ["check", "--json"]).stdout)[what]

    for number in range(6):
        lead(conn, industry="medical" if number < 4 else "retail")
    conn.commit()
    write("medical")
    assert weeks() == []  # it never ran
    sample = load_products(copy)
    ran, calendar = sample.products["shift_planner"], sample.company.calendars
    segments.refresh(conn, ran, NOON)
    journeys.walk(conn, ran, calendar[ran.calendar], NOON)
    conn.exec_driver_sql("truncate enrollments, messages cascade")
    conn.commit()
    assert weeks() == []  # nothing has changed
    sent = emails.render(ran, "fair_shifts").hash()
    message(conn, lead(conn), product="shift_planner", email="fair_shifts", status="accepted")
    insert(conn, "contents", content_hash=sent)
    conn.exec_driver_sql("update send_requests set email = 'fair_shifts', content_hash = %s", (sent,))
    conn.commit()
    assert weeks("words") == []
    subject = folder / "emails" / "fair_shifts.subject"
    words = subject.read_text("utf-8")
    subject.write_text("公平なシフトの組み方", "utf-8")
    assert weeks("words") == [{"product": "shift_planner", "email": "fair_shifts", "mails": 4}]
    told = CliRunner().invoke(app, ["check"]).stdout.splitlines()[-1]
    assert told == "shift_planner fair_shifts: other words than were sent last, in 4 mails this week"
    subject.write_text(words, "utf-8")
    write("medical, retail")
    before = everything(conn)
    assert weeks() == [{"product": "shift_planner", "mailed": 6, "only_now": 2, "no_more": 0}]
    assert everything(conn) == before
    write("retail")
    told = CliRunner().invoke(app, ["check"]).stdout
    assert "shift_planner this week: 2 leads get a mail, 2 only by the change; 4 no longer" in told


def test_segments_show_says_size_change_and_a_sample_now_and_of_a_past_day(
    conn: sa.Connection, dsn: str, root: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in {
        "NURTURE_DSN": dsn, "NURTURE_INCLUDE": str(root / "include"), "SENDGRID_API_KEY": "k",
        "NURTURE_RECEIVER_URL": "https://receiver.example", "NURTURE_TOKEN_KEY": "k",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NURTURE_HOME", raising=False)
    sample = load_products(root / "include").products["cloud_backup"]
    first = lead(conn, None, department_function="it")
    conn.commit()
    segments.refresh(conn, sample, NOON)
    second = lead(conn, None, department_function="it")
    conn.exec_driver_sql("update leads set department_function = 'sales' where lead_id = %s", (first,))
    conn.commit()
    segments.refresh(conn, sample, NOON + DAY)

    def show(*more: str) -> dict[str, Any]:
        done = CliRunner().invoke(app, ["segments", "show", "cloud_backup", "learning", "--json", *more])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    now, then = show(), show("--as-of", "2026-11-16")
    assert [now[key] for key in ("size", "joined", "departed")] == [1, 1, 1]
    assert [each["lead_id"] for each in now["sample"]] == [second]
    assert [then[key] for key in ("size", "joined", "departed")] == [1, 1, 0]
    assert [each["lead_id"] for each in then["sample"]] == [first]
    for arguments in (["learning"], []):
        told = CliRunner().invoke(app, ["segments", "show", "cloud_backup", *arguments])
        assert told.exit_code == 0
        assert "+1 -1 in the run of 2026-11-17 12:00" in told.stdout
    unknown = CliRunner().invoke(app, ["segments", "show", "cloud_backup", "lerning"])
    assert "did you mean 'learning'?" in str(unknown.exception)
