"""Dispatch: turn a due message into an accepted one, once."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from nurture import blocks, calendars, db, emails, tokens
from nurture.answers import Refused, Unanswered
from nurture.definitions.products import Calendar, Company, Product
from nurture.problem import Problem
from nurture.sendgrid import AT_MOST, Recipient, request_body

Send = Callable[[dict[str, Any]], str]  # Posts a request body, returns the provider's id; Refused or Unanswered.

BEGUN_WITHIN = 60.0  # seconds from the commit to the POST; later the worker gives the request up itself (N2)
STRANDED_AT_MOST = 2_000  # messages that one outage may leave unknown (N3)
AFTER_ONE_AMBIGUOUS = 900  # leaves room for a hundred probes below STRANDED_AT_MOST
PROBE_EVERY = timedelta(minutes=15)


@dataclass(frozen=True)
class Links:
    """Where a mail's own links lead: the receiver's public URL, and the key that signs its tokens."""

    receiver_url: str
    token_key: bytes

    def unsubscribe(self, message_id: int) -> str:
        """Return the one-click URL of a message (RFC 8058)."""
        return f"{self.receiver_url.rstrip('/')}/u/{self.token(message_id)}"

    def token(self, message_id: int) -> str:
        """Return the opaque token of a message."""
        return tokens.sign(self.token_key, message_id)


class Claimed(NamedTuple):
    """A message that this worker sends, with what the mail says of its lead."""

    message_id: int
    address: str
    name: str | None
    company: str | None


class Stopped(Exception):
    """Sending ended early; the message says why and what mends it, `counts` how far it came."""

    def __init__(self, reason: str, counts: dict[str, int]) -> None:
        super().__init__(reason)
        self.counts = counts


def send_due(
    conn: sa.Connection, product: Product, company: Company, as_of: datetime, at: datetime, send: Send, links: Links
) -> dict[str, int]:
    """Send everything of a product that is due by `as_of` and permitted at `at`; return counts.

    Counts: accepted, refused, unknown, never, not_now, expired. Raises `Stopped` when the provider takes nothing
    more, left an answer open, or an email cannot be rendered: what was not sent stays planned for the next run.
    """
    return _Dispatch(conn, product, company, as_of, at, send, links).run()


class _Dispatch:
    """One run of one product's sending."""

    def __init__(
        self, conn: sa.Connection, product: Product, company: Company, as_of: datetime, at: datetime, send: Send,
        links: Links,
    ) -> None:  # fmt: skip
        self.conn, self.product, self.company = conn, product, company
        self.as_of, self.at, self.send, self.links = min(as_of, at), at, send, links  # nothing is due before its time
        self.calendar: Calendar = company.calendars[product.calendar]
        self.day = at.astimezone(product.zone).date()
        self.sql = db.statements("dispatch")
        self.counts: dict[str, int] = dict.fromkeys(
            ("accepted", "refused", "unknown", "never", "not_now", "expired"), 0
        )
        self.size = AT_MOST  # halves when a request is refused and no recipient is named

    def run(self) -> dict[str, int]:
        """Expire, wait for business hours, then send email by email."""
        which = {"product": self.product.product, "as_of": self.as_of, "at": self.at}
        past = [name for name, email in self.product.emails.items() if email.terms.is_past(self.day)]
        self.counts["expired"] = db.run(self.conn, self.sql.expire, past_emails=past, **which).scalar_one()
        opens = calendars.next_open(self.calendar, self.product.zone, self.at)
        if opens > self.at:
            self.counts["not_now"] = db.run(self.conn, self.sql.wait_until_open, until=opens, **which).scalar_one()
            self.conn.commit()
            return self.counts
        self.conn.commit()
        due = db.run(self.conn, self.sql.due_emails, product=self.product.product, as_of=self.as_of).all()
        self.conn.commit()
        broken = []
        for email, _ in due:
            try:
                for variant in blocks.choose(self.conn, self.product, email, self.as_of):
                    self._send_email(email, variant)
            except Problem as problem:  # one email that cannot be rendered stops no other
                self.conn.rollback()
                broken.append(str(problem))
        if broken:
            raise Stopped("; ".join(broken), self.counts)
        if self.counts["unknown"]:
            raise Stopped(
                f"{self.counts['unknown']} messages have no answer from SendGrid: they are settled by evidence, or by "
                f"hand (nurture sends held)",
                self.counts,
            )
        return self.counts

    def _send_email(self, email: str, variant: blocks.Variant) -> None:
        content = emails.render(self.product, email, shown=variant.shown)
        content_hash = content.hash()
        db.run(
            self.conn, self.sql.keep_content,
            content_hash=content_hash, product=self.product.product, email=email,
            subject=content.subject, text=content.text, html=content.html,
        )  # fmt: skip
        self.conn.commit()
        self.size = AT_MOST
        while (allowed := min(self._allowed(), self.size)) > 0:
            probing = allowed == 1 and self.size > 1
            rendered = content.with_mark(emails.new_mark())
            request_id, claimed, judged = self._claim(
                email, variant.key, content_hash, rendered.mark, allowed, probing
            )  # fmt: skip
            committed = time.monotonic()
            if claimed:
                self._post(request_id, rendered, claimed, committed)
            elif judged == 0:
                return

    def _allowed(self) -> int:
        """Return how many messages the next request may have: fewer while the provider's answers are ambiguous (N3)."""
        recent = db.run(self.conn, self.sql.recent_requests, product=self.product.product).all()
        if not recent or recent[0].status != "unknown":
            return AT_MOST
        if len(recent) < 2 or recent[1].status != "unknown":
            return AFTER_ONE_AMBIGUOUS
        unknown = db.run(self.conn, self.sql.stranded, product=self.product.product).scalar_one()
        if unknown < STRANDED_AT_MOST and self.at - recent[0].at >= PROBE_EVERY:
            return 1
        raise Stopped(
            f"{unknown} messages of {self.product.product} have no answer from SendGrid; nothing more is sent until "
            f"one is settled (nurture sends settle) or a probe is accepted",
            self.counts,
        )

    def _claim(
        self, email: str, variant: str | None, content_hash: str, mark: str, at_most: int, is_probe: bool
    ) -> tuple[int, list[Claimed], int]:
        """Commit a request with its members before the call (N2); return its id, them, and how many were judged."""
        conn, sql, product = self.conn, self.sql, self.product
        budget_day = {"product": product.product, "day": self.day}
        db.run(conn, sql.create_claim)
        db.run(conn, sql.open_budget, **budget_day)
        judged = db.count(
            conn, sql.lock_due,
            product=product.product, email=email, variant=variant, as_of=self.as_of, at_most=at_most,
        )  # fmt: skip
        if judged == 0:
            conn.commit()
            return 0, [], 0
        spent = db.run(conn, sql.lock_budget, **budget_day).scalar_one()
        tomorrow = calendars.opening(self.calendar, product.zone, self.day + timedelta(days=1))
        db.run(
            conn, sql.judge,
            product=product.product, at=self.at,
            span=self.company.frequency.within.span(), mails=self.company.frequency.mails,
            budget=max(product.limits.mails_per_day - spent, 0),
            tomorrow=calendars.next_open(self.calendar, product.zone, tomorrow),
            excluded_domains=[domain.lower() for domain in self.company.exclusions.domains],
            excluded_addresses=[address.lower() for address in self.company.exclusions.addresses],
        )  # fmt: skip
        never, not_now = db.run(conn, sql.turn_down, at=self.at).one()
        self.counts["never"] += never
        self.counts["not_now"] += not_now
        rows = db.run(
            conn, sql.open_request,
            email=email, content_hash=content_hash, mark=mark, at=self.at, is_probe=is_probe, **budget_day,
        ).all()  # fmt: skip
        conn.commit()
        return (
            (rows[0].request_id if rows else 0),
            [Claimed(row.message_id, row.address, row.name, row.company) for row in rows],
            judged,
        )

    def _post(self, request_id: int, rendered: emails.Rendered, claimed: list[Claimed], committed: float) -> None:
        """Make the one call, and write its answer down in one statement."""
        sender = self.product.sender
        body = request_body(
            (sender.name, sender.email), rendered.subject, rendered.text, rendered.html,
            [self._recipient(rendered, message) for message in claimed], [self.product.product],
        )  # fmt: skip
        if time.monotonic() - committed > BEGUN_WITHIN:
            self._record_not_sent(request_id, "the worker was too slow to begin", [])
            return
        try:
            provider_request_id = self.send(body)
        except Refused as refusal:
            self._refused(request_id, claimed, refusal)
        except Unanswered as nobody_knows:
            db.run(self.conn, self.sql.record_unknown, request_id=request_id, answer=str(nobody_knows), at=self.at)
            self.conn.commit()
            self.counts["unknown"] += len(claimed)
        else:
            self.counts["accepted"] += db.count(
                self.conn, self.sql.record_accepted,
                request_id=request_id, answer="202", at=self.at, provider_request_id=provider_request_id,
            )  # fmt: skip
            self.conn.commit()
            self.size = min(self.size * 2, AT_MOST)

    def _recipient(self, rendered: emails.Rendered, message: Claimed) -> Recipient:
        unsubscribe = self.links.unsubscribe(message.message_id)
        values = {
            "name": message.name, "company": message.company, "token": self.links.token(message.message_id),
            "unsubscribe_url": unsubscribe, "preference_url": unsubscribe,
        }  # fmt: skip
        headers = {"List-Unsubscribe": f"<{unsubscribe}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        substitutions = emails.substitutions(rendered, values)
        return Recipient(message.message_id, message.address, substitutions, headers)

    def _refused(self, request_id: int, claimed: list[Claimed], refusal: Refused) -> None:
        """Isolate the recipients at fault, by the error's indexes or by halving; everybody else is planned again."""
        bad = [claimed[index].message_id for index in refusal.indexes if index < len(claimed)]
        if not bad and not refusal.stops and len(claimed) == 1:
            bad = [claimed[0].message_id]
        self._record_not_sent(request_id, refusal.reason, bad)
        if refusal.stops:
            raise Stopped(f"{refusal.reason}; {len(claimed)} messages stay planned for the next run", self.counts)
        if not bad:
            self.size = max(len(claimed) // 2, 1)

    def _record_not_sent(self, request_id: int, reason: str, refused: list[int]) -> None:
        counted, _ = db.run(
            self.conn, self.sql.record_not_sent,
            request_id=request_id, answer=reason, at=self.at, refused=refused, day=self.day,
        ).one()  # fmt: skip
        self.conn.commit()
        self.counts["refused"] += counted
