-- name: forecast
-- Give everybody's planned mails their places in the one frequency budget (N5): the product with the smaller priority
-- first, then the one due first. Whose window is full is due later, and late later by as much. Looks at the people for
-- whom the product planned something in this run; the claim in dispatch has the last word.
with recursive people as (
    select distinct lead_now.current_lead_id as person_id
    from messages
    inner join lead_now on messages.lead_id = lead_now.lead_id
    where
        messages.product = %(product)s::text
        and messages.status = 'planned'
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
    inner join lead_now on people.person_id = lead_now.current_lead_id
    inner join messages on lead_now.lead_id = messages.lead_id
    where
        messages.status = 'planned'
        or (
            messages.status in ('sending', 'unknown', 'accepted')
            and messages.sent_at > %(as_of)s::timestamptz - %(span)s::interval
        )
),

crowded as (
    select mails.person_id
    from mails
    group by mails.person_id
    having count(*) > %(mails)s::integer
),

turns as (
    select
        mails.person_id,
        mails.message_id,
        mails.product,
        mails.moment,
        row_number() over (
            partition by mails.person_id
            order by
                (%(priorities)s::jsonb ->> mails.product)::integer asc nulls last,
                mails.moment asc,
                mails.message_id asc
        ) as turn
    from mails
    inner join crowded on mails.person_id = crowded.person_id
    where
        mails.is_planned
        -- whom nothing will be sent takes no place
        and not exists (select from suppressions where suppressions.address_id = mails.address_id)
        and not exists (
            select from opt_outs
            inner join lead_now on opt_outs.lead_id = lead_now.lead_id
            where
                lead_now.current_lead_id = mails.person_id
                and opt_outs.product in ('*', mails.product)
                and opt_outs.mail_type in ('*', mails.mail_type)
                and opt_outs.ended_at is null
        )
),

sent as (
    select
        crowded.person_id,
        coalesce(array_agg(mails.moment) filter (where not mails.is_planned), '{}') as moments
    from crowded
    inner join mails on crowded.person_id = mails.person_id
    group by crowded.person_id
),

placed as (
    select
        sent.person_id,
        0::bigint as turn,
        null::bigint as message_id,
        null::timestamptz as moment,
        null::timestamptz as place,
        null::text as reason,
        sent.moments as sent_moments,
        sent.moments as taken,
        '{}'::text [] as products
    from sent
    union all
    select
        placed.person_id,
        turns.turn,
        turns.message_id,
        turns.moment,
        free.place,
        case
            when
                turns.product <> all(placed.products)
                and free_at(turns.moment, placed.sent_moments, %(mails)s::integer, %(span)s::interval) = turns.moment
                then 'lower priority'
            else 'frequency cap'
        end,
        placed.sent_moments,
        placed.taken || free.place,
        placed.products || turns.product
    from placed
    inner join turns on placed.person_id = turns.person_id and placed.turn + 1 = turns.turn
    cross join lateral free_at(turns.moment, placed.taken, %(mails)s::integer, %(span)s::interval) as free (place)
),

moved as (
    update messages
    set
        due_at = placed.place,
        first_due_at = placed.place,
        expires_at = messages.expires_at + (placed.place - messages.due_at)
    from placed
    where messages.message_id = placed.message_id and messages.status = 'planned' and placed.place > placed.moment
    returning messages.message_id, placed.place, placed.reason
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
