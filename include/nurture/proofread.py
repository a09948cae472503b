"""Proofreading: what must not leave in a mail is found before anybody approves it."""

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Literal

from nurture.definitions.nearest import instead
from nurture.definitions.products import Product
from nurture.emails import FIXED_MARK, Rendered, fill, render
from nurture.problem import Problem

# The elements of MJML that mrml knows; any other it hands through, and no mail reader shows it as meant.
ELEMENTS = {
    "mjml", "mj-head", "mj-body", "mj-include", "mj-attributes", "mj-all", "mj-class", "mj-breakpoint",
    "mj-font", "mj-preview", "mj-style", "mj-title", "mj-accordion", "mj-accordion-element",
    "mj-accordion-text", "mj-accordion-title", "mj-button", "mj-carousel", "mj-carousel-image", "mj-column",
    "mj-divider", "mj-group", "mj-hero", "mj-image", "mj-navbar", "mj-navbar-link", "mj-raw", "mj-section",
    "mj-social", "mj-social-element", "mj-spacer", "mj-table", "mj-text", "mj-wrapper",
}  # fmt: skip
# Gmail cuts a mail off at 102 kB, and the opt-out link with it.
MOST_BYTES = 100_000
# What a mail reader shows of a subject is about 40 full-width characters.
MOST_WIDTH = 80
# RFC 5322, section 2.1.1.
MOST_LINE_OCTETS = 998

_SOMEBODY = {
    "name": "山田 太郎", "company": "株式会社見本", "token": "T0KEN",
    "unsubscribe_url": "https://mail.example/u/T0KEN",
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """What is wrong with one part of an email; `line` is 0 when it concerns the whole part."""

    part: Literal["mjml", "subject", "txt"]
    message: str
    line: int = 0

    def __str__(self) -> str:
        """Write `mjml:12: ...`."""
        return f"{self.part}:{self.line}: {self.message}" if self.line else f"{self.part}: {self.message}"


def proofread(product: Product, email: str) -> list[Finding]:
    """Return everything that is wrong with an email: its template, its law, its form."""
    template = product.emails[email]
    findings = [*_subject(template.subject), *_elements(template.mjml)]
    try:
        rendered = render(product, email)
    except Problem as problem:
        return [*findings, _of_problem(problem)]
    mail = fill(rendered, _SOMEBODY)
    findings += [*_blanks(rendered, mail), *_law(product, mail), *_form(mail)]
    return findings


def _of_problem(problem: Problem) -> Finding:
    match = re.match(r"^\S*\.(mjml|subject|txt)(?::(\d+))?: (.*)$", str(problem), re.DOTALL)
    if match is None:
        return Finding("mjml", str(problem))
    part: Literal["mjml", "subject", "txt"] = (
        "subject" if match[1] == "subject" else "txt" if match[1] == "txt" else "mjml"
    )
    return Finding(part, match[3], int(match[2] or 0))


def _subject(subject: str) -> Iterator[Finding]:
    if re.search("[\r\n]", subject.strip()):
        yield Finding("subject", "a subject is one line")
    width = sum(2 if unicodedata.east_asian_width(letter) in "WFA" else 1 for letter in subject.strip())
    if width > MOST_WIDTH:
        yield Finding("subject", f"{width // 2} full-width characters: keep it to {MOST_WIDTH // 2}")
    if not subject.strip():
        yield Finding("subject", "the subject is empty")


def _elements(mjml: str) -> Iterator[Finding]:
    for number, line in enumerate(mjml.splitlines(), start=1):
        for element in re.findall(r"<(mj-?[a-z-]*)", line):
            if element not in ELEMENTS:
                mend = instead(f"<{element}>", [f"<{known}>" for known in sorted(ELEMENTS)])
                yield Finding("mjml", f"unknown element <{element}>: {mend}", number)
    for image in re.finditer(r"<(?:mj-image|img)\b[^>]*>", mjml):
        if not re.search(r"\balt\s*=", image[0]):
            number = mjml.count("\n", 0, image.start()) + 1
            yield Finding("mjml", 'an image needs alt, for those who do not see it (alt="" for decoration)', number)


def _blanks(rendered: Rendered, mail: Rendered) -> Iterator[Finding]:
    """Find blanks that stay: a filter changed a tag. A lead's name in a link would leave our hands (N9)."""
    parts: list[tuple[Literal["mjml", "subject", "txt"], str, str]] = [
        ("subject", rendered.subject, mail.subject), ("mjml", rendered.html, mail.html),
        ("txt", rendered.text, mail.text),
    ]  # fmt: skip
    for part, before, after in parts:
        if FIXED_MARK in after.casefold():
            yield Finding(part, "a lead's value is printed as it is, without filters (url alone is one for it)")
        elif "{{" in after or "{%" in after:
            yield Finding(part, "a blank is left in the rendered mail")
        if re.search(rf"-{FIXED_MARK}_(?:name|company)_url-", before):
            yield Finding(part, "a lead's name or company does not belong in a link")
    for href in re.findall(r'href="([^"]*)"', rendered.html):
        if re.search(rf"-{FIXED_MARK}_(?:name|company)_", href):
            yield Finding("mjml", "a lead's name or company does not belong in a link")


class _Page(HTMLParser):
    """The words and the links of an HTML page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words = ""
        self.links: list[str] = []
        self._silent = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("style", "title")
        self.links += [value for name, value in attrs if tag == "a" and name == "href" and value]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("style", "title")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words += data


def _law(product: Product, mail: Rendered) -> Iterator[Finding]:
    """特定電子メール法 第4条 and its ordinance: sender, address, contact for complaints, and the way to refuse."""
    page = _Page(mail.html)
    shown = {
        "the sender's name (product.sender.name)": product.sender.name,
        "the postal address (product.sender.postal_address)": product.sender.postal_address,
        "the contact for complaints (product.sender.complaint_contact)": product.sender.complaint_contact,
    }
    for what, words in shown.items():
        if _plain(words) not in _plain(page.words):
            yield Finding("mjml", f"the law asks for {what}")
        if _plain(words) not in _plain(mail.text):
            yield Finding("txt", f"the law asks for {what}")
    if _SOMEBODY["unsubscribe_url"] not in page.links:
        yield Finding("mjml", "the law asks for a way to refuse: link to {{ lead.unsubscribe_url }}")
    if _SOMEBODY["unsubscribe_url"] not in mail.text:
        yield Finding("txt", "the law asks for a way to refuse: print {{ lead.unsubscribe_url }}")


def _plain(words: str) -> str:
    return re.sub(r"\s+", "", html.unescape(words))


def _form(mail: Rendered) -> Iterator[Finding]:
    size = len(mail.html.encode())
    if size > MOST_BYTES:
        yield Finding("mjml", f"{size // 1000} kB of HTML: mail readers cut it off at {MOST_BYTES // 1000} kB")
    for number, line in enumerate(mail.text.splitlines(), start=1):
        if len(line.encode()) > MOST_LINE_OCTETS:
            yield Finding("txt", f"line {number} of the rendered text is longer than {MOST_LINE_OCTETS} octets")
