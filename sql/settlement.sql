-- name: give_up
-- A request whose worker is gone: older than the POST's time-out plus 60 s, its answer will not come any more (N3).
with given_up as (
    update send_requests
    set
        status = 'unknown',
        answer = 'no answer was recorded',
        answered_at = %(at)s::timestamptz,
        answer_number = (select max(newest.request_id) from send_requests as newest)
    where
        send_requests.product = %(product)s::text
        and send_requests.status = 'in_flight'
        and send_requests.at <= %(at)s::timestamptz - %(patience)s::interval
    returning send_requests.request_id
)

update messages
set status = 'unknown'
from given_up
inner join send_attempts on given_up.request_id = send_attempts.request_id
where
    messages.message_id = send_attempts.message_id
    and messages.request_id = given_up.request_id
    and messages.status = 'sending';

-- name: unknown_requests
-- What is to be settled: up to three members to look for, and whether the provider has told of it or of a later
-- request (its clock counts whole seconds and may differ from ours: a minute is allowed for).
select
    send_requests.request_id,
    send_requests.at,
    send_requests.member_count,
    (
        select array_agg(members.message_id order by members.message_id)
        from (
            select send_attempts.message_id
            from send_attempts
            where send_attempts.request_id = send_requests.request_id
            order by send_attempts.message_id
            limit 3
        ) as members
    ) as message_ids,
    (
        select array_agg(members.address order by members.message_id)
        from (
            select
                send_attempts.message_id,
                addresses.address
            from send_attempts
            inner join messages on send_attempts.message_id = messages.message_id
            inner join addresses on messages.address_id = addresses.address_id
            where send_attempts.request_id = send_requests.request_id
            order by send_attempts.message_id
            limit 3
        ) as members
    ) as addresses,
    exists (
        select from send_attempts
        inner join events on send_attempts.message_id = events.message_id
        where
            send_attempts.request_id = send_requests.request_id
            and events.occurred_at >= send_requests.at - interval '1 minute'
    ) as has_event,
    exists (
        select from send_requests as later
        inner join send_attempts on later.request_id = send_attempts.request_id
        inner join events on send_attempts.message_id = events.message_id
        where
            later.request_id > send_requests.request_id
            and events.occurred_at >= later.at - interval '1 minute'
    ) as later_has_event
from send_requests
where send_requests.product = %(product)s::text and send_requests.status = 'unknown'
order by send_requests.request_id;

-- name: settle_accepted
-- One accepted member settles its request: every member was taken.
with settled as (
    update send_requests
    set
        status = 'settled',
        settled_at = %(at)s::timestamptz,
        settled_by = %(settled_by)s::text,
        answer_number = (select max(newest.request_id) from send_requests as newest)
    where send_requests.request_id = %(request_id)s::bigint and send_requests.status = 'unknown'
    returning send_requests.request_id, send_requests.at
)

update messages
set status = 'accepted', accepted_at = settled.at
from settled
inner join send_attempts on settled.request_id = send_attempts.request_id
where
    messages.message_id = send_attempts.message_id
    and messages.request_id = settled.request_id
    and messages.status = 'unknown';

-- name: settle_planned
-- It was not taken: its members are planned again, and judged again.
with settled as (
    update send_requests
    set
        status = 'settled',
        settled_at = %(at)s::timestamptz,
        settled_by = %(settled_by)s::text,
        answer_number = (select max(newest.request_id) from send_requests as newest)
    where send_requests.request_id = %(request_id)s::bigint and send_requests.status = 'unknown'
    returning send_requests.request_id
)

update messages
set status = 'planned', request_id = null, content_hash = null, consent_id = null, sent_at = null
from settled
inner join send_attempts on settled.request_id = send_attempts.request_id
where
    messages.message_id = send_attempts.message_id
    and messages.request_id = settled.request_id
    and messages.status = 'unknown';

-- name: settle_cancelled
-- A person decided: never again, whatever became of it.
with settled as (
    update send_requests
    set
        status = 'settled',
        settled_at = %(at)s::timestamptz,
        settled_by = %(settled_by)s::text,
        answer_number = (select max(newest.request_id) from send_requests as newest)
    where send_requests.request_id = %(request_id)s::bigint and send_requests.status = 'unknown'
    returning send_requests.request_id
),

cancelled as (
    update messages
    set status = 'cancelled', ended_reason = 'settled by a person'
    from settled
    inner join send_attempts on settled.request_id = send_attempts.request_id
    where
        messages.message_id = send_attempts.message_id
        and messages.request_id = settled.request_id
        and messages.status = 'unknown'
    returning messages.message_id
)

insert into decisions (message_id, outcome, reason, at)
select
    cancelled.message_id,
    'never',
    'settled by a person: may have been sent',
    %(at)s::timestamptz
from cancelled;

-- name: held
-- Every request that waits for evidence or for a person.
select
    send_requests.request_id,
    send_requests.product,
    send_requests.email,
    send_requests.member_count,
    send_requests.at,
    send_requests.answer
from send_requests
where send_requests.status = 'unknown'
order by send_requests.request_id;
