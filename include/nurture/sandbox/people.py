"""People: who stands behind an address, from the seed and the address alone."""

import hashlib
import json
import zlib
from dataclasses import dataclass
from random import Random
from typing import Any

from nurture.sandbox.store import Store

AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Edg/142.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
)
APPLE_PROXY_AGENT = "Mozilla/5.0"
SCANNER_AGENT = "Mozilla/5.0 (compatible; SafeLinks-Scanner/3.1; +https://scanner.example/bot)"


@dataclass(frozen=True)
class Habits:
    """How often such a person does what: of mails opened, of opened clicked, of clicked submitted."""

    share: float
    open: float = 0
    click: float = 0
    submit: float = 0
    reply: float = 0
    unsubscribe: float = 0
    complain: float = 0


# Together about 20 % of delivered mails opened and 3 % clicked by a person, 1.5 % bounced, 0.02 % complained: B2B mail
# in Japan to people who once gave their card. The warm few are what makes a demo show hand-offs.
PERSONAS = {
    "cold": Habits(0.57, open=0.08, click=0.02, unsubscribe=0.006, complain=0.001),
    "ordinary": Habits(0.30, open=0.30, click=0.08, submit=0.02, reply=0.002, unsubscribe=0.004, complain=0.0004),
    "keen": Habits(0.07, open=0.60, click=0.35, submit=0.08, reply=0.01, unsubscribe=0.001),
    "warm": Habits(0.03, open=0.92, click=0.65, submit=0.28, reply=0.03),
    "dead": Habits(0.015),
    "blocking": Habits(0.005),
    "deferring": Habits(0.01, open=0.20, click=0.05),
    # Nobody is so by chance: for tests, and for who wants to see it happen.
    "refusing": Habits(0, open=1, unsubscribe=1),
    "complaining": Habits(0, open=1, complain=1),
    "replying": Habits(0, open=1, reply=1),
    "signing": Habits(0, open=1, click=1, submit=1),
}
SHARE_OF_SCANNING_DOMAINS = 0.12
SHARE_OF_MAIL_PRIVACY = 0.15


@dataclass(frozen=True)
class Person:
    """One recipient: what they tend to do, and what stands between them and the mail."""

    persona: str
    is_scanned: bool
    has_mail_privacy: bool
    agent: str
    ip: str

    @property
    def habits(self) -> Habits:
        """Return the rates of this person's persona."""
        return PERSONAS[self.persona]


def draw(*key: object) -> Random:
    """Return a source of chance that is the same for the same key, on every machine."""
    return Random(hashlib.sha256("|".join(map(str, key)).encode()).digest())


def share(*key: object) -> float:
    """Return a number from 0 to 1 that is the same for the same key: one draw, and a cheap one."""
    return zlib.crc32("|".join(map(str, key)).encode()) / 2**32


def person(seed: int, mailbox: str, store: Store | None = None) -> Person:
    """Return who reads this mailbox; what was set by hand (`PUT /sandbox/people`) goes before chance."""
    chance = draw(seed, "person", mailbox)
    persona = chance.choices(list(PERSONAS), [habits.share for habits in PERSONAS.values()])[0]
    is_scanned = share(seed, "domain", mailbox.rpartition("@")[2]) < SHARE_OF_SCANNING_DOMAINS
    found: dict[str, Any] = {
        "persona": persona,
        "is_scanned": is_scanned,
        "has_mail_privacy": chance.random() < SHARE_OF_MAIL_PRIVACY,
        "agent": chance.choice(AGENTS),
        "ip": f"192.0.2.{chance.randrange(1, 255)}",
    }
    if store is not None:
        for row in store.read("select detail from people where mailbox = ?", (mailbox,)):
            found.update(json.loads(row["detail"]))
    return Person(**found)


def settable(detail: Any) -> dict[str, Any]:
    """Return what of a person may be set by hand; an unknown persona or key is a ValueError."""
    allowed = {"persona", "is_scanned", "has_mail_privacy"}
    if not isinstance(detail, dict) or not set(detail) <= allowed:
        raise ValueError(f"a person takes {', '.join(sorted(allowed))}")
    if detail.get("persona", "cold") not in PERSONAS:
        raise ValueError(f"no persona {detail['persona']!r}: one of {', '.join(PERSONAS)}")
    return detail
