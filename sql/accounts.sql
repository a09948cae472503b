-- name: insert_accounts
-- The companies of the batch: known by a corporate domain, else by their normalised name and place.
insert into accounts (account_key, domain)
select distinct
    batch.account_key,
    case when left(batch.account_key, 7) = 'domain:' then substr(batch.account_key, 8) end as domain
from batch
where batch.account_key is not null
on conflict (account_key) do nothing;

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

-- name: same_accounts
-- Accounts that the batch's records show to be one company: they share a corporate number, or one is known by a name
-- alone and that is the name of one company with a domain, or half of its records have that company's switchboard. What
-- several companies with domains have joins nobody, nor does a name that few of a company's records bear, somebody's
-- former employer, unless it is in Latin letters and not much commoner without the domain.
with told as (
    select distinct
        fact.kind,
        fact.value
    from batch
    inner join source_records on batch.record_id = source_records.record_id
    cross join lateral (
        values
        ('company', source_records.keys ->> 'company'),
        ('corporate_number', source_records.keys ->> 'corporate_number'),
        ('phone', source_records.keys ->> 'phone')
    ) as fact (kind, value)
    where fact.value is not null
),

bearers as (
    select
        told.kind,
        told.value,
        coalesce(accounts.merged_into, accounts.account_id) as account_id,
        sum(account_evidence.record_count) as record_count
    from told
    inner join account_evidence on told.kind = account_evidence.kind and told.value = account_evidence.value
    inner join accounts on account_evidence.account_key = accounts.account_key
    group by told.kind, told.value, coalesce(accounts.merged_into, accounts.account_id)
),

-- Who bears it beside the one with a domain of whom most records say so: a join of both sides took minutes.
beside as (
    select
        bearers.kind,
        bearers.value,
        bearers.account_id,
        bearers.record_count,
        accounts.account_key,
        accounts.corporate_number,
        accounts.domain is null and (
            bearers.kind in ('corporate_number', 'phone')
            or accounts.account_key = 'company:' || bearers.value
            or starts_with(accounts.account_key, 'company:' || bearers.value || '@')
        ) as is_plain,
        sum(bearers.record_count) filter (where accounts.domain is not null) over same as all_count,
        first_value(bearers.record_count) over best as sited_count,
        first_value(bearers.account_id) over best as sited_id
    from bearers
    inner join accounts on bearers.account_id = accounts.account_id
    window
        same as (partition by bearers.kind, bearers.value),
        best as (
            partition by bearers.kind, bearers.value
            order by accounts.domain is null asc, bearers.record_count desc, bearers.account_id asc
        )
)

select distinct
    least(beside.account_id, beside.sited_id) as survivor,
    greatest(beside.account_id, beside.sited_id) as merged
from beside
inner join accounts as sited on beside.sited_id = sited.account_id
left join account_evidence as sizes
    on sited.account_key = sizes.account_key and sizes.kind = 'account' and sited.account_key = sizes.value
left join account_evidence as own
    on beside.account_key = own.account_key and own.kind = 'account' and beside.account_key = own.value
where
    beside.is_plain
    -- of a company's name or number as good as all records with a domain, and no slip among that company's own
    and beside.sited_count >= %(nearly_all)s::numeric * beside.all_count
    and case beside.kind
        when 'corporate_number' then true
        when 'phone' then beside.sited_count > 2 and beside.record_count * 2 >= coalesce(own.record_count, 0)
        else beside.sited_count > (1 - %(nearly_all)s::numeric) * coalesce(sizes.record_count, 0)
            or (beside.value ~ '^[ -~]+$' and beside.sited_count * 4 >= beside.record_count)
    end
    and (beside.corporate_number = sited.corporate_number) is not false
order by least(beside.account_id, beside.sited_id), greatest(beside.account_id, beside.sited_id);

-- name: merge_account
-- The younger account becomes a redirect to the older, which has its domain; records and people are of the older now,
-- and whom they could be there is judged with the next batch.
with merged as (
    update accounts
    set merged_into = survivors.account_id
    from accounts as survivors
    where
        survivors.account_id = (
            select coalesce(older.merged_into, older.account_id)
            from accounts as older
            where older.account_id = %(survivor)s::bigint
        )
        and survivors.account_id <> %(merged)s::bigint
        and (accounts.account_id = %(merged)s::bigint or accounts.merged_into = %(merged)s::bigint)
    returning accounts.account_id, accounts.domain, survivors.account_id as survivor_id
),

sited as (
    update accounts
    set domain = coalesce(accounts.domain, merged.domain)
    from merged
    where accounts.account_id = merged.survivor_id and merged.account_id = %(merged)s::bigint
),

moved as (
    update source_records
    set account_id = merged.survivor_id
    from merged
    where source_records.account_id = merged.account_id
    returning source_records.record_id
),

marked as (
    insert into records_to_judge (record_id)
    select moved.record_id
    from moved
    on conflict (record_id) do nothing
)

update leads
set account_id = merged.survivor_id
from merged
where leads.account_id = merged.account_id;
