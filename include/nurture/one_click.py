"""One click: no mail leaves while nobody could refuse it.

RFC 8058 wants a URL that takes a POST without a login, a redirect or a question. Every run of dispatch asks it first.
"""

from datetime import datetime

import httpx
import sqlalchemy as sa

from nurture import holds, tokens
from nurture.dispatch import Links

PATIENCE = 10.0  # seconds
TRIES = 2  # a receiver that is just starting anew is no reason to hold


def trouble(links: Links) -> str | None:
    """Return why the one-click URL does not work, or None: it is asked with a token that refuses nobody."""
    found = None
    for _ in range(TRIES):
        found = _trouble(links.unsubscribe(links.token(tokens.NOBODY)))
        if found is None:
            return None
    return found


def _trouble(url: str) -> str | None:
    try:
        answer = httpx.post(url, data={"List-Unsubscribe": "One-Click"}, timeout=PATIENCE)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"the receiver's public URL does not answer ({type(error).__name__})"
    if answer.is_redirect:
        return f"the one-click URL redirects ({answer.status_code}), which mail clients do not follow"
    if answer.status_code == 404:
        return "the one-click URL knows no token of this key (404): receiver and dispatch have different token keys"
    if answer.status_code != 200 or not _is_ours(answer):
        return f"the one-click URL answers {answer.status_code}, and not as the receiver does"
    return None


def _is_ours(answer: httpx.Response) -> bool:
    try:
        return answer.json() == {"status": "ok"}
    except ValueError:
        return False


def guard(conn: sa.Connection, found: str | None, at: datetime) -> None:
    """Hold all sending while the one-click URL does not work, and end that hold once it does."""
    if found is not None:
        holds.hold(conn, "everything", "", "no one-click", f"{found}: `nurture check --live` says more", at)
    else:
        holds.resume(conn, "everything", "", "the one-click URL works again", at, "no one-click")
    conn.commit()
