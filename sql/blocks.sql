-- name: create_blocks
-- Whose due messages are looked at, which of them get a block (both emptied at each commit), and which variant each
-- message is of.
create temporary table if not exists due_people (lead_id bigint primary key) on commit delete rows;
create temporary table if not exists block_audience (
    block text not null,
    lead_id bigint not null,
    primary key (block, lead_id)
) on commit delete rows;
create temporary table if not exists chosen (message_id bigint primary key, variant text not null);

-- name: find_due_people
-- Who has a due message of the email: a block's condition is asked of nobody else.
insert into due_people (lead_id)
select distinct lead_now.current_lead_id
from messages
inner join lead_now on messages.lead_id = lead_now.lead_id
where
    messages.product = %(product)s::text
    and messages.email = %(email)s::text
    and messages.sent_at is null
    and messages.ended_reason is null
    and messages.due_at <= %(as_of)s::timestamptz;

-- name: forget_chosen
-- Of one email at a time.
truncate chosen;

-- name: choose
-- Which blocks every due message of the email shows, for this worker; what it sends keeps it.
insert into chosen (message_id, variant)
select
    messages.message_id,
    coalesce(string_agg(block_audience.block, '+' order by block_audience.block), '-') as variant
from messages
inner join lead_now on messages.lead_id = lead_now.lead_id
left join block_audience on lead_now.current_lead_id = block_audience.lead_id
where
    messages.product = %(product)s::text
    and messages.email = %(email)s::text
    and messages.sent_at is null
    and messages.ended_reason is null
    and messages.due_at <= %(as_of)s::timestamptz
group by messages.message_id;

-- name: due_variants
-- Which variants of the email are due, those of most messages first.
select chosen.variant
from chosen
group by chosen.variant
order by count(*) desc, chosen.variant asc;

-- name: person
-- Who a lead's id means now, and what a mail says of them.
select
    leads.lead_id,
    leads.name,
    leads.company
from lead_now
inner join leads on lead_now.current_lead_id = leads.lead_id
where lead_now.lead_id = %(lead_id)s::bigint;
