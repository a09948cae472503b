-- name: begin
-- What is known now: the next refresh looks at whom this snapshot did not see. The cluster tells a restored database.
select
    pg_current_snapshot()::text as snapshot,
    control.system_identifier as cluster
from pg_control_system() as control;

-- name: bases
-- The segments whose last refresh the next one can build on, with their definitions: of this moment or before, in the
-- same zone, and so young that no change since was forgotten.
select
    segment_refreshes.segment,
    segment_refreshes.definition_hash,
    segment_refreshes.as_of,
    segment_refreshes.snapshot::text as snapshot
from segment_refreshes
where
    segment_refreshes.product = %(product)s::text
    and segment_refreshes.as_of = (
        select max(newest.as_of)
        from segment_refreshes as newest
        where newest.product = %(product)s::text
    )
    and segment_refreshes.as_of <= %(as_of)s::timestamptz
    and segment_refreshes.zone = %(zone)s::text
    and segment_refreshes.cluster = %(cluster)s::bigint
    and segment_refreshes.snapshot is not null
    -- a play's twin of the table is told of nothing, so a play looks at everybody
    and to_regclass('lead_changes') = to_regclass('nurture.lead_changes')
    and segment_refreshes.recorded_at > now() - interval '7 days';

-- name: create_touched
-- Whom an incremental refresh looks at: every id of each person, and the lead that they are now.
create temporary table if not exists touched (
    lead_id bigint primary key,
    current_lead_id bigint not null
) on commit delete rows;

-- name: clear_touched
-- Nobody is left of an earlier refresh of the transaction.
truncate touched;

-- name: find_touched
-- Who changed since the last refresh, by what the product's conditions ask for (`kinds`), and whom time alone moves:
-- what lay ahead and has happened since, and what fell out of a window of so many days.
with noted as (
    select lead_changes.lead_id
    from lead_changes
    where
        lead_changes.product in ('*', %(product)s::text)
        and lead_changes.kind = any(%(kinds)s::text [])
        and (
            not pg_visible_in_snapshot(lead_changes.xact, %(snapshot)s::pg_snapshot)
            or (
                lead_changes.counts_from > %(since)s::timestamptz
                and lead_changes.counts_from <= %(as_of)s::timestamptz
            )
        )
),

days as (
    select
        (%(since)s::timestamptz at time zone %(zone)s::text)::date as since,
        (%(as_of)s::timestamptz at time zone %(zone)s::text)::date as today
),

moved as (
    select fallen.lead_id
    from days
    cross join jsonb_to_recordset(%(windows)s::jsonb) as windows (kind text, days integer)
    cross join lateral (
        select signals.lead_id
        from signals
        where
            signals.product = %(product)s::text
            and signals.kind = windows.kind
            and signals.day > days.since - windows.days
            and signals.day <= days.today - windows.days
        order by signals.day -- each window is its own short stretch of the index
        offset 0
    ) as fallen
    union all
    select source_records.lead_id
    from source_records
    where
        %(asks_sources)s::boolean
        and source_records.occurred_at > %(since)s::timestamptz
        and source_records.occurred_at <= %(as_of)s::timestamptz
        and source_records.lead_id is not null
),

people as (
    select coalesce(merged.merged_into, concerned.lead_id) as lead_id
    from (
        select noted.lead_id from noted
        union
        select moved.lead_id from moved
    ) as concerned
    left join leads as merged on concerned.lead_id = merged.lead_id and merged.merged_into is not null
),

everybody as (
    select people.lead_id from people
    union
    select colleagues.lead_id
    from people
    inner join leads on people.lead_id = leads.lead_id
    inner join leads as colleagues on leads.account_id = colleagues.account_id
    where %(asks_accounts)s::boolean and colleagues.merged_into is null
)

insert into touched (lead_id, current_lead_id)
select
    everybody.lead_id,
    everybody.lead_id
from everybody
union all
select
    merged.lead_id,
    merged.merged_into
from leads as merged
inner join everybody on merged.merged_into = everybody.lead_id
where merged.merged_into is not null;

-- name: analyze_touched
-- The planner is to know how few they are.
analyze touched;

-- name: count_leads
-- Looking at a part pays only when it is a small one.
select count(*) from leads;

-- name: forget_changes
-- Changes that no refresh asks for any more: one after more than seven days looks at everybody.
delete from lead_changes
where lead_changes.recorded_at < now() - interval '8 days';
