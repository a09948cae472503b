"""Consolidate: one lead a person, by exact normalised keys, and nothing that was a person's is lost by a merge."""

from typing import Any

import sqlalchemy as sa
from builders import DAY, NOON, address_of, everything, insert, message, raw, record, rows, value
from consolidating import CARD, MAIL, OTHER, link, merged_pair, owner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nurture import events
from nurture.consolidate import consolidate


def test_one_name_on_one_mailbox_is_one_lead_across_sources(conn: sa.Connection):
    card = record(conn, "1", source="cards", email="Yamada@Lead.example", name="山田 太郎")
    form = record(conn, "2", source="web_forms", email=MAIL, name="山田太郎")
    assert consolidate(conn, NOON) == {"records": 2, "new_leads": 1, "merged_leads": 0}
    assert owner(conn, card) == owner(conn, form)
    assert rows(conn, "select address, is_shared from addresses") == [(MAIL, False)]


def test_two_names_on_one_mailbox_are_two_leads_and_the_mailbox_is_marked_shared(conn: sa.Connection):
    taro = record(conn, "1", email=MAIL, name="山田 太郎")
    hanako = record(conn, "2", email=MAIL, name="山田 花子")
    assert consolidate(conn, NOON)["new_leads"] == 2
    assert owner(conn, taro) != owner(conn, hanako)
    assert rows(conn, "select address, is_shared from addresses") == [(MAIL, True)]


def test_the_second_name_is_seen_when_it_comes_a_day_later(conn: sa.Connection):
    record(conn, "1", email=MAIL, name="山田 太郎")
    consolidate(conn, NOON)
    record(conn, "2", email=MAIL, name="山田 花子", occurred_at=NOON)
    assert consolidate(conn, NOON + DAY)["new_leads"] == 1
    assert value(conn, "select is_shared from addresses") is True


def test_a_role_mailbox_identifies_nobody(conn: sa.Connection):
    first = record(conn, "1", email="info@lead.example", is_role=True)
    second = record(conn, "2", email="info@lead.example", is_role=True)
    named = record(conn, "3", email="info@lead.example", is_role=True, name="山田 太郎")
    assert consolidate(conn, NOON)["new_leads"] == 3
    assert len({owner(conn, each) for each in (first, second, named)}) == 3
    assert rows(conn, "select is_role, is_shared from addresses") == [(True, True)]


def test_one_name_on_one_mobile_number_is_one_lead_and_a_number_alone_is_none(conn: sa.Connection):
    mobile = "+819012345678"
    one = record(conn, "1", email=MAIL, name="山田 太郎", mobile=mobile)
    two = record(conn, "2", email=OTHER, name="山田 太郎", mobile=mobile)
    nameless = record(conn, "3", mobile=mobile)
    assert consolidate(conn, NOON)["new_leads"] == 2
    assert owner(conn, one) == owner(conn, two) != owner(conn, nameless)
    assert value(conn, "select count(*) from lead_addresses where lead_id = %(lead)s", lead=owner(conn, one)) == 2


def test_a_record_without_a_name_joins_the_one_person_of_its_mailbox(conn: sa.Connection):
    named = record(conn, "1", email=MAIL, name="山田 太郎")
    consolidate(conn, NOON)
    nameless = record(conn, "2", email=MAIL)
    assert consolidate(conn, NOON)["new_leads"] == 0
    assert owner(conn, nameless) == owner(conn, named)


def test_a_record_without_a_name_joins_nobody_where_several_have_its_mailbox(conn: sa.Connection):
    people = {record(conn, "1", email=MAIL, name="山田 太郎"), record(conn, "2", email=MAIL, name="山田 花子")}
    nameless = record(conn, "3", email=MAIL)
    assert consolidate(conn, NOON)["new_leads"] == 3
    assert owner(conn, nameless) not in {owner(conn, each) for each in people}


def test_a_name_that_comes_later_joins_the_lead_that_was_nameless(conn: sa.Connection):
    nameless = record(conn, "1", email=MAIL)
    consolidate(conn, NOON)
    named = record(conn, "2", email=MAIL, name="山田 太郎")
    assert consolidate(conn, NOON) == {"records": 1, "new_leads": 0, "merged_leads": 0}
    assert owner(conn, named) == owner(conn, nameless)


def test_a_changed_row_of_a_known_key_stays_its_leads(conn: sa.Connection):
    before = record(conn, "1", email=MAIL, name="山田 太郎", title="課長")
    consolidate(conn, NOON)
    after = record(conn, "1", email=OTHER, name="佐藤 太郎", title="部長", occurred_at=NOON)
    assert consolidate(conn, NOON + DAY)["new_leads"] == 0
    assert owner(conn, before) == owner(conn, after)
    assert rows(conn, "select name, title from leads") == [("佐藤 太郎", "部長")]
    assert rows(conn, "select version, attributes ->> 'title' from lead_versions order by version") == [
        (1, "課長"),
        (2, "部長"),
    ]


def test_the_first_touch_is_kept_for_ever(conn: sa.Connection):
    first = {"first_touch": {"keyword": "バックアップ 比較"}}
    record(conn, "1", email=MAIL, name="山田 太郎", source="web_forms", channel="web", facts=first)
    consolidate(conn, NOON)
    record(conn, "2", email=MAIL, name="山田 太郎", facts={"first_touch": {"keyword": "other"}}, occurred_at=NOON)
    consolidate(conn, NOON + DAY)
    assert rows(conn, "select first_source, first_channel, first_touch, first_seen_at from leads") == [
        ("web_forms", "web", {"keyword": "バックアップ 比較"}, NOON - DAY)
    ]


def test_a_record_that_links_two_leads_merges_the_younger_into_the_older(conn: sa.Connection):
    older, younger = merged_pair(conn)
    assert link(conn) == {"records": 1, "new_leads": 0, "merged_leads": 1}
    assert rows(conn, "select lead_id, merged_into from leads order by lead_id") == [(older, None), (younger, older)]
    assert rows(conn, 'select survivor_id, merged_id, as_of, undone_at from "merges"') == [
        (older, younger, NOON + DAY, None)
    ]
    assert (older, "*") in rows(conn, "select lead_id, product from score_marks")


def test_a_chain_of_merges_ends_at_the_oldest(conn: sa.Connection):
    first = record(conn, "a", email="a@lead.example", name="山田 太郎")
    second = record(conn, "b", email="b@lead.example", name="山田 太郎", crm_id="1")
    third = record(conn, "c", email="c@lead.example", name="山田 太郎", crm_id="2")
    consolidate(conn, NOON)
    record(conn, "d", email="b@lead.example", name="山田 太郎", crm_id="2", occurred_at=NOON)
    consolidate(conn, NOON)
    record(conn, "e", email="a@lead.example", name="山田 太郎", crm_id="2", occurred_at=NOON)
    consolidate(conn, NOON)
    assert len({owner(conn, each) for each in (first, second, third)}) == 1
    survivor = owner(conn, first)
    assert rows(conn, "select distinct merged_into from leads where merged_into is not null") == [(survivor,)]


def test_a_lead_that_two_records_link_to_others_is_merged_once(conn: sa.Connection):
    name, one, two = "山田 太郎", "+819011111111", "+819022222222"
    record(conn, "1", email=MAIL, name=name)
    consolidate(conn, NOON)
    record(conn, "2", email=OTHER, name=name, mobile=two)
    consolidate(conn, NOON)
    record(conn, "3", email="third@lead.example", name=name, mobile=one)
    consolidate(conn, NOON)
    record(conn, "4", email=MAIL, name=name, mobile=one)
    record(conn, "5", email="third@lead.example", name=name, mobile=two)
    assert consolidate(conn, NOON)["merged_leads"] == 2
    assert value(conn, "select count(*) from leads where merged_into is null") == 1


def test_no_fact_moves_when_leads_merge(conn: sa.Connection):
    _, younger = merged_pair(conn)
    sent = message(conn, younger, status="accepted")
    insert(conn, "signals", lead_id=younger)
    insert(conn, "enrollments", lead_id=younger, enrolled_at=NOON - DAY)
    insert(conn, "qualifications", lead_id=younger)
    insert(conn, "segment_members", lead_id=younger)
    before = rows(conn, "select * from signals"), rows(conn, "select * from messages"), rows(conn, "table consents")
    link(conn)
    after = rows(conn, "select * from signals"), rows(conn, "select * from messages"), rows(conn, "table consents")
    assert before == after
    assert value(conn, "select lead_id from messages where message_id = %(sent)s", sent=sent) == younger
    assert rows(conn, "select lead_id, ended_reason, ended_at from enrollments") == [(younger, "merged", NOON + DAY)]
    assert rows(conn, "select lead_id, ended_reason from qualifications") == [(younger, "merged")]
    assert rows(conn, "select lead_id, left_at from segment_members") == [(younger, NOON + DAY)]


def test_n5_the_planned_messages_of_the_merged_lead_are_cancelled_and_say_so(conn: sa.Connection):
    older, younger = merged_pair(conn)
    kept, gone = message(conn, older, occasion="plan/a"), message(conn, younger, occasion="plan/b")
    link(conn)
    assert rows(conn, "select message_id, status, ended_reason from messages order by message_id") == [
        (kept, "planned", None),
        (gone, "cancelled", "merged"),
    ]
    assert rows(conn, "select message_id, outcome, reason from decisions") == [(gone, "never", "merged")]


def test_n13_consents_and_refusals_of_both_hold_after_a_merge(conn: sa.Connection):
    older, younger = merged_pair(conn)
    insert(conn, "opt_outs", lead_id=older, product="backup", mail_type="event")
    insert(conn, "opt_outs", lead_id=younger, product="backup", mail_type="know_how")
    link(conn)
    assert rows(conn, "select lead_id, mail_type from opt_outs where ended_at is null order by mail_type") == [
        (older, "event"),
        (younger, "know_how"),
    ]
    assert sorted(rows(conn, "select lead_id, address_id from consents")) == sorted(
        [(older, address_of(conn, older)), (younger, address_of(conn, younger))]
    )


def test_n13_an_import_that_no_longer_shows_a_refusal_does_not_end_it(conn: sa.Connection):
    refusal = {"opt_out": {"evidence": "HasOptedOutOfEmail: 1"}}
    record(conn, "1", email=MAIL, name="山田 太郎", facts=refusal)
    consolidate(conn, NOON)
    record(conn, "1", email=MAIL, name="山田 太郎", facts=CARD, occurred_at=NOON)
    consolidate(conn, NOON + DAY)
    assert rows(conn, "select product, mail_type, how, ended_at from opt_outs") == [("*", "*", "source", None)]


def test_n6_run_twice_it_finds_nothing_to_do(conn: sa.Connection):
    merged_pair(conn)
    link(conn)
    before = everything(conn)
    assert consolidate(conn, NOON + DAY) == {"records": 0, "new_leads": 0, "merged_leads": 0}
    assert everything(conn) == before


def test_n6_only_what_had_happened_by_as_of_is_taken(conn: sa.Connection):
    record(conn, "1", email=MAIL, name="山田 太郎", occurred_at=NOON - DAY)
    later = record(conn, "2", email=OTHER, name="佐藤 花子", occurred_at=NOON + DAY)
    assert consolidate(conn, NOON)["records"] == 1
    assert value(conn, "select lead_id from source_records where record_id = %(later)s", later=later) is None
    assert consolidate(conn, NOON + DAY)["records"] == 1


def test_an_event_of_a_record_becomes_a_raw_event_of_its_lead(conn: sa.Connection):
    did = {"event": {"type": "submitted", "subject": "quote_request", "product": "backup"}}
    made = record(conn, "1", email=MAIL, name="山田 太郎", facts=did)
    consolidate(conn, NOON)
    events.take_in(conn, NOON, {"backup": "Asia/Tokyo"})
    assert rows(conn, "select lead_id, kind, subject, count from signals") == [
        (owner(conn, made), "submitted", "quote_request", 1)
    ]


def test_what_is_no_event_of_ours_is_left_to_the_events_stage(conn: sa.Connection):
    raw(conn, "track", type="page")
    record(conn, "1", email=MAIL, name="山田 太郎")
    consolidate(conn, NOON)
    assert value(conn, "select count(*) from raw_events where taken_at is null") == 1


def test_colleagues_of_one_company_have_one_account(conn: sa.Connection):
    record(conn, "1", email=MAIL, name="山田 太郎", company="見本商事", employees=200, precedence=3)
    record(conn, "2", email=OTHER, name="佐藤 花子", company="見本商事", employees=300, precedence=1)
    consolidate(conn, NOON)
    assert rows(conn, "select name, employees from accounts") == [("見本商事", 300)]
    assert value(conn, "select count(distinct account_id) from leads") == 1


def test_a_mailbox_given_to_a_successor_later_merges_nobody(conn: sa.Connection):
    before = record(conn, "1", email=MAIL, name="山田 太郎", company="見本商事")
    consolidate(conn, NOON)
    after = record(conn, "2", email=MAIL, name="佐藤 花子", company="見本商事", occurred_at=NOON)
    assert consolidate(conn, NOON + DAY)["new_leads"] == 1
    assert owner(conn, before) != owner(conn, after)
    again = record(conn, "3", email=MAIL, name="佐藤花子", company="見本商事", occurred_at=NOON + DAY)
    consolidate(conn, NOON + 2 * DAY)
    assert owner(conn, again) == owner(conn, after)


def test_a_key_of_several_names_is_marked_shared_and_identifies_nobody(conn: sa.Connection):
    mobile = "+819012345678"
    people = [record(conn, str(at), name=name, mobile=mobile) for at, name in enumerate(("山田 太郎", "佐藤 花子"))]
    consolidate(conn, NOON)
    people.append(record(conn, "c", name="鈴木 一郎", mobile=mobile, occurred_at=NOON))
    people.append(record(conn, "d", name="山田 太郎", mobile=mobile, occurred_at=NOON))
    consolidate(conn, NOON + DAY)
    assert len({owner(conn, each) for each in people}) == 4
    assert rows(conn, "select distinct is_shared from identities where kind = 'mobile'") == [(True,)]


def test_each_edge_says_which_rule_joined_two_records(conn: sa.Connection):
    one = record(conn, "1", email=MAIL, name="山田 太郎")
    two = record(conn, "2", email=MAIL, name="山田 太郎")
    consolidate(conn, NOON)
    assert rows(conn, "select record_a, record_b, rule, decided_by, is_active from match_edges") == [
        (one, two, "mailbox", "rule", True)
    ]


PEOPLE = st.fixed_dictionaries(
    {
        "email": st.sampled_from([None, "a@x.example", "b@x.example"]),
        "name": st.sampled_from([None, "山田 太郎", "山田 花子"]),
        "mobile": st.sampled_from([None, "+819000000001"]),
        "crm_id": st.sampled_from([None, "1", "2"]),
    }
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=st.lists(PEOPLE, min_size=2, max_size=6), at=st.integers(1, 5))
def test_whatever_comes_an_identity_is_one_leads_and_no_redirect_is_a_chain(
    conn: sa.Connection, people: list[dict[str, Any]], at: int
):
    conn.rollback()
    conn.exec_driver_sql("truncate landings, leads, addresses, accounts cascade")
    for number, person in enumerate(people):
        record(conn, str(number), **person)
        if number in (at, len(people) - 1):
            consolidate(conn, NOON)
    assert value(conn, "select count(*) from source_records where lead_id is null") == 0
    assert rows(conn, CHAINS) == []
    assert rows(conn, TWO_LEADS_OF_A_CRM_ID) == []
    assert rows(conn, "select lead_id from lead_addresses where is_primary group by 1 having count(*) > 1") == []
    before = everything(conn)
    consolidate(conn, NOON)
    assert everything(conn) == before


CHAINS = "select from leads join leads as up on leads.merged_into = up.lead_id where up.merged_into is not null"
TWO_LEADS_OF_A_CRM_ID = """
    select keys ->> 'crm_id' from source_records join lead_now using (lead_id)
    where keys ? 'crm_id' and keys ? 'name' group by 1, keys ->> 'name' having count(distinct current_lead_id) > 1
"""
