"""Reviews: a person answers who is who, and what was merged can be undone for good."""

import uuid

import pytest
import sqlalchemy as sa
from builders import DAY, NOON, insert, record, rows
from consolidating import MAIL, OTHER, link, merged_pair, owner

from nurture import db, merges, reviews
from nurture.consolidate import ENOUGH_ANSWERS, consolidate


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
        assert merges.merge(conn, [(survivor, merged, "")], NOON) == 1
    assert merges.undo(conn, first, "suzuki", NOON) == (first, second)
    assert rows(conn, "select lead_id, merged_into from leads order by lead_id") == [
        (first, None),
        (second, None),
        (third, second),
    ]


def test_what_was_unmerged_stays_apart_whatever_joins_either_side(conn: sa.Connection):
    older, younger = merged_pair(conn)
    link(conn)
    merges.undo(conn, older, "suzuki", NOON + 2 * DAY)
    for day, told in enumerate(
        (
            {"email": MAIL, "company": "見本商事", "crm_id": "1"},
            {"email": OTHER, "company": "見本商事", "crm_id": "1", "mobile": "+819012345678"},
            {"email": MAIL, "mobile": "+819012345678"},
        ),
        start=2,
    ):
        record(conn, f"later{day}", name="山田 太郎", occurred_at=NOON + day * DAY, **told)
        assert consolidate(conn, NOON + (day + 1) * DAY)["merged_leads"] == 0
    assert reviews.waiting(conn) == []
    assert rows(conn, "select lead_id from leads where merged_into is null and lead_id in (%(a)s, %(b)s) order by 1",
                a=older, b=younger) == [(older,), (younger,)]  # fmt: skip


def test_a_crm_id_given_to_somebody_else_is_asked_about_and_a_new_surname_is_not(conn: sa.Connection):
    before = record(conn, "1", name="山田 花子", email="a@lead.example", crm_id="hubspot/1001")
    married = record(conn, "2", name="佐藤 花子", email="b@lead.example", crm_id="hubspot/1001")
    after = record(conn, "3", name="鈴木 一郎", email="c@lead.example", crm_id="hubspot/1001")
    elsewhere = record(conn, "4", name="高橋 次郎", email="d@lead.example", crm_id="salesforce/1001")
    consolidate(conn, NOON)
    assert owner(conn, before) == owner(conn, married)
    assert len({owner(conn, each) for each in (before, after, elsewhere)}) == 3
    [pair] = reviews.waiting(conn)
    assert pair["evidence"]["rule"] == "crm_id"


def test_the_best_questions_of_all_batches_wait_and_an_answer_makes_room(conn: sa.Connection):
    for day, (one, other) in enumerate((("山田 花子", "佐藤 花子"), ("鈴木 一郎", "田中 一郎")), start=1):
        given = {"mobile": "+819000000009"} if day == 2 else {}
        for name in (one, other):
            at = NOON + (day - 1) * DAY
            record(conn, f"{day}{name}", email=f"of{day}@lead.example", name=name, occurred_at=at, **given)
        consolidate(conn, NOON + day * DAY)
    [first] = reviews.waiting(conn)
    reviews.answer(conn, first["review_id"], "no", "suzuki", NOON)
    touched = ["of1@lead.example", "of2@lead.example"]
    for email, name in zip(touched, ("山田 花子", "鈴木 一郎"), strict=True):
        record(conn, f"again {email}", email=email, name=name, occurred_at=NOON + 2 * DAY)
    consolidate(conn, NOON + 3 * DAY)
    [second] = reviews.waiting(conn)
    assert second["review_id"] != first["review_id"]


def answered(conn: sa.Connection, kind: str, **answers: int) -> None:
    """Keep so many answers about one kind of evidence."""
    for answer, number in answers.items():
        for _ in range(number):
            one, other = sorted(record(conn, uuid.uuid4().hex, name="山田 太郎") for _ in range(2))
            insert(
                conn, "match_reviews", record_a=one, record_b=other, evidence={"rule": kind}, answer=answer,
                answered_by="suzuki", answered_at=NOON,
            )  # fmt: skip


def test_answers_are_counted_by_kind_and_few_prove_little(conn: sa.Connection):
    answered(conn, "renamed", yes=4)
    answered(conn, "mailbox", yes=60, no=1)
    found = {row["kind"]: row for row in reviews.labels(conn)}
    assert (found["renamed"]["yes_count"], found["renamed"]["least_share"]) == (4, 0.51)
    assert found["mailbox"]["least_share"] == 0.913


def test_a_kind_of_evidence_that_was_a_no_every_time_is_not_asked_about_again(conn: sa.Connection):
    sql = db.statements("matching")
    for kind, answers in (("vain", {"no": 30}), ("too few", {"no": 29}), ("mixed", {"no": 40, "yes": 1})):
        answered(conn, kind, **answers)
        one, other = sorted(record(conn, uuid.uuid4().hex, name="山田 太郎") for _ in range(2))
        insert(conn, "match_reviews", record_a=one, record_b=other, evidence={"rule": kind})
    conn.exec_driver_sql("insert into name_parts values ('all', '', 100000)")
    db.run(conn, sql.trim_reviews, per_1000=8, enough=ENOUGH_ANSWERS)
    waiting = rows(conn, "select evidence ->> 'rule' from match_reviews where answer is null order by 1")
    assert waiting == [("mixed",), ("too few",)]
