"""Cast: invented companies and people for the trap sets, and the records that they leave; nobody of them exists.

Not the demo's people: their names, mailboxes and numbers are chosen to be hard to tell apart, or to put together.
"""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, NamedTuple

from nurture.demo import words
from nurture.demo.chance import Draw

SOURCES = ("exhibition_badges", "web_forms", "seminar_attendees", "business_cards_cp932", "crm_export")
FREEMAIL = ("freemail.example", "webmail.example", "mobile-mail.example")
# One writing, several readings: the kanji alone do not tell how a person is called.
_SURNAMES = [
    *words.SURNAMES,
    ("河野", "コウノ"), ("河野", "カワノ"), ("中島", "ナカジマ"), ("中島", "ナカシマ"), ("山崎", "ヤマザキ"),
    ("山崎", "ヤマサキ"), ("上村", "ウエムラ"), ("上村", "カミムラ"), ("菅野", "カンノ"), ("菅野", "スガノ"),
    ("角田", "ツノダ"), ("角田", "カクタ"), ("東", "アズマ"), ("東", "ヒガシ"), ("林", "ハヤシ"), ("森", "モリ"),
    ("辻", "ツジ"), ("堤", "ツツミ"), ("五十嵐", "イガラシ"), ("佐々木", "ササキ"), ("長谷川", "ハセガワ"),
    ("小山", "コヤマ"), ("小山", "オヤマ"), ("小山田", "オヤマダ"), ("林田", "ハヤシダ"), ("三田村", "ミタムラ"),
    ("久保", "クボ"), ("久保田", "クボタ"), ("大野", "オオノ"), ("小野", "オノ"), ("大場", "オオバ"), ("新田",
    "ニッタ"),
    ("神谷", "カミヤ"), ("神谷", "コウヤ"), ("渡部", "ワタナベ"), ("渡部", "ワタベ"), ("羽田", "ハネダ"), ("羽田",
    "ハダ"),
]  # fmt: skip
_GIVEN = [
    *words.GIVEN_NAMES,
    ("健成", "ケンセイ"), ("健成", "タツノリ"), ("裕子", "ユウコ"), ("裕子", "ヒロコ"), ("光", "ヒカル"), ("光",
    "コウ"),
    ("純", "ジュン"), ("純", "アツシ"), ("智子", "トモコ"), ("智子", "サトコ"), ("優", "ユウ"), ("優", "マサル"),
    ("晃", "アキラ"), ("晃", "ヒカル"), ("昌子", "マサコ"), ("昌子", "アキコ"), ("潤一", "ジュンイチ"), ("真一",
    "シンイチ"),
    ("雄一", "ユウイチ"), ("友一", "ユウイチ"), ("洋平", "ヨウヘイ"), ("陽平", "ヨウヘイ"), ("幸一郎",
    "コウイチロウ"),
    ("龍", "リュウ"), ("玲", "レイ"), ("恵", "メグミ"), ("恵", "ケイ"), ("さくら", "サクラ"), ("めぐみ", "メグミ"),
]  # fmt: skip
_WESTERN_LAST = (
    "Smith", "Johnson", "O'Neil", "MacDonald", "García", "Müller", "Weber", "Rossi", "Dubois", "Novak", "Jensen",
    "van der Berg", "Kowalski", "Silva", "Brown", "Taylor", "Wilson", "Anderson", "Thompson", "Walker",
)  # fmt: skip
_WESTERN_FIRST = (
    "James", "Robert", "William", "Elizabeth", "Katherine", "Anna", "Mary-Jane", "José", "Jürgen", "Thomas",
    "Michael", "Christopher", "Jennifer", "Susan", "Patricia", "Daniel", "Edward", "Nicholas", "Laura", "Emma",
)  # fmt: skip
# kanji, how it is written in Latin letters there, and how Japanese records write the sound
CHINESE = (
    (("王", "Wang", "ワン"), ("偉", "Wei", "ウェイ")), (("李", "Li", "リー"), ("娜", "Na", "ナー")),
    (("張", "Zhang", "チャン"), ("敏", "Min", "ミン")), (("劉", "Liu", "リュウ"), ("洋", "Yang", "ヤン")),
    (("陳", "Chen", "チェン"), ("建国", "Jianguo", "ジェングオ")), (("趙", "Zhao", "チャオ"), ("麗華", "Lihua",
    "リーファ")),
    (("周", "Zhou", "シュウ"), ("浩然", "Haoran", "ハオラン")), (("孫", "Sun", "ソン"), ("静", "Jing", "ジン")),
)  # fmt: skip
KOREAN = (
    (("金", "Kim", "キム"), ("敏洙", "Min-su", "ミンス")), (("朴", "Park", "パク"), ("智勲", "Ji-hoon", "ジフン")),
    (("李", "Lee", "イ"), ("瑞妍", "Seo-yeon", "ソヨン")), (("崔", "Choi", "チェ"), ("賢宇", "Hyun-woo", "ヒョヌ")),
    (("鄭", "Jung", "チョン"), ("恩珠", "Eun-ju", "ウンジュ")), (("姜", "Kang", "カン"), ("泰賢", "Tae-hyun",
    "テヒョン")),
)  # fmt: skip
_STEMS = (
    ("北斗", "hokuto"), ("旭", "asahi"), ("三鷹", "mitaka"), ("永楽", "eiraku"), ("富岳", "fugaku"), ("桜井",
    "sakurai"),
    ("山田", "yamada"), ("丸和", "maruwa"), ("共栄", "kyoei"), ("日新", "nisshin"), ("大成", "taisei"), ("東洋",
    "toyo"),
    ("南海", "nankai"), ("昭和", "showa"), ("光陽", "koyo"), ("新生", "shinsei"), ("第一", "daiichi"), ("平和",
    "heiwa"),
    ("あさひ", "asahi-k"), ("つばさ", "tsubasa"), ("ひかり", "hikari"), ("エイト", "eight"), ("セントラル",
    "central"),
    ("ネクスト", "next"), ("グリーン", "green"), ("パシフィック", "pacific"), ("鶴見", "tsurumi"), ("若葉", "wakaba"),
)  # fmt: skip
_title = Draw(("", "課長", "部長", "主任", "担当", "係長", "取締役", "エンジニア", "代表取締役", "Manager"))
_department = Draw(("情報システム部", "総務部", "営業部", "人事部", "経理課", "製造部", "経営企画室", "IT Dept.", ""))
_pattern = Draw(("{g}.{s}", "{s}.{g}", "{i}.{s}", "{s}", "{s}_{i}", "{i}{s}"), (40, 18, 14, 14, 6, 8))
_many = Draw((1, 2, 3, 4, 5), (38, 30, 18, 10, 4))


@dataclass(frozen=True, slots=True)
class Company:
    """An invented company."""

    company_id: int
    name: str
    form: str
    domain: str
    area: str
    number: int
    prefecture: str
    postal_code: str
    address: str
    corporate_number: str
    english: str

    def phone(self, line: int = 0) -> str:
        """Return a number of the company; line 0 is its switchboard."""
        digits = f"{self.number + line:0{10 - len(self.area)}d}"
        return f"{self.area}-{digits[:-4]}-{digits[-4:]}"


@dataclass(frozen=True, slots=True)
class Person:
    """An invented person at one company; `reading` and `latin` are surname and given name."""

    person_id: int
    company: Company
    last: str
    first: str
    reading: tuple[str, str]
    latin: tuple[str, str]
    email: str
    mobile: str
    line: int
    department: str
    title: str

    def at(self, **changes: Any) -> "Person":
        """Return the same person later: at another company, under another name, with another mailbox."""
        return replace(self, **changes)


class Record(NamedTuple):
    """One row of a file as it will be written; `name` is surname and given name, or the whole and ''."""

    source: str
    person_id: int
    company_id: int
    flag: str
    name: tuple[str, str]
    kana: str
    company: str
    email: str
    phone: str
    mobile: str
    department: str
    title: str
    postal_code: str
    address: str
    corporate_number: str
    day: str
    key: str = ""


@dataclass
class Cast:
    """All companies and people of one set, and what they leave."""

    random: Random
    companies: list[Company] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    mailboxes: set[str] = field(default_factory=set)
    people: int = 0
    until: int = 1_000  # days of the set

    def new_company(self, **changes: Any) -> Company:
        """Add an invented company; what is named in `changes` is so."""
        random = self.random
        stem, roman = random.choice(_STEMS)
        trade, trade_roman, english, _ = random.choice(words.TRADES)
        prefecture, town, _, area, postal = random.choice(words.PLACES)
        number = len(self.companies) + 1
        made = Company(
            company_id=number, name=stem + trade, form=random.choice(("株式会社",) * 8 + ("有限会社", "合同会社")),
            domain=f"{roman}-{trade_roman}{number}.example", area=area,
            number=random.randrange(10 ** (8 - len(area))) * 10, prefecture=prefecture,
            postal_code=f"{postal}-{number % 9_000 + 1:04d}",
            address=f"{prefecture}{town}{random.randrange(1, 9)}-{random.randrange(1, 30)}",
            corporate_number=f"{random.randrange(10**12, 10**13):013d}" if random.random() < 0.5 else "",
            english=f"{roman.capitalize()} {english}",
        )  # fmt: skip
        made = replace(made, **changes)
        self.companies.append(made)
        return made

    def employer(self) -> Company:
        """Return a company of the cast; the earlier ones are large."""
        return self.companies[int(len(self.companies) * self.random.random() ** 1.8)]

    def person(self, company: Company | None = None, **changes: Any) -> Person:
        """Add an invented person; what is named in `changes` is so, and a mailbox is made of the name."""
        random = self.random
        self.people += 1
        company = company or self.employer()
        last, given = random.choice(_SURNAMES), random.choice(_GIVEN)
        if "western" in changes:
            changes.pop("western")
            surname, first = random.choice(_WESTERN_LAST), random.choice(_WESTERN_FIRST)
            changes = {"last": surname, "first": first, "reading": ("", ""), "latin": (surname, first), **changes}
        latin = changes.pop("latin", None)
        reading = changes.get("reading", (last[1], given[1]))
        person = Person(
            person_id=self.people, company=company, last=last[0], first=given[0], reading=reading,
            latin=latin or (words.romaji(reading[0]).capitalize(), words.romaji(reading[1]).capitalize()),
            email="", mobile=self.mobile() if random.random() < 0.5 else "", line=random.randrange(1, 10),
            department=_department(random), title=_title(random),
        )  # fmt: skip
        person = replace(person, **changes)
        return person if person.email else replace(person, email=self.mailbox(person, company))

    def mobile(self) -> str:
        """Return a mobile number of a block that no carrier has."""
        return f"0{self.random.choice('789')}0-0{self.random.randrange(1000):03d}-{self.random.randrange(10_000):04d}"

    def mailbox(self, person: Person, company: Company, pattern: str = "") -> str:
        """Return a mailbox that nobody has, at a company or, of few, at a free provider."""
        surname, given = (plain(part) for part in person.latin)
        if not pattern and self.random.random() < 0.06:
            made = f"{given}.{surname}{person.person_id}@{self.random.choice(FREEMAIL)}"
        else:
            made = (pattern or _pattern(self.random)).format(g=given, s=surname, i=given[:1]) + "@" + company.domain
        if made in self.mailboxes:
            made = f"{given}.{surname}@{company.domain}"
        if made in self.mailboxes:
            made = f"{given}.{surname}{person.person_id}@{company.domain}"
        self.mailboxes.add(made)
        return made

    def crowd(self, how_many: int) -> None:
        """Add ordinary people with their records: from them a matcher learns what is usual."""
        for _ in range(how_many):
            person = self.person(western=True) if self.random.random() < 0.08 else self.person()
            for _ in range(_many(self.random)):
                self.seen(person)

    def seen(self, who: Person, flag: str = "", *, source: str = "", **written: Any) -> None:
        """Add a record of a person: in a source (any, unless said), as it is usually written, but for `written`."""
        random, company = self.random, who.company
        source = source or random.choice(SOURCES)
        style = written.pop("style", "") or random.choices(STYLES, (70, 8, 4, 4, 4, 3, 3, 2, 2))[0]
        shows_mobile = source != "seminar_attendees" and random.random() < 0.6
        usual = {
            "name": spelt(who, style, random),
            "kana": " ".join(who.reading) if source in SOURCES[:2] and random.random() < 0.3 else "",
            "company": named(company, random),
            "email": typed(who.email, random) if random.random() < 0.85 else "",
            "phone": dialled(company.phone(who.line if random.random() < 0.25 else 0), random),
            "mobile": dialled(who.mobile, random) if shows_mobile else "",
            "department": who.department, "title": who.title, "postal_code": company.postal_code,
            "address": company.address,
            "corporate_number": company.corporate_number if source == "crm_export" else "",
            "day": f"{random.randrange(self.until)}",
        }  # fmt: skip
        if not (usual["email"] or usual["mobile"] or written.get("email") or written.get("mobile")):
            usual["email"] = who.email
        usual |= written
        self.records.append(Record(source, who.person_id, company.company_id, flag, **usual))


STYLES = ("kanji", "nospace", "variant", "kana", "hiragana", "romaji", "capitals", "swapped", "initial")
_EMAIL_STYLES = Draw(("as it is", "upper", "wide", "spaced", "mailto", "angle"), (90, 4, 2, 2, 1, 1))


def plain(text: str) -> str:
    """Return Latin letters as they stand in a mailbox."""
    folded = text.lower().translate(str.maketrans("éáíóúüöäñç", "eaiouuoanc"))
    return "".join(letter for letter in folded if letter.isalpha())


def spelt(who: Person, style: str, random: Random) -> tuple[str, str]:
    """Return a name in a style: surname and given name."""
    last, first = who.latin
    if who.last.isascii() or not who.reading[0]:
        return (last.upper(), first.upper()) if style == "capitals" else (last, first)
    match style:
        case "variant":
            return "".join(words.VARIANTS.get(letter, letter) for letter in who.last), who.first
        case "kana":
            return who.reading
        case "hiragana":
            return hiragana(who.reading[0]), hiragana(who.reading[1])
        case "romaji":
            return last, first
        case "capitals":
            return last.upper(), first.upper()
        case "swapped":
            return first, last
        case "initial":
            return last, f"{first[:1]}."
        case "nospace":
            return f"{who.last}{who.first}", ""
        case "surname":
            return who.last, ""
    return (f"{who.last}", f"{who.first}様") if random.random() < 0.01 else (who.last, who.first)


def hiragana(text: str) -> str:
    """Return katakana as hiragana."""
    return "".join(chr(ord(letter) - 0x60) if "ァ" <= letter <= "ヶ" else letter for letter in text)


def wide(text: str) -> str:
    """Return the text in full-width letters."""
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)


def named(company: Company, random: Random) -> str:
    """Return a company's name as somebody writes it."""
    dice = random.random()
    if dice < 0.03:
        return ""
    if dice < 0.06:
        return f"{company.english} Co., Ltd."
    if dice < 0.18:
        return company.name
    form = company.form if company.form != "株式会社" else random.choice(("株式会社",) * 5 + ("(株)", "㈱", "（株）"))
    gap = random.choice(("", "", "", " ", "\u3000"))
    return f"{form}{gap}{company.name}" if company.company_id % 5 else f"{company.name}{gap}{form}"


def typed(email: str, random: Random) -> str:
    """Return an address as it is typed: mostly as it is."""
    match _EMAIL_STYLES(random):
        case "upper":
            return email.upper()
        case "wide":
            return wide(email)
        case "spaced":
            return f" {email} "
        case "mailto":
            return f"mailto:{email}"
        case "angle":
            return f"<{email}>"
    return email


def dialled(number: str, random: Random) -> str:
    """Return a number as it is typed."""
    dice = random.random()
    if not number or dice < 0.6:
        return number
    if dice < 0.75:
        return number.replace("-", "")
    if dice < 0.85:
        return "+81-" + number[1:]
    if dice < 0.92:
        return wide(number)
    return f"TEL {number}" if dice < 0.95 else number.replace("-", " ")
