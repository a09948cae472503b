"""Preferences: the page on which a person says which mails they want, and what each button of it means.

A link's token names a message, and by it a mailbox and a product; nothing personal stands in the URL (N9), opening the
page changes nothing (N10), and every button is an act of the person on one cell, kept raw with its moment (N13).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jinja2
import sqlalchemy as sa

from nurture import db
from nurture.definitions.load import BrokenDefinition, Loaded, load_products
from nurture.definitions.model import MailType
from nurture.definitions.products import Product

Language = Literal["ja", "en"]
Cell = tuple[str, str]  # product × mail type; "*": every one

EVERYTHING: Cell = ("*", "*")
SCOPES = ("mail_type", "product", "everything")
SWITCHES = "mail_types"  # the scope of the form with one switch for each mail type
ACTS = ("refuse", "allow")
MAIL_TYPES: dict[MailType, dict[Language, tuple[str, str]]] = {
    "know_how": {
        "ja": ("お役立ち情報", "業務のヒントや解説"),
        "en": ("Know-how", "Practical advice and explanations"),
    },
    "event": {
        "ja": ("セミナー・イベント", "開催のご案内"),
        "en": ("Events", "Invitations to seminars and webinars"),
    },
    "case_study": {
        "ja": ("導入事例", "ほかのお客様の使い方"),
        "en": ("Case studies", "How other companies use it"),
    },
    "product_news": {
        "ja": ("製品のお知らせ", "新機能、価格、キャンペーン"),
        "en": ("Product news", "New features, prices and offers"),
    },
    "download": {
        "ja": ("資料のご案内", "ホワイトペーパーやカタログ"),
        "en": ("Documents", "White papers and brochures to download"),
    },
}

_page = jinja2.Environment(
    autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
).from_string(Path(__file__).with_name("preferences.html").read_text(encoding="utf-8"))


class Standing(NamedTuple):
    """What a person refuses now, by the message whose link they followed."""

    product: str
    mail_type: MailType
    address: str
    suppressed: str | None  # why the address is mailed nothing at all, whatever it prefers
    refused: frozenset[Cell]

    @property
    def masked_address(self) -> str:
        """As much of the address as its owner needs to know it by."""
        local, _, domain = self.address.rpartition("@")
        return f"{local[:1]}***@{domain}"


def standing(engine: sa.Engine, message_id: int) -> Standing | None:
    """Return what holds for the person of a message now, acts not yet taken in included; None: there is no message."""
    with engine.connect() as conn:
        row: Any = db.run(conn, db.statements("preferences").standing, message_id=message_id).one_or_none()
    if row is None:
        return None
    refused = frozenset((product, mail_type) for product, mail_type in row.refused)
    return Standing(row.product, row.mail_type, row.address, row.suppressed, refused)


def acts(message_id: int, form: Mapping[str, str]) -> list[dict[str, Any]] | None:
    """Return what a confirmed form asks for, an act a cell; None when it is no form of the page.

    A switch that was left as it was shown is no act: a page that lay open for a day ends no refusal made meanwhile.
    """
    scope, act = form.get("scope", SCOPES[0]), form.get("act", ACTS[0])
    if form.get("confirmed") != "yes" or act not in ACTS:
        return None
    told = {"message_id": message_id, "how": "page"}
    if scope in SCOPES:
        return [{**told, "scope": scope} | ({"act": act} if act != ACTS[0] else {})]
    if scope != SWITCHES:
        return None
    found = []
    for mail_type in MAIL_TYPES:
        shown, receives = form.get(f"shown.{mail_type}"), form.get(f"receive.{mail_type}") == "yes"
        if shown == "received" and not receives:
            found.append({**told, "scope": "mail_type", "mail_type": mail_type})
        elif shown == "refused" and receives:
            found.append({**told, "scope": "mail_type", "mail_type": mail_type, "act": "allow"})
    return found


def page(found: Standing | None, language: Language, notice: str = "") -> str:
    """Return the page; without a known message it can only refuse. `notice` is saved, unclear or nothing."""
    loaded = _definitions()
    product = loaded.products.get(found.product) if loaded and found else None
    offered = _mail_types(product) if product else set()
    if found:
        offered |= {found.mail_type} | {kind for name, kind in found.refused if name == found.product}
    switches = [
        (kind, *words[language], found is None or (found.product, kind) not in found.refused)
        for kind, words in MAIL_TYPES.items()
        if kind in offered
    ]
    return _page.render(
        state="known" if found else "without_message",
        language=language,
        notice=notice,
        company=loaded.company.company if loaded else "",
        product=product.name if product else "",
        address=found.masked_address if found else "",
        suppressed=found.suppressed if found else None,
        refuses_everything=found is not None and EVERYTHING in found.refused,
        refuses_product=found is not None and (found.product, "*") in found.refused,
        switches=switches,
    )


def page_of_no_link(language: Language) -> str:
    """Return what a link that is not ours, or cut off, shows."""
    return _page.render(state="unknown", language=language, notice="", company="")


def _definitions() -> Loaded | None:
    """Return what is defined; while company.yaml is broken the page does without names."""
    try:
        return load_products()
    except BrokenDefinition:
        return None


def _mail_types(product: Product) -> set[str]:
    """Return the mail types that a product's scenarios and plan send."""
    planned = {entry.mail_type for entry in product.plan}
    return planned | {step.mail_type for scenario in product.scenarios.values() for step in scenario.emails()}
