"""Traps that sets of lead files hold: what looks like one person and is two, what looks like two and is one."""

from collections import Counter
from typing import Any

import pytest
from test_matching import name, people, rows

from nurture.matching.blocks import blocks_of
from nurture.matching.clusters import is_near
from nurture.matching.names import Agreement, compare
from nurture.matching.people import decide, learn_from
from nurture.matching.rarity import Rarity
from nurture.matching.readings import Readings
from nurture.normalise.names import read_name
from nurture.normalise.texts import fold

COMPANY: dict[str, Any] = {"company": "株式会社見本工業", "phone": "+81300001110"}


@pytest.mark.parametrize(
    "written",
    ["安藤 優恵【欠席】", "安藤 優恵(旧姓:木村)", "安藤 優恵（営業部）様", "部長 安藤 優恵",
     "安藤 優恵 課長", "安藤 優恵／アンドウ ユエ",
     "*安藤 優恵", "安藤 優恵 他1名", "安藤 優恵 (Yue Ando)"],
)  # fmt: skip
def test_what_a_list_puts_beside_a_name_is_no_part_of_it(written: str) -> None:
    found = read_name("", "", written)
    assert found is not None
    assert (found.last, found.first) == ("安藤", "優恵")


@pytest.mark.parametrize("written", ["長 太郎", "役所 広司", "田中 任", "担 当太"])
def test_a_name_that_contains_a_post_stays(written: str) -> None:
    found = read_name("", "", written)
    assert found is not None
    assert f"{found.last} {found.first}" == written


def test_a_variation_selector_or_a_space_without_width_makes_no_other_name() -> None:
    assert fold("辻\U000e0100 信平") == fold("辻 信平")
    assert fold("塚本\u200b 早織\ufeff") == fold("塚本 早織")


def test_a_surname_alone_says_nothing_of_who_it_is() -> None:
    assert compare(name("桑原"), name("桑原"), Readings()) == Agreement.UNKNOWN
    assert compare(name("Kuwabara"), name("Kuwabara"), Readings()) == Agreement.UNKNOWN
    assert compare(name("林修"), name("林修"), Readings([("last", "林", "hayasi", 9)])) == Agreement.SAME


def test_a_surname_alone_at_the_switchboard_is_nobody_known() -> None:
    found = people(
        {**COMPANY, "name": "桑原 香織", "email": "kuwabara@mihon.example"},
        {**COMPANY, "name": "桑原", "email": "kuwabara@mihon.example"},
        {**COMPANY, "name": "桑原"},
    )
    assert found == [[1, 2], [3]]


@pytest.mark.parametrize(
    ("kanji", "spoken"),
    [("金 敏洙", "キム ミンス"), ("金 敏洙", "Kim Minsu"), ("張 敏", "チャン・ミン"), ("趙 麗華", "Lihua Zhao"),
     ("崔 賢宇", "Choi Hyun-woo")],
)  # fmt: skip
def test_a_name_from_abroad_is_known_on_a_mailbox_by_its_surname(kanji: str, spoken: str) -> None:
    assert compare(name(kanji), name(spoken), Readings()) > Agreement.UNKNOWN
    assert people(
        {"name": kanji, "email": "m.k@mihon.example"}, {"name": spoken, "email": "m.k@mihon.example"}
    ) == [[1, 2]]  # fmt: skip


def test_a_surname_from_abroad_joins_nobody_without_a_key() -> None:
    assert people({**COMPANY, "name": "金 敏洙"}, {**COMPANY, "name": "Kim Minsu"}) == [[1], [2]]


def test_a_successor_in_kana_is_the_one_whose_surname_is_read_so() -> None:
    shown = [{"name": "小田 次郎", "kana": "オダ ジロウ", "email": "oda@other.example", "company": "他社"}]
    old = "yoshiya.minami@mihon.example"
    found = people(
        *shown,
        {"name": "南 義也", "email": old},
        {"name": "小田 浩人", "email": old},
        {"name": "オダ ヒロト", "email": old},
    )
    assert found == [[1], [2], [3, 4]]


def test_another_number_in_a_domain_is_no_slip_of_the_keys() -> None:
    assert not is_near("sato@daiichi56.example", "sato@daiichi64.example")
    assert is_near("sato@daiichi.example", "sato@daichi.example")


def test_one_local_part_at_two_companies_of_near_domains_is_two_people() -> None:
    def of(domain: str) -> list[dict[str, Any]]:
        told = [("佐藤 健一", "sato"), ("木村 修", "kimura"), ("森 香", "mori")]
        return [{"name": full, "email": f"{local}@{domain}", "company": domain} for full, local in told]

    made = rows(*of("abc-foods.example"), *of("abd-foods.example"))
    sizes = Counter(row.account for row in made)
    readings, rarity = Readings(), Rarity()
    rarity.know_sizes(sizes.items())
    learn_from(made, readings, rarity)
    assert len(decide(made, readings, rarity, blocks_of(made, readings)).people) == 6
