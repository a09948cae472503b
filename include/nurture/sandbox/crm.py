"""CRM: HubSpot's date-based object API, as far as a hand-off and its outcomes need it."""

import hmac
import itertools
import json
import sqlite3
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from nurture.sandbox import crm_store, sales_team
from nurture.sandbox.crm_search import search
from nurture.sandbox.crm_store import Invalid
from nurture.sandbox.store import Clock, Store, insert_queue

VERSION = "2026-09"
MOST_INPUTS = 100


def knows(token: str | None, authorization: str | None) -> bool:
    """Say whether an Authorization header carries the CRM's token (None takes any)."""
    scheme, _, given = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not given:
        return False
    return token is None or hmac.compare_digest(given.encode(), token.encode())


def error_body(error: Invalid) -> dict[str, Any]:
    """Return HubSpot's error body."""
    return {"status": "error", "message": error.message, "category": error.category, "correlationId": "sandbox"}


class Crm:
    """The objects, written on the sandbox's clock; every hand-off that is noticed gives the sales team work."""

    def __init__(self, store: Store, clock: Clock, seed: int) -> None:
        """Keep objects in `store`."""
        self._store, self._clock, self._seed = store, clock, seed

    def upsert(self, object_type: str, asked: Any) -> tuple[int, dict[str, Any]]:
        """Create or update up to 100, each by its unique property; failures stand beside successes (207)."""
        inputs = _inputs(asked)
        ids = [(each.get("idProperty", "email"), str(each.get("id", "")).lower()) for each in inputs]
        if len(set(ids)) < len(ids):
            raise Invalid("Duplicate IDs found in batch input")
        results, failures = [], []
        with self._store.write() as db:
            for each in inputs:
                try:
                    results.append(self._upsert_one(db, object_type, each))
                except Invalid as error:
                    trace = each.get("objectWriteTraceId")
                    context = {"ids": [str(each.get("id"))], **({"objectWriteTraceId": [trace]} if trace else {})}
                    failures.append({**error_body(error), "context": context})
        # Results come in another order than the inputs: whoever matches them by position is wrong here at once.
        return self._batch(results[::-1], failures, 200)

    def _upsert_one(self, db: sqlite3.Connection, object_type: str, each: dict[str, Any]) -> dict[str, Any]:
        by, value = each.get("idProperty", "email"), str(each.get("id") or "")
        if not value:
            raise Invalid("an input needs an id")
        properties = crm_store.checked(object_type, each.get("properties", {}))
        row = crm_store.find(db, object_type, by, value)
        is_new = row is None
        now = self._clock.now()
        if row is None:
            own = {} if by == "hs_object_id" else crm_store.checked(object_type, {by: value})
            row = crm_store.create(db, object_type, {**own, **properties}, now)
            self._notice(db, None, row)
        else:
            before, row = row, crm_store.update(db, row, properties, now)
            self._notice(db, before, row)
        trace = each.get("objectWriteTraceId")
        found = {**crm_store.shown(row, properties), "new": is_new}
        return {**found, "objectWriteTraceId": trace} if trace else found

    def create(self, object_type: str, asked: Any) -> dict[str, Any]:
        """Create one object with its associations. The same request twice makes two: that is HubSpot's way too."""
        with self._store.write() as db:
            return self._create_one(db, object_type, asked)

    def create_batch(self, object_type: str, asked: Any) -> tuple[int, dict[str, Any]]:
        """Create up to 100, all or none."""
        with self._store.write() as db:
            return self._batch([self._create_one(db, object_type, each) for each in _inputs(asked)], [], 201)

    def _create_one(self, db: sqlite3.Connection, object_type: str, asked: Any) -> dict[str, Any]:
        if not isinstance(asked, dict):
            raise Invalid("the request must be an object")
        properties = crm_store.checked(object_type, asked.get("properties", {}))
        row = crm_store.create(db, object_type, properties, self._clock.now())
        for association in asked.get("associations") or ():
            other = db.execute(
                "select * from crm_objects where object_id = ? and is_archived = 0", (association["to"]["id"],)
            ).fetchone()
            if other is None:
                raise Invalid(f"object {association['to']['id']} does not exist", "OBJECT_NOT_FOUND", 404)
            for kind in association.get("types") or [{"associationTypeId": 0}]:
                crm_store.associate(db, row["object_id"], other["object_id"], int(kind["associationTypeId"]))
            if object_type == "tasks" and other["object_type"] == "contacts":
                self._hand_over(db, other)
        self._notice(db, None, row)
        return crm_store.shown(row, properties)

    def change(self, object_type: str, object_id: str, by: str, asked: Any) -> dict[str, Any]:
        """Change the properties of one object."""
        with self._store.write() as db:
            row = crm_store.find(db, object_type, by, object_id)
            if row is None:
                raise _missing()
            properties = crm_store.checked(object_type, (asked or {}).get("properties", {}))
            before, row = row, crm_store.update(db, row, properties, self._clock.now())
            self._notice(db, before, row)
            return crm_store.shown(row, properties)

    def read(self, object_type: str, object_id: str, by: str, names: list[str], others: list[str]) -> dict[str, Any]:
        """Return one object, and the ids of those associated with it by type."""
        with self._store.write() as db:
            row = crm_store.find(db, object_type, by, object_id)
        if row is None:
            raise _missing()
        found = crm_store.shown(row, names)
        if others:
            near = crm_store.associated(self._store, row["object_id"])
            found["associations"] = {
                name: {"results": [{"id": str(each["object_id"])} for each in near if each["object_type"] == name]}
                for name in others
            }
        return found

    def archive(self, object_type: str, object_id: str) -> None:
        """Delete one object, as a person in the CRM may at any time."""
        with self._store.write() as db:
            if row := crm_store.find(db, object_type, "hs_object_id", object_id):
                db.execute("update crm_objects set is_archived = 1 where object_id = ?", (row["object_id"],))

    def associations(self, to_type: str, asked: Any) -> dict[str, Any]:
        """Return what is associated with each of up to 100 objects."""
        results = []
        for each in _inputs(asked):
            near = crm_store.associated(self._store, int(each["id"]))
            to = [
                {"toObjectId": row["object_id"], "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 3}]}
                for row in near
                if row["object_type"] == to_type
            ]
            if to:
                results.append({"from": {"id": str(each["id"])}, "to": to})
        return self._batch(results, [], 200)[1]

    def _notice(self, db: sqlite3.Connection, before: sqlite3.Row | None, row: sqlite3.Row) -> None:
        held = json.loads(before["properties"]) if before else {}
        if row["object_type"] == "contacts" and sales_team.is_handed_over(held, json.loads(row["properties"])):
            self._hand_over(db, row)

    def _hand_over(self, db: sqlite3.Connection, contact: sqlite3.Row) -> None:
        insert_queue(db, sales_team.decide(db, self._seed, contact, self._clock.now()))

    def _batch(self, results: list[Any], failures: list[Any], status: int) -> tuple[int, dict[str, Any]]:
        at = crm_store.iso(self._clock.now())
        found: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
        if failures:
            return 207, {**found, "numErrors": len(failures), "errors": failures}
        return status, found


def _inputs(asked: Any) -> list[dict[str, Any]]:
    inputs = asked.get("inputs") if isinstance(asked, dict) else None
    if not isinstance(inputs, list) or not inputs or not all(isinstance(each, dict) for each in inputs):
        raise Invalid("inputs must be a list of objects")
    if len(inputs) > MOST_INPUTS:
        raise Invalid(f"at most {MOST_INPUTS} inputs in a batch")
    return inputs


def _missing() -> Invalid:
    return Invalid("resource not found", "OBJECT_NOT_FOUND", 404)


def _names(listed: list[str] | None) -> list[str]:
    return list(itertools.chain.from_iterable(each.split(",") for each in listed or ()))


def create_router(store: Store, clock: Clock, seed: int, token: str | None) -> APIRouter:
    """Return the endpoints under /crm/objects, /crm/associations and /crm/owners of this version."""
    crm = Crm(store, clock, seed)

    async def check_token(request: Request) -> None:
        if not knows(token, request.headers.get("authorization")):
            message = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
            raise Invalid(message, "INVALID_AUTHENTICATION", 401)

    router = APIRouter(dependencies=[Depends(check_token)])
    objects = f"/crm/objects/{VERSION}/{{object_type}}"

    async def body(request: Request) -> Any:
        try:
            return json.loads(await request.body() or b"{}")
        except ValueError as error:
            raise Invalid("Invalid input JSON") from error

    @router.post(objects + "/{act}")
    async def post_many(object_type: str, act: str, request: Request) -> Response:
        if act != "search":
            raise _missing()
        return JSONResponse(await run_in_threadpool(search, store, _type(object_type), await body(request)))

    @router.post(objects + "/batch/{act}")
    async def post_batch(object_type: str, act: str, request: Request) -> Response:
        acts = {"upsert": crm.upsert, "create": crm.create_batch}
        if act not in acts:
            raise _missing()
        status, found = await run_in_threadpool(acts[act], _type(object_type), await body(request))
        return JSONResponse(found, status)

    @router.post(objects)
    async def post_one(object_type: str, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(crm.create, _type(object_type), await body(request)), 201)

    @router.patch(objects + "/{object_id}")
    async def patch_one(object_type: str, object_id: str, request: Request) -> Response:
        by = request.query_params.get("idProperty", "hs_object_id")
        asked = await body(request)
        return JSONResponse(await run_in_threadpool(crm.change, _type(object_type), object_id, by, asked))

    @router.get(objects + "/{object_id}")
    def get_one(object_type: str, object_id: str, request: Request) -> Response:
        asked = request.query_params
        by = asked.get("idProperty", "hs_object_id")
        names, others = _names(asked.getlist("properties")), _names(asked.getlist("associations"))
        return JSONResponse(crm.read(_type(object_type), object_id, by, names, others))

    @router.get(objects)
    def list_objects(object_type: str, request: Request) -> Response:
        asked = request.query_params
        page = {
            "limit": int(asked.get("limit", "10")),
            "after": asked.get("after"),
            "properties": _names(asked.getlist("properties")),
        }
        found = search(store, _type(object_type), page)
        del found["total"]
        return JSONResponse(found)

    @router.delete(objects + "/{object_id}")
    def delete_one(object_type: str, object_id: str) -> Response:
        crm.archive(_type(object_type), object_id)
        return Response(status_code=204)

    @router.post(f"/crm/associations/{VERSION}/{{from_type}}/{{to_type}}/batch/read")
    async def read_associations(to_type: str, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(crm.associations, _type(to_type), await body(request)))

    @router.get(f"/crm/owners/{VERSION}")
    def list_owners() -> dict[str, Any]:
        return {"results": [{**owner, "userId": int(owner["id"]), "archived": False} for owner in crm_store.OWNERS]}

    return router


def _type(name: str) -> str:
    if name not in crm_store.TYPES:
        raise Invalid(f"Unable to infer object type from: {name}")
    return name
