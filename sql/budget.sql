-- name: forecast
-- Give everybody's planned mails their places in the one frequency budget (N5): the product with the smaller priority
-- first, then the one due first. Whose window is full is due later, and late later by as much. Looks at the people for
-- whom the product planned something in this run; the claim in dispatch has the last word.
with people as (
    select distinct coalesce(leads.merged_into, leads.lead_id) as person_id
    from messages
    inner join leads on messages.lead_id = leads.lead_id
    where
        messages.product = %(product)s::text
        and messages.sent_at is null
        and messages.ended_reason is null
        and messages.planned_at = %(as_of)s::timestamptz
),

mails as (
    select
        people.person_id,
        messages.message_id,
        messages.product,
        messages.mail_type,
        messages.address_id,
        messages.status = 'planned' as is_planned,
        case
            when messages.status = 'planned' then greatest(messages.due_at, %(as_of)s::timestamptz)
            else messages.sent_at
        end as moment
    from people
    inner join leads on people.person_id = coalesce(leads.merged_into, leads.lead_id)
    inner join messages on leads.lead_id = messages.lead_id
    where
        messages.status = 'planned'
        or (
            messages.status in ('sending', 'unknown', 'accepted')
            and messages.sent_at > %(as_of)s::timestamptz - %(span)s::interval
        )
),

counted as (
    select
        mails.*,
        count(*) over (partition by mails.person_id) as number_of_mails
    from mails
),

-- whom nothing will be sent takes no place
permitted as (
    select counted.*
    from counted
    where
        counted.number_of_mails > %(mails)s::integer
        and (
            not counted.is_planned
            or (
                not exists (select from suppressions where suppressions.address_id = counted.address_id)
                and not exists (
                    select from opt_outs
                    inner join leads on opt_outs.lead_id = leads.lead_id
                    where
                        coalesce(leads.merged_into, leads.lead_id) = counted.person_id
                        and opt_outs.product in ('*', counted.product)
                        and opt_outs.mail_type in ('*', counted.mail_type)
                        and opt_outs.ended_at is null
                )
            )
        )
),

queues as (
    select
        permitted.person_id,
        coalesce(array_agg(permitted.moment) filter (where not permitted.is_planned), '{}') as sent,
        array_agg(
            permitted.message_id
            order by
                (%(priorities)s::jsonb ->> permitted.product)::integer asc nulls last,
                permitted.moment asc,
                permitted.message_id asc
        ) filter (where permitted.is_planned) as message_ids,
        array_agg(
            permitted.product
            order by
                (%(priorities)s::jsonb ->> permitted.product)::integer asc nulls last,
                permitted.moment asc,
                permitted.message_id asc
        ) filter (where permitted.is_planned) as products,
        array_agg(
            permitted.moment
            order by
                (%(priorities)s::jsonb ->> permitted.product)::integer asc nulls last,
                permitted.moment asc,
                permitted.message_id asc
        ) filter (where permitted.is_planned) as moments
    from permitted
    group by permitted.person_id
    having count(*) filter (where permitted.is_planned) > 0
),

places as (
    select
        turns.message_id,
        turns.place,
        case
            when
                turns.product <> all(queues.products[:turns.turn - 1])
                and free_at(turns.moment, queues.sent, %(mails)s::integer, %(span)s::interval) = turns.moment
                then 'lower priority'
            else 'frequency cap'
        end as reason
    from queues
    cross join lateral unnest(
        queues.message_ids,
        queues.products,
        queues.moments,
        places_in_turn(queues.moments, queues.sent, %(mails)s::integer, %(span)s::interval)
    ) with ordinality as turns (message_id, product, moment, place, turn)
    where turns.place > turns.moment
),

moved as (
    update messages
    set
        due_at = places.place,
        first_due_at = places.place,
        expires_at = messages.expires_at + (places.place - messages.due_at)
    from places
    where messages.message_id = places.message_id and messages.status = 'planned'
    returning messages.message_id, places.place, places.reason
),

explained as (
    insert into decisions (message_id, outcome, reason, until, at)
    select
        moved.message_id,
        'not_now',
        moved.reason,
        moved.place,
        %(as_of)s::timestamptz
    from moved
)

select count(*) from moved;
