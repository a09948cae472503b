"""Unfinished: nobody undoes, answers or erases while a consolidation's decision is written only in part."""

import sqlalchemy as sa

from nurture import db
from nurture.problem import Problem


def wait_until_consolidated(conn: sa.Connection) -> None:
    """Wait for a consolidation that runs, and keep the next one waiting until the transaction ends.

    Raise Problem where one was stopped and has not been ended.
    """
    db.run(conn, db.statements("consolidate").lock)
    if db.run(conn, db.statements("assigning").is_unfinished).scalar_one():
        raise Problem("a consolidation was stopped on its way: `nurture run consolidate` ends it, then try again")
