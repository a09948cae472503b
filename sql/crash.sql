-- name: define
-- What the trials' messages were planned by.
insert into definitions (definition_hash, product, part, name, body)
values ('crash', %(product)s::text, 'plan', 'crash', '{}'::jsonb)
on conflict do nothing;

-- name: add_messages
-- People with a mailbox and consent, and a due message each, in so many occasions; the last one is due an hour later.
with people as (
    insert into leads (name)
    select '見本 ' || made.number
    from generate_series(1, %(messages)s::integer) as made (number)
    returning leads.lead_id
),

mailboxes as (
    insert into addresses (address, domain)
    select
        people.lead_id || '@crash.example',
        'crash.example'
    from people
    returning addresses.address_id, split_part(addresses.address, '@', 1)::bigint as lead_id
),

linked as (
    insert into lead_addresses (lead_id, address_id, is_primary, first_seen_at, last_seen_at)
    select
        mailboxes.lead_id,
        mailboxes.address_id,
        true,
        %(at)s::timestamptz,
        %(at)s::timestamptz
    from mailboxes
),

agreed as (
    insert into consents (lead_id, address_id, basis, evidence, source, occurred_at)
    select
        mailboxes.lead_id,
        mailboxes.address_id,
        'business_card',
        '名刺',
        'crash',
        %(at)s::timestamptz
    from mailboxes
),

placed as (
    select
        mailboxes.lead_id,
        mailboxes.address_id,
        row_number() over (order by mailboxes.lead_id) as place
    from mailboxes
)

insert into messages (
    product, occasion, step, lead_id, address_id, email, mail_type, definition_hash, reason, planned_at,
    first_due_at, due_at, expires_at
)
select
    %(product)s::text,
    'plan/' || %(step)s::text || '/' || case
        when placed.place = %(messages)s::integer then 'last' else mod(placed.place, %(occasions)s::integer)::text
    end,
    %(step)s::text,
    placed.lead_id,
    placed.address_id,
    (%(emails)s::text [])[1 + mod(placed.place, cardinality(%(emails)s::text []))],
    'know_how',
    'crash',
    'crash',
    %(at)s::timestamptz,
    %(at)s::timestamptz,
    %(at)s::timestamptz + case when placed.place = %(messages)s::integer then interval '1 hour' else interval '0' end,
    %(at)s::timestamptz + interval '3 days'
from placed;

-- name: ledger
-- What the ledger says of a trial's messages, and whether it lists or explains what was not sent.
select
    messages.message_id,
    messages.status,
    coalesce(send_requests.status = 'unknown', false) as is_listed,
    exists (
        select from decisions
        where decisions.message_id = messages.message_id and decisions.outcome = 'never'
    ) as is_explained
from messages
left join send_requests on messages.request_id = send_requests.request_id
where messages.step = %(step)s::text;

-- name: held_requests
-- The requests that wait for a person, with one member that the provider may know.
select
    send_requests.request_id,
    min(send_attempts.message_id) as message_id
from send_requests
inner join send_attempts on send_requests.request_id = send_attempts.request_id
where send_requests.status = 'unknown'
group by send_requests.request_id;
