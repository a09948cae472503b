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
        min(told.occurred_at) as first_seen_at,
        count(*) as record_count
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
        case when laid.record_count = 1 then laid.attributes else (
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
        )) end as attributes,
        case when laid.record_count = 1 then laid.provenance else (
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
        )) end as provenance
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
analyze leads, lead_addresses, addresses, match_keys, identities, account_evidence;

-- name: mark_for_rescoring
-- Who a lead is may have changed, so its fit may have.
insert into score_marks (lead_id, product)
select distinct
    batch.lead_id,
    '*'
from batch
on conflict (lead_id, product) do nothing;
