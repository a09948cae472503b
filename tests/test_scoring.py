"""Scoring: fit plus decayed engagement, from all signals each time, and a row only where something changed."""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from builders import DAY, NOON, everything, insert, lead, product, rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nurture.definitions.products import Product
from nurture.scoring import rescore

TODAY = date(2026, 11, 16)
PRODUCTS = ["backup", "planner"]
SCORES = "select lead_id, scored_at, fit, engagement from scores order by lead_id, scored_at"


def scoring(*engagement: dict[str, Any], half_life: str = "10 days", fit: tuple[dict[str, Any], ...] = ()) -> Product:
    return product(scoring={"half_life": half_life, "fit": list(fit), "engagement": list(engagement)})


def signal(conn: sa.Connection, lead_id: int, kind: str = "clicked", days_ago: int = 0, **columns: Any) -> None:
    insert(conn, "signals", lead_id=lead_id, kind=kind, day=TODAY - timedelta(days=days_ago), **columns)


def engagement(conn: sa.Connection, asked: Product, at: Any = NOON) -> int:
    """Rescore everybody and return the one lead's engagement."""
    rescore(conn, asked, at, PRODUCTS)
    [(*_, found)] = rows(conn, SCORES + " desc limit 1")
    return found


def test_points_of_a_day_are_bounded_by_per_day(conn: sa.Connection):
    signal(conn, lead(conn), "visited", subject="/", count=10)
    assert engagement(conn, scoring({"when": "visited", "points": 1, "per_day": 3, "at_most": 9})) == 3


def test_points_of_a_rule_never_exceed_at_most_however_long_the_habit(conn: sa.Connection):
    made = lead(conn)
    for days_ago in range(30):
        signal(conn, made, "visited", days_ago, subject="/", count=3)
    habit = {"when": "visited", "points": 1, "per_day": 3, "at_most": 5}
    assert engagement(conn, scoring(habit, half_life="30 days")) == 5


def test_each_rule_has_its_own_bound(conn: sa.Connection):
    made = lead(conn)
    signal(conn, made, "visited", subject="/pricing", count=9)
    signal(conn, made, "visited", subject="/", count=9)
    asked = scoring(
        {"when": "visited", "page": "/pricing*", "points": 10, "at_most": 20},
        {"when": "visited", "points": 1, "at_most": 5},
    )
    assert engagement(conn, asked) == 25


@pytest.mark.parametrize(("days", "points"), [(0, 40), (10, 20), (20, 10), (5, 28), (100, 0)])
def test_points_halve_every_half_life_in_whole_days(conn: sa.Connection, days: int, points: int):
    signal(conn, lead(conn), days_ago=days)
    signal(conn, lead(conn), days_ago=days)  # another lead's points are another lead's
    assert engagement(conn, scoring({"when": "clicked", "points": 40, "at_most": 40})) == points


def test_a_day_ends_at_the_products_midnight(conn: sa.Connection):
    signal(conn, lead(conn))
    asked = scoring({"when": "clicked", "points": 40, "at_most": 40}, half_life="1 days")
    assert engagement(conn, asked, NOON + 11 * DAY / 24) == 40
    assert engagement(conn, asked, NOON + 12 * DAY / 24) == 20


def test_halves_are_rounded_once_over_all_rules(conn: sa.Connection):
    made = lead(conn)
    signal(conn, made, days_ago=10)
    signal(conn, made, "opened", days_ago=10)
    asked = scoring({"when": "clicked", "points": 1, "at_most": 9}, {"when": "opened", "points": 1, "at_most": 9})
    assert engagement(conn, asked) == 1  # a half and a half, not twice a half rounded


def test_the_first_rule_that_fits_counts_and_no_other(conn: sa.Connection):
    made = lead(conn)
    signal(conn, made, mail_type="case_study", subject="case")
    case = {"when": "clicked", "mail_type": "case_study", "points": 8, "at_most": 80}
    any_click = {"when": "clicked", "points": 5, "at_most": 50}
    assert engagement(conn, scoring(case, any_click)) == 8
    assert engagement(conn, scoring(any_click, case), NOON + timedelta(seconds=1)) == 5


def test_fit_is_the_sum_of_its_rules_that_hold(conn: sa.Connection):
    fit = (
        {"when": {"industry": "target"}, "points": 10},
        {"when": {"employees": "target"}, "points": 7},
        {"when": {"title": "staff"}, "points": -5},
    )
    all_of, none_of = lead(conn, industry="logistics", employees=50, title_level="staff"), lead(conn)
    rescore(conn, scoring(fit=fit), NOON, PRODUCTS)
    assert rows(conn, SCORES) == [(all_of, NOON, 12, 0), (none_of, NOON, 0, 0)]


def test_the_signals_of_all_ids_of_a_person_count_together(conn: sa.Connection):
    survivor = lead(conn)
    merged = insert(conn, "leads", merged_into=survivor).lead_id
    signal(conn, survivor)
    signal(conn, merged)
    rescore(conn, scoring({"when": "clicked", "points": 3, "at_most": 9}), NOON, PRODUCTS)
    assert rows(conn, SCORES) == [(survivor, NOON, 0, 6)]


def test_a_row_is_written_only_where_the_score_changed(conn: sa.Connection):
    made, still = lead(conn), lead(conn)
    signal(conn, made)
    asked = scoring({"when": "clicked", "points": 40, "at_most": 40})
    assert rescore(conn, asked, NOON, PRODUCTS) == {"leads": 2, "changed": 2}
    assert rescore(conn, asked, NOON + DAY / 24, PRODUCTS) == {"leads": 2, "changed": 0}
    assert rescore(conn, asked, NOON + 10 * DAY, PRODUCTS) == {"leads": 2, "changed": 1}
    assert rows(conn, SCORES) == [
        (made, NOON, 0, 40), (made, NOON + 10 * DAY, 0, 20), (still, NOON, 0, 0),
    ]  # fmt: skip


def test_n6_rescored_twice_with_one_as_of_nothing_changes(conn: sa.Connection):
    signal(conn, lead(conn))
    rescore(conn, product(), NOON, PRODUCTS)
    before = everything(conn)
    assert rescore(conn, product(), NOON, PRODUCTS)["changed"] == 0
    assert everything(conn) == before


def test_n7_a_run_that_is_not_live_rewrites_nothing_and_leaves_the_marks(conn: sa.Connection):
    made = lead(conn)
    rescore(conn, product(), NOON, PRODUCTS)
    signal(conn, made, days_ago=1)
    insert(conn, "score_marks", lead_id=made, product="backup")
    conn.commit()
    decided = rows(conn, SCORES)
    assert rescore(conn, product(), NOON, PRODUCTS, live=False)["changed"] == 0
    assert rows(conn, SCORES) == decided
    assert rows(conn, "select lead_id, product from score_marks") == [(made, "backup")]
    assert rescore(conn, product(), NOON - DAY, PRODUCTS, live=False)["changed"] == 1
    assert rows(conn, SCORES) == [(made, NOON - DAY, 0, 5), *decided]


def test_n11_a_live_run_of_the_same_moment_says_what_new_verdicts_say(conn: sa.Connection):
    made = lead(conn)
    signal(conn, made)
    rescore(conn, product(), NOON, PRODUCTS)
    conn.exec_driver_sql("delete from signals")
    insert(conn, "score_marks", lead_id=made, product="backup")
    assert rescore(conn, product(), NOON, PRODUCTS, everybody=False)["changed"] == 1
    assert rows(conn, SCORES) == [(made, NOON, 0, 0)]


def test_an_incremental_run_rescores_the_marked_and_those_whose_day_has_come(conn: sa.Connection):
    marked, cooling, quiet = lead(conn), lead(conn), lead(conn)
    signal(conn, cooling)
    asked = scoring({"when": "clicked", "points": 40, "at_most": 40}, half_life="1 days")
    rescore(conn, asked, NOON, PRODUCTS)
    signal(conn, marked)
    signal(conn, quiet)
    insert(conn, "score_marks", lead_id=marked, product="backup")
    insert(conn, "score_marks", lead_id=quiet, product="planner")
    assert rescore(conn, asked, NOON + DAY / 24, PRODUCTS, everybody=False) == {"leads": 1, "changed": 1}
    assert rescore(conn, asked, NOON + DAY, PRODUCTS, everybody=False)["changed"] == 2
    assert rows(conn, "select lead_id, product from score_marks") == [(quiet, "planner")]


def test_a_mark_of_every_product_is_cleared_by_each_for_itself(conn: sa.Connection):
    made = lead(conn)
    insert(conn, "score_marks", lead_id=made, product="*")
    assert rescore(conn, product(), NOON, PRODUCTS, everybody=False)["leads"] == 1
    assert rows(conn, "select product from score_marks") == [("planner",)]
    assert rescore(conn, product("planner"), NOON, PRODUCTS, everybody=False)["leads"] == 1
    assert rows(conn, "table score_marks") == []


def test_a_score_names_the_rules_that_made_it(conn: sa.Connection):
    lead(conn, industry="logistics")
    rescore(conn, product(), NOON, PRODUCTS)
    [(body,)] = rows(conn, "select body from scores join definitions using (definition_hash)")
    assert body == product().scoring.body()


KINDS = ["clicked", "opened", "visited"]
DID = st.tuples(
    st.integers(0, 2), st.sampled_from(KINDS), st.sampled_from(["/", "/pricing", "case"]), st.integers(0, 25),
    st.integers(1, 4),
)  # fmt: skip
RULES = st.lists(
    st.fixed_dictionaries(
        {"when": st.sampled_from(KINDS), "points": st.integers(1, 20), "at_most": st.integers(1, 60)},
        optional={"per_day": st.integers(1, 20)},
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rules=RULES, half_life=st.integers(1, 40), did=st.lists(DID, min_size=1, max_size=25))
def test_incremental_equals_full_and_both_equal_the_formula(
    conn: sa.Connection, rules: list[dict[str, Any]], half_life: int, did: list[tuple[int, str, str, int, int]]
):
    conn.rollback()
    conn.exec_driver_sql("truncate leads, addresses cascade")
    people = [lead(conn, None), lead(conn, None), lead(conn, None)]
    asked = scoring(*rules, half_life=f"{half_life} days")
    counts: dict[tuple[int, str, str, int], int] = {}
    for person, kind, subject, days_ago, number in did:
        counts[(people[person], kind, subject, days_ago)] = number
    for day in range(25, -1, -1):
        happened = [(key, number) for key, number in counts.items() if key[3] == day]
        for (made, kind, subject, days_ago), number in happened:
            signal(conn, made, kind, days_ago, subject=subject, count=number)
            conn.exec_driver_sql(f"insert into score_marks values ({made}, 'backup') on conflict do nothing")
        if happened or day % 7 == 0:
            rescore(conn, asked, NOON - day * DAY, PRODUCTS, everybody=False)
    newest = "select distinct on (lead_id) lead_id, engagement from scores order by lead_id, scored_at desc"
    incremental = dict(rows(conn, newest))
    rescore(conn, asked, NOON, PRODUCTS)
    full = dict(rows(conn, newest))
    assert {made: incremental.get(made, 0) for made in people} == full
    assert full == {made: expected(rules, half_life, counts, made) for made in people}


def expected(rules: list[dict[str, Any]], half_life: int, counts: dict[Any, int], made: int) -> Any:
    """Return what the formula of the design says, give or take what a half is rounded to."""
    total = 0.0
    for position, rule in enumerate(rules):
        earlier = {each["when"] for each in rules[:position]}
        if rule["when"] in earlier:
            continue
        points = 0.0
        for day in {days_ago for (who, kind, _, days_ago) in counts if who == made and kind == rule["when"]}:
            number = sum(
                n for (who, kind, _, ago), n in counts.items() if (who, kind, ago) == (made, rule["when"], day)
            )
            points += min(number * rule["points"], rule.get("per_day", 10**9)) * 0.5 ** (day / half_life)
        total += min(points, rule["at_most"])
    nearest = int(total + 0.5)
    return nearest if abs(total + 0.5 - round(total + 0.5)) > 1e-9 else pytest.approx(nearest, abs=1)
