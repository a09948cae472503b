"""Matching by itself: names across scripts, mailboxes and their successors, companies, and what is left in doubt."""

from typing import Any

import pytest

from nurture.matching import companies
from nurture.matching.blocks import blocks_of
from nurture.matching.candidates import Row, row_of
from nurture.matching.clusters import is_near
from nurture.matching.names import Agreement, Name, compare, read
from nurture.matching.people import Decision, decide, learn_from
from nurture.matching.rarity import Rarity
from nurture.matching.readings import Readings, canonical, romaji
from nurture.normalise.companies import company_key
from nurture.normalise.names import read_name


def name(full: str, kana: str = "") -> Name:
    found = read_name("", "", full)
    assert found is not None
    made = read(found.key, found.last, found.first, found.full, kana)
    assert made is not None
    return made


def rows(*told: dict[str, Any]) -> list[Row]:
    """Return rows as landing would have them; an address's domain is a company's unless it is freemail's."""
    made: list[Row] = []
    for number, said in enumerate(told, start=1):
        found = read_name("", "", said.get("name", ""))
        email = said.get("email", "")
        email = "" if said.get("is_role") else email
        made.append(
            row_of(
                number, f"s/{number}", None, None, found and found.key, found and found.last, found and found.first,
                found and found.full, said.get("kana"), said.get("crm_id"), email,
                "" if "freemail" in said.get("email", "") else said.get("email", "").partition("@")[2],
                said.get("mobile"), said.get("phone"), company_key(said.get("company", "")), said.get("number"),
                said.get("postal_code"),
            )
        )  # fmt: skip
    accounts, _ = companies.assign(made)
    return [row._replace(account=accounts.get(row.record_id, "")) for row in made]


def decided(*told: dict[str, Any], **given: Any) -> Decision:
    made, readings, rarity = rows(*told), Readings(), Rarity()
    learn_from(made, readings, rarity)
    return decide(made, readings, rarity, blocks_of(made, readings), **given)


def people(*told: dict[str, Any], **given: Any) -> list[list[int]]:
    return sorted(sorted(person.records) for person in decided(*told, **given).people)


@pytest.mark.parametrize(
    ("kana", "latin"),
    [("サトウ", "satoh"), ("ショウジ", "shoji"), ("シンボ", "shimbo"), ("ハットリ", "hattori"), ("オオツカ", "Otsuka"),
     ("ジュンイチ", "junichi"), ("マッチャ", "matcha"), ("リョウヘイ", "ryohei")],
)  # fmt: skip
def test_kana_and_its_spellings_are_one(kana: str, latin: str) -> None:
    assert canonical(romaji(kana)) == canonical(latin.lower())


@pytest.mark.parametrize(
    ("one", "two", "agreement"),
    [
        (name("田中 太郎"), name("田中太郎"), Agreement.SAME),
        (name("髙橋 櫻子"), name("高橋 桜子"), Agreement.SAME),
        (name("新村 治雄"), name("治雄 新村"), Agreement.SAME),
        (name("田中 太郎", "タナカ タロウ"), name("Taro Tanaka"), Agreement.SAME),
        (name("タナカ タロウ"), name("TANAKA TARO"), Agreement.SAME),
        (name("田中 太郎", "タナカ タロウ"), name("T. Tanaka"), Agreement.COMPATIBLE),
        (name("Kevin Griffin"), name("K. Griffin"), Agreement.COMPATIBLE),
        (name("James Flores"), name("Jim Flores"), Agreement.COMPATIBLE),
        (name("James Flores"), name("J. Flores"), Agreement.COMPATIBLE),
        (name("Penny Patel"), name("PENNY PACEL"), Agreement.SLIP),
        (name("田中 太郎"), name("Taro Tanaka"), Agreement.UNKNOWN),
        (name("田中"), name("田中 太郎"), Agreement.UNKNOWN),
        (name("田中 花子"), name("佐藤 花子"), Agreement.RENAMED),
        (name("田中 太郎"), name("田中 花子"), Agreement.CONFLICT),
        (name("田中 伊織"), name("田中 伊識"), Agreement.SLIP),
        (name("田中 一"), name("田中 二"), Agreement.CONFLICT),
        (name("田中 太郎", "タナカ タロウ"), name("Hanako Sato"), Agreement.CONFLICT),
        (name("Kevin Griffin"), name("Laura Griffin"), Agreement.CONFLICT),
    ],
)
def test_names_agree_as_a_person_would_say(one: Name, two: Name, agreement: Agreement) -> None:
    assert compare(one, two, Readings()) == compare(two, one, Readings()) == agreement


def test_kanji_are_read_as_the_data_read_them() -> None:
    readings = Readings([("last", "田中", "tanaka", 5), ("first", "太郎", "taro", 4)])
    assert compare(name("田中 太郎"), name("Taro Tanaka"), readings) == Agreement.SAME
    assert compare(name("田中 太郎"), name("Hanako Sato"), readings) == Agreement.CONFLICT


@pytest.mark.parametrize(
    ("one", "two", "near"),
    [("t.tanaka@acme.example", "t.tanka@acme.example", True), ("t.tanaka@acme.example", "t.tanaka@acmee.example", True),
     ("sato@acme.example", "kato@acme.example", False), ("t.tanaka@acme.example", "t.tanaka@other.example", False)],
)  # fmt: skip
def test_a_slip_of_the_keys_is_told_from_another_mailbox(one: str, two: str, near: bool) -> None:
    assert is_near(one, two) == near


def test_a_mailbox_given_to_a_successor_joins_nobody() -> None:
    mail = "tanaka@acme.example"
    assert people(
        {"name": "田中 太郎", "email": mail}, {"name": "田中太郎", "email": mail}, {"name": "佐藤 花子", "email": mail}
    ) == [[1, 2], [3]]
    reading = {"name": "Hanako Sato", "email": mail}
    assert people({"name": "田中 太郎", "email": mail}, reading, {"name": "田中 太郎", "email": mail}) == [[1, 3], [2]]


def test_a_key_with_several_names_is_shared_and_joins_nobody() -> None:
    told = [{"name": full, "mobile": "+819000000001"} for full in ("田中 太郎", "佐藤 花子", "鈴木 一郎", "田中 太郎")]
    found = decided(*told)
    assert len(found.people) == 4
    assert found.shared == {("mobile", "+819000000001")}


def test_a_company_is_one_fact_however_often_it_is_told() -> None:
    same = {"company": "株式会社見本", "phone": "+81300000000", "postal_code": "100-0001", "email": "info@acme.example"}
    assert (
        len(people({"name": "田中 太郎", **same, "is_role": True}, {"name": "佐藤 花子", **same, "is_role": True})) == 2
    )


def test_a_name_in_its_company_is_one_person_unless_there_are_two_desks() -> None:
    at_work = {"name": "田中 太郎", "company": "見本商事", "email": "tanaka@acme.example"}
    assert people(at_work, {"name": "田中 太郎", "company": "(株)見本商事"}) == [[1, 2]]
    assert people(at_work, {**at_work, "email": "taro2@acme.example"}) == [[1], [2]]
    unclear = {"name": "田中 太郎", "company": "見本商事"}
    assert people(at_work, {**at_work, "email": "taro2@acme.example"}, unclear) == [[1], [2], [3]]


def test_a_mobile_number_a_digit_away_is_a_slip_and_another_number_somebody_else() -> None:
    at_work = {"name": "外山 喜八", "company": "見本商事"}
    wrong = {**at_work, "mobile": "+819034472967"}
    assert people({**at_work, "mobile": "+819032472967"}, wrong) == [[1, 2]]
    assert people({**at_work, "mobile": "+819081150042"}, wrong) == [[1], [2]]


def test_who_is_only_read_alike_is_somebody_else() -> None:
    at_work = {"company": "見本商事", "kana": "サイトウ ユウスケ"}
    assert people({"name": "斉藤 裕介", **at_work}, {"name": "斎藤 勇介", **at_work}) == [[1], [2]]


def test_who_moved_is_known_by_the_mobile_number() -> None:
    before = {"name": "田中 太郎", "email": "tanaka@acme.example", "mobile": "+819000000001"}
    after = {"name": "タナカ タロウ", "kana": "タナカ タロウ", "email": "t@other.example", "mobile": "+819000000001"}
    assert people(before, after) == [[1, 2]]


def test_what_was_said_apart_stays_apart_and_is_not_asked_again() -> None:
    mail = {"name": "田中 太郎", "email": "tanaka@acme.example"}
    found = decided(mail, mail, apart=[(1, 2)], asked=[(1, 2)])
    assert len(found.people) == 2
    assert found.doubts == []


def test_a_new_surname_on_one_mailbox_is_a_question() -> None:
    mail = "hanako@acme.example"
    found = decided({"name": "田中 花子", "email": mail}, {"name": "佐藤 花子", "email": mail})
    assert len(found.people) == 2
    assert [(doubt.one, doubt.two) for doubt in found.doubts] == [(1, 2)]


def test_companies_of_one_name_stay_apart_and_freemail_is_none() -> None:
    tokyo = {"name": "a a", "company": "見本商事", "email": "a@one.example", "postal_code": "100-0001"}
    osaka = {"name": "b b", "company": "見本商事", "email": "b@two.example", "postal_code": "530-0001"}
    found = rows(tokyo, osaka, {**tokyo, "email": "c@freemail.example"}, {"name": "d d", "email": "d@freemail.example"})
    assert [row.account for row in found] == ["domain:one.example", "domain:two.example", "domain:one.example", ""]


def test_a_company_is_known_by_its_number_under_any_name() -> None:
    numbered = {"company": "見本商事", "email": "a@one.example", "number": "9000000000001"}
    found = rows({"name": "a a", **numbered}, {"name": "b b", "company": "ミホン", "number": "9000000000001"})
    assert {row.account for row in found} == {"domain:one.example"}
