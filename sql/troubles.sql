-- name: failed_tasks
-- What failed in the newest ended run of each DAG, and how many mails of the product are due and unsent for it. A
-- backfill is watched by who started it.
with newest_runs as (
    select distinct on (runs.dag)
        runs.dag,
        runs.product,
        runs.as_of,
        runs.failures
    from runs
    where
        runs.ended_at is not null
        and runs.kind not in ('backfill', 'history')
        and runs.begun_at > %(at)s::timestamptz - interval '35 days'
    order by runs.dag asc, runs.run_id desc
),

failures as (
    select
        newest_runs.dag,
        newest_runs.as_of,
        coalesce(newest_runs.product, nullif(split_part(failure.task, '.', 1), failure.task)) as product,
        failure.task,
        failure.why
    from newest_runs
    cross join lateral jsonb_each_text(newest_runs.failures) as failure (task, why)
)

select
    failures.dag,
    failures.product,
    failures.as_of,
    failures.task,
    failures.why,
    (
        select count(*)
        from messages
        where
            messages.product = failures.product
            and messages.sent_at is null
            and messages.ended_reason is null
            and messages.due_at <= %(at)s::timestamptz
            and right(failures.task, 4) = 'send'
    ) as unsent
from failures
order by failures.dag, failures.task;

-- name: missed_runs
-- DAGs that have run by their schedule before, and whose newest moment passed without a run.
select
    expected.dag,
    expected.product,
    expected.as_of,
    known_runs.newest_as_of
from jsonb_to_recordset(%(expected)s::jsonb) as expected (dag text, product text, as_of timestamptz)
cross join lateral (
    select
        max(runs.as_of) as newest_as_of,
        coalesce(bool_or(runs.kind = 'scheduled'), false) as is_scheduled
    from runs
    where runs.dag = expected.dag and runs.kind not in ('backfill', 'history')
) as known_runs
where known_runs.is_scheduled and known_runs.newest_as_of < expected.as_of;

-- name: stuck_runs
-- Runs that began long ago and have not ended, nor has a later one of their DAG.
select
    runs.dag,
    runs.product,
    runs.as_of,
    min(runs.begun_at) as begun_at
from runs
where
    runs.ended_at is null
    and runs.kind not in ('backfill', 'history')
    and runs.begun_at <= %(at)s::timestamptz - %(patience)s::interval
    and runs.begun_at > %(at)s::timestamptz - interval '35 days'
    and not exists (
        select from runs as later
        where later.dag = runs.dag and later.run_id > runs.run_id and later.ended_at is not null
    )
group by runs.dag, runs.product, runs.as_of;

-- name: old_unknowns
-- Requests of which nobody knows whether they were taken, older than the grace in which evidence comes by itself (N3).
select
    send_requests.product,
    count(*) as requests,
    sum(send_requests.member_count) as mails,
    min(send_requests.at) as oldest_at,
    min(send_requests.request_id) as request_id,
    max(coalesce(send_requests.answer, 'no answer was recorded')) as answer
from send_requests
where
    send_requests.status in ('in_flight', 'unknown')
    and send_requests.at <= %(at)s::timestamptz - %(grace)s::interval
group by send_requests.product;

-- name: passed_entries
-- Plan entries whose day has passed, with how many of their mails are due and unsent, how many have expired, and why
-- one of them has; an entry that was never planned, although the product was nurtured before its day, has none at all.
select
    entries.product,
    entries.entry,
    entries.day,
    counted.mails,
    counted.unsent,
    counted.expired,
    newest_decision.reason
from jsonb_to_recordset(%(entries)s::jsonb) as entries (product text, entry text, day date, passed_at timestamptz)
cross join lateral (
    select
        count(*) as mails,
        count(*) filter (
            where
            messages.sent_at is null and messages.ended_reason is null and messages.due_at <= %(at)s::timestamptz
        ) as unsent,
        count(*) filter (where messages.status = 'expired') as expired,
        min(messages.message_id) filter (
            where messages.status = 'expired'
            or (messages.sent_at is null and messages.ended_reason is null and messages.due_at <= %(at)s::timestamptz)
        ) as example_id
    from messages
    where messages.product = entries.product and messages.occasion = 'plan/' || entries.entry
) as counted
left join lateral (
    select decisions.reason
    from decisions
    where decisions.message_id = counted.example_id and decisions.reason <> 'expired'
    order by decisions.decision_id desc
    limit 1
) as newest_decision on true
where
    counted.unsent + counted.expired > 0
    or (
        counted.mails = 0
        and not exists (
            select from definitions
            where
                definitions.product = entries.product
                and definitions.part = 'plan'
                and definitions.name = entries.entry
        )
        and exists (
            select from runs
            where
                runs.product = entries.product
                and runs.kind = 'scheduled'
                and runs.as_of < entries.passed_at - interval '1 day'
        )
    )
order by entries.product, entries.day, entries.entry;

-- name: waiting_approvals
-- Content that waits for a person, by product.
select
    approvals.product,
    count(*) as questions,
    sum(approvals.audience_size) as mails,
    min(approvals.asked_at) as oldest_at
from approvals
where approvals.answer is null
group by approvals.product;
