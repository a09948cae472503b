"""Proofreading: what must not leave in a mail is found before anybody approves it, in every variant of it."""

import re
from collections.abc import Iterator

from nurture.definitions.products import Product
from nurture.emails import FIXED_MARK, Rendered, distinct, fill
from nurture.problem import Problem
from nurture.proofread import letters, mjml, names
from nurture.proofread.finding import Finding, Source, sources
from nurture.proofread.law import lawful
from nurture.proofread.links import reachable
from nurture.proofread.page import Page
from nurture.proofread.selling import selling

__all__ = ["Finding", "proofread"]

# Gmail shows the first 102 kB of a mail's HTML and hides the rest, the opt-out link with it. Google documents no
# figure; senders measured 102 kB (campaignmonitor.com/forums/post/30323, hatchbuck.freshdesk.com) up to 105, by
# encoding. What is left of it is for the provider's own: each link grows by its click tracking, a pixel is added.
MOST_BYTES = 102_000
TRACKED_LINK_BYTES = 400
# RFC 5322, section 2.1.1.
MOST_LINE_OCTETS = 998

_SOMEBODY = {
    "name": "山田 太郎", "company": "株式会社見本", "token": "T0KEN",
    "unsubscribe_url": "https://mail.example/u/T0KEN",
}  # fmt: skip


def proofread(product: Product, email: str) -> list[Finding]:
    """Return everything that is wrong with an email: its names, its law, its links, its letters, its form."""
    files = sources(product, email)
    found = names.unknown(product, email, files)
    found += [finding for source in files if source.is_mjml for finding in mjml.elements(source)]
    is_renderable = not any(finding.line for finding in found)  # what was found would stop it, and be said again
    found += [finding for source in files if source.is_mjml for finding in mjml.details(source)]
    if not letters.one_line(product.emails[email].subject):
        found.append(Finding("subject", "a subject is one line", 2))
    found += selling(product, email, files)
    if is_renderable:
        found += _rendered(product, email, files)
    return list(dict.fromkeys(found))


def _rendered(product: Product, email: str, files: list[Source]) -> Iterator[Finding]:
    try:
        variants = distinct(product, email)
    except Problem as problem:
        yield _of_problem(problem)
        return
    said: set[Finding] = set()
    for shown, rendered in variants.items():
        for finding in _variant(product, rendered, files):
            if finding not in said:
                said.add(finding)
                yield finding if not shown or finding.line else _where_shown(finding, shown)


def _variant(product: Product, rendered: Rendered, files: list[Source]) -> Iterator[Finding]:
    mail = fill(rendered, _SOMEBODY)
    page = Page(mail.html)
    yield from letters.subject(mail)
    yield from _blanks(rendered, mail)
    yield from lawful(product, mail, page, _SOMEBODY["unsubscribe_url"])
    yield from reachable(mail, page, files)
    yield from letters.japanese(mail, page, files)
    yield from _form(mail, page)


def _where_shown(finding: Finding, shown: tuple[str, ...]) -> Finding:
    return Finding(
        finding.part, f"{finding.message} (where it shows {', '.join(shown)})", finding.line, finding.is_warning
    )


def _of_problem(problem: Problem) -> Finding:
    match = re.match(r"^include/(\S*?\.?(mjml|subject|txt))(?::(\d+))?: (.*)$", str(problem), re.DOTALL)
    if match is None:
        return Finding("mjml", str(problem))
    return Finding(match[1] if match[1].startswith("layout/") else match[2], match[4], int(match[3] or 0))


def _blanks(rendered: Rendered, mail: Rendered) -> Iterator[Finding]:
    """Find blanks that stay: a filter changed a tag. A lead's name in a link would leave our hands (N9)."""
    parts = [("subject", rendered.subject, mail.subject), ("mjml", rendered.html, mail.html),
             ("txt", rendered.text, mail.text)]  # fmt: skip
    for part, before, after in parts:
        if FIXED_MARK in after.casefold():
            yield Finding(part, "a lead's value is printed as it is, without filters (url alone is one for it)")
        elif "{{" in after or "{%" in after:
            yield Finding(part, "a blank is left in the rendered mail")
        if re.search(rf"-{FIXED_MARK}_(?:addressee|name|company)_url-", before):
            yield Finding(part, "a lead's name or company does not belong in a link")
    for href in re.findall(r'href="([^"]*)"', rendered.html):
        if re.search(rf"-{FIXED_MARK}_(?:addressee|name|company)_", href):
            yield Finding("mjml", "a lead's name or company does not belong in a link")


def _form(mail: Rendered, page: Page) -> Iterator[Finding]:
    size = len(mail.html.encode()) + TRACKED_LINK_BYTES * len(page.links)
    if size > MOST_BYTES:
        message = (
            f"{size // 1000} kB of HTML with its tracked links: Gmail hides what comes after {MOST_BYTES // 1000} kB, "
            "the opt-out with it: shorten the mail"
        )
        yield Finding("mjml", message)
    if not page.hidden.strip():
        message = (
            "no preheader, so the list of mails shows the mail's first words: "
            "write {% block preheader %}…{% endblock %}, or <mj-preview>"
        )
        yield Finding("mjml", message, is_warning=True)
    for number, line in enumerate(mail.text.splitlines(), start=1):
        if len(line.encode()) > MOST_LINE_OCTETS:
            yield Finding(
                "txt", f"line {number} of the rendered text is longer than {MOST_LINE_OCTETS} octets: break it"
            )
