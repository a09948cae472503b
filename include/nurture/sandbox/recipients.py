"""Recipients: what one person will do with one mail, and when: decided at once, by seed, address and mail.

Pure: the same mail to the same person is answered in the same way on every machine.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any
from urllib.parse import urlsplit

from nurture.sandbox.people import APPLE_PROXY_AGENT, SCANNER_AGENT, Person, draw

JAPAN = timezone(timedelta(hours=9))
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
REPLIES = (
    "資料をありがとうございます。来週、詳しいお話を伺えますでしょうか。",
    "社内で検討しております。概算のお見積りをいただけますか。",
    "担当が変わりましたので、今後は情報システム部の者へご連絡ください。",
)


@dataclass(frozen=True)
class Mail:
    """What of a mail decides how a person takes it. `links` gives (offset, address) after substitution."""

    at: float
    mailbox: str
    subject: str
    product: str | None
    links: Callable[[], tuple[tuple[int, str], ...]] = tuple
    refusal_address: str | None = None  # of List-Unsubscribe
    has_subscription_tracking: bool = False


@dataclass(frozen=True)
class Act:
    """Something that happens at a moment: an event of the provider, or what the person sends to the receiver."""

    at: float
    kind: str  # event, track, reply, unsubscribe, scan
    detail: dict[str, Any] = field(default_factory=dict)


def plan(seed: int, mail: Mail, person: Person) -> list[Act]:
    """Return everything that will come of this mail, in the order of time."""
    on = datetime.fromtimestamp(mail.at, UTC).date()
    chance = draw(seed, mail.mailbox, mail.subject, on)
    acts = [_event(mail.at, "processed")]
    if person.persona == "dead":
        acts.append(_bounce(mail.at + chance.uniform(1, 30)))
    elif person.persona == "blocking":
        acts.append(_block(mail.at + chance.uniform(1, 30), "550 5.7.1 Message rejected by local policy"))
    else:
        delivered_at = _deliver(acts, mail, person, chance)
        if delivered_at is not None:
            _machines(acts, mail, person, chance, delivered_at)
            _read(acts, mail, person, chance, delivered_at)
    return sorted(acts, key=lambda act: act.at)


def _event(at: float, name: str, **detail: Any) -> Act:
    return Act(at, "event", {"event": name, **detail})


def _bounce(at: float) -> Act:
    reason = "550 5.1.1 The email account that you tried to reach does not exist."
    found = {"type": "bounce", "status": "5.1.1", "reason": reason, "bounce_classification": "Invalid Address"}
    return _event(at, "bounce", **found)


def _block(at: float, reason: str) -> Act:
    found = {"type": "blocked", "status": "5.7.1", "reason": reason, "bounce_classification": "Reputation"}
    return _event(at, "bounce", **found)


def _deliver(acts: list[Act], mail: Mail, person: Person, chance: Random) -> float | None:
    """Deliver after the attempts that it takes; return when, or None when it never arrives."""
    at = mail.at + chance.uniform(1, 20)
    if person.persona == "deferring" or chance.random() < 0.02:
        response = "451 4.7.1 Greylisting in action, please come back later"
        for attempt in range(chance.randint(1, 3)):
            acts.append(_event(at, "deferred", attempt=str(attempt), response=response))
            at += chance.uniform(5 * MINUTE, 40 * MINUTE) * (attempt + 1)
        if chance.random() < 0.05:
            acts.append(_block(mail.at + 3 * DAY, "unable to deliver within 72 hours"))
            return None
    acts.append(_event(at, "delivered", response="250 2.0.0 OK", tls=1))
    return at


def _machines(acts: list[Act], mail: Mail, person: Person, chance: Random, delivered_at: float) -> None:
    """Play what no person does: a scanner follows every link within two seconds, Apple fetches the pictures."""
    if person.is_scanned:
        links = mail.links()
        for number, (offset, address) in enumerate(links):
            at = delivered_at + 2.0 * (number + 1) / (len(links) + 1)
            acts.append(_click(at, offset, address, SCANNER_AGENT, "198.51.100.7"))
        if mail.refusal_address:
            acts.append(Act(delivered_at + 1.9, "scan", {"url": mail.refusal_address, "useragent": SCANNER_AGENT}))
    if person.has_mail_privacy:
        at = delivered_at + chance.uniform(5, 20 * MINUTE)
        found = {"useragent": APPLE_PROXY_AGENT, "ip": "198.51.100.20", "sg_machine_open": True}
        acts.append(_event(at, "open", sg_content_type="html", **found))


def _click(at: float, offset: int, address: str, agent: str, ip: str) -> Act:
    return _event(at, "click", url=address, url_offset={"index": offset, "type": "html"}, useragent=agent, ip=ip)


def _read(acts: list[Act], mail: Mail, person: Person, chance: Random, delivered_at: float) -> None:
    """Play the person: open, click, visit, submit, and now and then answer, refuse or complain."""
    habits = person.habits
    if chance.random() >= habits.open:
        return
    opened_at = working_moment(delivered_at + chance.lognormvariate(8.6, 1.3), chance)  # the median is 1.5 hours
    seen = {"useragent": person.agent, "ip": person.ip}
    acts.append(_event(opened_at, "open", sg_content_type="html", **seen))
    if chance.random() < 0.25:
        again_at = working_moment(opened_at + chance.uniform(HOUR, 2 * DAY), chance)
        acts.append(_event(again_at, "open", sg_content_type="html", **seen))
    if chance.random() < habits.complain:
        acts.append(_event(opened_at + 30, "spamreport"))
        return
    if chance.random() < habits.unsubscribe:
        if mail.refusal_address:
            acts.append(Act(opened_at + 40, "unsubscribe", {"url": mail.refusal_address}))
        elif mail.has_subscription_tracking:
            acts.append(_event(opened_at + 40, "unsubscribe"))
        return
    if chance.random() < habits.reply:
        replied_at = opened_at + chance.uniform(5 * MINUTE, 3 * HOUR)
        acts.append(Act(replied_at, "reply", {"text": chance.choice(REPLIES)}))
    if chance.random() < habits.click:
        _visit(acts, mail, person, chance, opened_at + chance.uniform(8, 3 * MINUTE))


def _visit(acts: list[Act], mail: Mail, person: Person, chance: Random, at: float) -> None:
    links = mail.links()
    if not links:
        return
    offset, address = links[min(int(chance.expovariate(1.2)), len(links) - 1)]
    acts.append(_click(at, offset, address, person.agent, person.ip))
    path = page_of(urlsplit(address).path, mail.product)
    pages = [path]
    if person.persona in ("keen", "warm"):
        more = ("/pricing", "/case/manufacturing", "/features")
        pages += [page for page in more[: chance.randint(1, 3)] if page != path]
    for page in pages:
        at += chance.uniform(2, 90)
        acts.append(Act(at, "track", {"type": "page", "path": page}))
    if chance.random() < person.habits.submit:
        at += chance.uniform(40, 5 * MINUTE)
        form = form_of(path, chance)
        acts.append(Act(at, "track", {"type": "track", "event": "submitted", "form": form, "path": pages[-1]}))
        if form == "seminar_signup" and chance.random() < 0.7:
            attended_at = working_moment(at + 7 * DAY, chance)
            acts.append(Act(attended_at, "track", {"type": "track", "event": "attended", "subject": "seminar"}))


def page_of(path: str, product: str | None) -> str:
    """Return a page's path within the product's own site, as the site's tracking names it."""
    first, _, rest = path.removeprefix("/").partition("/")
    return f"/{rest}" if product and first.replace("-", "_") == product else path or "/"


def form_of(path: str, chance: Random) -> str:
    """Return the form that somebody who came by this page would fill in."""
    for form, words in {
        "seminar_signup": ("seminar", "webinar", "event"),
        "document_request": ("download", "document", "whitepaper", "guide"),
        "quote_request": ("quote", "estimate", "contact", "pricing", "trial"),
    }.items():
        if any(word in path for word in words):
            return form
    return chance.choices(("quote_request", "document_request", "seminar_signup"), (40, 45, 15))[0]


def working_moment(at: float, chance: Random) -> float:
    """Return the moment, moved to the next working morning in Japan when it falls at night or on a weekend."""
    local = datetime.fromtimestamp(at, JAPAN)
    if (local.weekday() < 5 and 8 <= local.hour < 19) or chance.random() < 0.12:
        return at
    if local.hour >= 8:
        local += timedelta(days=1)
    while local.weekday() >= 5:
        local += timedelta(days=1)
    morning = local.replace(hour=8, minute=30, second=0, microsecond=0)
    return morning.timestamp() + chance.uniform(0, 3 * HOUR)
