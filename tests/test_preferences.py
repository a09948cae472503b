"""Preferences: the page shows what is refused, a button of it counts at once, and a reply that says no counts the same.

Over real HTTP, with the samples' own product, as a person's browser and a mail client would.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from arriving import take
from builders import DAY, LINKS, NOON, Provider, address_of, company, insert, lead, message, product, rows, value
from loopback import serving

from nurture import dispatch, preferences, receiver, refusals, tokens
from nurture.inbound_mail import refuses

PRODUCT = "cloud_backup"
BACKUP = product(PRODUCT)
OPT_OUTS = "select product, mail_type, how, ended_at is null from opt_outs order by opt_out_id"
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def http(dsn: str) -> Iterator[httpx.Client]:
    with (
        serving(receiver.create_app(dsn, token_key=LINKS.token_key)) as url,
        httpx.Client(base_url=url, trust_env=False) as client,
    ):
        yield client


@pytest.fixture
def yamada(conn: sa.Connection) -> int:
    return lead(conn, "yamada@lead.example")


@pytest.fixture
def link(conn: sa.Connection, yamada: int) -> str:
    """The link of a case study that Yamada got."""
    made = message(conn, yamada, product=PRODUCT, mail_type="case_study", status="accepted")
    conn.commit()
    return f"/u/{tokens.sign(LINKS.token_key, made)}"


def switches(page: httpx.Response) -> dict[str, bool]:
    """Return the page's switches: whether each mail type is received."""
    found = re.findall(r'name="shown\.(\w+)" value="(\w+)">', page.text)
    return {mail_type: shown == "received" for mail_type, shown in found}


def saved(http: httpx.Client, link: str, shown: dict[str, bool], **changed: bool) -> httpx.Response:
    """Post the form of the switches as a browser does, with some of them turned."""
    form = {"confirmed": "yes", "scope": "mail_types"}
    form |= {f"shown.{kind}": "received" if is_on else "refused" for kind, is_on in shown.items()}
    return http.post(link, data=form | {f"receive.{kind}": "yes" for kind, on in {**shown, **changed}.items() if on})


def pressed(http: httpx.Client, link: str, scope: str, act: str = "refuse") -> httpx.Response:
    return http.post(link, data={"confirmed": "yes", "scope": scope, "act": act})


def due(conn: sa.Connection, lead_id: int, *mail_types: str) -> dict[str, str]:
    """Plan a mail of each mail type, send what is due, and return what became of each."""
    for mail_type in mail_types:
        message(conn, lead_id, product=PRODUCT, occasion=f"plan/{mail_type}", mail_type=mail_type)
    conn.commit()
    dispatch.send_due(conn, BACKUP, company(), NOON, NOON, Provider(), LINKS)
    found = rows(
        conn, "select mail_type, coalesce(ended_reason, status) from messages where occasion = 'plan/' || mail_type"
    )
    conn.exec_driver_sql("update messages set occasion = 'done/' || message_id where occasion = 'plan/' || mail_type")
    conn.commit()
    return dict(found)  # pyright: ignore[reportArgumentType]


def test_n10_the_page_shows_the_products_mail_types_in_both_languages_and_changes_nothing(
    conn: sa.Connection, http: httpx.Client, link: str
):
    page = http.get(link)
    assert page.status_code == 200
    assert 'lang="ja"' in page.text
    assert "クラウドバックアップ" in page.text
    assert "導入事例" in page.text
    english = http.get(link, headers=ENGLISH).text
    assert 'html lang="en"' in english
    assert "Case studies" in english
    assert 'html lang="en"' in http.get(f"{link}?lang=en", headers={"Accept-Language": "ja"}).text
    assert 'html lang="ja"' in http.get(f"{link}?lang=ja", headers=ENGLISH).text
    assert set(switches(page)) >= {"case_study", "know_how", "event"}
    assert all(switches(page).values())
    assert value(conn, "select count(*) from raw_events") == 0


def test_n9_the_page_shows_no_more_of_the_address_than_its_owner_needs(http: httpx.Client, link: str):
    page = http.get(link).text
    assert "y***@lead.example" in page
    assert "yamada" not in page
    assert "山田" not in page


def test_every_mail_type_has_its_words():
    assert set(preferences.MAIL_TYPES) == set(preferences.MailType.__args__)


def test_a_single_mail_type_is_refused_at_once_for_mails_already_planned(
    conn: sa.Connection, http: httpx.Client, link: str, yamada: int
):
    message(conn, yamada, product=PRODUCT, occasion="plan/event", mail_type="event")
    message(conn, yamada, product=PRODUCT, occasion="plan/case_study", mail_type="case_study")
    conn.commit()
    page = saved(http, link, switches(http.get(link)), event=False)
    assert page.status_code == 200
    assert switches(page) == {**switches(page), "event": False, "case_study": True}
    assert value(conn, "select count(*) from raw_events where taken_at is not null") == 0
    assert due(conn, yamada) == {"event": "opted out just now", "case_study": "accepted"}


def test_n13_a_refused_cell_is_allowed_again_by_its_own_later_act_with_its_evidence(
    conn: sa.Connection, http: httpx.Client, link: str, yamada: int
):
    saved(http, link, switches(http.get(link)), event=False, know_how=False)
    take(conn)
    assert due(conn, yamada, "event") == {"event": f"opted out of {PRODUCT} × event"}
    page = saved(http, link, switches(http.get(link)), event=True)
    assert switches(page)["event"]
    assert due(conn, yamada, "event", "know_how") == {
        "event": "accepted", "know_how": f"opted out of {PRODUCT} × know_how",
    }  # fmt: skip
    take(conn)
    assert sorted(rows(conn, OPT_OUTS)) == [(PRODUCT, "event", "page", False), (PRODUCT, "know_how", "page", True)]
    newest = value(conn, "select max(raw_event_id) from raw_events")
    assert rows(conn, "select ended_evidence from opt_outs where ended_at is not null") == [
        (f"raw event {newest}, on the preference page",)
    ]
    assert due(conn, yamada, "event") == {"event": "accepted"}


def test_acts_that_one_intake_takes_in_count_in_their_order(conn: sa.Connection, http: httpx.Client, link: str):
    for act in ("refuse", "allow", "refuse", "allow", "refuse"):
        pressed(http, link, "product", act)
    take(conn)
    assert [is_open for *_, is_open in rows(conn, OPT_OUTS)].count(True) == 1
    pressed(http, link, "product", "allow")
    pressed(http, link, "product", "refuse")
    pressed(http, link, "product", "allow")
    take(conn)
    assert True not in [is_open for *_, is_open in rows(conn, OPT_OUTS)]


@pytest.mark.parametrize(("scope", "cell"), [("product", (PRODUCT, "*")), ("everything", ("*", "*"))])
def test_the_whole_product_and_everything_are_stopped_and_resumed_by_one_button(
    conn: sa.Connection, http: httpx.Client, link: str, yamada: int, scope: str, cell: tuple[str, str]
):
    page = pressed(http, link, scope)
    assert switches(page) == {}
    assert due(conn, yamada, "event") == {"event": "opted out just now"}
    take(conn)
    assert rows(conn, OPT_OUTS) == [(*cell, "page", True)]
    assert "allow" in http.get(link).text
    assert switches(pressed(http, link, scope, "allow"))["event"]
    take(conn)
    assert rows(conn, OPT_OUTS) == [(*cell, "page", False)]
    assert due(conn, yamada, "event") == {"event": "accepted"}


def test_a_page_that_lay_open_ends_no_refusal_that_came_meanwhile(
    conn: sa.Connection, http: httpx.Client, link: str, yamada: int
):
    shown = switches(http.get(link))
    insert(
        conn, "opt_outs", lead_id=yamada, address_id=address_of(conn, yamada), product=PRODUCT, mail_type="event",
        how="rep",
    )  # fmt: skip
    conn.commit()
    page = saved(http, link, shown, know_how=False)
    assert (switches(page)["event"], switches(page)["know_how"]) == (False, False)
    take(conn)
    assert (PRODUCT, "event", "rep", True) in rows(conn, OPT_OUTS)


def test_n13_a_complaint_is_ended_by_no_button(conn: sa.Connection, http: httpx.Client, link: str, yamada: int):
    mailbox = address_of(conn, yamada)
    insert(conn, "opt_outs", lead_id=yamada, address_id=mailbox, how="complaint")
    insert(conn, "suppressions", address_id=mailbox, reason="complained")
    conn.commit()
    assert "<button" not in http.get(link).text
    pressed(http, link, "everything", "allow")
    take(conn)
    assert rows(conn, OPT_OUTS) == [("*", "*", "complaint", True)]
    assert due(conn, yamada, "event") == {"event": "suppressed: complained"}


def test_after_the_provider_was_told_a_mail_waits_until_it_is_told_again(
    conn: sa.Connection, http: httpx.Client, link: str, yamada: int
):
    pressed(http, link, "everything")
    take(conn)
    told: list[str] = []
    assert refusals.tell(conn, NOON, told.extend, told.append)["refusals"] == 1
    listed = [{"email": "yamada@lead.example", "created": 1_794_000_000}]
    refusals.reconcile(conn, NOON, lambda kind, _: listed if kind == "unsubscribes" else [])
    pressed(http, link, "everything", "allow")
    assert due(conn, yamada, "event") == {"event": "opted out of * × *"}
    take(conn)
    assert due(conn, yamada, "event") == {"event": "opted out of * × *"}
    assert refusals.tell(conn, NOON + DAY, told.extend, told.append) == {"refusals": 0, "taken_back": 1}
    assert told == ["yamada@lead.example"] * 2
    assert due(conn, yamada, "event") == {"event": "accepted"}
    assert refusals.tell(conn, NOON + DAY, told.extend, told.append) == {"refusals": 0, "taken_back": 0}


def test_a_message_that_a_restored_database_does_not_know_can_still_refuse(conn: sa.Connection, http: httpx.Client):
    link = f"/u/{tokens.sign(LINKS.token_key, 4_711)}"
    page = http.get(link)
    assert page.status_code == 200
    assert page.text.count("<button") == 3
    assert pressed(http, link, "everything").status_code == 200
    assert rows(conn, "select payload ->> 'message_id', payload ->> 'scope' from raw_events") == [
        ("4711", "everything")
    ]


@pytest.mark.parametrize(
    "form",
    [
        {"scope": "everything"},
        {"confirmed": "yes", "scope": "the world"},
        {"confirmed": "yes", "scope": "product", "act": "sell"},
    ],
)
def test_what_is_no_form_of_the_page_changes_nothing(
    conn: sa.Connection, http: httpx.Client, link: str, form: dict[str, str]
):
    page = http.post(link, data=form)
    assert page.status_code == 400
    assert "何も変更されていません" in page.text
    assert value(conn, "select count(*) from raw_events") == 0


def test_the_token_of_nobody_says_that_one_click_works_and_refuses_nobody(conn: sa.Connection, http: httpx.Client):
    link = f"/u/{tokens.sign(LINKS.token_key, tokens.NOBODY)}"
    assert http.post(link, data={"List-Unsubscribe": "One-Click"}).json() == {"status": "ok"}
    assert http.get(link).status_code == 404
    assert value(conn, "select count(*) from raw_events") == 0


# Replies.

QUOTED = "\n\n2026年11月16日(月) 12:00 サンプル <news@mail.example>:\n> 配信停止: https://mail.example/u/abc\n"
REPLIES = {
    "配信停止を希望します。": True,
    "今後のメールは不要です": True,
    "お世話になっております。\nリストから\n外していただけますか。": True,
    "このようなメールは送らないでください。": True,
    "Please unsubscribe me.": True,
    "Stop": True,
    "Kindly remove me from your list": True,
    "見積をお願いします。": False,
    "配信ありがとうございます。資料を送ってください。": False,
    "We stop by your office on Monday.": False,
    "Sounds good, let us talk.": False,
    "": False,
}


@pytest.mark.parametrize("text", REPLIES)
def test_a_reply_refuses_by_its_own_words_and_not_by_what_it_quotes(text: str):
    assert refuses("Re: 事例のご紹介", text + QUOTED) is REPLIES[text]
    outlook = "\n\n-----Original Message-----\nFrom: サンプル\n\nメールの配信を停止する\nhttps://mail.example/u/abc"
    assert refuses("RE: 事例のご紹介", text + outlook) is REPLIES[text]


def test_a_subject_of_ones_own_refuses_and_an_answers_subject_does_not():
    assert refuses("配信停止", "")
    assert refuses("unsubscribe", "")
    assert not refuses("Re: メールの配信停止について", "承知しました。")


def test_a_reply_that_refuses_counts_at_once_and_qualifies_nobody(
    conn: sa.Connection, http: httpx.Client, link: str, yamada: int
):
    form = {"from": "山田 <Yamada@lead.example>", "subject": "Re: 事例", "text": f"配信停止してください。{QUOTED}"}
    assert http.post("/webhooks/sendgrid/inbound", data=form).status_code == 204
    assert due(conn, yamada, "event") == {"event": "opted out just now"}
    assert "allow" in http.get(link).text
    take(conn)
    assert rows(conn, OPT_OUTS) == [("*", "*", "reply", True)]
    assert rows(conn, "select type from events") == [("unsubscribed",)]
    assert due(conn, yamada, "event") == {"event": "opted out of * × *"}


def test_a_reply_can_not_say_of_itself_that_it_refuses(conn: sa.Connection, http: httpx.Client, yamada: int):
    form: dict[str, Any] = {"from": "yamada@lead.example", "text": "見積をお願いします。", "is_refusal": "true"}
    http.post("/webhooks/sendgrid/inbound", data=form)
    [(kept,)] = rows(conn, "select payload from raw_events")
    assert json.loads(json.dumps(kept))["is_refusal"] is False
