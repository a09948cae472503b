"""The sandbox as a CRM: HubSpot's object API with its traps, and a sales team that does something with hand-offs."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from loopback import CRM_TOKEN, Sandbox, sandbox

CONTACTS = "/crm/objects/2026-09/contacts"
MONDAY = "2026-09-07T09:00:00+09:00"
TASK_TO_CONTACT, NOTE_TO_CONTACT = 204, 202


@pytest.fixture(scope="module")
def crm_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("sandbox"), None, "--seed", "3") as running:
        running.move_clock(MONDAY)
        yield running


@pytest.fixture
def crm(crm_sandbox: Sandbox) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {CRM_TOKEN}"}
    with httpx.Client(base_url=crm_sandbox.url, headers=headers, trust_env=False, timeout=30) as client:
        yield client


def lead(number: int, **properties: str) -> dict[str, Any]:
    found = {"email": f"lead{number}@c.example", "lastname": "山田", "company": "株式会社サンプル", **properties}
    return {"id": str(number), "idProperty": "nurture_lead_id", "objectWriteTraceId": f"t{number}", "properties": found}


def upsert(crm: httpx.Client, *inputs: dict[str, Any]) -> httpx.Response:
    return crm.post(f"{CONTACTS}/batch/upsert", json={"inputs": list(inputs)})


def by_trace(answer: httpx.Response) -> dict[str, dict[str, Any]]:
    return {result["objectWriteTraceId"]: result for result in answer.json()["results"]}


def test_an_upsert_makes_a_contact_once_and_then_changes_it(crm: httpx.Client):
    first = upsert(crm, lead(1), lead(2))
    assert first.status_code == 200
    assert [result["new"] for result in first.json()["results"]] == [True, True]
    again = upsert(crm, lead(1, lastname="佐藤"), lead(2))
    assert [result["new"] for result in again.json()["results"]] == [False, False]
    assert by_trace(first)["t1"]["id"] == by_trace(again)["t1"]["id"]
    assert by_trace(again)["t1"]["properties"]["lastname"] == "佐藤"


def test_g14_results_are_not_in_the_order_of_the_inputs(crm: httpx.Client):
    answer = upsert(crm, lead(11), lead(12), lead(13))
    assert [result["objectWriteTraceId"] for result in answer.json()["results"]] == ["t13", "t12", "t11"]


def test_what_is_wrong_with_one_stands_beside_what_went_well(crm: httpx.Client):
    upsert(crm, lead(20))
    answer = upsert(
        crm, lead(21), lead(22, email="no address"), lead(23, shoe_size="27"), lead(24, email="LEAD20@c.example")
    )
    assert answer.status_code == 207
    assert list(by_trace(answer)) == ["t21"]
    errors = {error["context"]["objectWriteTraceId"][0]: error["category"] for error in answer.json()["errors"]}
    assert errors == {"t22": "VALIDATION_ERROR", "t23": "VALIDATION_ERROR", "t24": "CONFLICT"}
    assert answer.json()["numErrors"] == 3


def test_a_batch_of_101_or_with_one_id_twice_is_refused_whole(crm: httpx.Client):
    assert upsert(crm, *(lead(1_000 + number) for number in range(101))).status_code == 400
    assert upsert(crm, lead(30), lead(30)).status_code == 400


def test_another_token_is_401(crm: httpx.Client):
    answer = crm.post(f"{CONTACTS}/search", json={}, headers={"Authorization": "Bearer another"})
    assert answer.status_code == 401
    assert answer.json()["category"] == "INVALID_AUTHENTICATION"


def test_a_contact_is_found_by_address_and_by_our_id(crm: httpx.Client):
    upsert(crm, lead(40))
    where = {"propertyName": "email", "operator": "EQ", "value": "Lead40@C.example"}
    asked = {"filterGroups": [{"filters": [where]}], "properties": ["company"]}
    found = crm.post(f"{CONTACTS}/search", json=asked).json()
    assert found["total"] == 1
    assert found["results"][0]["properties"]["company"] == "株式会社サンプル"
    by_id = crm.get(f"{CONTACTS}/40", params={"idProperty": "nurture_lead_id"}).json()
    assert by_id["id"] == found["results"][0]["id"]
    assert crm.get(f"{CONTACTS}/999999").status_code == 404


def test_g14_a_lifecycle_stage_moved_backwards_succeeds_and_changes_nothing(crm: httpx.Client):
    made = by_trace(upsert(crm, lead(50, lifecyclestage="opportunity")))["t50"]
    answer = crm.patch(f"{CONTACTS}/{made['id']}", json={"properties": {"lifecyclestage": "lead"}})
    assert answer.status_code == 200
    read = crm.get(f"{CONTACTS}/{made['id']}", params={"properties": "lifecyclestage"}).json()
    assert read["properties"]["lifecyclestage"] == "opportunity"
    crm.patch(f"{CONTACTS}/{made['id']}", json={"properties": {"lifecyclestage": ""}})
    crm.patch(f"{CONTACTS}/{made['id']}", json={"properties": {"lifecyclestage": "lead"}})
    read = crm.get(f"{CONTACTS}/{made['id']}", params={"properties": "lifecyclestage"}).json()
    assert read["properties"]["lifecyclestage"] == "lead"


def test_a_deleted_contact_is_404_and_an_upsert_makes_a_new_one(crm: httpx.Client):
    made = by_trace(upsert(crm, lead(60)))["t60"]
    assert crm.delete(f"{CONTACTS}/{made['id']}").status_code == 204
    assert crm.patch(f"{CONTACTS}/{made['id']}", json={"properties": {"lastname": "x"}}).status_code == 404
    assert by_trace(upsert(crm, lead(60)))["t60"]["new"]


def hang(crm: httpx.Client, kind: str, contact_id: str, type_id: int, **properties: str) -> httpx.Response:
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}]
    asked = {"properties": properties, "associations": [{"to": {"id": contact_id}, "types": types}]}
    return crm.post(f"/crm/objects/2026-09/{kind}", json=asked)


def test_the_same_note_twice_is_two_notes(crm: httpx.Client):
    made = by_trace(upsert(crm, lead(70)))["t70"]
    for _ in range(2):
        note = hang(
            crm, "notes", made["id"], NOTE_TO_CONTACT, hs_note_body="点数 72", hs_timestamp="2026-09-07T00:00:00Z"
        )
        assert note.status_code == 201
    read = crm.get(f"{CONTACTS}/{made['id']}", params={"associations": "notes"}).json()
    assert len(read["associations"]["notes"]["results"]) == 2
    assert hang(crm, "notes", "999999", NOTE_TO_CONTACT, hs_note_body="x").status_code == 404


def test_there_are_owners(crm: httpx.Client):
    assert len(crm.get("/crm/owners/2026-09").json()["results"]) == 3


def test_the_sales_team_takes_on_returns_wins_and_loses_and_its_deals_are_found_by_when_they_changed(
    crm_sandbox: Sandbox, crm: httpx.Client
):
    leads = [
        lead(100 + number, nurture_qualification_id=str(number), nurture_product="cloud_backup") for number in range(60)
    ]
    assert upsert(crm, *leads).status_code == 200
    # A second write of the same qualification, and a task, hand nothing over a second time.
    made = by_trace(upsert(crm, *leads))
    assert hang(crm, "tasks", made["t100"]["id"], TASK_TO_CONTACT, hs_task_subject="架電").status_code == 201
    crm_sandbox.move_clock("2027-01-12T09:00:00+09:00")

    asked = {
        "filterGroups": [{"filters": [{"propertyName": "nurture_qualification_id", "operator": "HAS_PROPERTY"}]}],
        "properties": ["nurture_sales_status", "nurture_return_reason", "hubspot_owner_id", "lifecyclestage"],
        "limit": 100,
    }
    contacts = [result["properties"] for result in crm.post(f"{CONTACTS}/search", json=asked).json()["results"]]
    statuses = Counter(contact["nurture_sales_status"] for contact in contacts)
    assert set(statuses) == {None, "returned", "sales_qualified"}
    assert all(
        contact["nurture_return_reason"] for contact in contacts if contact["nurture_sales_status"] == "returned"
    )

    changed = {"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": "2026-09-08T00:00:00Z"}
    page: dict[str, Any] = {
        "filterGroups": [{"filters": [changed]}],
        "sorts": [{"propertyName": "hs_lastmodifieddate", "direction": "ASCENDING"}],
        "properties": ["hs_is_closed", "hs_is_closed_won", "amount", "nurture_lead_id", "closedate"],
        "limit": 7,
    }
    deals: list[dict[str, Any]] = []
    while True:
        answer = crm.post("/crm/objects/2026-09/deals/search", json=page).json()
        deals += answer["results"]
        if "paging" not in answer:
            break
        page["after"] = answer["paging"]["next"]["after"]
    assert len(deals) == statuses["sales_qualified"] == answer["total"] > 10
    moments = [deal["properties"]["hs_lastmodifieddate"] for deal in deals]
    assert moments == sorted(moments)
    won = [deal for deal in deals if deal["properties"]["hs_is_closed_won"] == "true"]
    assert 0 < len(won) < len(deals)
    assert all(float(deal["properties"]["amount"]) > 0 for deal in won)
    asked = {"inputs": [{"id": deal["id"]} for deal in won]}
    near = crm.post("/crm/associations/2026-09/deals/contacts/batch/read", json=asked).json()["results"]
    assert len(near) == len(won)
    page_of_people = crm.get("/crm").text
    assert "受注" in page_of_people
    assert "株式会社サンプル" in page_of_people
    crm_sandbox.move_clock(MONDAY)


def test_a_note_is_shown_as_text(crm: httpx.Client):
    made = by_trace(upsert(crm, lead(81)))["t81"]
    hang(crm, "notes", made["id"], NOTE_TO_CONTACT, hs_note_body="点数 72<br>会社: A &amp; B<img src=x>")
    page = crm.get("/crm").text
    assert "点数 72\n会社: A &amp; B" in page
    assert "<img" not in page


def test_what_a_name_says_is_escaped_on_the_page(crm: httpx.Client):
    upsert(crm, lead(80, lastname="<script>alert(1)</script>"))
    assert "<script>" not in crm.get("/crm").text
