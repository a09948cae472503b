"""Posting: a request's call to the provider, made while the next request is claimed.

A call begins as soon as its claim is committed, in a thread that touches no database; whoever claims writes down what
came of it.
"""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from nurture import emails, tokens
from nurture.answers import Refused, Unanswered
from nurture.definitions.products import Product
from nurture.sendgrid import Recipient, request_body

Send = Callable[[dict[str, Any]], str]  # Posts a request body, returns the provider's id; Refused or Unanswered.
Answer = str | Refused | Unanswered | None  # the provider's id of the request, a no, nobody knows, or never begun

AT_ONCE = 2  # one under way while another is claimed, and the other begins at once


@dataclass(frozen=True)
class Links:
    """Where a mail's own links lead: the receiver's public URL, and the key that signs its tokens."""

    receiver_url: str
    token_key: bytes

    def unsubscribe(self, token: str) -> str:
        """Return the URL of a message that unsubscribes in one click (RFC 8058) and opens the preference page."""
        return f"{self.receiver_url.rstrip('/')}/u/{token}"

    def token(self, message_id: int) -> str:
        """Return the opaque token of a message."""
        return tokens.sign(self.token_key, message_id)


class Claimed(NamedTuple):
    """A message that this worker sends, with what the mail says of its lead."""

    message_id: int
    address: str
    occasion_mark: str
    name: str | None
    company: str | None


class Request(NamedTuple):
    """A request whose claim is committed: its id, its members, their content, and until when its call may begin."""

    request_id: int
    members: list[Claimed]
    rendered: emails.Rendered
    is_alone: bool  # one member, whose values are too long for substitution tags
    at: datetime  # its moment
    begins_by: float  # on the monotonic clock; later it is given up (N2)


class Posting:
    """The calls of one run, in the order in which they end."""

    def __init__(self, product: Product, send: Send, links: Links) -> None:
        self._product, self._send, self._links = product, send, links
        self._threads = ThreadPoolExecutor(AT_ONCE, "posting")
        self._under_way: list[tuple[Request, Future[Answer]]] = []

    @property
    def under_way(self) -> int:
        """How many calls were begun whose answer was not taken yet."""
        return len(self._under_way)

    def begin(self, request: Request) -> None:
        """Begin a call; its answer comes by `answered`."""
        self._under_way.append((request, self._threads.submit(self._call, request)))

    def answered(self) -> tuple[Request, Answer]:
        """Wait for the call that ends first and return what came of it; raise what neither edge knows."""
        wait([future for _, future in self._under_way], return_when=FIRST_COMPLETED)
        place = next(place for place, (_, future) in enumerate(self._under_way) if future.done())
        request, future = self._under_way.pop(place)
        return request, future.result()

    def close(self) -> None:
        """Begin no more calls."""
        self._threads.shutdown(wait=False)

    def _call(self, request: Request) -> Answer:
        body = self._body(request)
        if time.monotonic() > request.begins_by:
            return None
        try:
            return self._send(body)
        except (Refused, Unanswered) as answer:
            return answer

    def _body(self, request: Request) -> dict[str, Any]:
        sender, rendered = self._product.sender, request.rendered
        words = emails.fill(rendered, self._values(request.members[0])) if request.is_alone else rendered
        return request_body(
            (sender.name, sender.email), words.subject, words.text, words.html,
            [self._recipient(request, member) for member in request.members], [self._product.product],
        )  # fmt: skip

    def _values(self, member: Claimed) -> dict[str, str | None]:
        token = self._links.token(member.message_id)
        return {
            "name": member.name, "company": member.company, "token": token,
            "unsubscribe_url": self._links.unsubscribe(token),
        }  # fmt: skip

    def _recipient(self, request: Request, member: Claimed) -> Recipient:
        values = self._values(member)
        headers = {
            "List-Unsubscribe": f"<{values['unsubscribe_url']}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
        substitutions = {} if request.is_alone else emails.substitutions(request.rendered, values)
        return Recipient(member.message_id, member.occasion_mark, member.address, substitutions, headers)
