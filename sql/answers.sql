-- name: record_accepted
-- The provider took the request; that outranks a giving-up that came before its answer.
with answered as (
    update send_requests
    set
        status = 'accepted',
        answer = %(answer)s::text,
        answered_at = %(at)s::timestamptz,
        answer_number = (select max(newest.request_id) from send_requests as newest),
        provider_request_id = %(provider_request_id)s::text
    where send_requests.request_id = %(request_id)s::bigint and send_requests.status in ('in_flight', 'unknown')
    returning send_requests.request_id
)

update messages
set status = 'accepted', accepted_at = %(at)s::timestamptz
from answered
inner join send_attempts on answered.request_id = send_attempts.request_id
where
    messages.message_id = send_attempts.message_id
    and messages.request_id = answered.request_id
    and messages.status in ('sending', 'unknown');

-- name: record_unknown
-- Nobody knows what became of the request (N3).
with answered as (
    update send_requests
    set
        status = 'unknown',
        answer = %(answer)s::text,
        answered_at = %(at)s::timestamptz,
        answer_number = (select max(newest.request_id) from send_requests as newest)
    where send_requests.request_id = %(request_id)s::bigint and send_requests.status = 'in_flight'
    returning send_requests.request_id
)

update messages
set status = 'unknown'
from answered
inner join send_attempts on answered.request_id = send_attempts.request_id
where
    messages.message_id = send_attempts.message_id
    and messages.request_id = answered.request_id
    and messages.status = 'sending';

-- name: record_not_sent
-- The provider said no, or was not reached: the bad recipients are refused, the rest is planned as before.
with answered as (
    update send_requests
    set
        status = case when cardinality(%(refused)s::bigint []) > 0 then 'refused' else 'returned' end,
        answer = %(answer)s::text,
        answered_at = %(at)s::timestamptz,
        answer_number = (select max(newest.request_id) from send_requests as newest)
    where send_requests.request_id = %(request_id)s::bigint and send_requests.status in ('in_flight', 'unknown')
    returning send_requests.request_id, send_requests.product, send_requests.sending_domain
),

refused as (
    update messages
    set status = 'refused'
    from answered
    inner join send_attempts on answered.request_id = send_attempts.request_id
    where
        messages.message_id = send_attempts.message_id
        and messages.request_id = answered.request_id
        and messages.status in ('sending', 'unknown')
        and messages.message_id = any(%(refused)s::bigint [])
    returning messages.message_id
),

returned as (
    update messages
    set status = 'planned', request_id = null, content_hash = null, consent_id = null, sent_at = null
    from answered
    inner join send_attempts on answered.request_id = send_attempts.request_id
    where
        messages.message_id = send_attempts.message_id
        and messages.request_id = answered.request_id
        and messages.status in ('sending', 'unknown')
        and not (messages.message_id = any(%(refused)s::bigint []))
    returning messages.message_id
),

given_back as (
    update budgets
    set claimed = greatest(budgets.claimed - (select count(*) from returned), 0)
    from answered
    where
        budgets.day = %(day)s::date
        and (
            (budgets.scope = 'product' and budgets.key = answered.product)
            or (budgets.scope = 'domain' and budgets.key = answered.sending_domain)
        )
),

explained as (
    insert into decisions (message_id, outcome, reason, at)
    select
        refused.message_id,
        'never',
        'refused: ' || %(answer)s::text,
        %(at)s::timestamptz
    from refused
)

select
    (select count(*) from refused) as refused,
    (select count(*) from returned) as returned;
