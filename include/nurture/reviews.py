"""Reviews: what a person decides about who is who: two records are one person's, or two people's for ever."""

import math
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from nurture import db, merges
from nurture.unfinished import wait_until_consolidated

Answer = Literal["yes", "no", "not_sure"]


def waiting(conn: sa.Connection, at_most: int = 20) -> list[dict[str, Any]]:
    """Return the pairs that wait for an answer, the surest first: review_id, evidence, and the sides `a` and `b`."""
    found: dict[int, dict[str, Any]] = {}
    for row in db.run(conn, db.statements("reviews").open_reviews, at_most=at_most).mappings():
        pair = found.setdefault(row["review_id"], {"review_id": row["review_id"], "evidence": row["evidence"]})
        pair[row["letter"]] = {name: row[name] for name in ("lead_id", "source", "source_key", "occurred_at", "fields")}
    return list(found.values())


def answer(conn: sa.Connection, review_id: int, said: Answer, who: str, at: datetime) -> int | None:
    """Keep a person's answer; a yes merges the younger lead into the older. Return the lead that they are, if one.

    A no parts the two for ever. Raise LookupError for a review that is none or that has merged already, ValueError
    for a yes about two whom somebody has said apart.
    """
    sql = db.statements("reviews")
    wait_until_consolidated(conn)
    records = db.run(conn, sql.answer_review, review_id=review_id, answer=said, answered_by=who, at=at).one_or_none()
    if records is None:
        raise LookupError(review_id)
    if said != "yes":
        return None
    pair = {"record_a": records.record_a, "record_b": records.record_b}
    leads = db.run(conn, sql.leads_of_records, **pair).scalars().all()
    if len(leads) == 2:
        survivor, merged = leads
        if db.run(conn, sql.said_apart, lead_a=survivor, lead_b=merged).first():
            raise ValueError(f"leads {survivor} and {merged} were said to be two people")
        merges.merge(conn, [(survivor, merged, f"review {review_id}")], at)
        merges.fill_again(conn, [survivor], at)
    db.run(conn, sql.insert_decided_edge, decided_by=who, **pair)
    return leads[0]


def labels(conn: sa.Connection) -> list[dict[str, Any]]:
    """Return by kind of evidence how people answered: kind, counts, and `least_share`, of yes.

    `least_share` is the lower end of Wilson's 95 % interval (Wilson 1927), which few answers keep low.
    """
    found = db.run(conn, db.statements("reviews").labels).mappings()
    return [{**row, "least_share": _least_share(row["yes_count"], row["no_count"])} for row in found]


def _least_share(yes: int, no: int) -> float:
    number, z = yes + no, 1.96
    if not number:
        return 0.0
    share = yes / number
    spread = z * math.sqrt(share * (1 - share) / number + z * z / (4 * number * number))
    return round(max(0.0, (share + z * z / (2 * number) - spread) / (1 + z * z / number)), 3)
