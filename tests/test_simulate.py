"""Simulation: the product's own stages on twins, what they say, and that nothing is touched."""

import json
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders import LINKS, NOON, Provider, address_of, company, everything, insert, lead, product, rows, value
from simulated_world import TODAY, settle

from nurture import db, pipeline
from nurture.definitions.load import Loaded, load_products
from nurture.pipeline import Edges, Work
from nurture.simulate import simulate

GOLDEN = Path(__file__).parent / "golden" / "simulations"
FIRST = NOON.date()
WEEK = FIRST + timedelta(days=6)
WELCOME = {
    "scenario": "welcome",
    "journey": [
        {"email": "thanks", "mail_type": "know_how"},
        {"wait": "2 days", "name": "pause"},
        {"email": "case", "mail_type": "case_study"},
    ],
}


def loaded(*scenarios: dict[str, Any], frequency: int = 100, **changed: Any) -> Loaded:
    made = product(scenarios=scenarios or (WELCOME,), **{"schedule": "0 12 * * *", **changed})
    limits = company(frequency={"mails": frequency, "within": "7 days"})
    return Loaded(company=limits, products={"backup": made})


class Taking:
    """A provider and a CRM that take everything."""

    name = "hubspot"

    def send(self, body: dict[str, Any]) -> str:
        return Provider()(body)

    def push_contact(self, contact: dict[str, Any], known_crm_id: str | None) -> str:
        return uuid.uuid4().hex

    def push_note(self, crm_id: str, note: str, key: str, at: datetime) -> None:
        pass


def live(conn: sa.Connection, definitions: Loaded, first: date, last: date) -> None:
    """Run every product on each day at noon in Tokyo, and once more five minutes later, as the pulse does."""
    edges = Edges(Taking(), Taking(), LINKS, "", str, lambda _: None)  # pyright: ignore[reportArgumentType]
    day = first
    while day <= last:
        at = datetime(day.year, day.month, day.day, 3, tzinfo=UTC)
        for moment in (at, at + timedelta(minutes=5)):
            work = Work(conn, definitions, {}, edges, moment, moment, name="backup")
            for stage in ("segments", "journeys", "dispatch", "scoring", "handoff"):
                for name, task in pipeline.STAGES[stage].items():
                    if name != "settle":
                        task(work)
        day += timedelta(days=1)


@pytest.mark.parametrize("name", ["cloud_backup", "shift_planner"])
def test_a_sample_product_does_what_its_golden_simulation_says(conn: sa.Connection, name: str) -> None:
    settle(conn)
    played = simulate(conn, load_products(), name, TODAY, date(2026, 12, 8), alone=name == "shift_planner").in_force
    told = json.dumps(played.as_dict(), ensure_ascii=False, indent=1, default=str) + "\n"
    golden = GOLDEN / f"{name}.json"
    if not golden.exists():  # delete a golden file to have it written anew, and read the difference
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(told, "utf-8")
    assert told == golden.read_text("utf-8")


def test_a_simulation_touches_nothing_and_leaves_nothing(conn: sa.Connection) -> None:
    settle(conn, times=1)
    before = everything(conn)
    simulate(conn, load_products(), "cloud_backup", TODAY, TODAY, alone=True)
    assert value(conn, "select count(*) from pg_class where relnamespace = pg_my_temp_schema()") == 0
    assert everything(conn) == before
    assert rows(conn, "select segment from segment_members") == []


def test_a_simulation_says_what_the_stages_then_do(conn: sa.Connection) -> None:
    definitions = loaded(frequency=1, send_within="10 days")
    for _ in range(5):
        lead(conn)
    conn.commit()
    played = simulate(conn, definitions, "backup", FIRST, FIRST + timedelta(days=8)).in_force
    live(conn, definitions, FIRST, FIRST + timedelta(days=8))
    sent = rows(
        conn,
        "select (accepted_at at time zone 'Asia/Tokyo')::date, email, count(*) from messages where status = 'accepted'"
        " group by 1, 2 order by 1, 2",
    )
    assert [(row["day"], row["email"], row["mails"]) for row in played.mails] == sent
    assert [each[1:] for each in sent] == [("thanks", 5), ("case", 5)]
    assert [(row["reason"], row["mails"]) for row in played.held_back] == [("frequency cap", 5)]


def test_a_past_that_was_lived_is_played_again_as_it_was_lived(conn: sa.Connection) -> None:
    definitions = loaded()
    for _ in range(3):
        lead(conn)
    conn.commit()
    before = simulate(conn, definitions, "backup", FIRST, WEEK).in_force
    live(conn, definitions, FIRST, WEEK)
    for first in (FIRST, FIRST + timedelta(days=2)):
        again = simulate(conn, definitions, "backup", first, WEEK).in_force
        assert again.mails == [row for row in before.mails if row["day"] >= first]
        assert again.scenarios[0]["ended"] == before.scenarios[0]["ended"]


def test_the_days_until_the_first_are_played_and_not_told(conn: sa.Connection) -> None:
    lead(conn)
    conn.commit()
    played = simulate(conn, loaded(), "backup", FIRST + timedelta(days=1), WEEK, today=FIRST).in_force
    assert [row["email"] for row in played.mails] == ["case"]
    assert played.totals() == {"enrolled": 0, "mails": 1, "people": 1, "qualified": 0, "handed_off": 0}


def test_what_happens_later_is_not_known_earlier(conn: sa.Connection) -> None:
    refused = lead(conn)
    insert(
        conn, "opt_outs", lead_id=refused, address_id=address_of(conn, refused), occurred_at=NOON + timedelta(days=1)
    )
    conn.commit()
    played = simulate(conn, loaded(), "backup", FIRST, WEEK).in_force
    assert [row["email"] for row in played.mails] == ["thanks"]
    assert played.scenarios[0]["ended"] == {"opted_out": 1}


def test_who_did_something_is_scored_and_handed_over_on_that_day(conn: sa.Connection) -> None:
    warm = lead(conn)
    insert(conn, "signals", lead_id=warm, day=str(FIRST + timedelta(days=2)), subject="thanks")
    conn.commit()
    ready = loaded(qualification={"when": {"score": {"min": 5}}})
    played = simulate(conn, ready, "backup", FIRST, WEEK).in_force
    assert {str(day["day"]): (day["qualified"], day["handed_off"]) for day in played.days if day["qualified"]} == {
        str(FIRST + timedelta(days=2)): (1, 1)
    }
    assert played.scenarios[0]["ended"] == {"qualified": 1}


def test_a_changed_definition_is_compared_with_the_one_in_force(conn: sa.Connection) -> None:
    for number in range(4):
        lead(conn, industry="logistics" if number else "retail")
    conn.commit()
    fewer = {**WELCOME, "audience": {"industry": "logistics"}, "journey": WELCOME["journey"][:1]}
    changed = product(schedule="0 12 * * *", scenarios=[fewer])
    found = simulate(conn, loaded(), "backup", FIRST, WEEK, changed)
    assert found.difference() == {
        "totals": {"enrolled": -1, "mails": -5, "people": -1},
        "enrolled": {"welcome": -1},
        "mail_types": {"know_how": -1, "case_study": -4},
        "steps": {"thanks": -1, "case": -4},
        "held_back": {},
        "segments": {"welcome": -1},
        "people": {"mailed_only_before": 1, "mailed_only_after": 0},
    }
    assert found.changed is not None
    assert found.changed.scenarios[0]["ended"] == {"completed": 3}


def test_what_waits_for_a_yes_is_supposed_to_get_it(conn: sa.Connection) -> None:
    lead(conn)
    conn.commit()
    played = simulate(conn, loaded(approval="first_send"), "backup", FIRST, WEEK).in_force
    assert [row["email"] for row in played.mails] == ["thanks", "case"]
    assert played.held_back


def test_another_products_mails_count_unless_it_is_played_alone(conn: sa.Connection) -> None:
    lead(conn)
    conn.commit()
    definitions = loaded(frequency=1)
    sooner = product("planner", scenarios=[WELCOME], schedule="0 11 * * *", priority=1)
    both = replace(definitions, products={**definitions.products, "planner": sooner})
    capped = simulate(conn, both, "backup", FIRST, FIRST).in_force
    assert (capped.totals()["mails"], capped.held_back[0]["reason"]) == (0, "frequency cap")
    assert simulate(conn, both, "backup", FIRST, FIRST, alone=True).in_force.totals()["mails"] == 1


def test_nobody_waits_for_a_simulation(conn: sa.Connection, engine: sa.Engine) -> None:
    lead(conn)
    conn.commit()
    asked = []

    def meanwhile(day: date) -> None:
        with engine.connect() as other:
            for table in ("leads", "addresses", "messages", "enrollments", "segment_members"):
                other.exec_driver_sql(f"lock table {table} in exclusive mode nowait")
            asked.append(day)
            other.exec_driver_sql("update leads set name = '別人'")
            other.rollback()

    simulate(conn, loaded(), "backup", FIRST, FIRST + timedelta(days=1), report=meanwhile)
    assert len(asked) == 2


def test_every_table_that_stages_write_has_a_twin_or_is_only_read(conn: sa.Connection) -> None:
    from nurture.twins import ONLY_READ

    known = set(rows(conn, "select relname::text from pg_class where relnamespace = 'nurture'::regnamespace"))
    assert {(name,) for name in ONLY_READ} <= known
    written = " ".join(
        statement
        for stage in ("segments", "journeys", "plan", "dispatch", "scoring", "handoff", "versions")
        for statement in vars(db.statements(stage)).values()
    )
    for name in ONLY_READ:
        if name not in ("opportunities",):  # written by what asks the CRM, which no play does
            assert f"insert into {name} " not in written
            assert f"update {name}\n" not in written
