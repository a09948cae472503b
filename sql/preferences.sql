-- name: standing
-- What the person of a message refuses now: the cells that stand, and over them the acts that nobody has taken in yet.
with asked as (
    select
        messages.product,
        messages.mail_type,
        messages.address_id,
        lead_now.current_lead_id as person_id
    from messages
    inner join lead_now on messages.lead_id = lead_now.lead_id
    where messages.message_id = %(message_id)s::bigint
),

standing_cells as (
    select
        opt_outs.product,
        opt_outs.mail_type
    from asked
    inner join opt_outs on asked.address_id = opt_outs.address_id
    where opt_outs.ended_at is null
    union
    select
        opt_outs.product,
        opt_outs.mail_type
    from asked
    inner join lead_now on asked.person_id = lead_now.current_lead_id
    inner join opt_outs on lead_now.lead_id = opt_outs.lead_id
    where opt_outs.ended_at is null
),

newest_acts as (
    select distinct on (acts_not_taken.product, acts_not_taken.mail_type)
        acts_not_taken.product,
        acts_not_taken.mail_type,
        acts_not_taken.is_refusal
    from asked
    inner join acts_not_taken
        on asked.address_id = acts_not_taken.address_id or asked.person_id = acts_not_taken.person_id
    order by acts_not_taken.product asc, acts_not_taken.mail_type asc, acts_not_taken.raw_event_id desc
),

refused as (
    select
        standing_cells.product,
        standing_cells.mail_type
    from standing_cells
    where
        not exists (
            select from newest_acts
            where
                newest_acts.product = standing_cells.product
                and newest_acts.mail_type = standing_cells.mail_type
                and not newest_acts.is_refusal
        )
    union
    select
        newest_acts.product,
        newest_acts.mail_type
    from newest_acts
    where newest_acts.is_refusal
)

select
    asked.product,
    asked.mail_type,
    addresses.address,
    suppressions.reason as suppressed,
    coalesce((select jsonb_agg(jsonb_build_array(refused.product, refused.mail_type)) from refused), '[]') as refused
from asked
inner join addresses on asked.address_id = addresses.address_id
left join suppressions on asked.address_id = suppressions.address_id;
