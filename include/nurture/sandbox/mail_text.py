"""Mail text: substitution as SendGrid does it, and the links that a reader of the mail could follow."""

import html
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit


@lru_cache(maxsize=512)
def _tags(names: frozenset[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)))


def substitution(values: Mapping[str, str]) -> Callable[[str], str]:
    """Return what replaces every tag by its value, textually and once (a value is not searched for tags)."""
    if not values:
        return lambda text: text
    pattern = _tags(frozenset(values))
    return lambda text: pattern.sub(lambda found: values[found.group()], text)


def values_of(request: Mapping[str, Any], personalization: Mapping[str, Any]) -> dict[str, str]:
    """Return the substitutions of one recipient; `sections` of the request stand behind them."""
    return {**(request.get("sections") or {}), **(personalization.get("substitutions") or {})}


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.addresses += [value for name, value in attrs if name == "href" and value]


@lru_cache(maxsize=64)
def links(body: str) -> tuple[tuple[int, str], ...]:
    """Return the (offset, address) of every link of an HTML body that leads to a page, tags not yet substituted."""
    anchors = _Anchors()
    anchors.feed(body)
    return tuple(
        (offset, address)
        for offset, address in enumerate(anchors.addresses)
        if not address.lower().startswith(("mailto:", "tel:", "#"))
    )


def followed(found: Iterable[tuple[int, str]], values: Mapping[str, str]) -> tuple[tuple[int, str], ...]:
    """Return where one recipient's links lead, without those that nobody follows out of interest."""
    substitute = substitution({tag: html.unescape(value) for tag, value in values.items()})
    led = ((offset, substitute(address)) for offset, address in found)
    return tuple(link for link in led if not is_refusal(link[1]))


def is_refusal(address: str) -> bool:
    """Say whether a link is an unsubscribe or preference link."""
    return urlsplit(address).path.startswith("/u/")


def part(request: Mapping[str, Any], kind: str) -> str:
    """Return the value of the request's `text/html` or `text/plain` part, or an empty string."""
    for content in request.get("content") or ():
        if content.get("type") == kind:
            return content.get("value") or ""
    return ""
