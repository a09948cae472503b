"""The sandbox's app: SendGrid, a CRM, a mailbox to read in, and the controls, on one loopback port."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp

from nurture.sandbox import control, crm, mail_send, pages, sendgrid_api, webhooks
from nurture.sandbox.crm_store import Invalid
from nurture.sandbox.faults import Faults
from nurture.sandbox.release import Releaser
from nurture.sandbox.sendgrid_api import Account, Unauthorized
from nurture.sandbox.store import Clock, Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What a sandbox is started with."""

    home: Path
    receiver_url: str | None = None
    seed: int = 1
    private_key: Path | None = None
    is_at_rest: bool = False
    tracking_key: str = ""
    account: Account = field(default_factory=Account)
    crm_token: str | None = None


def create_app(settings: Settings) -> ASGIApp:
    """Return the app; its store, clock and faults live as long as the process."""
    store = Store(settings.home)
    clock = Clock(store)
    if settings.is_at_rest:
        store.set("rest", True)
    key = webhooks.private_key(settings.private_key or settings.home / "webhook-key.pem")
    outbox = webhooks.Outbox(store, clock, settings.receiver_url, key, settings.tracking_key, settings.seed)
    releaser = Releaser(store, clock, outbox, settings.seed)

    def live() -> None:
        """Do what a second brings: with no clock set what is due, and in any case what was not yet told."""
        if store.setting("rest"):
            return
        if clock.set_to is None:
            releaser.release()
        outbox.tell(at_once=False)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        life = asyncio.create_task(_every_second(live))
        life.add_done_callback(_end_with)
        yield
        life.cancel()
        with suppress(asyncio.CancelledError):
            await life
        outbox.close()
        store.close()

    app = FastAPI(title="Nurture sandbox", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    faults = Faults(app)
    app.include_router(sendgrid_api.create_router(store, clock, settings.account))
    app.include_router(crm.create_router(store, clock, settings.seed, settings.crm_token))
    public_key = webhooks.public_key(key)
    app.include_router(control.create_router(store, clock, releaser, outbox, faults, settings.seed, public_key))
    app.include_router(pages.create_router(store, clock))

    @app.get("/health")
    def health() -> dict[str, str]:
        store.read("select 1")
        return {"status": "healthy"}

    @app.exception_handler(Unauthorized)
    async def refuse_key(_: Request, __: Exception) -> JSONResponse:
        message = "The provided authorization grant is invalid, expired, or revoked"
        return sendgrid_api.errors(401, mail_send.refusal(message, None))

    @app.exception_handler(Invalid)
    async def refuse_write(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Invalid)
        return JSONResponse(crm.error_body(error), error.status)

    @app.exception_handler(ValueError)
    @app.exception_handler(KeyError)
    async def refuse_control(request: Request, error: Exception) -> JSONResponse:
        if not request.url.path.startswith("/sandbox"):
            raise error
        return JSONResponse({"error": f"wrong or missing: {error}"}, 400)

    return faults


async def _every_second(live: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(1)
        await run_in_threadpool(live)


def _end_with(life: asyncio.Task[None]) -> None:
    """End the process when its life has failed: whoever supervises it starts it again, and nothing is lost."""
    if not life.cancelled() and (error := life.exception()):
        log.error("the sandbox stopped living", exc_info=error)
        os.kill(os.getpid(), signal.SIGTERM)
