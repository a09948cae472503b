"""Normalisation: spellings of one thing get one key, things that differ keep theirs, placeholders are nothing."""

from zoneinfo import ZoneInfo

import pytest

from nurture.definitions.load import load_vocabulary
from nurture.normalise import texts
from nurture.normalise.companies import company_key
from nurture.normalise.dates import read_moment
from nurture.normalise.mailboxes import read_mailbox
from nurture.normalise.names import kana_key, read_name
from nurture.normalise.phones import read_phone
from nurture.normalise.regions import postal_code, region_of

WORDS = load_vocabulary()
ROLES = frozenset({"info", "sales", "soumu"})
FREEMAIL = frozenset({"freemail.example", "gmail.com"})


def mailbox(text: str):
    return read_mailbox(text, ROLES, FREEMAIL)


@pytest.mark.parametrize(
    "written",
    [
        "株式会社みほん製作所", "みほん製作所株式会社", "株式会社　みほん製作所", "(株)みほん製作所",
        "（株） みほん製作所", "㈱みほん製作所",
        "㍿みほん製作所", "みほん製作所㍿", "みほん製作所　株)", "みほん製作所（株", "みほん製作所 株",
        "ミホン製作所", "ﾐﾎﾝ製作所(株)",
        "みほん製作所 東京支店", "みほん製作所大阪支社", "みほん製作所 株式会社本社",
        "株式会社みほん製作所　九州営業所",
    ],
)  # fmt: skip
def test_a_company_has_one_key_in_every_spelling_of_its_legal_form_and_branch(written: str) -> None:
    assert company_key(written) == "ミホン製作所"


@pytest.mark.parametrize(
    "written",
    [
        "Mihon Systems", "MIHON SYSTEMS CO., LTD.", "Mihon Systems Co.,Ltd", "Mihon Systems, Inc.",
        "Mihon Systems K.K.",
        "Mihon Systems LLC", "Mihon Systems, GmbH", "Mihon Systems Pte. Ltd.", "Mihon Systems, S.A.",
        "Mihon Systems B.V.",
        "Ｍｉｈｏｎ　Ｓｙｓｔｅｍｓ　Ｃｏｒｐｏｒａｔｉｏｎ", "Mihon Systems PLC", "Mihon Systems Tokyo Branch",
    ],
)  # fmt: skip
def test_an_english_company_has_one_key_whatever_its_form(written: str) -> None:
    assert company_key(written) == "mihonsystems"


@pytest.mark.parametrize(("one", "other"), [("有限会社山本", "山本商事"), ("日本工業", "工業"), ("株木建設", "木建設")])
def test_companies_of_different_names_keep_different_keys(one: str, other: str) -> None:
    assert company_key(one) != company_key(other)


@pytest.mark.parametrize("written", ["株式会社", "なし", "-", "　", "test"])
def test_a_legal_form_or_a_placeholder_alone_is_no_company(written: str) -> None:
    assert company_key(written) is None


@pytest.mark.parametrize(
    "written",
    [
        "03-0123-4567", "０３－０１２３－４５６７", "(03) 0123-4567", "03（0123）4567", "0301234567",
        "+81-3-0123-4567", "+81 (0)3 0123 4567",
        "TEL:03-0123-4567", "03 0123 4567", "03-0123-4567 (内線709)", "81301234567",
    ],
)  # fmt: skip
def test_a_number_has_one_e164_form_however_it_is_typed(written: str) -> None:
    phone = read_phone(written)
    assert phone is not None
    assert (phone.number, phone.is_mobile) == ("+81301234567", False)


@pytest.mark.parametrize(
    ("written", "extension"), [("03-0123-4567 (内線709)", "709"), ("03-0123-4567 ext. 12", "12"), ("03-0123-4567", "")]
)
def test_an_extension_stands_apart(written: str, extension: str) -> None:
    phone = read_phone(written)
    assert phone is not None
    assert (phone.extension, phone.shown) == (extension, "03-0123-4567")


@pytest.mark.parametrize(
    ("written", "number", "is_mobile"),
    [
        ("090-0123-9876", "+819001239876", True), ("9001239876", "+819001239876", True),
        ("080.0123.9876", "+818001239876", True),
        ("0800-123-9876", "+818001239876", False), ("0120-012-345", "+81120012345", False),
        ("(202) 555-0143", "+12025550143", None), ("202.555.0143", "+12025550143", None),
        ("12025550143", "+12025550143", None),
        ("+44 20 7946 0958", "+442079460958", None),
    ],
)  # fmt: skip
def test_mobile_fixed_and_foreign_numbers_are_told_apart(written: str, number: str, is_mobile: bool | None) -> None:
    phone = read_phone(written)
    assert phone is not None
    assert (phone.number, phone.is_mobile) == (number, is_mobile)


@pytest.mark.parametrize(
    "written", ["-", "なし", "000-0000-0000", "999-9999-9999", "0123456789", "12", "090-1111-1111", "+1"]
)
def test_a_placeholder_or_an_impossible_number_is_none(written: str) -> None:
    assert read_phone(written) is None


@pytest.mark.parametrize(
    "written",
    [
        "taro.mihon@mihon.example", "TARO.MIHON@MIHON.EXAMPLE", "ｔａｒｏ．ｍｉｈｏｎ＠ｍｉｈｏｎ．ｅｘａｍｐｌｅ",
        "mailto:taro.mihon@mihon.example",
        "<taro.mihon@mihon.example>", "見本 太郎 <taro.mihon@mihon.example>", " taro.mihon@mihon.example ",
        "taro.mihon+seminar@mihon.example",
    ],
)  # fmt: skip
def test_an_address_has_one_matching_key_however_it_is_typed(written: str) -> None:
    found = mailbox(written)
    assert found is not None
    assert found.key == "taro.mihon@mihon.example"


def test_mail_goes_to_the_tagged_address_as_it_was_given() -> None:
    found = mailbox("A.B+Seminar@gmail.com")  # shorter than any name that Gmail gives
    assert found is not None
    assert (found.address, found.key) == ("a.b+seminar@gmail.com", "ab@gmail.com")


@pytest.mark.parametrize(
    ("written", "is_role"),
    [
        ("info@mihon.example", True), ("sales-tokyo@mihon.example", True), ("qa-team@mihon.example", True),
        ("info2@mihon.example", True),
        ("taro@mihon.example", False), ("infield@mihon.example", False),
    ],
)  # fmt: skip
def test_a_mailbox_that_several_people_read_is_recognised(written: str, is_role: bool) -> None:
    found = mailbox(written)
    assert found is not None
    assert found.is_role is is_role


def test_the_domain_is_the_one_that_somebody_registered() -> None:
    found = mailbox("taro@mail.example.co.jp")
    assert found is not None
    assert (found.domain, found.is_freemail) == ("example.co.jp", False)


@pytest.mark.parametrize("address", ["a..b@docomo.ne.jp", ".taro@ezweb.ne.jp", "taro.@docomo.ne.jp"])
def test_an_old_carrier_address_is_known_and_unmailable(address: str) -> None:
    found = mailbox(address)
    assert found is not None
    assert found.unmailable


@pytest.mark.parametrize(
    "written", ["", "なし", "none@none.example", "test@test.example", "taro@", "@mihon.example", "a b@c.example"]
)
def test_what_names_no_mailbox_is_none(written: str) -> None:
    assert mailbox(written) is None


@pytest.mark.parametrize(
    ("last", "first", "full"),
    [
        ("高崎", "斎", ""), ("髙﨑", "齋", ""), ("", "", "髙﨑　齊"), ("", "", "高崎斉"), ("", "", "高崎 斎様"),
        ("高崎斎", "", ""),
    ],
)  # fmt: skip
def test_a_japanese_name_has_one_key_over_kanji_variants_and_columns(last: str, first: str, full: str) -> None:
    name = read_name(last, first, full)
    assert name is not None
    assert name.key == "高崎斎"


def test_display_keeps_the_variants() -> None:
    name = read_name("髙﨑", "齋", "")
    assert name is not None
    assert (name.full, name.last, name.first) == ("髙﨑 齋", "髙﨑", "齋")
    assert texts.tidy("㈱髙﨑　商店") == "㈱髙﨑 商店"


@pytest.mark.parametrize(
    ("last", "first", "full"),
    [
        ("Mihon", "Taro", ""),
        ("Taro", "Mihon", ""),
        ("", "", "TARO MIHON"),
        ("", "", "Mihon, Taro"),
        ("Taro Mihon", "", ""),
    ],
)
def test_a_latin_name_has_one_key_in_either_order(last: str, first: str, full: str) -> None:
    name = read_name(last, first, full)
    assert name is not None
    assert name.key == "mihontaro"


def test_a_name_without_a_gap_is_not_split_by_a_guess() -> None:
    name = read_name("", "", "酒井久仁弘")
    assert name is not None
    assert (name.full, name.last, name.first) == ("酒井久仁弘", "", "")


@pytest.mark.parametrize("written", ["-", "なし", "test", "テスト", "不明", "　"])
def test_a_placeholder_is_no_name(written: str) -> None:
    assert read_name("", "", written) is None


def test_readings_are_one_in_every_kana() -> None:
    assert {kana_key(text) for text in ("サトウ ソウヤ", "さとう　そうや", "ｻﾄｳ ｿｳﾔ", "サトウソウヤ")} == {
        "サトウソウヤ"
    }


@pytest.mark.parametrize(
    ("postal", "address", "region"),
    [
        ("100-0000", "", "kanto"), ("4600000", "", "chubu"), ("", "大阪府大阪市北区", "kansai"),
        ("", "1-1 Umeda, Kita-ku, Osaka", "kansai"),
        ("〒812-0000", "", "kyushu"), ("", "", None), ("000", "", None),
    ],
)  # fmt: skip
def test_a_place_has_its_region(postal: str, address: str, region: str | None) -> None:
    assert region_of(postal, address) == region


def test_a_postal_code_has_one_form() -> None:
    assert {postal_code(text) for text in ("1000001", "100-0001", "〒１００－０００１")} == {"100-0001"}


@pytest.mark.parametrize(
    ("title", "level"),
    [
        ("部長", "director"), ("部長代理", "manager"), ("課長", "manager"), ("主任", "staff"),
        ("取締役 営業部長", "executive"),
        ("代表取締役社長", "executive"), ("社長室 課長", "manager"), ("General Manager", "director"),
        ("IT Manager", "manager"),
        ("President & CEO", "executive"), ("Ｄｉｒｅｃｔｏｒ", "director"), ("占い師", None),
    ],
)  # fmt: skip
def test_a_title_has_its_level(title: str, level: str | None) -> None:
    assert WORDS.title_levels.find(title) == level


@pytest.mark.parametrize(
    ("department", "function"),
    [
        ("情報システム部", "it"), ("製造本部 情報システム部", "it"), ("DX推進室", "it"), ("IT", "it"),
        ("総務部", "general_affairs"),
        ("第一営業部", "sales"), ("Sales Dept. 1", "sales"), ("人事部", "hr"), ("R&D", "research"),
        ("Quality Unit", "quality"),
        ("ひみつ基地", None),
    ],
)  # fmt: skip
def test_a_department_has_its_function(department: str, function: str | None) -> None:
    assert WORDS.department_functions.find(department) == function


@pytest.mark.parametrize(
    ("word", "industry"),
    [("製造業", "manufacturing"), ("物流・運輸", "logistics"), ("卸売・小売", "wholesale"), ("?", None)],
)
def test_an_industry_has_its_word(word: str, industry: str | None) -> None:
    assert WORDS.industry_words.find(word) == industry


def test_folding_twice_changes_nothing() -> None:
    for text in ("㈱髙﨑商店", "ﾀﾅｶ たろう", "Ｍｉｈｏｎ–Ｓｙｓｔｅｍｓ", "齊藤 邉邊 𠮷田"):
        assert texts.fold(texts.fold(text)) == texts.fold(text)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("令和8年1月4日", "2026-01-03T15:00:00+00:00"),
        ("令和元年5月1日", "2019-04-30T15:00:00+00:00"),
        ("R8.1.4", "2026-01-03T15:00:00+00:00"),
        ("h31/4/30 17:30", "2019-04-30T08:30:00+00:00"),
        ("20260104", "2026-01-03T15:00:00+00:00"),
        ("２０２６年１月４日", "2026-01-03T15:00:00+00:00"),
        ("2026/1/4 09:05:06", "2026-01-04T00:05:06+00:00"),
        ("2026-01-04T00:00:00Z", "2026-01-04T00:00:00+00:00"),
    ],
)
def test_a_date_is_read_as_japan_writes_it(written: str, moment: str):
    assert read_moment(written, ZoneInfo("Asia/Tokyo")) == moment


@pytest.mark.parametrize("written", ["2026-13-45", "令和8年13月1日", "X8.1.4", "", "46026"])
def test_what_is_no_date_is_refused(written: str):
    with pytest.raises(ValueError, match=r"Invalid isoformat|must be in"):
        read_moment(written, ZoneInfo("Asia/Tokyo"))
