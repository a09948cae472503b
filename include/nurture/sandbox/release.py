"""Release: what is due on the sandbox's clock happens, in order, and is told to the receiver."""

import base64
import email.utils
import hashlib
import json
import sqlite3
import threading
import uuid
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

from nurture.sandbox import mail_text
from nurture.sandbox.people import person, share
from nurture.sandbox.recipients import Mail, plan
from nurture.sandbox.sales_team import SalesTeam
from nurture.sandbox.store import Clock, Store, insert_queue
from nurture.sandbox.webhooks import Outbox

AT_A_TIME = 2_000
SHARE_REPEATED = 0.02  # of events told twice under one sg_event_id
SHARE_REPEATED_UNDER_ANOTHER_ID = 0.005  # sendgrid-nodejs#1435
SHARE_OF_BOUNCES_WITHOUT_IDS = 0.05  # asynchronous bounces carry neither sg_message_id nor custom args
DROPS = (
    ("invalid_emails", "Invalid"),
    ("spam_reports", "Spam Reporting Address"),
    ("bounces", "Bounced Address"),
    ("unsubscribes", "Unsubscribed Address"),
)
STATUS = {
    "processed": "processed",
    "deferred": "deferred",
    "delivered": "delivered",
    "open": "delivered",
    "click": "delivered",
    "spamreport": "delivered",
    "unsubscribe": "delivered",
    "dropped": "dropped",
}


class Releaser:
    """Plays the world: providers, recipients and the sales team."""

    def __init__(self, store: Store, clock: Clock, outbox: Outbox, seed: int) -> None:
        """Play from the store's queue."""
        self._store, self._clock, self._outbox, self._seed = store, clock, outbox, seed
        self._sales = SalesTeam(seed)
        self._releasing = threading.Lock()
        self._request = lru_cache(maxsize=256)(self._read_request)

    def release(self) -> int:
        """Let everything due happen, in order of its moment; return how many acts that were."""
        released = 0
        with self._releasing:
            until = self._clock.now()
            while rows := self._store.read(
                "select queue_no, due_at, kind, about, detail from queue where due_at <= ?"
                " order by due_at, queue_no limit ?",
                (until, AT_A_TIME),
            ):
                released += self._release(rows)
                if self._outbox.waiting() > 4 * AT_A_TIME:
                    self._outbox.tell(at_once=False)
        return released

    def _release(self, rows: list[sqlite3.Row]) -> int:
        """Release a run of acts; a request that is found among them is first unfolded into its own."""
        unfolding = next((place for place, row in enumerate(rows) if row["kind"] == "request"), None)
        rows = rows[: unfolding or 1] if unfolding is not None else rows
        with self._store.write() as db:
            if unfolding == 0:
                insert_queue(db, self._unfold(rows[0]))
            else:
                for row in rows:
                    self._happen(db, row)
            db.executemany("delete from queue where queue_no = ?", [(row["queue_no"],) for row in rows])
        return 0 if unfolding == 0 else len(rows)

    def _read_request(self, request_no: int) -> dict[str, Any]:
        rows = self._store.read("select body from requests where request_no = ?", (request_no,))
        return json.loads(rows[0]["body"])

    def _unfold(self, row: sqlite3.Row) -> list[tuple[float, str, int, str]]:
        """Decide what becomes of every mail of a request whose moment has come."""
        request = self._request(row["about"])
        found = mail_text.links(mail_text.part(request, "text/html"))
        tracking = (request.get("tracking_settings") or {}).get("subscription_tracking") or {}
        acts: list[tuple[float, str, int, str]] = []
        for message in self._store.read(
            "select message_no, mailbox, subject, product, accepted_at, personalization from messages"
            " where request_no = ? and is_silent = 0",
            (row["about"],),
        ):
            personalization = json.loads(message["personalization"])
            at = max(row["due_at"], personalization.get("send_at") or request.get("send_at") or 0)
            if reason := self._drop_reason(message["mailbox"], int(at)):
                detail = json.dumps({"event": "dropped", "reason": reason})
                acts.append((at, "event", message["message_no"], detail))
                continue
            values = mail_text.values_of(request, personalization)
            mail = Mail(
                at=at,
                mailbox=message["mailbox"],
                subject=message["subject"],
                product=message["product"],
                links=partial(mail_text.followed, found, values),
                refusal_address=_refusal_address(request, personalization),
                has_subscription_tracking=bool(tracking.get("enable")),
            )
            acts += [
                (act.at, act.kind, message["message_no"], json.dumps(act.detail, ensure_ascii=False))
                for act in plan(self._seed, mail, person(self._seed, message["mailbox"], self._store))
            ]
        return acts

    def _drop_reason(self, mailbox: str, at: int) -> str | None:
        if mailbox.endswith(".invalid"):
            with self._store.write() as db:
                reason = "Mail domain mentioned in email address is unknown"
                suppress(db, "invalid_emails", mailbox, at, reason)
            return "Invalid"
        lists = {row["list"] for row in self._store.read("select list from suppressions where mailbox = ?", (mailbox,))}
        return next((reason for name, reason in DROPS if name in lists), None)

    def _happen(self, db: sqlite3.Connection, row: sqlite3.Row) -> None:
        detail = json.loads(row["detail"])
        if row["kind"] == "sales":
            self._sales.act(db, row["about"], row["due_at"], detail)
            return
        message = db.execute("select * from messages where message_no = ?", (row["about"],)).fetchone()
        if row["kind"] == "event":
            self._provider_event(db, message, row["due_at"], detail)
            return
        if row["kind"] == "track":
            detail = _tracked(message, row["due_at"], detail)
        elif row["kind"] == "reply":
            detail = _replied(message, self._request(message["request_no"]), detail["text"], row["due_at"])
        elif row["kind"] == "unsubscribe":
            detail = {**detail, "occurred_at": datetime.fromtimestamp(row["due_at"], UTC).isoformat()}
        self._outbox.add(db, [(row["kind"], json.dumps(detail, ensure_ascii=False), row["due_at"])])

    def _provider_event(self, db: sqlite3.Connection, message: sqlite3.Row, at: float, detail: dict[str, Any]) -> None:
        request, personalization = self._request(message["request_no"]), json.loads(message["personalization"])
        arguments = {**(request.get("custom_args") or {}), **(personalization.get("custom_args") or {})}
        event = {
            "email": message["email"],
            "timestamp": int(at),
            "smtp-id": f"<{message['sg_message_id']}@sandbox.example>",
            "sg_message_id": message["sg_message_id"],
            "sg_event_id": _event_id(message["sg_message_id"], at, detail),
            **detail,
        }
        if event["event"] in ("open", "click", "spamreport", "unsubscribe"):
            del event["smtp-id"]
        if event["event"] in ("delivered", "bounce", "deferred"):
            event.setdefault("ip", "203.0.113.25")
        if "categories" in request:
            event["category"] = request["categories"]
        kept = {**event, "custom_args": arguments}
        if event["event"] == "unsubscribe":
            kept["date"] = datetime.fromtimestamp(at, UTC).date().isoformat()
        db.execute(
            "insert or ignore into events (message_no, sg_event_id, happened_at, body) values (?, ?, ?, ?)",
            (message["message_no"], event["sg_event_id"], at, json.dumps(kept, ensure_ascii=False)),
        )
        _take_status(db, message, event)
        told = {**arguments, **event}  # Custom args stand at the top level, and reserved names win.
        key = (self._seed, message["mailbox"], message["subject"], event["event"], int(at))
        if event["event"] == "bounce" and share("without ids", *key) < SHARE_OF_BOUNCES_WITHOUT_IDS:
            told = {name: value for name, value in event.items() if name != "sg_message_id"}
        copies = [told] * (2 if share("repeated", *key) < SHARE_REPEATED else 1)
        if share("renamed", *key) < SHARE_REPEATED_UNDER_ANOTHER_ID:
            copies.append({**told, "sg_event_id": _event_id(message["sg_message_id"], at, detail, "again")})
        self._outbox.add(db, [("event", json.dumps(copy, ensure_ascii=False), at) for copy in copies])


def suppress(
    db: sqlite3.Connection, name: str, email: str, created: int, reason: str | None = None, status: str | None = None
) -> None:
    """Put an address on one of the provider's lists; the first reason stays."""
    db.execute(
        "insert or ignore into suppressions (list, mailbox, email, created, reason, status, ip)"
        " values (?, ?, ?, ?, ?, ?, '203.0.113.25')",
        (name, email.casefold(), email, created, reason, status),
    )


def _take_status(db: sqlite3.Connection, message: sqlite3.Row, event: dict[str, Any]) -> None:
    kind = event["event"]
    status = STATUS.get(kind) or {"bounce": "bounced", "blocked": "blocked"}[event["type"]]
    db.execute(
        "update messages set status = ?, reason = coalesce(?, reason) where message_no = ?",
        (status, event.get("reason") or event.get("response"), message["message_no"]),
    )
    list_of = {"spamreport": "spam_reports", "unsubscribe": "unsubscribes"}
    name = list_of.get(kind) or ({"bounced": "bounces", "blocked": "blocks"}.get(status))
    if name:
        suppress(db, name, message["email"], event["timestamp"], event.get("reason"), event.get("status"))


def _refusal_address(request: dict[str, Any], personalization: dict[str, Any]) -> str | None:
    headers = {**(request.get("headers") or {}), **(personalization.get("headers") or {})}
    addresses = headers.get("List-Unsubscribe", "").split(",")
    found = (address.strip(" <>") for address in addresses)
    return next((address for address in found if address.startswith("http")), None)


def _event_id(*key: object) -> str:
    digest = hashlib.sha256(json.dumps(key, default=str, ensure_ascii=False, sort_keys=True).encode()).digest()
    return base64.urlsafe_b64encode(digest[:24]).decode()


def _tracked(message: sqlite3.Row, at: float, detail: dict[str, Any]) -> dict[str, Any]:
    """Return what the site's tracking would post, in Segment's shape."""
    names = {"path": "path", "form": "form", "subject": "event"}
    properties = {"product": message["product"], "message_id": message["message_id"]}
    properties |= {name: detail[key] for key, name in names.items() if key in detail}
    if detail["type"] == "track":
        properties["email"] = message["email"]
    key = f"{message['sg_message_id']}|{at}|{json.dumps(detail, sort_keys=True)}"
    found = {
        "type": detail["type"],
        "messageId": str(uuid.uuid5(uuid.NAMESPACE_URL, key)),
        "anonymousId": str(uuid.uuid5(uuid.NAMESPACE_URL, message["mailbox"])),
        "userId": None,
        "timestamp": datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z"),
        "properties": properties,
    }
    return {**found, "event": detail["event"]} if "event" in detail else found


def _replied(message: sqlite3.Row, request: dict[str, Any], text: str, at: float) -> dict[str, str]:
    """Return the form fields of Inbound Parse; every other writer uses ISO-2022-JP, as much Japanese mail does."""
    personalization = json.loads(message["personalization"])
    substitute = mail_text.substitution(mail_text.values_of(request, personalization))
    to = substitute((request.get("reply_to") or request["from"])["email"])
    charset = "iso-2022-jp" if message["message_no"] % 2 else "utf-8"
    written_at = email.utils.format_datetime(datetime.fromtimestamp(at, UTC))
    headers = f"Date: {written_at}\nIn-Reply-To: <{message['sg_message_id']}@sandbox.example>\nMIME-Version: 1.0\n"
    return {
        "headers": headers,
        "from": message["email"],
        "to": to,
        "subject": f"Re: {message['subject']}",
        "text": text,
        "envelope": json.dumps({"to": [to], "from": message["email"]}),
        "charsets": json.dumps({"to": "UTF-8", "from": "UTF-8", "subject": charset, "text": charset}),
        "SPF": "pass",
        "dkim": "{@sandbox.example : pass}",
        "sender_ip": "192.0.2.10",
        "attachments": "0",
    }
