-- name: skip_message_ids
-- The next message's id lies past every id that was given before the restore.
select setval(
    pg_get_serial_sequence('nurture.messages', 'message_id'),
    nextval(pg_get_serial_sequence('nurture.messages', 'message_id')) + %(ahead)s::bigint
);

-- name: keep_addresses
-- The mailboxes of what the provider says it sent.
insert into addresses (address, domain)
select distinct
    told.address,
    split_part(told.address, '@', 2) as domain
from jsonb_to_recordset(%(mails)s::jsonb) as told (address text)
on conflict (address) do nothing;

-- name: keep_sent
-- What was sent since the backup: its occasion is used for these mailboxes.
insert into sent_before_restore (occasion_mark, address_id, sent_at)
select
    %(occasion_mark)s::text,
    addresses.address_id,
    min(told.sent_at) as sent_at
from jsonb_to_recordset(%(mails)s::jsonb) as told (address text, sent_at timestamptz)
inner join addresses on told.address = addresses.address
group by addresses.address_id
on conflict (occasion_mark, address_id) do nothing;
