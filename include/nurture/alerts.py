"""Alerts: a trouble that people should hear of, told once while it lasts."""

import html
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from nurture import db

# What each kind is called, in Japanese and English.
TITLES = {
    "held": ("配信停止", "Sending is held"),
    "rate": ("停止の予告", "Sending nears a stop"),
    "failed": ("処理の失敗", "A run failed"),
    "missed": ("実行されていません", "A run did not happen"),
    "stuck": ("終わらない実行", "A run does not end"),
    "unknown": ("送信結果が不明", "Nobody knows whether mails were sent"),
    "unsent": ("予定日を過ぎた未送信", "A plan date passed unsent"),
    "approval": ("承認待ち", "Content waits for a yes"),
    "database": ("データベースに接続できません", "The database cannot be reached"),
}


class Alert(NamedTuple):
    """One open trouble; `told_at` None: nobody was told yet."""

    alert_id: int
    kind: str
    product: str | None
    what: str
    mend: str
    raised_at: datetime
    told_at: datetime | None = None


class Letter(NamedTuple):
    """What people are told, as mail and as text."""

    subject: str
    html: str
    text: str


def raise_alert(
    conn: sa.Connection, kind: str, key: str, what: str, mend: str, at: datetime, product: str | None = None
) -> bool:
    """Keep a trouble to be told, unless the same one is open; return whether it is new.

    `what` says what, how many and why, `mend` the command or page that mends it; nothing personal stands in either.
    """
    statement = db.statements("alerts").raise_alert
    return db.count(conn, statement, kind=kind, key=key, product=product, what=what, mend=mend, at=at) > 0


def end_alert(conn: sa.Connection, kind: str, key: str, at: datetime) -> None:
    """Say that a trouble is over."""
    db.run(conn, db.statements("alerts").end_alert, kind=kind, key=key, at=at)


def end_others(conn: sa.Connection, kinds: Collection[str], found: Iterable[tuple[str, str]], at: datetime) -> int:
    """Say that every trouble of these kinds is over, except those found: (kind, key); return how many were."""
    kept = db.json_rows({"kind": kind, "key": key} for kind, key in found)
    return db.count(conn, db.statements("alerts").end_others, kinds=list(kinds), found=kept, at=at)


def open_alerts(conn: sa.Connection, channel: str | None = None) -> list[Alert]:
    """Return the troubles of now, the oldest first; with a channel, those that it has not told."""
    return [Alert(*row) for row in db.run(conn, db.statements("alerts").open_alerts, channel=channel)]


def told(conn: sa.Connection, channel: str, alerts: Iterable[Alert], at: datetime) -> None:
    """Keep that a channel took these."""
    ids = [alert.alert_id for alert in alerts]
    db.run(conn, db.statements("alerts").told, channel=channel, alert_ids=ids, at=at)


def letter(alerts: Collection[Alert], airflow_url: str = "") -> Letter:
    """Write alerts as one mail: what, how many, why, since when, and what mends it."""
    kinds = dict.fromkeys(alert.kind for alert in alerts)
    japanese, english = ("、".join(TITLES[kind][0] for kind in kinds), ", ".join(TITLES[kind][1] for kind in kinds))
    count = f"{len(alerts)}件" if len(alerts) > 1 else ""
    subject = f"[nurture] {japanese}{count} / {english}"
    lines: list[str] = []
    blocks: list[str] = []
    for alert in alerts:
        title = " / ".join(TITLES[alert.kind]) + (f" ({alert.product})" if alert.product else "")
        since = f"{alert.raised_at:%F %R} UTC"
        lines += [title, alert.what, f"発生 / since: {since}", f"対処 / mend: {alert.mend}", ""]
        blocks.append(
            f"<p><b>{html.escape(title)}</b><br>{html.escape(alert.what)}<br>発生 / since: {since}<br>"
            f"対処 / mend: <code>{html.escape(alert.mend)}</code></p>"
        )
    if airflow_url:
        lines.append(f"Airflow: {airflow_url}")
        blocks.append(f'<p>Airflow: <a href="{html.escape(airflow_url)}">{html.escape(airflow_url)}</a></p>')
    return Letter(subject, "\n".join(blocks), "\n".join(lines).rstrip() + "\n")
