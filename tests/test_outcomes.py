"""Hand-off: what sales does with a lead comes back."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from builders import DAY, NOON, everything, insert, rows, value
from handing import ready

from nurture import handoff


class Sales:
    """A CRM that only tells outcomes."""

    name = "hubspot"

    def __init__(
        self, outcomes: tuple[dict[str, Any], ...] = (), deals: tuple[dict[str, Any], ...] = (),
        refusals: tuple[dict[str, Any], ...] = (),
    ) -> None:  # fmt: skip
        self.outcomes, self.deals, self.refusals = list(outcomes), list(deals), list(refusals)
        self.asked: list[datetime] = []

    def outcomes_since(self, since: datetime) -> list[dict[str, Any]]:
        self.asked.append(since)
        return self.outcomes

    def deals_since(self, since: datetime) -> list[dict[str, Any]]:
        return self.deals

    def refusals_since(self, since: datetime | None) -> list[dict[str, Any]]:
        return self.refusals


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
    assert pull(conn, Sales(deals=(ended,))) == {"opportunities": 1, "outcomes": 0, "closed": 1, "refusals": 0}
    assert rows(conn, "select status, closed_at from handoffs") == [("closed", at)]
    assert rows(conn, ENDS) == [("closed", at)]
    assert rows(conn, "select lifecycle from lead_lifecycle") == [(lifecycle,)]
    before = everything(conn)
    assert pull(conn, Sales(deals=(ended,))) == {"opportunities": 0, "outcomes": 0, "closed": 0, "refusals": 0}
    assert everything(conn) == before


def test_a_deal_that_was_older_than_the_qualification_closes_nothing(conn: sa.Connection, pushed: int):
    before = (NOON - 9 * DAY).isoformat()
    at = (NOON + DAY).isoformat()
    ended = deal(opened_at=before, is_closed=True, is_won=True, closed_at=at, modified_at=at)
    assert pull(conn, Sales(deals=(ended,)))["closed"] == 0


def test_g15_outcomes_are_asked_for_with_an_overlap(conn: sa.Connection, pushed: int):
    sales = Sales(deals=(deal(),))
    pull(conn, sales)
    pull(conn, sales)
    assert sales.asked == [NOON + 9 * DAY - timedelta(days=366), NOON + DAY]


def test_g15_a_deal_that_is_opened_again_is_open_again_and_two_of_one_second_are_both_known(
    conn: sa.Connection, pushed: int
):
    same = (NOON + 3 * DAY).isoformat()
    won = deal(is_closed=True, is_won=True, closed_at=same, modified_at=same)
    pull(conn, Sales(deals=(won, deal(crm_opportunity_id="d2", modified_at=same, currency="USD"))))
    pull(conn, Sales(deals=(deal(modified_at=(NOON + 4 * DAY).isoformat()),)))
    assert rows(conn, "select crm_opportunity_id, won_at, currency from opportunities order by 1") == [
        ("d1", None, "JPY"), ("d2", None, "USD"),
    ]  # fmt: skip


def test_n13_who_wants_no_mail_by_the_crm_refuses_everything_once_and_for_the_address_too(
    conn: sa.Connection, pushed: int
):
    stranger = insert(conn, "addresses", address="stranger@lead.example").address_id
    at = (NOON + DAY).isoformat()
    told = (
        {"crm_id": "c1", "address": None, "at": at},
        {"crm_id": "c2", "address": "Stranger@lead.example", "at": at},
        {"crm_id": "c3", "address": "unknown@lead.example", "at": at},
    )
    assert pull(conn, Sales(refusals=told))["refusals"] == 2
    kept = "select lead_id, address_id, product, mail_type, how, occurred_at from opt_outs order by lead_id"
    assert rows(conn, kept) == [
        (pushed, None, "*", "*", "rep", NOON + DAY), (None, stranger, "*", "*", "rep", NOON + DAY)
    ]  # fmt: skip
    conn.execute(sa.text("update opt_outs set ended_at = :at, ended_evidence = 'page'"), {"at": NOON + 2 * DAY})
    assert pull(conn, Sales(refusals=told))["refusals"] == 0
