-- name: lock
-- One consolidation at a time: a second product's run waits here and then finds nothing left to do.
select pg_advisory_xact_lock(7310002);

-- name: sort_in_memory
-- A large batch is sorted and joined in memory: on disk it took half as long again.
select set_config('work_mem', '256MB', true);

-- name: new_records
-- The records that no lead has yet and that have happened by as_of, oldest first, as matching sees them.
select
    source_records.record_id,
    source_records.source || '/' || source_records.source_key as source_key,
    null::bigint as lead_id,
    null::text as account_key,
    source_records.keys ->> 'name' as name_key,
    source_records.fields ->> 'last_name' as last_name,
    source_records.fields ->> 'first_name' as first_name,
    source_records.fields ->> 'name' as full_name,
    coalesce(source_records.fields ->> 'kana', source_records.keys ->> 'kana') as kana,
    source_records.keys ->> 'crm_id' as crm_id,
    case when source_records.keys -> 'is_role' is null then source_records.keys ->> 'email' end as mailbox,
    source_records.keys ->> 'domain' as domain,
    source_records.keys ->> 'mobile' as mobile,
    source_records.keys ->> 'phone' as phone,
    source_records.keys ->> 'company' as company,
    source_records.keys ->> 'corporate_number' as corporate_number,
    coalesce(source_records.fields ->> 'postal_code', source_records.fields ->> 'region') as place
from source_records
where source_records.lead_id is null and source_records.occurred_at <= %(as_of)s::timestamptz
order by source_records.occurred_at asc, source_records.record_id asc
limit %(at_most)s::integer;

-- name: waiting
-- How many records no lead has yet.
select count(*) as record_count
from source_records
where source_records.lead_id is null and source_records.occurred_at <= %(as_of)s::timestamptz;

-- name: any_known
-- Whether there is anything to be found again: a first batch of 100,000 would ask 2 million times in vain.
select exists (select from match_keys);

-- name: new_lead_ids
-- As many lead ids as there are new people, in order.
select nextval(pg_get_serial_sequence('nurture.leads', 'lead_id')) as lead_id
from generate_series(1, %(how_many)s::integer)
order by lead_id;

-- name: copy_leads
-- The new people, empty until survivorship fills them.
copy leads (lead_id) from stdin;

-- name: create_batch
-- What this batch decided: which lead each of its records belongs to, and which account.
create temporary table batch (
    record_id bigint primary key,
    lead_id bigint not null,
    account_key text,
    is_new boolean not null default true
) on commit drop;

-- name: copy_batch
-- The batch's rows.
copy batch (record_id, lead_id, account_key, is_new) from stdin;

-- name: analyze_batch
-- The planner has to know whether a batch is one record or a million.
analyze batch;

-- name: assign_records
-- Every record of the batch gets its lead and its account.
update source_records
set lead_id = batch.lead_id, account_id = coalesce(accounts.merged_into, accounts.account_id)
from batch
left join accounts on batch.account_key = accounts.account_key
where source_records.record_id = batch.record_id;

-- name: create_told
-- The keys that identify the batch's leads.
create temporary table told (
    kind text not null,
    value text not null,
    name_key text not null,
    lead_id bigint not null,
    is_shared boolean not null
) on commit drop;

-- name: copy_told
-- The keys of the batch.
copy told (kind, value, name_key, lead_id, is_shared) from stdin;

-- name: analyze_records
-- After a large batch the planner would still believe that no record has a lead: 90,000 took 98 s for 10.
analyze source_records (lead_id, account_id), leads (lead_id, merged_into);

-- name: insert_identities
-- One that is open already stays whose it is.
insert into identities (kind, value, name_key, lead_id, is_shared, opened_at)
select
    told.kind,
    told.value,
    told.name_key,
    told.lead_id,
    told.is_shared,
    %(as_of)s::timestamptz
from told
on conflict (kind, value, name_key) where closed_at is null and not is_shared do nothing;

-- name: insert_addresses
-- The mailboxes of the batch.
insert into addresses (address, domain, is_role, unmailable_reason)
select
    lower(source_records.fields ->> 'email') as address,
    split_part(lower(min(source_records.fields ->> 'email')), '@', 2) as domain,
    bool_or(source_records.keys -> 'is_role' is not null) as is_role,
    min(source_records.facts ->> 'unmailable') as unmailable_reason
from batch
inner join source_records on batch.record_id = source_records.record_id
where source_records.fields ? 'email'
group by lower(source_records.fields ->> 'email')
on conflict (address) do nothing;

-- name: link_addresses
-- Whose mailboxes they are; one lead may have several and several leads may share one.
insert into lead_addresses (lead_id, address_id, first_seen_at, last_seen_at)
select
    batch.lead_id,
    addresses.address_id,
    min(source_records.occurred_at) as first_seen_at,
    max(source_records.occurred_at) as last_seen_at
from batch
inner join source_records on batch.record_id = source_records.record_id
inner join addresses on lower(source_records.fields ->> 'email') = addresses.address
group by batch.lead_id, addresses.address_id
on conflict (lead_id, address_id) do update
set
    first_seen_at = least(lead_addresses.first_seen_at, excluded.first_seen_at),
    last_seen_at = greatest(lead_addresses.last_seen_at, excluded.last_seen_at);

-- name: mark_shared_addresses
-- A mailbox that several people have is marked.
update addresses
set is_shared = true
where
    not addresses.is_shared
    and addresses.address_id in (
        select lead_addresses.address_id
        from lead_addresses
        inner join lead_now on lead_addresses.lead_id = lead_now.lead_id
        where
            lead_addresses.address_id in (
                select mine.address_id from lead_addresses as mine inner join batch on mine.lead_id = batch.lead_id
            )
        group by lead_addresses.address_id
        having count(distinct lead_now.current_lead_id) > 1
    );

-- name: clear_primary_addresses
-- The primary address is chosen anew for the batch's leads.
update lead_addresses
set is_primary = false
from batch
where lead_addresses.lead_id = batch.lead_id and lead_addresses.is_primary;

-- name: choose_primary_addresses
-- One primary address a lead: one that can be mailed, its own before a shared one, the newest.
with touched as (
    select distinct batch.lead_id from batch
),

chosen as (
    select distinct on (touched.lead_id)
        touched.lead_id,
        lead_addresses.address_id
    from touched
    inner join lead_addresses on touched.lead_id = lead_addresses.lead_id
    inner join addresses on lead_addresses.address_id = addresses.address_id
    order by
        touched.lead_id asc,
        (addresses.unmailable_reason is null) desc,
        addresses.is_role asc,
        addresses.is_shared asc,
        lead_addresses.last_seen_at desc,
        lead_addresses.address_id asc
)

update lead_addresses
set is_primary = true
from chosen
where lead_addresses.lead_id = chosen.lead_id and lead_addresses.address_id = chosen.address_id;

-- name: insert_consents
-- Evidence that the batch brings, each with its basis and its address (N13).
insert into consents (lead_id, address_id, basis, evidence, source, record_id, occurred_at)
select
    batch.lead_id,
    addresses.address_id,
    source_records.facts -> 'consent' ->> 'basis',
    source_records.facts -> 'consent' ->> 'evidence',
    source_records.source,
    source_records.record_id,
    source_records.occurred_at
from batch
inner join source_records on batch.record_id = source_records.record_id
inner join addresses on lower(source_records.fields ->> 'email') = addresses.address
where source_records.facts ? 'consent'
on conflict (lead_id, address_id, basis, record_id) do nothing;

-- name: insert_opt_outs
-- Refusals that the batch brings: they hold for the lead and for the address, and none ever ends by an import (N13).
insert into opt_outs (lead_id, address_id, product, mail_type, how, evidence, occurred_at)
select
    batch.lead_id,
    addresses.address_id,
    coalesce(source_records.facts -> 'opt_out' ->> 'product', '*'),
    coalesce(source_records.facts -> 'opt_out' ->> 'mail_type', '*'),
    'source',
    coalesce(source_records.facts -> 'opt_out' ->> 'evidence', 'marked') || ' (' || source_records.source || '/'
    || source_records.source_key || ')',
    source_records.occurred_at
from batch
inner join source_records on batch.record_id = source_records.record_id
left join addresses on lower(source_records.fields ->> 'email') = addresses.address
where source_records.facts ? 'opt_out'
on conflict (lead_id, address_id, product, mail_type) where ended_at is null do nothing;

-- name: insert_events
-- What the batch's rows say that people did, for the events stage to take in.
insert into raw_events (channel, payload)
select
    'source',
    (source_records.facts -> 'event') || jsonb_build_object(
        'record_id', source_records.record_id,
        'lead_id', batch.lead_id,
        'key', source_records.source || '/' || source_records.source_key,
        'occurred_at', coalesce(source_records.facts -> 'event' ->> 'occurred_at', source_records.occurred_at::text)
    )
from batch
inner join source_records on batch.record_id = source_records.record_id
where batch.is_new and source_records.facts ? 'event';
