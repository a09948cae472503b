"""Spelling: how people, scanners and exports write one and the same thing."""

import unicodedata
from random import Random

from nurture.demo import words
from nurture.demo.chance import Draw
from nurture.demo.people import Company, Job, Person

_HALF_KANA = {
    unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0xFF66, 0xFF9E)
}  # fmt: skip

_kabushiki = Draw(("株式会社", "(株)", "（株）", "㈱", "㍿", "株)"), (62, 12, 12, 9, 3, 2))
_gap = Draw(("", " ", "\u3000"), (80, 12, 8))
_between_names = Draw((" ", "\u3000", ""), (40, 45, 15))
_branch = Draw((" 東京支店", "\u3000大阪支社", "名古屋営業所"))
_tag = Draw(("seminar", "web", "2026"))
_placeholder = Draw(("-", "なし", "test@test.example", "000-0000-0000", "none"))


def company(of: Company, random: Random) -> str:
    """Return the company's name as somebody writes it; '' now and then."""
    dice = random.random()
    if dice < 0.04:
        return ""
    if dice < 0.08:
        return f"{of.english} Co., Ltd." if dice < 0.06 else f"{of.english} K.K."
    if dice < 0.24:
        return of.name
    form = of.form
    if form == "株式会社":
        form = _kabushiki(random)
    space = _gap(random)
    parts = (of.name, form) if form == "株)" or not of.is_form_first else (form, of.name)
    name = space.join(parts)
    if dice > 0.95:
        name += _branch(random)
    return half_kana(name) if dice > 0.93 else name


def name(of: Person, job: Job, random: Random) -> tuple[str, str, str]:
    """Return surname, given name and the separator that a full name of them takes."""
    last, first = job.last[0], of.first[0]
    dice = random.random()
    if of.is_foreign:
        return (
            (last.upper(), first.upper(), " ")
            if dice < 0.08
            else (last, f"{first[0]}.", " ")
            if dice < 0.11
            else (last, first, " ")
        )
    if dice < 0.04:
        return job.last[1], of.first[1], " "
    if dice < 0.08:
        last, first = words.romaji(job.last[1]).capitalize(), words.romaji(of.first[1]).capitalize()
        return (last.upper(), first.upper(), " ") if dice < 0.05 else (last, first, " ")
    if dice < 0.14:
        last = "".join(words.VARIANTS.get(letter, letter) for letter in last)
    return last, first, _between_names(random)


def full_name(of: Person, job: Job, random: Random) -> str:
    """Return the name in one column."""
    last, first, separator = name(of, job, random)
    if last.isascii():
        return f"{last}, {first}" if random.random() < 0.1 else f"{first} {last}"
    text = f"{last}{separator}{first}"
    return f"{text} 様" if random.random() < 0.02 else text


def kana(of: Person, job: Job, random: Random) -> str:
    """Return the reading where somebody filled it in."""
    if of.is_foreign or random.random() > 0.25:
        return ""
    text = f"{job.last[1]} {of.first[1]}"
    dice = random.random()
    if dice < 0.2:
        return half_kana(text)
    return (
        "".join(chr(ord(letter) - 0x60) if "ァ" <= letter <= "ヶ" else letter for letter in text)
        if dice < 0.35
        else text
    )


def email(address: str, random: Random) -> str:
    """Return an address as it is typed: mostly as it is."""
    dice = random.random()
    if dice < 0.88:
        return address
    if dice < 0.91:
        return address.upper()
    if dice < 0.925:
        return address.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)})
    if dice < 0.94:
        return f" {address} "
    if dice < 0.95:
        return f"mailto:{address}"
    if dice < 0.96:
        return f"<{address}>"
    local, _, domain = address.partition("@")
    if dice < 0.98:
        return f"{local}+{_tag(random)}@{domain}"
    place = random.randrange(len(local))
    return f"{local[:place]}{local[place + 1 : place + 2]}{local[place : place + 1]}{local[place + 2 :]}@{domain}"


def phone(number: str, random: Random) -> str:
    """Return a number as it is typed."""
    dice = random.random()
    if not number or dice < 0.5:
        return number
    if dice < 0.62:
        return number.replace("-", "")
    if dice < 0.72:
        return "+81-" + number[1:]
    if dice < 0.79:
        return number.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)})
    if dice < 0.86:
        area, _, rest = number.partition("-")
        return f"({area}) {rest}" if dice < 0.83 else f"{area}（{rest.replace('-', '）')}"
    if dice < 0.91:
        return number.replace("-", " ")
    if dice < 0.95:
        return f"{number} (内線{random.randrange(10, 999)})"
    return f"TEL:{number}" if dice < 0.97 else number


def placeholder(random: Random) -> str:
    """Return what people type who would rather not say."""
    return _placeholder(random)


def half_kana(text: str) -> str:
    """Return the text with half-width katakana."""
    decomposed = unicodedata.normalize("NFD", text) if any("ァ" <= letter <= "ヶ" for letter in text) else text
    marks = {"\u3099": "ﾞ", "\u309a": "ﾟ"}
    return "".join(_HALF_KANA.get(letter, marks.get(letter, letter)) for letter in decomposed)
