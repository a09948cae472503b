"""A small world for the sample products: two dozen people, what they did by 27 November 2026, and no more."""

from datetime import date, timedelta

import sqlalchemy as sa
from builders import insert, lead, value

TODAY = date(2026, 11, 27)
PEOPLE = (
    # source, industry, employees, department, title; what was done so many days ago: (product, kind, subject, days)
    ("exhibition_badges", "manufacturing", 300, "it", "manager", [("cloud_backup", "visited", "/pricing", 5)]),
    ("exhibition_badges", "logistics", 120, "general_affairs", "staff", []),
    ("business_cards_cp932", "retail", 80, "hr", "director", [("shift_planner", "visited", "/case/store", 40)]),
    ("web_forms", "manufacturing", 900, "it", "director", [("cloud_backup", "submitted", "document_request", 85)]),
    ("web_forms", "medical", 60, "hr", "manager", [("shift_planner", "submitted", "document_request", 3)]),
    ("web_forms", "retail", 400, "general_affairs", "staff", [("shift_planner", "submitted", "quote_request", 2)]),
    ("seminar_attendees", "logistics", 2000, "it", "manager", [("cloud_backup", "attended", "seminar", 30)]),
    ("crm_export", "hospitality", 45, "executive_office", "executive", []),
)


def settle(conn: sa.Connection, times: int = 3) -> None:
    """Make the people, `times` of each kind; the last of all refused everything, and one has no consent."""
    number = 0
    for turn in range(times):
        for source, industry, employees, department, title, done in PEOPLE:
            number += 1
            made = lead(
                conn, f"p{number}@{'first' if turn == 0 else 'second'}.example", consent=number != 2,
                name=f"見本 {number}", industry=industry, employees=employees, department_function=department,
                title_level=title, region="kanto", first_source=source,
            )  # fmt: skip
            insert(
                conn, "source_records", source=source, source_key=str(number), lead_id=made,
                occurred_at=f"{TODAY - timedelta(days=90 + turn)}T00:00:00Z",
            )  # fmt: skip
            for product, kind, subject, days in done:
                insert(
                    conn, "signals", lead_id=made, product=product, kind=kind, subject=subject,
                    day=str(TODAY - timedelta(days=days + turn)),
                )  # fmt: skip
    last = value(conn, "select max(lead_id) from leads")
    insert(conn, "opt_outs", lead_id=last, address_id=None, occurred_at="2026-11-01T00:00:00Z")
    conn.commit()
