"""Hand-off: who is ready reaches sales once, by a CRM over real HTTP, and what sales does comes back."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from builders import DAY, NOON, everything, insert, lead, product, rows, value
from loopback import CRM_TOKEN, Sandbox, free_port, sandbox

from nurture import handoff
from nurture.answers import Refused, Unanswered
from nurture.crm.hubspot import HubSpot

BACKUP = product()
STATES = "select status, crm_id, last_error, tries from handoffs order by handoff_id"
CONTACTS = "/crm/objects/2026-09/contacts"


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A CRM, at noon."""
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        running.move_clock(NOON.isoformat())
        yield running


@pytest.fixture
def crm(portal: Sandbox) -> Iterator[HubSpot]:
    portal.http.put("/sandbox/faults", json=[]).raise_for_status()
    made = HubSpot(CRM_TOKEN, portal.url)
    yield made
    made.close()


@pytest.fixture
def look(portal: Sandbox) -> Iterator[httpx.Client]:
    """The CRM as a person looks at it."""
    headers = {"Authorization": f"Bearer {CRM_TOKEN}"}
    with httpx.Client(base_url=portal.url, headers=headers, trust_env=False, timeout=30) as client:
        yield client


_numbers = iter(range(10_000, 99_999))


def ready(conn: sa.Connection, score: int = 80, email: str = "", **attributes: Any) -> int:
    """Make a lead with an id of its own in the shared CRM, that is qualified; return it."""
    number = next(_numbers)
    insert(conn, "leads", lead_id=number, name="山田 太郎", last_name="山田", company="株式会社見本", **attributes)
    insert(conn, "addresses", address_id=number, address=email or f"ready{number}@lead.example")
    insert(conn, "lead_addresses", lead_id=number, address_id=number)
    insert(conn, "qualifications", lead_id=number, score=score)
    sequence = "select setval(pg_get_serial_sequence('handoffs', 'handoff_id'), %(number)s)"
    conn.exec_driver_sql(sequence, {"number": 10 * number})  # a note's key is the hand-off's id
    return number


def contact(look: httpx.Client, crm_id: str) -> dict[str, Any]:
    asked = {"properties": "email,company,nurture_lead_id,nurture_score,lastname", "associations": "notes"}
    return look.get(f"{CONTACTS}/{crm_id}", params=asked).raise_for_status().json()


def notes(look: httpx.Client, crm_id: str) -> int:
    return len(contact(look, crm_id).get("associations", {}).get("notes", {}).get("results", []))


def make_contact(look: httpx.Client, **properties: str) -> str:
    return look.post(CONTACTS, json={"properties": properties}).raise_for_status().json()["id"]


def hand(conn: sa.Connection, crm: HubSpot, at: datetime = NOON, **changed: Any) -> dict[str, int]:
    return handoff.hand_off(conn, product(**changed) if changed else BACKUP, at, crm)


# Who is ready.


def test_who_meets_the_condition_is_qualified_once(conn: sa.Connection):
    made = lead(conn)
    lead(conn)
    insert(conn, "signals", lead_id=made, kind="submitted", subject="quote_request")
    insert(conn, "scores", lead_id=made, fit=10, engagement=60, scored_at=NOON - DAY)
    assert handoff.qualify(conn, BACKUP, NOON)["qualified"] == 1
    assert handoff.qualify(conn, BACKUP, NOON + DAY)["qualified"] == 0
    assert rows(conn, "select lead_id, qualified_at, fit, engagement, score from qualifications") == [
        (made, NOON, 10, 60, 70)
    ]


def test_again_only_after_the_time_that_the_product_says(conn: sa.Connection):
    asked = product(qualification={"when": {"submitted": "quote_request"}, "again_after": "30 days"})
    insert(conn, "signals", lead_id=lead(conn), kind="submitted", subject="quote_request")
    handoff.qualify(conn, asked, NOON)
    conn.exec_driver_sql("update qualifications set ended_at = %(at)s, ended_reason = 'returned'", {"at": NOON + DAY})
    assert handoff.qualify(conn, asked, NOON + 30 * DAY)["qualified"] == 0
    assert handoff.qualify(conn, asked, NOON + 31 * DAY)["qualified"] == 1


def test_a_qualification_under_a_merged_id_is_the_persons(conn: sa.Connection):
    survivor = lead(conn)
    merged = insert(conn, "leads", merged_into=survivor).lead_id
    insert(conn, "qualifications", lead_id=merged, ended_at=NOON, ended_reason="merged")
    insert(conn, "signals", lead_id=survivor, kind="submitted", subject="quote_request")
    assert handoff.qualify(conn, BACKUP, NOON + DAY)["qualified"] == 0


def test_n6_qualified_twice_at_one_moment_nothing_changes(conn: sa.Connection):
    insert(conn, "signals", lead_id=lead(conn), kind="submitted", subject="quote_request")
    handoff.qualify(conn, BACKUP, NOON)
    before = everything(conn)
    handoff.qualify(conn, BACKUP, NOON)
    assert everything(conn) == before


def test_n7_a_run_that_is_not_live_counts_who_would_have_been_and_records_nobody(conn: sa.Connection):
    insert(conn, "signals", lead_id=lead(conn), kind="submitted", subject="quote_request")
    conn.commit()
    before = everything(conn)
    assert handoff.qualify(conn, BACKUP, NOON, live=False) == {"qualified": 0, "would_qualify": 1}
    assert everything(conn) == before


# Into the CRM.


def test_n12_a_new_lead_is_upserted_by_our_id_with_its_note(conn: sa.Connection, crm: HubSpot, look: httpx.Client):
    made = ready(conn)
    assert hand(conn, crm) == {"created": 1, "pushed": 1, "failed": 0}
    [(status, crm_id, error, tries)] = rows(conn, STATES)
    assert (status, error, tries) == ("pushed", None, 1)
    found = contact(look, crm_id)["properties"]
    assert (found["nurture_lead_id"], found["lastname"], found["company"]) == (str(made), "山田", "株式会社見本")
    assert rows(conn, "select lead_id, crm_id from crm_links") == [(made, crm_id)]
    assert notes(look, crm_id) == 1
    assert hand(conn, crm, NOON + DAY) == {"created": 0, "pushed": 0, "failed": 0}


def test_n12_a_lead_with_a_known_crm_id_is_updated_by_it(conn: sa.Connection, crm: HubSpot, look: httpx.Client):
    known = make_contact(look, email="before@lead.example", company="旧社名")
    made = ready(conn)
    insert(conn, "crm_links", lead_id=made, crm_id=known)
    hand(conn, crm)
    assert rows(conn, "select crm_id from handoffs") == [(known,)]
    assert contact(look, known)["properties"]["company"] == "株式会社見本"
    assert contact(look, known)["properties"]["email"] == f"ready{made}@lead.example"


def test_n12_a_contact_that_was_deleted_in_the_crm_is_made_anew_and_linked(
    conn: sa.Connection, crm: HubSpot, look: httpx.Client
):
    known = make_contact(look, email="deleted@lead.example")
    look.delete(f"{CONTACTS}/{known}").raise_for_status()
    made = ready(conn)
    insert(conn, "crm_links", lead_id=made, crm_id=known)
    assert hand(conn, crm)["pushed"] == 1
    [(crm_id,)] = rows(conn, "select crm_id from handoffs")
    assert crm_id != known
    assert rows(conn, "select crm_id from crm_links") == [(crm_id,)]


def test_n12_the_crm_id_of_a_merged_lead_is_the_persons(conn: sa.Connection, crm: HubSpot, look: httpx.Client):
    known = make_contact(look, email="merged@lead.example")
    made = ready(conn)
    merged = insert(conn, "leads", merged_into=made).lead_id
    insert(conn, "crm_links", lead_id=merged, crm_id=known)
    hand(conn, crm)
    assert rows(conn, "select crm_id from handoffs") == [(known,)]


def test_n12_else_the_contact_with_the_address_is_found_and_taken(
    conn: sa.Connection, crm: HubSpot, look: httpx.Client
):
    known = make_contact(look, email="Found@lead.example", company="旧社名")
    made = ready(conn, email="found@lead.example")
    hand(conn, crm)
    assert rows(conn, "select crm_id from handoffs") == [(known,)]
    assert contact(look, known)["properties"]["nurture_lead_id"] == str(made)


def test_n12_the_note_is_made_once_however_often_it_is_tried(
    conn: sa.Connection, crm: HubSpot, portal: Sandbox, look: httpx.Client
):
    ready(conn)
    lost = {"on": "/notes", "kind": "accept_then_reset", "method": "POST", "after": 1}  # the search passes
    portal.http.put("/sandbox/faults", json=[lost]).raise_for_status()
    assert hand(conn, crm) == {"created": 1, "pushed": 0, "failed": 1}
    [(status, crm_id, error, tries)] = rows(conn, STATES)
    assert (status, tries) == ("pending", 1)
    assert "did not answer" in error
    assert hand(conn, crm, NOON + DAY) == {"created": 0, "pushed": 1, "failed": 0}
    assert rows(conn, STATES) == [("pushed", crm_id, None, 2)]
    assert notes(look, crm_id) == 1


def test_n12_an_upsert_whose_answer_was_lost_makes_no_second_contact(
    conn: sa.Connection, crm: HubSpot, portal: Sandbox, look: httpx.Client
):
    made = ready(conn)
    portal.http.put("/sandbox/faults", json=[{"on": "upsert", "kind": "accept_then_reset"}]).raise_for_status()
    assert hand(conn, crm)["failed"] == 1
    assert hand(conn, crm)["pushed"] == 1
    where = {"propertyName": "nurture_lead_id", "operator": "EQ", "value": str(made)}
    found = look.post(f"{CONTACTS}/search", json={"filterGroups": [{"filters": [where]}]}).json()
    assert found["total"] == 1
    assert notes(look, found["results"][0]["id"]) == 1


def test_a_failure_stays_pending_with_its_reason_and_stops_nobody_else(conn: sa.Connection, crm: HubSpot):
    ready(conn, score=90, email="no address")
    ready(conn, score=80)
    assert hand(conn, crm) == {"created": 2, "pushed": 1, "failed": 1}
    assert [(status, bool(error)) for status, _, error, _ in rows(conn, STATES)] == [
        ("pending", True),
        ("pushed", False),
    ]


def test_a_crm_that_is_not_there_stops_the_run_and_nothing_is_lost(conn: sa.Connection, crm: HubSpot, portal: Sandbox):
    for _ in range(3):
        ready(conn)
    with closing(HubSpot(CRM_TOKEN, f"http://127.0.0.1:{free_port()}")) as away:
        assert hand(conn, away) == {"created": 3, "pushed": 0, "failed": 1}
    with closing(HubSpot("another token", portal.url)) as stranger:
        assert hand(conn, stranger) == {"created": 0, "pushed": 0, "failed": 1}
    assert hand(conn, crm) == {"created": 0, "pushed": 3, "failed": 0}


def test_sales_gets_the_warmest_first_and_no_more_than_it_can_take_in_a_week(conn: sa.Connection, crm: HubSpot):
    people = {score: ready(conn, score=score) for score in (60, 90, 70)}
    few = {"handoff": {"crm": "hubspot", "capacity": {"per_week": 2}}}
    assert hand(conn, crm, **few)["pushed"] == 2
    assert hand(conn, crm, NOON + 6 * DAY, **few)["pushed"] == 0
    assert hand(conn, crm, NOON + 7 * DAY, **few)["pushed"] == 1
    handed = "select lead_id from handoffs join qualifications using (qualification_id) order by handoff_id"
    assert [made for (made,) in rows(conn, handed)] == [people[90], people[70], people[60]]


def test_n12_two_workers_push_one_hand_off_once(conn: sa.Connection, engine: sa.Engine, crm: HubSpot, portal: Sandbox):
    ready(conn)
    conn.commit()
    with engine.connect() as other:
        seen: list[dict[str, int]] = []

        class Meanwhile(HubSpot):
            def push_contact(self, contact: dict[str, Any], known_id: str | None) -> str:
                seen.append(hand(other, crm))
                return super().push_contact(contact, known_id)

        with closing(Meanwhile(CRM_TOKEN, portal.url)) as slow:
            assert hand(conn, slow)["pushed"] == 1
    assert seen == [{"created": 0, "pushed": 0, "failed": 0}]


def test_the_note_tells_the_rep_who_where_from_and_what_they_did_and_its_values_are_escaped(conn: sa.Connection):
    made = ready(conn, first_source="web_forms", first_touch={"keyword": "<b>比較</b>"})
    insert(conn, "signals", lead_id=made, kind="visited", subject="/pricing", count=3)

    class Nowhere:
        name = "hubspot"

        def push_contact(self, contact: dict[str, Any], known_id: str | None) -> str:
            return "1"

        def push_note(self, crm_id: str, body: str, key: str, at: datetime) -> None:
            told.append(body)

    told: list[str] = []
    handoff.hand_off(conn, BACKUP, NOON, Nowhere())
    [body] = told
    assert "スコア 80（属性 20 + 行動 60）" in body
    assert "株式会社見本 / 山田 太郎" in body
    assert "web_forms / &lt;b&gt;比較&lt;/b&gt;" in body
    assert "2026-11-16 visited /pricing ×3" in body


def test_a_merged_leads_hand_off_is_not_pushed(conn: sa.Connection, crm: HubSpot):
    ready(conn)
    conn.exec_driver_sql("update qualifications set ended_at = %(at)s, ended_reason = 'merged'", {"at": NOON})
    assert hand(conn, crm) == {"created": 0, "pushed": 0, "failed": 0}


# What sales does.


class Sales:
    """A CRM that only tells outcomes."""

    name = "hubspot"

    def __init__(self, outcomes: tuple[dict[str, Any], ...] = (), deals: tuple[dict[str, Any], ...] = ()) -> None:
        self.outcomes, self.deals = list(outcomes), list(deals)
        self.asked: list[datetime] = []

    def outcomes_since(self, since: datetime) -> list[dict[str, Any]]:
        self.asked.append(since)
        return self.outcomes

    def deals_since(self, since: datetime) -> list[dict[str, Any]]:
        return self.deals


def pull(conn: sa.Connection, sales: Sales, at: datetime = NOON + 9 * DAY) -> dict[str, int]:
    return handoff.pull_outcomes(conn, at, sales)


@pytest.fixture
def pushed(conn: sa.Connection) -> int:
    """A lead that was handed over at noon as contact c1."""
    made = ready(conn)
    qualified = value(conn, "select qualification_id from qualifications")
    insert(conn, "handoffs", qualification_id=qualified, status="pushed", crm_id="c1", pushed_at=NOON)
    insert(conn, "crm_links", lead_id=made, crm_id="c1")
    return made


def deal(**told: Any) -> dict[str, Any]:
    after = (NOON + 2 * DAY).isoformat()
    return {
        "crm_opportunity_id": "d1", "crm_id": "c1", "product": "backup", "name": "見本", "stage": "quote",
        "amount": "3000000", "currency": "JPY", "opened_at": after, "closed_at": None, "is_closed": False,
        "is_won": False, "modified_at": after, **told,
    }  # fmt: skip


ENDS = "select ended_reason, ended_at from qualifications"


def test_sales_takes_a_lead_on_and_judges_it_real(conn: sa.Connection, pushed: int):
    at = NOON + DAY
    taken = {"crm_id": "c1", "sales_accepted_at": at.isoformat()}
    assert pull(conn, Sales((taken,)))["outcomes"] == 1
    assert pull(conn, Sales((taken,)))["outcomes"] == 0
    assert pull(conn, Sales(({**taken, "sales_qualified_at": (at + DAY).isoformat()},)))["outcomes"] == 1
    assert rows(conn, "select status, sales_accepted_at, sales_qualified_at from handoffs") == [
        ("sales_accepted", at, at + DAY)
    ]
    assert rows(conn, "select lifecycle from lead_lifecycle") == [("sales_qualified",)]
    assert rows(conn, ENDS) == [(None, None)]


def test_a_lead_that_sales_gives_back_returns_to_nurturing_with_the_reason(conn: sa.Connection, pushed: int):
    at = NOON + DAY
    back = {"crm_id": "c1", "returned_at": at.isoformat(), "returned_reason": "予算なし"}
    assert pull(conn, Sales((back,)))["outcomes"] == 1
    assert rows(conn, "select status, returned_at, returned_reason from handoffs") == [("returned", at, "予算なし")]
    assert rows(conn, ENDS) == [("returned", at)]
    assert pull(conn, Sales((back,)))["outcomes"] == 0


def test_an_answer_from_before_the_hand_off_is_another_hand_offs(conn: sa.Connection, pushed: int):
    old = {"crm_id": "c1", "returned_at": (NOON - DAY).isoformat(), "returned_reason": "時期尚早"}
    assert pull(conn, Sales((old,)))["outcomes"] == 0
    assert rows(conn, "select status from handoffs") == [("pushed",)]


@pytest.mark.parametrize(("is_won", "lifecycle"), [(True, "customer"), (False, "lost")])
def test_a_deal_that_is_decided_closes_the_hand_off_that_it_came_from(
    conn: sa.Connection, pushed: int, is_won: bool, lifecycle: str
):
    assert pull(conn, Sales(deals=(deal(),)))["closed"] == 0
    assert rows(conn, "select lifecycle from lead_lifecycle") == [("opportunity",)]
    at = NOON + 5 * DAY
    ended = deal(is_closed=True, is_won=is_won, closed_at=at.isoformat(), modified_at=at.isoformat())
    assert pull(conn, Sales(deals=(ended,))) == {"opportunities": 1, "outcomes": 0, "closed": 1}
    assert rows(conn, "select status, closed_at from handoffs") == [("closed", at)]
    assert rows(conn, ENDS) == [("closed", at)]
    assert rows(conn, "select lifecycle from lead_lifecycle") == [(lifecycle,)]
    before = everything(conn)
    assert pull(conn, Sales(deals=(ended,))) == {"opportunities": 0, "outcomes": 0, "closed": 0}
    assert everything(conn) == before


def test_a_deal_that_was_older_than_the_qualification_closes_nothing(conn: sa.Connection, pushed: int):
    before = (NOON - 9 * DAY).isoformat()
    at = (NOON + DAY).isoformat()
    ended = deal(opened_at=before, is_closed=True, is_won=True, closed_at=at, modified_at=at)
    assert pull(conn, Sales(deals=(ended,)))["closed"] == 0


def test_outcomes_are_asked_for_with_an_overlap(conn: sa.Connection, pushed: int):
    sales = Sales(deals=(deal(),))
    pull(conn, sales)
    pull(conn, sales)
    assert sales.asked == [NOON + 9 * DAY - timedelta(days=366), NOON + DAY]


def test_the_whole_way_over_http(conn: sa.Connection, portal: Sandbox, crm: HubSpot):
    for _ in range(12):
        ready(conn)
    hand(conn, crm)
    portal.move_clock((NOON + 100 * DAY).isoformat())
    counts = handoff.pull_outcomes(conn, NOON + 100 * DAY, crm)
    assert counts["opportunities"] > 0
    assert counts["outcomes"] > 0
    told = "select count(*) from handoffs where sales_accepted_at is not null or returned_at is not null"
    assert value(conn, told) == counts["outcomes"]
    assert value(conn, "select count(*) from opportunities where lead_id is not null") > 0
    portal.move_clock(NOON.isoformat())


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ({"kind": "status", "status": 500}, Unanswered),
        ({"kind": "accept_then_reset"}, Unanswered),
        ({"kind": "truncate"}, Unanswered),
        ({"kind": "status", "status": 429}, Refused),
        ({"kind": "status", "status": 400, "body": "<html>no</html>"}, Unanswered),
    ],
)
def test_an_edge_fails_in_two_ways_and_no_others(
    portal: Sandbox, crm: HubSpot, fault: dict[str, Any], raised: type[Exception]
):
    portal.http.put("/sandbox/faults", json=[{"on": "/crm/", **fault}]).raise_for_status()
    with pytest.raises(raised):
        crm.push_contact({"email": "a@lead.example", "nurture_lead_id": 1}, None)
