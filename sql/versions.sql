-- name: keep
-- Keep a part of a definition under its hash, once.
insert into definitions (definition_hash, product, part, name, body)
values (%(definition_hash)s::text, %(product)s::text, %(part)s::text, %(name)s::text, %(body)s::jsonb)
on conflict (definition_hash) do nothing;

-- name: read
-- A kept part, as it ran.
select definitions.body
from definitions
where definitions.definition_hash = %(definition_hash)s::text;

-- name: last_walked
-- What the product as a whole said when its journeys were walked last.
select definitions.body
from walks
inner join definitions on walks.definition_hash = definitions.definition_hash
where walks.product = %(product)s::text;

-- name: beginnings
-- How many leads can be mailed at all, when the product first ran, and whether it has sent anything.
select
    (
        select count(distinct lead_addresses.lead_id)
        from lead_addresses
        inner join leads on lead_addresses.lead_id = leads.lead_id
        where lead_addresses.is_primary and leads.merged_into is null
    ) as leads,
    (
        select min(runs.as_of at time zone %(zone)s::text)::date
        from runs
        where runs.product = %(product)s::text and runs.kind <> 'backfill'
    ) as first_run_on,
    exists (
        select from messages
        where messages.product = %(product)s::text and messages.status = 'accepted'
    ) as has_sent;

-- name: scenarios_walked
-- The versions of each scenario that somebody walked, the newest last, and how many are under way on each.
select
    definitions.name as scenario,
    definitions.body,
    count(*) filter (where enrollments.ended_at is null) as under_way
from enrollments
inner join definitions on enrollments.definition_hash = definitions.definition_hash
where enrollments.product = %(product)s::text
group by definitions.definition_hash
order by definitions.recorded_at, definitions.definition_hash;

-- name: entries_run
-- Every entry of the plan for which messages were planned, as it ran last.
select distinct on (definitions.name)
    definitions.name,
    definitions.body
from definitions
where
    definitions.product = %(product)s::text
    and definitions.part = 'plan'
    and exists (
        select from messages
        where
            messages.product = %(product)s::text
            and messages.occasion = 'plan/' || definitions.name
    )
order by definitions.name asc, definitions.recorded_at desc;

-- name: plan_sent_on
-- The days, in the product's zone, on which each mail of the plan began to go out.
select min(messages.sent_at at time zone %(zone)s::text)::date as sent_on
from messages
where messages.product = %(product)s::text and messages.scenario is null and messages.status = 'accepted'
group by messages.occasion
order by sent_on;

-- name: sent_last
-- The words of each mail, and of each of its variants, as they went out last.
select distinct on (send_requests.email, send_requests.variant)
    send_requests.email,
    send_requests.variant,
    send_requests.content_hash
from send_requests
where send_requests.product = %(product)s::text and send_requests.status not in ('refused', 'returned')
order by send_requests.email asc, send_requests.variant asc, send_requests.request_id desc;
