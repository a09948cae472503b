"""What a year's plan lacks: each lint with its requirement, and which of them stop."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import pytest
from builders import product

from nurture.definitions.past import Past
from nurture.definitions.plan_lints import lint
from nurture.definitions.products import Product

TODAY = date(2026, 11, 16)
CONSENT = {"case": {"customer": "見本物流", "given_on": "2026-01-01", "evidence": "掲載承諾書"}}
KINDS = {"thanks": "know_how", "case": "case_study", "guide": "download", "news": "product_news"}
QUARTERLY = [f"2026-{month:02}-25" for month in (1, 4, 7, 10)]


def entry(day: str, email: str | None, mail_type: str, to: str = "everyone") -> dict[str, Any]:
    said = {"name": f"{mail_type}_{day.replace('-', '_').lower()}", "date": day, "to": to, "mail_type": mail_type}
    return said if email is None else {**said, "email": email}


def year(leave_out: Iterable[str] = (), **changed: Any) -> Product:
    """Return a product whose plan lacks nothing: an invitation a month, and one more mail, without its words yet."""
    kinds = list(KINDS.values())
    months = [f"2026-{month:02}" for month in range(1, 13)]
    plan = [
        each
        for number, month in enumerate(months)
        for each in (entry(f"{month}-05", "invitation", "event"), entry(f"{month}-20", None, kinds[number % 4]))
        if month not in leave_out
    ]
    return product(**{"plan": plan, "reviews": QUARTERLY, "content_ready": "7 days", **changed})


def told(asked: Product, today: date = date(2026, 1, 2), past: Past | None = None) -> list[str]:
    return [message for _, message, _ in lint(asked, today, past)]


def stops(asked: Product, today: date = date(2026, 1, 2), past: Past | None = None) -> list[str]:
    return [message for _, message, is_warning in lint(asked, today, past) if not is_warning]


def test_a_full_year_has_nothing_to_say():
    assert told(year()) == []


def test_r_001_20_a_month_without_a_mail_and_r_001_14_without_an_event():
    assert told(year(leave_out=["2026-08"])) == [
        "no mail in 2026-08 (R-001-20)", "no event mail in 2026-08 (R-001-14)",
    ]  # fmt: skip


def test_r_001_17_types_are_mixed():
    plan = [entry(f"2026-{month:02}-05", "invitation", "event") for month in range(1, 13)]
    assert told(year(plan=plan)) == [
        "no know_how, case_study, product_news, download mail in the whole plan: mix the types (R-001-17)",
        "12 of 12 mails are event: mix the types (R-001-17)",
    ]


@pytest.mark.parametrize(
    ("reviews", "message"),
    [
        ([], "no review is dated: write reviews, one in about three months (R-001-21)"),
        (["2026-01-25", "2026-10-25"], "no review between 2026-01-25 and 2026-10-25: too slow to learn (R-001-21)"),
        ([*QUARTERLY, "2026-11-01"], "reviews on 2026-10-25 and 2026-11-01: too soon for anything to show (R-001-21)"),
    ],
)
def test_r_001_21_reviews_are_neither_too_seldom_nor_too_often(reviews: list[str], message: str):
    assert told(year(reviews=reviews)) == [message]


def test_r_000_16_content_is_ready_some_days_before():
    assert told(year(), date(2026, 1, 12)) == []
    assert told(year(), date(2026, 1, 13)) == [
        "nothing to send on 2026-01-20: the content was to be ready by 2026-01-13 (R-000-16)"
    ]


def test_the_same_mail_twice_to_a_segment_or_on_a_journey_is_pointed_out():
    plan = [*year().body()["plan"], entry("2026-12-21", "guide", "download"), entry("2026-12-22", "guide", "download")]
    assert told(year(plan=plan)) == [
        "guide goes to everyone on 2026-12-21 already: who had it is left out, so write something new (R-000-16)"
    ]
    fork = {"branch": {"if": {"clicked": True}, "then": [{"email": "guide", "mail_type": "download"}]}, "name": "asked"}
    again = {"email": "guide", "mail_type": "download", "name": "guide_again"}
    assert told(year(scenarios=[{"scenario": "follow_up", "journey": [fork, again]}])) == [
        "the journey sends guide twice to one lead (R-000-16)"
    ]
    apart = {"branch": {**fork["branch"], "else": [again]}, "name": "asked"}
    assert told(year(scenarios=[{"scenario": "follow_up", "journey": [apart]}])) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (None, "case tells of a customer: write the customer's consent into case_permissions (R-001-15)"),
        (
            {"until": "2026-12-01"},
            "case is sent on 2026-12-21, and the consent of 見本物流 ended on 2026-12-01 (R-001-15)",
        ),
        ({"given_on": "2027-01-01"}, "case is sent on 2026-12-21, and 見本物流 consents from 2027-01-01 (R-001-15)"),
        ({}, None),
    ],
)
def test_r_001_15_a_case_without_the_customers_consent_stops(changed: dict[str, str] | None, message: str | None):
    plan = [*year().body()["plan"], entry("2026-12-21", "case", "case_study")]
    consent = {} if changed is None else {"case": {**CONSENT["case"], **changed}}
    assert stops(year(plan=plan, case_permissions=consent)) == ([message] if message else [])


def test_r_000_20_a_product_does_not_start_before_it_is_ready():
    asked = year(readiness={"leads": 300, "emails": 9})
    missing = [
        "5 emails of 9 are written: too few for the first mail (R-000-20)",
        "nobody is named: who plans, who writes, who answers for sales? (R-000-20)",
    ]
    assert stops(asked) == missing
    assert stops(asked, past=Past(leads=12)) == ["12 leads of 300: too few for the first mail (R-000-20)", *missing]
    assert stops(asked, past=Past(leads=12, has_sent=True)) == []


def test_a_day_that_is_past_and_was_never_sent_stops_once_the_product_runs():
    late = [entry("2026-11-10", "guide", "download"), entry("2026-12-10", "news", "product_news")]
    message = "2026-11-10 is past and 'download_2026_11_10' was never sent: move its date"
    assert stops(year(plan=late), TODAY, Past(leads=1, first_run_on=date(2026, 9, 1))) == [message]
    assert stops(year(plan=late), TODAY, Past(leads=1, first_run_on=date(2026, 11, 12))) == []
    ran = Past(leads=1, first_run_on=date(2026, 9, 1), entries={"download_2026_11_10": {}})
    assert stops(year(plan=late), TODAY, ran) == []
    assert stops(year(plan=late), TODAY, None) == []
    before = "'download_2026_11_10' of 2026-11-10: past before the product's first run, and never sent: move what is "
    assert f"{before}still to be sent" in told(year(plan=late), TODAY, Past(leads=1, first_run_on=date(2026, 11, 12)))


def test_a_month_that_is_past_is_no_gap():
    asked = year(leave_out=["2026-08"])
    assert "no mail in 2026-08 (R-001-20)" in told(asked, date(2026, 8, 31))
    assert not [message for message in told(asked, date(2026, 9, 1)) if "R-001-20" in message]


def test_r_000_21_mails_that_come_ever_more_seldom_and_a_start_that_stalled():
    days = [date(2026, 1, 5) + timedelta(days=gap) for gap in (0, 28, 65, 120)]
    drifting = [entry(f"{day}", None, "event") for day in days]
    assert "the plan's mails come ever more seldom, 28, 37, 55 days apart (R-000-21)" in told(year(plan=drifting))
    sent = Past(leads=1, has_sent=True, sent_on=[date(2026, 9, 1), date(2026, 9, 20)])
    assert "nothing was sent since 2026-09-20, after 2 mails: it has stalled (R-000-21)" in told(year(), TODAY, sent)
    assert "the plan ends on 2026-12-20: write what comes then (R-001-11, R-000-21)" in told(year(), TODAY)


def test_a_month_and_a_week_mean_their_first_day():
    plan = [entry("2026-12", "guide", "download"), entry("2026-W53", "news", "product_news")]
    assert [found.date for found in year(plan=plan).plan] == [date(2026, 12, 1), date(2026, 12, 28)]
    with pytest.raises(ValueError, match="2027 has no week 53"):
        year(plan=[entry("2027-W53", "news", "product_news")])
