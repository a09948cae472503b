-- name: trust
-- The world is made whole, so its references are not looked up one by one (ten million signals): superusers only.
select set_config('session_replication_role', 'replica', true);

-- name: add_landing
-- The one landing from which all records of the world come.
insert into landings (source, file, content_hash, reading_hash, as_of, landed_count)
values ('world', 'world', 'world', 'world', %(until)s::timestamptz, %(leads)s::integer)
returning landing_id;

-- name: add_accounts
-- A company for twelve leads.
insert into accounts (account_id, account_key, name, domain, industry, employees, region)
overriding system value
select
    numbers.n,
    'domain:c' || numbers.n || '.example',
    '株式会社見本' || numbers.n,
    'c' || numbers.n || '.example',
    (array[
        'manufacturing', 'logistics', 'wholesale', 'construction', 'retail', 'services', 'medical', 'it'
    ])[1 + (dice.value & 7)],
    (array[8, 25, 60, 120, 300, 800, 2500, 9000])[1 + (dice.value >> 3 & 7)],
    (array[
        'kanto', 'kanto', 'kanto', 'chubu', 'kansai', 'kyushu', 'hokkaido', 'tohoku'
    ])[1 + (dice.value >> 6 & 7)]
from generate_series(1, %(accounts)s::bigint) as numbers (n)
cross join hashint8extended(numbers.n, %(seed)s::bigint) as dice (value);

-- name: add_leads
-- So many leads; what is known of one's employer is the account's.
insert into leads (
    lead_id, account_id, name, last_name, first_name, company, department, department_function, title, title_level,
    phone, industry, employees, region, crm_lifecycle, first_source, first_channel, first_seen_at
)
overriding system value
select
    numbers.n,
    accounts.account_id,
    '見本 太郎' || numbers.n,
    '見本',
    '太郎' || numbers.n,
    accounts.name,
    '部署',
    (array[
        'it', 'it', 'general_affairs', 'hr', 'sales', 'manufacturing', 'finance', 'executive_office'
    ])[1 + (dice.value & 7)],
    '役職',
    (array[
        'staff', 'staff', 'staff', 'manager', 'manager', 'director', 'executive', 'staff'
    ])[1 + (dice.value >> 3 & 7)],
    '03-0000-0000',
    accounts.industry,
    accounts.employees,
    accounts.region,
    (array['lead', 'lead', 'lead', 'lead', 'lead', 'lost', 'opportunity', 'customer'])[1 + (dice.value >> 6 & 7)],
    (array['web_forms', 'exhibition_badges', 'seminar_attendees', 'crm_export'])[1 + (dice.value >> 9 & 3)],
    (array['web_form', 'exhibition', 'seminar', 'crm'])[1 + (dice.value >> 9 & 3)],
    %(until)s::timestamptz - (dice.value >> 11 & 511) * interval '1 day'
from generate_series(1, %(leads)s::bigint) as numbers (n)
cross join hashint8extended(numbers.n, %(seed)s::bigint + 1) as dice (value)
inner join accounts on accounts.account_id = 1 + mod(dice.value >> 20 & 4294967295, %(accounts)s::bigint);

-- name: add_records
-- One record a lead: where it came from.
insert into source_records (
    source, source_key, content_hash, landing_id, line, precedence, channel, payload, fields, keys, occurred_at,
    lead_id, account_id
)
select
    leads.first_source,
    'W' || leads.lead_id,
    'world',
    %(landing_id)s::bigint,
    leads.lead_id,
    3,
    leads.first_channel,
    '{}',
    '{}',
    '{}',
    leads.first_seen_at,
    leads.lead_id,
    leads.account_id
from leads;

-- name: add_addresses
-- One mailbox a lead; one in sixty-four is the mailbox of the lead before.
insert into addresses (address_id, address, domain)
overriding system value
select
    leads.lead_id,
    'lead' || leads.lead_id || '@' || accounts.domain,
    accounts.domain
from leads
inner join accounts on leads.account_id = accounts.account_id;

-- name: link_addresses
-- Whose mailbox it is.
insert into lead_addresses (lead_id, address_id, is_primary, first_seen_at, last_seen_at)
select
    leads.lead_id,
    case
        when leads.lead_id > 1 and hashint8extended(leads.lead_id, %(seed)s::bigint + 2) & 63 = 0
            then leads.lead_id - 1
        else leads.lead_id
    end,
    true,
    leads.first_seen_at,
    leads.first_seen_at
from leads;

-- name: add_consents
-- Evidence for fifteen of sixteen, with its basis and its mailbox.
insert into consents (lead_id, address_id, basis, evidence, source, occurred_at)
select
    leads.lead_id,
    lead_addresses.address_id,
    case leads.first_source when 'exhibition_badges' then 'business_card' else 'consent' end,
    'world',
    leads.first_source,
    leads.first_seen_at
from leads
inner join lead_addresses on leads.lead_id = lead_addresses.lead_id
where hashint8extended(leads.lead_id, %(seed)s::bigint + 3) & 15 <> 0;

-- name: add_opt_outs
-- One in thirty-two refuses everything, one in thirty-two the product news of one product.
insert into opt_outs (lead_id, address_id, product, mail_type, how, evidence, occurred_at)
select
    leads.lead_id,
    lead_addresses.address_id,
    case when dice.value >> 8 & 1 = 0 then '*' else %(product)s::text end,
    case when dice.value >> 8 & 1 = 0 then '*' else 'product_news' end,
    'page',
    'world',
    leads.first_seen_at
from leads
inner join lead_addresses on leads.lead_id = lead_addresses.lead_id
cross join hashint8extended(leads.lead_id, %(seed)s::bigint + 4) as dice (value)
where dice.value & 15 = 0;

-- name: add_suppressions
-- One mailbox in a hundred and twenty-eight has bounced.
insert into suppressions (address_id, reason, evidence, occurred_at)
select
    addresses.address_id,
    'bounced',
    'world',
    %(until)s::timestamptz - interval '30 days'
from addresses
where hashint8extended(addresses.address_id, %(seed)s::bigint + 5) & 127 = 0;

-- name: drop_signal_indexes
-- Ten million rows are sorted into an index in a third of the time in which they are put there one by one.
alter table signals drop constraint signals_pkey;
drop index signals_by_product;

-- name: add_signals
-- What leads did in a year: half of them little, an eighth a great deal, `average` each. Days are a lead's own once.
insert into signals (lead_id, product, day, kind, subject, mail_type, count)
select
    leads.lead_id,
    (%(products)s::text [])[1 + mod(dice.value & 255, cardinality(%(products)s::text []))],
    (%(until)s::timestamptz at time zone 'Asia/Tokyo')::date
    - (steps.k * activity.gap + mod(dice.value >> 8 & 1023, activity.gap))::integer,
    acts.kind,
    acts.subject,
    acts.mail_type,
    1 + (dice.value >> 30 & 1)::integer
from leads
cross join lateral (
    values (
        (array[4, 4, 4, 4, 8, 8, 16, 32])[1 + (hashint8extended(leads.lead_id, %(seed)s::bigint + 6) & 7)]
        * %(average)s::integer / 10
    )
) as habits (many)
cross join greatest(360 / greatest(habits.many, 1), 1) as activity (gap)
cross join lateral generate_series(0, habits.many - 1) as steps (k)
cross join hashint8extended(leads.lead_id * 64 + steps.k, %(seed)s::bigint + 7) as dice (value)
inner join acts on acts.place = (dice.value >> 18 & 31);

-- name: create_acts
-- Thirty-two things that a lead can do, so often as they are among them.
create temporary table acts (
    place integer primary key, kind text not null, subject text not null, mail_type text not null
) on commit drop;

-- name: fill_acts
-- Opens and visits are most of what happens.
insert into acts (place, kind, subject, mail_type)
select
    numbers.n,
    kinds.kind,
    case kinds.kind
        when 'visited' then (array['/', '/pricing', '/case/logistics', '/blog/checklist'])[1 + mod(numbers.n, 4)]
        when 'submitted'
            then (array['document_request', 'newsletter', 'contact', 'seminar_signup'])[1 + mod(numbers.n, 4)]
        when 'attended' then 'seminar'
        else (%(emails)s::text [])[1 + mod(numbers.n, cardinality(%(emails)s::text []))]
    end,
    case when kinds.kind in ('opened', 'clicked')
            then (array['know_how', 'event', 'case_study', 'product_news'])[1 + mod(numbers.n, 4)]
        else ''
    end
from generate_series(0, 31) as numbers (n)
cross join lateral (
    values (
        case
            when numbers.n < 12 then 'opened'
            when numbers.n < 16 then 'clicked'
            when numbers.n < 28 then 'visited'
            when numbers.n < 30 then 'submitted'
            when numbers.n < 31 then 'attended'
            else 'replied'
        end
    )
) as kinds (kind);

-- name: lay_signal_indexes
-- As the migration has them.
alter table signals add primary key (lead_id, product, day, kind, subject, mail_type);
create index signals_by_product on signals (product, kind, day);

-- name: continue_numbers
-- What comes after the world is numbered after it.
select
    setval(pg_get_serial_sequence('nurture.leads', 'lead_id'), %(leads)s::bigint),
    setval(pg_get_serial_sequence('nurture.accounts', 'account_id'), %(accounts)s::bigint),
    setval(pg_get_serial_sequence('nurture.addresses', 'address_id'), %(leads)s::bigint);

-- name: add_a_day
-- A day's change: one lead in fifty does something on the day after the world.
insert into signals (lead_id, product, day, kind, subject, mail_type, count)
select
    leads.lead_id,
    %(product)s::text,
    %(day)s::date,
    'visited',
    '/pricing',
    '',
    1
from leads
where hashint8extended(leads.lead_id, %(seed)s::bigint + 8) & 63 = 0
on conflict do nothing;

-- name: owners
-- The lead and the account of every record.
select
    lead_sources.source,
    lead_sources.source_key,
    lead_sources.lead_id,
    lead_sources.account_id
from lead_sources;

-- name: questions
-- The pairs that a person is to decide.
select
    one.source,
    one.source_key,
    two.source as other_source,
    two.source_key as other_key
from match_reviews
inner join source_records as one on match_reviews.record_a = one.record_id
inner join source_records as two on match_reviews.record_b = two.record_id
where match_reviews.answer is null;

-- name: said
-- What each record says, and the rules by which it was joined to others.
select
    source_records.source,
    source_records.source_key,
    source_records.fields,
    source_records.keys,
    (
        select string_agg(match_edges.rule || ' ' || match_edges.record_a || '-' || match_edges.record_b, ', ')
        from match_edges
        where source_records.record_id in (match_edges.record_a, match_edges.record_b)
    ) as rules
from source_records
order by source_records.record_id;

-- name: cuts
-- The moments up to which so many records have happened.
select moments.occurred_at
from (
    select
        source_records.occurred_at,
        row_number() over (order by source_records.occurred_at, source_records.record_id) as place
    from source_records
) as moments
where moments.place = any(%(places)s::bigint []);

-- name: normalised
-- The records as another matcher is given them: our normalised columns, without role mailboxes.
select
    source_records.record_id as unique_id,
    source_records.source,
    source_records.source_key,
    source_records.keys ->> 'name' as name,
    source_records.fields ->> 'last_name' as last_name,
    source_records.fields ->> 'first_name' as first_name,
    case when source_records.keys ? 'is_role' then null else source_records.keys ->> 'email' end as email,
    source_records.keys ->> 'mobile' as mobile,
    source_records.keys ->> 'phone' as phone,
    source_records.keys ->> 'company' as company,
    source_records.keys ->> 'domain' as domain,
    source_records.fields ->> 'postal_code' as postal_code
from source_records;

-- name: add_messages
-- A planned mail of one plan entry to every lead that has a primary mailbox.
with defined as (
    insert into definitions (definition_hash, product, part, name, body)
    values ('benchmark', %(product)s::text, 'plan', 'benchmark', '{}'::jsonb)
    on conflict (definition_hash) do nothing
)

insert into messages (
    product, occasion, step, lead_id, address_id, email, mail_type, definition_hash, reason, planned_at, first_due_at,
    due_at, expires_at
)
select distinct on (lead_addresses.address_id)
    %(product)s::text,
    'plan/' || %(entry)s::text,
    %(entry)s::text,
    lead_addresses.lead_id,
    lead_addresses.address_id,
    %(email)s::text,
    %(mail_type)s::text,
    'benchmark',
    'in the benchmark',
    %(until)s::timestamptz,
    %(until)s::timestamptz,
    %(until)s::timestamptz,
    %(until)s::timestamptz + interval '1 year'
from lead_addresses
inner join lead_now
    on lead_addresses.lead_id = lead_now.lead_id and lead_now.current_lead_id = lead_now.lead_id
where lead_addresses.is_primary
order by lead_addresses.address_id, lead_addresses.lead_id;
