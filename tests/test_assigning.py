"""A large batch is written piece by piece: the outcome is that of one transaction, and a stop loses only a piece."""

from typing import Any

import pytest
import sqlalchemy as sa
from builders import NOON, record, rows, value
from consolidating import CARD

from nurture import assigning, merges
from nurture.consolidate import consolidate
from nurture.problem import Problem

WORLD = (
    "select source_key, lead_id, account_key from source_records left join accounts using (account_id) order by 1",
    "select lead_id, address, is_shared, is_primary, first_seen_at, last_seen_at"
    " from lead_addresses join addresses using (address_id) order by 1, 2",
    "select lead_id, account_key, leads.name, company, first_source, first_seen_at"
    " from leads left join accounts using (account_id) order by 1",
    "select lead_id, version, attributes, provenance from lead_versions order by 1, 2",
    "select lead_id, address, basis, record_id from consents join addresses using (address_id) order by 1, 2, 3, 4",
    "select lead_id, address, product, mail_type, opt_outs.evidence"
    " from opt_outs join addresses using (address_id) order by 1, 2, 3, 4",
    "select account_key, name, domain, merged_into from accounts order by account_key",
    "select kind, value, name_key, lead_id, is_shared from identities order by 1, 2, 3, 4",
    "select payload ->> 'lead_id', payload ->> 'record_id', payload ->> 'form' from raw_events order by 2",
    "select lead_id, product from score_marks order by 1, 2",
)


@pytest.fixture
def in_portions_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assigning, "PORTION", 2)


def land(conn: sa.Connection) -> None:
    """Seven records of five people, two of one mailbox, one of a refusal."""
    refused = {"opt_out": {"product": "*", "mail_type": "*", "evidence": "配信拒否"}}
    event = {"event": {"kind": "submitted", "form": "whitepaper"}}
    people: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("山田 太郎", "yamada@lead.example", CARD), ("山田 太郎", "yamada@lead.example", event),
        ("佐藤 花子", "sato@lead.example", CARD), ("鈴木 一郎", "info-desk@lead.example", CARD),
        ("高橋 次郎", "info-desk@lead.example", refused), ("田中 三郎", "tanaka@other.example", {}),
        ("佐藤 花子", "sato@lead.example", {}),
    )  # fmt: skip
    for number, (name, email, facts) in enumerate(people):
        domain = email.partition("@")[2]
        record(conn, str(number), name=name, email=email, company=domain, facts=facts)
    conn.commit()


def world(conn: sa.Connection) -> list[Any]:
    return [rows(conn, query) for query in WORLD]


def start_again(conn: sa.Connection) -> None:
    conn.exec_driver_sql(
        "truncate landings, leads, addresses, accounts, match_keys, account_evidence, name_parts, name_readings,"
        " raw_events, score_marks restart identity cascade"
    )


@pytest.mark.parametrize("stops", range(9))
def test_stopped_after_any_piece_the_next_call_ends_what_was_decided(
    conn: sa.Connection, monkeypatch: pytest.MonkeyPatch, stops: int
) -> None:
    land(conn)
    consolidate(conn, NOON)
    whole = world(conn)
    start_again(conn)
    land(conn)
    monkeypatch.setattr(assigning, "PORTION", 3)
    written = 0

    def stop(step: str, done: int, _: int) -> None:
        nonlocal written
        written += step in {name for name, *_ in assigning.STEPS} and done > 0
        if written > stops:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consolidate(conn, NOON, progress=stop)
    conn.rollback()
    assert consolidate(conn, NOON)["new_leads"] == 0
    assert world(conn) == whole
    assert value(conn, "select count(*) from pieces") == value(conn, "select count(*) from decided") == 0
    assert consolidate(conn, NOON) == {"records": 0, "new_leads": 0, "merged_leads": 0}


@pytest.mark.usefixtures("in_portions_of_two")
def test_while_a_decision_is_half_written_nothing_is_undone(conn: sa.Connection) -> None:
    land(conn)

    def stop(step: str, _: int, __: int) -> None:
        if step == assigning.STEPS[0][0]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consolidate(conn, NOON, progress=stop)
    conn.rollback()
    with pytest.raises(Problem, match="was stopped on its way"):
        merges.undo(conn, 1, "sato", NOON)
    conn.rollback()
    consolidate(conn, NOON)
    assert merges.undo(conn, 1, "sato", NOON) is None


@pytest.mark.usefixtures("in_portions_of_two")
def test_progress_says_which_step_and_how_many_of_how_many(conn: sa.Connection) -> None:
    land(conn)
    told: list[tuple[str, int, int]] = []
    consolidate(conn, NOON, progress=lambda *said: told.append(said))
    steps = list(dict.fromkeys(step for step, *_ in told))
    assert steps == ["records are read", "people are decided", *(name for name, *_ in assigning.STEPS)]
    assert all(done <= total == 7 for _, done, total in told)
    assert {step for step, done, total in told if done == total} >= {name for name, *_ in assigning.STEPS}
