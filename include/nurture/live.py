"""Live: what only the world outside can say: the key, the senders, their DNS, and the way out of every mail."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import dns.exception
import dns.resolver
import httpx
from publicsuffixlist import PublicSuffixList

from nurture import one_click
from nurture.answers import Refused, Unanswered
from nurture.dispatch import Links
from nurture.problem import Problem

# What the key is for; a key that may do more is as good.
SCOPES = {
    "mail.send": "nothing is sent without it",
    "messages.read": "messages without an answer are settled by it",
    "suppression.read": "bounces and spam reports that the webhook missed are taken over by it",
    "asm.suppressions.global.create": "who refused everything is told to SendGrid by it",
    "asm.suppressions.global.delete": "who took that back is told to SendGrid by it",
    "whitelabel.read": "this check reads the authenticated domains by it",
}
_SUFFIXES = PublicSuffixList()
Texts = Callable[[str], list[str]]


class Account(Protocol):
    """The provider's account; every call raises `Refused` or `Unanswered`."""

    def scopes(self) -> list[str]:
        """Return what the key may do."""
        ...

    def authenticated_domains(self, domain: str) -> list[dict[str, Any]]:
        """Return the sender authentications of a domain, with their DNS records."""
        ...

    def verified_senders(self) -> list[dict[str, Any]]:
        """Return the single senders."""
        ...


class Finding(NamedTuple):
    """One thing that was looked at: whether it is well, what was found, and the mend."""

    what: str
    is_well: bool
    words: str
    mend: str = ""

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{'ok' if self.is_well else 'FAILS'}  {self.what}: {self.words}" + (
            f". {self.mend}" if self.mend else ""
        )


def check(account: Account, senders: Iterable[str], links: Links, resolver: dns.resolver.Resolver) -> Iterator[Finding]:
    """Look at the key, at every sender's address with SPF, DKIM and DMARC of its domain, and at the receiver."""
    yield from _key(account)
    domains: dict[str, Mapping[str, Any] | None] = {}
    for address in sorted({sender.lower() for sender in senders}):
        domain = address.rpartition("@")[2]
        finding, authentication = _sender(account, address, domain)
        domains[domain] = authentication
        yield finding
    for domain, authentication in domains.items():
        yield from _records(domain, authentication, lambda name: _texts(resolver, name))
    yield from _receiver(links)


def resolver_at(place: str | None) -> dns.resolver.Resolver:
    """Return the machine's resolver, or the one at `host` or `host:port`."""
    if place is None:
        try:
            found = dns.resolver.Resolver()
        except dns.resolver.NoResolverConfiguration as error:
            raise Problem("this machine names no DNS server: say one with --resolver") from error
    else:
        host, _, port = place.partition(":")
        found = dns.resolver.Resolver(configure=False)
        try:
            found.nameservers, found.port = [host], int(port or 53)
        except ValueError as error:
            raise Problem(f"{place!r} is no DNS server: give its address, as in 192.0.2.1:53") from error
    found.lifetime = 10.0
    return found


def _key(account: Account) -> Iterator[Finding]:
    what = "SendGrid key"
    try:
        missing = sorted(set(SCOPES) - set(account.scopes()))
    except (Refused, Unanswered) as error:
        mend = "Make a key in SendGrid (Settings, API Keys) and put it into the Connection sendgrid_default"
        yield Finding(what, False, str(error), mend)
        return
    if not missing:
        yield Finding(what, True, f"has the {len(SCOPES)} scopes that are needed")
    for scope in missing:
        yield Finding(what, False, f"lacks {scope}: {SCOPES[scope]}", "Add it in SendGrid: Settings, API Keys, Edit")


def _sender(account: Account, address: str, domain: str) -> tuple[Finding, Mapping[str, Any] | None]:
    """Return what SendGrid says of a sender, and the authentication of its domain where there is one."""
    what = f"sender {address}"
    mend = f"Authenticate {domain} in SendGrid: Settings, Sender Authentication"
    try:
        listed = [found for found in account.authenticated_domains(domain) if found.get("domain") == domain]
        authentication = max(listed, key=lambda found: bool(found.get("valid")), default=None)
        if authentication is not None:
            if authentication.get("valid"):
                return Finding(what, True, f"{domain} is authenticated"), authentication
            words = f"{domain} is not validated by SendGrid yet"
            return Finding(what, False, words, "Set the records below, then press Verify there"), authentication
        verified = {
            str(found.get("from_email", "")).lower() for found in account.verified_senders() if found.get("verified")
        }
    except (Refused, Unanswered) as error:
        return Finding(what, False, str(error), "Check the key first"), None
    if address in verified:
        return Finding(what, True, "verified as a single sender"), None
    return Finding(what, False, "SendGrid knows neither the domain nor the sender", mend), None


def _records(domain: str, authentication: Mapping[str, Any] | None, texts: Texts) -> Iterator[Finding]:
    records: Mapping[str, Any] = (authentication or {}).get("dns") or {}
    by_kind = {
        "SPF": [record for name, record in records.items() if name in ("mail_cname", "subdomain_spf")],
        "DKIM": [record for name, record in records.items() if name.startswith("dkim")],
    }
    if not records:
        words = "SendGrid signs and sends in its own name, so no mail is aligned with the sender (DMARC)"
        mend = f"Authenticate {domain} in SendGrid: Settings, Sender Authentication"
        yield Finding(f"SPF and DKIM of {domain}", False, words, mend)
    for kind, listed in by_kind.items():
        mark = "v=spf1" if kind == "SPF" else "p="
        for record in listed:
            mend = f"Set in DNS: {record['host']} {str(record['type']).upper()} {record['data']}"
            yield _record(f"{kind} of {domain}", str(record["host"]), mark, mend, texts)
    yield _dmarc(domain, texts)


def _record(what: str, host: str, mark: str, mend: str, texts: Texts) -> Finding:
    """Look at one record of a domain; a CNAME is followed to the provider's own text."""
    try:
        found = [text for text in texts(host) if mark in text.lower()]
    except dns.exception.DNSException as error:
        return Finding(what, False, f"DNS does not answer for {host} ({type(error).__name__})", "Ask again later")
    if not found:
        return Finding(what, False, f"{host} has no text with {mark}", mend)
    if len(found) > 1:
        return Finding(what, False, f"{host} has {len(found)} of them, so none counts", "Keep one of them")
    if mark == "p=" and not found[0].replace(" ", "").partition("p=")[2].partition(";")[0]:
        return Finding(what, False, f"the key at {host} is empty, that is revoked", mend)
    return Finding(what, True, f"stands at {host}")


def _dmarc(domain: str, texts: Texts) -> Finding:
    what = f"DMARC of {domain}"
    organisation = _SUFFIXES.privatesuffix(domain) or domain
    mend = (
        f'Set in DNS: _dmarc.{organisation} TXT "v=DMARC1; p=none; rua=mailto:..." (Gmail and Yahoo ask senders for it)'
    )
    for name in dict.fromkeys((f"_dmarc.{domain}", f"_dmarc.{organisation}")):
        try:
            found = [text for text in texts(name) if text.lower().startswith("v=dmarc1")]
        except dns.exception.DNSException as error:
            return Finding(what, False, f"DNS does not answer for {name} ({type(error).__name__})", "Ask again later")
        if len(found) > 1:
            return Finding(what, False, f"{name} has {len(found)} of them, so none counts", "Keep one of them")
        if found:
            policies = re.findall(r"(?i);\s*p\s*=\s*(none|quarantine|reject)\b", found[0])
            if policies:
                return Finding(what, True, f"p={policies[0]} at {name}")
            return Finding(what, False, f"{name} says no policy", mend)
    return Finding(what, False, f"there is no _dmarc.{domain}", mend)


def _texts(resolver: dns.resolver.Resolver, name: str) -> list[str]:
    """Return the TXT records of a name, none where there is none; raise DNSException where nobody knows."""
    try:
        answer = resolver.resolve(name, "TXT", search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    return [b"".join(record.strings).decode(errors="replace") for record in answer]


def _receiver(links: Links) -> Iterator[Finding]:
    what, url = "receiver", links.receiver_url.rstrip("/")
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
        mend = "Give NURTURE_RECEIVER_URL an https URL: mail clients post to no other (RFC 8058)"
        yield Finding(what, False, f"{url} is not https", mend)
    mend = f"Start the receiver and let your proxy pass {url} on to it"
    try:
        status = httpx.get(f"{url}/health", timeout=one_click.PATIENCE).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        yield Finding(what, False, f"{url} does not answer ({type(error).__name__})", mend)
    else:
        words = f"{url}/health answers {status}"
        yield Finding(what, status == 200, words, "" if status == 200 else mend)
    found = one_click.trouble(links)
    mend = "No mail leaves until it works; NURTURE_RECEIVER_URL and NURTURE_TOKEN_KEY must be the receiver's own"
    yield Finding("one-click URL", found is None, found or "takes a refusal", mend if found else "")
