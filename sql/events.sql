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
    raw_event_id, channel, type, occurred_at, message_id, address, lead_id, source_record_id, product, subject,
    id_key, provider_event_id, provider_message_id, is_flagged_machine, user_agent, ip, url, detail, scope, problem
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
        when 'inbound' then 'replied'
        when 'unsubscribe' then 'unsubscribed'
        when 'source' then waiting.payload ->> 'type'
        when 'track' then
            case
                when waiting.payload ->> 'type' = 'page' then 'visited'
                when waiting.payload ->> 'event' in ('submitted', 'attended', 'visited') then waiting.payload ->> 'event'
            end
    end,
    case
        when
            waiting.channel = 'sendgrid' and waiting.payload ->> 'timestamp' ~ '^[0-9]{1,11}([.][0-9]+)?$'
            then to_timestamp((waiting.payload ->> 'timestamp')::numeric)
        when
            waiting.channel <> 'sendgrid'
            and coalesce(waiting.payload ->> 'occurred_at', waiting.payload ->> 'timestamp') is not null
            and pg_input_is_valid(coalesce(waiting.payload ->> 'occurred_at', waiting.payload ->> 'timestamp'), 'timestamptz')
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
        coalesce(waiting.payload ->> 'reason', waiting.payload ->> 'response', waiting.payload ->> 'how', ''), 500
    ),
    waiting.payload ->> 'scope',
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
    mail_type = messages.mail_type,
    subject = case when incoming.type in ('visited', 'submitted', 'attended') then incoming.subject else messages.email end
from messages
where incoming.message_id = messages.message_id;

-- name: attribute_to_addresses
-- An event without its message is its mailbox's, and its person's where the mailbox is one person's.
update incoming
set
    message_id = null,
    address_id = addresses.address_id,
    lead_id = coalesce(
        incoming.lead_id,
        (
            select min(lead_now.current_lead_id)
            from lead_addresses
            inner join lead_now on lead_addresses.lead_id = lead_now.lead_id
            where lead_addresses.address_id = addresses.address_id
            having count(distinct lead_now.current_lead_id) = 1
        )
    )
from addresses
where incoming.address_id is null and incoming.address = addresses.address;

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
    where replies.type = 'replied' and replies.message_id is null and messages.sent_at <= replies.occurred_at
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
            incoming.product
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

-- name: judge_machines
-- Verdicts over every engagement of the messages that the batch concerns (rules version 1): the provider says so; a
-- click or an open within 2 s of delivery; three links of one mail within 5 s; a scanner's user agent. A verdict
-- that later events change is a new version; none is deleted (N11).
with concerned as (
    select distinct incoming.message_id
    from incoming
    where incoming.is_new and incoming.message_id is not null
),

delivered as (
    select
        events.message_id,
        min(events.occurred_at) as delivered_at
    from events
    inner join concerned on events.message_id = concerned.message_id
    where events.type = 'delivered'
    group by events.message_id
),

engaged as (
    select
        events.event_id,
        events.type,
        events.is_flagged_machine,
        events.user_agent,
        events.occurred_at - delivered.delivered_at as after_delivery,
        (
            select count(distinct others.url)
            from events as others
            where
                others.message_id = events.message_id
                and others.type = 'clicked'
                and others.occurred_at between events.occurred_at - interval '5 seconds' and events.occurred_at
                + interval '5 seconds'
        ) as links_at_once
    from events
    inner join concerned on events.message_id = concerned.message_id
    left join delivered on events.message_id = delivered.message_id
    where events.type in ('opened', 'clicked')
),

judged as (
    select
        engaged.event_id,
        case
            when engaged.is_flagged_machine then 'flagged by the provider'
            when engaged.user_agent ~* '(bot|scanner|barracuda|proofpoint|mimecast|safelinks|urldefense|trend ?micro)'
                then 'a scanner''s user agent'
            when engaged.after_delivery between interval '0' and interval '2 seconds' then 'within 2 s of delivery'
            when engaged.type = 'clicked' and engaged.links_at_once >= 3 then 'three links within 5 s'
            else 'a person'
        end as rule
    from engaged
),

newest as (
    select distinct on (verdicts.event_id)
        verdicts.event_id,
        verdicts.version,
        verdicts.rule
    from verdicts
    inner join judged on verdicts.event_id = judged.event_id
    order by verdicts.event_id asc, verdicts.version desc
)

insert into verdicts (event_id, version, is_machine, rule)
select
    judged.event_id,
    coalesce(newest.version, 0) + 1,
    judged.rule <> 'a person',
    judged.rule
from judged
left join newest on judged.event_id = newest.event_id
where newest.rule is distinct from judged.rule;

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
        settled_by = 'event'
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
where messages.request_id = settled.request_id and messages.status = 'unknown';

-- name: suppress
-- An address that does not exist, or whose owner complained, is not mailed again.
insert into suppressions (address_id, reason, evidence, occurred_at)
select distinct on (incoming.address_id)
    incoming.address_id,
    case incoming.type
        when 'complained' then 'complained'
        when 'bounced' then 'bounced'
        else
            case
                when incoming.detail ilike '%%spam report%%' then 'complained'
                when incoming.detail ilike '%%unsubscribed%%' then 'global_unsubscribe'
                when incoming.detail ilike '%%invalid%%' then 'invalid'
                else 'bounced'
            end
    end,
    incoming.type || ': ' || coalesce(incoming.detail, ''),
    incoming.occurred_at
from incoming
where
    incoming.is_new
    and incoming.address_id is not null
    and (
        incoming.type in ('bounced', 'complained')
        or incoming.type = 'rejected'
        -- "Invalid" is the address; "Invalid SMTPAPI header" is our own fault.
        and incoming.detail ~* '(bounced address|spam report|unsubscribed address|^invalid$)'
    )
order by incoming.address_id asc, (incoming.type = 'complained') desc, incoming.occurred_at asc
on conflict (address_id) do nothing;

-- name: opt_out
-- A refusal holds for the lead and for the address through which it came (N13); a complaint is one of everything.
insert into opt_outs (lead_id, address_id, product, mail_type, how, evidence, occurred_at)
select distinct on (incoming.lead_id, incoming.address_id, cell.product, cell.mail_type)
    incoming.lead_id,
    incoming.address_id,
    cell.product,
    cell.mail_type,
    case when incoming.type = 'complained' then 'complaint' else coalesce(nullif(incoming.detail, ''), 'provider') end,
    'raw event ' || incoming.raw_event_id,
    incoming.occurred_at
from incoming
cross join lateral (
    select
        case
            when incoming.type = 'complained' or incoming.channel = 'sendgrid' then '*'
            when incoming.scope = 'everything' or incoming.product = '' then '*'
            else incoming.product
        end as product,
        case
            when incoming.type = 'complained' or incoming.channel = 'sendgrid' then '*'
            when incoming.scope in ('everything', 'product') or incoming.mail_type = '' then '*'
            else incoming.mail_type
        end as mail_type
) as cell
where
    incoming.is_new
    and incoming.type in ('complained', 'unsubscribed')
    and (incoming.lead_id is not null or incoming.address_id is not null)
order by
    incoming.lead_id asc, incoming.address_id asc, cell.product asc, cell.mail_type asc, incoming.occurred_at asc
on conflict (lead_id, address_id, product, mail_type) where ended_at is null do nothing;

-- name: roll_up
-- Recount the signals of every lead, product and day that the batch or a changed verdict concerns, from all events.
with zones as (
    select
        zone.key as product,
        zone.value as name
    from jsonb_each_text(%(zones)s::jsonb) as zone
),

concerned as (
    select distinct
        events.lead_id,
        events.product,
        (events.occurred_at at time zone zones.name)::date as day,
        zones.name as zone
    from incoming
    inner join events
        on incoming.raw_event_id = events.raw_event_id or incoming.message_id = events.message_id
    inner join zones on events.product = zones.product
    where
        incoming.is_new
        and events.lead_id is not null
        and events.type in ('opened', 'clicked', 'replied', 'visited', 'submitted', 'attended')
),

counted as (
    select
        concerned.lead_id,
        concerned.product,
        concerned.day,
        events.type as kind,
        events.subject,
        events.mail_type,
        count(*) as count
    from concerned
    inner join events
        on
            concerned.lead_id = events.lead_id
            and concerned.product = events.product
            and events.occurred_at >= concerned.day::timestamp at time zone concerned.zone
            and events.occurred_at < (concerned.day + 1)::timestamp at time zone concerned.zone
    where
        events.type in ('opened', 'clicked', 'replied', 'visited', 'submitted', 'attended')
        and not coalesce(
            (
                select verdicts.is_machine
                from verdicts
                where verdicts.event_id = events.event_id
                order by verdicts.version desc
                limit 1
            ),
            false
        )
    group by concerned.lead_id, concerned.product, concerned.day, events.type, events.subject, events.mail_type
),

gone as (
    delete from signals
    using concerned
    where
        signals.lead_id = concerned.lead_id
        and signals.product = concerned.product
        and signals.day = concerned.day
        and not exists (
            select from counted
            where
                counted.lead_id = signals.lead_id
                and counted.product = signals.product
                and counted.day = signals.day
                and counted.kind = signals.kind
                and counted.subject = signals.subject
                and counted.mail_type = signals.mail_type
        )
),

marked as (
    insert into score_marks (lead_id, product)
    select distinct
        lead_now.current_lead_id,
        concerned.product
    from concerned
    inner join lead_now on concerned.lead_id = lead_now.lead_id
    on conflict (lead_id, product) do nothing
)

insert into signals (lead_id, product, day, kind, subject, mail_type, count)
select
    counted.lead_id,
    counted.product,
    counted.day,
    counted.kind,
    counted.subject,
    counted.mail_type,
    counted.count
from counted
on conflict (lead_id, product, day, kind, subject, mail_type) do update
set count = excluded.count
where signals.count <> excluded.count;

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

-- name: refusals_of_everything
-- Who refused everything and stands on none of the provider's lists through us yet.
select
    opt_outs.opt_out_id,
    addresses.address
from opt_outs
inner join addresses on opt_outs.address_id = addresses.address_id
where
    opt_outs.product = '*'
    and opt_outs.mail_type = '*'
    and opt_outs.how <> 'provider'
    and opt_outs.ended_at is null
    and opt_outs.told_provider_at is null
order by opt_outs.opt_out_id
limit 1000;

-- name: mark_told
-- The provider knows.
update opt_outs
set told_provider_at = %(at)s::timestamptz
where opt_outs.opt_out_id = any(%(opt_out_ids)s::bigint []);

-- name: ensure_partitions
-- Months to come have their own partitions of events and raw events; what lies before stays in the default one.
select nurture.ensure_month(%(month)s::date);

-- name: upsert_suppressions
-- What the account's own lists say, for what the webhook missed; a shrinking list ends nothing.
insert into suppressions (address_id, reason, evidence, occurred_at)
select
    addresses.address_id,
    %(reason)s::text,
    'the provider''s list',
    min(to_timestamp(listed.created))
from jsonb_to_recordset(%(rows)s::jsonb) as listed (email text, created numeric)
inner join addresses on lower(listed.email) = addresses.address
group by addresses.address_id
on conflict (address_id) do nothing;
