"""Receiver: what comes from outside is kept raw and answered at once; nothing here interprets it.

An ASGI app and a process of its own, so that the public internet never reaches Airflow: SendGrid's signed Event
Webhook, replies by Inbound Parse, unsubscribing (RFC 8058, or the preference page), and a tracking API
that Segment's server SDKs can post to. Each writes rows into `raw_events`, which the events stage takes in.
"""

import argparse
import base64
import binascii
import hmac
import json
import math
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
import sqlalchemy.exc
import uvicorn
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException

from nurture import db, preferences, tokens
from nurture.inbound_mail import decoded_reply, fields_of
from nurture.problem import Problem

MOST_BYTES = 4_000_000  # SendGrid posts at most 768 kB of events, Segment 500 kB
MOST_BYTES_OF_A_MAIL = 32_000_000  # Inbound Parse: 30 MB
MOST_BYTES_OF_A_FORM = 64_000
SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}


class TooLarge(Exception):
    """The body is larger than this door takes."""


class Keys:
    """The webhook's public keys; several count, so that one can be replaced by another without a gap."""

    def __init__(self, listed: str) -> None:
        """Take base64 DER keys, separated by commas, as SendGrid shows them."""
        self._keys = [_public_key(text.strip()) for text in listed.split(",") if text.strip()]

    def signed(self, headers: Headers, body: bytes) -> bool:
        """Say whether one of the keys signed timestamp and body. Every failure looks alike from outside."""
        try:
            signature = base64.b64decode(headers.get(SIGNATURE, ""), validate=True)
        except (binascii.Error, ValueError):
            return False
        message = headers.get(TIMESTAMP, "").encode() + body
        return sum(_verifies(key, signature, message) for key in self._keys) > 0  # every key is tried


def _public_key(text: str) -> ec.EllipticCurvePublicKey:
    try:
        key = serialization.load_der_public_key(base64.b64decode(text, validate=True))
    except ValueError:
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Problem("SENDGRID_WEBHOOK_PUBLIC_KEYS holds a text that is no public key: copy it from SendGrid again")
    return key


def _verifies(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def create_app(
    dsn: str | None = None,
    *,
    token_key: bytes = b"",
    public_keys: str = "",
    tracking_key: str = "",
    needs_signed_replies: bool = False,
) -> FastAPI:
    """Return the app. A door whose key is empty lets nobody in."""
    engine = db.engine(dsn, pool_size=8, max_overflow=16)
    keys = Keys(public_keys)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        engine.dispose()

    app = FastAPI(
        title="Nurture receiver",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
    )

    def may_track(request: Request) -> bool:
        return bool(tracking_key) and hmac.compare_digest(_basic_user(request), tracking_key.encode())

    @app.post("/webhooks/sendgrid")
    async def receive_events(request: Request) -> Response:
        body = await _body(request, MOST_BYTES)
        if not await run_in_threadpool(keys.signed, request.headers, body):
            return JSONResponse({"error": "signature not valid"}, 401)
        await run_in_threadpool(keep, engine, "sendgrid", body)
        return Response(status_code=204)

    @app.post("/webhooks/sendgrid/inbound")
    async def receive_reply(request: Request) -> Response:
        body = await _body(request, MOST_BYTES_OF_A_MAIL)
        if needs_signed_replies and not await run_in_threadpool(keys.signed, request.headers, body):
            return JSONResponse({"error": "signature not valid"}, 401)
        reply = decoded_reply(await fields_of(request.headers.get("content-type", ""), body))
        await run_in_threadpool(keep, engine, "inbound", json.dumps([reply]).encode())
        return Response(status_code=204)

    @app.api_route("/u/{token}", methods=["GET", "HEAD"])
    def show_preferences(token: str, request: Request) -> Response:
        """Show the preference page. Scanners follow links, so this changes nothing (N10)."""
        message_id = tokens.read(token_key, token)
        if not message_id:
            return _html(preferences.page_of_no_link(_language(request)), 404)
        return _html(preferences.page(preferences.standing(engine, message_id), _language(request)))

    @app.post("/u/{token}")
    async def take_preferences(token: str, request: Request) -> Response:
        """Take an act: of a mail client in one click, or of a person on the page. Twice is as good as once."""
        message_id, language = tokens.read(token_key, token), _language(request)
        if message_id is None:
            return _html(preferences.page_of_no_link(language), 404)
        body = await _body(request, MOST_BYTES_OF_A_FORM)
        fields = await fields_of(request.headers.get("content-type", ""), body)
        form = {name: value.decode(errors="replace") for name, value in fields.items()}
        # Some clients leave the body of a one-click POST out. A refusal is taken rather than lost.
        if not form or form.get("List-Unsubscribe", "").lower() == "one-click":
            acts = [{"message_id": message_id, "how": "one_click", "scope": preferences.SCOPES[0]}]
        else:
            acts = preferences.acts(message_id, form)
        if form.get("occurred_at") and may_track(request):  # A server of ours that passes an act on may say when.
            acts = acts and [{**act, "occurred_at": form["occurred_at"]} for act in acts]
        if message_id == tokens.NOBODY:  # `nurture check --live` and dispatch ask whether a refusal would be taken
            return JSONResponse({"status": "ok"}) if await run_in_threadpool(is_healthy) else ask_again()
        if acts:
            await run_in_threadpool(keep, engine, "unsubscribe", json.dumps(acts).encode())
        notice = "unclear" if acts is None else "saved"
        page = await run_in_threadpool(
            lambda: preferences.page(preferences.standing(engine, message_id), language, notice)
        )
        return _html(page, 400 if acts is None else 200)

    @app.post("/v1/{kind}")
    async def track(kind: str, request: Request) -> Response:
        if not may_track(request):
            return JSONResponse({"error": "write key not valid"}, 401, {"WWW-Authenticate": "Basic"})
        if kind not in ("track", "page", "identify", "batch"):
            return JSONResponse({"error": "no such call"}, 404)
        body = await _body(request, MOST_BYTES)
        try:
            call = json.loads(body)
        except (ValueError, RecursionError):
            return JSONResponse({"error": "the body is no JSON"}, 400)
        if not isinstance(call, dict) or (kind == "batch" and not isinstance(call.get("batch"), list)):
            return JSONResponse({"error": "the body is not a call"}, 400)
        if kind != "batch":
            body = json.dumps({"batch": [{**call, "type": kind}]}).encode()
        await run_in_threadpool(keep, engine, "track", body)
        return JSONResponse({"success": True})

    def is_healthy() -> bool:
        with engine.connect() as conn:
            return db.run(conn, db.statements("receiver").check_health).scalar_one()

    @app.get("/health")
    def check_health() -> Response:
        well = is_healthy()
        return JSONResponse({"status": "healthy" if well else "unhealthy"}, 200 if well else 503)

    @app.exception_handler(TooLarge)
    async def refuse_size(_: Request, __: Exception) -> Response:
        return JSONResponse({"error": "the body is too large"}, 413)

    @app.exception_handler(MultiPartException)
    async def refuse_form(_: Request, __: Exception) -> Response:
        return JSONResponse({"error": "the form cannot be read"}, 400)

    @app.exception_handler(sqlalchemy.exc.SQLAlchemyError)
    async def ask_for_another_try(_: Request, __: Exception) -> Response:
        """Answer 503 when the database does not take it: every sender tries that again, and drops after a 4xx."""
        return ask_again()

    return app


def ask_again() -> Response:
    """Return the answer after which every sender tries again."""
    return JSONResponse({"error": "not now"}, 503, {"Retry-After": "30"})


def keep(engine: sa.Engine, channel: str, body: bytes) -> None:
    """Keep every element of a body in one statement; what the database cannot hold is mended first (N8)."""
    try:
        _insert(engine, channel, body.decode())
    except UnicodeDecodeError:
        _insert(engine, channel, mended(body, "batch" if channel == "track" else None))
    except sqlalchemy.exc.DBAPIError as error:
        # Classes 22 (a value it cannot hold, such as NUL) and 54 (nested too deep) would fail for ever.
        if (getattr(error.orig, "pgcode", None) or "")[:2] not in ("22", "54"):
            raise
        _insert(engine, channel, mended(body, "batch" if channel == "track" else None))


def _insert(engine: sa.Engine, channel: str, text: str) -> None:
    sql = db.statements("receiver")
    with engine.begin() as conn:
        if channel == "track":
            db.run(conn, sql.insert_batch, body=text)
        else:
            db.run(conn, sql.insert_raw_events, channel=channel, body=text)


def mended(body: bytes, member: str | None = None) -> str:
    """Return a body as JSON that PostgreSQL can hold; of one that is no JSON, its text as the only element.

    NUL, half surrogate pairs, NaN and numbers without end are replaced or written as text.
    """
    text = body.decode(errors="replace")
    try:
        found = json.loads(text, parse_constant=str, parse_float=_number, parse_int=_integer)
        elements = found[member] if member else found
        written = json.dumps(_storable(elements if isinstance(elements, list) else [elements]))
    except (ValueError, KeyError, TypeError, RecursionError):
        written = json.dumps([{"unreadable": _storable(text)}])
    return f'{{"{member}": {written}}}' if member else written


def _number(text: str) -> float | str:
    return float(text) if math.isfinite(float(text)) else text


def _integer(text: str) -> int | str:
    return int(text) if len(text) < 100 else text


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(each) for name, each in value.items()}
    return value


def _html(page: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(page, status, PAGE_HEADERS)


def _language(request: Request) -> preferences.Language:
    """Return the language that the link asks for, else what the browser prefers, else Japanese."""
    wanted = [(0.0, 0, request.query_params.get("lang", ""))]
    for place, part in enumerate(request.headers.get("accept-language", "").split(","), 1):
        name, _, weight = part.strip().partition(";q=")
        wanted.append((1 - (float(weight) if weight.replace(".", "", 1).isdigit() else 1.0), place, name[:2].lower()))
    best = next((name for _, _, name in sorted(wanted) if name in ("ja", "en")), "ja")
    return "en" if best == "en" else "ja"


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise TooLarge
    return bytes(body)


def _basic_user(request: Request) -> bytes:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        return base64.b64decode(given, validate=True).partition(b":")[0] if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        return b""


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the receiver on 127.0.0.1; a proxy with TLS stands before it in production."""
    parser = argparse.ArgumentParser(
        prog="python -m nurture.receiver",
        description="Receive what comes from outside.",
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    given = parser.parse_args(arguments)
    try:
        app = create_app(
            token_key=os.environ.get("NURTURE_TOKEN_KEY", "").encode(),
            public_keys=os.environ.get("SENDGRID_WEBHOOK_PUBLIC_KEYS", ""),
            tracking_key=os.environ.get("NURTURE_TRACKING_KEY", ""),
            needs_signed_replies=os.environ.get("SENDGRID_INBOUND_SIGNED", "") == "1",
        )
    except (LookupError, Problem) as error:
        parser.exit(1, f"{error}\n")
    uvicorn.run(
        app,
        host=given.host,
        port=given.port,
        ws="none",
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
