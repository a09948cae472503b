-- name: known_shared
-- The keys of these leads that several people have.
select distinct
    identities.kind,
    identities.value
from identities
inner join lead_now on identities.lead_id = lead_now.lead_id
where
    identities.is_shared and identities.closed_at is null
    and lead_now.current_lead_id in (select unnest(%(leads)s::bigint []));

-- name: held_by
-- Why these records are of one lead with others; a merge holds until it is undone.
with parts as (
    select
        lead_now.current_lead_id,
        min(source_records.record_id) as record_id
    from source_records
    inner join lead_now on source_records.lead_id = lead_now.lead_id
    where source_records.record_id = any(%(records)s::bigint [])
    group by lead_now.current_lead_id, source_records.lead_id
)

select
    match_edges.record_a,
    match_edges.record_b,
    match_edges.rule
from match_edges
where
    match_edges.is_active
    and match_edges.record_a = any(%(records)s::bigint []) and match_edges.record_b = any(%(records)s::bigint [])
union all
select
    one.record_id as record_a,
    other.record_id as record_b,
    'merged' as rule
from parts as one
inner join parts as other on one.current_lead_id = other.current_lead_id and one.record_id < other.record_id;

-- name: move_records
-- The records that were parted from a lead go to their own.
update source_records
set lead_id = moved.lead_id
from unnest(%(records)s::bigint [], %(leads)s::bigint []) as moved (record_id, lead_id)
where source_records.record_id = moved.record_id;

-- name: move_identities
-- The keys of records that were parted from a lead go with them.
with keys as (
    select
        moved.kind,
        moved.value,
        moved.name_key,
        moved.lead_id
    from jsonb_to_recordset(%(keys)s::jsonb) as moved (kind text, value text, name_key text, lead_id bigint)
)

update identities
set lead_id = keys.lead_id
from keys, lead_now
where
    identities.kind = keys.kind and identities.value = keys.value and identities.name_key = keys.name_key
    and identities.closed_at is null
    and identities.lead_id = lead_now.lead_id and lead_now.current_lead_id = any(%(leads)s::bigint []);

-- name: deactivate_parted_edges
-- What joined records that are two people's now is no reason any more.
update match_edges
set is_active = false
from source_records as one, source_records as other, lead_now as one_now, lead_now as other_now
where
    match_edges.is_active
    and (match_edges.record_a = any(%(records)s::bigint []) or match_edges.record_b = any(%(records)s::bigint []))
    and match_edges.record_a = one.record_id
    and match_edges.record_b = other.record_id
    and one.lead_id = one_now.lead_id
    and other.lead_id = other_now.lead_id
    and one_now.current_lead_id <> other_now.current_lead_id;

-- name: insert_splits
-- Which lead was parted, who took records from it, and why.
insert into splits (lead_id, parted_id, reason, as_of) values %(values)s;
