"""SendGrid's v3 API: mail send, suppressions, global unsubscribes and scopes, on the real wire format."""

import hmac
import json
import re
import secrets
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from nurture.sandbox import mail_send, mail_text
from nurture.sandbox.logs import create_router as create_logs_router
from nurture.sandbox.release import suppress
from nurture.sandbox.senders import create_router as create_senders_router
from nurture.sandbox.store import Clock, Store, insert_queue

NGINX_413 = (
    "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>\r\n"
    "<center><h1>413 Request Entity Too Large</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
LISTS = {
    "bounces": ("created", "email", "reason", "status"),
    "blocks": ("created", "email", "reason", "status"),
    "invalid_emails": ("created", "email", "reason"),
    "spam_reports": ("created", "email", "ip"),
    "unsubscribes": ("created", "email"),
}
_CAMPAIGN = re.compile(r"[?&;]utm_campaign=([\w-]+)")
SCOPES = [
    "mail.send", "messages.read", "suppression.read", "asm.suppressions.global.create",
    "asm.suppressions.global.delete", "user.webhooks.read", "whitelabel.read",
]  # fmt: skip


@dataclass(frozen=True)
class Account:
    """Who may send: the API key (None takes any that begins with `SG.`) and the verified sender domains."""

    api_key: str | None = None
    verified_domains: frozenset[str] = frozenset()

    def knows(self, authorization: str | None) -> bool:
        """Say whether an Authorization header carries the key."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            return False
        if self.api_key is None:
            return key.startswith("SG.")
        return hmac.compare_digest(key.encode(), self.api_key.encode())

    def may_send_from(self, address: str) -> bool:
        """Say whether an address stands under a verified domain; with none named, every reserved domain is."""
        domain = address.rpartition("@")[2].lower()
        return domain in self.verified_domains if self.verified_domains else mail_send.is_reserved_domain(domain)


def errors(status: int, *found: mail_send.Refusal, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return SendGrid's error body."""
    return JSONResponse({"errors": list(found)}, status, headers)


class Unauthorized(Exception):
    """The request carries no key, or one that is not known."""


def create_router(store: Store, clock: Clock, account: Account) -> APIRouter:
    """Return the endpoints under /v3; each needs the API key."""

    async def check_key(request: Request) -> None:
        if not account.knows(request.headers.get("authorization")):
            raise Unauthorized

    router = APIRouter(dependencies=[Depends(check_key)])

    @router.post("/v3/mail/send")
    async def send_mail(request: Request) -> Response:
        if int(request.headers.get("content-length") or 0) > mail_send.MOST_BYTES:
            return Response(NGINX_413, 413, media_type="text/html")
        body = await request.body()
        if len(body) > mail_send.MOST_BYTES:
            return Response(NGINX_413, 413, media_type="text/html")
        kind = request.headers.get("content-type", "")
        is_silent = bool(getattr(request.state, "is_silent", False))
        return await run_in_threadpool(_send, store, clock, account, kind, body, is_silent)

    @router.get("/v3/scopes")
    def list_scopes() -> dict[str, list[str]]:
        return {"scopes": SCOPES}

    router.include_router(create_logs_router(store, clock))
    router.include_router(create_senders_router(account.may_send_from, account.verified_domains))
    _add_suppressions(router, store, clock)
    return router


def _send(store: Store, clock: Clock, account: Account, kind: str, body: bytes, is_silent: bool) -> Response:
    if kind.partition(";")[0].strip().lower() != "application/json":
        message = "Content-Type should be application/json."
        return errors(415, mail_send.refusal(message, None))
    try:
        request = json.loads(body)
    except ValueError:
        return errors(400, mail_send.refusal("Bad Request", None))
    now = clock.now()
    if found := mail_send.refusals(request, now):
        return errors(400, *found)
    senders = [request["from"], *(person["from"] for person in request["personalizations"] if person.get("from"))]
    if not all(account.may_send_from(sender["email"]) for sender in senders):
        message = (
            "The from address does not match a verified Sender Identity."
            " Mail cannot be sent until this error is resolved."
        )
        return errors(403, mail_send.refusal(message, "from"))
    if ((request.get("mail_settings") or {}).get("sandbox_mode") or {}).get("enable"):
        return Response(status_code=200)
    return Response(status_code=202, headers={"X-Message-Id": accept(store, request, now, is_silent)})


def accept(store: Store, request: dict[str, Any], now: float, is_silent: bool = False) -> str:
    """Keep a request and its mails, and what will become of them; return its X-Message-Id once that is durable."""
    x_message_id = secrets.token_urlsafe(16)
    people = request.pop("personalizations")
    request_arguments = request.get("custom_args") or {}
    product = product_of(request)
    messages = []
    for person in people:
        substitute = mail_text.substitution(mail_text.values_of(request, person))
        subject = substitute(person.get("subject") or request.get("subject") or "")
        message_id = {**request_arguments, **(person.get("custom_args") or {})}.get("message_id")
        written = json.dumps(person, ensure_ascii=False)
        for recipient in (*person["to"], *(person.get("cc") or ()), *(person.get("bcc") or ())):
            email = recipient["email"]
            mailbox = email.casefold()
            sg_message_id = f"{x_message_id}.recvd-sandbox-1-{len(messages):X}.0"
            domain = mailbox.rpartition("@")[2]
            messages.append(
                (sg_message_id, message_id, email, mailbox, domain, product, subject, now, is_silent, written)
            )
    with store.write() as db:
        cursor = db.execute(
            "insert into requests (x_message_id, accepted_at, body) values (?, ?, ?)",
            (x_message_id, now, json.dumps(request, ensure_ascii=False)),
        )
        db.executemany(
            "insert into messages (request_no, sg_message_id, message_id, email, mailbox, domain, product, subject,"
            " accepted_at, is_silent, personalization) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((cursor.lastrowid, *message) for message in messages),
        )
        if not is_silent:
            insert_queue(db, [(now, "request", cursor.lastrowid or 0, "{}")])
    return x_message_id


def product_of(request: dict[str, Any]) -> str | None:
    """Return the product that a mail is about: `utm_campaign` of its links, or else its first category."""
    for content in request.get("content") or ():
        if named := _CAMPAIGN.search(content["value"]):
            return named[1]
    categories = request.get("categories") or ()
    return categories[0] if categories else None


def _add_suppressions(router: APIRouter, store: Store, clock: Clock) -> None:
    @router.get("/v3/suppression/{name}")
    def list_suppressions(
        name: str,
        start_time: int = 0,
        end_time: int = 2**53,
        limit: int = 500,
        offset: int = 0,
        email: str | None = None,
    ) -> Response:
        if name not in LISTS:
            return errors(404, mail_send.refusal("not found", None))
        if not 1 <= limit <= 500:
            return errors(400, mail_send.refusal("limit must be from 1 to 500", "limit"))
        rows = store.read(
            "select created, email, coalesce(reason, '') as reason, coalesce(status, '') as status, ip"
            " from suppressions where list = ? and created between ? and ? and (? is null or mailbox like ? || '%')"
            " order by created desc, mailbox limit ? offset ?",
            (name, start_time, end_time, email, (email or "").casefold(), limit, offset),
        )
        return JSONResponse([{field: row[field] for field in LISTS[name]} for row in rows])

    @router.delete("/v3/suppression/{name}/{email}")
    def remove_suppression(name: str, email: str) -> Response:
        return _remove(store, name, email)

    @router.post("/v3/asm/suppressions/global")
    async def add_global(request: Request) -> Response:
        try:
            emails = json.loads(await request.body())["recipient_emails"]
        except (ValueError, KeyError, TypeError):
            return errors(400, mail_send.refusal("recipient_emails is required", "recipient_emails"))
        if not isinstance(emails, list) or not all(mail_send.is_address(email) for email in emails):
            return errors(400, mail_send.refusal("email address is invalid", "recipient_emails"))
        created = int(clock.now())

        def keep() -> None:
            with store.write() as db:
                for email in emails:
                    suppress(db, "unsubscribes", email, created)

        await run_in_threadpool(keep)
        return JSONResponse({"recipient_emails": emails}, 201)

    @router.get("/v3/asm/suppressions/global/{email}")
    def read_global(email: str) -> dict[str, str]:
        rows = store.read(
            "select email from suppressions where list = 'unsubscribes' and mailbox = ?", (email.casefold(),)
        )
        return {"recipient_email": rows[0]["email"]} if rows else {}

    @router.delete("/v3/asm/suppressions/global/{email}")
    def remove_global(email: str) -> Response:
        return _remove(store, "unsubscribes", email)


def _remove(store: Store, name: str, email: str) -> Response:
    with store.write() as db:
        cursor = db.execute("delete from suppressions where list = ? and mailbox = ?", (name, email.casefold()))
    if cursor.rowcount == 0:
        return errors(404, mail_send.refusal("not found", None))
    return Response(status_code=204)
