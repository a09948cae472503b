"""World: leads, companies, mailboxes, consents and a year of signals by the million, made where they are used.

Everything is set-based SQL from a seed: the same arguments give the same rows. What a lead is and did follows from a
hash of its number, so nothing is read from a file and nothing is kept in memory.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from nurture import db
from nurture.benchmarks.measuring import Bench

UNTIL = datetime(2026, 11, 20, tzinfo=ZoneInfo("Asia/Tokyo"))  # nothing of the world happened later
PEOPLE_A_COMPANY = 12
SIGNALS_A_LEAD = 10  # on average
_ANALYZED = "leads, accounts, addresses, lead_addresses, consents, opt_outs, suppressions, source_records, signals"


class World(NamedTuple):
    """What was made."""

    leads: int
    accounts: int
    signals: int
    until: datetime


def build(
    bench: Bench,
    conn: sa.Connection,
    products: Sequence[str] = ("cloud_backup", "shift_planner"),
    emails: Sequence[str] = ("case_logistics", "restore_drill", "design_guide", "seminar_invitation"),
    signals_a_lead: int = SIGNALS_A_LEAD,
) -> World:
    """Fill an empty database with `bench.rows` leads and their signals for the products; commit.

    Lead n has the mailbox of address n (one in 64 that of lead n - 1), and so many signals on average; with none the
    table stays empty. The sample products select, plan and send to these leads as they stand.
    """
    sql = db.statements("benchmarks")
    leads, accounts = bench.rows, max(1, bench.rows // PEOPLE_A_COMPANY)
    seeded = {"seed": bench.seed * 1_000}
    with bench.phase("make the leads", leads):
        db.run(conn, sql.trust)
        landing_id = db.run(conn, sql.add_landing, until=UNTIL, leads=leads).scalar_one()
        db.run(conn, sql.add_accounts, accounts=accounts, **seeded)
        db.run(conn, sql.add_leads, leads=leads, accounts=accounts, until=UNTIL, **seeded)
        db.run(conn, sql.add_records, landing_id=landing_id)
        db.run(conn, sql.add_addresses)
        db.run(conn, sql.link_addresses, **seeded)
        db.run(conn, sql.add_consents, **seeded)
        db.run(conn, sql.add_opt_outs, product=products[0], **seeded)
        db.run(conn, sql.add_suppressions, until=UNTIL, **seeded)
        db.run(conn, sql.continue_numbers, leads=leads, accounts=accounts)
        conn.commit()
    made = 0
    if signals_a_lead:
        with bench.phase("make their signals", leads * signals_a_lead):
            db.run(conn, sql.trust)
            db.run(conn, sql.drop_signal_indexes)
            db.run(conn, sql.create_acts)
            db.run(conn, sql.fill_acts, emails=list(emails))
            made = db.count(
                conn, sql.add_signals, products=list(products), average=signals_a_lead, until=UNTIL, **seeded
            )
            db.run(conn, sql.lay_signal_indexes)
            conn.commit()
    conn.exec_driver_sql(f"analyze {_ANALYZED}")
    conn.commit()
    return World(leads, accounts, made, UNTIL)
