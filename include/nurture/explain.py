"""Explanation: one lead's whole story with a product: every decision, and on what it rests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from nurture import db, versions
from nurture.definitions.products import EngagementRule, Product, Scoring
from nurture.questions import Asked, Known, Question, said
from nurture.scoring import rule_row
from nurture.segments import in_order


@dataclass(frozen=True)
class Story:
    """What is known of a lead and a product; moments are UTC, rows are as the statements of explain.sql say."""

    product: str
    at: datetime
    lead: dict[str, Any]
    addresses: list[dict[str, Any]]
    joined: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    consents: list[dict[str, Any]]
    refusals: list[dict[str, Any]]
    lifecycle: str
    segments: list[dict[str, Any]]  # segment, is_member, history, asked
    enrollments: list[dict[str, Any]]
    mails: list[dict[str, Any]]
    did: list[dict[str, Any]]
    score: dict[str, Any]  # fit, engagement, score, scored_at, and lines: kind, says, points, …
    ready: list[Asked]  # the condition for sales
    qualifications: list[dict[str, Any]]


def find(conn: sa.Connection, said: str) -> list[int]:
    """Return the leads whom a person means by an id or a mail address."""
    if "@" in said:
        return list(db.run(conn, db.statements("explain").by_address, address=said.strip()).scalars())
    return [int(said)] if said.isdecimal() else []


def explain(conn: sa.Connection, product: Product, lead_id: int, at: datetime) -> Story:
    """Tell a lead's story with a product as it stands at `at`; a lead that there is not is a LookupError.

    `conn` must hold no temporary table. Nothing is changed.
    """
    sql = db.statements("explain")
    lead = db.run(conn, sql.person, lead_id=lead_id).mappings().one_or_none()
    if lead is None:
        raise LookupError(f"there is no lead {lead_id}")
    which: dict[str, Any] = {"lead_ids": lead["lead_ids"], "product": product.product}
    today = at.astimezone(product.zone).date()

    def read(statement: db.Statement, **more: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in db.run(conn, statement, **which, **more).mappings()]

    place = db.run(conn, sql.lifecycle, lead_id=lead["lead_id"], product=product.product).scalar_one()
    did, sources, memberships = read(sql.did, today=today), read(sql.sources), read(sql.memberships)
    score = next(iter(read(sql.newest_score, at=at)), None)
    known = Known(dict(lead), place, sources, did, score or {}, memberships)
    with _narrow(conn, dict(lead)) as narrowed:
        question = Question(narrowed, product, lead["lead_id"], at, known)
        segments = [
            {
                "segment": name,
                "is_member": any(row["segment"] == name and row["left_at"] is None for row in memberships),
                "history": [row for row in memberships if row["segment"] == name],
                "asked": question.ask(condition),
            }
            for name, condition in in_order(product)
        ]
        ready = question.ask(product.qualification.when)
        scoring = _scoring(conn, product, score)
        lines = [
            {
                "kind": "fit", "says": said(rule.when), "points": rule.points,
                "is_true": question.ask(rule.when)[0].is_true,
            }
            for rule in scoring.fit
        ]  # fmt: skip
    lines += _engagement(read, scoring, score["scored_at"].astimezone(product.zone).date() if score else today)
    return Story(
        product=product.product, at=at, lead=dict(lead), addresses=read(sql.addresses), joined=read(sql.joined),
        sources=sources, consents=read(sql.consents), refusals=read(sql.refusals), lifecycle=place, segments=segments,
        enrollments=read(sql.enrollments), mails=read(sql.mails), did=did,
        score={**(score or {"fit": 0, "engagement": 0, "score": 0, "scored_at": None}), "lines": lines},
        ready=ready, qualifications=read(sql.qualifications),
    )  # fmt: skip


@contextmanager
def _narrow(conn: sa.Connection, lead: dict[str, Any]) -> Iterator[sa.Connection]:
    """Let conditions see this person and the colleagues alone: the answers are the same, and come at once."""
    sql = db.statements("explain")
    ids = ",".join(str(lead_id) for lead_id in lead["lead_ids"])
    try:
        db.run(conn, sql.remember, lead_ids=ids, account_id=str(lead["account_id"] or ""))
        for name in ("leads", "signals", "source_records", "segment_members", "scores"):
            db.run(conn, getattr(sql, f"narrow_{name}"))
        yield conn
    finally:
        conn.rollback()
        db.run(conn, sql.leave)
        conn.commit()


def _scoring(conn: sa.Connection, product: Product, score: dict[str, Any] | None) -> Scoring:
    """Return the rules that made a score, as they were kept; the product's own where there is none yet."""
    if score is None:
        return product.scoring
    return Scoring.model_validate(versions.read(conn, score["definition_hash"]))


def _engagement(read: Callable[..., list[dict[str, Any]]], scoring: Scoring, day: date) -> list[dict[str, Any]]:
    rules = scoring.engagement
    found = read(
        db.statements("explain").score_lines,
        rules=db.as_json([rule_row(rule) for rule in rules]), today=day,
        half_life_days=scoring.half_life.span() / timedelta(days=1),
    )  # fmt: skip
    return [
        {
            **row, "kind": "engagement", "says": _rule(rules[row["position"] - 1]),
            "worth": rules[row["position"] - 1].points, "at_most": rules[row["position"] - 1].at_most,
        }
        for row in found
    ]  # fmt: skip


def _rule(rule: EngagementRule) -> str:
    about = rule.mail_type or rule.subject
    return f"{rule.when}: {about}" if about else rule.when
