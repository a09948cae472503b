-- name: lock_claims
-- One claim after another, whichever product's: what is in flight, a lead's mails, a company's people and the day's
-- budgets are counted as they stand. A worker that hangs in its claim loses its session: nothing of it was posted. What
-- it runs is planned once a session: judging takes as long to plan as for 700 messages to run.
select
    pg_advisory_xact_lock(7310005),
    set_config('idle_in_transaction_session_timeout', '30s', true),
    set_config('plan_cache_mode', 'force_generic_plan', true);

-- name: recent_answers
-- The product's two newest answers that say whether the provider answers; a refusal does not say that it sends (N3).
select send_requests.status
from send_requests
where send_requests.product = %(product)s::text and send_requests.status in ('accepted', 'unknown', 'settled')
order by
    coalesce(send_requests.answer_number, send_requests.request_id) desc,
    send_requests.status = 'unknown' asc,
    send_requests.request_id desc
limit 2;

-- name: open_requests
-- What an outage that is now, or begins now, may strand: what is in flight, and what nobody knows of where nothing
-- that was claimed after its answer was accepted. And the product's newest of them.
with accepted as (
    select max(send_requests.request_id) as request_id
    from send_requests
    where send_requests.status = 'accepted'
)

select
    coalesce(sum(send_requests.member_count) filter (where send_requests.status = 'in_flight'), 0) as in_flight,
    coalesce(
        sum(send_requests.member_count) filter (
            where
            send_requests.status = 'unknown'
            and coalesce(send_requests.answer_number, send_requests.request_id) >= coalesce(accepted.request_id, 0)
        ),
        0
    ) as unanswered,
    max(send_requests.at) filter (where send_requests.product = %(product)s::text) as newest_at
from send_requests
cross join accepted
where send_requests.status in ('in_flight', 'unknown');
