"""Dispatch: a due message becomes an accepted one, once, and only with permission at the last moment."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema_rs
import pytest
import sqlalchemy as sa
from builders import (
    DAY,
    LINKS,
    NOON,
    Provider,
    Send,
    address,
    address_of,
    company,
    crowd,
    everything,
    insert,
    lead,
    message,
    product,
    raw,
    rows,
    value,
)

from nurture import db, dispatch, tokens
from nurture.answers import Refused, Unanswered
from nurture.definitions.products import Company, Product

TOKYO = ZoneInfo("Asia/Tokyo")
BACKUP, PLANNER, COMPANY = product(), product("planner"), company()
SPECS = Path(__file__).parents[2] / "shared" / "specs" / "sendgrid"
LOST = Unanswered("the answer was lost")
STATUSES = "select status, ended_reason from messages order by message_id"
DECISIONS = "select outcome, reason, until from decisions order by decision_id"


def send(
    conn: sa.Connection, provider: Send, at: datetime = NOON, *, asked: Product = BACKUP, of: Company = COMPANY
) -> dict[str, int]:
    """Send what is due at a moment; return the counts that are not zero, also of a run that stopped."""
    try:
        found = dispatch.send_due(conn, asked, of, at, at, provider, LINKS)
    except dispatch.Stopped as stopped:
        found = stopped.counts
    return {name: number for name, number in found.items() if number}


def statuses(conn: sa.Connection) -> list[str]:
    return [status for status, _ in rows(conn, STATUSES)]


def refusing(bad: str) -> Provider:
    """Return a provider that refuses every request with a bad mailbox in it, without saying which."""

    class Picky(Provider):
        def __call__(self, body: dict[str, Any]) -> str:
            given = super().__call__(body)
            if bad in json.dumps(body["personalizations"]):
                raise Refused("SendGrid says 400: something is wrong")
            return given

    return Picky()


# N1, and what a request looks like.


def test_a_due_message_is_accepted_with_its_time_and_its_content(conn: sa.Connection):
    made = message(conn, lead(conn))
    provider = Provider()
    assert send(conn, provider) == {"accepted": 1}
    assert provider.posted == [made]
    assert rows(
        conn, "select status, accepted_at, sent_at, subject from messages join contents using (content_hash)"
    ) == [("accepted", NOON, NOON, "-0content0_name_raw- へ")]
    assert rows(conn, "select status, member_count, answer, provider_request_id is null from send_requests") == [
        ("accepted", 1, "202", False)
    ]


def test_n1_a_message_is_sent_once_however_often_the_run_is_repeated(conn: sa.Connection):
    crowd(conn, 3)
    provider = Provider()
    assert send(conn, provider) == {"accepted": 3}
    before = everything(conn)
    assert send(conn, provider) == {}
    assert send(conn, provider, NOON + DAY) == {}
    assert len(provider.posted) == 3
    assert everything(conn) == before


def test_what_is_not_due_yet_is_not_sent(conn: sa.Connection):
    message(conn, lead(conn), due_at=NOON + DAY)
    assert send(conn, Provider()) == {}
    assert send(conn, Provider(), NOON + DAY) == {"accepted": 1}


def test_the_message_of_a_merged_lead_is_the_survivors_mail(conn: sa.Connection):
    survivor, merged = lead(conn, name="佐藤 花子"), lead(conn)
    message(conn, merged)
    merge = "update leads set merged_into = %(survivor)s where lead_id = %(merged)s"
    conn.exec_driver_sql(merge, {"survivor": survivor, "merged": merged})
    provider = Provider()
    assert send(conn, provider) == {"accepted": 1}
    assert "佐藤 花子 様" in provider.bodies[0]["personalizations"][0]["substitutions"].values()


def test_n9_a_request_names_its_recipient_by_address_and_values_alone(conn: sa.Connection):
    made = message(conn, lead(conn, "yamada@lead.example", name="山田 <太郎>"))
    provider = Provider()
    send(conn, provider)
    [body] = provider.bodies
    [person] = body["personalizations"]
    assert person["custom_args"] == {"message_id": str(made)}
    assert body["categories"] == ["backup"]
    link = f"https://receiver.example/u/{tokens.sign(LINKS.token_key, made)}"
    assert person["headers"] == {
        "List-Unsubscribe": f"<{link}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    told = json.dumps({**body, "personalizations": [{**person, "to": [], "substitutions": {}}]}, ensure_ascii=False)
    assert "yamada" not in told
    assert "山田" not in told
    assert "asm" not in body
    forms = {tag.split("_")[-1].strip("-"): given for tag, given in person["substitutions"].items() if "_name_" in tag}
    assert forms == {"raw": "山田 <太郎> 様", "html": "山田 &lt;太郎&gt; 様"}


def test_a_request_fits_the_schema_that_sendgrid_publishes(conn: sa.Connection):
    if not SPECS.is_dir():
        pytest.skip(f"SendGrid's OpenAPI files are not at {SPECS}")
    spec = json.loads((SPECS / "tsg_mail_v3.patched.json").read_text("utf-8"))
    place = "components/requestBodies/PostMailSend/content/application~1json/schema"
    message(conn, lead(conn, 'a..b."c@docomo.example'))
    message(conn, lead(conn))
    provider = Provider()
    assert send(conn, provider) == {"accepted": 2}
    jsonschema_rs.validator_for({"$ref": f"#/{place}", **spec}).validate(provider.bodies[0])
    assert provider.bodies[0]["personalizations"][0]["to"] == [{"email": '"a..b.\\"c"@docomo.example'}]


def test_every_batch_has_a_mark_of_its_own_and_one_content(conn: sa.Connection):
    for day in (0, 1):
        message(conn, lead(conn), due_at=NOON + day * DAY)
        send(conn, Provider(), NOON + day * DAY)
    assert value(conn, "select count(distinct mark) from send_requests") == 2
    assert value(conn, "select count(*) from contents") == 1


def test_an_email_that_cannot_be_rendered_stops_no_other(conn: sa.Connection):
    message(conn, lead(conn), email="gone")
    message(conn, lead(conn))
    with pytest.raises(dispatch.Stopped, match="has no email 'gone'"):
        dispatch.send_due(conn, BACKUP, COMPANY, NOON, NOON, Provider(), LINKS)
    assert statuses(conn) == ["planned", "accepted"]


# N2: a durable record before the call.


def test_n2_the_request_and_its_members_are_committed_before_the_call(conn: sa.Connection, engine: sa.Engine):
    made = message(conn, lead(conn))
    seen: list[Any] = []

    def look(body: dict[str, Any]) -> str:
        with engine.connect() as another:
            seen.extend(rows(another, "select status, answered_at, member_count from send_requests"))
            seen.extend(rows(another, "select message_id from send_attempts"))
            seen.extend(rows(another, "select status, sent_at, request_id is null from messages"))
            seen.extend(rows(another, "select key, day::text, claimed from budgets"))
        return "id"

    send(conn, look)
    assert seen == [("in_flight", None, 1), (made,), ("sending", NOON, False), ("backup", "2026-11-16", 1)]


def test_n2_a_worker_that_dies_in_the_call_leaves_its_messages_to_settlement(conn: sa.Connection, engine: sa.Engine):
    message(conn, lead(conn))

    def die(body: dict[str, Any]) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send(conn, die)
    with engine.connect() as another:
        assert send(another, Provider()) == {}
        assert statuses(another) == ["sending"]


def test_n2_a_post_that_would_begin_too_late_is_given_up(conn: sa.Connection, monkeypatch: pytest.MonkeyPatch):
    message(conn, lead(conn))
    clock = iter([0.0, 61.0, 100.0, 101.0, 102.0])
    monkeypatch.setattr(dispatch, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    provider = Provider()
    assert send(conn, provider) == {"accepted": 1}
    assert len(provider.bodies) == 1
    assert rows(conn, "select status, answer from send_requests order by request_id") == [
        ("returned", "the worker was too slow to begin"), ("accepted", "202"),
    ]  # fmt: skip
    assert value(conn, "select claimed from budgets") == 1


# N3: an ambiguous answer.


def test_n3_a_message_whose_answer_was_lost_is_not_sent_again(conn: sa.Connection):
    message(conn, lead(conn))
    provider = Provider(LOST)
    with pytest.raises(dispatch.Stopped, match="1 messages have no answer from SendGrid"):
        dispatch.send_due(conn, BACKUP, COMPANY, NOON, NOON, provider, LINKS)
    assert send(conn, provider, NOON + DAY) == {}
    assert len(provider.posted) == 1
    assert rows(conn, "select status, answer from send_requests") == [("unknown", "the answer was lost")]


def test_n3_an_outage_strands_at_most_two_thousand(conn: sa.Connection):
    crowd(conn, 2_500)
    provider = Provider(*[LOST] * 200)
    for quarter in range(120):
        send(conn, provider, NOON + quarter * timedelta(minutes=15))
    assert provider.sizes[:3] == [1_000, 900, 1]
    assert Counter(statuses(conn)) == {"unknown": 2_000, "planned": 500}


def test_n3_after_two_ambiguous_answers_one_probe_a_quarter_of_an_hour_is_all(conn: sa.Connection):
    crowd(conn, 2_000)
    provider = Provider(LOST, LOST, LOST)
    for minutes in (0, 5, 15, 29):
        send(conn, provider, NOON + timedelta(minutes=minutes))
    assert provider.sizes == [1_000, 900, 1]
    assert send(conn, provider, NOON + timedelta(minutes=30)) == {"accepted": 99}
    assert provider.sizes == [1_000, 900, 1, 1, 98]
    assert len(set(provider.posted)) == len(provider.posted) == 2_000


def test_n3_a_refused_probe_is_no_accepted_one(conn: sa.Connection):
    crowd(conn, 2_500)
    provider = Provider(LOST, LOST, Refused("SendGrid says 400", indexes=[0]), *[LOST] * 20)
    for quarter in range(3):
        send(conn, provider, NOON + quarter * timedelta(minutes=15))
    assert provider.sizes == [1_000, 900, 1, 1, 1]
    assert Counter(statuses(conn)) == {"unknown": 1_902, "refused": 1, "planned": 597}


def test_n3_one_ambiguous_answer_makes_the_next_request_smaller(conn: sa.Connection):
    crowd(conn, 1_950)
    provider = Provider(LOST)
    assert send(conn, provider) == {"unknown": 1_000, "accepted": 950}
    assert provider.sizes == [1_000, 900, 50]


def test_n3_another_product_goes_on(conn: sa.Connection):
    message(conn, lead(conn), product="planner")
    for day in range(2):
        message(conn, lead(conn), occasion=f"plan/{day}", due_at=NOON + day * DAY)
        send(conn, Provider(LOST), NOON + day * DAY)
    assert send(conn, Provider(), asked=PLANNER) == {"accepted": 1}


# Definite refusals.


def test_named_recipients_are_refused_and_the_rest_goes_once(conn: sa.Connection):
    crowd(conn, 5)
    provider = Provider(Refused("SendGrid says 400: bad", indexes=[1, 3]))
    assert send(conn, provider) == {"refused": 2, "accepted": 3}
    assert provider.sizes == [5, 3]
    assert statuses(conn) == ["accepted", "refused", "accepted", "refused", "accepted"]
    assert rows(conn, DECISIONS) == [("never", "refused: SendGrid says 400: bad", None)] * 2
    assert value(conn, "select claimed from budgets") == 5  # what was refused was spent


@pytest.mark.parametrize("position", [1, 6, 9])
def test_a_refusal_that_names_nobody_is_halved_down_to_the_one(conn: sa.Connection, position: int):
    crowd(conn, 9)
    [(bad,)] = rows(conn, "select address from addresses order by address_id limit 1 offset %(n)s", n=position - 1)
    provider = refusing(f'"{bad}"')
    assert send(conn, provider) == {"refused": 1, "accepted": 8}
    assert statuses(conn) == ["refused" if number == position else "accepted" for number in range(1, 10)]
    members = "select count(*) from send_requests join send_attempts using (request_id) where status = 'accepted'"
    assert value(conn, members) == 8


def test_a_position_that_the_request_has_not_names_nobody(conn: sa.Connection):
    crowd(conn, 2)
    assert send(conn, Provider(Refused("SendGrid says 400", indexes=[7]))) == {"accepted": 2}


@pytest.mark.parametrize("reason", ["SendGrid says 401", "SendGrid says 429", "SendGrid was not reached"])
def test_a_refusal_that_stops_leaves_everything_planned_and_gives_the_budget_back(conn: sa.Connection, reason: str):
    crowd(conn, 3)
    provider = Provider(Refused(reason, stops=True))
    with pytest.raises(dispatch.Stopped, match=f"{reason}; 3 messages stay planned") as stopped:
        dispatch.send_due(conn, BACKUP, COMPANY, NOON, NOON, provider, LINKS)
    assert stopped.value.counts["accepted"] == 0
    assert rows(conn, STATUSES) == [("planned", None)] * 3
    assert value(conn, "select claimed from budgets") == 0
    assert rows(conn, "select status, answer from send_requests") == [("returned", reason)]
    assert rows(conn, DECISIONS) == []
    assert send(conn, provider) == {"accepted": 3}


# N4: permission at the last moment.


def suppress(conn: sa.Connection, lead_id: int) -> None:
    insert(conn, "suppressions", address_id=address_of(conn, lead_id), reason="complained")


def refuse_cell(conn: sa.Connection, lead_id: int) -> None:
    insert(conn, "opt_outs", lead_id=lead_id, product="backup", mail_type="know_how")


def refuse_by_address(conn: sa.Connection, lead_id: int) -> None:
    insert(conn, "opt_outs", address_id=address_of(conn, lead_id), product="*", mail_type="*")


def refuse_under_a_merged_id(conn: sa.Connection, lead_id: int) -> None:
    merged = insert(conn, "leads", merged_into=lead_id).lead_id
    insert(conn, "opt_outs", lead_id=merged, product="backup")


def withdraw_consent(conn: sa.Connection, lead_id: int) -> None:
    conn.exec_driver_sql("delete from consents where lead_id = %(lead)s", {"lead": lead_id})


def be_unmailable(conn: sa.Connection, lead_id: int) -> None:
    conn.exec_driver_sql("update addresses set unmailable_reason = 'no such form'")


NEVER: dict[str, Callable[[sa.Connection, int], None]] = {
    "suppressed: complained": suppress,
    "opted out of backup × know_how": refuse_cell,
    "opted out of * × *": refuse_by_address,
    "opted out of backup × *": refuse_under_a_merged_id,
    "no consent": withdraw_consent,
    "cannot be mailed: no such form": be_unmailable,
}


@pytest.mark.parametrize("reason", NEVER)
def test_n4_a_message_without_permission_is_cancelled_with_its_reason(conn: sa.Connection, reason: str):
    made = lead(conn)
    message(conn, made)
    NEVER[reason](conn, made)
    provider = Provider()
    assert send(conn, provider) == {"never": 1}
    assert provider.bodies == []
    assert rows(conn, STATUSES) == [("cancelled", reason)]
    assert rows(conn, DECISIONS) == [("never", reason, None)]


def test_n4_an_opt_out_of_another_cell_or_one_that_ended_refuses_nothing(conn: sa.Connection):
    made = lead(conn)
    message(conn, made)
    insert(conn, "opt_outs", lead_id=made, product="backup", mail_type="event")
    insert(conn, "opt_outs", lead_id=made, product="planner")
    insert(conn, "opt_outs", lead_id=made, product="backup", ended_at=NOON - DAY, ended_evidence="form")
    assert send(conn, Provider()) == {"accepted": 1}


def test_n4_own_staff_and_named_addresses_are_excluded(conn: sa.Connection):
    message(conn, lead(conn, "staff@own.example"))
    message(conn, lead(conn, "rival@other.example"))
    message(conn, lead(conn, "else@other.example"))
    of = company(exclusions={"domains": ["Own.example"], "addresses": ["Rival@other.example"]})
    assert send(conn, Provider(), of=of) == {"never": 2, "accepted": 1}
    assert [reason for _, reason in rows(conn, STATUSES)] == ["excluded", "excluded", None]


def test_n4_a_refusal_that_nobody_took_in_yet_counts_already(conn: sa.Connection):
    one, two = lead(conn, "info@lead.example"), lead(conn, "info@lead.example", name="佐藤 花子")
    earlier = message(conn, one, status="accepted", sent_at=NOON - 30 * DAY)
    raw(conn, "unsubscribe", message_id=earlier, how="one_click", scope="mail_type")
    message(conn, one)
    message(conn, two)
    assert send(conn, Provider()) == {"never": 2}
    assert rows(conn, "select distinct reason from decisions") == [("opted out just now",)]


@pytest.mark.parametrize(
    ("scope", "sent"), [("mail_type", ["case", "planner"]), ("product", ["planner"]), ("everything", [])]
)
def test_n4_a_refusal_just_in_holds_for_its_own_cells(conn: sa.Connection, scope: str, sent: list[str]):
    made = lead(conn)
    earlier = message(conn, made, status="accepted", sent_at=NOON - 30 * DAY)
    raw(conn, "unsubscribe", message_id=earlier, how="page", scope=scope)
    message(conn, made, occasion="plan/same")
    message(conn, made, occasion="plan/case", email="case", mail_type="case_study", step="case")
    message(conn, made, occasion="plan/planner", product="planner", step="planner")
    send(conn, Provider())
    send(conn, Provider(), asked=PLANNER)
    told = "select step from messages where status = 'accepted' and sent_at = %(at)s order by step"
    assert [step for (step,) in rows(conn, told, at=NOON)] == sent


CAPPED = company(frequency={"mails": 2, "within": "7 days"})


def test_n4_the_frequency_cap_counts_every_product_and_every_id_of_a_person(conn: sa.Connection):
    made = lead(conn)
    merged = insert(conn, "leads", merged_into=made).lead_id
    insert(conn, "lead_addresses", lead_id=merged, address_id=address_of(conn, made))
    message(conn, made, product="planner", status="accepted", sent_at=NOON - 5 * DAY)
    message(conn, merged, status="unknown", sent_at=NOON - 2 * DAY)
    message(conn, made)
    assert send(conn, Provider(), of=CAPPED) == {"not_now": 1}
    assert rows(conn, DECISIONS) == [("not_now", "frequency cap", NOON + 2 * DAY)]
    assert send(conn, Provider(), NOON + DAY, of=CAPPED) == {}
    assert send(conn, Provider(), NOON + 2 * DAY, of=CAPPED) == {"accepted": 1}


def test_n4_one_claim_exceeds_no_cap_either(conn: sa.Connection):
    made = lead(conn)
    for number in range(4):
        message(conn, made, occasion=f"plan/{number}")
    insert(conn, "lead_addresses", lead_id=made, address_id=address(conn, "b@lead.example"), is_primary=False)
    insert(conn, "consents", lead_id=made, address_id=address(conn, "b@lead.example"))
    conn.exec_driver_sql(
        "update messages set address_id = %(other)s where occasion in ('plan/1', 'plan/3')",
        {"other": address(conn, "b@lead.example")},
    )
    for minute in range(3):
        send(conn, Provider(), NOON + timedelta(minutes=minute), of=CAPPED)
    assert Counter(statuses(conn)) == {"accepted": 2, "planned": 2}


def test_n4_a_mail_that_is_refused_takes_nothing_of_a_persons_cap(conn: sa.Connection):
    made = lead(conn)
    message(conn, made, occasion="plan/a", mail_type="event")
    message(conn, made, occasion="plan/b")
    insert(conn, "opt_outs", lead_id=made, product="backup", mail_type="event")
    of = company(frequency={"mails": 1, "within": "7 days"})
    send(conn, Provider(), of=of)
    send(conn, Provider(), NOON + timedelta(minutes=2), of=of)
    assert statuses(conn) == ["cancelled", "accepted"]


def test_n4_two_leads_of_one_mailbox_are_mailed_one_after_the_other(conn: sa.Connection):
    for name in ("山田 太郎", "佐藤 花子"):
        message(conn, lead(conn, "info@lead.example", name=name), occasion=f"plan/{name}")
    provider = Provider()
    assert send(conn, provider) == {"accepted": 1, "not_now": 1}
    assert rows(conn, DECISIONS) == [("not_now", "one at a time for a mailbox", NOON + timedelta(minutes=1))]
    assert send(conn, provider, NOON + timedelta(minutes=1)) == {"accepted": 1}
    assert provider.sizes == [1, 1]


JAPAN = product(calendar="japan")
EVENING = datetime(2026, 11, 20, 20, tzinfo=TOKYO)  # a Friday, and Monday is 勤労感謝の日


def test_n4_out_of_hours_nothing_goes_and_all_is_due_at_the_next_opening(conn: sa.Connection):
    message(conn, lead(conn), due_at=EVENING, expires_at=EVENING + 9 * DAY)
    provider = Provider()
    assert send(conn, provider, EVENING, asked=JAPAN) == {"not_now": 1}
    assert send(conn, provider, EVENING + DAY, asked=JAPAN) == {}
    opens = datetime(2026, 11, 24, 9, tzinfo=TOKYO)
    assert value(conn, "select due_at from messages") == opens
    assert rows(conn, DECISIONS) == [("not_now", "outside business hours", opens)]
    assert send(conn, provider, opens, asked=JAPAN) == {"accepted": 1}


def test_n4_the_daily_budget_is_the_products_day(conn: sa.Connection):
    crowd(conn, 5)
    asked = product(limits={"mails_per_day": 2}, calendar="japan")
    provider = Provider()
    morning = datetime(2026, 11, 16, 12, tzinfo=TOKYO)
    assert send(conn, provider, morning, asked=asked) == {"accepted": 2, "not_now": 3}
    opens = datetime(2026, 11, 17, 9, tzinfo=TOKYO)
    assert rows(conn, DECISIONS) == [("not_now", "daily budget", opens)] * 3
    assert send(conn, provider, morning + timedelta(hours=2), asked=asked) == {}
    assert send(conn, provider, opens, asked=asked) == {"accepted": 2, "not_now": 1}
    assert rows(conn, "select day::text, claimed from budgets order by day") == [("2026-11-16", 2), ("2026-11-17", 2)]
    assert len(rows(conn, DECISIONS)) == 3  # the last one's reason did not change


# N5: every message that was not sent says why.


def test_n5_a_changed_reason_is_one_more_row_and_the_same_reason_is_none(conn: sa.Connection):
    made = lead(conn)
    message(conn, made, expires_at=NOON + 30 * DAY)
    for _ in range(2):
        message(conn, made, status="accepted", sent_at=NOON - DAY)
    send(conn, Provider(), of=CAPPED)
    conn.exec_driver_sql("update messages set due_at = %(at)s where status = 'planned'", {"at": NOON})
    send(conn, Provider(), NOON + DAY, of=CAPPED)
    conn.exec_driver_sql("update messages set due_at = %(at)s where status = 'planned'", {"at": NOON})
    night = NOON + DAY / 2 + DAY
    send(conn, Provider(), night, asked=JAPAN, of=CAPPED)
    suppress(conn, made)
    send(conn, Provider(), night + DAY / 2, asked=JAPAN, of=CAPPED)
    assert [reason for _, reason, _ in rows(conn, DECISIONS)] == [
        "frequency cap", "outside business hours", "suppressed: complained",
    ]  # fmt: skip


def test_n5_a_message_that_is_too_late_expires(conn: sa.Connection):
    message(conn, lead(conn), expires_at=NOON + DAY)
    provider = Provider()
    assert send(conn, provider, NOON + DAY) == {"expired": 1}
    assert provider.bodies == []
    assert rows(conn, STATUSES) == [("expired", "expired")]
    assert rows(conn, DECISIONS) == [("never", "expired", None)]


def test_n5_a_cap_that_lasts_longer_than_send_within_ends_in_expiry(conn: sa.Connection):
    made = lead(conn)
    message(conn, made, expires_at=NOON + 2 * DAY)
    for _ in range(2):
        message(conn, made, status="accepted", sent_at=NOON - DAY)
    send(conn, Provider(), of=CAPPED)
    send(conn, Provider(), NOON + 6 * DAY, of=CAPPED)
    assert rows(conn, "select status from messages where occasion like 'plan/entry%%'") == [("expired",)]


def test_n6_a_message_is_due_by_as_of_and_judged_at_the_attempts_clock(conn: sa.Connection):
    made = lead(conn)
    message(conn, made)
    message(conn, made, occasion="plan/later", due_at=NOON + timedelta(hours=1))
    at = NOON + timedelta(hours=3)
    dispatch.send_due(conn, BACKUP, COMPANY, NOON, at, Provider(), LINKS)
    assert rows(conn, "select status, accepted_at from messages order by message_id") == [
        ("accepted", at), ("planned", None),
    ]  # fmt: skip


# Several workers at once.


def together(dsn: str, *works: Callable[[sa.Connection], None]) -> None:
    """Run each work in a thread with a connection of its own, all begun at one moment."""
    gate, failures = threading.Barrier(len(works)), []

    def run(work: Callable[[sa.Connection], None]) -> None:
        engine = db.engine(dsn)
        try:
            with engine.connect() as conn:
                gate.wait()
                work(conn)
        except Exception as failure:
            failures.append(failure)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_n1_two_workers_at_the_same_messages_never_double(conn: sa.Connection, dsn: str):
    crowd(conn, 2_400)
    provider = Provider()
    together(dsn, *[lambda each: send(each, provider)] * 3)
    send(conn, provider)
    assert len(provider.posted) == len(set(provider.posted)) == 2_400
    assert Counter(statuses(conn)) == {"accepted": 2_400}
    assert value(conn, "select claimed from budgets") == 2_400


def test_n4_two_workers_together_never_exceed_the_daily_budget(conn: sa.Connection, dsn: str):
    crowd(conn, 300)
    asked = product(limits={"mails_per_day": 100})
    provider = Provider()
    together(dsn, *[lambda each: send(each, provider, asked=asked)] * 3)
    send(conn, provider, asked=asked)
    assert len(provider.posted) == 100


def test_n4_two_products_that_claim_one_lead_at_once_never_exceed_the_cap(conn: sa.Connection, dsn: str):
    of = company(frequency={"mails": 1, "within": "7 days"})
    provider = Provider()
    for round_ in range(12):
        people = [lead(conn) for _ in range(5)]
        for made in people:
            message(conn, made, occasion=f"plan/{round_}")
            message(conn, made, occasion=f"plan/{round_}", product="planner")
        conn.commit()
        together(
            dsn,
            lambda each: send(each, provider, of=of),
            lambda each: send(each, provider, asked=PLANNER, of=of),
        )
    send(conn, provider, of=of)
    send(conn, provider, asked=PLANNER, of=of)
    sent = rows(conn, "select lead_id, count(*) from messages where status = 'accepted' group by lead_id")
    assert {number for _, number in sent} == {1}
    assert len(sent) == 60
