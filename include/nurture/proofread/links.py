"""Links: what looks as if it led nowhere is found by its pattern; nothing is fetched."""

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from nurture.emails import Rendered
from nurture.proofread.finding import Finding, Source, locate
from nurture.proofread.page import Page

_IN_TEXT = re.compile(r"(?<![\w/.@-])(?:https?://|www\.)[^\s<>\"'()（）「」『』【】、。]+")
_SCHEMES = ("https", "http", "mailto", "tel")


def reachable(mail: Rendered, page: Page, files: list[Source]) -> Iterator[Finding]:
    """Yield each link and image of a filled mail that cannot be reached, with the line in which it is written."""
    places = [(href, "mjml", "link") for href, _ in page.links] + [(src, "mjml", "image") for src in page.images]
    places += [(found[0], "txt", "link") for found in _IN_TEXT.finditer(mail.text)]
    for where, part, what in dict.fromkeys(places):
        wrong = _wrong(where.strip(), what)
        if wrong is not None:
            message, is_warning = wrong
            file, line = _place(files, where, part)
            yield Finding(file, f"the {what} {_short(where)} {message}", line, is_warning)


def _wrong(where: str, what: str) -> tuple[str, bool] | None:
    """Return what is wrong with a link and whether it is a warning only."""
    if what == "image" and where.startswith("data:"):
        return "is written into the mail, which Gmail and Outlook do not show: put it on a server", False
    if not where or where.startswith("#"):
        return "leads nowhere: write where to, with https://", False
    if where.startswith("/") and not where.startswith("//"):
        return "names no site: write it in full, or `site` in product.yaml", False
    scheme, colon, rest = where.partition(":")
    if (
        where.startswith("//")
        or not colon
        or not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme, re.IGNORECASE)
        or "." in scheme
    ):
        return f"has no scheme: write https://{where.lstrip('/')}", False
    scheme = scheme.lower()
    if scheme not in _SCHEMES or (what == "image" and scheme not in ("https", "http")):
        return f"has the scheme {scheme}:, which mail readers do not follow: write https://", False
    if scheme == "mailto":
        return None if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", rest.split("?")[0]) else ("names no address", False)
    if scheme == "tel":
        return None
    return _wrong_on_the_web(where, scheme)


def _wrong_on_the_web(where: str, scheme: str) -> tuple[str, bool] | None:
    if re.search(r"\s", where):
        return "has a space in it: write %20", False
    host = (urlsplit(where).hostname or "").lower()
    if not host or _is_local(host):
        return f"leads to {host or 'no host'}, which readers do not reach: write the public one", False
    if not where.isascii():
        return "has letters that some mail readers cut a link off at: encode them (%E4%BE%8B)", True
    if scheme == "http":
        return "is not encrypted and browsers warn of it: write https://", True
    return None


def _is_local(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal", ".lan"))


def _place(files: list[Source], where: str, part: str) -> tuple[str, int]:
    """Find the line by the link as it stands, else by the end of its path, which a template adds to product.site."""
    bare = re.sub(r"[?&](utm_source=.*|nt=.*)$", "", where)
    paths = [bare.rsplit("/", number) for number in range(3, 0, -1)]
    for words in (bare, *("/" + "/".join(path[1:]) for path in paths if len(path) > 1)):
        file, line = locate(files, words, part) if len(words) > 1 else (part, 0)
        if line:
            return file, line
    return part, 0


def _short(where: str) -> str:
    return repr(where if len(where) <= 70 else where[:67] + "…")
