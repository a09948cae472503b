-- name: create_blocks
-- Whose blocks are chosen, and which of them get which block; emptied at each commit.
create temporary table if not exists block_people (lead_id bigint not null) on commit delete rows;
create temporary table if not exists block_audience (
    block text not null,
    lead_id bigint not null
) on commit delete rows;

-- name: forget_people
-- The next email asks of others.
truncate block_people, block_audience;

-- name: find_due_people
-- Who has a due message of the email: a block's condition is asked of nobody else.
insert into block_people (lead_id)
select distinct lead_now.current_lead_id
from messages
inner join lead_now on messages.lead_id = lead_now.lead_id
where
    messages.product = %(product)s::text
    and messages.email = %(email)s::text
    and messages.status = 'planned'
    and messages.due_at <= %(as_of)s::timestamptz;

-- name: find_members
-- Who is in the segment to which an entry of the plan goes.
insert into block_people (lead_id)
select segment_members.lead_id
from segment_members
where
    segment_members.product = %(product)s::text
    and segment_members.segment = %(segment)s::text
    and segment_members.left_at is null;

-- name: know_people
-- A new table's rows are guessed as a few: their number decides how the conditions are asked.
analyze block_people;

-- name: choose
-- Every due message of the email says which blocks it shows; what another worker holds keeps what it was given.
with shown as (
    select
        block_audience.lead_id,
        string_agg(block_audience.block, '+' order by block_audience.block) as variant
    from block_audience
    group by block_audience.lead_id
),

others as (
    select
        messages.message_id,
        coalesce(shown.variant, '-') as variant
    from messages
    inner join lead_now on messages.lead_id = lead_now.lead_id
    left join shown on lead_now.current_lead_id = shown.lead_id
    where
        messages.product = %(product)s::text
        and messages.email = %(email)s::text
        and messages.status = 'planned'
        and messages.due_at <= %(as_of)s::timestamptz
        and messages.variant is distinct from coalesce(shown.variant, '-')
    for no key update of messages skip locked
)

update messages
set variant = others.variant
from others
where messages.message_id = others.message_id;

-- name: due_variants
-- Which variants of the email are due, the longest waiting first.
select messages.variant
from messages
where
    messages.product = %(product)s::text
    and messages.email = %(email)s::text
    and messages.status = 'planned'
    and messages.due_at <= %(as_of)s::timestamptz
    and messages.variant is not null
group by messages.variant
order by min(messages.due_at), messages.variant;

-- name: person
-- Who a lead's id means now, and what a mail says of them.
select
    leads.lead_id,
    leads.name,
    leads.company
from lead_now
inner join leads on lead_now.current_lead_id = leads.lead_id
where lead_now.lead_id = %(lead_id)s::bigint;
