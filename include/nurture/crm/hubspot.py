"""HubSpot: contacts, notes and deals over its date-based object API (version 2026-09).

Contacts are named by our custom property `nurture_lead_id` (unique in the portal), since addresses change and merge.
Sales answers in `nurture_sales_status`, `nurture_sales_status_at` and `nurture_return_reason`.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx

from nurture.answers import Refused, Unanswered

VERSION = "2026-09"
NOTE_TO_CONTACT = 202  # HubSpot's own association type
PAGE = 100
WALKED_AT_MOST = 10_000  # results of one search, however many pages: further ones are refused
_SALES = ("nurture_sales_status", "nurture_sales_status_at", "nurture_return_reason")
_DEAL = (
    "dealname", "amount", "deal_currency_code", "dealstage", "closedate", "createdate", "hs_is_closed",
    "hs_is_closed_won", "hs_lastmodifieddate", "nurture_product",
)  # fmt: skip


class _Missing(Refused):
    """The object is not there, or not any more."""


class HubSpot:
    """A portal, reached with a service key."""

    name = "hubspot"

    def __init__(self, token: str, host: str = "https://api.hubapi.com", timeout: float = 30.0) -> None:
        self._http = httpx.Client(
            base_url=host.rstrip("/"), timeout=timeout, headers={"Authorization": f"Bearer {token}"}
        )

    def close(self) -> None:
        """Close the connections that are kept open between calls."""
        self._http.close()

    def push_contact(self, contact: dict[str, Any], known_id: str | None) -> str:
        """Update the contact with a known id, else the one with the address, else upsert by our id; return its id."""
        properties = {name: str(value) for name, value in contact.items() if value not in (None, "")}
        if known_id and self._updated(known_id, properties):
            return known_id
        found = self._with_address(properties.get("email"))
        if found and self._updated(found, properties):
            return found
        ours = properties["nurture_lead_id"]
        one = {"id": ours, "idProperty": "nurture_lead_id", "properties": properties, "objectWriteTraceId": ours}
        answer = self._call("POST", f"/crm/objects/{VERSION}/contacts/batch/upsert", {"inputs": [one]})
        if not answer.get("results"):
            errors = answer.get("errors") or [{}]
            raise Refused(f"HubSpot says: {errors[0].get('message', 'no result')}")
        return str(answer["results"][0]["id"])

    def push_note(self, crm_id: str, body: str, key: str, at: datetime) -> None:
        """Attach a note to a contact, once for `key`: creating is not idempotent, so it is looked for first."""
        if any(True for _ in self._search("notes", [("nurture_key", "EQ", key)], ())):
            return
        types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": NOTE_TO_CONTACT}]
        note = {
            "properties": {"hs_note_body": body, "hs_timestamp": at.isoformat(), "nurture_key": key},
            "associations": [{"to": {"id": crm_id}, "types": types}],
        }
        self._call("POST", f"/crm/objects/{VERSION}/notes", note)

    def deals_since(self, since: datetime) -> list[dict[str, Any]]:
        """Return the deals that changed since a moment, as rows of `opportunities`."""
        deals = list(self._search("deals", [("hs_lastmodifieddate", "GTE", _milliseconds(since))], _DEAL))
        contacts: dict[str, str] = {}
        for start in range(0, len(deals), PAGE):
            inputs = [{"id": deal["id"]} for deal in deals[start : start + PAGE]]
            answer = self._call("POST", f"/crm/associations/{VERSION}/deals/contacts/batch/read", {"inputs": inputs})
            for row in answer.get("results", []):
                contacts[str(row["from"]["id"])] = str(row["to"][0]["toObjectId"])
        return [_deal(deal, contacts.get(str(deal["id"]))) for deal in deals]

    def outcomes_since(self, since: datetime) -> list[dict[str, Any]]:
        """Return what sales did with contacts since a moment: crm_id and the times of each answer."""
        changed = ("lastmodifieddate", "GTE", _milliseconds(since))
        found = self._search("contacts", [changed], _SALES)
        return [row for row in map(_outcome, found) if row is not None]

    def refusals_since(self, since: datetime | None) -> list[dict[str, Any]]:
        """Return the contacts that changed since a moment (None: ever) and want no mail: crm_id, address, at.

        HubSpot's own property *Unsubscribed from all email*: a rep marks it, an import, or the contact. It does not say
        when: the contact's last change is the latest that it can have been.
        """
        wanted = [("hs_email_optout", "EQ", "true")]
        if since is not None:
            wanted.append(("lastmodifieddate", "GTE", _milliseconds(since)))
        return [
            {
                "crm_id": str(found["id"]), "address": found["properties"].get("email"),
                "at": found["properties"]["lastmodifieddate"],
            }
            for found in self._search("contacts", wanted, ("email", "lastmodifieddate"))
        ]  # fmt: skip

    def _updated(self, crm_id: str, properties: dict[str, str]) -> bool:
        """Update a contact, and say whether it is there: somebody may have deleted or merged it."""
        try:
            self._call("PATCH", f"/crm/objects/{VERSION}/contacts/{crm_id}", {"properties": properties})
        except _Missing:
            return False
        return True

    def _with_address(self, address: str | None) -> str | None:
        if not address:
            return None
        return next((str(found["id"]) for found in self._search("contacts", [("email", "EQ", address)], ())), None)

    def _search(
        self, kind: str, wanted: list[tuple[str, str, str]], properties: tuple[str, ...]
    ) -> Iterator[dict[str, Any]]:
        """Walk the pages of a search for what meets every (property, operator, value), in the order of their ids.

        A search that ends at its limit goes on in a new one behind the last id: ids, unlike moments, are never equal.
        """
        wanted, last = [*wanted, ("hs_object_id", "GT", "0")], ""
        while last is not None:
            wanted[-1] = ("hs_object_id", "GT", last or "0")
            last = None
            for number, found in enumerate(self._pages(kind, wanted, properties), start=1):
                yield found
                if number == WALKED_AT_MOST:
                    last = str(found["id"])

    def _pages(
        self, kind: str, wanted: list[tuple[str, str, str]], properties: tuple[str, ...]
    ) -> Iterator[dict[str, Any]]:
        """Walk the pages of one search, up to its limit."""
        filters = [{"propertyName": name, "operator": operator, "value": value} for name, operator, value in wanted]
        asked: dict[str, Any] = {
            "filterGroups": [{"filters": filters}], "properties": list(properties), "limit": PAGE,
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        }  # fmt: skip
        for _ in range(WALKED_AT_MOST // PAGE):
            answer = self._call("POST", f"/crm/objects/{VERSION}/{kind}/search", asked)
            yield from answer.get("results", [])
            after = ((answer.get("paging") or {}).get("next") or {}).get("after")
            if not after:
                return
            asked["after"] = after

    def _call(self, method: str, path: str, body: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.ConnectError as error:
            raise Refused(f"HubSpot was not reached: {error}", stops=True) from error
        except httpx.HTTPError as error:
            raise Unanswered(f"HubSpot did not answer: {type(error).__name__}") from error
        if answer.status_code >= 500:
            raise Unanswered(f"HubSpot answered {answer.status_code}")
        found = _json(answer)
        if answer.status_code in (401, 403, 429):
            raise Refused(f"HubSpot says {answer.status_code}: {found.get('message', '')}", stops=True)
        if answer.status_code == 404:
            raise _Missing(f"HubSpot says 404: {found.get('message', '')}")
        if answer.status_code >= 400:
            raise Refused(f"HubSpot says {answer.status_code}: {found.get('message', '')}")
        return found


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError as error:
        raise Unanswered(f"HubSpot answered {answer.status_code} without JSON") from error
    return found if isinstance(found, dict) else {}


def _milliseconds(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))


def _deal(deal: dict[str, Any], crm_id: str | None) -> dict[str, Any]:
    told = deal["properties"]
    return {
        "crm_opportunity_id": str(deal["id"]), "crm_id": crm_id, "product": told.get("nurture_product"),
        "name": told.get("dealname") or "", "stage": told.get("dealstage") or "", "amount": told.get("amount") or None,
        "currency": told.get("deal_currency_code"), "opened_at": told.get("createdate") or deal.get("createdAt"),
        "closed_at": told.get("closedate") or told.get("hs_lastmodifieddate"),
        "is_closed": told.get("hs_is_closed") == "true", "is_won": told.get("hs_is_closed_won") == "true",
        "modified_at": told.get("hs_lastmodifieddate") or deal.get("updatedAt"),
    }  # fmt: skip


def _outcome(contact: dict[str, Any]) -> dict[str, Any] | None:
    told = contact["properties"]
    status, at = told.get("nurture_sales_status"), told.get("nurture_sales_status_at")
    if not status or not at:
        return None
    return {
        "crm_id": str(contact["id"]),
        "sales_accepted_at": at if status in ("sales_accepted", "sales_qualified") else None,
        "sales_qualified_at": at if status == "sales_qualified" else None,
        "returned_at": at if status == "returned" else None,
        "returned_reason": told.get("nurture_return_reason"),
    }
