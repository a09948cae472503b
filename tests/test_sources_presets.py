"""Presets: the exports of well-known services land as they are, and who refused there is not mailed."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from landing_files import AS_OF, records, write

from nurture.definitions.load import load_sources
from nurture.definitions.problems import BrokenDefinition
from nurture.definitions.sources import SourceDefinition
from nurture.problem import Problem
from nurture.sources import land


def preset(folder: Path, name: str, more: str = "") -> SourceDefinition:
    sources = folder / "include" / "sources"
    sources.mkdir(parents=True, exist_ok=True)
    (sources / "ours.yaml").write_text(
        f"source: ours\nname: 名簿\npreset: {name}\nfiles: ours*.csv\n{more}", encoding="utf-8"
    )
    return load_sources(sources.parent)["ours"]


SALESFORCE_API = (
    "Id,LastName,FirstName,Account.Name,Title,Email,Phone,MobilePhone,HasOptedOutOfEmail,LastModifiedDate\n"
    "003A,見本,太郎,㈱みほん,部長,taro@mihon.example,03-0123-4567,090-0123-9876,{refused},2026-11-02T10:00:00.000Z\n"
)
SALESFORCE_REPORT = (
    "取引先責任者 ID,姓,名,取引先名,役職,メール,電話,携帯,メール送信除外\n"
    "003A,見本,太郎,㈱みほん,部長,taro@mihon.example,03-0123-4567,090-0123-9876,{refused}\n"
)
HUBSPOT = (
    "Record ID,First Name,Last Name,Email,Phone Number,Mobile phone number,Job Title,Company name,Lifecycle Stage,"
    "Contact owner,Unsubscribed from all email\n"
    "901,太郎,見本,taro@mihon.example,03-0123-4567,090-0123-9876,部長,㈱みほん,Customer,鈴木,{refused}\n"
)
HUBSPOT_INTERNAL = (
    "hs_object_id,firstname,lastname,email,phone,mobilephone,jobtitle,company,hs_email_optout\n"
    "901,太郎,見本,taro@mihon.example,03-0123-4567,090-0123-9876,部長,㈱みほん,{refused}\n"
)
SANSAN = (
    "名刺ID,会社名,部署名,役職,氏名[姓],氏名[名],e-mail,TEL会社,携帯電話,名刺交換日,配信拒否\n"
    "C1,㈱みほん,営業部,部長,見本,太郎,taro@mihon.example,03-0123-4567,090-0123-9876,2026/11/02,{refused}\n"
)
SANSAN_NEWER = (
    "会社名,部署名,役職,氏名,e-mail(1),TEL(1),携帯電話,名刺交換日,名刺ID,配信拒否\n"
    "㈱みほん,営業部,部長,見本 太郎,taro@mihon.example,03-0123-4567,090-0123-9876,2026/11/02,C1,{refused}\n"
)
EIGHT = (
    "Eightで生成された名刺リストです。\n合計 1 件\n\n"
    "会社名,部署名,役職,氏名,e-mail,郵便番号,住所,TEL会社,TEL部門,TEL直通,Fax,携帯電話,URL,名刺交換日,"
    "Eightでつながっている人,再データ化中の名刺,'?'を含んだデータ\n"
    "㈱みほん,営業部,部長,見本 太郎,taro@mihon.example,,,03-0123-4567,,,,090-0123-9876,,2026/11/02,1,,\n"
)
REFUSAL = "opt_out: {when: {column: 配信拒否, is: 1}}\n"


@pytest.mark.parametrize(
    ("name", "more", "text"),
    [
        ("salesforce", "", SALESFORCE_API), ("salesforce", "", SALESFORCE_REPORT), ("hubspot", "", HUBSPOT),
        ("hubspot", "", HUBSPOT_INTERNAL), ("sansan", REFUSAL, SANSAN), ("sansan", REFUSAL, SANSAN_NEWER),
        ("eight", "", EIGHT),
    ],
)  # fmt: skip
def test_an_export_lands_as_it_is(conn: sa.Connection, tmp_path: Path, name: str, more: str, text: str) -> None:
    definition = preset(tmp_path, name, more)
    for number, refused in enumerate(("", "1")):
        path = write(tmp_path, text.format(refused=refused) + "\n" * number, f"ours{number}.csv")
        assert land(conn, definition, path, AS_OF).rejected == 0
    first, *others = records(conn)
    assert first.keys | {"crm_id": ""} == {
        "name": "見本太郎", "company": "ミホン", "email": "taro@mihon.example", "domain": "mihon.example",
        "mobile": "+819001239876", "phone": "+81301234567", "crm_id": "",
    }  # fmt: skip
    assert first.fields["title_level"] == "director"
    assert "opt_out" not in first.facts
    assert [("opt_out" in other.facts) for other in others] == ([True] if "{refused}" in text else [])


@pytest.mark.parametrize(
    ("name", "text", "column"),
    [
        ("salesforce", SALESFORCE_API.replace("HasOptedOutOfEmail", "Fax"), "HasOptedOutOfEmail"),
        ("hubspot", HUBSPOT.replace("Unsubscribed from all email", "Fax"), "Unsubscribed from all email"),
    ],
)
def test_an_export_that_does_not_say_who_refused_lands_nothing(
    conn: sa.Connection, tmp_path: Path, name: str, text: str, column: str
) -> None:
    with pytest.raises(Problem, match=f"lacks the column {column}"):
        land(conn, preset(tmp_path, name), write(tmp_path, text, "ours.csv"), AS_OF)


def test_what_a_source_says_itself_goes_before_its_preset(tmp_path: Path) -> None:
    found = preset(
        tmp_path,
        "hubspot",
        "precedence: 4\ncolumns: {comment: メモ, address: null}\nheadings: {メモ: Memo}\nkey: Email\n",
    )
    assert (found.precedence, found.key, found.channel) == (4, ["Email"], "crm")
    assert found.columns["comment"] == "メモ"
    assert "address" not in found.columns
    assert found.headings["メモ"] == ["Memo"]
    assert found.headings["Email"] == ["Eメール"]


def test_a_preset_that_is_none_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(BrokenDefinition, match=r"ours\.yaml:3: preset: .*'hubsopt': did you mean 'hubspot'\?"):
        preset(tmp_path, "hubsopt")
