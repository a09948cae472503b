"""Segments, incrementally: looking only at who changed ends where looking at everybody ends, whatever happened."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from builders import DAY, HASH, NOON, insert, lead, product, rows, value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nurture import db, segments
from nurture.stack.postgres import Postgres

ASKED = product(
    segments={
        "shippers": {"all": [{"industry": "logistics"}], "none": [{"lifecycle": "customer"}]},
        "warm": {"clicked": True, "within": "3 days"},
        "eager": {"visited": "/pricing*", "within": "5 days", "times": 2},
        "silent": {"opened": True, "times": "never"},
        "badges": {"source": "badges"},
        "agreed": {"consent": "business_card"},
        "hot": {"score": {"min": 10}},
        "colleagues": {"account": {"lifecycle": ["opportunity", "customer"]}},
        "chosen": {"any": [{"segment": "warm"}, {"segment": "hot"}], "none": [{"segment": "colleagues"}]},
    },
    scenarios=[{"scenario": "follow_up", "audience": {"all": [{"segment": "chosen"}, {"target": True}]}}],
)
FULL = "select is_full from segment_refreshes where segment = 'warm' order by as_of"


def members(conn: sa.Connection) -> set[tuple[Any, ...]]:
    return set(rows(conn, "select segment, lead_id from segment_members where left_at is null"))


# What may happen to one of eight people between two refreshes; days are counted from the refresh before.

PEOPLE = 8
one = st.integers(1, PEOPLE)
EVENTS = st.one_of(
    st.tuples(st.just("signal"), one, st.sampled_from(["clicked", "visited", "opened"]), st.integers(-3, 2)),
    st.tuples(st.just("no_signal"), one),
    st.tuples(st.just("industry"), one, st.sampled_from(["logistics", "retail"])),
    st.tuples(st.just("record"), one, st.integers(-1, 2)),
    st.tuples(st.just("consent"), one, st.integers(-1, 2)),
    st.tuples(st.just("score"), one, st.integers(0, 20), st.integers(-1, 1)),
    st.tuples(st.just("deal"), one, st.booleans()),
    st.tuples(st.just("employer"), one, st.integers(1, 3)),
    st.tuples(st.just("merge"), one, one),
    st.tuples(st.just("undo"), one),
)
DAYS = st.lists(st.tuples(st.lists(EVENTS, max_size=4), st.integers(1, 3)), min_size=1, max_size=4)


def happen(conn: sa.Connection, event: tuple[Any, ...], at: Any, number: int) -> None:
    what, who, *more = event
    match what:
        case "signal":
            day = (at + timedelta(days=more[1])).date()
            conn.exec_driver_sql(
                "insert into signals (lead_id, product, day, kind, subject, count) values (%s, 'backup', %s, %s, %s, 1)"
                " on conflict on constraint signals_pkey do update set count = signals.count + 1",
                (who, day, more[0], "/pricing/list" if more[0] == "visited" else "thanks"),
            )
        case "no_signal":
            conn.exec_driver_sql("delete from signals where lead_id = %s", (who,))
        case "industry":
            conn.exec_driver_sql("update leads set industry = %s where lead_id = %s", (more[0], who))
        case "record":
            insert(
                conn, "source_records", source="badges", source_key=str(number), lead_id=who,
                occurred_at=at + more[0] * DAY,
            )  # fmt: skip
            conn.exec_driver_sql("update leads set company = company where lead_id = %s", (who,))  # as consolidate does
        case "consent":
            if not value(conn, "select count(*) from consents where lead_id = %(who)s", who=who):
                insert(conn, "consents", lead_id=who, record_id=None, occurred_at=at + more[0] * DAY)
        case "score":
            conn.exec_driver_sql(
                "insert into scores (product, lead_id, scored_at, fit, engagement, definition_hash)"
                " values ('backup', %s, %s, 0, %s, %s) on conflict (product, lead_id, scored_at)"
                " do update set engagement = excluded.engagement",
                (who, at + more[1] * DAY, more[0], HASH),
            )
        case "deal":
            conn.exec_driver_sql("delete from opportunities where lead_id = %s", (who,))
            insert(conn, "opportunities", lead_id=who, crm_opportunity_id=f"d{number}", won_at=at if more[0] else None)
        case "employer":
            conn.exec_driver_sql("update leads set account_id = %s where lead_id = %s", (more[0], who))
        case "merge":
            unmerged = "select count(*) from leads where lead_id in (%(a)s, %(b)s) and merged_into is null"
            if who != more[0] and value(conn, unmerged, a=who, b=more[0]) == 2:
                conn.exec_driver_sql("update leads set merged_into = %s where merged_into = %s", (more[0], who))
                conn.exec_driver_sql("update leads set merged_into = %s where lead_id = %s", (more[0], who))
        case "undo":
            conn.exec_driver_sql("update leads set merged_into = null where lead_id = %s", (who,))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=DAYS)
def test_a_refresh_of_who_changed_ends_where_one_of_everybody_does(postgres: Postgres, days: list[Any]):
    dsn = postgres.create_database("test_incremental", template="template_nurture")
    engine = db.engine(dsn)
    try:
        with engine.connect() as conn:
            play(conn, days)
    finally:
        engine.dispose()
        postgres.drop_database("test_incremental")


def play(conn: sa.Connection, days: list[Any]) -> None:
    insert(conn, "definitions", definition_hash=HASH)
    accounts = [insert(conn, "accounts", account_key=f"company:{number}").account_id for number in range(3)]
    people = [lead(conn, None, industry="logistics", employees=80, account_id=accounts[n % 3]) for n in range(PEOPLE)]
    for _ in range(60):  # so many that a few changes are a part worth looking at alone
        lead(conn, None)
    assert people == list(range(1, PEOPLE + 1))
    conn.commit()
    at = NOON
    segments.refresh(conn, ASKED, at)
    number = 0
    for events, passed in days:
        for event in events:
            number += 1
            happen(conn, event, at, number)
        conn.commit()
        at += passed * DAY
        segments.refresh(conn, ASKED, at)
        assert rows(conn, FULL)[-1] == (False,)
        found = members(conn)
        again = segments.refresh(conn, ASKED, at, everybody=True)
        assert (again["joined"], again["departed"], members(conn)) == (0, 0, found)


def changed_by_five(conn: sa.Connection) -> list[int]:
    people = [lead(conn, None) for _ in range(40)]
    insert(conn, "signals", lead_id=people[0])
    conn.commit()
    return people


def full(conn: sa.Connection) -> list[bool]:
    return [is_full for (is_full,) in rows(conn, FULL)]


def test_the_first_refresh_and_one_of_a_changed_condition_look_at_everybody(conn: sa.Connection):
    changed_by_five(conn)
    warm = product(segments={"warm": {"clicked": True, "within": "30 days"}})
    for day, asked in enumerate([warm, warm, product(segments={"warm": {"clicked": True}}), warm, warm]):
        segments.refresh(conn, asked, NOON + day * DAY)
    assert full(conn) == [True, False, True, True, False]


def test_a_changed_target_is_a_changed_condition(conn: sa.Connection):
    people = changed_by_five(conn)
    conn.exec_driver_sql("update leads set industry = 'retail' where lead_id = %s", (people[3],))
    conn.commit()
    asked = {"segments": {"warm": {"industry": "target"}}}
    segments.refresh(conn, product(**asked), NOON)
    assert members(conn) == set()
    segments.refresh(conn, product(**asked, target={"industries": ["retail"]}), NOON + DAY)
    assert (members(conn), full(conn)) == ({("warm", people[3])}, [True, True])


def test_when_too_many_changed_everybody_is_looked_at(conn: sa.Connection):
    people = changed_by_five(conn)
    warm = product(segments={"warm": {"clicked": True}})
    segments.refresh(conn, warm, NOON)
    for each in people[:20]:
        insert(conn, "signals", lead_id=each, subject="case")
    conn.commit()
    assert segments.refresh(conn, warm, NOON + DAY)["joined"] == 19
    assert full(conn) == [True, True]


def test_a_change_that_was_not_committed_yet_is_seen_by_the_next_refresh(conn: sa.Connection, engine: sa.Engine):
    people = changed_by_five(conn)
    warm = product(segments={"warm": {"clicked": True}})
    segments.refresh(conn, warm, NOON)
    with engine.connect() as slow:
        insert(slow, "signals", lead_id=people[5])
        insert(conn, "signals", lead_id=people[6])
        conn.commit()
        segments.refresh(conn, warm, NOON + DAY)
        assert ("warm", people[5]) not in members(conn)
        slow.commit()
    segments.refresh(conn, warm, NOON + 2 * DAY)
    assert ("warm", people[5]) in members(conn)
    assert full(conn) == [True, False, False]


def test_a_refresh_of_an_earlier_moment_or_by_another_cluster_is_nothing_to_build_on(conn: sa.Connection):
    changed_by_five(conn)
    warm = product(segments={"warm": {"clicked": True}})
    segments.refresh(conn, warm, NOON + DAY)
    segments.refresh(conn, warm, NOON)
    segments.refresh(conn, warm, NOON + 2 * DAY)
    assert full(conn) == [True, True, True]
    conn.exec_driver_sql("update segment_refreshes set cluster = 7")
    segments.refresh(conn, warm, NOON + 3 * DAY)
    assert full(conn)[-1]


@pytest.mark.parametrize(("days", "kept"), [(7, 1), (9, 0)])
def test_changes_are_forgotten_when_no_refresh_builds_on_so_old_a_one(conn: sa.Connection, days: int, kept: int):
    lead(conn, None)
    conn.exec_driver_sql("update lead_changes set recorded_at = now() - make_interval(days => %s)", (days,))
    segments.refresh(conn, product(), NOON)
    assert value(conn, "select count(*) from lead_changes") == kept
