-- name: newest_merge
-- The newest merge of a lead that was not undone, whichever side of it the lead was on.
select
    "merges".merge_id,
    "merges".survivor_id,
    "merges".merged_id,
    "merges".merged_at,
    "merges".did
from "merges"
inner join lead_now on "merges".survivor_id = lead_now.lead_id
where
    "merges".undone_at is null
    and (%(lead_id)s::bigint in ("merges".survivor_id, "merges".merged_id)
        or lead_now.current_lead_id = %(lead_id)s::bigint)
order by "merges".merged_at desc, "merges".merge_id desc
limit 1;

-- name: remove_redirect
-- The merged lead is itself again, and whoever had been merged into it before follows it.
with recursive followers as (
    select %(merged)s::bigint as lead_id
    union
    select "merges".merged_id
    from "merges"
    inner join followers on "merges".survivor_id = followers.lead_id
    where "merges".undone_at is null
),

undone as (
    update "merges"
    set undone_at = %(at)s::timestamptz
    where "merges".merge_id = %(merge_id)s::bigint
)

update leads
set merged_into = case when leads.lead_id <> %(merged)s::bigint then %(merged)s::bigint end
from followers
where leads.lead_id = followers.lead_id;

-- name: records_of_both
-- The records of two people, each with the row that it is a version of.
select
    source_records.record_id,
    source_records.lead_id,
    lead_now.current_lead_id,
    source_records.source || '/' || source_records.source_key as source_key
from source_records
inner join lead_now on source_records.lead_id = lead_now.lead_id
where lead_now.current_lead_id in (%(survivor)s::bigint, %(merged)s::bigint)
order by source_records.record_id;

-- name: edges_among
-- Why these records were joined, the surest first; a person's word is surer than any rule.
select
    match_edges.edge_id,
    match_edges.record_a,
    match_edges.record_b
from match_edges
where
    match_edges.is_active
    and match_edges.record_a = any(%(records)s::bigint [])
    and match_edges.record_b = any(%(records)s::bigint [])
order by match_edges.weight desc nulls first, match_edges.edge_id asc;

-- name: deactivate_edges
-- What joined the two is no reason any more.
update match_edges
set is_active = false
where match_edges.edge_id = any(%(edges)s::bigint []);

-- name: give_records
-- Records that came while the two were one go with the records that they had been joined to; so does what they prove.
with given as (
    update source_records
    set lead_id = %(merged)s::bigint
    where source_records.record_id = any(%(records)s::bigint [])
    returning source_records.record_id, source_records.source, source_records.source_key, source_records.keys
),

identified as (
    update identities
    set lead_id = %(merged)s::bigint
    from given
    where
        identities.lead_id = %(survivor)s::bigint
        and (
            (identities.kind = 'record' and identities.value = given.source || '/' || given.source_key)
            or identities.value = given.keys ->> identities.kind
        )
        and not exists (
            select from source_records as others
            where
                others.lead_id = %(survivor)s::bigint
                and others.record_id <> all(%(records)s::bigint [])
                and identities.value = others.keys ->> identities.kind
        )
)

update consents
set lead_id = %(merged)s::bigint
from given
where consents.record_id = given.record_id and consents.lead_id = %(survivor)s::bigint;

-- name: say_apart
-- The two are two people for ever: a no about a record of each, and about whatever was asked of the two.
with ends as (
    select
        lead_now.current_lead_id,
        min(source_records.record_id) as record_id
    from source_records
    inner join lead_now on source_records.lead_id = lead_now.lead_id
    where lead_now.current_lead_id in (%(survivor)s::bigint, %(merged)s::bigint)
    group by lead_now.current_lead_id
),

told as (
    select
        match_reviews.record_a,
        match_reviews.record_b,
        match_reviews.evidence
    from match_reviews
    inner join source_records as one on match_reviews.record_a = one.record_id
    inner join source_records as other on match_reviews.record_b = other.record_id
    inner join lead_now as one_now on one.lead_id = one_now.lead_id
    inner join lead_now as other_now on other.lead_id = other_now.lead_id
    where
        one_now.current_lead_id in (%(survivor)s::bigint, %(merged)s::bigint)
        and other_now.current_lead_id in (%(survivor)s::bigint, %(merged)s::bigint)
        and one_now.current_lead_id <> other_now.current_lead_id
    union all
    select
        min(ends.record_id),
        max(ends.record_id),
        '{"rule": "unmerged"}'::jsonb
    from ends
    having count(*) = 2
)

insert into match_reviews (record_a, record_b, evidence, answer, answered_by, answered_at)
select distinct on (told.record_a, told.record_b)
    told.record_a,
    told.record_b,
    told.evidence,
    'no',
    %(answered_by)s::text,
    %(at)s::timestamptz
from told
order by told.record_a asc, told.record_b asc
on conflict (record_a, record_b) do update
set answer = 'no', answered_by = excluded.answered_by, answered_at = excluded.answered_at;

-- name: share_refusals
-- A refusal that was made while the two were one holds for both (N13).
insert into opt_outs (lead_id, address_id, product, mail_type, how, evidence, occurred_at)
select
    case when lead_now.current_lead_id = %(merged)s::bigint then %(survivor)s::bigint else %(merged)s::bigint end,
    opt_outs.address_id,
    opt_outs.product,
    opt_outs.mail_type,
    opt_outs.how,
    opt_outs.evidence || ' (lead ' || opt_outs.lead_id || ', while they were one)',
    opt_outs.occurred_at
from opt_outs
inner join lead_now on opt_outs.lead_id = lead_now.lead_id
where
    lead_now.current_lead_id in (%(survivor)s::bigint, %(merged)s::bigint)
    and opt_outs.ended_at is null
    and opt_outs.recorded_at >= %(merged_at)s::timestamptz
on conflict (lead_id, address_id, product, mail_type) where ended_at is null do nothing;

-- name: resume
-- What the merge ended goes on: enrollments, qualifications, memberships, and messages that were planned.
with undone as (
    select
        "merges".merged_id,
        "merges".did
    from "merges"
    where "merges".merge_id = %(merge_id)s::bigint
),

resumed_enrollments as (
    update enrollments
    set ended_at = null, ended_reason = null
    from undone
    cross join lateral jsonb_array_elements_text(undone.did -> 'enrollments') as ended (number)
    where
        enrollments.enrollment_id = ended.number::bigint
        and enrollments.ended_reason = 'merged'
),

resumed_qualifications as (
    update qualifications
    set ended_at = null, ended_reason = null
    from undone
    cross join lateral jsonb_array_elements_text(undone.did -> 'qualifications') as ended (number)
    where
        qualifications.qualification_id = ended.number::bigint
        and qualifications.ended_reason = 'merged'
),

resumed_memberships as (
    update segment_members
    set left_at = null
    from undone
    cross join lateral jsonb_to_recordset(undone.did -> 'memberships')
        as closed (product text, segment text, joined_at timestamptz)
    where
        segment_members.lead_id = undone.merged_id
        and segment_members.product = closed.product
        and segment_members.segment = closed.segment
        and segment_members.joined_at = closed.joined_at
),

forgotten as (
    delete from decisions
    using undone
    cross join lateral jsonb_array_elements_text(undone.did -> 'decisions') as made (number)
    where decisions.decision_id = made.number::bigint
)

update messages
set status = 'planned', ended_reason = null
from undone
cross join lateral jsonb_array_elements_text(undone.did -> 'messages') as ended (number)
where
    messages.message_id = ended.number::bigint
    and messages.status = 'cancelled'
    and messages.ended_reason = 'merged';

-- name: restore_survivor
-- A survivor that got no record meanwhile is again what it was; the version that showed both stays with the merge.
with undone as (
    select
        "merges".survivor_id,
        "merges".did
    from "merges"
    where "merges".merge_id = %(merge_id)s::bigint
),

withdrawn as (
    delete from lead_versions
    using undone
    where
        lead_versions.lead_id = undone.survivor_id
        and lead_versions.version > coalesce((undone.did ->> 'version')::integer, 0)
    returning to_jsonb(lead_versions) as version
),

kept as (
    update "merges"
    set did = "merges".did || jsonb_build_object('versions', array(select withdrawn.version from withdrawn))
    where "merges".merge_id = %(merge_id)s::bigint
)

update leads
set
    account_id = coalesce(accounts.merged_into, stood.account_id),
    name = stood.name,
    last_name = stood.last_name,
    first_name = stood.first_name,
    kana = stood.kana,
    company = stood.company,
    department = stood.department,
    department_function = stood.department_function,
    title = stood.title,
    title_level = stood.title_level,
    phone = stood.phone,
    mobile = stood.mobile,
    postal_code = stood.postal_code,
    region = stood.region,
    industry = stood.industry,
    employees = stood.employees,
    crm_lifecycle = stood.crm_lifecycle,
    owner = stood.owner,
    first_source = stood.first_source,
    first_channel = stood.first_channel,
    first_touch = stood.first_touch,
    first_seen_at = stood.first_seen_at
from undone
cross join lateral jsonb_populate_record(null::leads, undone.did -> 'lead') as stood
left join accounts on stood.account_id = accounts.account_id
where leads.lead_id = undone.survivor_id;

-- name: clear_primary
-- No mailbox of a lead is its primary one.
update lead_addresses
set is_primary = false
where lead_addresses.lead_id = %(lead_id)s::bigint and lead_addresses.is_primary;

-- name: restore_primary
-- The primary mailbox is the one that it was before the merge.
update lead_addresses
set is_primary = true
from "merges"
where
    "merges".merge_id = %(merge_id)s::bigint
    and lead_addresses.lead_id = "merges".survivor_id
    and lead_addresses.address_id = ("merges".did ->> 'primary')::bigint;

-- name: judge_again
-- Whoever was kept from the two while they were one is judged with the next batch.
insert into records_to_judge (record_id)
select judged.record_id
from unnest(%(records)s::bigint []) as judged (record_id)
on conflict (record_id) do nothing;

-- name: is_rescored
-- Whether somebody has rescored the survivor since the merge marked it.
select not exists (
    select from score_marks where score_marks.lead_id = %(survivor)s::bigint and score_marks.product = '*'
) as is_rescored;

-- name: unmark
-- A survivor that nobody has rescored since the merge, and that is what it was, need not be.
delete from score_marks
using "merges"
where
    "merges".merge_id = %(merge_id)s::bigint
    and score_marks.lead_id = "merges".survivor_id
    and score_marks.product = '*'
    and not ("merges".did ->> 'is_marked')::boolean;
