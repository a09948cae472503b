"""Rows and products for tests: each builder asks only for what matters and fills in the rest."""

import json
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from nurture.definitions.model import hash_of
from nurture.definitions.products import Company, EmailTemplate, Product, Scenario
from nurture.dispatch import Links

NOON = datetime(2026, 11, 16, 3, tzinfo=UTC)  # a Monday, noon in Tokyo
DAY = timedelta(days=1)
HASH = "definition"
LINKS = Links("https://receiver.example", b"k" * 32)
MJML = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>{{ lead.name }} {{ product.sender.name }} "
    "{{ product.sender.postal_address }} {{ product.sender.complaint_contact }} "
    '<a href="https://www.backup.example/case">事例</a> <a href="{{ lead.unsubscribe_url }}">配信停止</a>'
    "</mj-text></mj-column></mj-section></mj-body></mjml>"
)
EMAILS = ("thanks", "case", "guide", "news", "invitation")

# What a row of a table needs and a case need not say; a function is given the row's own number.
REQUIRED: dict[str, dict[str, Any]] = {
    "accounts": {"account_key": lambda n: f"company:{n}"},
    "addresses": {"address": lambda n: f"a{n}@lead.example", "domain": "lead.example"},
    "budgets": {"scope": "product", "key": "backup", "day": "2026-11-16"},
    "consents": {"basis": "business_card", "evidence": "名刺", "source": "cards", "occurred_at": NOON - 30 * DAY},
    "crm_links": {"crm": "hubspot"},
    "definitions": {"product": "backup", "part": "scenario", "name": "follow_up", "body": {}},
    "enrollments": {
        "product": "backup", "scenario": "follow_up", "occurrence": 1, "definition_hash": HASH, "enrolled_at": NOON,
        "is_held_out": False, "step": "thanks", "step_at": NOON,
    },
    "events": {"type": "opened", "occurred_at": NOON, "product": "backup"},
    "handoffs": {"crm": "hubspot", "dossier": {}, "created_at": NOON},
    "identities": {"kind": "email", "value": lambda n: f"a{n}@lead.example", "opened_at": NOON},
    "incoming": {"raw_event_id": lambda n: n, "channel": "sendgrid", "is_new": True},
    "claim": {
        "person_id": lambda n: n, "address_id": lambda n: n, "address": lambda n: f"a{n}@lead.example",
        "domain": "lead.example", "mail_type": "know_how", "position": lambda n: n, "occasion_mark": "m",
    },
    "landings": {
        "source": "cards", "file": "cards.csv", "content_hash": lambda n: f"file{n}", "reading_hash": "read",
        "as_of": NOON,
    },
    "lead_addresses": {"is_primary": True, "first_seen_at": NOON, "last_seen_at": NOON},
    "leads": {},
    "messages": {
        "product": "backup", "occasion": lambda n: f"plan/entry{n}", "step": "thanks", "email": "thanks",
        "mail_type": "know_how", "definition_hash": HASH, "reason": "in everyone", "planned_at": NOON,
        "first_due_at": NOON, "due_at": NOON, "expires_at": NOON + 3 * DAY,
    },
    "opt_outs": {"how": "page", "evidence": "", "occurred_at": NOON - DAY},
    "opportunities": {
        "crm": "hubspot", "crm_opportunity_id": lambda n: f"deal{n}", "product": "backup", "name": "", "stage": "open",
        "opened_at": NOON, "modified_at": NOON,
    },
    "qualifications": {
        "product": "backup", "qualified_at": NOON, "fit": 20, "engagement": 60, "score": 80, "definition_hash": HASH,
    },
    "raw_events": {"channel": "sendgrid", "payload": {}},
    "scores": {"product": "backup", "scored_at": NOON, "fit": 0, "engagement": 0, "definition_hash": HASH},
    "segment_members": {"product": "backup", "segment": "everyone", "definition_hash": HASH, "joined_at": NOON - DAY},
    "send_requests": {
        "product": "backup", "email": "thanks", "content_hash": "content", "mark": "m", "member_count": 1, "at": NOON,
        "sending_domain": "mail.aozora.example",
    },
    "contents": {"product": "backup", "email": "thanks", "subject": "s", "text": "t", "html": "h"},
    "signals": {"product": "backup", "kind": "clicked", "subject": "thanks", "day": "2026-11-16", "count": 1},
    "source_records": {
        "source": "cards", "source_key": lambda n: f"k{n}", "content_hash": lambda _: uuid.uuid4().hex, "landing_id": 1,
        "line": 1, "precedence": 2, "channel": "exhibition", "payload": {}, "fields": {}, "keys": {},
        "occurred_at": NOON - DAY,
    },
    "suppressions": {"reason": "bounced", "evidence": "550", "occurred_at": NOON - DAY},
}  # fmt: skip
PARENTS = {
    "lead_id": "leads", "address_id": "addresses", "account_id": "accounts", "definition_hash": "definitions",
    "landing_id": "landings", "content_hash": "contents", "qualification_id": "qualifications",
}  # fmt: skip
WITHOUT_PARENTS = {"leads": {"lead_id"}, "source_records": {"content_hash"}, "landings": {"content_hash"}}


def insert(conn: sa.Connection, table: str, **given: Any) -> sa.Row:
    """Insert one row with what a case leaves out filled in, its parents made where they are missing; return it."""
    row = {**REQUIRED.get(table, {}), **given}
    number = next((value for value in given.values() if isinstance(value, int)), 1)
    row = {name: value(number) if callable(value) else value for name, value in row.items()}
    for name, value in row.items():
        parent = PARENTS.get(name)
        if parent and parent != table and value is not None and name not in WITHOUT_PARENTS.get(table, ()):
            _ensure(conn, parent, name, value)
    return conn.exec_driver_sql(f"{_insertion(table, row)} returning *", _plain(row)).one()


def _ensure(conn: sa.Connection, table: str, key: str, value: Any) -> None:
    if conn.exec_driver_sql(f"select from {table} where {key} = %(value)s", {"value": value}).rowcount == 0:
        insert(conn, table, **{key: value})


def _insertion(table: str, row: dict[str, Any]) -> str:
    if not row:
        return f"insert into {table} default values"
    values = ", ".join(f"%({name})s" for name in row)
    return f'insert into "{table}" ({", ".join(row)}) overriding system value values ({values})'


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value) if isinstance(value, dict) else value for name, value in row.items()}


def rows(conn: sa.Connection, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """Return what a query finds, as tuples."""
    return [tuple(row) for row in conn.exec_driver_sql(query, parameters)]


def value(conn: sa.Connection, query: str, **parameters: Any) -> Any:
    """Return the one value that a query finds."""
    return conn.exec_driver_sql(query, parameters).scalar_one()


def everything(conn: sa.Connection) -> dict[str, list[str]]:
    """Return every row of every table but the bookkeeping of runs and changes, as text, to compare two moments."""
    tables = conn.exec_driver_sql(
        "select table_name from information_schema.tables where table_schema = 'nurture' and table_type = 'BASE TABLE'"
        " and table_name not in ('runs', 'migrations', 'lead_changes') order by table_name"
    ).scalars()
    return {
        table: sorted(conn.exec_driver_sql(f'select each::text from "{table}" as each').scalars())
        for table in tables.all()
    }


# People and what they did.


def lead(
    conn: sa.Connection, email: str | None = "", *, consent: bool = True, is_primary: bool = True, **attributes: Any
) -> int:
    """Make a lead with a mailbox (None: without one) for which there is consent; return its id."""
    made = insert(conn, "leads", **{"name": "山田 太郎", "company": "株式会社見本", **attributes}).lead_id
    if email is not None:
        address_id = address(conn, email or f"lead{made}@lead.example")
        insert(conn, "lead_addresses", lead_id=made, address_id=address_id, is_primary=is_primary)
        if consent:
            insert(conn, "consents", lead_id=made, address_id=address_id)
    return made


def address(conn: sa.Connection, email: str, **columns: Any) -> int:
    """Return the id of a mailbox, made where it is missing."""
    found = conn.exec_driver_sql("select address_id from addresses where address = %(email)s", {"email": email})
    known = found.scalar()
    return known or insert(conn, "addresses", address=email, domain=email.split("@")[1], **columns).address_id


def address_of(conn: sa.Connection, lead_id: int) -> int:
    """Return the id of a lead's primary mailbox."""
    return value(conn, "select address_id from lead_addresses where lead_id = %(lead)s and is_primary", lead=lead_id)


def message(conn: sa.Connection, lead_id: int, **columns: Any) -> int:
    """Plan a message of the plan's entry `entry<lead>`, due at noon; return its id."""
    asked = {"lead_id": lead_id, "address_id": address_of(conn, lead_id), **columns}
    if asked.get("status") in ("sending", "accepted", "unknown", "refused"):
        sent_at = asked.setdefault("sent_at", NOON)
        asked.setdefault("content_hash", "content")
        asked.setdefault("occasion", f"plan/{uuid.uuid4()}")
        if asked["status"] == "accepted":
            asked.setdefault("accepted_at", sent_at)
    if "request_id" in asked or asked.get("status", "planned") in ("planned", "cancelled", "expired"):
        return insert(conn, "messages", **asked).message_id
    state = {"sending": "in_flight"}.get(asked["status"], asked["status"])
    answered = None if state == "in_flight" else asked["sent_at"]
    request = insert(
        conn, "send_requests", product=asked.get("product", "backup"), status=state, at=asked["sent_at"],
        answered_at=answered, provider_request_id=uuid.uuid4().hex,
    )  # fmt: skip
    made = insert(conn, "messages", request_id=request.request_id, **asked).message_id
    insert(conn, "send_attempts", request_id=request.request_id, message_id=made)
    return made


def record(
    conn: sa.Connection, key: str, *, source: str = "cards", email: str | None = None, name: str | None = None,
    mobile: str | None = None, crm_id: str | None = None, is_role: bool = False, facts: dict[str, Any] | None = None,
    occurred_at: datetime = NOON - DAY, precedence: int = 2, channel: str = "exhibition", **fields: Any,
) -> int:  # fmt: skip
    """Land one source record that is not consolidated yet; return its id."""
    told = {"email": email, "name": name, "mobile": mobile, **fields}
    keys = {
        "email": email and email.lower(), "name": name and name.replace(" ", ""), "mobile": mobile, "crm_id": crm_id,
        "is_role": is_role or None, "company": fields.get("company"),
    }  # fmt: skip
    fields = {field: str(found) for field, found in told.items() if found is not None}
    return insert(
        conn, "source_records", source=source, source_key=key, content_hash=hash_of([source, key, told, keys, facts]),
        fields=fields, keys={kind: found for kind, found in keys.items() if found}, facts=facts or {},
        occurred_at=occurred_at, precedence=precedence, channel=channel,
    ).record_id  # fmt: skip


def raw(conn: sa.Connection, channel: str, **payload: Any) -> int:
    """Keep a raw event as the receiver does; return its id."""
    columns = {"received_at": payload.pop("received_at")} if "received_at" in payload else {}
    return insert(conn, "raw_events", channel=channel, payload=payload, **columns).raw_event_id


def told(conn: sa.Connection, event: str, message_id: int | None, at: datetime, **more: Any) -> int:
    """Keep an event of SendGrid's webhook about a message; return the raw event's id."""
    payload = {"event": event, "timestamp": int(at.timestamp()), "sg_event_id": uuid.uuid4().hex, **more}
    if message_id is not None:
        payload["message_id"] = str(message_id)
    return raw(conn, "sendgrid", **payload)


# What marketing writes.


def product(name: str = "backup", scenarios: Iterable[dict[str, Any]] = (), **changed: Any) -> Product:
    """Return a product that is always open, with five emails, one of each mail type."""
    said: dict[str, Any] = {
        "product": name, "name": "クラウドバックアップ", "owner": "marketing@aozora.example", "schedule": "0 9 * * *",
        "calendar": "always", "site": "https://www.backup.example",
        "sender": {
            "name": "株式会社アオゾラ", "email": "news@mail.aozora.example", "postal_address": "東京都見本町1-1",
            "complaint_contact": "soudan@aozora.example",
        },
        "target": {"industries": ["manufacturing", "logistics"], "employees": {"min": 50, "max": 3000}},
        "segments": {"everyone": {"none": [{"lifecycle": "customer"}]}},
        "scoring": {
            "half_life": "30 days",
            "fit": [{"when": {"industry": "target"}, "points": 10}],
            "engagement": [{"when": "clicked", "points": 5, "per_day": 5, "at_most": 20}],
        },
        "qualification": {"when": {"submitted": "quote_request"}},
        "handoff": {"crm": "hubspot"},
        **changed,
    }  # fmt: skip
    made = Product.model_validate(said)
    parts = {
        "emails": {email: EmailTemplate(email=email, subject="{{ lead.name }} へ", mjml=MJML) for email in EMAILS},
        "scenarios": {one["scenario"]: scenario(**one) for one in scenarios},
    }
    return made.model_copy(update=parts)


def scenario(**said: Any) -> Scenario:
    """Return a scenario for everybody; `journey` is what matters."""
    first = [{"email": "thanks", "mail_type": "know_how"}]
    return Scenario.model_validate(
        {"scenario": "follow_up", "purpose": "new_deals", "audience": {"none": [{"lifecycle": "customer"}]},
         "journey": first, **said}
    )  # fmt: skip


def company(**changed: Any) -> Company:
    """Return a company with a wide frequency cap and two calendars, `always` and `japan`."""
    return Company.model_validate(
        {
            "company": "株式会社アオゾラ",
            "frequency": {"mails": 100, "within": "7 days"},
            "calendars": {
                "always": {"weekdays": [1, 2, 3, 4, 5, 6, 7], "opens": 0, "closes": 24},
                "japan": {"holidays": "JP", "closures": ["08-13..08-15", "12-29..01-03"]},
            },
            **changed,
        }
    )


class Provider:
    """A send function that keeps what it was given and answers with the next of its answers, then always yes."""

    def __init__(self, *answers: BaseException | None) -> None:
        self.answers = list(answers)
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, body: dict[str, Any]) -> str:
        """Take one request."""
        self.bodies.append(body)
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        return uuid.uuid4().hex

    @property
    def posted(self) -> list[int]:
        """The message ids of every recipient of every request, in order."""
        return [int(each["custom_args"]["message_id"]) for body in self.bodies for each in body["personalizations"]]

    @property
    def sizes(self) -> list[int]:
        """How many recipients each request had."""
        return [len(body["personalizations"]) for body in self.bodies]


Send = Callable[[dict[str, Any]], str]


def crowd(conn: sa.Connection, number: int, *, product: str = "backup", email: str = "thanks") -> None:
    """Make so many people, each with a mailbox, consent, and a planned message of one email."""
    _ensure(conn, "definitions", "definition_hash", HASH)
    conn.exec_driver_sql(
        """
        with people as (
            insert into leads (name) select '山田 ' || n from generate_series(1, %(number)s) as n returning lead_id
        ), boxes as (
            insert into addresses (address, domain) select lead_id || '@crowd.example', 'crowd.example' from people
            returning address_id, split_part(address, '@', 1)::bigint as lead_id
        ), linked as (
            insert into lead_addresses (lead_id, address_id, is_primary, first_seen_at, last_seen_at)
            select lead_id, address_id, true, %(at)s, %(at)s from boxes
        ), agreed as (
            insert into consents (lead_id, address_id, basis, evidence, source, occurred_at)
            select lead_id, address_id, 'business_card', '名刺', 'cards', %(at)s from boxes
        )
        insert into messages (
            product, occasion, step, lead_id, address_id, email, mail_type, definition_hash, reason, planned_at,
            first_due_at, due_at, expires_at
        )
        select %(product)s, 'plan/a', 'a', lead_id, address_id, %(email)s, 'know_how', %(hash)s, 'in everyone', %(at)s,
            %(at)s, %(at)s, %(at)s + interval '3 days'
        from boxes
        """,
        {"number": number, "product": product, "email": email, "hash": HASH, "at": NOON},
    )
    conn.commit()
