"""SendGrid: one request at a time over its own library, and its words translated at the border."""

import http.client
import json
import re
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import quote as quote_local_part
from typing import Any, NamedTuple
from urllib.error import URLError

import sendgrid
from python_http_client.exceptions import HTTPError

from nurture.answers import Refused, Unanswered

TIMEOUT = 30.0  # seconds; N3 counts from it
AT_MOST = 1_000  # personalizations a request (SendGrid's limit)

# SendGrid's words for what happened, in ours. `bounce` with type `blocked` is blocked.
EVENT_TYPES = {
    "processed": "accepted", "deferred": "deferred", "delivered": "delivered", "bounce": "bounced",
    "blocked": "blocked", "dropped": "rejected", "open": "opened", "click": "clicked", "spamreport": "complained",
    "unsubscribe": "unsubscribed", "group_unsubscribe": "unsubscribed",
}  # fmt: skip


class Recipient(NamedTuple):
    """One message of a request: its opaque id, its address, its substitution tags and its headers."""

    message_id: int
    address: str
    substitutions: Mapping[str, str]
    headers: Mapping[str, str]


def request_body(
    sender: tuple[str, str],
    subject: str,
    text: str,
    html: str,
    recipients: Sequence[Recipient],
    categories: Sequence[str],
) -> dict[str, Any]:
    """Return the body of `POST /v3/mail/send` for one batch: one recipient a personalization.

    Nothing personal stands in custom_args or categories (N9); opt-outs live here alone, so there is no `asm`.
    """
    return {
        "personalizations": [
            {
                "to": [{"email": deliverable(recipient.address)}],
                "substitutions": dict(recipient.substitutions),
                "headers": dict(recipient.headers),
                "custom_args": {"message_id": str(recipient.message_id)},
            }
            for recipient in recipients
        ],
        "from": {"name": sender[0], "email": sender[1]},
        "subject": subject,
        "content": [{"type": "text/plain", "value": text}, {"type": "text/html", "value": html}],
        "categories": list(categories),
        "tracking_settings": {
            "click_tracking": {"enable": True, "enable_text": False},
            "open_tracking": {"enable": True},
            "subscription_tracking": {"enable": False},
        },
    }


def trial_body(sender: tuple[str, str], address: str, subject: str, text: str, html: str) -> dict[str, Any]:
    """Return the body of `POST /v3/mail/send` for one test mail: outside the ledger, and nothing of it is tracked."""
    return {
        "personalizations": [{"to": [{"email": deliverable(address)}]}],
        "from": {"name": sender[0], "email": sender[1]},
        "subject": subject,
        "content": [{"type": "text/plain", "value": text}, {"type": "text/html", "value": html}],
        "categories": ["test"],
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
        },
    }


def deliverable(address: str) -> str:
    """Return an address as SendGrid takes it: an old docomo or au local part (`a..b`, `.a`, `a.`) is quoted."""
    local, _, domain = address.rpartition("@")
    if (".." in local or local.startswith(".") or local.endswith(".")) and not local.startswith('"'):
        return f'"{quote_local_part(local)}"@{domain}'
    return address


class SendGrid:
    """The account: sends, and tells what became of a message."""

    def __init__(self, api_key: str, host: str = "https://api.sendgrid.com", timeout: float = TIMEOUT) -> None:
        self._client: Any = sendgrid.SendGridAPIClient(api_key, host=host).client
        self._timeout = timeout

    def send(self, body: dict[str, Any]) -> str:
        """Post one request and return the provider's id of it; raise `Refused` or `Unanswered`."""
        answer = self._call(self._client.mail.send.post, request_body=body)
        if answer.status_code == 200:
            raise Refused("SendGrid is in sandbox mode: it checked the request and sent nothing", stops=True)
        provider_request_id = answer.headers.get("X-Message-Id")
        if answer.status_code != 202 or not provider_request_id:
            raise Unanswered(f"status {answer.status_code} without X-Message-Id")
        return str(provider_request_id)

    def logged_message_ids(self, address: str, since: datetime) -> dict[str, str]:
        """Return our message id → sg_message_id of what the account logged for an address since a moment.

        Reads the Email Logs (30 days back); raises `Refused` or `Unanswered`.
        """
        quoted = deliverable(address).replace("'", "''")
        moment = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = f"to_email='{quoted}' AND sg_message_id_created_at > TIMESTAMP \"{moment}\""
        found = self._json(self._client.logs.post, request_body={"query": query, "limit": 100})
        ids: dict[str, str] = {}
        for row in found.get("messages", []):
            sg_message_id = str(row["sg_message_id"])
            detail = self._json(self._client.logs._(sg_message_id).get)
            for event in [detail, *detail.get("events", [])]:
                ours = (event.get("custom_args") or {}).get("message_id")
                if ours:
                    ids[str(ours)] = sg_message_id
        return ids

    def suppressed(self, kind: str, since: datetime, page: int = 500) -> list[dict[str, Any]]:
        """Return the account's suppressions of a kind (bounces, invalid_emails, spam_reports, unsubscribes)."""
        rows: list[dict[str, Any]] = []
        while True:
            query = {"start_time": int(since.timestamp()), "limit": page, "offset": len(rows)}
            found = self._json(self._client.suppression._(kind).get, query_params=query)
            rows += found
            if len(found) < page:
                return rows

    def suppress_everywhere(self, addresses: Sequence[str]) -> None:
        """Write addresses that refused everything to the account's global unsubscribes."""
        self._call(self._client.asm.suppressions._("global").post, request_body={"recipient_emails": list(addresses)})

    def _json(self, call: Any, **arguments: Any) -> Any:
        answer = self._call(call, **arguments)
        try:
            return json.loads(answer.body or b"{}")
        except json.JSONDecodeError as error:
            raise Unanswered(f"status {answer.status_code} with a body that is no JSON") from error

    def _call(self, call: Any, **arguments: Any) -> Any:
        try:
            return call(timeout=self._timeout, **arguments)
        except HTTPError as error:
            raise _of_status(error) from error
        except URLError as error:
            if isinstance(error.reason, ConnectionRefusedError | ssl.SSLCertVerificationError) or _is_dns(error.reason):
                raise Refused(f"SendGrid was not reached: {_words(error.reason)}", stops=True) from error
            raise Unanswered(f"the connection failed: {_words(error.reason)}") from error
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(f"the connection failed: {_words(error)}") from error


def _is_dns(reason: object) -> bool:
    return type(reason).__name__ == "gaierror"


def _words(reason: object) -> str:
    return f"{type(reason).__name__} {reason}".strip()


def _of_status(error: HTTPError) -> Refused | Unanswered:
    status = error.status_code
    errors = _errors(error)
    said = "; ".join(str(one.get("message", "")) for one in errors)[:500] or str(error.reason)
    if status == 429:
        return Refused("SendGrid says 429: too many requests", stops=True, retry_at=_reset(error.headers))
    if status in (401, 403) or "exceeded your messaging limits" in said:
        return Refused(
            f"SendGrid says {status}: {_without_addresses(said)} (check the key, the sender, the plan)", stops=True
        )
    if 400 <= status < 500:
        fields = [str(one["field"]) for one in errors if one.get("field")]
        found = [re.match(r"personalizations\.(\d+)", field) for field in fields]
        indexes = sorted({int(match[1]) for match in found if match})
        # What is wrong with the sender, the subject or the content is no recipient's: isolating would end them all.
        is_everybodys = status not in (400, 413) or any(not field.startswith("personalizations") for field in fields)
        return Refused(
            f"SendGrid says {status}: {_without_addresses(said)}", indexes=indexes, stops=is_everybodys and not indexes
        )
    return Unanswered(f"status {status}")


def _errors(error: HTTPError) -> list[dict[str, Any]]:
    try:
        body = json.loads(error.body)
    except (TypeError, ValueError):
        return []  # 413 comes as nginx's own page
    found = body.get("errors") if isinstance(body, dict) else None
    return [one for one in found or [] if isinstance(one, dict)]


def _reset(headers: Any) -> datetime | None:
    value = str((headers or {}).get("X-RateLimit-Reset") or "")
    return datetime.fromtimestamp(int(value), UTC) if value.isdigit() else None


def _without_addresses(text: str) -> str:
    """Return an answer's words without what looks like an address: they reach logs (N9)."""
    return re.sub(r"[^\s<>()\"']+@[^\s<>()\"',;]+", "(address)", text)
