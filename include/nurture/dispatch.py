"""Dispatch: turn a due message into an accepted one, once."""

import hashlib
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from nurture import approvals, blocks, calendars, db, emails, holds, outages
from nurture.answers import Refused, Unanswered
from nurture.definitions.limits import SendingDomain
from nurture.definitions.products import Calendar, Company, Product
from nurture.posting import AT_ONCE, Claimed, Links, Posting, Request, Send
from nurture.problem import Problem
from nurture.sendgrid import AT_MOST

BEGUN_WITHIN = 60.0  # seconds from a request's moment to its POST; later the worker gives it up itself (N2)
TICK = 10  # seconds: a request's moment is the attempt's clock and what has passed since, down to a whole tick
START: tuple[datetime, int] = (datetime.min.replace(tzinfo=UTC), 0)  # before every due message of a batch
WAIT = 0.05  # seconds between two looks while other workers have so much in flight that this one waits (N3)
WAITS = 2_400  # of them: by then their answers have come, or will not come
RATES_EVERY = 10.0  # seconds between two looks at the rates in one run
LONG = 1_000  # bytes of name and company: three forms of each, URL-encoded, stay below SendGrid's 10,000 of a recipient


class Batch(NamedTuple):
    """What one request may hold: one email in one variant (None: it has none), of one occasion."""

    email: str
    occasion: str
    variant: str | None
    content_hash: str


class Stopped(Exception):
    """Sending ended early; the message says why and what mends it, `counts` how far it came."""

    def __init__(self, reason: str, counts: dict[str, int]) -> None:
        super().__init__(reason)
        self.counts = counts


class _Held(Exception):
    """Something holds the product: nothing more is claimed in this run."""

    def __init__(self, hold: holds.Hold) -> None:
        super().__init__(hold.words)
        self.hold = hold


def send_due(
    conn: sa.Connection, product: Product, company: Company, as_of: datetime, at: datetime, send: Send, links: Links
) -> dict[str, int]:
    """Send everything of a product that is due by `as_of` and permitted at `at`; return counts.

    Counts: accepted, refused, unknown, never, not_now, expired. Raises `Stopped` when the provider takes nothing
    more, left an answer open, a rate passed its limit, or an email cannot be rendered: what was not sent stays
    planned for the next run. A pause, or a hold that an earlier run opened, ends the run quietly: `not_now` counts
    what it holds.
    """
    return _Dispatch(conn, product, company, as_of, at, send, links).run()


class _Dispatch:
    """One run of one product's sending."""

    def __init__(
        self, conn: sa.Connection, product: Product, company: Company, as_of: datetime, at: datetime, send: Send,
        links: Links,
    ) -> None:  # fmt: skip
        self.conn, self.product, self.company = conn, product, company
        self.as_of, self.at = min(as_of, at), at  # nothing is due before its time
        self.posting = Posting(product, send, links)
        self.flows = True  # the newest answer took the request: the next claim waits for no other
        self.calendar: Calendar = company.calendars[product.calendar]
        self.day = at.astimezone(product.zone).date()
        self.domain = product.sender.email.rpartition("@")[2].lower()
        self.sending_domain = company.sending_domains.get(self.domain, SendingDomain())
        self.exclusions = _exclusions(company)
        self.bases = db.json_rows(
            {"basis": basis, "lasts": str(rule.lasts.span()) if rule.lasts else None}
            for basis, rule in company.legal_bases.items()
        )
        self.sql, self.permission = db.statements("dispatch"), db.statements("permission")
        self.answers = db.statements("answers")
        self.counts: dict[str, int] = dict.fromkeys(
            ("accepted", "refused", "unknown", "never", "not_now", "expired"), 0
        )
        self.after = START  # where the batch's last claim ended
        self.size = AT_MOST  # halves when a request is refused and no recipient is named
        self.rates_at = float("-inf")  # on the monotonic clock
        self.begun = time.monotonic()

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
        try:
            self._send_emails(due)
        finally:
            self._finish()
        if self.counts["unknown"]:
            raise Stopped(
                f"{self.counts['unknown']} messages have no answer from SendGrid: they are settled by evidence, or by "
                f"hand (nurture sends held)",
                self.counts,
            )
        return self.counts

    def _send_emails(self, due: Sequence[Any]) -> None:
        broken = []
        for email, audience in due:
            try:
                self._send_email(email, audience)
            except Problem as problem:  # one email that cannot be rendered stops no other
                self.conn.rollback()
                broken.append(str(problem))
            except _Held as held:
                self._explain(f"held: {held.hold.reason}", held.hold.until)
                break
        if broken:
            raise Stopped("; ".join(broken), self.counts)

    def _finish(self) -> None:
        """However the sending ends, write down what its last calls came to."""
        while self.posting.under_way:
            self.conn.rollback()
            with suppress(Stopped):
                self._record_next()
        self.posting.close()

    def _send_email(self, email: str, audience: int) -> None:
        """Send what is due of an email, variant by variant and occasion by occasion: each is a batch of its own."""
        which = {"product": self.product.product, "email": email, "as_of": self.as_of}
        for variant in blocks.choose(self.conn, self.product, email, self.as_of):
            content = emails.render(self.product, email, shown=variant.shown)
            content_hash = content.hash()
            db.run(
                self.conn, self.sql.keep_content,
                content_hash=content_hash, product=self.product.product, email=email,
                subject=content.subject, text=content.text, html=content.html,
            )  # fmt: skip
            in_the_way = approvals.stands_in_the_way(
                self.conn, self.product.approval, self.product.product, email, content_hash, audience, self.at
            )
            occasions = db.run(self.conn, self.sql.due_occasions, variant=variant.key, **which).scalars().all()
            self.conn.commit()
            for occasion in occasions:
                batch = Batch(email, occasion, variant.key, content_hash)
                if in_the_way:
                    self._explain(in_the_way, None, batch)
                else:
                    self._send_batch(batch, content)

    def _send_batch(self, batch: Batch, content: emails.Rendered) -> None:
        self.size = AT_MOST
        for is_alone in (False, True):
            self.after = START
            while True:
                before = self.after
                request, judged, is_rest = self._claim(batch, content.with_mark(emails.new_mark()), is_alone)
                if request:
                    self.posting.begin(request)
                if is_rest:
                    while self.posting.under_way:
                        self._record_next()
                if is_rest and before == START and (judged == 0 or self.after != START):
                    break  # nothing was due behind or before it, and nothing was given back
                if judged == 0:
                    self.after = START  # what was locked, or given back, behind us

    def _explain(self, reason: str, until: datetime | None, batch: Batch | None = None) -> None:
        """Say of all that is due, or of one batch, why it is held; it stays due (N5)."""
        email, occasion, variant, _ = batch or (None, None, None, None)
        self.counts["not_now"] += db.run(
            self.conn, db.statements("holds").explain_held,
            product=self.product.product, email=email, occasion=occasion, variant=variant, as_of=self.as_of,
            at=self.at, reason=reason, until=until,
        ).scalar_one()  # fmt: skip
        self.conn.commit()

    def _begin_claim(self, is_alone: bool) -> tuple[int, bool]:
        """Open the claim's transaction; return how many messages it may have, and whether as a probe (N3).

        Raises `_Held` where something holds the product, `Stopped` for a rate, or while no answers come.
        """
        while self.posting.under_way > (AT_ONCE - 1 if self.flows else 0):
            self._record_next()
        self._look_at_rates()
        wanted = 1 if is_alone else self.size
        for _ in range(WAITS):
            outages.lock_claims(self.conn)
            allowed, reason = self._allowed()
            if allowed:
                return min(allowed, wanted), allowed == 1 < wanted
            self.conn.commit()
            if self.posting.under_way:
                self._record_next()  # its answer may open the way
            elif reason:
                raise reason
            else:
                time.sleep(WAIT)
        raise Stopped("other workers wait for SendGrid's answers: nothing more is sent until then", self.counts)

    def _allowed(self) -> tuple[int, Exception | None]:
        """Return how many messages a claim may have now; none with the reason, or without while others send."""
        if found := holds.open_holds(self.conn, self.product.product, self.domain, self.at):
            return 0, _Held(found[0])
        try:
            return outages.allowed(self.conn, self.product, self.at), None
        except outages.Unanswering as none:
            return 0, Stopped(str(none), self.counts)

    def _look_at_rates(self) -> None:
        """Now and then, stop the product or its sending domain where a rate passed its limit."""
        if time.monotonic() - self.rates_at <= RATES_EVERY:
            return
        self.rates_at = time.monotonic()
        product, domain = self.product.product, self.domain
        stops = (
            holds.stop_at_rates(self.conn, "product", product, self.product.limits.stop_when, self.at),
            holds.stop_at_rates(self.conn, "domain", domain, self.sending_domain.stop_when, self.at),
        )
        self.conn.commit()
        for stop in filter(None, stops):
            self._explain(f"held: {stop.reason}", None)
            raise Stopped(f"{stop.words}; when it is mended: {stop.mend}", self.counts)

    def _claim(self, batch: Batch, rendered: emails.Rendered, is_alone: bool) -> tuple[Request | None, int, bool]:
        """Commit a request with its members before the call (N2).

        Return it (None: nobody is permitted), how many were judged, and whether nothing more was due.
        """
        conn, product = self.conn, self.product
        budget_day = {"product": product.product, "domain": self.domain, "day": self.day}
        at_most, is_probe = self._begin_claim(is_alone)
        db.run(conn, self.sql.create_claim)
        db.run(conn, self.permission.open_budgets, **budget_day)
        judged = db.run_often(
            conn, self.sql.lock_due,
            product=product.product, email=batch.email, occasion=batch.occasion, variant=batch.variant,
            as_of=self.as_of, at_most=at_most, long=LONG, is_alone=is_alone, after=self.after[0],
            after_id=self.after[1], occasion_mark=_mark(product.product, batch.occasion),
        ).rowcount  # fmt: skip
        if judged == 0:
            conn.commit()
            return None, 0, True
        self.after = tuple(db.run_often(conn, self.sql.last_taken).one())
        self._judge(budget_day)
        never, not_now = db.run_often(conn, self.permission.turn_down, at=self.at).one()
        self.counts["never"] += never
        self.counts["not_now"] += not_now
        # Settlement counts from this moment: an attempt that takes an hour must not look given up, or absent (N3).
        passed = (time.monotonic() - self.begun) // TICK * TICK
        moment = self.at + timedelta(seconds=passed)
        rows = db.run_often(
            conn, self.sql.open_request,
            email=batch.email, variant=batch.variant, content_hash=batch.content_hash, mark=rendered.mark, at=moment,
            is_probe=is_probe, **budget_day,
        ).all()  # fmt: skip
        conn.commit()
        self.flows = self.flows and not is_probe
        members = [Claimed(row.message_id, row.address, row.occasion_mark, row.name, row.company) for row in rows]
        begins_by = self.begun + passed + BEGUN_WITHIN
        request = Request(rows[0].request_id, members, rendered, is_alone, moment, begins_by) if rows else None
        return request, judged, judged < at_most

    def _judge(self, budget_day: dict[str, Any]) -> None:
        """Judge the claim's permission (N4); no other claim changes what is counted meanwhile."""
        per_account = self.company.per_account
        spent = dict(map(tuple, db.run(self.conn, self.permission.spent_budgets, **budget_day).all()))
        left = [(max(self.product.limits.mails_per_day - spent["product"], 0), "daily budget")]
        allowed = self.sending_domain.allowed(self.day)
        if allowed is not None:
            left.append((max(allowed - spent["domain"], 0), f"daily budget of {self.domain}"))
        budget, budget_reason = min(left)
        tomorrow = calendars.opening(self.calendar, self.product.zone, self.day + timedelta(days=1))
        db.run_often(
            self.conn, self.permission.judge,
            product=self.product.product, at=self.at,
            span=self.company.frequency.within.span(), mails=self.company.frequency.mails,
            account_people=per_account.people if per_account else None,
            account_span=per_account.within.span() if per_account else timedelta(0),
            budget=budget, budget_reason=budget_reason,
            tomorrow=calendars.next_open(self.calendar, self.product.zone, tomorrow),
            exclusions=self.exclusions, bases=self.bases,
        )  # fmt: skip

    def _record_next(self) -> None:
        """Wait for an answer and write it down in one statement."""
        request, answer = self.posting.answered()
        self.flows = isinstance(answer, str)
        which = {"request_id": request.request_id, "at": request.at}
        if isinstance(answer, str):
            self.counts["accepted"] += db.run_often(
                self.conn, self.answers.record_accepted, answer="202", provider_request_id=answer, **which
            ).rowcount
            self.conn.commit()
            self.size = min(self.size * 2, AT_MOST)
        elif isinstance(answer, Unanswered):
            db.run(self.conn, self.answers.record_unknown, answer=str(answer), **which)
            self.conn.commit()
            self.counts["unknown"] += len(request.members)
        elif answer is None:
            self._record_not_sent(request, "the worker was too slow to begin", [])
        else:
            self._refused(request, answer)

    def _refused(self, request: Request, refusal: Refused) -> None:
        """Isolate the recipients at fault, by the error's indexes or by halving; everybody else is planned again."""
        claimed = request.members
        bad = [claimed[index].message_id for index in refusal.indexes if index < len(claimed)]
        if not bad and not refusal.stops and len(claimed) == 1:
            bad = [claimed[0].message_id]
        self._record_not_sent(request, refusal.reason, bad)
        if refusal.retry_after is not None:  # every worker waits, whichever was told
            until = self.at + refusal.retry_after
            holds.hold(self.conn, "everything", "", "rate limited", refusal.reason, self.at, until)
            self.conn.commit()
            return
        if refusal.holds:
            key = self.domain if refusal.holds == "domain" else ""
            holds.hold(self.conn, refusal.holds, key, "provider refused", refusal.reason, self.at)
            self.conn.commit()
        if refusal.stops:
            raise Stopped(f"{refusal.reason}; {len(claimed)} messages stay planned for the next run", self.counts)
        if not bad:
            self.size = max(len(claimed) // 2, 1)

    def _record_not_sent(self, request: Request, reason: str, refused: list[int]) -> None:
        self.after = START
        outages.lock_claims(self.conn)  # what is given back to the day's budgets, no claim spends at the same time
        counted, _ = db.run(
            self.conn, self.answers.record_not_sent,
            request_id=request.request_id, answer=reason, at=request.at, refused=refused, day=self.day,
        ).one()  # fmt: skip
        self.conn.commit()
        self.counts["refused"] += counted


def _mark(product: str, occasion: str) -> str:
    """Return what names an occasion to the provider, who is told nothing of ours (N9)."""
    return hashlib.sha256(f"{product}/{occasion}".encode()).hexdigest()[:16]


def _exclusions(company: Company) -> Any:
    """Return whom nothing is sent to as rows: list, kind, value."""
    return db.json_rows(
        {"list": name.replace("_", " "), "kind": kind, "value": value}
        for name, listed in company.exclusions.items()
        for kind, values in (("domain", listed.domains), ("address", listed.addresses))
        for value in values
    )
