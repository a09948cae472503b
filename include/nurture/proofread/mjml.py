"""MJML: a name that it lacks is refused, because mrml hands it through and no mail reader shows it as meant."""

import re
from collections.abc import Iterator
from functools import lru_cache

from nurture.definitions.nearest import instead
from nurture.proofread.finding import Finding, Source

ELEMENTS = {
    "mjml", "mj-head", "mj-body", "mj-attributes", "mj-all", "mj-class", "mj-breakpoint", "mj-font", "mj-preview",
    "mj-style", "mj-title", "mj-accordion", "mj-accordion-element", "mj-accordion-text", "mj-accordion-title",
    "mj-button", "mj-carousel", "mj-carousel-image", "mj-column", "mj-divider", "mj-group", "mj-hero", "mj-image",
    "mj-navbar", "mj-navbar-link", "mj-raw", "mj-section", "mj-social", "mj-social-element", "mj-spacer", "mj-table",
    "mj-text", "mj-wrapper",
}  # fmt: skip
# The attributes of all elements of MJML 4 together (documentation.mjml.io); which of them an element heeds is its own.
_EDGES = ("", "-top", "-right", "-bottom", "-left")
ATTRIBUTES = {
    "align", "alt", "background-height", "background-position", "background-position-x", "background-position-y",
    "background-repeat", "background-size", "background-url", "background-width", "base-url", "border-collapse",
    "border-radius", "cellpadding", "cellspacing", "color", "container-background-color", "css-class", "dir",
    "direction", "fluid-on-mobile", "font-family", "font-size", "font-style", "font-weight", "full-width", "hamburger",
    "height", "href", "icon-align", "icon-color", "icon-height", "icon-padding", "icon-position", "icon-size",
    "icon-unwrapped-alt", "icon-unwrapped-url", "icon-width", "icon-wrapped-alt", "icon-wrapped-url",
    "inner-background-color", "inner-border-radius", "inner-padding", "inline", "lang", "left-icon", "letter-spacing",
    "line-height", "max-height", "max-width", "mj-class", "mode", "name", "owa", "position", "rel", "right-icon",
    "sizes", "src", "srcset", "table-layout", "target", "tb-border", "tb-border-radius", "tb-hover-border-color",
    "tb-selected-border-color", "tb-width", "text-align", "text-decoration", "text-padding", "text-transform",
    "thumbnails", "thumbnails-src", "title", "usemap", "vertical-align", "width", "background-color", "ico-align",
    "ico-close", "ico-color", "ico-font-family", "ico-font-size", "ico-line-height", "ico-open", "ico-padding",
    "ico-text-decoration", "ico-text-transform", "role", "border-width", "border-style", "border-color", "id", "style",
    "class", *(f"{kind}{edge}" for kind in ("padding", "border", "inner-border") for edge in _EDGES),
}  # fmt: skip

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"""<(?P<name>[a-zA-Z][\w-]*)(?P<attributes>(?:[^<>"']|"[^"]*"|'[^']*')*)>""")
_NAME = re.compile(r"""([^\s=/"']+)\s*=\s*(?:"[^"]*"|'[^']*')""")


def elements(source: Source) -> Iterator[Finding]:
    """Yield every element that MJML lacks."""
    for tag in _tags(source):
        name, line = tag["name"], source.line_at(tag.start())
        if name == "mj-include":
            message = 'MJML\'s own <mj-include> reads no file here: write {% include "name.mjml" %}, kept in layout/'
            yield Finding(source.part, message, line)
        elif name.startswith("mj") and name not in ELEMENTS:
            mend = instead(f"<{name}>", [f"<{known}>" for known in sorted(ELEMENTS)])
            yield Finding(source.part, f"unknown element <{name}>: {mend}", line)


def details(source: Source) -> Iterator[Finding]:
    """Yield every attribute that MJML lacks, and every image without alt."""
    for tag in _tags(source):
        name = tag["name"]
        if name in ELEMENTS:
            for attribute in _NAME.finditer(tag["attributes"]):
                if attribute[1] not in ATTRIBUTES:
                    message = f"unknown attribute {attribute[1]!r}: {instead(attribute[1], sorted(ATTRIBUTES))}"
                    yield Finding(source.part, message, source.line_at(tag.start("attributes") + attribute.start()))
        if name in ("mj-image", "mj-carousel-image", "img") and not re.search(r"\salt\s*=", tag["attributes"]):
            message = 'an image needs alt, for those who do not see it (alt="" for decoration)'
            yield Finding(source.part, message, source.line_at(tag.start()))


@lru_cache(maxsize=64)
def _tags(source: Source) -> list[re.Match[str]]:
    """Return the tags of a template, what Jinja makes left blank; a layout's are read once for all mails."""
    return list(_TAG.finditer(_JINJA.sub(_blank, source.text)))


def _blank(found: re.Match[str]) -> str:
    return "\n".join(" " * len(line) for line in found[0].split("\n"))
