"""Mailboxes: the address that mail goes to, the key that it is matched by, and whose it can be."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from publicsuffixlist import PublicSuffixList

from nurture.normalise.domains import freemail_meant
from nurture.normalise.texts import REMEMBERED

_WRAPPING = re.compile(r"^(?:.*<\s*)?(?:mailto:)?\s*([^<>?\s]+@[^<>?\s]+?)(?:\?[^>]*)?(?:\s*>.*)?$", re.IGNORECASE)
_ADDRESS = re.compile(r"^[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{4,253}$)(?:[\w](?:[\w-]{0,61}[\w])?\.)+[\w-]{2,63}$")
_TAG = re.compile(r"\+[^+]*$")
_NOBODY = frozenset(
    {
        "no-email", "noemail", "no_email", "nomail", "no-mail", "none", "non", "test", "dummy", "sample", "unknown",
        "na", "nashi", "xxx", "xxxx", "aaa", "aaaa", "abc", "null", "noreply", "no-reply",
    }
)  # fmt: skip
_SUFFIXES = PublicSuffixList()
_DIGITS = "0123456789"
_SEVERAL = frozenset({"team", "group", "ml", "list", "all", "members", "dept"})  # the last word of a shared mailbox


class Mailbox(NamedTuple):
    """One address: `address` as mail goes to it, `key` for matching only (no tag, no Gmail dots)."""

    address: str
    key: str
    domain: str  # the registrable one: mail.acme.co.jp is acme.co.jp
    is_role: bool
    is_freemail: bool
    unmailable: str | None
    proposed: str | None  # the address that it may be a slip of: for a person to judge


@lru_cache(REMEMBERED)
def read_mailbox(text: str, roles: frozenset[str], freemail: frozenset[str]) -> Mailbox | None:
    """Return the mailbox that the text names, or None when it names none or a placeholder.

    `roles` are words of mailboxes that several people read (info, sales), `freemail` domains that are no company's.
    """
    address = text.casefold()
    if not _ADDRESS.match(address):
        match = _WRAPPING.match(unicodedata.normalize("NFKC", text).strip().strip("\"'").casefold())
        if match is None or not _ADDRESS.match(match[1]):
            return None
        address = match[1]
    local, _, host = address.rpartition("@")
    name = (_TAG.sub("", local) or local) if "+" in local else local
    if name.rstrip(_DIGITS) in _NOBODY:
        return None
    domain = registrable(host)
    if host in ("gmail.com", "googlemail.com"):
        host, name = "gmail.com", name.replace(".", "")
    meant = None if domain in freemail else freemail_meant(host, freemail)
    refused = "its dots are against RFC 5321 (an old docomo or au address): SendGrid refuses it"
    return Mailbox(
        address=address,
        key=f"{name}@{host}",
        domain=domain,
        is_role=_is_role(name, roles),
        is_freemail=domain in freemail or host in freemail or meant is not None,
        unmailable=refused if ".." in local or local[0] == "." or local[-1] == "." else None,
        proposed=f"{local}@{meant}" if meant else None,
    )


@lru_cache(REMEMBERED)
def registrable(host: str) -> str:
    """Return the part of a host name that somebody registered, by the public suffix list."""
    return _SUFFIXES.privatesuffix(host) or host


def _is_role(local: str, roles: frozenset[str]) -> bool:
    words = local.replace("-", ".").replace("_", ".").split(".")
    if len(words) > 3:
        return False
    return local in roles or words[0].rstrip(_DIGITS) in roles or words[-1].rstrip(_DIGITS) in _SEVERAL
