"""References that are looked up by the statement: who is not there is refused, and who is there cannot be deleted."""

import pytest
import sqlalchemy as sa
from builders import insert, lead
from sqlalchemy.exc import DBAPIError, IntegrityError

from nurture import db

MEMBERS = """
insert into segment_members (product, segment, lead_id, definition_hash, joined_at)
select 'backup', 'everyone', ids.lead_id, %(definition_hash)s, now() from unnest(%(lead_ids)s) as ids (lead_id)
"""
SCORES = """
insert into scores (product, lead_id, scored_at, fit, engagement, definition_hash)
select 'backup', ids.lead_id, now(), 1, 1, %(definition_hash)s from unnest(%(lead_ids)s) as ids (lead_id)
"""
MESSAGES = """
insert into messages (
    product, occasion, step, lead_id, address_id, email, mail_type, definition_hash, reason, planned_at, first_due_at,
    due_at, expires_at
)
select
    'backup', 'plan/one', 'one', ids.lead_id, 404, 'guide', 'know_how', %(definition_hash)s, 'in everyone', now(),
    now(), now(), now()
from unnest(%(lead_ids)s) as ids (lead_id)
"""


def write(conn: sa.Connection, statement: str, *lead_ids: int, definition_hash: str = "known") -> None:
    with conn.begin_nested():
        conn.exec_driver_sql(statement, {"lead_ids": list(lead_ids), "definition_hash": definition_hash})


@pytest.fixture
def lead_id(conn: sa.Connection) -> int:
    insert(conn, "definitions", definition_hash="known", product="backup", part="segment", name="everyone", body="{}")
    return lead(conn)


@pytest.mark.parametrize("statement", [MEMBERS, SCORES])
def test_rows_of_a_lead_or_a_definition_that_is_not_there_are_refused_with_all_others(
    conn: sa.Connection, lead_id: int, statement: str
):
    write(conn, statement, lead_id)
    with pytest.raises(IntegrityError, match="there is no lead_id 404 in leads"):
        write(conn, statement.replace("'backup'", "'other'"), lead_id, 404)
    with pytest.raises(IntegrityError, match="there is no definition_hash unknown in definitions"):
        write(conn, statement.replace("'backup'", "'other'"), lead_id, definition_hash="unknown")
    table = statement.split()[2]
    assert conn.exec_driver_sql(f"select product from {table}").scalars().all() == ["backup"]


def test_a_message_to_a_mailbox_that_is_not_there_is_refused(conn: sa.Connection, lead_id: int):
    with pytest.raises(IntegrityError, match="there is no address_id 404 in addresses"):
        write(conn, MESSAGES, lead_id)


@pytest.mark.parametrize("table", ["leads", "addresses", "definitions"])
def test_what_is_referred_to_is_kept_for_ever(conn: sa.Connection, lead_id: int, table: str):
    with pytest.raises(DBAPIError, match=f"{table} are kept for ever"):
        conn.exec_driver_sql(f"delete from {table}")


def test_the_same_rows_of_known_leads_are_written(conn: sa.Connection, lead_id: int):
    write(conn, MEMBERS, lead_id, lead(conn))
    assert db.run(conn, db.statements("segments").count_members, product="backup", segment="everyone").scalar() == 2
