"""Predicates: each kind of condition, and all of them against an oracle that looks at one lead at a time."""

import fnmatch
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from builders import DAY, NOON, insert, lead, product
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from nurture import db, predicates
from nurture.definitions.conditions import READ
from nurture.stack.postgres import Postgres

PRODUCT = product()
TODAY = date(2026, 11, 16)


def who(conn: sa.Connection, condition: dict[str, Any], asked: Any = PRODUCT) -> list[int]:
    """Return the leads who meet a condition, in order."""
    query = predicates.audience(READ.validate_python(condition), asked, NOON)
    return sorted(conn.execute(query).scalars())


def test_an_attribute_is_one_of_some_values_and_what_is_unknown_is_not_so(conn: sa.Connection):
    maker, carrier, unknown = (lead(conn, industry=each) for each in ("manufacturing", "logistics", None))
    assert who(conn, {"industry": "manufacturing"}) == [maker]
    assert who(conn, {"industry": ["manufacturing", "logistics"]}) == [maker, carrier]
    assert who(conn, {"industry": "target"}) == [maker, carrier]
    assert who(conn, {"none": [{"industry": "manufacturing"}]}) == [carrier, unknown]


def test_a_range_includes_its_ends(conn: sa.Connection):
    _, small, middle, large, _ = (lead(conn, employees=number) for number in (49, 50, 100, 3000, None))
    assert who(conn, {"employees": {"min": 50, "max": 3000}}) == [small, middle, large]
    assert who(conn, {"employees": {"max": 50}})[-1:] == [small]
    assert who(conn, {"employees": "target"}) == [small, middle, large]


def test_the_target_is_every_part_that_the_product_names(conn: sa.Connection):
    fits = lead(conn, industry="logistics", employees=80, region="hokkaido")
    lead(conn, industry="logistics", employees=8)
    lead(conn, employees=80)
    assert who(conn, {"target": True}) == [fits]


def test_a_source_is_any_that_named_the_person_by_then_under_any_id(conn: sa.Connection):
    survivor, later = lead(conn), lead(conn)
    merged = insert(conn, "leads", merged_into=survivor).lead_id
    insert(conn, "source_records", source_key="a", source="it_week", lead_id=merged)
    insert(conn, "source_records", source_key="b", source="it_week", lead_id=later, occurred_at=NOON + DAY)
    assert who(conn, {"source": "it_week"}) == [survivor]
    assert who(conn, {"source": ["it_week", "forms"]}) == [survivor]


def test_a_lifecycle_is_with_this_product_or_else_as_the_crm_says(conn: sa.Connection):
    new, customer, elsewhere, ready = lead(conn), lead(conn, crm_lifecycle="customer"), lead(conn), lead(conn)
    insert(conn, "opportunities", lead_id=elsewhere, product="planner")
    insert(conn, "qualifications", lead_id=ready)
    assert who(conn, {"lifecycle": "customer"}) == [customer]
    assert who(conn, {"lifecycle": "lead"}) == [new, elsewhere]
    assert who(conn, {"lifecycle": ["qualified", "opportunity"]}) == [ready]


def test_an_account_stands_where_any_colleague_does(conn: sa.Connection):
    account = insert(conn, "accounts", account_key="company:a").account_id
    quiet, busy, alone = lead(conn, account_id=account), lead(conn, account_id=account), lead(conn)
    insert(conn, "opportunities", lead_id=busy)
    insert(conn, "opportunities", lead_id=alone, crm_opportunity_id="b")
    assert who(conn, {"account": {"lifecycle": "opportunity"}}) == [quiet, busy]
    assert who(conn, {"none": [{"account": {"lifecycle": "opportunity"}}]}) == [alone]


def test_points_are_those_of_the_newest_score_at_that_moment_and_none_is_zero(conn: sa.Connection):
    cooled, unscored, later = lead(conn), lead(conn), lead(conn)
    for moment, points in ((NOON - 2 * DAY, 90), (NOON - DAY, 10), (NOON + DAY, 99)):
        insert(conn, "scores", lead_id=cooled, scored_at=moment, engagement=points, fit=5)
    insert(conn, "scores", lead_id=later, scored_at=NOON + DAY, engagement=50)
    assert who(conn, {"score": {"min": 15, "max": 15}}) == [cooled]
    assert who(conn, {"engagement": {"min": 50}}) == []
    assert who(conn, {"fit": {"max": 4}}) == [unscored, later]


def test_behaviour_has_a_subject_a_mail_type_a_window_and_a_number_of_times(conn: sa.Connection):
    one, two = lead(conn), lead(conn)
    insert(conn, "signals", lead_id=one, subject="case", mail_type="case_study", day=TODAY - timedelta(days=29))
    insert(conn, "signals", lead_id=two, subject="thanks", mail_type="know_how", day=TODAY - timedelta(days=30))
    insert(conn, "signals", lead_id=two, subject="thanks", mail_type="know_how", day=TODAY, count=2)
    insert(conn, "signals", lead_id=two, kind="visited", subject="/pricing/list")
    assert who(conn, {"clicked": True}) == [one, two]
    assert who(conn, {"clicked": "case"}) == [one]
    assert who(conn, {"clicked": {"mail_type": "know_how"}}) == [two]
    assert who(conn, {"clicked": {"email": "thanks"}, "times": 3}) == [two]
    assert who(conn, {"clicked": True, "within": "30 days", "times": 3}) == []
    assert who(conn, {"clicked": True, "within": "30 days"}) == [one, two]
    assert who(conn, {"clicked": True, "within": "29 days"}) == [two]
    assert who(conn, {"visited": "/pricing*"}) == [two]
    assert who(conn, {"visited": "/pric_ng*"}) == []


def test_times_add_up_over_all_ids_of_a_person(conn: sa.Connection):
    survivor = lead(conn)
    merged = insert(conn, "leads", merged_into=survivor).lead_id
    insert(conn, "signals", lead_id=survivor)
    insert(conn, "signals", lead_id=merged)
    assert who(conn, {"clicked": True, "times": 2}) == [survivor]


def test_another_products_signals_and_those_of_tomorrow_do_not_count(conn: sa.Connection):
    one = lead(conn)
    insert(conn, "signals", lead_id=one, product="planner")
    insert(conn, "signals", lead_id=one, day=TODAY + timedelta(days=1))
    assert who(conn, {"clicked": True}) == []


def test_a_combination_is_all_and_any_and_none_together(conn: sa.Connection):
    wanted = lead(conn, industry="logistics", region="kanto")
    lead(conn, industry="logistics", region="kanto", title_level="staff")
    lead(conn, industry="logistics", region="kansai")
    asked = {
        "all": [{"industry": "logistics"}],
        "any": [{"region": "kanto"}, {"region": "chubu"}],
        "none": [{"title": "staff"}],
    }
    assert who(conn, asked) == [wanted]


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ({"clicked": True, "within": "3 business days"}, "did you mean '3 days'"),
        ({"clicked": True, "within": "30 hours"}, "did you mean '2 days'"),
        ({"visited": {"email": "thanks"}}, r"visited takes a word, as in `visited: /pricing\*`"),
        ({"visited": True, "mail_type": "event"}, "mail_type goes with opened, clicked, replied"),
        ({"employees": {"min": 50, "max": 5}}, "nothing lies between 50 and 5"),
        ({"first_touch": {}}, "say what of it: source, channel, keyword"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_mend(said: dict[str, Any], mend: str):
    with pytest.raises(ValidationError, match=mend):
        READ.validate_python(said)


def test_a_condition_reads_the_same_from_what_was_kept_of_it():
    said = {
        "all": [{"clicked": {"mail_type": "event"}, "within": "7 days", "times": {"max": 2}}, {"consent": True}],
        "any": [{"first_touch": {"keyword": "*雲*"}}, {"employees": {"min": 5}}, {"score": {"max": 3}}],
        "none": [{"segment": "a"}, {"visited": ["/a", "/b"], "times": "never"}, {"company": "*銀行"}],
    }
    read = READ.validate_python(said)
    assert READ.validate_python(read.body()) == read


# The oracle: the same grammar, read for one lead at a time over plain Python values.

INDUSTRIES, REGIONS, TITLES = ["manufacturing", "logistics", "retail", None], ["kanto", "chubu", None], ["staff", None]
PLACES = ["lead", "qualified", "sales_accepted", "opportunity", "customer", "lost"]
KINDS = ["opened", "clicked", "visited", "submitted"]
PAGES = ["/", "/pricing", "/pricing/list", "/a_b", "/axb"]
COMPANIES, KEYWORDS = ["見本銀行", "ABC Bank", "株式会社見本", None], ["クラウド バックアップ", "Backup", "backup tool"]


@dataclass
class Person:
    """One person: what is known of them, and the days on which they did what."""

    lead_id: int
    attributes: dict[str, Any]
    account: int | None
    place: str
    sources: set[str]
    segments: set[str]
    points: dict[str, int]
    bases: set[str]
    first: dict[str, str]
    did: list[tuple[str, str, str, date, int]] = field(default_factory=list)


@pytest.fixture(scope="module")
def world(postgres: Postgres) -> Iterator[tuple[sa.Connection, list[Person]]]:
    """Forty people by chance, the same ones in the database and in memory."""
    dsn = postgres.create_database("test_predicates", template="template_nurture")
    engine = db.engine(dsn)
    with engine.connect() as conn:
        yield conn, people(conn, random.Random(7))
    engine.dispose()
    postgres.drop_database("test_predicates")


def people(conn: sa.Connection, chance: random.Random) -> list[Person]:
    accounts = [insert(conn, "accounts", account_key=f"company:{n}").account_id for n in range(6)]
    return [person(conn, chance, chance.choice([None, *accounts])) for _ in range(40)]


def person(conn: sa.Connection, chance: random.Random, account: int | None) -> Person:
    known = {
        "industry": chance.choice(INDUSTRIES), "region": chance.choice(REGIONS), "title_level": chance.choice(TITLES),
        "employees": chance.choice([None, 10, 50, 400, 3000, 3001]), "company": chance.choice(COMPANIES),
    }  # fmt: skip
    place = chance.choice(PLACES)
    first = {"keyword": chance.choice(KEYWORDS)} if chance.random() < 0.6 else {}
    channel = chance.choice(["exhibition", "web_form", None])
    made = lead(conn, None, account_id=account, first_touch=first, first_channel=channel, **known)
    stand(conn, made, place)
    other = insert(conn, "leads", merged_into=made).lead_id  # what they did is spread over two ids
    points = {"fit": chance.randint(0, 20), "engagement": chance.randint(0, 60)} if chance.random() < 0.7 else {}
    if points:
        insert(conn, "scores", lead_id=made, scored_at=NOON - 5 * DAY, fit=99, engagement=99)
        insert(conn, "scores", lead_id=made, scored_at=NOON - DAY, **points)
    sources = {name for name in ("it_week", "forms") if chance.random() < 0.4}
    for name in sources:
        insert(conn, "source_records", source=name, source_key=str(made), lead_id=chance.choice([made, other]))
    segments = {name for name in ("warm", "cold") if chance.random() < 0.4}
    for name in segments:
        insert(conn, "segment_members", segment=name, lead_id=made)
    bases = {basis for basis in ("consent", "business_card") if chance.random() < 0.4}
    for basis in bases:
        insert(conn, "consents", lead_id=chance.choice([made, other]), basis=basis)
    insert(conn, "consents", lead_id=made, basis="published_address", occurred_at=NOON + DAY)  # tomorrow's
    told = {**first, **({"channel": channel} if channel else {})}
    found = Person(made, known, account, place, sources, segments, points, bases, told)
    for _ in range(chance.randint(0, 6)):
        kind = chance.choice(KINDS)
        subject = chance.choice(PAGES) if kind == "visited" else chance.choice(["thanks", "case", "quote_request"])
        mail_type = chance.choice(["know_how", "case_study"]) if kind in ("opened", "clicked") else ""
        day, count = TODAY - timedelta(days=chance.choice([-1, 0, 1, 6, 7, 29, 30, 90])), chance.randint(1, 3)
        if any(each[:4] == (kind, subject, mail_type, day) for each in found.did):
            continue
        found.did.append((kind, subject, mail_type, day, count))
        insert(
            conn, "signals", lead_id=chance.choice([made, other]), kind=kind, subject=subject, mail_type=mail_type,
            day=day, count=count,
        )  # fmt: skip
    return found


def stand(conn: sa.Connection, lead_id: int, place: str) -> None:
    """Put a lead at a point of its lifecycle with the product."""
    if place in ("opportunity", "customer", "lost"):
        ended = {"customer": {"won_at": NOON}, "lost": {"lost_at": NOON}}.get(place, {})
        insert(conn, "opportunities", lead_id=lead_id, crm_opportunity_id=f"d{lead_id}", **ended)
    if place in ("qualified", "sales_accepted"):
        qualified = insert(conn, "qualifications", lead_id=lead_id).qualification_id
        if place == "sales_accepted":
            insert(
                conn, "handoffs", qualification_id=qualified, status=place, pushed_at=NOON, crm_id=str(lead_id),
                sales_accepted_at=NOON,
            )  # fmt: skip


def holds(asked: dict[str, Any], one: Person, everybody: list[Person]) -> bool:
    """Say whether a condition holds for one person, as a reader of the grammar would."""
    if {"all", "any", "none"} & set(asked):
        return (
            all(holds(part, one, everybody) for part in asked.get("all", []))
            and (not asked.get("any") or any(holds(part, one, everybody) for part in asked["any"]))
            and not any(holds(part, one, everybody) for part in asked.get("none", []))
        )
    [(subject, wanted), *_] = asked.items()
    match subject:
        case "target":
            return one.attributes["industry"] in ("manufacturing", "logistics") and within(
                one.attributes["employees"], {"min": 50, "max": 3000}
            )
        case "source":
            return bool(one.sources & set(many(wanted)))
        case "consent":
            return bool(one.bases if wanted is True else one.bases & set(many(wanted)))
        case "first_touch":
            return all(part in one.first and looks(one.first[part], texts) for part, texts in wanted.items())
        case "company":
            return one.attributes["company"] is not None and looks(one.attributes["company"], wanted)
        case "lifecycle":
            return one.place in many(wanted)
        case "account":
            colleagues = [each for each in everybody if one.account and each.account == one.account]
            return any(each.place in many(wanted["lifecycle"]) for each in colleagues)
        case "segment":
            return wanted in one.segments
        case "fit" | "engagement":
            return within(one.points.get(subject, 0), wanted)
        case "score":
            return within(sum(one.points.values()), wanted)
        case "employees":
            return within(one.attributes["employees"], {"min": 50, "max": 3000} if wanted == "target" else wanted)
        case "industry" | "region" | "title":
            known = one.attributes["title_level" if subject == "title" else subject]
            allowed = {"industry": ["manufacturing", "logistics"]}.get(subject) if wanted == "target" else many(wanted)
            return allowed is None or (known is not None and known in allowed)
    number, times = sum(count for *did, count in one.did if fits(did, asked, subject)), asked.get("times", 1)
    return number == 0 if times == "never" else within(number, times if isinstance(times, dict) else {"min": times})


def looks(text: str, patterns: Any) -> bool:
    return any(fnmatch.fnmatchcase(text.casefold(), pattern.casefold()) for pattern in many(patterns))


def fits(did: list[Any], asked: dict[str, Any], kind: str) -> bool:
    what, subject, mail_type, day = did
    about = asked[kind] if isinstance(asked[kind], dict) else {} if asked[kind] is True else {"email": asked[kind]}
    days = int(asked.get("within", "9999 days").split()[0])
    return (
        what == kind
        and TODAY - timedelta(days=days) < day <= TODAY
        and any(fnmatch.fnmatchcase(subject, pattern) for pattern in many(about.get("email", "*")))
        and about.get("mail_type", mail_type) == mail_type
    )


def within(number: int | None, bounds: dict[str, int]) -> bool:
    return number is not None and bounds.get("min", number) <= number <= bounds.get("max", number)


def many(one_or_many: Any) -> list[Any]:
    return one_or_many if isinstance(one_or_many, list) else [one_or_many]


def some(values: list[str]) -> st.SearchStrategy[Any]:
    return st.sampled_from(values) | st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


RANGES = st.tuples(st.integers(0, 80), st.integers(0, 80)).map(lambda ends: {"min": min(ends), "max": max(ends)})
RANGES |= st.integers(0, 60).map(lambda end: {"min": end}) | st.integers(0, 60).map(lambda end: {"max": end})
WHEN = st.fixed_dictionaries(
    {},
    optional={
        "within": st.sampled_from(["1 days", "7 days", "30 days", "91 days"]),
        "times": st.integers(1, 4)
        | st.just("never")
        | st.tuples(st.integers(0, 3), st.integers(0, 2)).map(lambda ends: {"min": ends[0], "max": sum(ends)}),
    },
)
ABOUT = {
    "opened": st.just(True) | st.sampled_from([{"email": "case"}, {"mail_type": "case_study"}]),
    "clicked": st.sampled_from(["case", True, {"mail_type": "know_how"}, {"email": "thanks", "mail_type": "know_how"}]),
    "visited": st.sampled_from([True, "/pricing*", "/pricing", "/a_b", "*/list", "/*", ["/a_b", "/pricing*"]]),
    "submitted": st.sampled_from([True, "quote_request"]),
}
BEHAVIOURS = st.one_of(
    *(st.builds(lambda about, when, kind=kind: {kind: about, **when}, ABOUT[kind], WHEN) for kind in KINDS)
)
SINGLE = st.one_of(
    st.just({"target": True}),
    some(["it_week", "forms"]).map(lambda names: {"source": names}),
    some(PLACES).map(lambda places: {"lifecycle": places}),
    some(PLACES).map(lambda places: {"account": {"lifecycle": places}}),
    st.sampled_from(["warm", "cold"]).map(lambda name: {"segment": name}),
    st.builds(lambda subject, bounds: {subject: bounds}, st.sampled_from(["fit", "engagement", "score"]), RANGES),
    st.sampled_from(["target", {"min": 50}, {"max": 400}]).map(lambda bounds: {"employees": bounds}),
    some(["manufacturing", "retail"]).map(lambda names: {"industry": names}),
    st.sampled_from([{"industry": "target"}, {"region": "target"}, {"region": "kanto"}, {"title": "staff"}]),
    some(["consent", "business_card", "published_address"]).map(lambda bases: {"consent": bases}),
    st.just({"consent": True}),
    st.sampled_from(["*銀行", "abc*", ["株式会社*", "*bank"]]).map(lambda texts: {"company": texts}),
    st.sampled_from(
        [
            {"keyword": "backup*"},
            {"keyword": ["backup", "クラウド*"]},
            {"channel": "exhibition"},
            {"channel": "web_form", "keyword": "*"},
        ]
    ).map(lambda parts: {"first_touch": parts}),
    BEHAVIOURS,
)
CONDITIONS = st.recursive(
    SINGLE,
    lambda inner: st.dictionaries(
        st.sampled_from(["all", "any", "none"]), st.lists(inner, min_size=1, max_size=3), min_size=1
    ),
    max_leaves=6,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=CONDITIONS)
def test_the_set_is_who_the_oracle_names_one_by_one(world: tuple[sa.Connection, list[Person]], asked: dict[str, Any]):
    conn, everybody = world
    assert who(conn, asked) == [one.lead_id for one in everybody if holds(asked, one, everybody)]
