"""Letters: those that older Japanese mail readers show as something else, and subjects too long to be read."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from nurture.emails import Rendered
from nurture.proofread.finding import Finding, Source
from nurture.proofread.page import Page

# A list of mails shows about 40 full-width characters of a subject, a telephone about 20.
MOST_WIDTH = 80
# What to write instead, where no rule of Unicode says it.
_INSTEAD = {
    "髙": "高", "﨑": "崎", "德": "徳", "濵": "浜", "—": "―", "–": "-", "•": "・", "·": "・", "№": "No.", "℡": "電話",
    "〰": "～", "✓": "○", "✔": "○", "★️": "★", "\xa0": "a plain space",
}  # fmt: skip
# What one does not see, and what only shapes the letter before it.
_SILENT = {"\u200b", "\u200c", "\u200d", "\ufe0e", "\ufe0f", "\xad"}


def subject(mail: Rendered) -> Iterator[Finding]:
    """Yield what is wrong with the subject as one lead reads it."""
    if not mail.subject:
        yield Finding("subject", "the subject is empty")
    width = sum(2 if unicodedata.east_asian_width(letter) in "WFA" else 1 for letter in mail.subject)
    if width > MOST_WIDTH:
        message = (
            f"{width // 2} full-width characters, of which lists of mails show about {MOST_WIDTH // 2}: shorten it"
        )
        yield Finding("subject", message, 1, is_warning=True)


def japanese(mail: Rendered, page: Page, files: list[Source]) -> Iterator[Finding]:
    """Yield the letters of a Japanese mail that ISO-2022-JP (JIS X 0208) lacks, by the line in which they stand.

    The mail is sent in UTF-8; a reader, a gateway or a reply that turns it into ISO-2022-JP loses these.
    """
    if mail.language != "ja":
        return
    shown = {"subject": mail.subject, "mjml": page.words + page.hidden, "txt": mail.text}
    for part, words in shown.items():
        unsafe = {letter for letter in set(words) if not is_safe(letter)}
        for source in files:
            fits = source.is_mjml == (part == "mjml") and (source.part == "subject") == (part == "subject")
            if not unsafe or not fits:
                continue
            for number, line in enumerate(source.text.split("\n"), start=1):
                here = [letter for letter in dict.fromkeys(line) if letter in unsafe]
                if here:
                    yield Finding(source.part, _message(here), number, is_warning=True)
        written = "".join(source.text for source in files)
        elsewhere = [letter for letter in dict.fromkeys(words) if letter in unsafe and letter not in written]
        if elsewhere:
            yield Finding(part, f"from product.yaml: {_message(elsewhere)}", is_warning=True)


def _message(letters: list[str]) -> str:
    said = "".join(letters)
    mends = [f"{letter} → {mend}" for letter in letters if (mend := _mend(letter))]
    return f"an older Japanese mail reader shows 〓, ? or another letter for {said!r} (not in JIS X 0208): " + (
        f"write {', '.join(mends)}" if mends else "write it in other words"
    )


def _mend(letter: str) -> str:
    if letter in _INSTEAD:
        return _INSTEAD[letter]
    plain = unicodedata.normalize("NFKC", letter)
    if unicodedata.category(letter) == "No" and plain.isdigit():
        return f"({plain})"
    if letter != plain and all(is_safe(each) for each in plain):
        return plain
    bare = unicodedata.normalize("NFD", letter)[0]
    return bare if bare != letter and bare.isascii() else ""


@cache
def is_safe(letter: str) -> bool:
    """Say whether a letter survives ISO-2022-JP as Japanese mail readers write it: ASCII and JIS X 0208.

    Both mappings of JIS X 0208 count, because ～ and － of Windows are 〜 and − of the standard.
    """
    if letter.isascii() or letter in _SILENT:
        return True
    try:
        letter.encode("iso2022_jp")
    except UnicodeEncodeError:
        pass
    else:
        return True
    try:
        code = letter.encode("cp932")
    except UnicodeEncodeError:
        return False
    # Rows 1 to 84 without 13; 0x87, 0xED, 0xEE and 0xFA on are NEC's and IBM's own (機種依存文字).
    return len(code) == 2 and (0x81 <= code[0] <= 0x84 or 0x88 <= code[0] <= 0x9F or 0xE0 <= code[0] <= 0xEA)


def one_line(text: str) -> bool:
    """Say whether a subject's file is one line."""
    return not re.search("[\r\n]", text.strip())
