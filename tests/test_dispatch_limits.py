"""Dispatch: what a company agreed on: exclusions, legal bases, one company at a time, sending domains, long values."""

from datetime import datetime, timedelta
from itertools import pairwise

import sqlalchemy as sa
from builders import DAY, NOON, Provider, address_of, company, crowd, insert, lead, message, product, rows
from sending import DECISIONS, PLANNER, STATUSES, TOKYO, send

from nurture import db


def test_n4_a_subdomain_is_excluded_with_its_domain_and_a_longer_name_is_not(conn: sa.Connection):
    message(conn, lead(conn, "a@tokyo.own.example"))
    message(conn, lead(conn, "b@notown.example"))
    of = company(exclusions={"own_staff": {"domains": ["own.example"]}})
    assert send(conn, Provider(), of=of) == {"never": 1, "accepted": 1}


def test_n4_a_legal_basis_that_lapsed_or_is_not_allowed_permits_nothing(conn: sa.Connection):
    of = company(legal_bases={"consent": {}, "business_card": {"lasts": "30 days"}})
    for basis, age in (("business_card", 31), ("business_card", 29), ("published_address", 1), ("consent", 999)):
        person = lead(conn, consent=False)
        insert(
            conn, "consents", lead_id=person, address_id=address_of(conn, person), basis=basis,
            occurred_at=NOON - age * DAY,
        )  # fmt: skip
        message(conn, person)
    assert send(conn, Provider(), of=of) == {"never": 2, "accepted": 2}
    assert [reason for _, reason in rows(conn, STATUSES)] == ["consent lapsed", None, "consent lapsed", None]


def test_n4_a_message_names_the_newest_evidence_that_permitted_it(conn: sa.Connection):
    person = lead(conn)
    newest = insert(
        conn, "consents", lead_id=person, address_id=address_of(conn, person), basis="consent", occurred_at=NOON - DAY
    ).consent_id
    message(conn, person)
    send(conn, Provider())
    assert rows(conn, "select consent_id from messages") == [(newest,)]


def test_n4_one_company_gets_its_number_of_people_and_the_others_wait_until_it_is_free(conn: sa.Connection):
    of = company(per_account={"people": 2, "within": "1 day"})
    account = insert(conn, "accounts").account_id
    for at in (account, account, account, None, None, None):
        message(conn, lead(conn, account_id=at))
    assert send(conn, Provider(), of=of) == {"accepted": 5, "not_now": 1}
    assert rows(conn, DECISIONS) == [("not_now", "enough people of the company", NOON + DAY)]
    assert send(conn, Provider(), NOON + timedelta(hours=23), of=of) == {}
    assert send(conn, Provider(), NOON + DAY, of=of) == {"accepted": 1}


def test_n4_judging_looks_for_the_mails_of_its_own_leads_also_while_statistics_know_of_none(conn: sa.Connection):
    crowd(conn, 1_500)
    conn.exec_driver_sql("analyze")
    db.run(conn, db.statements("dispatch").create_claim)
    asked = {
        "product": "backup", "at": NOON, "span": DAY, "mails": 2, "account_people": 2, "account_span": DAY, "budget": 9,
        "budget_reason": "", "tomorrow": NOON, "exclusions": "[]", "bases": "[]",
    }  # fmt: skip
    explained = conn.exec_driver_sql("explain " + db.statements("permission").judge, asked).scalars().all()
    found = [after for line, after in pairwise(explained) if "on messages earlier" in line]
    assert len(found) == 2
    assert all("Index Cond: ((lead_id = " in condition for condition in found), found


def test_n4_a_sending_domain_has_its_own_daily_budget_over_all_products(conn: sa.Connection):
    of = company(sending_domains={"mail.aozora.example": {"mails_per_day": 3}})
    crowd(conn, 2)
    crowd(conn, 2, product="planner")
    assert send(conn, Provider(), of=of) == {"accepted": 2}
    assert send(conn, Provider(), asked=PLANNER, of=of) == {"accepted": 1, "not_now": 1}
    assert [reason for _, reason, _ in rows(conn, DECISIONS)] == ["daily budget of mail.aozora.example"]
    assert send(conn, Provider(), NOON + DAY, asked=PLANNER, of=of) == {"accepted": 1}


def test_n4_a_new_sending_domain_is_warmed_up_day_by_day(conn: sa.Connection):
    warm_up = {"begins": "2026-11-16", "first_day": 2, "growth": 2.0}
    of = company(sending_domains={"mail.aozora.example": {"mails_per_day": 5, "warm_up": warm_up}})
    crowd(conn, 20)
    sent = [send(conn, Provider(), NOON + day * DAY, of=of).get("accepted") for day in (-1, 0, 1, 2)]
    assert sent == [None, 2, 4, 5]
    assert of.sending_domains["mail.aozora.example"].allowed(NOON.date() + 2 * DAY) == 5
    assert of.sending_domains["mail.aozora.example"].allowed(NOON.date() - DAY) == 0


def test_n4_a_place_that_only_the_days_budget_took_is_kept_for_tomorrow(conn: sa.Connection):
    of, asked = company(frequency={"mails": 1, "within": "7 days"}), product(limits={"mails_per_day": 1})
    message(conn, lead(conn))
    person = lead(conn)
    message(conn, person)
    message(conn, person, occasion="plan/second", step="second")
    assert send(conn, Provider(), asked=asked, of=of) == {"accepted": 1, "not_now": 2}
    assert {until for _, _, until in rows(conn, DECISIONS)} == {datetime(2026, 11, 17, tzinfo=TOKYO)}


def test_values_too_long_for_tags_go_alone_and_are_rendered_here(conn: sa.Connection):
    message(conn, lead(conn, name="寿" * 400))
    crowd(conn, 2)
    provider = Provider()
    assert send(conn, provider) == {"accepted": 3}
    assert sorted(provider.sizes) == [1, 2]
    [alone] = [body for body in provider.bodies if len(body["personalizations"]) == 1]
    assert alone["personalizations"][0]["substitutions"] == {}
    assert "寿" * 400 in alone["content"][1]["value"]
