"""Restore: after an older database came back, nothing is sent until it knows what was sent since."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from nurture import db, holds
from nurture.sendgrid import Logged

Listed = Callable[
    [datetime, datetime], tuple[list[Logged], list[datetime]]
]  # what was logged; seconds too full to list
Detail = Callable[[str], Mapping[str, str]]  # sg_message_id -> custom_args
IDS_AHEAD = 10_000_000  # so that no new message takes the id of one that was sent and is not known here


class TakenIn(NamedTuple):
    """What the provider told: mails sent since the backup, and the seconds of which it does not tell all."""

    mails: int
    requests: int
    incomplete: list[datetime]


def hold_after_restore(conn: sa.Connection, backup_at: datetime, at: datetime) -> None:
    """Hold all sending, and keep the ids of messages clear of those that were given since the backup."""
    words = f"the database is that of {backup_at:%F %R}Z: what was sent since then is not known"
    holds.hold(conn, "everything", "", "restored", words, at)
    db.run(conn, db.statements("restore").skip_message_ids, ahead=IDS_AHEAD)
    conn.commit()


def take_in_sent(conn: sa.Connection, backup_at: datetime, at: datetime, listed: Listed, detail: Detail) -> TakenIn:
    """Keep what the provider's Logs say was sent since the backup; may be run again and goes on.

    A request is of one occasion, so one member's details tell the occasion of all. The Logs reach 30 days back and
    list at most 1,000 mails a query. Raises what the edge raises.
    """
    sql = db.statements("restore")
    found, incomplete = listed(backup_at, at)
    requests: dict[str, list[Logged]] = {}
    for mail in found:
        requests.setdefault(mail.sg_message_id.partition(".")[0], []).append(mail)
    for members in requests.values():
        mark = detail(members[0].sg_message_id).get("occasion")
        if mark:
            rows = db.json_rows(
                {"address": mail.address.lower(), "sent_at": mail.sent_at.isoformat()} for mail in members
            )
            db.run(conn, sql.keep_addresses, mails=rows)
            db.run(conn, sql.keep_sent, mails=rows, occasion_mark=mark)
            conn.commit()
    return TakenIn(len(found), len(requests), incomplete)
