-- name: reasons
-- Why messages were not sent, and for what the planned ones wait: a row a product, kind and reason. An ended message
-- carries its reason itself; what a planned one waits for is the newest of its decisions.
with ended as (
    select
        messages.product,
        'not_sent' as kind,
        messages.ended_reason as reason,
        count(*) as messages
    from messages
    where messages.status in ('cancelled', 'expired')
    group by messages.product, messages.ended_reason
),

waiting as (
    select
        messages.product,
        'planned' as kind,
        newest.reason,
        count(*) as messages
    from messages
    cross join lateral (
        select decisions.reason
        from decisions
        where decisions.message_id = messages.message_id
        order by decisions.decision_id desc
        limit 1
    ) as newest
    where messages.sent_at is null and messages.ended_reason is null
    group by messages.product, newest.reason
)

select
    ended.product,
    ended.kind,
    ended.reason,
    ended.messages
from ended
union all
select
    waiting.product,
    waiting.kind,
    waiting.reason,
    waiting.messages
from waiting
order by product asc, kind asc, messages desc, reason asc;

-- name: revenue
-- What was won, a row a product and currency: amounts of two currencies are never added up.
select
    opportunities.product,
    opportunities.currency,
    sum(opportunities.amount) as revenue
from opportunities
where
    opportunities.product is not null
    and opportunities.won_at is not null
    and opportunities.amount is not null
group by opportunities.product, opportunities.currency
order by opportunities.product asc, revenue desc;

-- name: latest_runs
-- The newest runs of all DAGs, the newest first; a run that was begun twice counts once.
with recent as (
    select
        runs.run_id,
        runs.dag,
        runs.as_of,
        runs.kind
    from runs
    order by runs.run_id desc
    limit 4 * %(how_many)s::integer
),

newest as (
    select max(recent.run_id) as run_id
    from recent
    group by recent.dag, recent.as_of, recent.kind
    order by max(recent.run_id) desc
    limit %(how_many)s::integer
)

select
    runs.run_id,
    runs.dag,
    runs.product,
    runs.as_of,
    runs.kind,
    runs.begun_at,
    runs.ended_at
from newest
inner join runs on newest.run_id = runs.run_id
order by runs.run_id desc;

-- name: daily_mails
-- The mails of each product and day, over some days up to a moment's day in the product's zone.
with zones as (
    select
        zone.key as product,
        (%(at)s::timestamptz at time zone zone.value)::date as today
    from jsonb_each_text(%(zones)s::jsonb) as zone
)

select
    daily_facts.product,
    daily_facts.day,
    sum(daily_facts.accepted)::integer as accepted,
    sum(daily_facts.delivered)::integer as delivered,
    sum(daily_facts.bounced)::integer as bounced,
    sum(daily_facts.opened)::integer as opened,
    sum(daily_facts.clicked)::integer as clicked,
    sum(daily_facts.replied)::integer as replied,
    sum(daily_facts.unsubscribed)::integer as unsubscribed,
    sum(daily_facts.complained)::integer as complained
from daily_facts
inner join zones on daily_facts.product = zones.product
where
    daily_facts.day <= zones.today
    and daily_facts.day > zones.today - %(days)s::integer
group by daily_facts.product, daily_facts.day
order by daily_facts.product, daily_facts.day;
