"""Changed definitions: what must be said of those under way, which names are for ever."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from builders import NOON, company, insert, lead, product, scenario

from nurture import journeys, plan, segments, versions
from nurture.definitions import changes
from nurture.definitions.past import Past
from nurture.definitions.problems import Document

PAGE = Document("include/products/backup/scenarios/follow_up.yaml", "scenario: follow_up\n", {})
THANKS = {"email": "thanks", "mail_type": "know_how"}
CASE = {"email": "case", "mail_type": "case_study"}
COOL_OFF = {"wait": "3 days", "name": "cool_off"}
ENTRY = {"name": "november", "date": "2026-11-16", "email": "guide", "to": "everyone", "mail_type": "download"}
WALKED = product(scenarios=[{"scenario": "follow_up", "journey": [THANKS, COOL_OFF, CASE]}], plan=[ENTRY])


@pytest.fixture
def past(conn: sa.Connection) -> Past:
    """What is known of a product that has run once: one lead under way, one entry planned."""
    lead(conn)
    insert(conn, "runs", dag="nurture_backup", product="backup", as_of=NOON, kind="manual")
    segments.refresh(conn, WALKED, NOON)
    calendar = company().calendars["always"]
    journeys.walk(conn, WALKED, calendar, NOON)
    plan.plan_due(conn, WALKED, calendar, NOON)
    return versions.past(conn, WALKED)


def changed(past: Past, journey: list[Any], **said: Any) -> list[str]:
    found = scenario(scenario="follow_up", journey=journey, **said)
    return [problem.message for problem in changes.of_scenario(found, PAGE, past)]


def test_the_past_is_what_ran(past: Past):
    assert (past.leads, past.first_run_on, past.has_sent) == (1, date(2026, 11, 16), False)
    assert [walked.under_way for walked in past.versions["follow_up"]] == [1]
    assert list(past.entries) == ["november"]


def test_a_change_of_the_journey_says_what_happens_to_those_under_way(past: Past):
    asks = (
        "1 leads are under way on the journey as it was: say what happens to them, in_flight: finish_old, move_on "
        "(to the step of the same name) or stop"
    )
    shorter = [THANKS, {"wait": "1 days", "name": "cool_off"}, CASE]
    assert changed(past, shorter) == [asks]
    assert changed(past, shorter, in_flight="move_on") == []
    assert changed(past, [THANKS, COOL_OFF, CASE], purpose="other words", holdout="5%") == []
    assert changed(past, [THANKS, COOL_OFF, CASE], goal={"submitted": "quote_request"}) == [asks]


def test_n1_a_step_that_has_run_keeps_its_name(past: Past):
    mailed = [{**THANKS, "name": "hello"}, COOL_OFF, CASE]
    waited = [THANKS, {**COOL_OFF, "name": "pause"}, CASE]
    assert changed(past, mailed, in_flight="stop") == [
        "the step 'thanks' has run and is called 'hello' now: keep its name, or who had its mail gets it again"
    ]
    assert len(changed(past, waited, in_flight="stop")) == 1
    assert changed(past, [{"email": "guide", "mail_type": "download"}, COOL_OFF, CASE], in_flight="stop") == []


def test_n1_an_entry_that_has_run_keeps_its_name(past: Past):
    def renamed(**said: Any) -> list[str]:
        asked = product(plan=[{**ENTRY, **said}])
        return [problem.message for problem in changes.of_plan(asked, PAGE, past)]

    assert renamed(name="november_guide", date="2026-11-30") == [
        "the entry 'november' has run and is called 'november_guide' now: keep its name (its date may move)"
    ]
    assert renamed(date="2026-11-30") == []
    assert renamed(name="march_guide", date="2027-03-16") == []
