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
    account_key text
) on commit drop;

-- name: copy_batch
-- The batch's rows.
copy batch (record_id, lead_id, account_key) from stdin;

-- name: analyze_batch
-- The planner has to know whether a batch is one record or a million.
analyze batch;

-- name: insert_accounts
-- The companies of the batch: known by a corporate domain, else by their normalised name and place.
insert into accounts (account_key, domain)
select distinct
    batch.account_key,
    case when left(batch.account_key, 7) = 'domain:' then substr(batch.account_key, 8) end as domain
from batch
where batch.account_key is not null
on conflict (account_key) do nothing;

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
where source_records.facts ? 'event';

-- name: fill_accounts
-- An account takes each of its facts from its records: the source believed first, then the newest. Looked at are those
-- of which the batch says what they do not know, or, if there are any, those that were joined.
with touched as (
    select distinct accounts.account_id
    from batch
    inner join source_records on batch.record_id = source_records.record_id
    inner join accounts on source_records.account_id = accounts.account_id
    where
        %(joined)s::bigint [] = '{}'
        and (
            source_records.fields ->> 'company' <> coalesce(accounts.name, '')
            or coalesce(source_records.fields ->> 'corporate_number', source_records.keys ->> 'corporate_number')
            <> coalesce(accounts.corporate_number, '')
            or source_records.fields ->> 'industry' <> coalesce(accounts.industry, '')
            or source_records.fields ->> 'employees' <> coalesce(accounts.employees::text, '')
            or source_records.fields ->> 'region' <> coalesce(accounts.region, '')
        )
    union
    select coalesce(accounts.merged_into, accounts.account_id)
    from accounts
    where accounts.account_id = any(%(joined)s::bigint [])
),

told as (
    select
        source_records.account_id,
        source_records.precedence,
        source_records.occurred_at,
        source_records.record_id,
        source_records.fields ->> 'company' as company,
        coalesce(
            source_records.fields ->> 'corporate_number', source_records.keys ->> 'corporate_number'
        ) as corporate_number,
        source_records.fields ->> 'industry' as industry,
        source_records.fields ->> 'employees' as employees,
        source_records.fields ->> 'region' as region
    from touched
    inner join source_records on touched.account_id = source_records.account_id
),

chosen as (
    select
        told.account_id,
        (array_agg(told.company order by told.precedence asc, told.occurred_at desc, told.record_id desc)
            filter (where told.company is not null)) [1] as company,
        (array_agg(told.corporate_number order by told.precedence asc, told.occurred_at desc, told.record_id desc)
            filter (where told.corporate_number is not null)) [1] as corporate_number,
        (array_agg(told.industry order by told.precedence asc, told.occurred_at desc, told.record_id desc)
            filter (where told.industry is not null)) [1] as industry,
        (array_agg(told.employees order by told.precedence asc, told.occurred_at desc, told.record_id desc)
            filter (where told.employees is not null)) [1] as employees,
        (array_agg(told.region order by told.precedence asc, told.occurred_at desc, told.record_id desc)
            filter (where told.region is not null)) [1] as region
    from told
    group by told.account_id
)

update accounts
set
    name = chosen.company,
    corporate_number = chosen.corporate_number,
    industry = chosen.industry,
    employees = chosen.employees::integer,
    region = chosen.region
from chosen
where accounts.account_id = chosen.account_id;

-- name: survive
-- Fill the batch's leads from all their newest records: by field, the source believed first, then the newest, but kanji
-- of a name before its reading; the employer's fields move as one bundle, from the newest record that names a company
-- (each for itself if none does). Nothing is sorted by field: records are laid over each other, the best last. What no
-- record says of the employer, the account knows.
with records as (
    select distinct on (source_records.source, source_records.source_key)
        lead_now.current_lead_id as lead_id,
        source_records.record_id,
        source_records.source,
        source_records.precedence,
        source_records.channel,
        source_records.occurred_at,
        source_records.account_id,
        source_records.fields,
        source_records.facts -> 'first_touch' as first_touch
    from (select distinct batch.lead_id from batch) as touched
    inner join lead_now on touched.lead_id = lead_now.current_lead_id
    inner join source_records on lead_now.lead_id = source_records.lead_id
    order by source_records.source asc, source_records.source_key asc, source_records.record_id desc
),

told as materialized (
    select
        records.lead_id,
        records.record_id,
        records.source,
        records.precedence,
        records.channel,
        records.occurred_at,
        records.account_id,
        records.fields,
        records.first_touch,
        records.fields ? 'company' as has_employer,
        coalesce(records.fields ->> 'name', records.fields ->> 'last_name') ~ '[一-龠]' as is_in_kanji,
        (
            select jsonb_object_agg(field.key, records.record_id)
            from jsonb_object_keys(records.fields) as field (key)
        ) as told_by
    from records
),

laid as (
    select
        told.lead_id,
        jsonb_union(told.fields order by told.precedence desc, told.occurred_at asc, told.record_id asc) as attributes,
        jsonb_union(told.told_by order by told.precedence desc, told.occurred_at asc, told.record_id asc) as provenance,
        (array_agg(
            told.fields order by told.precedence asc, told.occurred_at desc, told.record_id desc
        ) filter (where told.is_in_kanji)) [1] as written,
        (array_agg(
            told.told_by order by told.precedence asc, told.occurred_at desc, told.record_id desc
        ) filter (where told.is_in_kanji)) [1] as written_by,
        (array_agg(
            told.fields order by told.occurred_at desc, told.precedence asc, told.record_id desc
        ) filter (where told.has_employer)) [1] as employer,
        (array_agg(
            told.told_by order by told.occurred_at desc, told.precedence asc, told.record_id desc
        ) filter (where told.has_employer)) [1] as employer_by,
        (array_agg(
            told.account_id order by told.occurred_at desc, told.precedence asc, told.record_id desc
        ) filter (where told.has_employer)) [1] as account_id,
        (array_agg(told.source order by told.occurred_at asc, told.record_id asc)) [1] as first_source,
        (array_agg(told.channel order by told.occurred_at asc, told.record_id asc)) [1] as first_channel,
        (array_agg(told.first_touch order by told.occurred_at asc, told.record_id asc)) [1] as first_touch,
        min(told.occurred_at) as first_seen_at
    from told
    group by told.lead_id
),

merged as (
    select
        laid.lead_id,
        laid.account_id,
        laid.first_source,
        laid.first_channel,
        coalesce(laid.first_touch, '{}'::jsonb) as first_touch,
        laid.first_seen_at,
        (
            case
                when laid.employer is null then laid.attributes
                else laid.attributes - array['company', 'department', 'department_function', 'title', 'title_level']
            end
        )
        || jsonb_strip_nulls(jsonb_build_object(
            'name', laid.written -> 'name',
            'last_name', laid.written -> 'last_name',
            'first_name', laid.written -> 'first_name',
            'company', laid.employer -> 'company',
            'department', laid.employer -> 'department',
            'department_function', laid.employer -> 'department_function',
            'title', laid.employer -> 'title',
            'title_level', laid.employer -> 'title_level'
        )) as attributes,
        (
            case
                when laid.employer_by is null then laid.provenance
                else laid.provenance - array['company', 'department', 'department_function', 'title', 'title_level']
            end
        )
        || jsonb_strip_nulls(jsonb_build_object(
            'name', laid.written_by -> 'name',
            'last_name', laid.written_by -> 'last_name',
            'first_name', laid.written_by -> 'first_name',
            'company', laid.employer_by -> 'company',
            'department', laid.employer_by -> 'department',
            'department_function', laid.employer_by -> 'department_function',
            'title', laid.employer_by -> 'title',
            'title_level', laid.employer_by -> 'title_level'
        )) as provenance
    from laid
),

updated as (
    update leads
    set
        account_id = merged.account_id,
        name = merged.attributes ->> 'name',
        last_name = merged.attributes ->> 'last_name',
        first_name = merged.attributes ->> 'first_name',
        kana = merged.attributes ->> 'kana',
        company = merged.attributes ->> 'company',
        department = merged.attributes ->> 'department',
        department_function = merged.attributes ->> 'department_function',
        title = merged.attributes ->> 'title',
        title_level = merged.attributes ->> 'title_level',
        phone = merged.attributes ->> 'phone',
        mobile = merged.attributes ->> 'mobile',
        postal_code = merged.attributes ->> 'postal_code',
        region = coalesce(merged.attributes ->> 'region', accounts.region),
        industry = coalesce(merged.attributes ->> 'industry', accounts.industry),
        employees = coalesce((merged.attributes ->> 'employees')::integer, accounts.employees),
        owner = merged.attributes ->> 'owner',
        crm_lifecycle = merged.attributes ->> 'lifecycle',
        first_source = coalesce(leads.first_source, merged.first_source),
        first_channel = coalesce(leads.first_channel, merged.first_channel),
        first_touch = case when leads.first_seen_at is null then merged.first_touch else leads.first_touch end,
        first_seen_at = coalesce(leads.first_seen_at, merged.first_seen_at)
    from merged
    left join accounts on merged.account_id = accounts.account_id
    where leads.lead_id = merged.lead_id
)

insert into lead_versions (lead_id, version, attributes, provenance, as_of)
select
    merged.lead_id,
    coalesce(newest.version, 0) + 1,
    merged.attributes,
    merged.provenance,
    %(as_of)s::timestamptz
from merged
left join lateral (
    select
        lead_versions.version,
        lead_versions.attributes
    from lead_versions
    where lead_versions.lead_id = merged.lead_id
    order by lead_versions.version desc
    limit 1
) as newest on true
where newest.attributes is distinct from merged.attributes;

-- name: inherit
-- What an account learned, its other people learn, and whoever does is rescored.
with touched as (
    select leads.account_id
    from batch
    inner join leads on batch.lead_id = leads.lead_id
    where leads.account_id is not null
    union
    select source_records.account_id
    from batch
    inner join source_records on batch.record_id = source_records.record_id
    where source_records.account_id is not null
),

learned as (
    update leads
    set
        industry = coalesce(leads.industry, accounts.industry),
        employees = coalesce(leads.employees, accounts.employees),
        region = coalesce(leads.region, accounts.region)
    from touched
    inner join accounts on touched.account_id = accounts.account_id
    where
        leads.account_id = accounts.account_id
        and (
            (leads.industry is null and accounts.industry is not null)
            or (leads.employees is null and accounts.employees is not null)
            or (leads.region is null and accounts.region is not null)
        )
    returning leads.lead_id
)

insert into score_marks (lead_id, product)
select
    learned.lead_id,
    '*'
from learned
on conflict (lead_id, product) do nothing;

-- name: analyze_leads
-- What follows a large batch has to know whom it filled; without a column list the index of `lead_now` is counted, too.
analyze leads, lead_addresses, addresses, match_keys;

-- name: mark_for_rescoring
-- Who a lead is may have changed, so its fit may have.
insert into score_marks (lead_id, product)
select distinct
    batch.lead_id,
    '*'
from batch
on conflict (lead_id, product) do nothing;
