-- name: refresh
-- Make membership equal to the audience: add who joined, close who left. The newest run only (N7).
with departed as (
    update segment_members
    set left_at = greatest(%(as_of)s::timestamptz, segment_members.joined_at)
    where
        segment_members.product = %(product)s::text
        and segment_members.segment = %(segment)s::text
        and segment_members.left_at is null
        and not exists (select from audience where audience.lead_id = segment_members.lead_id)
    returning segment_members.lead_id
),

joined as (
    insert into segment_members (product, segment, lead_id, definition_hash, joined_at)
    select
        %(product)s::text,
        %(segment)s::text,
        audience.lead_id,
        %(definition_hash)s::text,
        %(as_of)s::timestamptz
    from audience
    on conflict (product, segment, lead_id) where left_at is null do nothing
    returning segment_members.lead_id
)

select
    (select count(*) from audience) as size,
    (select count(*) from joined) as joined,
    (select count(*) from departed) as departed;

-- name: close_removed
-- A segment that the product no longer defines has no members: its scenario's enrollments end with it.
update segment_members
set left_at = greatest(%(as_of)s::timestamptz, segment_members.joined_at)
where
    segment_members.product = %(product)s::text
    and not (segment_members.segment = any(%(segments)s::text []))
    and segment_members.left_at is null;

-- name: compare
-- What membership would have been beside what it was recorded to be at as_of; changes nothing (N7).
with recorded as (
    select segment_members.lead_id
    from segment_members
    where
        segment_members.product = %(product)s::text
        and segment_members.segment = %(segment)s::text
        and segment_members.joined_at <= %(as_of)s::timestamptz
        and (segment_members.left_at is null or segment_members.left_at > %(as_of)s::timestamptz)
)

select
    (select count(*) from audience) as size,
    (
        select count(*)
        from audience
        where not exists (select from recorded where recorded.lead_id = audience.lead_id)
    ) as joined,
    (
        select count(*)
        from recorded
        where not exists (select from audience where audience.lead_id = recorded.lead_id)
    ) as departed;

-- name: sizes
-- How many are in each of a product's segments now, and how many joined and left within the last day.
select
    segment_members.segment,
    count(*) filter (where segment_members.left_at is null) as size,
    count(*) filter (where segment_members.joined_at > %(as_of)s::timestamptz - interval '1 day') as joined,
    count(*) filter (where segment_members.left_at > %(as_of)s::timestamptz - interval '1 day') as departed
from segment_members
where segment_members.product = %(product)s::text
group by segment_members.segment
order by segment_members.segment;
