"""Pipeline: the stages of a run in an order in which what has happened decides what is done."""

from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from builders import DAY, LINKS, NOON, Provider, company, lead, product, rows, told

from nurture import pipeline
from nurture.definitions.load import Loaded
from nurture.pipeline import Edges, Work

BRANCH = {"if": {"clicked": "thanks"}, "then": [{"email": "case", "mail_type": "case_study"}],
          "else": [{"email": "news", "mail_type": "product_news"}]}  # fmt: skip
FOLLOW_UP = {
    "scenario": "follow_up",
    "journey": [
        {"email": "thanks", "mail_type": "know_how"},
        {"wait": "1 day", "name": "a_night"},
        {"branch": BRANCH, "name": "clicked_or_not"},
    ],
}


class Mailing(Provider):
    """A mail provider that takes everything and tells nothing, and a CRM that is asked nothing."""

    name = "hubspot"
    send = Provider.__call__
    logged_message_ids = None  # nothing is unknown


def test_what_happened_last_night_decides_what_todays_run_sends(conn: sa.Connection, tmp_path: Path):
    clicks, refuses, idles = lead(conn), lead(conn), lead(conn)
    edges = Edges(Mailing(), Mailing(), LINKS, str(tmp_path), str, lambda _: None)  # pyright: ignore[reportArgumentType]
    defined = Loaded(company=company(), products={"backup": product(scenarios=[FOLLOW_UP])})
    night, morning = NOON + DAY / 2, NOON + DAY + DAY / 24

    def run(at: datetime) -> None:
        pipeline.run_product(Work(conn, defined, {}, edges, at, at, name="backup"), "scheduled")

    run(NOON)
    mails = dict(rows(conn, "select lead_id, message_id from messages"))
    assert set(mails) == {clicks, refuses, idles}
    told(conn, "click", mails[clicks], night, url="https://www.backup.example/case", received_at=night)
    told(conn, "spamreport", mails[refuses], night, received_at=night)
    conn.commit()
    run(morning)
    assert rows(conn, "select lead_id, email from messages where planned_at > %(noon)s order by 1", noon=NOON) == [
        (clicks, "case"), (idles, "news"),
    ]  # fmt: skip
