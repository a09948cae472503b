"""Segments: who meets an audience, since when, and what was so on a past day."""

import pytest
import sqlalchemy as sa
from builders import DAY, NOON, everything, insert, lead, product, rows, scenario

from nurture import db, predicates, segments
from nurture.definitions.products import Product
from nurture.twins import twins

CLICKERS = {"clicked": True, "within": "30 days"}
WARM = product(segments={"warm": CLICKERS})
OF = "select lead_id, joined_at, left_at from segment_members where segment = %(segment)s order by lead_id, joined_at"


def clicked(conn: sa.Connection, lead_id: int, days_ago: int = 0) -> None:
    insert(conn, "signals", lead_id=lead_id, day=(NOON - days_ago * DAY).date())


def test_a_lead_joins_leaves_when_its_window_passes_and_joins_again(conn: sa.Connection):
    one = lead(conn)
    clicked(conn, one)
    segments.refresh(conn, WARM, NOON)
    segments.refresh(conn, WARM, NOON + 29 * DAY)
    assert rows(conn, OF, segment="warm") == [(one, NOON, None)]
    segments.refresh(conn, WARM, NOON + 30 * DAY)
    assert rows(conn, OF, segment="warm") == [(one, NOON, NOON + 30 * DAY)]
    clicked(conn, one, days_ago=-35)
    assert segments.refresh(conn, WARM, NOON + 35 * DAY)["joined"] == 1
    assert rows(conn, OF, segment="warm") == [(one, NOON, NOON + 30 * DAY), (one, NOON + 35 * DAY, None)]


def test_a_past_membership_is_what_a_condition_reads_at_a_past_moment(conn: sa.Connection):
    one = lead(conn)
    clicked(conn, one)
    segments.refresh(conn, WARM, NOON)
    segments.refresh(conn, WARM, NOON + 40 * DAY)
    asked = WARM.model_copy(update={"segments": {}}), product(segments={"asked": {"segment": "warm"}}).segments["asked"]

    def members(days: int) -> list[tuple[int]]:
        return [tuple(row) for row in conn.execute(predicates.audience(asked[1], asked[0], NOON + days * DAY))]

    assert [members(days) for days in (-1, 0, 39, 40)] == [[], [(one,)], [(one,)], []]


def test_n6_run_twice_nothing_changes(conn: sa.Connection):
    clicked(conn, lead(conn))
    assert segments.refresh(conn, WARM, NOON) == {"segments": 1, "members": 1, "joined": 1, "departed": 0}
    before = everything(conn)
    assert segments.refresh(conn, WARM, NOON) == {"segments": 1, "members": 1, "joined": 0, "departed": 0}
    assert everything(conn) == before


def test_n7_a_run_that_is_not_live_changes_nothing_and_counts_what_would_have_been(conn: sa.Connection):
    gone, still = lead(conn), lead(conn)
    insert(conn, "segment_members", lead_id=gone, segment="warm", joined_at=NOON - 9 * DAY)
    clicked(conn, still, days_ago=3)
    conn.commit()
    before = everything(conn)
    counts = segments.refresh(conn, WARM, NOON - 2 * DAY, live=False)
    assert counts == {"segments": 1, "members": 1, "joined": 1, "departed": 1}
    assert everything(conn) == before


def test_a_segment_is_refreshed_after_those_that_it_builds_on(conn: sa.Connection):
    built = product(
        segments={"not_so_warm": {"none": [{"segment": "warm"}]}, "warm": CLICKERS},
        scenarios=[{"scenario": "follow_up", "audience": {"all": [{"segment": "not_so_warm"}]}}],
    )
    warm, cold = lead(conn), lead(conn)
    clicked(conn, warm)
    assert [name for name, _ in segments.in_order(built)] == ["warm", "not_so_warm", "follow_up"]
    segments.refresh(conn, built, NOON)
    assert rows(conn, "select segment, lead_id from segment_members order by 1") == [
        ("follow_up", cold), ("not_so_warm", cold), ("warm", warm),
    ]  # fmt: skip


def test_a_circle_of_segments_is_refused(conn: sa.Connection):
    circle = product(segments={"a": {"segment": "b"}, "b": {"none": [{"segment": "a"}]}})
    with pytest.raises(ValueError, match="a → b → a"):
        segments.refresh(conn, circle, NOON)


def test_a_segment_that_is_no_longer_defined_has_no_members(conn: sa.Connection):
    one = lead(conn)
    clicked(conn, one)
    segments.refresh(conn, WARM, NOON)
    insert(conn, "segment_members", lead_id=one, product="planner", segment="warm")
    without = product(segments={})
    segments.refresh(conn, without, NOON + DAY, live=False)
    assert rows(conn, "select count(*) from segment_members where left_at is null") == [(2,)]
    assert segments.refresh(conn, without, NOON + DAY)["departed"] == 1
    assert rows(conn, "select product, left_at from segment_members order by product") == [
        ("backup", NOON + DAY), ("planner", None),
    ]  # fmt: skip


def test_a_merged_lead_is_no_member(conn: sa.Connection):
    survivor = lead(conn)
    merged = insert(conn, "leads", merged_into=survivor).lead_id
    clicked(conn, merged)
    segments.refresh(conn, WARM, NOON)
    assert rows(conn, "select lead_id from segment_members") == [(survivor,)]


def test_membership_names_the_definition_that_made_it(conn: sa.Connection):
    clicked(conn, lead(conn))
    clicked(conn, lead(conn))
    first = refreshed_hash(conn, WARM)
    assert first == refreshed_hash(conn, WARM)
    wider = product(segments={"warm": {"any": [CLICKERS, {"opened": True}]}})
    segments.refresh(conn, wider, NOON + DAY)
    assert refreshed_hash(conn, wider) == first  # who is in already is in by the definition that let them in
    assert rows(conn, "select part, name from definitions") == [("segment", "warm")] * 2


def refreshed_hash(conn: sa.Connection, asked: Product) -> str:
    segments.refresh(conn, asked, NOON)
    [(found,)] = rows(conn, "select distinct definition_hash from segment_members")
    return found


def test_an_audience_is_the_segment_of_its_scenarios_name(conn: sa.Connection):
    one = lead(conn)
    asked = product(segments={}, scenarios=[{"scenario": "follow_up"}])
    assert asked.scenarios["follow_up"].audience == scenario().audience
    segments.refresh(conn, asked, NOON)
    assert rows(conn, OF, segment="follow_up") == [(one, NOON, None)]


def test_a_refresh_is_alone_with_its_product_and_a_play_keeps_nobody_waiting(conn: sa.Connection):
    def enter() -> int:
        db.run(conn, db.statements("segments").enter, product="backup")
        return conn.exec_driver_sql(
            "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
        ).scalar_one()

    assert enter() == 1
    conn.rollback()
    with twins(conn, NOON, ["backup"], DAY):
        assert enter() == 0
