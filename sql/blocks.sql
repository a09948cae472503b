-- name: create_blocks
-- Whose due messages are looked at, and which of them get a block; emptied at each commit.
create temporary table if not exists due_people (lead_id bigint primary key) on commit delete rows;
create temporary table if not exists block_audience (
    block text not null,
    lead_id bigint not null,
    primary key (block, lead_id)
) on commit delete rows;

-- name: find_due_people
-- Who has a due message of the email: a block's condition is asked of nobody else.
insert into due_people (lead_id)
select distinct lead_now.current_lead_id
from messages
inner join lead_now on messages.lead_id = lead_now.lead_id
where
    messages.product = %(product)s::text
    and messages.email = %(email)s::text
    and messages.status = 'planned'
    and messages.due_at <= %(as_of)s::timestamptz;

-- name: choose
-- Every due message of the email says which blocks it shows; what another worker holds keeps what it was given.
with chosen as (
    select
        messages.message_id,
        coalesce(string_agg(block_audience.block, '+' order by block_audience.block), '-') as variant
    from messages
    inner join lead_now on messages.lead_id = lead_now.lead_id
    left join block_audience on lead_now.current_lead_id = block_audience.lead_id
    where
        messages.product = %(product)s::text
        and messages.email = %(email)s::text
        and messages.status = 'planned'
        and messages.due_at <= %(as_of)s::timestamptz
    group by messages.message_id
),

free as (
    select messages.message_id
    from messages
    inner join chosen on messages.message_id = chosen.message_id
    where messages.variant is distinct from chosen.variant and messages.status = 'planned'
    for no key update of messages skip locked
)

update messages
set variant = chosen.variant
from chosen
inner join free on chosen.message_id = free.message_id
where messages.message_id = chosen.message_id;

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
