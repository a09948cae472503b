-- name: lock
-- One intake at a time: a second run waits here and then finds nothing left to do.
select pg_advisory_xact_lock(7310003);

-- name: create_incoming
-- The raw events of this batch, in our words.
create temporary table if not exists incoming (
    raw_event_id bigint primary key,
    channel text not null,
    type text,
    occurred_at timestamptz,
    message_id bigint,
    address_id bigint,
    address text,
    lead_id bigint,
    source_record_id bigint,
    product text not null default '',
    mail_type text not null default '',
    subject text not null default '',
    id_key text,
    natural_key text,
    provider_event_id text,
    provider_message_id text,
    is_flagged_machine boolean not null default false,
    user_agent text,
    ip text,
    url text,
    detail text,
    scope text,
    is_new boolean not null default false,
    problem text
) on commit delete rows;

-- name: take
-- Rows not yet taken, never a watermark: what is committed late is taken late, and nothing is skipped.
insert into incoming (
    raw_event_id, channel, type, occurred_at, message_id, address, lead_id, source_record_id, product, mail_type,
    subject, id_key, provider_event_id, provider_message_id, is_flagged_machine, user_agent, ip, url, detail, scope,
    problem
)
select
    waiting.raw_event_id,
    waiting.channel,
    case waiting.channel
        when 'sendgrid' then
            case
                when waiting.payload ->> 'event' = 'bounce' and waiting.payload ->> 'type' = 'blocked' then 'blocked'
                else %(types)s::jsonb ->> (waiting.payload ->> 'event')
            end
        when 'inbound' then case when waiting.payload ->> 'is_refusal' = 'true' then 'unsubscribed' else 'replied' end
        when 'unsubscribe' then case when waiting.payload ->> 'act' = 'allow' then 'allowed' else 'unsubscribed' end
        when 'source' then waiting.payload ->> 'type'
        when 'track' then
            case
                when waiting.payload ->> 'type' = 'page' then 'visited'
                when waiting.payload ->> 'event' in ('submitted', 'attended', 'visited')
                    then waiting.payload ->> 'event'
            end
    end,
    case
        when
            waiting.channel = 'sendgrid' and waiting.payload ->> 'timestamp' ~ '^[0-9]{1,11}([.][0-9]+)?$'
            then to_timestamp((waiting.payload ->> 'timestamp')::numeric)
        when
            waiting.channel <> 'sendgrid'
            and coalesce(waiting.payload ->> 'occurred_at', waiting.payload ->> 'timestamp') is not null
            and pg_input_is_valid(
                coalesce(waiting.payload ->> 'occurred_at', waiting.payload ->> 'timestamp'), 'timestamptz'
            )
            then coalesce(waiting.payload ->> 'occurred_at', waiting.payload ->> 'timestamp')::timestamptz
        when waiting.channel in ('unsubscribe', 'inbound') then waiting.received_at
    end,
    case
        when
            pg_input_is_valid(
                coalesce(waiting.payload ->> 'message_id', waiting.payload -> 'properties' ->> 'message_id'), 'bigint'
            )
            then coalesce(waiting.payload ->> 'message_id', waiting.payload -> 'properties' ->> 'message_id')::bigint
    end,
    lower(
        coalesce(
            waiting.payload ->> 'email',
            waiting.payload -> 'properties' ->> 'email',
            case when waiting.channel = 'inbound' then waiting.payload ->> 'address' end
        )
    ),
    case when waiting.channel = 'source' then (waiting.payload ->> 'lead_id')::bigint end,
    case when waiting.channel = 'source' then (waiting.payload ->> 'record_id')::bigint end,
    coalesce(waiting.payload ->> 'product', waiting.payload -> 'properties' ->> 'product', ''),
    coalesce(case when waiting.channel = 'unsubscribe' then waiting.payload ->> 'mail_type' end, ''),
    coalesce(
        case when waiting.channel = 'source' then waiting.payload ->> 'subject' end,
        case
            when waiting.channel = 'track' then coalesce(
                waiting.payload -> 'properties' ->> 'form',
                waiting.payload -> 'properties' ->> 'event',
                waiting.payload -> 'properties' ->> 'path'
            )
        end,
        ''
    ),
    case
        when waiting.channel = 'sendgrid' then 'sendgrid:' || (waiting.payload ->> 'sg_event_id')
        when waiting.channel = 'track' then 'track:' || (waiting.payload ->> 'messageId')
        -- A changed version of a source's row tells the same event again.
        when waiting.channel = 'source' then 'source:' || md5(
            concat_ws(
                '|',
                waiting.payload ->> 'key',
                waiting.payload ->> 'type',
                waiting.payload ->> 'subject',
                waiting.payload ->> 'product',
                waiting.payload ->> 'occurred_at'
            )
        )
    end,
    waiting.payload ->> 'sg_event_id',
    waiting.payload ->> 'sg_message_id',
    coalesce(waiting.payload ->> 'sg_machine_open', '') = 'true',
    waiting.payload ->> 'useragent',
    waiting.payload ->> 'ip',
    waiting.payload ->> 'url',
    left(
        case
            when waiting.channel = 'inbound' then 'reply'
            else coalesce(waiting.payload ->> 'reason', waiting.payload ->> 'response', waiting.payload ->> 'how', '')
        end,
        500
    ),
    case when waiting.channel = 'inbound' then 'everything' else waiting.payload ->> 'scope' end,
    case when jsonb_typeof(waiting.payload) <> 'object' then 'not an object' end
from (
    select
        raw_events.raw_event_id,
        raw_events.channel,
        raw_events.payload,
        raw_events.received_at
    from raw_events
    where raw_events.taken_at is null
    order by raw_events.raw_event_id
    limit %(at_most)s::integer
    for update skip locked
) as waiting;

-- name: attribute_to_messages
-- An event that names its message is its lead's, its address's and its product's.
update incoming
set
    address_id = messages.address_id,
    lead_id = coalesce(incoming.lead_id, messages.lead_id),
    product = messages.product,
    mail_type = coalesce(nullif(incoming.mail_type, ''), messages.mail_type),
    subject = case
        when incoming.type in ('visited', 'submitted', 'attended') then incoming.subject
        else messages.email
    end
from messages
where incoming.message_id = messages.message_id;

-- name: attribute_to_addresses
-- An event without its message is its mailbox's, and its person's where the mailbox is one person's.
with owners as (
    select
        incoming.raw_event_id,
        addresses.address_id,
        case when count(distinct lead_now.current_lead_id) = 1 then min(lead_now.current_lead_id) end as lead_id
    from incoming
    inner join addresses on incoming.address = addresses.address
    left join lead_addresses on addresses.address_id = lead_addresses.address_id
    left join lead_now on lead_addresses.lead_id = lead_now.lead_id
    where incoming.address_id is null
    group by incoming.raw_event_id, addresses.address_id
)

update incoming
set
    message_id = null,
    address_id = owners.address_id,
    lead_id = coalesce(incoming.lead_id, owners.lead_id)
from owners
where incoming.raw_event_id = owners.raw_event_id;

-- name: attribute_replies
-- A reply without its message answers the newest mail that its mailbox was sent before.
update incoming
set
    message_id = newest.message_id,
    lead_id = newest.lead_id,
    product = newest.product,
    mail_type = newest.mail_type,
    subject = newest.email
from (
    select distinct on (replies.raw_event_id)
        replies.raw_event_id,
        messages.message_id,
        messages.lead_id,
        messages.product,
        messages.mail_type,
        messages.email
    from incoming as replies
    inner join messages on replies.address_id = messages.address_id
    where
        replies.channel = 'inbound'
        and replies.message_id is null
        and messages.sent_at <= replies.occurred_at
        and (messages.ended_reason is null or messages.ended_reason not in ('same mailbox', 'merged'))
    order by replies.raw_event_id asc, messages.sent_at desc
) as newest
where incoming.raw_event_id = newest.raw_event_id;

-- name: forget_unknown_messages
-- A message id that is none of ours names nothing.
update incoming
set message_id = null
where
    incoming.message_id is not null
    and not exists (select from messages where messages.message_id = incoming.message_id);

-- name: find_problems
-- What cannot be an event is kept as it came, with the reason (N8).
update incoming
set
    problem = coalesce(
        incoming.problem,
        case
            when incoming.type is null then 'unknown kind of event'
            when incoming.occurred_at is null then 'no readable time'
            when incoming.occurred_at > %(recorded_by)s::timestamptz + interval '1 day' then 'a time in the future'
            when incoming.occurred_at < '1990-01-01T00:00:00Z'::timestamptz then 'a time long past'
        end
    ),
    natural_key = 'natural:' || md5(
        concat_ws(
            '|',
            incoming.channel,
            incoming.type,
            coalesce(incoming.message_id::text, incoming.address, ''),
            case when incoming.channel = 'source' then incoming.source_record_id::text end,
            incoming.occurred_at::text,
            incoming.scope,
            coalesce(incoming.url, ''),
            incoming.subject,
            incoming.product,
            case when incoming.channel = 'unsubscribe' then incoming.mail_type end
        )
    );

-- name: find_new
-- The same event twice, by the provider's id or by its natural key, counts once (N11's ground).
with ranked as (
    select
        incoming.raw_event_id,
        row_number() over (
            partition by incoming.natural_key order by incoming.raw_event_id
        ) = 1
        and row_number() over (
            partition by coalesce(incoming.id_key, incoming.natural_key) order by incoming.raw_event_id
        ) = 1 as is_first
    from incoming
    where incoming.problem is null
)

update incoming
set is_new = true
from ranked
where
    incoming.raw_event_id = ranked.raw_event_id
    and ranked.is_first
    and not exists (
        select from event_keys
        where event_keys.event_key = incoming.natural_key or event_keys.event_key = incoming.id_key
    );

-- name: insert_keys
-- Both keys of every event that was read, so that neither comes again.
insert into event_keys (event_key)
select keys.event_key
from (
    select incoming.natural_key as event_key from incoming
    where incoming.problem is null
    union
    select incoming.id_key as event_key from incoming
    where incoming.problem is null and incoming.id_key is not null
) as keys
on conflict (event_key) do nothing;

-- name: insert_events
-- What happened, in our words.
insert into events (
    raw_event_id, source_record_id, type, occurred_at, message_id, address_id, lead_id, product, mail_type, subject,
    provider_event_id, provider_message_id, is_flagged_machine, user_agent, ip, url, detail
)
select
    incoming.raw_event_id,
    incoming.source_record_id,
    incoming.type,
    incoming.occurred_at,
    incoming.message_id,
    incoming.address_id,
    incoming.lead_id,
    incoming.product,
    incoming.mail_type,
    incoming.subject,
    incoming.provider_event_id,
    incoming.provider_message_id,
    incoming.is_flagged_machine,
    incoming.user_agent,
    incoming.ip,
    incoming.url,
    incoming.detail
from incoming
where incoming.is_new;

-- name: accept_messages
-- What the provider tells of a message proves that it took it, and with it its whole request (N3: evidence for).
with proven as (
    select distinct messages.request_id
    from incoming
    inner join messages on incoming.message_id = messages.message_id
    where
        incoming.is_new
        and incoming.channel = 'sendgrid'
        and messages.status in ('sending', 'unknown')
        and incoming.occurred_at >= messages.sent_at - interval '1 minute'
),

settled as (
    update send_requests
    set
        status = 'settled',
        answered_at = coalesce(send_requests.answered_at, %(as_of)s::timestamptz),
        settled_at = %(as_of)s::timestamptz,
        settled_by = 'event',
        answer_number = (select max(newest.request_id) from send_requests as newest)
    from proven
    where send_requests.request_id = proven.request_id and send_requests.status = 'unknown'
    returning send_requests.request_id, send_requests.at
),

told as (
    update messages
    set status = 'accepted', accepted_at = messages.sent_at
    from incoming
    where
        messages.message_id = incoming.message_id
        and incoming.is_new
        and incoming.channel = 'sendgrid'
        and messages.status = 'sending'
        and incoming.occurred_at >= messages.sent_at - interval '1 minute'
)

update messages
set status = 'accepted', accepted_at = settled.at
from settled
inner join send_attempts on settled.request_id = send_attempts.request_id
where
    messages.message_id = send_attempts.message_id
    and messages.request_id = settled.request_id
    and messages.status = 'unknown';

-- name: mark_taken
-- The batch is taken, with the reason beside what could not be read.
update raw_events
set taken_at = clock_timestamp(), problem = incoming.problem
from incoming
where raw_events.raw_event_id = incoming.raw_event_id and raw_events.taken_at is null;

-- name: tally
-- What the batch brought.
select
    count(*) as raw_events,
    count(*) filter (where incoming.is_new) as events,
    count(*) filter (where incoming.problem is null and not incoming.is_new) as duplicates,
    count(*) filter (where incoming.problem is not null) as unreadable
from incoming;

-- name: ensure_partitions
-- Months to come have their own partitions of events and raw events; what lies before stays in the default one.
select nurture.ensure_month(%(month)s::date);
