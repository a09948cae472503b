"""Reporting: the facts of each day, recounted from what happened."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from nurture import db

LATE = timedelta(days=35)  # opens and clicks come late; Logs keep 30 days


def recount(conn: sa.Connection, as_of: datetime, zones: Mapping[str, str]) -> dict[str, int]:
    """Recount the daily facts of the products in `zones` (product → time zone) for the last 35 days before `as_of`."""
    changed = db.count(conn, db.statements("reporting").recount, zones=db.as_json(dict(zones)), since=as_of - LATE)
    conn.commit()
    return {"facts": changed}


def overview(conn: sa.Connection) -> list[dict[str, Any]]:
    """Return one row a product: what a person asks first."""
    return [dict(row) for row in db.run(conn, db.statements("reporting").overview).mappings()]
