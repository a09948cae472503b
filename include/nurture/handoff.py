"""Hand-off: the leads that are ready reach sales, once, with what a rep needs to know before calling."""

from datetime import datetime, timedelta
from html import escape
from typing import Any

import sqlalchemy as sa

from nurture import db, versions
from nurture.answers import Refused, Unanswered
from nurture.crm import Crm
from nurture.definitions.products import Product
from nurture.predicates import fill_audience

OVERLAP = timedelta(days=1)  # outcomes are asked for again from so long before the newest known change


def qualify(conn: sa.Connection, product: Product, as_of: datetime, *, live: bool = True) -> dict[str, int]:
    """Record who meets the product's condition at `as_of`; a run that is not `live` counts who would have (N7)."""
    sql = db.statements("handoff")
    condition = product.qualification
    fill_audience(conn, condition.when, product, as_of)
    if not live:
        would = db.run(conn, sql.would_qualify, product=product.product, as_of=as_of).scalar_one()
        conn.commit()
        return {"qualified": 0, "would_qualify": would}
    kept = versions.keep(conn, product.product, "qualification", "qualification", condition.body())
    qualified = db.count(
        conn, sql.qualify,
        product=product.product, as_of=as_of, definition_hash=kept, again_before=as_of - condition.again_after.span(),
    )  # fmt: skip
    conn.commit()
    return {"qualified": qualified, "would_qualify": qualified}


def hand_off(conn: sa.Connection, product: Product, at: datetime, crm: Crm) -> dict[str, int]:
    """Make the hand-offs that sales can take, and push every pending one to the CRM, each in its own transaction.

    Returns counts: created, pushed, failed. A failure stays pending with its reason; one that `stops` ends the run.
    """
    sql = db.statements("handoff")
    capacity = product.handoff.capacity
    counts = {"created": 0, "pushed": 0, "failed": 0}
    counts["created"] = db.count(
        conn, sql.create_handoffs,
        product=product.product, at=at, crm=crm.name, per_week=capacity.per_week if capacity else None,
    )  # fmt: skip
    conn.commit()
    while True:
        row = db.run(conn, sql.pending, product=product.product, passed=counts["failed"]).one_or_none()
        if row is None:
            conn.commit()
            return counts
        try:
            crm_id = row.crm_id or crm.push_contact(_contact(row), row.known_crm_id)
            which = {"handoff_id": row.handoff_id}
            db.run(conn, sql.record_contact, crm=crm.name, lead_id=row.lead_id, crm_id=crm_id, **which)
            crm.push_note(crm_id, note(row.dossier), f"handoff-{row.handoff_id}", at)
            db.run(conn, sql.record_pushed, at=at, **which)
            counts["pushed"] += 1
        except (Refused, Unanswered) as failure:
            db.run(conn, sql.record_failure, handoff_id=row.handoff_id, reason=str(failure)[:500])
            counts["failed"] += 1
            if isinstance(failure, Refused) and failure.stops:
                conn.commit()
                return counts
        conn.commit()


def pull_outcomes(conn: sa.Connection, as_of: datetime, crm: Crm) -> dict[str, int]:
    """Take in what sales did: deals opened, won and lost, leads taken on and given back, and who wants no mail at all.

    Raises what the CRM raises.
    """
    sql = db.statements("handoff")
    known = db.run(conn, sql.newest_change, crm=crm.name).scalar()
    conn.commit()
    since = (known or as_of - timedelta(days=365)) - OVERLAP
    deals, outcomes = crm.deals_since(since), crm.outcomes_since(since)
    counts = {
        "opportunities": db.count(conn, sql.upsert_opportunities, crm=crm.name, deals=db.json_rows(deals)),
        "outcomes": db.run(conn, sql.record_outcomes, crm=crm.name, outcomes=db.json_rows(outcomes)).scalar_one(),
    }
    counts["closed"] = db.count(conn, sql.close_handoffs)
    refused = db.json_rows(crm.refusals_since(since if known else None))  # at first, whenever they said it
    counts["refusals"] = db.count(conn, db.statements("refusals").record_crm_refusals, crm=crm.name, refused=refused)
    conn.commit()
    return counts


def _contact(row: sa.Row) -> dict[str, Any]:
    """Return the contact as the CRM is told of it, by its own field names."""
    lead = row.dossier["lead"]
    return {
        "email": row.address, "firstname": row.first_name, "lastname": row.last_name or lead["name"],
        "company": lead["company"], "jobtitle": lead["title"], "phone": lead["phone"],
        "lifecyclestage": "marketingqualifiedlead", "nurture_lead_id": row.lead_id,
        "nurture_product": row.dossier["product"], "nurture_score": row.dossier["score"],
        "nurture_qualified_at": row.dossier["qualified_at"],
    }  # fmt: skip


def note(dossier: dict[str, Any]) -> str:
    """Return the dossier as the note that a rep reads: who, where from, what they did, why now; values escaped."""
    lead, first = dossier["lead"], dossier["first_touch"]
    who = " / ".join(str(lead[key]) for key in ("company", "department", "title", "name") if lead.get(key))
    origin = " / ".join(str(first[key]) for key in ("source", "keyword", "page", "form") if first.get(key))
    lines = [
        f"{dossier['product']}: スコア {dossier['score']}（属性 {dossier['fit']} + 行動 {dossier['engagement']}）",
        f"お客様: {who}",
        f"最初の接点: {origin}",
        "直近の行動:",
        *(f"・{line}" for line in dossier["did"]),
    ]
    return "<br>".join(escape(line) for line in lines)
