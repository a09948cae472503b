-- name: enter
-- One refresh of a product at a time: a row that it alone can write need not be asked for when it is written. A play
-- writes to a twin of the table, and waits for nobody.
select pg_advisory_xact_lock(7310006, hashtext(%(product)s::text))
where to_regclass('segment_members') = to_regclass('nurture.segment_members');

-- name: refresh
-- Make membership equal to the audience, among everybody or those who were touched: add who joined, close who left.
-- The newest run only (N7).
with departed as (
    update segment_members
    set left_at = greatest(%(as_of)s::timestamptz, segment_members.joined_at)
    where
        segment_members.product = %(product)s::text
        and segment_members.segment = %(segment)s::text
        and segment_members.left_at is null
        and (
            %(is_full)s::boolean
            or segment_members.lead_id in (select touched.lead_id from touched)
        )
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
    where not exists (
        select from segment_members as members
        where
            members.product = %(product)s::text
            and members.segment = %(segment)s::text
            and members.lead_id = audience.lead_id
            and members.left_at is null
    )
    returning segment_members.lead_id
)

select
    (select count(*) from joined) as joined,
    (select count(*) from departed) as departed;

-- name: count_members
-- How many are in a segment now.
select count(*)
from segment_members
where
    segment_members.product = %(product)s::text
    and segment_members.segment = %(segment)s::text
    and segment_members.left_at is null;

-- name: record_refresh
-- What the refresh found. The same moment again adds what changed since; if nothing did, the row stays as it is.
insert into segment_refreshes (
    product, segment, as_of, definition_hash, zone, is_full, size, joined, departed, snapshot, cluster
)
values (
    %(product)s::text,
    %(segment)s::text,
    %(as_of)s::timestamptz,
    %(definition_hash)s::text,
    %(zone)s::text,
    %(is_full)s::boolean,
    %(size)s::integer,
    %(joined)s::integer,
    %(departed)s::integer,
    %(snapshot)s::pg_snapshot,
    %(cluster)s::bigint
)
on conflict (product, segment, as_of) do update
set
    definition_hash = excluded.definition_hash,
    zone = excluded.zone,
    is_full = excluded.is_full,
    size = excluded.size,
    joined = segment_refreshes.joined + excluded.joined,
    departed = segment_refreshes.departed + excluded.departed,
    snapshot = excluded.snapshot,
    cluster = excluded.cluster,
    recorded_at = excluded.recorded_at
where
    excluded.joined > 0
    or excluded.departed > 0
    or segment_refreshes.snapshot is null
    or (segment_refreshes.definition_hash, segment_refreshes.zone, segment_refreshes.cluster)
    <> (excluded.definition_hash, excluded.zone, excluded.cluster);

-- name: break_later
-- A refresh of an earlier moment leaves none of a later one to build on.
update segment_refreshes
set snapshot = null
where
    segment_refreshes.product = %(product)s::text
    and segment_refreshes.as_of > %(as_of)s::timestamptz
    and segment_refreshes.snapshot is not null;

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

-- name: newest_refreshes
-- Each segment's size at a moment, and who joined and left in the run that found it.
select distinct on (segment_refreshes.segment)
    segment_refreshes.segment,
    segment_refreshes.as_of,
    segment_refreshes.size,
    segment_refreshes.joined,
    segment_refreshes.departed
from segment_refreshes
where
    segment_refreshes.product = %(product)s::text
    and segment_refreshes.as_of <= %(as_of)s::timestamptz
    and (%(segment)s::text is null or segment_refreshes.segment = %(segment)s::text)
order by segment_refreshes.segment asc, segment_refreshes.as_of desc;

-- name: count_at
-- How many were in a segment at a moment: read, not recomputed (N7).
select count(*)
from segment_members
where
    segment_members.product = %(product)s::text
    and segment_members.segment = %(segment)s::text
    and segment_members.joined_at <= %(as_of)s::timestamptz
    and (segment_members.left_at is null or segment_members.left_at > %(as_of)s::timestamptz);

-- name: sample
-- Some of those who were in a segment at a moment, the newest first.
select
    leads.lead_id,
    leads.company,
    leads.name,
    leads.department_function,
    leads.title_level,
    segment_members.joined_at,
    segment_members.left_at
from segment_members
inner join leads on segment_members.lead_id = leads.lead_id
where
    segment_members.product = %(product)s::text
    and segment_members.segment = %(segment)s::text
    and segment_members.joined_at <= %(as_of)s::timestamptz
    and (segment_members.left_at is null or segment_members.left_at > %(as_of)s::timestamptz)
order by segment_members.joined_at desc, segment_members.lead_id asc
limit %(number)s::integer;

-- name: read_only
-- A look at what would be cannot change what is.
select set_config('transaction_read_only', 'on', true);

-- name: last_definitions
-- What each segment of a product's newest run asked for.
select
    segment_refreshes.segment,
    definitions.body
from segment_refreshes
inner join definitions on segment_refreshes.definition_hash = definitions.definition_hash
where
    segment_refreshes.product = %(product)s::text
    and segment_refreshes.as_of = (
        select max(newest.as_of)
        from segment_refreshes as newest
        where newest.product = %(product)s::text
    )
order by segment_refreshes.segment;
