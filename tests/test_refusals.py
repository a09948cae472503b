"""Refusals: the provider's own lists are taken over, and who refused everything is told to the provider."""

from typing import Any

import pytest
import sqlalchemy as sa
from builders import DAY, NOON, address_of, insert, lead, rows

from nurture import refusals
from nurture.answers import Unanswered


@pytest.fixture
def person(conn: sa.Connection) -> int:
    return lead(conn, "yamada@lead.example")


def test_a_list_of_the_account_suppresses_whom_we_know_and_ends_nothing(conn: sa.Connection, person: int):
    def listed(kind: str, since: Any) -> list[dict[str, Any]]:
        assert since == NOON - 7 * DAY
        found = [{"email": "Yamada@lead.example", "created": 1_794_000_000, "status": "5.1.1"}] * 2
        return [*found, {"email": "nobody@other.example", "created": 1}] if kind == "spam_reports" else []

    assert refusals.reconcile(conn, NOON, listed) == {
        "bounces": 0, "invalid_emails": 0, "spam_reports": 1, "unsubscribes": 0,
    }  # fmt: skip
    assert refusals.reconcile(conn, NOON, lambda kind, since: [])["spam_reports"] == 0
    assert rows(conn, "select reason, evidence from suppressions") == [("complained", "the provider's list")]


def test_only_who_refused_everything_is_told_to_the_provider_and_once(conn: sa.Connection, person: int):
    cells = {"everything": ("*", "*", "page"), "product": ("backup", "*", "page"), "theirs": ("*", "*", "provider")}
    for name, (of, mail_type, how) in cells.items():
        made = lead(conn, f"{name}@lead.example")
        insert(
            conn, "opt_outs", lead_id=made, address_id=address_of(conn, made), product=of, mail_type=mail_type, how=how
        )
    told: list[list[str]] = []
    released: list[str] = []
    assert refusals.tell(conn, NOON, told.append, released.append) == {"refusals": 1, "taken_back": 0}
    assert refusals.tell(conn, NOON + DAY, told.append, released.append) == {"refusals": 0, "taken_back": 0}
    assert told == [["everything@lead.example"]]


def test_n3_a_telling_without_an_answer_is_repeated(conn: sa.Connection, person: int):
    insert(conn, "opt_outs", lead_id=person, address_id=address_of(conn, person))
    conn.commit()
    told: list[list[str]] = []
    released: list[str] = []

    def lose(addresses: list[str]) -> None:
        raise Unanswered("lost")

    with pytest.raises(Unanswered):
        refusals.tell(conn, NOON, lose, released.append)
    conn.rollback()
    assert refusals.tell(conn, NOON, told.append, released.append) == {"refusals": 1, "taken_back": 0}
