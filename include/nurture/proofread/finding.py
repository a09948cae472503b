"""Findings: what is wrong with one file of an email, and where."""

from collections.abc import Iterable
from dataclasses import dataclass

from nurture.definitions.products import Product


@dataclass(frozen=True)
class Finding:
    """What is wrong and its mend; a warning is for the marketer to weigh, anything else stops the mail.

    `part` is the suffix of the email's file (`mjml`, `subject`, `txt`, `yaml`), or another file under include/
    (`layout/mail.mjml`). `line` is 0 when it concerns the whole file; `path` finds the line in a YAML file.
    """

    part: str
    message: str
    line: int = 0
    is_warning: bool = False
    path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        """Write `mjml:12: ...`."""
        place = f"{self.part}:{self.line}" if self.line else self.part
        return f"{place}: {'warning: ' if self.is_warning else ''}{self.message}"


@dataclass(frozen=True)
class Source:
    """A file in which a mail's words stand."""

    part: str
    text: str

    @property
    def is_mjml(self) -> bool:
        """Whether it is MJML: an email's own, or a layout's."""
        return self.part.endswith("mjml")

    @property
    def is_layout(self) -> bool:
        """Whether all mails share it."""
        return "/" in self.part

    def line_at(self, position: int) -> int:
        """Return the line of a position in the text."""
        return self.text.count("\n", 0, position) + 1


def sources(product: Product, email: str) -> list[Source]:
    """Return the files that an email is made of: its own, then the layout's."""
    template = product.emails[email]
    own = [Source("subject", template.subject), Source("mjml", template.mjml), Source("txt", template.text)]
    return own + [Source(f"layout/{name}", text) for name, text in product.layout.items()]


def locate(files: Iterable[Source], words: str, part: str) -> tuple[str, int]:
    """Return the file and the line in which words of a rendered part stand, or the part and 0 when none has them."""
    for source in files:
        fits = source.is_mjml == (part == "mjml") and (source.part == "subject") == (part == "subject")
        if fits and words in source.text:
            return source.part, source.line_at(source.text.index(words))
    return part, 0
