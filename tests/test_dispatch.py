"""Dispatch: a due message becomes an accepted one, once."""

import itertools
import json
import re
from collections import Counter
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import jsonschema_rs
import pytest
import sqlalchemy as sa
from builders import (
    DAY,
    LINKS,
    NOON,
    Provider,
    crowd,
    everything,
    lead,
    message,
    rows,
    value,
)
from sending import BACKUP, COMPANY, DECISIONS, LOST, PLANNER, SPECS, STATUSES, refusing, send, statuses

from nurture import dispatch, posting, tokens
from nurture.answers import Refused

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
    assert person["custom_args"] == {"message_id": str(made), "occasion": person["custom_args"]["occasion"]}
    assert re.fullmatch("[0-9a-f]{16}", person["custom_args"]["occasion"])
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
            seen.extend(rows(another, "select key, day::text, claimed from budgets where scope = 'product'"))
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
    clock = itertools.chain([61.0], itertools.repeat(0.0))
    monkeypatch.setattr(dispatch, "time", SimpleNamespace(monotonic=lambda: 0.0))
    monkeypatch.setattr(posting, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    provider = Provider()
    assert send(conn, provider) == {"accepted": 1}
    assert len(provider.bodies) == 1
    assert rows(conn, "select status, answer from send_requests order by request_id") == [
        ("returned", "the worker was too slow to begin"), ("accepted", "202"),
    ]  # fmt: skip
    assert value(conn, "select claimed from budgets where scope = 'product'") == 1


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
    provider = Provider(*[LOST] * 30)
    for quarter in range(20):
        send(conn, provider, NOON + quarter * timedelta(minutes=15))
    assert provider.sizes == [1_000, 500, *[1] * 19]
    assert Counter(statuses(conn)) == {"unknown": 1_519, "planned": 981}
    assert rows(conn, "select reason from holds") == []  # no rate stops what a probe will end


def test_n3_after_two_ambiguous_answers_one_probe_a_quarter_of_an_hour_is_all(conn: sa.Connection):
    crowd(conn, 2_000)
    provider = Provider(LOST, LOST, LOST)
    for minutes in (0, 5, 15, 29):
        send(conn, provider, NOON + timedelta(minutes=minutes))
    assert provider.sizes == [1_000, 500, 1]
    assert send(conn, provider, NOON + timedelta(minutes=30)) == {"accepted": 499}
    assert provider.sizes == [1_000, 500, 1, 1, 498]
    assert len(set(provider.posted)) == len(provider.posted) == 2_000


def test_n3_a_refused_probe_is_no_accepted_one(conn: sa.Connection):
    crowd(conn, 2_500)
    provider = Provider(LOST, LOST, Refused("SendGrid says 400", indexes=[0]), *[LOST] * 20)
    for quarter in range(3):
        send(conn, provider, NOON + quarter * timedelta(minutes=15))
    assert provider.sizes == [1_000, 500, 1, 1, 1]
    assert Counter(statuses(conn)) == {"unknown": 1_502, "refused": 1, "planned": 997}


def test_n3_one_ambiguous_answer_makes_the_next_request_smaller(conn: sa.Connection):
    crowd(conn, 1_950)
    provider = Provider(LOST)
    assert send(conn, provider) == {"unknown": 1_000, "accepted": 950}
    assert provider.sizes == [1_000, 500, 450]


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
    assert value(conn, "select claimed from budgets where scope = 'product'") == 5  # what was refused was spent


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
    assert value(conn, "select claimed from budgets where scope = 'product'") == 0
    assert rows(conn, "select status, answer from send_requests") == [("returned", reason)]
    assert rows(conn, DECISIONS) == []
    assert send(conn, provider) == {"accepted": 3}
