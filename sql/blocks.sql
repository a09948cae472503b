-- name: create_blocks
-- Whose due messages are looked at, which of them get a block (both emptied at each commit), and which variant each
-- message is of.
create temporary table if not exists due_people (lead_id bigint not null) on commit delete rows;
create temporary table if not exists block_audience (
    block text not null,
    lead_id bigint not null
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

-- name: know_due_people
-- A new table's rows are guessed as a few: their number decides how the conditions are asked.
analyze due_people;

-- name: forget_chosen
-- Of one email at a time.
truncate chosen;

-- name: choose
-- Which blocks every due message of the email shows, for this worker; what it sends keeps it.
insert into chosen (message_id, variant)
with shown as (
    select
        block_audience.lead_id,
        string_agg(block_audience.block, '+' order by block_audience.block) as variant
    from block_audience
    group by block_audience.lead_id
)

select
    messages.message_id,
    coalesce(shown.variant, '-') as variant
from messages
inner join lead_now on messages.lead_id = lead_now.lead_id
left join shown on lead_now.current_lead_id = shown.lead_id
where
    messages.product = %(product)s::text
    and messages.email = %(email)s::text
    and messages.sent_at is null
    and messages.ended_reason is null
    and messages.due_at <= %(as_of)s::timestamptz;

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
