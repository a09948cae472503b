"""Control: the sandbox's own endpoints, by which a test, the demo or an oracle steers it and counts in it."""

import json
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from nurture.sandbox.faults import Faults
from nurture.sandbox.people import person, settable
from nurture.sandbox.release import Releaser
from nurture.sandbox.store import Clock, Store
from nurture.sandbox.webhooks import Outbox

MOST_MESSAGES = 10_000


def iso(moment: float) -> str:
    """Return a moment as ISO 8601 in UTC."""
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


def moment_of(text: Any) -> float:
    """Return a moment from ISO 8601; one without a zone is a ValueError."""
    found = datetime.fromisoformat(str(text))
    if found.tzinfo is None:
        raise ValueError(f"{text} has no zone: write it as in 2026-11-20T09:00:00+09:00")
    return found.timestamp()


def create_router(
    store: Store, clock: Clock, releaser: Releaser, outbox: Outbox, faults: Faults, seed: int, webhook_public_key: str
) -> APIRouter:
    """Return the endpoints under /sandbox."""
    router = APIRouter(prefix="/sandbox")

    async def body(request: Request) -> Any:
        return json.loads(await request.body() or b"null")

    @router.get("/webhook-public-key")
    def read_public_key() -> dict[str, str]:
        return {"public_key": webhook_public_key}

    @router.get("/clock")
    def read_clock() -> dict[str, Any]:
        return {"at": iso(clock.now()), "is_set": clock.set_to is not None, "is_at_rest": bool(store.setting("rest"))}

    @router.put("/clock")
    async def set_clock(request: Request) -> dict[str, Any]:
        asked = await body(request)
        at = None if asked["at"] is None else moment_of(asked["at"])
        return await run_in_threadpool(move, at, asked.get("release", True))

    def move(at: float | None, wants_release: bool) -> dict[str, Any]:
        clock.set(at)
        released = undelivered = 0
        if wants_release and not store.setting("rest"):
            released = releaser.release()
            undelivered = outbox.tell(at_once=True)
        return {"at": iso(clock.now()), "released": released, "undelivered": undelivered}

    @router.put("/rest")
    async def set_rest(request: Request) -> dict[str, bool]:
        wants_rest = bool((await body(request))["rest"])
        await run_in_threadpool(store.set, "rest", wants_rest)
        return {"rest": wants_rest}

    @router.get("/faults")
    def list_faults() -> list[dict[str, Any]]:
        return [vars(fault) for fault in faults.faults]

    @router.put("/faults")
    async def put_faults(request: Request) -> list[dict[str, Any]]:
        faults.replace(await body(request))
        return list_faults()

    @router.get("/people/{address}")
    def read_person(address: str) -> dict[str, Any]:
        return vars(person(seed, address.casefold(), store))

    @router.put("/people")
    async def put_people(request: Request) -> dict[str, int]:
        asked = {str(address).casefold(): settable(detail) for address, detail in (await body(request)).items()}

        def keep() -> None:
            with store.write() as db:
                db.executemany(
                    "insert or replace into people (mailbox, detail) values (?, ?)",
                    [(address, json.dumps(detail)) for address, detail in asked.items()],
                )

        await run_in_threadpool(keep)
        return {"people": len(asked)}

    @router.get("/messages")
    def list_messages(
        message_id: str | None = None,
        to: str | None = None,
        product: str | None = None,
        since: str | None = None,
        until: str | None = None,
        after: int = 0,
        limit: int = 1_000,
    ) -> dict[str, Any]:
        rows = store.read(
            "select message_no, sg_message_id, x_message_id, message_id, email, subject, product, status, is_silent,"
            " messages.accepted_at from messages inner join requests using (request_no)"
            " where message_no > :after and (:message_id is null or message_id = :message_id)"
            " and (:mailbox is null or mailbox = :mailbox) and (:product is null or product = :product)"
            " and messages.accepted_at >= :since and messages.accepted_at <= :until order by message_no limit :most",
            {
                "after": after,
                "message_id": message_id,
                "mailbox": to.casefold() if to else None,
                "product": product,
                "since": moment_of(since) if since else 0,
                "until": moment_of(until) if until else 2**53,
                "most": min(limit, MOST_MESSAGES),
            },
        )
        messages = [
            {
                "message_no": row["message_no"],
                "message_id": row["message_id"],
                "to": row["email"],
                "subject": row["subject"],
                "product": row["product"],
                "accepted_at": iso(row["accepted_at"]),
                "status": row["status"],
                "request": row["x_message_id"],
                "sg_message_id": row["sg_message_id"],
            }
            for row in rows
        ]
        is_full = len(rows) == min(limit, MOST_MESSAGES)
        return {"messages": messages, "next": rows[-1]["message_no"] if is_full else None}

    @router.get("/counts")
    def count_everything() -> dict[str, Any]:
        def pairs(statement: str) -> dict[str, int]:
            return {str(row[0]): row[1] for row in store.read(statement)}

        totals = store.read(
            "select (select count(*) from requests) as requests, (select count(*) from messages) as messages,"
            " (select count(distinct message_id) from messages) as distinct_message_ids,"
            " (select count(*) from queue) as queued, (select count(*) from outbox) as undelivered"
        )[0]
        return {
            **dict(totals),
            "products": pairs("select product, count(*) from messages group by product"),
            "statuses": pairs("select status, count(*) from messages group by status"),
            "events": pairs("select json_extract(body, '$.event') as kind, count(*) from events group by kind"),
            "suppressions": pairs("select list, count(*) from suppressions group by list"),
            "crm": pairs("select object_type, count(*) from crm_objects where is_archived = 0 group by object_type"),
            **read_clock(),
        }

    return router
