-- name: account_evidence
-- What earlier records say of the keys by which these would be a company's.
with keys as (
    select
        wanted.kind,
        wanted.value
    from jsonb_to_recordset(%(keys)s::jsonb) as wanted (kind text, value text)
)

select
    account_evidence.kind,
    account_evidence.value,
    coalesce(survivors.account_key, account_evidence.account_key) as account_key,
    account_evidence.record_count
from keys
inner join account_evidence on keys.kind = account_evidence.kind and keys.value = account_evidence.value
left join accounts on account_evidence.account_key = accounts.account_key and accounts.merged_into is not null
left join accounts as survivors on accounts.merged_into = survivors.account_id;

-- name: account_sizes
-- How many records each of these accounts has.
select
    account_evidence.account_key,
    account_evidence.record_count
from account_evidence
where account_evidence.kind = 'account' and account_evidence.value = any(%(accounts)s::text []);

-- name: add_account_evidence
-- What this batch says of companies.
insert into account_evidence (kind, value, account_key, record_count) values %(values)s
on conflict (kind, value, account_key) do update
set record_count = account_evidence.record_count + excluded.record_count;

-- name: name_readings
-- What the parts of kanji names are read as: these parts, or all.
select
    name_readings.part,
    name_readings.written,
    name_readings.reading,
    name_readings.shown_count
from name_readings
where %(written)s::text [] is null
    or (name_readings.part in ('last', 'first') and name_readings.written = any(%(written)s::text []));

-- name: add_name_readings
-- What this batch shows of readings.
insert into name_readings (part, written, reading, shown_count) values %(values)s
on conflict (part, written, reading) do update
set shown_count = name_readings.shown_count + excluded.shown_count;

-- name: name_parts
-- How often the parts of names occur: these parts, or all.
select
    name_parts.part,
    name_parts.written,
    name_parts.record_count
from name_parts
where %(written)s::text [] is null
    or (name_parts.part in ('last', 'first', 'word', 'all') and name_parts.written = any(%(written)s::text []));

-- name: add_name_parts
-- What this batch counts of them.
insert into name_parts (part, written, record_count) values %(values)s
on conflict (part, written) do update
set record_count = name_parts.record_count + excluded.record_count;

-- name: known_records
-- Every record of the leads that share a block with the batch, oldest first. A block of more than `most` says nothing;
-- of a key, whose `most` is negative, so many of the oldest are enough to see that it is shared.
with found as (
    select looked_up.record_id
    from unnest(%(blocks)s::bigint [], %(most)s::smallint []) as wanted (block, most)
    cross join lateral ( -- noqa: ST05
        select
            sharing.record_id,
            count(*) over () as record_count
        from (
            select match_keys.record_id
            from match_keys
            where match_keys.block = wanted.block
            order by match_keys.block asc, match_keys.record_id asc
            limit abs(wanted.most) + 1
        ) as sharing
    ) as looked_up
    where looked_up.record_count <= wanted.most or wanted.most < 0
    union
    select earlier.record_id
    from source_records as new
    inner join source_records as earlier on new.source = earlier.source and new.source_key = earlier.source_key
    where new.record_id in (select unnest(%(records)s::bigint [])) and earlier.lead_id is not null
),

touched as (
    select distinct lead_now.current_lead_id
    from found
    inner join source_records on found.record_id = source_records.record_id
    inner join lead_now on source_records.lead_id = lead_now.lead_id
)

select
    source_records.record_id,
    source_records.source || '/' || source_records.source_key as source_key,
    touched.current_lead_id as lead_id,
    accounts.account_key,
    source_records.keys ->> 'name' as name_key,
    source_records.fields ->> 'last_name' as last_name,
    source_records.fields ->> 'first_name' as first_name,
    source_records.fields ->> 'name' as full_name,
    coalesce(source_records.fields ->> 'kana', source_records.keys ->> 'kana') as kana,
    source_records.keys ->> 'crm_id' as crm_id,
    case when source_records.keys -> 'is_role' is null then source_records.keys ->> 'email' end as mailbox,
    source_records.keys ->> 'domain' as domain,
    source_records.keys ->> 'mobile' as mobile,
    source_records.keys ->> 'phone' as phone,
    source_records.keys ->> 'company' as company,
    source_records.keys ->> 'corporate_number' as corporate_number,
    coalesce(source_records.fields ->> 'postal_code', source_records.fields ->> 'region') as place
from touched
inner join leads on touched.current_lead_id = coalesce(leads.merged_into, leads.lead_id)
inner join source_records on leads.lead_id = source_records.lead_id
left join accounts on source_records.account_id = accounts.account_id
order by source_records.record_id;

-- name: take_records_to_judge
-- The records that are judged again with this batch.
delete from records_to_judge
returning records_to_judge.record_id;

-- name: records_of_blocks
-- The records that are found by these blocks.
select match_keys.record_id
from match_keys
where match_keys.block = any(%(blocks)s::bigint []);

-- name: known_reviews
-- What was asked of these records before, and what the answer was. Of `any` the planner weighs each number: 0.5 s.
select
    match_reviews.record_a,
    match_reviews.record_b,
    match_reviews.answer
from match_reviews
where
    match_reviews.record_a in (select unnest(%(records)s::bigint []))
    and match_reviews.record_b in (select unnest(%(records)s::bigint []));

-- name: copy_match_keys
-- By what the batch's records are found again.
copy match_keys (block, record_id) from stdin;

-- name: add_match_keys
-- By what else records are found that were judged again.
insert into match_keys (block, record_id)
select
    added.block,
    added.record_id
from unnest(%(blocks)s::bigint [], %(records)s::bigint []) as added (block, record_id)
where not exists (
    select from match_keys where match_keys.block = added.block and match_keys.record_id = added.record_id
);

-- name: create_joined
-- What the batch joined.
create temporary table joined (
    record_a bigint not null,
    record_b bigint not null,
    rule text not null,
    weight numeric
) on commit drop;

-- name: copy_joined
-- The edges of the batch.
copy joined (record_a, record_b, rule, weight) from stdin;

-- name: insert_match_edges
-- Why two records are one person's.
insert into match_edges (record_a, record_b, rule, weight)
select
    joined.record_a,
    joined.record_b,
    joined.rule,
    joined.weight
from joined
on conflict (record_a, record_b, rule) do nothing;

-- name: insert_match_reviews
-- Pairs that a person must decide on; one that was asked is not asked again.
insert into match_reviews (record_a, record_b, evidence) values %(values)s
on conflict (record_a, record_b) do nothing;

-- name: trim_reviews
-- What nobody has answered stays only if it is among the best questions of all batches, so many as somebody can
-- answer, one at least, and if its kind of evidence was not a no every time.
with answers as (
    select
        review_kinds.kind,
        count(*) filter (where review_kinds.answer = 'yes') as yes_count,
        count(*) filter (where review_kinds.answer = 'no') as no_count
    from review_kinds
    group by review_kinds.kind
),

waiting as (
    select
        review_kinds.review_id,
        row_number() over (order by review_kinds.weight desc nulls last, review_kinds.review_id asc) as place,
        answers.yes_count = 0 and answers.no_count >= %(enough)s::integer as is_vain
    from review_kinds
    inner join answers on review_kinds.kind = answers.kind
    where review_kinds.answer is null
),

allowed as (
    select
        greatest(
            1,
            coalesce(max(name_parts.record_count), 0) * %(per_1000)s::integer / 1000
            - (select count(*) from match_reviews where match_reviews.answer is not null)
        ) as number
    from name_parts
    where name_parts.part = 'all'
)

delete from match_reviews
using waiting, allowed
where match_reviews.review_id = waiting.review_id and (waiting.place > allowed.number or waiting.is_vain);

-- name: mark_shared_identities
-- A key that several people have identifies none of them.
with keys as (
    select
        wanted.kind,
        wanted.value
    from jsonb_to_recordset(%(keys)s::jsonb) as wanted (kind text, value text)
)

update identities
set is_shared = true
from keys
where
    identities.kind = keys.kind and identities.value = keys.value
    and identities.closed_at is null and not identities.is_shared;
