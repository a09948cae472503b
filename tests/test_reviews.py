"""Reviews: a person answers who is who, and what was merged can be undone for good."""

import pytest
import sqlalchemy as sa
from builders import DAY, NOON, insert, record, rows
from consolidating import MAIL, link, merged_pair, owner

from nurture import merges, reviews
from nurture.consolidate import consolidate


def question(conn: sa.Connection) -> tuple[int, int, int]:
    """Make two leads that may be one person's under two surnames; return the review and their ids, the older first."""
    one = record(conn, "1", email="hanako@lead.example", name="山田 花子")
    two = record(conn, "2", email="hanako@lead.example", name="佐藤 花子")
    consolidate(conn, NOON)
    [pair] = reviews.waiting(conn)
    assert (pair["a"]["lead_id"], pair["b"]["lead_id"]) == (owner(conn, one), owner(conn, two))
    assert pair["evidence"]["agreement"] == "renamed"
    return pair["review_id"], *sorted((owner(conn, one), owner(conn, two)))


def test_a_yes_merges_the_younger_into_the_older(conn: sa.Connection):
    review, older, younger = question(conn)
    assert reviews.answer(conn, review, "yes", "suzuki", NOON) == older
    assert rows(conn, "select merged_into from leads where lead_id = %(lead)s", lead=younger) == [(older,)]
    assert reviews.waiting(conn) == []
    with pytest.raises(LookupError):
        reviews.answer(conn, review, "no", "suzuki", NOON)


def test_a_no_holds_for_ever_and_a_not_sure_waits_no_longer(conn: sa.Connection):
    review, *_ = question(conn)
    assert reviews.answer(conn, review, "not_sure", "suzuki", NOON) is None
    assert reviews.waiting(conn) == []
    assert reviews.answer(conn, review, "no", "suzuki", NOON) is None
    record(conn, "3", email="hanako@lead.example", name="佐藤 花子", crm_id="1", occurred_at=NOON)
    record(conn, "4", email="hanako@lead.example", name="山田 花子", crm_id="1", occurred_at=NOON)
    assert consolidate(conn, NOON + DAY)["merged_leads"] == 0
    assert reviews.waiting(conn) == []


def test_n13_an_undone_merge_gives_two_leads_again_and_refusals_made_meanwhile_hold_for_both(conn: sa.Connection):
    older, younger = merged_pair(conn)
    link(conn)
    insert(conn, "opt_outs", lead_id=older, product="backup", mail_type="event")
    conn.exec_driver_sql("truncate score_marks")
    assert merges.undo(conn, younger, "suzuki", NOON + 2 * DAY) == (older, younger)
    assert rows(conn, "select lead_id, merged_into from leads order by lead_id") == [(older, None), (younger, None)]
    assert rows(conn, "select lead_id from opt_outs where mail_type = 'event' order by lead_id") == [
        (older,),
        (younger,),
    ]
    assert rows(conn, "select lead_id from score_marks order by lead_id") == [(older,), (younger,)]
    assert rows(conn, "select name, mobile from leads where lead_id = %(lead)s", lead=younger) == [
        ("山田 太郎", "+819012345678")
    ]
    assert merges.undo(conn, younger, "suzuki", NOON + 2 * DAY) is None


def test_what_was_unmerged_is_never_joined_or_proposed_again(conn: sa.Connection):
    older, younger = merged_pair(conn)
    link(conn)
    merges.undo(conn, older, "suzuki", NOON + 2 * DAY)
    record(conn, "d", email=MAIL, name="山田 太郎", mobile="+819012345678", occurred_at=NOON + 2 * DAY)
    assert consolidate(conn, NOON + 3 * DAY) == {"records": 1, "new_leads": 0, "merged_leads": 0}
    assert reviews.waiting(conn) == []
    assert rows(conn, "select count(*) from leads where merged_into is null") == [(2,)]
    assert younger != older


def test_a_chain_keeps_its_earlier_merge_when_the_newest_is_undone(conn: sa.Connection):
    first, second, third = (insert(conn, "leads", lead_id=at).lead_id for at in (101, 102, 103))
    for survivor, merged in ((second, third), (first, second)):
        assert merges.merge(conn, survivor, merged, "", NOON) == 1
    assert merges.undo(conn, first, "suzuki", NOON) == (first, second)
    assert rows(conn, "select lead_id, merged_into from leads order by lead_id") == [
        (first, None),
        (second, None),
        (third, second),
    ]
