"""The sandbox's people: plausible, the same for the same seed, on a clock that is set, and heard by the receiver."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from loopback import TRACKING_KEY, Sandbox, free_port, mail, sandbox, serving, until

from nurture import db, receiver, tokens
from nurture.sandbox import webhooks
from nurture.sandbox.people import PERSONAS, person
from nurture.sandbox.recipients import Act, Mail, page_of, plan
from nurture.stack.postgres import Postgres

TOKEN_KEY = b"token key of the tests"
MONDAY = "2026-09-07T09:00:00+09:00"
THREE_MONTHS_LATER = "2026-12-07T09:00:00+09:00"
LINKS = ((0, "https://www.example.co.jp/cases?utm_campaign=p"), (1, "https://www.example.co.jp/pricing"))
Payloads = Callable[[str], list[dict[str, Any]]]


def acts_of(seed: int, mailbox: str, **changed: Any) -> list[Act]:
    found = {
        "at": 1_788_740_000.0,
        "mailbox": mailbox,
        "subject": "事例",
        "product": "p",
        "links": lambda: LINKS,
        "refusal_address": "https://mail.example/u/t",
        **changed,
    }
    return plan(seed, Mail(**found), person(seed, mailbox))


def test_the_same_seed_gives_the_same_life_and_another_seed_another():
    addresses = [f"p{number}@c{number % 50}.example" for number in range(200)]
    first, again, other = ([acts_of(seed, address) for address in addresses] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_rates_are_those_of_business_mail_in_japan():
    lives = [acts_of(1, f"p{number}@c{number % 700}.example") for number in range(10_000)]

    def share(holds: Callable[[Act], bool]) -> float:
        return sum(any(holds(act) for act in life) for life in lives) / len(lives)

    def by_a_person(act: Act) -> bool:
        return act.detail.get("useragent", "").startswith("Mozilla/5.0 (") and "Scanner" not in act.detail["useragent"]

    assert 0.15 < share(lambda act: act.detail.get("event") == "open" and by_a_person(act)) < 0.28
    assert 0.02 < share(lambda act: act.detail.get("event") == "click" and by_a_person(act)) < 0.06
    assert 0.01 < share(lambda act: act.detail.get("type") == "bounce") < 0.025
    assert 0.001 < share(lambda act: act.detail.get("event") == "submitted") < 0.015
    assert 0 < share(lambda act: act.detail.get("event") == "spamreport") < 0.001
    assert 0 < share(lambda act: act.kind == "unsubscribe") < 0.005
    assert sum(habits.share for habits in PERSONAS.values()) == pytest.approx(1)


def test_a_scanner_follows_every_link_within_two_seconds_and_gets_the_unsubscribe_page():
    scanned = next(f"a@c{number}.example" for number in range(100) if person(1, f"a@c{number}.example").is_scanned)
    life = acts_of(1, scanned)
    delivered = next(act for act in life if act.detail.get("event") == "delivered")
    clicks = [act for act in life if "Scanner" in act.detail.get("useragent", "") and act.kind == "event"]
    assert [act.detail["url"] for act in clicks] == [address for _, address in LINKS]
    assert all(delivered.at < act.at <= delivered.at + 2 for act in clicks)
    assert [act.detail["url"] for act in life if act.kind == "scan"] == ["https://mail.example/u/t"]


def test_a_page_is_named_within_its_products_site():
    assert page_of("/cloud-backup/case/logistics", "cloud_backup") == "/case/logistics"
    assert page_of("/cloud_backup", "cloud_backup") == "/"
    assert page_of("/pricing", "cloud_backup") == "/pricing"
    assert page_of("", None) == "/"


@pytest.fixture(scope="module")
def engine(postgres: Postgres) -> Iterator[sa.Engine]:
    made = db.engine(postgres.create_database("test_recipients", template="template_nurture"))
    yield made
    made.dispose()
    postgres.drop_database("test_recipients")


@pytest.fixture(scope="module")
def world(postgres: Postgres, engine: sa.Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox that tells its webhooks to a real receiver."""
    home = tmp_path_factory.mktemp("sandbox")
    app = receiver.create_app(
        postgres.dsn("test_recipients"),
        token_key=TOKEN_KEY,
        public_keys=webhooks.public_key(webhooks.private_key(home / "webhook-key.pem")),
        tracking_key=TRACKING_KEY,
        needs_signed_replies=True,
    )
    with serving(app) as url, sandbox(home, url, "--seed", "7") as running:
        yield running


@pytest.fixture
def payloads(engine: sa.Engine) -> Payloads:
    with engine.begin() as conn:
        conn.exec_driver_sql("truncate raw_events")

    def read(channel: str) -> list[dict[str, Any]]:
        with engine.connect() as conn:
            statement = sa.text("select payload from raw_events where channel = :channel order by raw_event_id")
            return list(conn.execute(statement, {"channel": channel}).scalars())

    return read


def mail_to(world: Sandbox, persona: str, *addresses: str, **habits: Any) -> None:
    """Send one mail to people of one persona, with links that carry real tokens."""
    people = {
        address: {"persona": persona, "is_scanned": False, "has_mail_privacy": False, **habits} for address in addresses
    }
    world.http.put("/sandbox/people", json=people).raise_for_status()
    request = mail(*addresses)
    for number, one in enumerate(request["personalizations"], 1):
        one["headers"]["List-Unsubscribe"] = f"<https://mail.example/u/{tokens.sign(TOKEN_KEY, number)}>"
    assert world.http.post("/v3/mail/send", json=request).status_code == 202


def test_the_public_key_can_be_read(world: Sandbox):
    assert len(world.http.get("/sandbox/webhook-public-key").json()["public_key"]) == 124


def test_warm_people_open_click_visit_and_submit_and_the_receiver_hears_it_once_or_twice_in_no_order(
    world: Sandbox, payloads: Payloads
):
    world.move_clock(MONDAY)
    mail_to(world, "warm", *(f"warm{number}@w.example" for number in range(300)))
    moved = world.move_clock(THREE_MONTHS_LATER)
    assert moved["undelivered"] == 0
    events, tracks = payloads("sendgrid"), payloads("track")
    kinds = Counter(event["event"] for event in events)
    assert kinds["processed"] >= 300
    assert kinds["open"] > 200
    assert kinds["click"] > 100
    ids = [event["sg_event_id"] for event in events]
    natural = [(e["sg_message_id"], e["event"], e["timestamp"], e.get("url")) for e in events]
    assert len(set(natural)) < len(set(ids)) < len(ids)  # repeated under the same id, and under another
    assert [event["timestamp"] for event in events] != sorted(event["timestamp"] for event in events)
    assert all(event["message_id"].isdigit() and event["category"] for event in events)
    click = next(event for event in events if event["event"] == "click" and "nt=" in event["url"])
    assert f"nt=token{int(click['message_id'])}" in click["url"]

    submitted = [call for call in tracks if call.get("event") == "submitted"]
    assert {call["properties"]["form"] for call in submitted} <= {"quote_request", "document_request", "seminar_signup"}
    assert len(submitted) > 20
    assert all(call["properties"]["product"] == "cloud_backup" for call in tracks)
    assert {call["type"] for call in tracks} == {"page", "track"}
    assert len({call["messageId"] for call in tracks}) == len(tracks)
    assert all("2026-09-07" <= call["timestamp"] < "2026-12-08" for call in tracks)


def test_a_reply_arrives_by_inbound_parse_with_the_time_of_the_sandbox(world: Sandbox, payloads: Payloads):
    world.move_clock(MONDAY)
    mail_to(world, "replying", "answer1@r.example", "answer2@r.example")
    world.move_clock(THREE_MONTHS_LATER)
    replies = payloads("inbound")
    assert {reply["address"] for reply in replies} == {"answer1@r.example", "answer2@r.example"}
    assert all("資料" in reply["text"] or "検討" in reply["text"] or "担当" in reply["text"] for reply in replies)
    assert all(reply["subject"].endswith("物流業の事例") for reply in replies)
    assert all(reply["occurred_at"].startswith("2026-") for reply in replies)
    assert len({reply["charsets"] for reply in replies}) == 2


def test_a_refusal_is_posted_in_one_click(world: Sandbox, payloads: Payloads):
    world.move_clock(MONDAY)
    mail_to(world, "refusing", "no@r.example")
    world.move_clock(THREE_MONTHS_LATER)
    [refusal] = payloads("unsubscribe")
    assert refusal["message_id"] == 1
    assert refusal["how"] == "one_click"
    assert refusal["occurred_at"].startswith("2026-09-")


def test_a_scanners_get_of_the_unsubscribe_link_refuses_nothing(world: Sandbox, payloads: Payloads):
    world.move_clock(MONDAY)
    mail_to(world, "cold", "scanned@s.example", is_scanned=True)
    world.move_clock(THREE_MONTHS_LATER)
    assert len([event for event in payloads("sendgrid") if "Scanner" in event.get("useragent", "")]) >= 2
    assert payloads("unsubscribe") == []


def test_apple_fetches_pictures_by_machine(world: Sandbox, payloads: Payloads):
    world.move_clock(MONDAY)
    mail_to(world, "cold", "apple@m.example", has_mail_privacy=True)
    world.move_clock("2026-09-07T10:00:00+09:00")
    assert [event["event"] for event in payloads("sendgrid") if event.get("sg_machine_open")] == ["open"]


@pytest.mark.parametrize(
    ("persona", "first", "second", "listed"),
    [
        ("dead", "bounced", "dropped", "bounces"),
        ("complaining", "delivered", "dropped", "spam_reports"),
        ("blocking", "blocked", "blocked", "blocks"),
    ],
)
def test_who_bounces_or_complains_is_dropped_the_next_time(
    persona: str, first: str, second: str, listed: str, world: Sandbox, payloads: Payloads
):
    address = f"{persona}@d.example"
    statuses = []
    for month in (9, 10):
        world.move_clock(f"2026-{month:02}-01T09:00:00+09:00")
        mail_to(world, persona, address)
        world.move_clock(f"2026-{month:02}-20T09:00:00+09:00")
        statuses.append(world.messages(to=address)[-1]["status"])
    assert statuses == [first, second]
    assert address in [row["email"] for row in world.http.get(f"/v3/suppression/{listed}").json()]


def test_nothing_happens_while_the_sandbox_is_at_rest(world: Sandbox, payloads: Payloads):
    world.move_clock(MONDAY)
    world.http.put("/sandbox/rest", json={"rest": True})
    mail_to(world, "warm", "resting@w.example")
    assert world.move_clock(THREE_MONTHS_LATER)["released"] == 0
    assert payloads("sendgrid") == []
    world.http.put("/sandbox/rest", json={"rest": False})
    assert world.move_clock(THREE_MONTHS_LATER)["released"] > 0
    assert payloads("sendgrid")


def test_the_clock_can_be_moved_without_letting_anything_happen_yet(world: Sandbox, payloads: Payloads):
    world.move_clock(MONDAY)
    mail_to(world, "ordinary", "later1@w.example")
    assert world.move_clock("2026-09-08T09:00:00+09:00", release=False)["released"] == 0
    mail_to(world, "ordinary", "later2@w.example")
    world.move_clock("2026-09-08T09:01:00+09:00")
    processed = [event for event in payloads("sendgrid") if event["event"] == "processed"]
    assert {event["email"] for event in processed} == {"later1@w.example", "later2@w.example"}
    assert len({event["timestamp"] for event in processed}) == 2


def test_a_moment_without_a_zone_and_an_unknown_persona_are_refused(world: Sandbox):
    assert world.http.put("/sandbox/clock", json={"at": "2026-09-07T09:00:00"}).status_code == 400
    assert world.http.put("/sandbox/people", json={"a@b.example": {"persona": "angry"}}).status_code == 400


def test_with_no_clock_set_life_goes_on_by_itself(world: Sandbox, payloads: Payloads):
    world.move_clock(None)
    mail_to(world, "dead", "now@d.example")
    until(lambda: any(event["event"] == "processed" for event in payloads("sendgrid")))


def test_g11_what_a_dead_receiver_did_not_take_is_told_when_it_is_back_and_lost_after_a_day(
    postgres: Postgres, tmp_path: Path, payloads: Payloads
):
    port = free_port()
    key = webhooks.public_key(webhooks.private_key(tmp_path / "webhook-key.pem"))
    with sandbox(tmp_path, f"http://127.0.0.1:{port}") as lonely:
        lonely.move_clock("2026-09-01T09:00:00+09:00")
        lonely.http.post("/v3/mail/send", json=mail("lost@d.example"))
        assert lonely.move_clock("2026-09-01T09:00:30+09:00")["undelivered"] > 0
        lonely.http.post("/v3/mail/send", json=mail("told@d.example"))
        lonely.move_clock("2026-09-02T09:00:20+09:00")
        assert lonely.move_clock("2026-09-02T09:10:00+09:00")["undelivered"] > 0
        app = receiver.create_app(postgres.dsn("test_recipients"), public_keys=key, tracking_key=TRACKING_KEY)
        with serving(app, port):
            assert lonely.move_clock("2026-09-02T09:10:01+09:00")["undelivered"] == 0
    emails = {event["email"] for event in payloads("sendgrid")}
    assert emails == {"told@d.example"}
