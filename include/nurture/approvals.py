"""Approvals: content that was never sent, or an audience above a number, waits for a person's yes."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from nurture import db, emails
from nurture.definitions.products import Approval, Product

ANSWERED_WITHIN = timedelta(hours=20)  # before the next day's run; silence is a no
HOLDS_FOR = timedelta(days=7)  # a yes to an audience is a yes to that send, not to every later one
WHY = {"first send": "初めて送る内容 / never sent before", "audience": "宛先が多い / a large audience"}
AWAITED, DENIED = "awaiting approval", "not approved"


class Asked(NamedTuple):
    """One question that waits."""

    approval_id: int
    product: str
    email: str
    content_hash: str
    reason: str
    audience_size: int
    asked_at: datetime
    subject: str
    text: str


def stands_in_the_way(
    conn: sa.Connection, policy: Approval, product: str, email: str, content_hash: str, audience: int, at: datetime
) -> str:
    """Return why content may not be sent yet, '' where it may; a question that it raises is kept.

    A no, also that of a question nobody answered in time, stands until the content changes.
    """
    if not policy.asks:
        return ""
    sql = db.statements("approvals")
    found: list[Any] = list(db.run(conn, sql.standing, product=product, content_hash=content_hash).all())
    answers = {row.reason: row for row in found if row.reason}
    wanted: list[str] = []
    if policy.first_send and not found[0].was_sent:
        wanted.append("first send")
    if policy.audience_above is not None and audience > policy.audience_above:
        wanted.append("audience")
    way = ""
    for reason in wanted:
        known = answers.get(reason)
        if known is not None and known.answer == "no":
            return DENIED
        if known is not None and known.answer == "yes" and (
            reason == "first send" or (audience <= known.audience_size and known.answered_at > at - HOLDS_FOR)
        ):  # fmt: skip
            continue
        db.run(
            conn, sql.ask, product=product, email=email, content_hash=content_hash, reason=reason,
            audience_size=audience, at=at,
        )  # fmt: skip
        way = AWAITED
    return way


def waiting(conn: sa.Connection, product: str | None = None) -> list[Asked]:
    """Return the questions of a product, or of all, that wait for a person."""
    return [Asked(*row) for row in db.run(conn, db.statements("approvals").open_approvals, product=product)]


def answer(conn: sa.Connection, approval_id: int, said: Literal["yes", "no"], who: str, at: datetime) -> bool:
    """Keep a person's answer; return whether the question was open."""
    statement = db.statements("approvals").answer
    return db.count(conn, statement, approval_id=approval_id, answer=said, who=who, at=at) == 1


def show(conn: sa.Connection, product: str, run: str, at: datetime) -> list[int]:
    """Take the product's questions that no other run puts to people now; return their ids."""
    statement = db.statements("approvals").show
    until = at + ANSWERED_WITHIN
    return sorted(db.run(conn, statement, product=product, shown_in=run, at=at, until=until).scalars())


def question(product: Product, asked: Asked, findings: Sequence[str]) -> tuple[str, str]:
    """Write what a person needs to decide, as a headline and Markdown: how many, why, the mail, what is wrong with it.

    The mail stands there as it reads to somebody of whom nothing is known.
    """
    template = product.emails.get(asked.email)
    language = (template.terms.language if template else None) or product.language
    mail = emails.fill(
        emails.Rendered(asked.subject, "", asked.text, emails.FIXED_MARK, language),
        {"unsubscribe_url": "https://mail.example/u/sample", "token": "sample"},
    )
    headline = f"{product.name}: {asked.email} → {asked.audience_size:,}"
    body = [
        f"**{asked.audience_size:,} 通 / readers** of `{asked.email}` of `{asked.product}`: {WHY[asked.reason]}.",
        "**件名 / Subject**", _as_it_is(mail.subject),
        "**本文 / Text**", _as_it_is(mail.text),
        "**校正 / Proofreading**", _as_it_is("\n".join(findings) or "指摘なし / nothing found"),
        f"The whole mail: `nurture preview {asked.product} {asked.email} --open`. "
        f"{ANSWERED_WITHIN // timedelta(hours=1)} 時間以内に回答がなければ送信しません / no answer in time is a no. "
        "Reject にしても、内容を直せば改めて確認します / corrected content is asked about anew.",
    ]  # fmt: skip
    return headline, "\n\n".join(body)


def _as_it_is(text: str) -> str:
    """Return text as Markdown in which nothing of it means anything: each line is code of its own.

    Of a block of code Airflow's page lets the lines run together.
    """
    paragraphs = (part.split("\n") for part in re.split(r"\n(?:[ \t]*\n)+", text.strip("\n")))
    return "\n\n".join("  \n".join(map(_code, lines)) for lines in paragraphs)


def _code(line: str) -> str:
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}"
