-- name: open_reviews
-- The pairs that wait for an answer, the surest first, side by side as their leads are shown now.
select
    match_reviews.review_id,
    match_reviews.evidence,
    match_reviews.answer,
    side.letter,
    side.lead_id,
    side.source,
    side.source_key,
    side.occurred_at,
    side.fields
from match_reviews
cross join lateral (
    select
        case when source_records.record_id = match_reviews.record_a then 'a' else 'b' end as letter,
        lead_now.current_lead_id as lead_id,
        source_records.source,
        source_records.source_key,
        source_records.occurred_at,
        source_records.fields
    from source_records
    inner join lead_now on source_records.lead_id = lead_now.lead_id
    where source_records.record_id in (match_reviews.record_a, match_reviews.record_b)
) as side
where
    match_reviews.review_id in (
        select waiting.review_id
        from match_reviews as waiting
        inner join source_records as one on waiting.record_a = one.record_id
        inner join source_records as other on waiting.record_b = other.record_id
        inner join lead_now as one_now on one.lead_id = one_now.lead_id
        inner join lead_now as other_now on other.lead_id = other_now.lead_id
        where waiting.answer is null and one_now.current_lead_id <> other_now.current_lead_id
        order by (waiting.evidence ->> 'weight')::numeric desc nulls last, waiting.review_id asc
        limit %(at_most)s::integer
    )
order by (match_reviews.evidence ->> 'weight')::numeric desc nulls last, match_reviews.review_id asc, side.letter asc;

-- name: answer_review
-- A person's answer; it may be changed until it has merged somebody.
update match_reviews
set
    answer = %(answer)s::text,
    answered_by = %(answered_by)s::text,
    answered_at = %(at)s::timestamptz
where
    match_reviews.review_id = %(review_id)s::bigint
    and match_reviews.answer is distinct from 'yes'
returning match_reviews.record_a, match_reviews.record_b;

-- name: leads_of_records
-- Whose two records are now.
select distinct lead_now.current_lead_id
from source_records
inner join lead_now on source_records.lead_id = lead_now.lead_id
where source_records.record_id in (%(record_a)s::bigint, %(record_b)s::bigint)
order by lead_now.current_lead_id;

-- name: said_apart
-- Whether a person has said that two leads are two people: some record of one and some of the other.
select 1 as apart
from match_reviews
inner join source_records as one on match_reviews.record_a = one.record_id
inner join source_records as other on match_reviews.record_b = other.record_id
inner join lead_now as one_now on one.lead_id = one_now.lead_id
inner join lead_now as other_now on other.lead_id = other_now.lead_id
where
    match_reviews.answer = 'no'
    and one_now.current_lead_id in (%(lead_a)s::bigint, %(lead_b)s::bigint)
    and other_now.current_lead_id in (%(lead_a)s::bigint, %(lead_b)s::bigint)
    and one_now.current_lead_id <> other_now.current_lead_id
order by match_reviews.review_id
limit 1;

-- name: insert_decided_edge
-- A person's yes is why two records are one's.
insert into match_edges (record_a, record_b, rule, decided_by)
values (%(record_a)s::bigint, %(record_b)s::bigint, 'review', %(decided_by)s::text)
on conflict (record_a, record_b, rule) do update
set is_active = true, decided_by = excluded.decided_by;

-- name: newest_merge
-- The newest merge of a lead that was not undone, whichever side of it the lead was on.
select
    "merges".merge_id,
    "merges".survivor_id,
    "merges".merged_id,
    "merges".merged_at
from "merges"
inner join lead_now on "merges".survivor_id = lead_now.lead_id
where
    "merges".undone_at is null
    and (%(lead_id)s::bigint in ("merges".survivor_id, "merges".merged_id)
        or lead_now.current_lead_id = %(lead_id)s::bigint)
order by "merges".merged_at desc, "merges".merge_id desc
limit 1;

-- name: undo_merge
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

-- name: deactivate_edges
-- What joined the two is no reason any more.
update match_edges
set is_active = false
from source_records as one, source_records as other, lead_now as one_now, lead_now as other_now
where
    match_edges.is_active
    and match_edges.record_a = one.record_id
    and match_edges.record_b = other.record_id
    and one.lead_id = one_now.lead_id
    and other.lead_id = other_now.lead_id
    and one_now.current_lead_id <> other_now.current_lead_id
    and one_now.current_lead_id in (%(survivor)s::bigint, %(merged)s::bigint)
    and other_now.current_lead_id in (%(survivor)s::bigint, %(merged)s::bigint);

-- name: say_apart
-- The two are two people for ever: a no about a record of each.
with ends as (
    select
        lead_now.current_lead_id,
        min(source_records.record_id) as record_id
    from source_records
    inner join lead_now on source_records.lead_id = lead_now.lead_id
    where lead_now.current_lead_id in (%(survivor)s::bigint, %(merged)s::bigint)
    group by lead_now.current_lead_id
)

insert into match_reviews (record_a, record_b, evidence, answer, answered_by, answered_at)
select
    min(ends.record_id),
    max(ends.record_id),
    jsonb_build_object('rule', 'unmerged'),
    'no',
    %(answered_by)s::text,
    %(at)s::timestamptz
from ends
having count(*) = 2
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

-- name: records_of
-- A record of each of these leads, for what is made anew of all of a lead's records.
select
    min(source_records.record_id) as record_id,
    lead_now.current_lead_id as lead_id
from source_records
inner join lead_now on source_records.lead_id = lead_now.lead_id
where lead_now.current_lead_id = any(%(leads)s::bigint [])
group by lead_now.current_lead_id;

-- name: current_lead
-- Who a lead is now.
select lead_now.current_lead_id
from lead_now
where lead_now.lead_id = %(lead_id)s::bigint;

-- name: drop_batch
-- The leads are filled; another answer in this transaction may fill others.
drop table batch;
