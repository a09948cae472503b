"""CRMs: one module an edge, all with the same few functions."""

from datetime import datetime
from typing import Any, Protocol


class Crm(Protocol):
    """What a hand-off needs of a CRM. Every function raises `Refused` or `Unanswered` and nothing else."""

    name: str

    def push_contact(self, contact: dict[str, Any], known_id: str | None) -> str:
        """Update the contact with a known id, else the one with the address, else upsert by our id; return its id."""
        ...

    def push_note(self, crm_id: str, body: str, key: str, at: datetime) -> None:
        """Attach a note to a contact, once for `key`."""
        ...

    def deals_since(self, since: datetime) -> list[dict[str, Any]]:
        """Return the deals that changed since a moment, as rows of `opportunities`."""
        ...

    def outcomes_since(self, since: datetime) -> list[dict[str, Any]]:
        """Return what sales did with contacts since a moment: crm_id and the times of each answer."""
        ...

    def refusals_since(self, since: datetime | None) -> list[dict[str, Any]]:
        """Return the contacts that changed since a moment (None: ever) and want no mail: crm_id, address, at."""
        ...
