-- name: hold
-- Hold sending; a hold that is open already takes the later end and the newer words.
insert into holds (scope, key, reason, evidence, began_at, until)
values (
    %(scope)s::text, %(key)s::text, %(reason)s::text, %(evidence)s::text, %(at)s::timestamptz, %(until)s::timestamptz
)
on conflict (scope, key, reason) where ended_at is null do update
set
    evidence = excluded.evidence,
    until = case when excluded.until is not null then greatest(holds.until, excluded.until) end
returning holds.hold_id;

-- name: open_holds
-- What holds a product's sending from a domain at a moment, what only a person ends first.
select
    holds.hold_id,
    holds.scope,
    holds.key,
    holds.reason,
    holds.evidence,
    holds.began_at,
    holds.until
from holds
where
    holds.ended_at is null
    and (holds.until is null or holds.until > %(at)s::timestamptz)
    and (
        holds.scope = 'everything'
        or (holds.scope = 'product' and holds.key = %(product)s::text)
        or (holds.scope = 'domain' and holds.key = %(domain)s::text)
    )
order by holds.until desc nulls first, holds.hold_id asc;

-- name: every_hold
-- All that holds sending now.
select
    holds.hold_id,
    holds.scope,
    holds.key,
    holds.reason,
    holds.evidence,
    holds.began_at,
    holds.until
from holds
where holds.ended_at is null and (holds.until is null or holds.until > %(at)s::timestamptz)
order by holds.hold_id;

-- name: resume
-- A person ends holds: of a product, of a domain, or of everything (then all of them).
update holds
set ended_at = %(at)s::timestamptz, ended_by = %(who)s::text
where
    holds.ended_at is null
    and (
        %(scope)s::text = 'everything'
        or (holds.scope = %(scope)s::text and holds.key = %(key)s::text)
    )
    and (%(reason)s::text is null or holds.reason = %(reason)s::text)
returning holds.scope, holds.key, holds.reason;

-- name: explain_held
-- What is due and held says so, once (N5); it stays due, and goes when the hold ends.
with due as (
    select messages.message_id
    from messages
    left join chosen on messages.message_id = chosen.message_id
    where
        messages.product = %(product)s::text
        and messages.sent_at is null
        and messages.ended_reason is null
        and messages.due_at <= %(as_of)s::timestamptz
        and (%(email)s::text is null or messages.email = %(email)s::text)
        and (%(occasion)s::text is null or messages.occasion = %(occasion)s::text)
        and (%(variant)s::text is null or chosen.variant = %(variant)s::text)
),

explained as (
    insert into decisions (message_id, outcome, reason, until, at)
    select
        due.message_id,
        'not_now',
        %(reason)s::text,
        %(until)s::timestamptz,
        %(at)s::timestamptz
    from due
    where not exists (
        select from decisions
        where
            decisions.message_id = due.message_id
            and decisions.reason = %(reason)s::text
            and decisions.decision_id
            = (select max(newest.decision_id) from decisions as newest where newest.message_id = due.message_id)
    )
)

select count(*) as held from due;

-- name: rates
-- What became of the mails of a product, or of a sending domain, since a moment and since the last resume: of how
-- many accepted, and how many refused. What one outage may leave without an answer is no error: a probe ends it (N3).
with since as (
    select
        greatest(
            %(at)s::timestamptz - %(within)s::interval,
            (
                select max(holds.ended_at)
                from holds
                where
                    holds.scope = %(scope)s::text
                    and holds.key = %(key)s::text
                    and holds.reason = 'stopped'
                    and holds.ended_at <= %(at)s::timestamptz
            )
        ) as moment
),

requests as (
    select
        send_requests.request_id,
        send_requests.member_count,
        send_requests.status
    from send_requests
    cross join since
    where
        send_requests.at > since.moment
        and send_requests.at <= %(at)s::timestamptz
        and (
            (%(scope)s::text = 'product' and send_requests.product = %(key)s::text)
            or (%(scope)s::text = 'domain' and send_requests.sending_domain = %(key)s::text)
        )
),

reactions as (
    select
        events.type,
        count(distinct events.message_id) as number
    from requests
    inner join send_attempts on requests.request_id = send_attempts.request_id
    inner join messages
        on send_attempts.message_id = messages.message_id and requests.request_id = messages.request_id
    inner join events on messages.message_id = events.message_id
    where requests.status in ('accepted', 'settled') and events.type in ('bounced', 'complained', 'blocked')
    group by events.type
),

refusals as (
    select count(*) as number
    from requests
    inner join send_attempts on requests.request_id = send_attempts.request_id
    inner join messages
        on send_attempts.message_id = messages.message_id and requests.request_id = messages.request_id
    where requests.status = 'refused' and messages.status = 'refused'
)

select
    coalesce(sum(requests.member_count) filter (where requests.status in ('accepted', 'settled')), 0) as accepted,
    coalesce(sum(requests.member_count) filter (where requests.status in ('accepted', 'settled', 'unknown')), 0)
    + (select refusals.number from refusals) as tried,
    greatest(
        coalesce(sum(requests.member_count) filter (where requests.status = 'unknown'), 0) - %(outage)s::integer, 0
    )
    + (select refusals.number from refusals) as errors,
    coalesce((select reactions.number from reactions where reactions.type = 'bounced'), 0) as bounced,
    coalesce((select reactions.number from reactions where reactions.type = 'complained'), 0) as complained,
    coalesce((select reactions.number from reactions where reactions.type = 'blocked'), 0) as blocked
from requests;
