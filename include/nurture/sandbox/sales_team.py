"""Sales team: takes on what it was handed, sends some back with a reason, opens deals, wins and loses them.

Everything that it will do with a contact is decided when the contact is handed over, from the seed and the address.
"""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from nurture.sandbox import crm_store
from nurture.sandbox.people import draw
from nurture.sandbox.recipients import DAY, HOUR, working_moment

DEAL_TO_CONTACT = 3  # HubSpot's own association type id
REASONS = ("予算がない", "時期が合わない", "担当者ではない", "競合他社に決定済み", "情報収集のみ")
LOST_REASONS = ("価格", "競合", "見送り", "予算凍結")
SHARE_NEGLECTED = 0.12
SHARE_RETURNED = 0.20
SHARE_OPENED = 0.65
SHARE_WON = 0.40


def is_handed_over(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> bool:
    """Say whether a write to a contact means that marketing hands it over: a qualification that was not there."""
    names = {name for name in after if name.startswith("nurture_qualif")} or {"lifecyclestage"}
    changed = {name for name in names if after.get(name) and after.get(name) != before.get(name)}
    return bool(changed) and (changed != {"lifecyclestage"} or after["lifecyclestage"] == "marketingqualifiedlead")


def decide(db: sqlite3.Connection, seed: int, contact: sqlite3.Row, at: float) -> list[tuple[float, str, int, str]]:
    """Return what the team will do with a contact for its product, as rows of the queue; nothing while it is at it."""
    contact_id = contact["object_id"]
    held = json.loads(contact["properties"])
    product = held.get("nurture_product")
    busy = db.execute(
        "select 1 from queue where kind = 'sales' and about = ? and json_extract(detail, '$.product') is ?",
        (contact_id, product),
    ).fetchone()
    if busy:
        return []
    chance = draw(seed, "sales", held.get("email"), product, int(at // DAY))
    if chance.random() < SHARE_NEGLECTED:
        return []
    owner = chance.choice(crm_store.OWNERS)["id"]
    taken_at = working_moment(at + chance.uniform(1 * HOUR, 2 * DAY), chance)
    acts: list[tuple[float, dict[str, Any]]] = []
    if chance.random() < SHARE_RETURNED:
        acts.append((taken_at, {"do": "return", "owner": owner, "reason": chance.choice(REASONS)}))
    else:
        acts.append((taken_at, {"do": "take", "owner": owner}))
        if chance.random() < SHARE_OPENED:
            amount = chance.randrange(4, 80) * 100_000
            opened_at = working_moment(taken_at + chance.uniform(1 * DAY, 10 * DAY), chance)
            acts.append((opened_at, {"do": "open", "owner": owner, "amount": amount}))
            closed_at = working_moment(opened_at + chance.uniform(10 * DAY, 60 * DAY), chance)
            if chance.random() < SHARE_WON:
                final = round(amount * chance.uniform(0.8, 1.1), -4)
                acts.append((closed_at, {"do": "win", "amount": int(final)}))
            else:
                acts.append((closed_at, {"do": "lose", "reason": chance.choice(LOST_REASONS)}))
        else:
            late = working_moment(taken_at + chance.uniform(3 * DAY, 15 * DAY), chance)
            acts.append((late, {"do": "return", "owner": owner, "reason": chance.choice(REASONS)}))
    return [
        (moment, "sales", contact_id, json.dumps({**act, "product": product}, ensure_ascii=False))
        for moment, act in acts
    ]


class SalesTeam:
    """Does what was decided, when its moment has come."""

    def __init__(self, seed: int) -> None:
        """Work from a seed."""
        self._seed = seed

    def act(self, db: sqlite3.Connection, contact_id: int, at: float, detail: dict[str, Any]) -> None:
        """Do one thing; a contact that was deleted meanwhile is left alone."""
        contact = db.execute(
            "select * from crm_objects where object_id = ? and is_archived = 0", (contact_id,)
        ).fetchone()
        if contact is None:
            return
        match detail["do"]:
            case "take":
                self._say(db, contact, at, "sales_accepted", "IN_PROGRESS", detail["owner"])
            case "return":
                self._say(db, contact, at, "returned", "UNQUALIFIED", detail["owner"], detail["reason"])
            case "open":
                self._open(db, contact, at, detail)
            case "win" | "lose":
                self._close(db, contact, at, detail)

    def _say(
        self,
        db: sqlite3.Connection,
        contact: sqlite3.Row,
        at: float,
        status: str,
        hubspot_status: str,
        owner: str,
        reason: str | None = None,
    ) -> None:
        said = {
            "nurture_sales_status": status,
            "nurture_sales_status_at": crm_store.iso(at),
            "nurture_return_reason": reason,
            "hs_lead_status": hubspot_status,
            "hubspot_owner_id": owner,
        }
        crm_store.update(db, contact, said, at)

    def _open(self, db: sqlite3.Connection, contact: sqlite3.Row, at: float, detail: dict[str, Any]) -> None:
        held = json.loads(contact["properties"])
        self._say(db, contact, at, "sales_qualified", "OPEN_DEAL", detail["owner"])
        contact = db.execute("select * from crm_objects where object_id = ?", (contact["object_id"],)).fetchone()
        crm_store.update(db, contact, {"lifecyclestage": "opportunity"}, at)
        deal = crm_store.create(
            db,
            "deals",
            {
                "dealname": f"{held.get('company') or held.get('lastname') or held.get('email')} 様 ご提案",
                "amount": str(detail["amount"]),
                "deal_currency_code": "JPY",
                "dealstage": "appointmentscheduled",
                "pipeline": "default",
                "hs_is_closed": "false",
                "hs_is_closed_won": "false",
                "hubspot_owner_id": detail["owner"],
                "nurture_lead_id": held.get("nurture_lead_id"),
                "nurture_product": detail["product"],
            },
            at,
        )
        crm_store.associate(db, deal["object_id"], contact["object_id"], DEAL_TO_CONTACT)

    def _close(self, db: sqlite3.Connection, contact: sqlite3.Row, at: float, detail: dict[str, Any]) -> None:
        deal = db.execute(
            "select crm_objects.* from crm_objects inner join crm_associations on from_id = object_id"
            " where to_id = ? and object_type = 'deals' and json_extract(properties, '$.hs_is_closed') = 'false'"
            " and json_extract(properties, '$.nurture_product') is ? order by object_id desc",
            (contact["object_id"], detail["product"]),
        ).fetchone()
        if deal is None:
            return
        is_won = detail["do"] == "win"
        closed = {
            "dealstage": "closedwon" if is_won else "closedlost",
            "hs_is_closed": "true",
            "hs_is_closed_won": "true" if is_won else "false",
            "closedate": crm_store.iso(at),
            "closed_lost_reason": detail.get("reason"),
        }
        if is_won:
            closed["amount"] = str(detail["amount"])
            crm_store.update(db, contact, {"lifecyclestage": "customer"}, at)
        crm_store.update(db, deal, closed, at)
