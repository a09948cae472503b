"""Explanation: why a lead is where it is, what was sent and what was not, and what proves each mail."""

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa
from builders import DAY, HASH, NOON, Provider, address_of, insert, lead, message, product, rows, value
from sending import send
from simulated_world import settle
from typer.testing import CliRunner

from nurture import handoff, predicates, scoring, segments
from nurture.cli.main import app
from nurture.definitions.load import load_products
from nurture.explain import explain, find
from nurture.problem import Problem
from nurture.segments import in_order

BACKUP = product(
    segments={
        "warm": {"any": [{"clicked": "thanks", "within": "10 days"}, {"score": {"min": 50}}]},
        "everyone": {"none": [{"lifecycle": "customer"}]},
    },
    scoring={
        "half_life": "30 days",
        "fit": [{"when": {"industry": "target"}, "points": 10}],
        "engagement": [
            {"when": "clicked", "points": 5, "per_day": 5, "at_most": 7},
            {"when": "submitted", "form": "quote_request", "points": 60},
        ],
    },
)


def test_each_line_of_a_condition_is_answered_by_itself(conn: sa.Connection) -> None:
    one = lead(conn)
    insert(conn, "signals", lead_id=one, day="2026-11-10", count=2)
    conn.commit()
    segments.refresh(conn, BACKUP, NOON)
    story = explain(conn, BACKUP, one, NOON + DAY)
    [warm] = [each for each in story.segments if each["segment"] == "warm"]
    assert warm["is_member"]
    assert [(line.depth, line.says, line.is_true, line.known) for line in warm["asked"]] == [
        (0, "any", True, ""),
        (1, "clicked: thanks, within: 10 days", True, "2026-11-10 ×2"),
        (1, "score: min: 50", False, "0"),
    ]
    assert [each["left_at"] for each in warm["history"]] == [None]


def test_the_answers_are_those_of_the_conditions_over_everybody(conn: sa.Connection) -> None:
    settle(conn, times=1)
    for sample in load_products().products.values():
        meant = {}
        for segment, condition in in_order(sample):
            meant[segment] = set(conn.execute(predicates.audience(condition, sample, NOON)).scalars())
        conn.rollback()
        for (lead_id,) in rows(conn, "select lead_id from leads"):
            for told in explain(conn, sample, lead_id, NOON).segments:
                meets = all(line.is_true for line in told["asked"] if line.depth == 0)
                assert meets == (lead_id in meant[told["segment"]]), (told["segment"], lead_id)


def test_the_lines_of_a_score_add_up_to_it(conn: sa.Connection) -> None:
    one = lead(conn, industry="logistics")
    for day, kind, subject in ((1, "clicked", "thanks"), (9, "clicked", "case"), (12, "submitted", "quote_request")):
        insert(conn, "signals", lead_id=one, kind=kind, subject=subject, day=f"2026-11-{day:02}", count=3)
    conn.commit()
    scoring.rescore(conn, BACKUP, NOON, ["backup"])
    score = explain(conn, BACKUP, one, NOON + 5 * DAY).score
    assert [(line["says"], line["is_true"]) for line in score["lines"] if line["kind"] == "fit"] == [
        ("industry: target", True)
    ]
    lines = [line for line in score["lines"] if line["kind"] == "engagement"]
    assert [(line["says"], line["times"]) for line in lines] == [("clicked", 6), ("submitted: quote_request", 3)]
    assert lines[0]["points"] == 7 < lines[0]["points_so_far"]
    assert round(sum(line["points"] for line in lines)) == score["engagement"]


def test_a_mail_that_was_sent_is_proven(conn: sa.Connection) -> None:
    one = lead(conn)
    planned = message(conn, one, occasion="plan/may")
    conn.commit()
    send(conn, Provider())
    insert(conn, "events", type="clicked", occurred_at=NOON + DAY, message_id=planned, lead_id=one)
    insert(conn, "verdicts", event_id=1, version=1, is_machine=False, rule="none")
    conn.commit()
    [mail] = explain(conn, BACKUP, one, NOON + 2 * DAY).mails
    assert (mail["status"], mail["occasion"], mail["reason"], mail["definition_hash"]) == (
        "accepted", "plan/may", "in everyone", HASH
    )  # fmt: skip
    assert (mail["consent_basis"], mail["consented_at"]) == ("business_card", NOON - 30 * DAY)
    assert mail["content_hash"] == value(conn, "select content_hash from contents")
    assert mail["provider_request_id"] is not None
    assert (mail["clicked_at"], mail["opened_at"]) == (NOON + DAY, None)


def test_a_machines_click_proves_nothing(conn: sa.Connection) -> None:
    one = lead(conn)
    planned = message(conn, one, status="accepted")
    insert(conn, "events", type="clicked", message_id=planned, lead_id=one)
    insert(conn, "verdicts", event_id=1, version=1, is_machine=True, rule="scanner")
    assert value(conn, "select clicked_at from message_proofs") is None


def test_a_mail_that_was_not_sent_says_why(conn: sa.Connection) -> None:
    one = lead(conn)
    message(conn, one)
    insert(conn, "opt_outs", lead_id=one, address_id=address_of(conn, one), product="backup", mail_type="know_how")
    conn.commit()
    send(conn, Provider())
    [mail] = explain(conn, BACKUP, one, NOON + DAY).mails
    assert (mail["status"], mail["ended_reason"]) == ("cancelled", "opted out of backup × know_how")
    assert [each["outcome"] for each in mail["decisions"]] == ["never"]


def test_a_merged_lead_tells_the_survivors_story(conn: sa.Connection) -> None:
    survivor, younger = lead(conn), lead(conn)
    message(conn, younger, status="accepted")
    conn.exec_driver_sql("update leads set merged_into = %(s)s where lead_id = %(y)s", {"s": survivor, "y": younger})
    insert(conn, "merges", survivor_id=survivor, merged_id=younger, reason="same email", as_of=NOON, did={})
    conn.commit()
    story = explain(conn, BACKUP, younger, NOON + DAY)
    assert (story.lead["lead_id"], story.lead["lead_ids"]) == (survivor, [survivor, younger])
    assert [mail["lead_id"] for mail in story.mails] == [younger]
    assert [row["reason"] for row in story.joined] == ["same email"]
    assert find(conn, f"lead{younger}@lead.example") == [survivor]


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["explain", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def told(conn: sa.Connection, dsn: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """A lead of the sample products with a past: joined, mailed, capped, ready for sales; return its id."""
    sample = load_products().products["cloud_backup"]
    one = lead(conn, industry="logistics", name="見本\x1b[2J 花子", title_level="director")
    insert(conn, "source_records", source="business_cards_cp932", source_key="1", lead_id=one)
    insert(
        conn, "signals", lead_id=one, product="cloud_backup", kind="submitted", subject="quote_request",
        day="2026-11-15",
    )  # fmt: skip
    conn.commit()
    segments.refresh(conn, sample, NOON)
    scoring.rescore(conn, sample, NOON, ["cloud_backup"])
    handoff.qualify(conn, sample, NOON)
    mail = message(conn, one, product="cloud_backup", occasion="plan/a", due_at=NOON + DAY)
    for reason in ("frequency cap", "daily budget"):
        insert(
            conn, "decisions", message_id=mail, outcome="not_now", reason=reason, at=NOON, until=NOON + DAY
        )  # fmt: skip
    conn.commit()
    monkeypatch.setenv("NURTURE_DSN", dsn)
    return one


def test_the_story_reads_in_english_and_in_japanese(conn: sa.Connection, told: int) -> None:
    at = (NOON + timedelta(hours=1)).isoformat()
    english = run(str(told), "--product", "cloud_backup", "--as-of", at, "--language", "en")
    for line in (
        "✓ 2026-10-17  business card: 名刺 (cards)",
        "● everyone  in since 2026-11-16",
        "yes: submitted: quote_request   (is: 2026-11-15 ×1)",
        "not now: frequency cap, until 2026-11-17 12:00",
        "Score ",
        "+10    industry: target",
        "ready 2026-11-16 12:00 with score",
    ):
        assert line in english
    assert "\x1b" not in english
    japanese = run(f"lead{told}@lead.example", "--product", "cloud_backup", "--as-of", at, "--language", "ja")
    for line in ("配信の許諾", "2026-11-16 から対象", "見送り: 頻度の上限", "該当: submitted: quote_request"):
        assert line in japanese
    assert "when" not in japanese


def test_a_program_reads_the_story_and_a_person_the_proof(conn: sa.Connection, told: int) -> None:
    [story] = json.loads(run(str(told), "--product", "cloud_backup", "--json"))
    assert story["lead"]["lead_id"] == told
    assert [each["reason"] for each in story["mails"][0]["decisions"]] == ["frequency cap", "daily budget"]
    proof = run(str(told), "--mail", str(story["mails"][0]["message_id"]), "--language", "en")
    assert "Definition: scenario follow_up, definition" in proof
    assert "Consent: business card: 名刺 (cards, " in proof


def test_who_is_not_there_is_said_in_one_line(told: int) -> None:
    for said in ("999", "nobody@lead.example", "花子"):
        with pytest.raises(Problem, match="there is no lead"):
            run(said)
    with pytest.raises(Problem, match="did you mean 'cloud_backup'"):
        run(str(told), "--product", "cloud_backups")
    with pytest.raises(Problem, match="has no mail 77"):
        run(str(told), "--mail", "77")
