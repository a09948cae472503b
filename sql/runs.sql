-- name: begin
-- A run has begun: this is how a later look knows which run of a DAG is the newest (N7).
insert into runs (dag, product, as_of, kind, airflow_run)
values (%(dag)s::text, %(product)s::text, %(as_of)s::timestamptz, %(kind)s::text, %(airflow_run)s::text)
returning run_id;

-- name: finish
-- A run has ended, well or not; what failed in it, and why.
update runs
set ended_at = now(), failures = %(failures)s::jsonb
where
    run_id = %(run_id)s::bigint
    and ended_at is null;

-- name: fail
-- Airflow says that a run failed; where its own last tasks could not say of what, this is all that is known.
update runs
set
    ended_at = coalesce(runs.ended_at, now()),
    failures = case when runs.failures = '{}' then jsonb_build_object('', %(why)s::text) else runs.failures end
where
    runs.run_id = (
        select max(same.run_id) from runs as same
        where same.dag = %(dag)s::text and same.airflow_run = %(airflow_run)s::text
    );

-- name: has_newer
-- Whether a run of the same DAG with a later as_of has begun; a backfill spoils nothing, so it does not count (N7).
select exists (
    select from runs
    where
        dag = %(dag)s::text
        and as_of > %(as_of)s::timestamptz
        and kind <> 'backfill'
) as has_newer;

-- name: enter
-- Be alone in a room until the connection closes: a backfill and a scheduled run of one product take turns.
select pg_advisory_lock(hashtextextended(%(room)s::text, 0));

-- name: demo_runs
-- Up to where the demo's history was played, and when it ran live; null where it has not.
select
    max(runs.as_of) filter (where runs.kind = 'history' and runs.ended_at is not null) as played,
    max(runs.as_of) filter (where runs.kind = 'manual') as ran_live
from runs
where runs.product is not null;
