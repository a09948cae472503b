"""Accounts: two are one when evidence joins them later, the older stays, and namesakes stay apart."""

import sqlalchemy as sa
from builders import DAY, NOON, insert, rows, value
from consolidating import others, owner

from nurture.consolidate import consolidate
from nurture.definitions.model import hash_of

NUMBER = "1010001000001"


def of_company(conn: sa.Connection, day: int, name: str, company: str, domain: str = "", number: str = "") -> int:
    """Land and consolidate a record of somebody at a company; return it."""
    keys = {"name": name.replace(" ", ""), "company": company, "domain": domain, "corporate_number": number}
    fields = {"name": name, "company": company, "corporate_number": number}
    if domain:
        keys["email"] = fields["email"] = f"{hash_of([name])[:8]}@{domain}"
    made = insert(
        conn, "source_records", source_key=f"{day} {name}", content_hash=hash_of([day, name]),
        fields={field: said for field, said in fields.items() if said},
        keys={kind: said for kind, said in keys.items() if said}, occurred_at=NOON + (day - 1) * DAY,
    )  # fmt: skip
    consolidate(conn, NOON + day * DAY)
    return made.record_id


def account(conn: sa.Connection, record: int) -> int:
    return value(conn, "select account_id from leads where lead_id = %(lead)s", lead=owner(conn, record))


def test_a_number_and_a_domain_that_come_later_join_a_company_known_by_name(conn: sa.Connection):
    first = of_company(conn, 1, "山田 太郎", "見本商事", number=NUMBER)
    known = account(conn, first)
    second = of_company(conn, 2, "佐藤 花子", "mihon", domain="mihon.example")
    assert account(conn, second) != known
    third = of_company(conn, 3, "鈴木 一郎", "mihon", domain="mihon.example", number=NUMBER)
    assert {account(conn, each) for each in (first, second, third)} == {known}
    current = "select account_id, domain, corporate_number from accounts where merged_into is null"
    assert rows(conn, current) == [(known, "mihon.example", NUMBER)]
    assert account(conn, of_company(conn, 4, "高橋 次郎", "mihon", domain="mihon.example")) == known
    assert account(conn, of_company(conn, 5, "田中 三郎", "見本商事")) == known


def test_a_name_whose_one_domain_comes_later_is_that_company_s(conn: sa.Connection):
    first = of_company(conn, 1, "山田 太郎", "見本商事")
    second = of_company(conn, 2, "佐藤 花子", "見本商事", domain="mihon.example")
    assert account(conn, first) == account(conn, second)


def test_a_name_that_two_companies_bear_joins_neither(conn: sa.Connection):
    first = of_company(conn, 1, "山田 太郎", "見本商事", domain="mihon.example")
    second = of_company(conn, 2, "佐藤 花子", "見本商事", domain="mihon-osaka.example")
    third = of_company(conn, 3, "鈴木 一郎", "見本商事")
    of_company(conn, 4, "高橋 次郎", "見本商事", domain="mihon.example")
    assert len({account(conn, each) for each in (first, second, third)}) == 3


def test_two_numbers_are_two_companies_whatever_their_name(conn: sa.Connection):
    first = of_company(conn, 1, "山田 太郎", "見本商事", number=NUMBER)
    second = of_company(conn, 2, "佐藤 花子", "見本商事", domain="mihon.example", number="2010001000002")
    assert account(conn, first) != account(conn, second)


def test_one_record_that_names_another_company_does_not_join_the_two(conn: sa.Connection):
    first = of_company(conn, 1, "山田 太郎", "見本商事")
    for day in range(2, 10):
        of_company(conn, day, f"社員 {day}郎", "青空物流", domain="aozora.example")
    of_company(conn, 10, "佐藤 花子", "見本商事", domain="aozora.example")
    assert value(conn, "select count(*) from accounts where merged_into is null") == 2
    assert account(conn, first) != account(conn, of_company(conn, 11, "鈴木 一郎", "青空物流"))


def test_whom_a_joined_company_makes_alike_is_judged_again(conn: sa.Connection):
    others(conn)
    first = of_company(conn, 1, "山田 太郎", "mihon trading")
    second = of_company(conn, 2, "山田 太郎", "見本商事", domain="mihon.example")
    assert owner(conn, first) != owner(conn, second)
    of_company(conn, 3, "佐藤 花子", "mihon trading", domain="mihon.example")
    assert account(conn, first) == account(conn, second)
    assert owner(conn, first) == owner(conn, second)


def test_a_reps_mailbox_on_many_companies_cards_makes_none_of_them_the_reps(conn: sa.Connection):
    people = [("山田 太郎", "見本商事"), ("佐藤 花子", "青空物流"), ("鈴木 一郎", "みなと製作所")]
    cards = [
        insert(
            conn, "source_records", source_key=f"{domain} {name}", content_hash=hash_of([domain, name]),
            fields={"name": name, "company": company, "email": f"{mailbox}@{domain}"},
            keys={
                "name": name.replace(" ", ""), "company": company, "domain": domain, "email": f"{mailbox}@{domain}",
            },
        ).record_id
        for name, company, mailbox, domain in (
            *((*person, "rep1", "ours.example") for person in people),
            (*people[0], "taro", "mihon.example"),
            ("田中 三郎", "当社", "tanaka", "ours.example"),
        )
    ]  # fmt: skip
    consolidate(conn, NOON)
    key = "select account_key from accounts where account_id = %(account)s"
    known = [value(conn, key, account=account(conn, card)) for card in cards]
    names = ["domain:mihon.example", "company:青空物流", "company:みなと製作所", "domain:mihon.example"]
    assert known == [*names, "domain:ours.example"]
