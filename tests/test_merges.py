"""Merges: undone at once, a merge has never been; undone later, it is as if it had never been but for refusals."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from builders import DAY, NOON, everything, insert, message, record, rows, value
from consolidating import CARD, empty, owner
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nurture import merges, reviews
from nurture.consolidate import consolidate

FEW = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
PERSON = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["山田 太郎", "佐藤 花子", "鈴木 一郎"]),
        "email": st.sampled_from([None, "a@lead.example", "b@lead.example", "c@other.example"]),
        "mobile": st.sampled_from([None, "+819000000001", "+819000000002"]),
        "company": st.sampled_from([None, "見本商事", "青空物流"]),
        "title": st.sampled_from([None, "課長", "部長"]),
        "industry": st.sampled_from([None, "manufacturing", "logistics"]),
        "precedence": st.integers(1, 3),
        "facts": st.sampled_from([None, CARD, {"opt_out": {"evidence": "配信拒否"}}]),
    }
)
KEYS = {
    "山田 太郎": ("a@lead.example", "+819000000001"), "佐藤 花子": ("b@lead.example", "+819000000002"),
    "鈴木 一郎": ("c@other.example", "+819000000003"),
}  # fmt: skip
# Nobody's mailbox or number is another's: whether one is several people's is judged by who they were when it came.
WITH_OWN_KEYS = PERSON.map(
    lambda person: {
        **person,
        "email": person["email"] and KEYS[person["name"]][0],
        "mobile": person["mobile"] and KEYS[person["name"]][1],
    }
)
DID = st.lists(st.sampled_from(["enrolled", "joined", "qualified", "planned", "refused", "rescored"]), unique=True)


def land(conn: sa.Connection, people: Iterable[dict[str, Any]], day: int) -> list[int]:
    at = NOON + (day - 1) * DAY
    made = [record(conn, f"{day}/{number}", occurred_at=at, **person) for number, person in enumerate(people)]
    consolidate(conn, NOON + day * DAY)
    return made


def live(conn: sa.Connection, lead: int, did: Iterable[str]) -> None:
    """Let a lead have done things, so that a merge has something to end."""
    for what in did:
        if what == "enrolled":
            insert(conn, "enrollments", lead_id=lead, enrolled_at=NOON)
        elif what == "joined":
            insert(conn, "segment_members", lead_id=lead)
        elif what == "qualified":
            insert(conn, "qualifications", lead_id=lead)
        elif what == "refused":
            insert(conn, "opt_outs", lead_id=lead, product="backup", mail_type="event")
        elif what == "rescored":
            conn.exec_driver_sql("truncate score_marks")
        elif rows(conn, "select from lead_addresses where lead_id = %(lead)s and is_primary", lead=lead):
            message(conn, lead, occasion=f"plan/of {lead}")
    conn.commit()


def join(conn: sa.Connection, one: int, other: int) -> int:
    """Merge the people of two records by a person's yes; return the survivor."""
    conn.exec_driver_sql(
        "insert into match_reviews (record_a, record_b, evidence) values (%(a)s, %(b)s, '{}') on conflict do nothing",
        {"a": min(one, other), "b": max(one, other)},
    )
    asked = "select review_id from match_reviews where record_a = %(a)s and record_b = %(b)s"
    review = value(conn, asked, a=min(one, other), b=max(one, other))
    survivor = reviews.answer(conn, review, "yes", "suzuki", NOON + DAY)
    conn.commit()
    assert survivor is not None
    return survivor


def compared(conn: sa.Connection) -> dict[str, list[str]]:
    """Return every table but the merge's own record, the word that parts the two, and the edges."""
    return {
        table: found for table, found in everything(conn).items()
        if table not in ("merges", "match_reviews", "match_edges")
    }  # fmt: skip


@FEW
@given(people=st.lists(PERSON, min_size=2, max_size=5), did=st.tuples(DID, DID))
def test_a_merge_undone_at_once_leaves_every_table_as_it_was(
    conn: sa.Connection, people: list[dict[str, Any]], did: tuple[list[str], list[str]]
):
    empty(conn)
    records = land(conn, people, 1)
    one, other = records[0], next((each for each in records if owner(conn, each) != owner(conn, records[0])), None)
    assume(other is not None)
    assert other is not None
    live(conn, owner(conn, one), did[0])
    live(conn, owner(conn, other), did[1])
    before = compared(conn)
    survivor = join(conn, one, other)
    assert compared(conn) != before
    assert merges.undo(conn, survivor, "suzuki", NOON + DAY) is not None
    conn.commit()
    assert compared(conn) == before


WORLD = """
    select array(
            select source_key from source_records join lead_now using (lead_id)
            where current_lead_id = leads.lead_id order by 1
        ),
        name, company, title, industry, employees, mobile, first_source, first_seen_at,
        (select account_key from accounts where accounts.account_id = leads.account_id),
        (select array_agg((address, is_primary, first_seen_at, last_seen_at)::text order by address)
            from lead_addresses join addresses using (address_id) where lead_addresses.lead_id = leads.lead_id),
        (select array_agg((address, basis, record.source_key)::text order by record.source_key)
            from consents join addresses using (address_id) join source_records as record using (record_id)
            where consents.lead_id = leads.lead_id),
        (select attributes::text from lead_versions where lead_versions.lead_id = leads.lead_id
            order by version desc limit 1)
    from leads where merged_into is null order by 1
"""
ACCOUNTS = "select account_key, name, industry from accounts order by 1"
REFUSED = """
    select source_key, product, mail_type from opt_outs join lead_now using (lead_id)
    join source_records on source_records.lead_id = opt_outs.lead_id
"""


@FEW
@given(
    people=st.lists(WITH_OWN_KEYS, min_size=2, max_size=4),
    later=st.lists(WITH_OWN_KEYS, max_size=3),
    last=st.lists(WITH_OWN_KEYS, max_size=2),
)
def test_n13_undone_later_it_is_a_world_without_the_merge_but_for_refusals(
    conn: sa.Connection, people: list[dict[str, Any]], later: list[dict[str, Any]], last: list[dict[str, Any]]
):
    worlds = []
    for is_merged in (True, False):
        empty(conn)
        records = land(conn, people, 1)
        other = next((each for each in records if owner(conn, each) != owner(conn, records[0])), None)
        assume(other is not None)
        assert other is not None
        survivor = join(conn, records[0], other)
        if not is_merged:
            merges.undo(conn, survivor, "suzuki", NOON + DAY)
        land(conn, later, 2)
        # What else was joined meanwhile was judged by what was known then, and stays as it was judged.
        assume(value(conn, 'select count(*) from "merges" where undone_at is null') == is_merged)
        if is_merged:
            merges.undo(conn, survivor, "suzuki", NOON + 2 * DAY)
        land(conn, last, 3)
        worlds.append((rows(conn, WORLD), rows(conn, ACCOUNTS), set(rows(conn, REFUSED))))
    merged, apart = worlds
    assert merged[0] == apart[0]
    assert merged[1] == apart[1]
    assert merged[2] >= apart[2]
