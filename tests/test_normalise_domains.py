"""Domains: what looks mistyped is proposed, never applied, and makes no account."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from landing_files import AS_OF, CARDS, GOOD, HEADER, records, write
from typer.testing import CliRunner

from nurture.cli.main import app
from nurture.definitions.load import load_vocabulary
from nurture.normalise.domains import company_meant
from nurture.normalise.mailboxes import read_mailbox
from nurture.sources import land, misspelt

WORDS = load_vocabulary()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gmial.com", "gmail.com"), ("gmail.co", "gmail.com"), ("gmai.com", "gmail.com"), ("hmail.com", "gmail.com"),
        ("yahoo.co.jo", "yahoo.co.jp"), ("yaho.co.jp", "yahoo.co.jp"), ("yahoo.jp", "yahoo.co.jp"),
        ("ymail.co.jp", "ymail.ne.jp"), ("docomo.ne.jo", "docomo.ne.jp"), ("ezwebne.jp", "ezweb.ne.jp"),
        ("hotmial.com", "hotmail.com"), ("outlok.jp", "outlook.jp"), ("iclould.com", "icloud.com"),
    ],
)  # fmt: skip
def test_a_slip_of_a_freemail_domain_is_proposed_and_is_nobodys_company(typed: str, meant: str) -> None:
    found = read_mailbox(f"taro.m+x@{typed}", WORDS.role_mailboxes, WORDS.freemail)
    assert found is not None
    assert (found.address, found.proposed, found.is_freemail) == (f"taro.m+x@{typed}", f"taro.m+x@{meant}", True)


@pytest.mark.parametrize(
    "domain",
    [
        "gmail.com", "yahoo.fr", "softbank.co.jp", "nifty.co.jp", "biglobe.co.jp", "rakuten.co.jp", "fifty.com",
        "aol.jp", "all.com", "email.com", "mihon.example",
    ],
)  # fmt: skip
def test_a_domain_of_its_own_is_no_slip(domain: str) -> None:
    found = read_mailbox(f"taro@{domain}", WORDS.role_mailboxes, WORDS.freemail)
    assert found is not None
    assert found.proposed is None


def test_a_rare_domain_is_a_slip_of_a_frequent_one_of_the_same_company() -> None:
    counts = {"mihon.example": 40, "mihno.example": 1, "mihen.example": 2, "mihan.example": 9, "betsu.example": 1}
    companies = {"mihon.example": {"ミホン"}, "mihno.example": {"ミホン"}, "mihen.example": {"ミヘン"}}
    assert company_meant(counts, companies) == {"mihno.example": "mihon.example"}


def test_slips_are_kept_as_facts_and_listed_and_nothing_is_changed(
    conn: sa.Connection, dsn: str, tmp_path: Path
) -> None:
    people = "".join(GOOD.replace("C1", f"D{n}").replace("Taro", f"p{n}") for n in range(20))
    rows = [
        GOOD.replace("Taro@mihon.example", "taro@gmial.com"),
        GOOD.replace("C1", "C2").replace("mihon.example", "mihno.example"),
    ]  # fmt: skip
    land(conn, CARDS, write(tmp_path, HEADER + "".join(rows) + people), AS_OF)
    first = records(conn)[0]
    assert first.fields["email"] == first.keys["email"] == "taro@gmial.com"
    assert "domain" not in first.keys
    assert first.facts["proposed_email"] == "taro@gmail.com"
    assert [(slip.line, slip.address, slip.proposed) for slip in misspelt(conn)] == [
        (2, "taro@gmial.com", "taro@gmail.com"), (3, "taro@mihno.example", "taro@mihon.example"),
    ]  # fmt: skip
    listed = CliRunner().invoke(app, ["land", "--misspelt", "cards.csv"], env={"NURTURE_DSN": dsn})
    assert listed.output.splitlines() == [
        "cards.csv:2: C1: taro@gmial.com: taro@gmail.com?",
        "cards.csv:3: C2: taro@mihno.example: taro@mihon.example?",
        "2 look mistyped; nothing was changed.",
    ]


def test_a_corrected_row_is_listed_no_more(conn: sa.Connection, tmp_path: Path) -> None:
    wrong = HEADER + GOOD.replace("Taro@mihon.example", "taro@gmial.com")
    land(conn, CARDS, write(tmp_path, wrong), AS_OF)
    land(conn, CARDS, write(tmp_path, wrong.replace("gmial", "gmail")), AS_OF)
    assert misspelt(conn) == []


@pytest.mark.parametrize("address", ["a..b@docomo.ne.jp", ".taro@ezweb.ne.jp", "taro.@docomo.ne.jp"])
def test_an_old_carrier_address_lands_with_the_reason_why_no_mail_can_go_there(
    conn: sa.Connection, tmp_path: Path, address: str
) -> None:
    land(conn, CARDS, write(tmp_path, HEADER + GOOD.replace("Taro@mihon.example", address)), AS_OF)
    (record,) = records(conn)
    assert record.fields["email"] == address
    assert "SendGrid refuses it" in record.facts["unmailable"]
