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

-- name: labels
-- What people answered, by kind of evidence, the commonest first.
select
    review_kinds.kind,
    count(*) filter (where review_kinds.answer = 'yes') as yes_count,
    count(*) filter (where review_kinds.answer = 'no') as no_count,
    count(*) filter (where review_kinds.answer = 'not_sure') as not_sure_count,
    count(*) filter (where review_kinds.answer is null) as waiting_count
from review_kinds
group by review_kinds.kind
order by count(*) desc, review_kinds.kind asc;
