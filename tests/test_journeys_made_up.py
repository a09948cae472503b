"""Days that were not walked: on random journeys, one jump ends where a walk on every day does."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from builders import DAY, company, insert, product, rows

from nurture import journeys, segments

COMPANY = company()
DAYS = 18
PEOPLE = range(1_001, 1_013)
BEGINS = {  # over the year's end with its closure, and over a change of time
    "Asia/Tokyo": datetime(2026, 12, 22, 3, tzinfo=UTC),
    "Europe/Berlin": datetime(2026, 10, 19, 8, tzinfo=UTC),
    "America/New_York": datetime(2027, 3, 8, 15, tzinfo=UTC),
}
WAITS = [
    {"wait": "2 business days"}, {"wait": "1 days"}, {"wait": "30 hours"}, {"until": "monday"}, {"until": "10:00"},
    {"until": "02:30"}, {"wait": "1 business days", "until": "tuesday 10:00"},
]  # fmt: skip
ASKED: list[dict[str, Any]] = [
    {"clicked": "thanks"}, {"visited": "/pricing", "within": "4 days"}, {"none": [{"clicked": True}]}
]  # fmt: skip
TOLD = (
    "select lead_id, step, step_at, ended_at, ended_reason from enrollments where is_held_out order by lead_id"
)  # fmt: skip


def steps(rng: random.Random, names: Iterator[int], depth: int = 0) -> list[dict[str, Any]]:
    """Return random steps with ways within ways, but for the innermost."""
    made: list[dict[str, Any]] = []
    for _ in range(rng.randint(1, 3)):
        name = f"step_{next(names)}"
        kind = rng.choice(["wait", "wait", "email", "wait_for", "branch"][: 5 if depth < 2 else 3])
        if kind == "wait":
            made.append({**rng.choice(WAITS), "name": name})
        elif kind == "email":
            made.append({"email": "thanks", "mail_type": "know_how", "name": name})
        else:
            ways = {"then": steps(rng, names, depth + 1), "else": steps(rng, names, depth + 1)}
            asked, at_most = rng.choice(ASKED), rng.choice(["2 days", "3 business days", "40 hours"])
            own = {"wait_for": asked, "at_most": at_most, **ways}
            made.append({**(own if kind == "wait_for" else {"branch": {"if": asked, **ways}}), "name": name})
    return made


@pytest.mark.parametrize("zone", BEGINS)
def test_walking_day_by_day_is_walking_in_one_jump(conn: sa.Connection, zone: str):
    rng, start = random.Random(zone), BEGINS[zone]
    for number, lead_id in enumerate(PEOPLE, 1):
        insert(conn, "leads", lead_id=lead_id)
        insert(conn, "lead_addresses", lead_id=lead_id, address_id=number)
        for kind, subject in (("clicked", "thanks"), ("visited", "/pricing"), ("submitted", "quote_request")):
            if rng.random() < 0.5:
                day = (start + rng.randrange(DAYS * 2) * DAY).date()
                insert(conn, "signals", lead_id=lead_id, kind=kind, subject=subject, day=str(day))
    conn.commit()
    ways = {"then": steps(rng, count()), "else": [{"until": "monday", "name": "a_monday"}, *steps(rng, count(100))]}
    begin = {"wait_for": ASKED[0], "at_most": "3 business days", "name": "begin", **ways}
    journey = [begin, *steps(rng, count(200))]
    said = {"scenario": "follow_up", "journey": journey, "goal": {"submitted": True}, "holdout": "99%"}
    asked = product(scenarios=[said], timezone=zone, calendar="japan")
    segments.refresh(conn, asked, start)

    def walked(*days: int) -> list[tuple[Any, ...]]:
        conn.exec_driver_sql("truncate walks, enrollments, messages cascade")
        for day in days:
            journeys.walk(conn, asked, COMPANY.calendars[asked.calendar], start + day * DAY)
        return rows(conn, TOLD)

    by_day = walked(*range(DAYS))
    assert walked(0, 8, DAYS - 1) == by_day, journey
    assert len({(step, step_at) for _, step, step_at, *_ in by_day}) > 1
