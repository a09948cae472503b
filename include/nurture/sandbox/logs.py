"""Email Logs: POST /v3/logs and GET /v3/logs/{sg_message_id}, by what the provider keeps for 30 days."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from nurture.sandbox.store import Clock, Store

KEPT_FOR = 30 * 86400.0
_TEXT = r"(?:'((?:[^']|'')*)'|\"([^\"]*)\")"
_EQUALS = re.compile(rf"(to_email|subject|sg_message_id|reason)\s*=\s*{_TEXT}\Z", re.IGNORECASE)
_IN = re.compile(r"(status|categories)\s+IN\s*\((.*)\)\Z", re.IGNORECASE | re.DOTALL)
_WHEN = re.compile(rf"sg_message_id_created_at\s*(>=|<=|>|<)\s*(?:TIMESTAMP\s+)?{_TEXT}\Z", re.IGNORECASE)
_AND = re.compile(r"\s+AND\s+(?=(?:[^'\"]|'[^']*'|\"[^\"]*\")*\Z)", re.IGNORECASE)
_COLUMNS = {"to_email": "mailbox", "subject": "subject", "sg_message_id": "sg_message_id", "reason": "reason"}
_CONDITIONS = {
    **{name: f"messages.{column} = ?" for name, column in _COLUMNS.items()},
    **{sign: f"messages.accepted_at {sign} ?" for sign in (">=", "<=", ">", "<")},
    "status": "messages.status in (select value from json_each(?))",
    "categories": (
        "exists (select 1 from json_each(json_extract(requests.body, '$.categories')) as held"
        " inner join json_each(?) as asked on asked.value = held.value)"
    ),
}


class Unreadable(Exception):
    """The query is not one that Logs understands."""


def conditions(query: str) -> list[tuple[str, Any]]:
    """Return (SQL condition, value) for each part of a Logs query; `AND` only, no nesting."""
    found: list[tuple[str, Any]] = []
    for part in _AND.split(query.strip()) if query.strip() else ():
        if equals := _EQUALS.match(part):
            name = equals[1].lower()
            value = _unquoted(equals[2], equals[3])
            found.append((_CONDITIONS[name], value.casefold() if name == "to_email" else value))
        elif listed := _IN.match(part):
            values = [_unquoted(*pair) for pair in re.findall(_TEXT, listed[2])]
            found.append((_CONDITIONS[listed[1].lower()], json.dumps(values)))
        elif when := _WHEN.match(part):
            try:
                moment = datetime.fromisoformat(_unquoted(when[2], when[3]))
            except ValueError as error:
                raise Unreadable(f"invalid timestamp in {part}") from error
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            found.append((_CONDITIONS[when[1]], moment.timestamp()))
        else:
            raise Unreadable(f"invalid query near: {part}")
    return found


def _unquoted(single: str | None, double: str | None) -> str:
    return single.replace("''", "'") if single else double or ""


def create_router(store: Store, clock: Clock) -> APIRouter:
    """Return the two endpoints of Email Logs."""
    router = APIRouter()

    @router.post("/v3/logs")
    async def search_logs(request: Request) -> Response:
        try:
            asked = json.loads(await request.body() or b"{}")
            limit = asked.get("limit", 10)
            found = conditions(asked.get("query") or "")
        except (ValueError, AttributeError):
            return _error(400, "invalid request body")
        except Unreadable as error:
            return _error(400, str(error), "query")
        if not isinstance(limit, int) or not 1 <= limit <= 1000:
            return _error(400, "limit must be from 1 to 1000", "limit")
        messages = await run_in_threadpool(_search, store, clock.now(), found, limit)
        return JSONResponse({"messages": messages})

    @router.get("/v3/logs/{sg_message_id}")
    def read_log(sg_message_id: str) -> Response:
        rows = _select(store, clock.now(), [("messages.sg_message_id = ?", sg_message_id)], 1)
        if not rows:
            return _error(404, "message not found")
        row = rows[0]
        body, personalization = json.loads(row["body"]), json.loads(row["personalization"])
        events = store.read(
            "select body from events where message_no = ? order by happened_at desc limit 100", (row["message_no"],)
        )
        found = {
            **_summary(row, body),
            "api_key_id": "sandbox",
            "client_ip": "127.0.0.1",
            "category": body.get("categories") or [],
            "custom_args": {**(body.get("custom_args") or {}), **(personalization.get("custom_args") or {})},
            "events": [_event(json.loads(event["body"])) for event in events],
        }
        del found["sg_message_id_created_at"]
        return JSONResponse(found)

    return router


def _select(store: Store, now: float, found: list[tuple[str, Any]], limit: int) -> list[Any]:
    where = "".join(f" and {condition}" for condition, _ in found)
    statement = f"""
        select messages.*, requests.body from messages inner join requests using (request_no)
        where messages.accepted_at >= ? and messages.is_silent = 0 {where}
        order by messages.accepted_at desc, messages.message_no limit ?
    """  # noqa: S608 - the conditions are this module's own text, and every value is bound
    return store.read(statement, (now - KEPT_FOR, *(value for _, value in found), limit))


def _search(store: Store, now: float, found: list[tuple[str, Any]], limit: int) -> list[dict[str, Any]]:
    return [_summary(row, json.loads(row["body"])) for row in _select(store, now, found, limit)]


def _summary(row: Any, body: dict[str, Any]) -> dict[str, Any]:
    found = {
        "from_email": body["from"]["email"],
        "sg_message_id": row["sg_message_id"],
        "subject": row["subject"],
        "to_email": row["email"],
        "status": row["status"],
        "sg_message_id_created_at": datetime.fromtimestamp(row["accepted_at"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {**found, "reason": row["reason"]} if row["reason"] else found


def _event(event: dict[str, Any]) -> dict[str, Any]:
    category = event.get("category")
    return {**event, "category": [category]} if isinstance(category, str) else event


def _error(status: int, message: str, field: str | None = None) -> JSONResponse:
    return JSONResponse({"errors": [{"message": message, **({"field": field} if field else {})}]}, status)
