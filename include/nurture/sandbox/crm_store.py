"""CRM store: contacts, notes, tasks and deals as HubSpot holds them, with its rules about values."""

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from nurture.sandbox.mail_send import is_address
from nurture.sandbox.store import Store

TYPES = ("contacts", "notes", "tasks", "deals", "companies")
UNIQUE = ("email", "nurture_lead_id")  # contact properties by which an upsert may name a contact
STAGES = (
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
)
PROPERTIES = {
    "contacts": "email firstname lastname company jobtitle phone mobilephone website city state zip address country"
    " industry numberofemployees lifecyclestage hs_lead_status hubspot_owner_id hs_object_id createdate"
    " lastmodifieddate hs_language hs_email_optout message",
    "notes": "hs_note_body hs_timestamp hubspot_owner_id hs_attachment_ids hs_object_id hs_createdate"
    " hs_lastmodifieddate",
    "tasks": "hs_task_subject hs_task_body hs_timestamp hs_task_status hs_task_priority hs_task_type hubspot_owner_id"
    " hs_object_id hs_createdate hs_lastmodifieddate",
    "deals": "dealname amount deal_currency_code dealstage pipeline closedate hs_is_closed hs_is_closed_won"
    " closed_lost_reason hubspot_owner_id hs_object_id createdate hs_lastmodifieddate",
    "companies": "name domain industry numberofemployees hs_object_id createdate hs_lastmodifieddate",
}
KNOWN = {name: frozenset(listed.split()) for name, listed in PROPERTIES.items()}
BY_DEFAULT = {
    "contacts": ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
    "notes": ("hs_createdate", "hs_lastmodifieddate", "hs_object_id"),
    "tasks": ("hs_createdate", "hs_lastmodifieddate", "hs_object_id"),
    "deals": ("amount", "closedate", "createdate", "dealname", "dealstage", "hs_lastmodifieddate", "hs_object_id",
              "pipeline"),
    "companies": ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
}  # fmt: skip
_CUSTOM = re.compile(r"nurture_[a-z0-9_]{1,90}")
OWNERS = (
    {"id": "9001", "email": "sato@sales.example", "firstName": "恵", "lastName": "佐藤"},
    {"id": "9002", "email": "suzuki@sales.example", "firstName": "健一", "lastName": "鈴木"},
    {"id": "9003", "email": "takahashi@sales.example", "firstName": "由美", "lastName": "高橋"},
)


class Invalid(Exception):
    """A write that HubSpot would refuse; `category` and `message` are its words."""

    def __init__(self, message: str, category: str = "VALIDATION_ERROR", status: int = 400) -> None:
        """Say what is wrong."""
        super().__init__(message)
        self.message, self.category, self.status = message, category, status


def iso(moment: float) -> str:
    """Return a moment as HubSpot writes it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def checked(object_type: str, properties: Any) -> dict[str, str | None]:
    """Return properties as strings; a name that does not exist or a value that HubSpot refuses is Invalid.

    Custom properties that begin with `nurture_` count as created beforehand.
    """
    if not isinstance(properties, dict):
        raise Invalid("properties must be an object")
    found: dict[str, str | None] = {}
    for name, value in properties.items():
        if name not in KNOWN[object_type] and not _CUSTOM.fullmatch(name):
            raise Invalid(f'Property values were not valid: Property "{name}" does not exist (PROPERTY_DOESNT_EXIST)')
        if value is not None and not isinstance(value, str | int | float | bool):
            raise Invalid(f'Property values were not valid: "{name}" must be a string')
        text = None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        if name == "email" and text:
            text = text.strip().lower()
            if not is_address(text):
                raise Invalid(f"Property values were not valid: Email address {text} is invalid (INVALID_EMAIL)")
        if name == "lifecyclestage" and text and text not in STAGES:
            message = f"Property values were not valid: {text} was not one of the allowed options (INVALID_OPTION)"
            raise Invalid(message)
        found[name] = text
    return found


def find(db: sqlite3.Connection, object_type: str, by: str, value: str) -> sqlite3.Row | None:
    """Return the object that a unique property names, or None."""
    if by == "hs_object_id":
        where, key = "object_id = ?", value if value.isdigit() else "0"
    elif object_type == "contacts" and by in UNIQUE:
        where = {
            "email": "json_extract(properties, '$.email') = ?",
            "nurture_lead_id": "json_extract(properties, '$.nurture_lead_id') = ?",
        }[by]
        key = value.strip().lower() if by == "email" else value
    else:
        raise Invalid(f"Property {by} is not a unique identifier property")
    return db.execute(
        f"select * from crm_objects where object_type = '{object_type}' and is_archived = 0 and {where}",  # noqa: S608 - both are this module's own words
        (key,),
    ).fetchone()


def create(db: sqlite3.Connection, object_type: str, properties: Mapping[str, str | None], now: float) -> sqlite3.Row:
    """Add an object and return it; a contact whose address or lead id is taken is a conflict."""
    if object_type == "contacts":
        for name in UNIQUE:
            value = properties.get(name)
            if value and (other := find(db, object_type, name, value)):
                raise Invalid(f"Contact already exists. Existing ID: {other['object_id']}", "CONFLICT", 409)
    kept = {name: value for name, value in properties.items() if value not in (None, "")}
    cursor = db.execute(
        "insert into crm_objects (object_type, properties, created_at, updated_at) values (?, ?, ?, ?)",
        (object_type, json.dumps(kept, ensure_ascii=False), now, now),
    )
    return db.execute("select * from crm_objects where object_id = ?", (cursor.lastrowid,)).fetchone()


def update(db: sqlite3.Connection, row: sqlite3.Row, properties: Mapping[str, str | None], now: float) -> sqlite3.Row:
    """Change an object and return it. A lifecycle stage moved backwards is silently left as it was."""
    kept = json.loads(row["properties"])
    asked = dict(properties)
    if row["object_type"] == "contacts":
        for name in UNIQUE:
            value = asked.get(name)
            other = find(db, "contacts", name, value) if value else None
            if other and other["object_id"] != row["object_id"]:
                message = f"{name} {value} is already held by contact {other['object_id']}"
                raise Invalid(message, "CONFLICT", 409)
        stage, before = asked.get("lifecyclestage"), kept.get("lifecyclestage")
        if stage and before in STAGES and STAGES.index(stage) < STAGES.index(before):
            del asked["lifecyclestage"]
    kept |= asked
    kept = {name: value for name, value in kept.items() if value not in (None, "")}
    db.execute(
        "update crm_objects set properties = ?, updated_at = ? where object_id = ?",
        (json.dumps(kept, ensure_ascii=False), now, row["object_id"]),
    )
    return db.execute("select * from crm_objects where object_id = ?", (row["object_id"],)).fetchone()


def associate(db: sqlite3.Connection, from_id: int, to_id: int, type_id: int) -> None:
    """Hang one object on another."""
    db.execute("insert or ignore into crm_associations values (?, ?, ?)", (from_id, to_id, type_id))


def all_properties(row: sqlite3.Row) -> dict[str, str | None]:
    """Return an object's properties with those that HubSpot keeps by itself."""
    kind = row["object_type"]
    created = "hs_createdate" if kind in ("notes", "tasks") else "createdate"
    modified = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"
    own = {
        "hs_object_id": str(row["object_id"]),
        created: iso(row["created_at"]),
        modified: iso(row["updated_at"]),
    }
    return {**json.loads(row["properties"]), **own}


def shown(row: sqlite3.Row, asked: Iterable[str] = ()) -> dict[str, Any]:
    """Return an object as the API answers it: the default properties and those asked for."""
    held = all_properties(row)
    names = dict.fromkeys([*BY_DEFAULT[row["object_type"]], *asked])
    return {
        "id": str(row["object_id"]),
        "properties": {name: held.get(name) for name in names},
        "createdAt": iso(row["created_at"]),
        "updatedAt": iso(row["updated_at"]),
        "archived": bool(row["is_archived"]),
    }


def associated(store: Store, from_id: int) -> list[sqlite3.Row]:
    """Return what an object hangs on or what hangs on it, newest first."""
    return store.read(
        "select distinct crm_objects.* from crm_objects inner join crm_associations"
        " on (from_id = ? and to_id = object_id) or (to_id = ? and from_id = object_id)"
        " where is_archived = 0 order by object_id desc",
        (from_id, from_id),
    )
