"""SendGrid: one request at a time over its own library, and its words translated at the border."""

import http.client
import json
import re
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from email.utils import quote as quote_local_part
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.parse import quote

import sendgrid
from python_http_client.exceptions import HTTPError

from nurture.answers import Refused, Unanswered

TIMEOUT = 30.0  # seconds; N3 counts from it
LOGGED_AT_MOST = 1_000  # rows of one answer of the Email Logs
AT_MOST = 1_000  # personalizations a request (SendGrid's limit)

# SendGrid's words for what happened, in ours. `bounce` with type `blocked` is blocked.
EVENT_TYPES = {
    "processed": "accepted", "deferred": "deferred", "delivered": "delivered", "bounce": "bounced",
    "blocked": "blocked", "dropped": "rejected", "open": "opened", "click": "clicked", "spamreport": "complained",
    "unsubscribe": "unsubscribed", "group_unsubscribe": "unsubscribed",
}  # fmt: skip


class Recipient(NamedTuple):
    """One message of a request: its opaque id, its occasion's mark, its address, its substitution tags, its headers."""

    message_id: int
    occasion_mark: str
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
                "custom_args": {"message_id": str(recipient.message_id), "occasion": recipient.occasion_mark},
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


class Logged(NamedTuple):
    """One mail of the Email Logs."""

    address: str
    sg_message_id: str  # begins with the request's X-Message-Id, up to the first dot
    sent_at: datetime


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
        found = self._search_logs(f"to_email='{quoted}' AND sg_message_id_created_at > {_timestamp(since)}", 100)
        ids: dict[str, str] = {}
        for row in found:
            sg_message_id = str(row["sg_message_id"])
            if ours := self.logged_arguments(sg_message_id).get("message_id"):
                ids[ours] = sg_message_id
        return ids

    def logged_arguments(self, sg_message_id: str) -> dict[str, str]:
        """Return the custom_args of a logged mail; raise `Refused` or `Unanswered`."""
        detail = self._json(self._client.logs._(sg_message_id).get)
        found: dict[str, str] = {}
        for event in [detail, *detail.get("events", [])]:
            found |= {str(name): str(value) for name, value in (event.get("custom_args") or {}).items()}
        return found

    def logged_between(self, first: datetime, last: datetime) -> tuple[list[Logged], list[datetime]]:
        """Return what the Email Logs list between two moments, and the seconds that hold more than they list.

        The Logs give at most 1,000 rows and no second page, so a full answer is asked for again in halves.
        """
        span = f"sg_message_id_created_at >= {_timestamp(first)} AND sg_message_id_created_at <= {_timestamp(last)}"
        found = self._search_logs(span, LOGGED_AT_MOST)
        if len(found) < LOGGED_AT_MOST:
            return [_logged(row) for row in found], []
        first, last = first.replace(microsecond=0), last.replace(microsecond=0)
        if last <= first:
            return [_logged(row) for row in found], [first]
        middle = first + timedelta(seconds=int((last - first).total_seconds()) // 2)
        before, full = self.logged_between(first, middle)
        after, fuller = self.logged_between(middle + timedelta(seconds=1), last)
        return before + after, full + fuller

    def _search_logs(self, query: str, at_most: int) -> list[dict[str, Any]]:
        found = self._json(self._client.logs.post, request_body={"query": query, "limit": at_most})
        return list(found.get("messages", []))

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

    def release_everywhere(self, address: str) -> None:
        """Take an address off the account's global unsubscribes; one that is not on them is as good."""
        try:
            self._call(self._client.asm.suppressions._("global")._(quote(address, safe="@")).delete)
        except Refused as refusal:
            if not refusal.reason.startswith("SendGrid says 404"):
                raise

    def scopes(self) -> list[str]:
        """Return what the key may do; raise `Refused` or `Unanswered`, as the two below."""
        return list(self._json(self._client.scopes.get).get("scopes", []))

    def authenticated_domains(self, domain: str) -> list[dict[str, Any]]:
        """Return the sender authentications of a domain, with the DNS records that they need."""
        return list(self._json(self._client.whitelabel.domains.get, query_params={"domain": domain}))

    def verified_senders(self) -> list[dict[str, Any]]:
        """Return the single senders."""
        return list(self._json(self._client.verified_senders.get).get("results", []))

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


def _timestamp(moment: datetime) -> str:
    return f'TIMESTAMP "{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"'


def _logged(row: Mapping[str, Any]) -> Logged:
    address = re.sub(r'^"(.*)"@', r"\1@", str(row["to_email"]))  # as `deliverable` quoted it
    sent_at = datetime.fromisoformat(str(row["sg_message_id_created_at"]).replace("Z", "+00:00"))
    return Logged(address.lower(), str(row["sg_message_id"]), sent_at)


def _is_dns(reason: object) -> bool:
    return type(reason).__name__ == "gaierror"


def _words(reason: object) -> str:
    return f"{type(reason).__name__} {reason}".strip()


def _of_status(error: HTTPError) -> Refused | Unanswered:
    status = error.status_code
    errors = _errors(error)
    said = "; ".join(str(one.get("message", "")) for one in errors)[:500] or str(error.reason)
    if status == 429:
        return Refused("SendGrid says 429: too many requests", stops=True, retry_after=_retry_after(error.headers))
    if status in (401, 403) or "exceeded your messaging limits" in said:
        return Refused(
            f"SendGrid says {status}: {_without_addresses(said)} (check the key, the sender, the plan)", stops=True,
            holds="domain" if "from address" in said.lower() else "everything",
        )  # fmt: skip
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


def _retry_after(headers: Any) -> timedelta:
    """Return how long to wait: the reset less the provider's own clock, so that ours may be wrong; else a minute."""
    found = headers or {}
    if str(found.get("Retry-After") or "").isdigit():
        seconds = int(found["Retry-After"])
    elif str(found.get("X-RateLimit-Reset") or "").isdigit():
        try:
            now = parsedate_to_datetime(str(found.get("Date") or ""))
        except ValueError:
            now = datetime.now(UTC)
        seconds = int(found["X-RateLimit-Reset"]) - int(now.timestamp())
    else:
        seconds = 60
    return timedelta(seconds=min(max(seconds, 1), 3_600))


def _without_addresses(text: str) -> str:
    """Return an answer's words without what looks like an address: they reach logs (N9)."""
    return re.sub(r"[^\s<>()\"']+@[^\s<>()\"',;]+", "(address)", text)
