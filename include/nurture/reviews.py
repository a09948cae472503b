"""Reviews: what a person decides about who is who: a merge by hand, two people for ever, a merge undone."""

from datetime import datetime
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from nurture import db

Answer = Literal["yes", "no", "not_sure"]


class Undone(NamedTuple):
    """Two leads that were one."""

    survivor: int
    merged: int


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
    sql, stage = db.statements("reviews"), db.statements("consolidate")
    db.run(conn, stage.lock)
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
        db.run(conn, stage.merge_lead, survivor=survivor, merged=merged, reason=f"review {review_id}", as_of=at)
    db.run(conn, sql.insert_decided_edge, decided_by=who, **pair)
    _fill_again(conn, leads[:1], at)
    return leads[0]


def unmerge(conn: sa.Connection, lead_id: int, who: str, at: datetime) -> Undone | None:
    """Undo the newest merge of a lead, or return None where it has none.

    Each has its own records, messages and events again, refusals made meanwhile hold for both, both are scored anew,
    and the two are never joined or proposed again. What the merge ended (enrollments, planned messages) stays ended.
    """
    sql, stage = db.statements("reviews"), db.statements("consolidate")
    db.run(conn, stage.lock)
    merge = db.run(conn, sql.newest_merge, lead_id=lead_id).one_or_none()
    if merge is None:
        return None
    db.run(conn, sql.undo_merge, merge_id=merge.merge_id, merged=merge.merged_id, at=at)
    current = db.run(conn, sql.current_lead, lead_id=merge.survivor_id).scalar_one()
    both = {"survivor": current, "merged": merge.merged_id}
    db.run(conn, sql.say_apart, **both, answered_by=who, at=at)
    db.run(conn, sql.deactivate_edges, **both)
    db.run(conn, sql.share_refusals, **both, merged_at=merge.merged_at)
    _fill_again(conn, both.values(), at)
    return Undone(**both)


def _fill_again(conn: sa.Connection, leads: Any, at: datetime) -> None:
    """Make the leads' attributes of all their records anew, and mark them for rescoring."""
    sql, stage = db.statements("reviews"), db.statements("consolidate")
    found = db.run(conn, sql.records_of, leads=list(leads)).all()
    db.run(conn, stage.create_batch)
    db.copy_rows(conn, stage.copy_batch, ((record_id, lead_id, None) for record_id, lead_id in found))
    db.run(conn, stage.survive, as_of=at)
    for statement in (stage.fill_accounts, stage.inherit, stage.mark_for_rescoring):
        db.run(conn, statement)
    db.run(conn, sql.drop_batch)
