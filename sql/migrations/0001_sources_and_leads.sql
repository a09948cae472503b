-- Sources, source records, and the leads, accounts and addresses that are made of them.
create extension if not exists pg_trgm;

create table nurture.runs (
    run_id bigint generated always as identity primary key,
    dag text not null,
    product text,
    as_of timestamptz not null,
    kind text not null check (kind in ('scheduled', 'manual', 'backfill', 'asset_triggered', 'history')),
    airflow_run text,                    -- Airflow's own name of it; null: run by the command line or by the demo
    begun_at timestamptz not null default now(),
    ended_at timestamptz,
    failures jsonb not null default '{}' check (jsonb_typeof(failures) = 'object') -- task to why; '' is the run itself
);
create index runs_by_dag on nurture.runs (dag, as_of desc);

-- One row a file, by content: a file is taken once, and again only when its source is read in another way.
create table nurture.landings (
    landing_id bigint generated always as identity primary key,
    source text not null,
    file text not null,
    content_hash text not null,
    reading_hash text not null,        -- of the source's definition and the vocabulary by which it was read
    as_of timestamptz not null,
    read_until text,                   -- of a query: the greatest value of the column that says when a row changed
    landed_count integer not null default 0,
    rejected_count integer not null default 0,
    recorded_at timestamptz not null default now(),
    unique (source, content_hash)
);

-- One row a version: what a row said and how it was read. The newest of a key is the one with the highest record_id.
create table nurture.source_records (
    record_id bigint generated always as identity primary key,
    source text not null,
    source_key text not null,
    content_hash text not null,
    landing_id bigint not null references nurture.landings (landing_id),
    line integer not null,
    precedence smallint not null,      -- of the source: 1 is believed first
    channel text not null,
    payload jsonb not null,            -- the row as it arrived, by its own column names
    fields jsonb not null,             -- in our words, for display
    keys jsonb not null,               -- normalised, for matching only: email, mobile, phone, name, company, domain, …
    facts jsonb not null default '{}', -- consent, opt_out, event, first_touch, as the source's definition reads them
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default now(),
    lead_id bigint,                    -- null: not consolidated yet
    constraint a_line_read_in_one_way_is_one_record unique (landing_id, line, content_hash)
);
create index source_records_not_consolidated on nurture.source_records (record_id) where lead_id is null;
create index source_records_by_lead on nurture.source_records (lead_id) where lead_id is not null;
create index source_records_newest on nurture.source_records (source, source_key, record_id desc);

create table nurture.rejected_records (
    rejected_id bigint generated always as identity primary key,
    landing_id bigint not null references nurture.landings (landing_id),
    source text not null,
    file text not null,
    line integer not null,
    reason text not null check (reason <> ''),
    raw bytea not null,
    recorded_at timestamptz not null default now()
);
create index rejected_records_by_landing on nurture.rejected_records (landing_id);

create table nurture.accounts (
    account_id bigint generated always as identity primary key,
    account_key text not null unique,  -- domain:…, or company:… where no corporate domain was known
    merged_into bigint references nurture.accounts (account_id), -- always the survivor itself, never a chain
    name text,
    domain text,
    corporate_number text,
    industry text,
    employees integer,
    region text,
    recorded_at timestamptz not null default now()
);

create table nurture.leads (
    lead_id bigint generated always as identity primary key,
    merged_into bigint references nurture.leads (lead_id), -- always the survivor itself, never a chain
    account_id bigint references nurture.accounts (account_id),
    name text,
    last_name text,
    first_name text,
    kana text,
    company text,
    department text,
    department_function text,          -- it, general_affairs, …
    title text,
    title_level text,                  -- staff, manager, director, executive
    phone text,
    mobile text,
    postal_code text,
    region text,
    industry text,
    employees integer,
    crm_lifecycle text check (crm_lifecycle in ('lead', 'opportunity', 'customer', 'lost')),
    owner text,                        -- the rep whom the CRM names
    first_source text,
    first_channel text,
    first_touch jsonb not null default '{}', -- keyword, page, form, referrer, utm: kept for ever
    first_seen_at timestamptz,
    recorded_at timestamptz not null default now(),
    constraint a_lead_is_not_merged_into_itself check (merged_into <> lead_id)
);
create index leads_current on nurture.leads ((coalesce(merged_into, lead_id))); -- what lead_now is asked by
create index leads_by_account on nurture.leads (account_id);

-- What was known of a lead, and when.
create table nurture.lead_versions (
    lead_id bigint not null references nurture.leads (lead_id),
    version integer not null,
    attributes jsonb not null,
    provenance jsonb not null,         -- field -> record_id
    as_of timestamptz not null,
    recorded_at timestamptz not null default now(),
    primary key (lead_id, version)
);

create table nurture.addresses (
    address_id bigint generated always as identity primary key,
    address text not null unique check (address = lower(address)),
    domain text not null,
    is_role boolean not null default false,       -- info@, sales@ …
    is_shared boolean not null default false,     -- several people's mailbox, by the data
    unmailable_reason text,                       -- why no provider takes it
    recorded_at timestamptz not null default now()
);

create table nurture.lead_addresses (
    lead_id bigint not null references nurture.leads (lead_id),
    address_id bigint not null references nurture.addresses (address_id),
    is_primary boolean not null default false,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    primary key (lead_id, address_id)
);
create unique index one_primary_address_a_lead on nurture.lead_addresses (lead_id) where is_primary;
create index lead_addresses_by_address on nurture.lead_addresses (address_id);

create table nurture.identities (
    identity_id bigint generated always as identity primary key,
    kind text not null check (kind in ('record', 'crm_id', 'email', 'mobile')),
    value text not null,
    name_key text not null default '',            -- the name under which the key identifies: two names are two people
    lead_id bigint not null references nurture.leads (lead_id),
    is_shared boolean not null default false,     -- several people share the key: it identifies nobody
    opened_at timestamptz not null,
    closed_at timestamptz
);
create unique index one_open_identity on nurture.identities (kind, value, name_key)
where closed_at is null and not is_shared;
create index identities_by_lead on nurture.identities (lead_id);

create table nurture.match_edges (
    edge_id bigint generated always as identity primary key,
    record_a bigint not null, -- of source_records, which never lose a row; as a foreign key half of an edge's time
    record_b bigint not null,
    rule text not null,
    weight numeric,
    decided_by text not null default 'rule',
    is_active boolean not null default true,
    recorded_at timestamptz not null default now(),
    constraint an_edge_joins_two_records check (record_a < record_b),
    unique (record_a, record_b, rule)
);

create table nurture.match_reviews (
    review_id bigint generated always as identity primary key,
    record_a bigint not null references nurture.source_records (record_id),
    record_b bigint not null references nurture.source_records (record_id),
    evidence jsonb not null,
    answer text check (answer in ('yes', 'no', 'not_sure')),
    answered_by text,
    answered_at timestamptz,
    recorded_at timestamptz not null default now(),
    constraint a_review_is_of_two_records check (record_a < record_b),
    constraint an_answer_has_its_time check ((answer is null) = (answered_at is null)),
    unique (record_a, record_b)
);

create table nurture."merges" (
    merge_id bigint generated always as identity primary key,
    survivor_id bigint not null references nurture.leads (lead_id),
    merged_id bigint not null references nurture.leads (lead_id),
    reason text not null,
    as_of timestamptz not null,
    did jsonb not null,                -- how both stood and what it ended, by which an undo restores it
    merged_at timestamptz not null default now(),
    undone_at timestamptz,
    constraint a_merge_has_two_leads check (survivor_id <> merged_id)
);
create unique index one_open_merge on nurture."merges" (merged_id) where undone_at is null;

-- Permission: evidence adds up, refusals add up (N13).
create table nurture.consents (
    consent_id bigint generated always as identity primary key,
    lead_id bigint not null references nurture.leads (lead_id),
    address_id bigint references nurture.addresses (address_id),
    basis text not null check (basis in ('consent', 'business_card', 'published_address', 'existing_customer')),
    evidence text not null,
    source text not null,
    record_id bigint,                  -- of source_records, which never lose a row
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default now(),
    unique nulls not distinct (lead_id, address_id, basis, record_id)
);
create index consents_by_address on nurture.consents (address_id);

create table nurture.opt_outs (
    opt_out_id bigint generated always as identity primary key,
    lead_id bigint references nurture.leads (lead_id),
    address_id bigint references nurture.addresses (address_id),
    product text not null default '*',   -- '*': every product
    mail_type text not null default '*', -- '*': every mail type
    how text not null,                   -- one_click, page, reply, source, complaint, rep
    evidence text not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default now(),
    told_provider_at timestamptz,        -- of every product and mail type: when the provider was told, too
    ended_at timestamptz,                -- the person's own later act for this cell
    ended_evidence text,
    constraint an_opt_out_is_somebodys check (lead_id is not null or address_id is not null),
    constraint an_end_has_its_evidence check ((ended_at is null) = (ended_evidence is null))
);
create unique index one_open_opt_out on nurture.opt_outs (lead_id, address_id, product, mail_type)
nulls not distinct
where ended_at is null;
create index opt_outs_by_address on nurture.opt_outs (address_id) where ended_at is null;
create index opt_outs_to_take_back on nurture.opt_outs (address_id)
where ended_at is not null and told_provider_at is not null;

create table nurture.suppressions (
    address_id bigint primary key references nurture.addresses (address_id),
    reason text not null check (
        reason in ('bounced', 'invalid', 'complained', 'global_unsubscribe', 'erased', 'manual')
    ),
    evidence text not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default now()
);
