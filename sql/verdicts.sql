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
    -- the lead's own mark waits for the undo of a merge
    insert into score_marks (lead_id, product)
    select
        lead_now.current_lead_id,
        concerned.product
    from concerned
    inner join lead_now on concerned.lead_id = lead_now.lead_id
    union
    select
        concerned.lead_id,
        concerned.product
    from concerned
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
