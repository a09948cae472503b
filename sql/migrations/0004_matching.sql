-- Matching: by what records are found again, what their names and companies are known by, and whose company each is.
alter table nurture.source_records add column account_id bigint; -- of accounts, which never lose a row
create index source_records_by_account on nurture.source_records (account_id);

-- What a record shares with those that it could match: keys and blocks, hashed. A block is no identity.
create table nurture.match_keys (
    block bigint not null,
    record_id bigint not null -- of source_records; no foreign key, which would double the time of a batch
);
create index match_keys_by_block on nurture.match_keys (block, record_id);

-- Known records that are judged again with the next batch: whose company turned out to be another's, or whose lead was
-- two people's.
create table nurture.records_to_judge (
    record_id bigint primary key -- of source_records
);

-- What parts of kanji names are read as, and how often the records show it.
create table nurture.name_readings (
    part text not null check (part in ('last', 'first')),
    written text not null,
    reading text not null,
    shown_count integer not null check (shown_count > 0),
    primary key (part, written, reading)
);

-- How many records bear a part of a name: how rare it is. Part `all` counts every record.
create table nurture.name_parts (
    part text not null check (part in ('last', 'first', 'word', 'all')),
    written text not null,
    record_count integer not null check (record_count > 0),
    primary key (part, written)
);

-- How many records say that a domain, a name, a number or a place is an account's.
create table nurture.account_evidence (
    kind text not null check (kind in ('domain', 'company', 'corporate_number', 'phone', 'place', 'account')),
    value text not null,
    account_key text not null,
    record_count integer not null check (record_count > 0),
    primary key (kind, value, account_key)
);

create index match_reviews_by_other_record on nurture.match_reviews (record_b);
create index match_reviews_open on nurture.match_reviews (review_id) where answer is null;

-- JSON objects laid over each other in their order: of a key the last value stays.
create aggregate nurture.jsonb_union(jsonb) (sfunc = jsonb_concat, stype = jsonb, initcond = '{}');

-- A lead that was made while a key looked like one person's, and was parted when the key turned out to be shared: the
-- id stayed with most of the records, and another lead took the rest. Facts stay whose they were.
create table nurture.splits (
    split_id bigint generated always as identity primary key,
    lead_id bigint not null references nurture.leads (lead_id),
    parted_id bigint not null references nurture.leads (lead_id),
    reason text not null,
    as_of timestamptz not null,
    recorded_at timestamptz not null default now(),
    constraint a_split_has_two_leads check (lead_id <> parted_id)
);
create index splits_by_lead on nurture.splits (lead_id);
create index match_edges_by_other_record on nurture.match_edges (record_b);

-- What a large batch decided and has not written yet: whose its records are, and the steps that are left to do.
create table nurture.decided (
    portion integer not null,          -- of whole leads
    record_id bigint not null,
    lead_id bigint not null,
    account_key text,
    is_new boolean not null            -- the record had no lead before
);
create index decided_by_portion on nurture.decided (portion);
create table nurture.pieces (
    piece_id bigint generated always as identity primary key,
    step smallint not null,
    portion integer,                   -- null: all of it
    record_count integer not null,
    written_at timestamptz
);
