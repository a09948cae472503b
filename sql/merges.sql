-- name: merge
-- The younger lead of each pair becomes a redirect to the older; what it did and was sent stays its own: no fact moves.
-- Who has its mailboxes now does too. What the merge ended, and how both stood, is kept in `did`, for an undo.
with pairs as (
    select
        asked.survivor,
        asked.merged,
        asked.reason
    from jsonb_to_recordset(%(pairs)s::jsonb) as asked (survivor bigint, merged bigint, reason text)
),

stood as (
    select
        pairs.survivor,
        pairs.merged,
        pairs.reason,
        jsonb_build_object(
            'lead', (select to_jsonb(leads) from leads where leads.lead_id = pairs.survivor),
            'version', (
                select max(lead_versions.version) from lead_versions
                where lead_versions.lead_id = pairs.survivor
            ),
            'is_marked', exists (
                select from score_marks
                where score_marks.lead_id = pairs.survivor and score_marks.product = '*'
            ),
            'primary', (
                select lead_addresses.address_id from lead_addresses
                where lead_addresses.lead_id = pairs.survivor and lead_addresses.is_primary
            ),
            'survivor_records', array(
                select source_records.record_id
                from lead_now
                inner join source_records on lead_now.lead_id = source_records.lead_id
                where lead_now.current_lead_id = pairs.survivor
            ),
            'merged_records', array(
                select source_records.record_id
                from lead_now
                inner join source_records on lead_now.lead_id = source_records.lead_id
                where lead_now.current_lead_id = pairs.merged
            )
        ) as state
    from pairs
),

redirected as (
    update leads
    set merged_into = pairs.survivor
    from pairs
    where coalesce(leads.merged_into, leads.lead_id) = pairs.merged
    returning leads.lead_id
),

linked as (
    insert into lead_addresses (lead_id, address_id, first_seen_at, last_seen_at)
    select
        pairs.survivor,
        lead_addresses.address_id,
        lead_addresses.first_seen_at,
        lead_addresses.last_seen_at
    from pairs
    inner join lead_addresses on pairs.merged = lead_addresses.lead_id
    on conflict (lead_id, address_id) do nothing
),

ended_enrollments as (
    update enrollments
    set ended_at = greatest(%(as_of)s::timestamptz, enrollments.enrolled_at), ended_reason = 'merged'
    from pairs
    where enrollments.lead_id = pairs.merged and enrollments.ended_at is null
    returning enrollments.enrollment_id, enrollments.lead_id
),

ended_qualifications as (
    update qualifications
    set ended_at = greatest(%(as_of)s::timestamptz, qualifications.qualified_at), ended_reason = 'merged'
    from pairs
    where qualifications.lead_id = pairs.merged and qualifications.ended_at is null
    returning qualifications.qualification_id, qualifications.lead_id
),

closed_memberships as (
    update segment_members
    set left_at = greatest(%(as_of)s::timestamptz, segment_members.joined_at)
    from pairs
    where segment_members.lead_id = pairs.merged and segment_members.left_at is null
    returning
        segment_members.lead_id,
        jsonb_build_object(
            'product', segment_members.product,
            'segment', segment_members.segment,
            'joined_at', segment_members.joined_at
        ) as membership
),

cancelled as (
    update messages
    set status = 'cancelled', ended_reason = 'merged'
    from pairs
    where messages.lead_id = pairs.merged and messages.status = 'planned'
    returning messages.message_id, messages.lead_id
),

explained as (
    insert into decisions (message_id, outcome, reason, at)
    select
        cancelled.message_id,
        'never',
        'merged',
        %(as_of)s::timestamptz
    from cancelled
    returning decisions.decision_id, decisions.message_id
)

insert into "merges" (survivor_id, merged_id, reason, as_of, did)
select
    stood.survivor,
    stood.merged,
    stood.reason,
    %(as_of)s::timestamptz,
    stood.state || jsonb_build_object(
        'enrollments', array(
            select ended_enrollments.enrollment_id from ended_enrollments
            where ended_enrollments.lead_id = stood.merged
        ),
        'qualifications', array(
            select ended_qualifications.qualification_id from ended_qualifications
            where ended_qualifications.lead_id = stood.merged
        ),
        'memberships', array(
            select closed_memberships.membership from closed_memberships
            where closed_memberships.lead_id = stood.merged
        ),
        'messages', array(select cancelled.message_id from cancelled where cancelled.lead_id = stood.merged),
        'decisions', array(
            select explained.decision_id
            from explained
            inner join cancelled on explained.message_id = cancelled.message_id
            where cancelled.lead_id = stood.merged
        )
    )
from stood
inner join redirected on stood.merged = redirected.lead_id
order by stood.merged;

-- name: current_lead
-- Who a lead is now.
select lead_now.current_lead_id
from lead_now
where lead_now.lead_id = %(lead_id)s::bigint;

-- name: records_of
-- A record of each of these leads, for what is made anew of all of a lead's records.
select
    min(source_records.record_id) as record_id,
    lead_now.current_lead_id as lead_id
from source_records
inner join lead_now on source_records.lead_id = lead_now.lead_id
where lead_now.current_lead_id = any(%(leads)s::bigint [])
group by lead_now.current_lead_id;

-- name: unlink_addresses
-- A lead of the batch loses the mailboxes that none of its records names.
with named as (
    select distinct
        batch.lead_id,
        addresses.address_id
    from batch
    inner join lead_now on batch.lead_id = lead_now.current_lead_id
    inner join source_records on lead_now.lead_id = source_records.lead_id
    inner join addresses on lower(source_records.fields ->> 'email') = addresses.address
)

delete from lead_addresses
using batch
where
    lead_addresses.lead_id = batch.lead_id
    and not exists (
        select from named
        where named.lead_id = lead_addresses.lead_id and named.address_id = lead_addresses.address_id
    );

-- name: link_addresses
-- Whose mailboxes they are, by all records of the batch's leads.
insert into lead_addresses (lead_id, address_id, first_seen_at, last_seen_at)
select
    lead_now.current_lead_id,
    addresses.address_id,
    min(source_records.occurred_at) as first_seen_at,
    max(source_records.occurred_at) as last_seen_at
from source_records
inner join lead_now on source_records.lead_id = lead_now.lead_id
inner join addresses on lower(source_records.fields ->> 'email') = addresses.address
where lead_now.current_lead_id in (select batch.lead_id from batch)
group by lead_now.current_lead_id, addresses.address_id
on conflict (lead_id, address_id) do update
set first_seen_at = excluded.first_seen_at, last_seen_at = excluded.last_seen_at;

-- name: drop_batch
-- The leads are filled; another answer in this transaction may fill others.
drop table batch;
