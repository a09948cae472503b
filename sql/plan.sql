-- name: plan_entry
-- A dated mail of the year becomes messages for the members of its segment, once an entry (N1).
with members as (
    select
        segment_members.lead_id,
        segment_members.joined_at,
        lead_addresses.address_id,
        row_number() over (partition by lead_addresses.address_id order by segment_members.lead_id) > 1 as is_second
    from segment_members
    inner join leads on segment_members.lead_id = leads.lead_id
    inner join lead_addresses on segment_members.lead_id = lead_addresses.lead_id and lead_addresses.is_primary
    where
        segment_members.product = %(product)s::text
        and segment_members.segment = %(segment)s::text
        and segment_members.left_at is null
        and leads.merged_into is null
        and not exists (
            select from messages
            inner join lead_now on messages.lead_id = lead_now.lead_id
            where
                lead_now.current_lead_id = segment_members.lead_id
                and messages.product = %(product)s::text
                and messages.occasion = 'plan/' || %(entry)s::text
        )
),

judged as (
    select
        members.*,
        members.is_second
        or exists (
            select from messages
            where
                messages.product = %(product)s::text
                and messages.occasion = 'plan/' || %(entry)s::text
                and messages.address_id = members.address_id
        ) as is_same_mailbox
    from members
),

planned as (
    insert into messages (
        product, occasion, step, lead_id, address_id, email, mail_type, definition_hash,
        reason, planned_at, first_due_at, due_at, expires_at, status, ended_reason
    )
    select
        %(product)s::text,
        'plan/' || %(entry)s::text,
        %(entry)s::text,
        judged.lead_id,
        judged.address_id,
        %(email)s::text,
        %(mail_type)s::text,
        %(definition_hash)s::text,
        'in ' || %(segment)s::text || ' since ' || to_char(judged.joined_at at time zone %(zone)s::text, 'YYYY-MM-DD'),
        %(as_of)s::timestamptz,
        %(due_at)s::timestamptz,
        %(due_at)s::timestamptz,
        %(expires_at)s::timestamptz,
        case when judged.is_same_mailbox then 'cancelled' else 'planned' end,
        case when judged.is_same_mailbox then 'same mailbox' end
    from judged
    on conflict do nothing
    returning messages.message_id, messages.ended_reason
),

explained as (
    insert into decisions (message_id, outcome, reason, at)
    select
        planned.message_id,
        'never',
        planned.ended_reason,
        %(as_of)s::timestamptz
    from planned
    where planned.ended_reason is not null
)

select
    count(*) filter (where planned.ended_reason is null) as planned,
    count(*) filter (where planned.ended_reason is not null) as same_mailbox
from planned;
