"""Batches: how records are cut into batches, come twice, or come again changes nobody's lead."""

from typing import Any

import sqlalchemy as sa
from builders import NOON, everything, record, rows
from consolidating import empty
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nurture.consolidate import consolidate

FEW = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
MAILBOXES = {"山田 太郎": "yamada@lead.example", "佐藤 花子": "sato@lead.example", "鈴木 一郎": "suzuki@other.example"}
MOBILES = {"山田 太郎": "+819000000001", "佐藤 花子": "+819000000002", "鈴木 一郎": "+819000000003"}


@st.composite
def rows_of_people(draw: st.DrawFn) -> dict[str, Any]:
    """A row that has some of a person's own keys."""
    name = draw(st.sampled_from(list(MAILBOXES)))
    given = {"email": MAILBOXES[name], "mobile": MOBILES[name]}
    kept = draw(st.lists(st.sampled_from(list(given)), min_size=1, unique=True))
    return {"name": name, "title": draw(st.sampled_from([None, "課長"])), **{field: given[field] for field in kept}}


PEOPLE = st.lists(rows_of_people(), min_size=2, max_size=6)
OWNERS = """
    select array_agg(source_key order by source_key) from source_records join lead_now using (lead_id)
    group by current_lead_id order by 1
"""


@FEW
@given(people=PEOPLE, cuts=st.sets(st.integers(0, 5)))
def test_the_cuts_between_batches_change_no_person(conn: sa.Connection, people: list[dict[str, Any]], cuts: set[int]):
    found = []
    for at in (set(), cuts, set(range(6))):
        empty(conn)
        for number, person in enumerate(people):
            record(conn, str(number), **person)
            if number in at:
                consolidate(conn, NOON)
        consolidate(conn, NOON)
        found.append(rows(conn, OWNERS))
    assert found[0] == found[1] == found[2]


@FEW
@given(people=PEOPLE)
def test_rows_that_come_again_and_a_run_with_nothing_new_change_no_id(
    conn: sa.Connection, people: list[dict[str, Any]]
):
    empty(conn)
    for number, person in enumerate(people):
        record(conn, str(number), **person)
    consolidate(conn, NOON)
    ids = "select distinct source_key, current_lead_id from source_records join lead_now using (lead_id) order by 1"
    before = rows(conn, ids)
    for number, person in enumerate(people):
        record(conn, str(number), **person, postal_code="1000001")
    assert consolidate(conn, NOON)["new_leads"] == 0
    assert rows(conn, ids) == before
    stands = everything(conn)
    assert consolidate(conn, NOON) == {"records": 0, "new_leads": 0, "merged_leads": 0}
    assert everything(conn) == stands
