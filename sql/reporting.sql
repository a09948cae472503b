-- name: recount
-- Recount the facts of every product, scenario, email and whole day since a moment, from the messages and their
-- events; opens and clicks are persons' only.
with zones as (
    select
        zone.key as product,
        zone.value as name
    from jsonb_each_text(%(zones)s::jsonb) as zone
),

sent as (
    select
        messages.product,
        coalesce(messages.scenario, '') as scenario,
        messages.email,
        (messages.accepted_at at time zone zones.name)::date as day,
        count(*) as accepted
    from messages
    inner join zones on messages.product = zones.product
    where
        messages.accepted_at >= %(since)s::timestamptz
        and (messages.accepted_at at time zone zones.name)::date
        > (%(since)s::timestamptz at time zone zones.name)::date
    group by
        messages.product,
        coalesce(messages.scenario, ''),
        messages.email,
        (messages.accepted_at at time zone zones.name)::date
),

happened as (
    select
        messages.product,
        coalesce(messages.scenario, '') as scenario,
        messages.email,
        (events.occurred_at at time zone zones.name)::date as day,
        count(distinct messages.message_id) filter (where events.type = 'delivered') as delivered,
        count(distinct messages.message_id) filter (where events.type in ('bounced', 'blocked')) as bounced,
        count(distinct messages.message_id) filter (where events.type = 'opened' and not judged.is_machine) as opened,
        count(distinct messages.message_id) filter (where events.type = 'clicked' and not judged.is_machine) as clicked,
        count(distinct messages.message_id) filter (where events.type = 'replied') as replied,
        count(distinct messages.message_id) filter (where events.type = 'unsubscribed') as unsubscribed,
        count(distinct messages.message_id) filter (where events.type = 'complained') as complained
    from events
    inner join messages on events.message_id = messages.message_id
    inner join zones on messages.product = zones.product
    left join lateral (
        select verdicts.is_machine
        from verdicts
        where verdicts.event_id = events.event_id
        order by verdicts.version desc
        limit 1
    ) as judged on true
    where
        events.occurred_at >= %(since)s::timestamptz
        and (events.occurred_at at time zone zones.name)::date
        > (%(since)s::timestamptz at time zone zones.name)::date
    group by
        messages.product,
        coalesce(messages.scenario, ''),
        messages.email,
        (events.occurred_at at time zone zones.name)::date
),

facts as (
    select
        coalesce(sent.product, happened.product) as product,
        coalesce(sent.scenario, happened.scenario) as scenario,
        coalesce(sent.email, happened.email) as email,
        coalesce(sent.day, happened.day) as day,
        coalesce(sent.accepted, 0) as accepted,
        coalesce(happened.delivered, 0) as delivered,
        coalesce(happened.bounced, 0) as bounced,
        coalesce(happened.opened, 0) as opened,
        coalesce(happened.clicked, 0) as clicked,
        coalesce(happened.replied, 0) as replied,
        coalesce(happened.unsubscribed, 0) as unsubscribed,
        coalesce(happened.complained, 0) as complained
    from sent
    full join happened
        on
            sent.product = happened.product
            and sent.scenario = happened.scenario
            and sent.email = happened.email
            and sent.day = happened.day
)

insert into daily_facts (
    product, scenario, email, day, accepted, delivered, bounced, opened, clicked, replied, unsubscribed, complained
)
select
    facts.product,
    facts.scenario,
    facts.email,
    facts.day,
    facts.accepted,
    facts.delivered,
    facts.bounced,
    facts.opened,
    facts.clicked,
    facts.replied,
    facts.unsubscribed,
    facts.complained
from facts
on conflict (product, scenario, email, day) do update
set
    accepted = excluded.accepted,
    delivered = excluded.delivered,
    bounced = excluded.bounced,
    opened = excluded.opened,
    clicked = excluded.clicked,
    replied = excluded.replied,
    unsubscribed = excluded.unsubscribed,
    complained = excluded.complained,
    recorded_at = now()
where
    (
        daily_facts.accepted, daily_facts.delivered, daily_facts.bounced, daily_facts.opened, daily_facts.clicked,
        daily_facts.replied, daily_facts.unsubscribed, daily_facts.complained
    )
    <> (
        excluded.accepted, excluded.delivered, excluded.bounced, excluded.opened, excluded.clicked,
        excluded.replied, excluded.unsubscribed, excluded.complained
    );

-- name: overview
-- One row a product: what a person asks first.
select
    product_overview.product,
    product_overview.enrolled,
    product_overview.walking,
    product_overview.accepted,
    product_overview.planned,
    product_overview.unknown,
    product_overview.refused,
    product_overview.not_sent,
    product_overview.qualified,
    product_overview.handed_off,
    product_overview.sales_accepted,
    product_overview.won,
    product_overview.revenue
from product_overview
order by product_overview.product;
