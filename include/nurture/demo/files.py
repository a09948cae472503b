"""Files: the invented records as the five files in which such records arrive, traps and broken rows included."""

import csv
import json
import zipfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import IO
from xml.sax.saxutils import escape

from nurture.demo import people, spelling
from nurture.demo.chance import Draw
from nurture.demo.people import Job, Made, Person

FILES = {
    "exhibition_badges": "exhibition_badges.xlsx",
    "web_forms": "web_forms.jsonl",
    "seminar_attendees": "seminar_attendees.csv",
    "business_cards_cp932": "business_cards_cp932.csv",
    "crm_export": "crm_export.csv",
}
BADGE = (
    "受付番号",
    "氏名",
    "フリガナ",
    "会社名",
    "部署",
    "役職",
    "メールアドレス",
    "電話番号",
    "携帯電話",
    "郵便番号",
    "住所",
    "業種",
    "導入時期",
    "来場日時",
)
CARD = (
    "名刺ID",
    "名刺所有者ユーザID",
    "会社名",
    "部署名",
    "役職",
    "氏名[姓]",
    "氏名[名]",
    "e-mail",
    "郵便番号",
    "住所",
    "TEL会社",
    "携帯電話",
    "名刺交換日",
    "配信拒否",
)
SEMINAR = ("Registration ID", "Name", "Company", "Job title", "Email", "Phone", "Date", "Status", "Product", "Comment")
CRM = (
    "Id", "LastName", "FirstName", "Account", "Email", "Phone", "MobilePhone", "Title", "Status", "Owner",
    "LastActivityDate",
    "HasOptedOutOfEmail", "NumberOfEmployees", "Industry", "CorporateNumber",
)  # fmt: skip
_PAGES = {
    "cloud_backup": ("/products/cloud-backup", "/blog/backup-checklist", "/pricing", "/case/logistics"),
    "shift_planner": ("/products/shift-planner", "/blog/shift-making", "/pricing", "/case/store"),
}
_KEYWORDS = {
    "cloud_backup": ("クラウド バックアップ 料金", "ランサムウェア 対策", "バックアップ 比較", "cloud backup pricing"),
    "shift_planner": ("シフト管理 アプリ", "シフト表 作成", "勤怠 シフト 連携", "shift planning"),
}
_CAMPAIGNS = {"cloud_backup": "backup_autumn", "shift_planner": "shift_launch"}
_WORDING = "当社からの製品・セミナーのご案内をメールで受け取ることに同意します（2026年4月版）"

_role = Draw(("info", "sales", "contact", "soumu", "support", "inquiry"))
_form_name = Draw(("document_request", "quote_request", "seminar_signup", "newsletter", "contact"), (34, 8, 24, 20, 14))
_message = Draw(("資料希望", "料金を知りたい", "デモをお願いします\n急ぎです", ""))
_referrer = Draw(("https://search.example/", "https://news.example/", ""))
_medium = Draw(("google", "yahoo", "mail", ""))
_horizon = Draw(("3ヶ月以内", "半年以内", "1年以内", "未定", ""))
_status = Draw(("Attended", "No-show", "Cancelled"), (55, 27, 18))
_remark = Draw(("情報収集", "比較検討中", "Wants a quote, soon", ""))
_rep = Draw(("suzuki", "tanaka", "sato", ""))
_page = {product: Draw(found) for product, found in _PAGES.items()}
_keyword = {product: Draw((*found, "")) for product, found in _KEYWORDS.items()}


def write_files(out: Path, how_many: int, seed: int, until: date, *, with_truth: bool = False) -> list[Made]:
    """Write the five files of so many people to a folder; return the truth of each record that can be read.

    Each file also has the broken rows of its kind, which have no truth.
    """
    random = Random(seed)
    end = people.midnight(until)
    crowd = list(people.people(how_many, random, end))
    out.mkdir(parents=True, exist_ok=True)
    truth: list[Made] = []
    counts = dict.fromkeys(FILES, 0)
    with ExitStack() as opened:
        writers = {source: opened.enter_context(WRITERS[source](out / name, until)) for source, name in FILES.items()}
        for seconds, source, at in people.visits(crowd, random):
            person, moment = crowd[at], end + timedelta(seconds=seconds)
            counts[source] += 1
            key = KEYS[source].format(counts[source])
            job = person.job_at(moment)
            address, trap = _address(person, job, random)
            writers[source].write(_ROWS[source](key, person, job, address, moment, random))
            truth.append(Made(source, key, person.person_id, job.company.company_id, trap))
    if with_truth:
        with (out / "truth.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("file", "source_key", "person_id", "company_id", "trap"))
            table.writerows((FILES[made.source], *made[1:]) for made in truth)
    return truth


_json = json.JSONEncoder(ensure_ascii=False).encode


def _address(person: Person, job: Job, random: Random) -> tuple[str, str]:
    """Return the address that a record carries, and which trap it is."""
    dice = random.random()
    if person.inherited and job is person.job:
        return person.inherited, "successor"
    if dice < 0.03:
        return f"{_role(random)}@{job.company.domain}", "role"
    if dice < 0.04:
        return f"{person.department[1].split()[0].lower().replace('&', '')}-team@{job.company.domain}", "team"
    if dice < 0.05:
        return spelling.placeholder(random), "placeholder"
    return spelling.email(job.email, random), ""


def _badge(key: str, person: Person, job: Job, address: str, at: datetime, random: Random) -> tuple[str, ...]:
    company = job.company
    in_english = random.random() < 0.1
    where = random.random() < 0.7
    return (
        key, spelling.full_name(person, job, random), spelling.kana(person, job, random),
        spelling.company(company, random),
        person.department[in_english] if random.random() < 0.7 else "",
        person.title[in_english] if random.random() < 0.7 else "",
        address if random.random() < 0.86 else "",
        spelling.phone(company.phone(person.line if random.random() < 0.3 else 0), random),
        spelling.phone(person.mobile, random) if random.random() < 0.5 else "",
        company.postal_code if where else "",
        (company.english_address if in_english else company.address) if where else "",
        company.industry_in_english if in_english else company.industry if random.random() < 0.9 else "",
        _horizon(random), f"{at:%Y/%m/%d %H:%M}",
    )  # fmt: skip


def _card(key: str, person: Person, job: Job, address: str, at: datetime, random: Random) -> tuple[str, ...]:
    company = job.company
    last, first, separator = spelling.name(person, job, random)
    if random.random() < 0.1:
        last, first = (f"{first} {last}" if last.isascii() else f"{last}{separator}{first}"), ""
    phone = company.phone(person.line if random.random() < 0.3 else 0)
    if random.random() < 0.004:
        phone = "03-0600-0005"  # the rep's own contact, by mistake
        address = f"rep{person.person_id % 8}@aozora-systems.example"
    return (
        key, f"rep{person.person_id % 8 + 1}", spelling.company(company, random), person.department[0],
        person.title[0],
        last, first, address, company.postal_code, company.address, spelling.phone(phone, random),
        spelling.phone(person.mobile, random), at.strftime("%Y/%m/%d"), "1" if person.has_opted_out else "",
    )  # fmt: skip


def _form(key: str, person: Person, job: Job, address: str, at: datetime, random: Random) -> dict[str, object]:
    company, product = job.company, person.interest
    last, first, _ = spelling.name(person, job, random)
    form = _form_name(random)
    source = _medium(random)
    return {
        "submission_id": key, "form": form, "submitted_at": at.isoformat(timespec="seconds"), "last_name": last,
        "first_name": first, "kana": spelling.kana(person, job, random), "company": spelling.company(company, random),
        "department": person.department[0] if random.random() < 0.75 else "",
        "title": person.title[0] if random.random() < 0.6 else "", "email": address,
        "tel": spelling.phone(person.mobile or company.phone(), random) if random.random() < 0.7 else "",
        "employees": company.employees, "industry": company.industry if random.random() < 0.9 else "",
        "message": _message(random),
        "page": _page[product](random),
        "referrer": _referrer(random),
        "search_keyword": _keyword[product](random), "utm_source": source,
        "utm_campaign": _CAMPAIGNS[product] if source else "", "marketing_consent": random.random() < 0.88,
        "consent_text": _WORDING,
    }  # fmt: skip


def _attendee(key: str, person: Person, job: Job, address: str, at: datetime, random: Random) -> tuple[str, ...]:
    return (
        key, spelling.full_name(person, job, random), spelling.company(job.company, random),
        person.title[0] if random.random() < 0.6 else "", address,
        spelling.phone(job.company.phone(), random) if random.random() < 0.3 else "", at.strftime("%Y-%m-%d"),
        _status(random), person.interest,
        _remark(random),
    )  # fmt: skip


def _crm(key: str, person: Person, job: Job, address: str, at: datetime, random: Random) -> tuple[str, ...]:
    company = job.company
    last, first, _ = spelling.name(person, job, random)
    return (
        key, last, first, spelling.company(company, random), address, spelling.phone(company.phone(), random),
        spelling.phone(person.mobile, random) if random.random() < 0.5 else "",
        person.title[0] if random.random() < 0.6 else "",
        person.standing, _rep(random),
        at.strftime("%Y-%m-%d") if random.random() < 0.7 else "", "TRUE" if person.has_opted_out else "FALSE",
        str(company.employees), company.industry, company.corporate_number,
    )  # fmt: skip


class _Csv:
    """A csv file with a header and, at its end, lines that were not written as csv."""

    def __init__(
        self, path: Path, encoding: str, header: tuple[str, ...], quoting: int, newline: str, broken: bytes
    ) -> None:
        self._path, self._encoding, self._broken = path, encoding, broken
        self._file: IO[str] = path.open("w", encoding=encoding, errors="replace", newline="")
        self._table = csv.writer(self._file, quoting=quoting, lineterminator=newline)  # pyright: ignore[reportArgumentType]
        csv.writer(self._file, lineterminator=newline).writerow(header)
        self.write: Callable[[Iterable[str]], object] = self._table.writerow

    def __enter__(self) -> "_Csv":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        with self._path.open("ab") as file:
            file.write(self._broken)


class _JsonLines:
    """A file of one JSON object a line; its last lines are a truncated one, a hostile one and a re-sent one."""

    def __init__(self, path: Path, until: date) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._until = until

    def write(self, row: dict[str, object]) -> None:
        self._file.write(_json(row) + "\n")

    def __enter__(self) -> "_JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.write('{"submission_id": "F9999990", "form": "contact", "email": "truncated@exam\n')
        self.write(
            {
                "submission_id": "F9999991", "form": "contact", "submitted_at": "2026-13-45",
                "last_name": "<script>alert(1)</script>", "first_name": '=HYPERLINK("http://evil.example")',
                "email": "xss@mihon.example", "company": "{{ config }}", "marketing_consent": True,
            }
        )  # fmt: skip
        self.write(
            {
                "submission_id": "F0000001", "form": "contact",
                "submitted_at": f"{self._until - timedelta(days=1)}T10:00:00+09:00",
                "last_name": "再送", "first_name": "太郎", "email": "resent@mihon.example",
                "marketing_consent": False,
            }
        )  # fmt: skip
        self._file.close()


_XLSX_PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="来場者" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
    'Target="worksheets/sheet1.xml"/></Relationships>',
}


class _Xlsx:
    """An xlsx sheet with title rows and a footer, written as a stream; its bytes depend on nothing but its cells."""

    def __init__(self, path: Path, until: date) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        for name, text in _XLSX_PARTS.items():
            self._zip.writestr(_part(name), f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>{text}')
        self._sheet = self._zip.open(_part("xl/worksheets/sheet1.xml"), "w", force_zip64=True)
        self._sheet.write(
            b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
            b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        )
        self._row = 0
        for row in (("第12回 見本IT展 来場者リスト（社外秘）",), (f"出力日 {until:%Y/%m/%d}",), BADGE):
            self.write(row)

    def write(self, row: tuple[str, ...]) -> None:
        self._row += 1
        number = self._row
        cells = "".join(
            f'<c r="{chr(65 + place)}{number}" t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'
            for place, text in enumerate(row)
            if text
        )
        self._sheet.write(f'<row r="{number}">{cells}</row>'.encode())

    def __enter__(self) -> "_Xlsx":
        return self

    def __exit__(self, *_: object) -> None:
        self.write(("", "以上"))
        self.write(("B9999998", "連絡先なし 太郎"))
        self._sheet.write(b"</sheetData></worksheet>")
        self._sheet.close()
        self._zip.close()


def _part(name: str) -> zipfile.ZipInfo:
    part = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
    part.compress_type = zipfile.ZIP_DEFLATED
    return part


def _cards(path: Path, until: date) -> _Csv:
    bad_bytes = f'"C9999990","rep1","\\81","","","X","","bad-bytes@mihon.example","","","","","{until:%Y/%m/%d}",""\r\n'
    broken = bad_bytes.encode().replace(b"\\81", b"\x81").replace(b'"X"', b'"\xff\xfe"')
    broken += '"C9999991","rep2","株式会社短い"\r\n'.encode("cp932")
    return _Csv(path, "cp932", CARD, csv.QUOTE_ALL, "\r\n", broken)


WRITERS: dict[str, Callable[[Path, date], "_Csv | _JsonLines | _Xlsx"]] = {
    "exhibition_badges": _Xlsx,
    "web_forms": _JsonLines,
    "seminar_attendees": lambda path, _: _Csv(path, "utf-8-sig", SEMINAR, csv.QUOTE_MINIMAL, "\n", b""),
    "business_cards_cp932": _cards,
    "crm_export": lambda path, _: _Csv(path, "utf-8", CRM, csv.QUOTE_MINIMAL, "\r\n", b""),
}
KEYS = {
    "exhibition_badges": "B{:07d}", "web_forms": "F{:07d}", "seminar_attendees": "S{:07d}",
    "business_cards_cp932": "C{:07d}",
    "crm_export": "003{:09d}AAA",
}  # fmt: skip
_ROWS = {
    "exhibition_badges": _badge, "web_forms": _form, "seminar_attendees": _attendee, "business_cards_cp932": _card,
    "crm_export": _crm,
}  # fmt: skip
