"""Who is who does not depend on the order in which records came, and what a shared key joined is parted again."""

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from builders import DAY, NOON, everything, message, record, rows, value
from consolidating import others, owner

from nurture import db
from nurture.consolidate import consolidate
from nurture.definitions.load import load_sources
from nurture.demo.files import write_files
from nurture.sources import land_inbox
from nurture.stack.postgres import Postgres

AS_OF = datetime(2026, 12, 31, tzinfo=UTC)
MOBILE = "+819012345678"


def joined_by_a_number(conn: sa.Connection) -> tuple[int, int]:
    """Make one lead of two records that nothing but a mobile number joins; then give the number to two others."""
    first = record(conn, "a", email="t.tanaka@one.example", name="田中 太郎", mobile=MOBILE)
    second = record(conn, "b", email="tanaka@two.example", name="田中 太郎", mobile=MOBILE)
    consolidate(conn, NOON)
    assert owner(conn, first) == owner(conn, second)
    return first, second


def others_come(conn: sa.Connection) -> None:
    for key, name in (("c", "佐藤 花子"), ("d", "鈴木 一郎")):
        record(conn, key, name=name, mobile=MOBILE, occurred_at=NOON)
    consolidate(conn, NOON + DAY)


def test_a_lead_that_a_shared_number_made_is_parted_and_its_id_stays_with_the_oldest(conn: sa.Connection) -> None:
    first, second = joined_by_a_number(conn)
    lead = owner(conn, first)
    others_come(conn)
    assert owner(conn, first) == lead != owner(conn, second)
    assert rows(conn, "select lead_id, parted_id, as_of from splits") == [(lead, owner(conn, second), NOON + DAY)]
    assert MOBILE in value(conn, "select reason from splits")
    assert rows(conn, "select is_active from match_edges") == [(False,)]
    found = "select lead_id, address from lead_addresses join addresses using (address_id) order by lead_id"
    assert rows(conn, found) == [(lead, "t.tanaka@one.example"), (owner(conn, second), "tanaka@two.example")]
    assert value(conn, "select lead_id from identities where value = 'tanaka@two.example'") == owner(conn, second)


def test_the_id_stays_with_most_of_the_records(conn: sa.Connection) -> None:
    first, second = joined_by_a_number(conn)
    third = record(conn, "e", email="tanaka@two.example", name="田中 太郎", occurred_at=NOON)
    consolidate(conn, NOON)
    lead = owner(conn, first)
    others_come(conn)
    assert owner(conn, second) == owner(conn, third) == lead != owner(conn, first)


def test_no_fact_moves_when_a_lead_is_parted(conn: sa.Connection) -> None:
    did = {"event": {"type": "submitted", "subject": "quote_request", "product": "backup"}}
    refused = {"opt_out": {"evidence": "配信拒否"}}
    first = record(conn, "a", email="t.tanaka@one.example", name="田中 太郎", mobile=MOBILE)
    record(conn, "e", email="t.tanaka@one.example", name="田中 太郎", mobile=MOBILE)
    second = record(conn, "b", email="tanaka@two.example", name="田中 太郎", mobile=MOBILE, facts=did | refused)
    consolidate(conn, NOON)
    lead = owner(conn, first)
    assert owner(conn, second) == lead
    sent, events = message(conn, lead, status="accepted"), rows(conn, "table raw_events")
    others_come(conn)
    assert owner(conn, first) == lead != owner(conn, second)
    assert value(conn, "select lead_id from messages where message_id = %(sent)s", sent=sent) == lead
    assert rows(conn, "table raw_events") == events
    refusals = "select lead_id from opt_outs where ended_at is null order by lead_id"
    assert rows(conn, refusals) == [(lead,), (owner(conn, second),)]


def test_what_something_else_joins_stays_one(conn: sa.Connection) -> None:
    first = record(conn, "a", email="t.tanaka@one.example", name="田中 太郎", mobile=MOBILE)
    second = record(conn, "b", email="t.tanaka@one.example", name="田中 太郎", mobile=MOBILE)
    consolidate(conn, NOON)
    others_come(conn)
    assert owner(conn, first) == owner(conn, second)
    assert rows(conn, "table splits") == []


def test_a_name_that_becomes_readable_is_judged_again(conn: sa.Connection) -> None:
    others(conn)
    kanji = record(conn, "a", name="中村 寿々乃", company="見本")
    latin = record(conn, "b", name="Suzuno Nakamura", email="s.nakamura@mihon.example", company="見本")
    consolidate(conn, NOON)
    assert owner(conn, kanji) != owner(conn, latin)
    record(conn, "c", name="中村 寿々乃", kana="ナカムラ スズノ", company="別の会社", occurred_at=NOON)
    consolidate(conn, NOON + DAY)
    assert owner(conn, kanji) == owner(conn, latin)


def test_what_likeness_joined_gives_way_to_a_key(conn: sa.Connection) -> None:
    crm = record(conn, "a", name="Hitomi Kawai", company="見本商事")
    without_a_space = record(conn, "b", name="川井愛美", email="hitomi.kawai@mihon.example", company="見本商事")
    consolidate(conn, NOON)
    assert owner(conn, crm) == owner(conn, without_a_space)
    for key in ("x", "y"):
        record(conn, key, name="川井 愛美", kana="カワイ マナミ", company="別の会社", occurred_at=NOON)
    written = record(conn, "c", name="川井 愛美", email="hitomi.kawai@mihon.example", occurred_at=NOON)
    consolidate(conn, NOON + DAY)
    assert owner(conn, written) == owner(conn, without_a_space)


def test_a_shuffled_order_of_arrival_gives_the_same_people_and_an_idle_run_changes_nothing(
    postgres: Postgres, tmp_path: Path
) -> None:
    write_files(tmp_path, 700, 5, date(2026, 11, 20))
    at_once, shuffled = _pairs(postgres, tmp_path, 1), _pairs(postgres, tmp_path, 10)
    assert len(at_once & shuffled) >= 0.999 * len(at_once | shuffled)


def _pairs(postgres: Postgres, folder: Path, batches: int) -> set[tuple[str, str]]:
    """Return the pairs of records that are one person's after so many batches in an order of chance."""
    dsn = postgres.create_database(f"in_{batches}_batches", template="template_nurture")
    engine = db.engine(dsn)
    with engine.connect() as conn:
        land_inbox(conn, load_sources(), str(folder), AS_OF)
        records = [each for (each,) in rows(conn, "select record_id from source_records order by record_id")]
        if batches > 1:
            random.Random(1).shuffle(records)
        order = [(each, AS_OF - timedelta(seconds=len(records) - at)) for at, each in enumerate(records)]
        conn.exec_driver_sql("create temporary table arrivals (record_id bigint primary key, at timestamptz)")
        db.insert_values(conn, db.Statement("insert into arrivals values %(values)s"), order)
        conn.exec_driver_sql(
            "update source_records set occurred_at = arrivals.at from arrivals"
            " where arrivals.record_id = source_records.record_id"
        )
        for number in range(1, batches + 1):
            consolidate(conn, order[len(order) * number // batches - 1][1])
        before = everything(conn)
        consolidate(conn, AS_OF)
        assert everything(conn) == before
        found: dict[int, list[str]] = {}
        now = "select current_lead_id, source || source_key from source_records join lead_now using (lead_id)"
        for lead_id, key in rows(conn, now):
            found.setdefault(lead_id, []).append(key)
    engine.dispose()
    postgres.drop_database(f"in_{batches}_batches")
    return {(a, b) for keys in found.values() for a in keys for b in keys if a < b}
