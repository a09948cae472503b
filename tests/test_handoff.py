"""Hand-off: who is ready reaches sales once, by a CRM over real HTTP, and what sales does comes back."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from builders import DAY, NOON, everything, insert, lead, product, rows, value
from handing import ready
from loopback import CRM_TOKEN, Sandbox, free_port, sandbox

from nurture import handoff
from nurture.answers import Refused, Unanswered
from nurture.crm import hubspot
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


def test_g13_again_only_after_the_time_that_the_product_says(conn: sa.Connection):
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


def test_g14_n12_a_contact_that_was_deleted_in_the_crm_is_made_anew_and_linked(
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


def test_g14_n12_the_note_is_made_once_however_often_it_is_tried(
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


def test_g14_n12_an_upsert_whose_answer_was_lost_makes_no_second_contact(
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


def test_g14_a_failure_stays_pending_with_its_reason_and_stops_nobody_else(conn: sa.Connection, crm: HubSpot):
    ready(conn, score=90, email="no address")
    ready(conn, score=80)
    assert hand(conn, crm) == {"created": 2, "pushed": 1, "failed": 1}
    assert [(status, bool(error)) for status, _, error, _ in rows(conn, STATES)] == [
        ("pending", True),
        ("pushed", False),
    ]


def test_g14_a_crm_that_is_not_there_stops_the_run_and_nothing_is_lost(
    conn: sa.Connection, crm: HubSpot, portal: Sandbox
):
    for _ in range(3):
        ready(conn)
    with closing(HubSpot(CRM_TOKEN, f"http://127.0.0.1:{free_port()}")) as away:
        assert hand(conn, away) == {"created": 3, "pushed": 0, "failed": 1}
    with closing(HubSpot("another token", portal.url)) as stranger:
        assert hand(conn, stranger) == {"created": 0, "pushed": 0, "failed": 1}
    assert hand(conn, crm) == {"created": 0, "pushed": 3, "failed": 0}


@pytest.mark.parametrize("status", [401, 429])
def test_g14_a_token_or_a_daily_limit_that_ends_in_the_middle_stops_the_run_and_nothing_is_done_twice(
    conn: sa.Connection, crm: HubSpot, portal: Sandbox, look: httpx.Client, status: int
):
    for _ in range(3):
        ready(conn)
    ends = {"on": "/crm/", "kind": "status", "status": status, "after": 5, "times": None}
    portal.http.put("/sandbox/faults", json=[ends]).raise_for_status()
    assert hand(conn, crm) == {"created": 3, "pushed": 1, "failed": 1}
    portal.http.put("/sandbox/faults", json=[]).raise_for_status()
    assert hand(conn, crm) == {"created": 0, "pushed": 2, "failed": 0}
    assert [notes(look, crm_id) for _, crm_id, _, _ in rows(conn, STATES)] == [1, 1, 1]


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


def test_whoever_the_portal_marks_as_wanting_no_mail_is_told(look: httpx.Client, crm: HubSpot):
    refused = make_contact(look, email="no@lead.example", hs_email_optout="true")
    make_contact(look, email="yes@lead.example", hs_email_optout="false")
    assert [(each["crm_id"], each["address"]) for each in crm.refusals_since(NOON - DAY)] == [
        (refused, "no@lead.example")
    ]


def test_the_first_pull_finds_who_wants_no_mail_however_many_and_however_long_ago(
    look: httpx.Client, portal: Sandbox, crm: HubSpot, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hubspot, "PAGE", 2)
    monkeypatch.setattr(hubspot, "WALKED_AT_MOST", 4)
    portal.move_clock((NOON - 1_000 * DAY).isoformat())
    refused = [make_contact(look, email=f"no{n}@lead.example", hs_email_optout="true") for n in range(9)]
    portal.move_clock(NOON.isoformat())
    recent = {each["crm_id"] for each in crm.refusals_since(NOON - DAY)}
    assert not recent & set(refused)
    assert [each["crm_id"] for each in crm.refusals_since(None) if each["crm_id"] not in recent] == refused
    beyond = look.post(f"{CONTACTS}/search", json={"limit": 100, "after": "9901"})
    assert beyond.status_code == 400


# The whole way, and how an edge fails.


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
