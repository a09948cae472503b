-- What came in, what it means, and what is made of it: signals, scores, qualifications, hand-offs, facts.
create table nurture.raw_events (
    raw_event_id bigint generated always as identity,
    channel text not null check (channel in ('sendgrid', 'inbound', 'track', 'unsubscribe', 'logs', 'source')),
    payload jsonb not null,
    received_at timestamptz not null default now(),
    taken_at timestamptz,
    problem text,                        -- why it could not be read as an event; kept all the same (N8)
    primary key (raw_event_id, received_at)
) partition by range (received_at);
create table nurture.raw_events_default partition of nurture.raw_events default;
create index raw_events_not_taken on nurture.raw_events (raw_event_id) where taken_at is null;

create table nurture.events (
    event_id bigint generated always as identity,
    raw_event_id bigint,
    source_record_id bigint,             -- of an event that a source's row tells
    type text not null check (
        type in (
            'accepted', 'deferred', 'delivered', 'bounced', 'blocked', 'rejected',
            'opened', 'clicked', 'replied', 'visited', 'submitted', 'attended', 'unsubscribed', 'allowed',
            'complained'
        )
    ),
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default now(),
    message_id bigint,
    address_id bigint,
    lead_id bigint,
    product text not null default '',    -- '': of no product
    mail_type text not null default '',
    subject text not null default '',    -- the email, page path, form or event
    provider_event_id text,
    provider_message_id text,
    is_flagged_machine boolean not null default false, -- the provider itself says so (Apple's prefetch)
    user_agent text,
    ip text,
    url text,
    detail text,
    primary key (event_id, occurred_at)
) partition by range (occurred_at);
create table nurture.events_default partition of nurture.events default;
create index events_by_lead on nurture.events (lead_id, product, occurred_at);
create index events_by_message on nurture.events (message_id) where message_id is not null;
create index events_against on nurture.events (occurred_at) where type in ('bounced', 'complained', 'blocked');

-- The same event twice, by the provider's id or by its natural key.
create table nurture.event_keys (
    event_key text primary key,
    recorded_at timestamptz not null default now()
);

create table nurture.verdicts (
    event_id bigint not null,
    version integer not null,            -- of the judging rules
    is_machine boolean not null,
    rule text not null,
    recorded_at timestamptz not null default now(),
    primary key (event_id, version)
);

-- Counts, no points: any rule version can be applied to them.
create table nurture.signals (
    lead_id bigint not null references nurture.leads (lead_id),
    product text not null,
    day date not null,                   -- of the product's zone
    kind text not null,
    subject text not null,
    mail_type text not null default '',
    count integer not null check (count > 0),
    primary key (lead_id, product, day, kind, subject, mail_type)
);
create index signals_by_product on nurture.signals (product, kind, day);

-- Leads to be rescored before the next full run: new or re-judged signals, changed attributes.
create table nurture.score_marks (
    lead_id bigint not null references nurture.leads (lead_id),
    product text not null,               -- '*': every product
    primary key (lead_id, product)
);

-- A row when a score changed; the newest at or before a moment is the score of that moment.
create table nurture.scores (
    product text not null,
    lead_id bigint not null references nurture.leads (lead_id) not enforced,
    scored_at timestamptz not null,      -- the run's as_of
    fit integer not null,
    engagement integer not null,
    score integer not null generated always as (fit + engagement) stored,
    definition_hash text not null references nurture.definitions (definition_hash) not enforced,
    recheck_at timestamptz,              -- when time alone changes it next
    recorded_at timestamptz not null default now(),
    primary key (product, lead_id, scored_at)
);
create trigger look_up_references after insert on nurture.scores referencing new table as added
for each statement execute function nurture.look_up_references('lead_id', 'leads', 'definition_hash', 'definitions');

create table nurture.qualifications (
    qualification_id bigint generated always as identity primary key,
    lead_id bigint not null references nurture.leads (lead_id),
    product text not null,
    qualified_at timestamptz not null,   -- the run's as_of
    fit integer not null,
    engagement integer not null,
    score integer not null,
    definition_hash text not null references nurture.definitions (definition_hash),
    scoring_hash text references nurture.definitions (definition_hash),
    ended_at timestamptz,
    ended_reason text check (ended_reason in ('returned', 'closed', 'merged', 'erased', 'withdrawn')),
    recorded_at timestamptz not null default now(),
    constraint an_end_has_its_reason check ((ended_at is null) = (ended_reason is null))
);
create unique index one_open_qualification on nurture.qualifications (lead_id, product) where ended_at is null;

create table nurture.handoffs (
    handoff_id bigint generated always as identity primary key,
    qualification_id bigint not null unique references nurture.qualifications (qualification_id),
    crm text not null,
    crm_id text,
    dossier jsonb not null,              -- what sales is told, as it was when it was made
    status text not null default 'pending' check (
        status in (
            'pending',                   -- qualified, not in the CRM yet
            'pushed',                    -- upserted and noted there
            'sales_accepted',            -- sales took it on
            'returned',                  -- sales gave it back, with a reason
            'closed'                     -- won or lost
        )
    ),
    created_at timestamptz not null,
    pushed_at timestamptz,
    noted_at timestamptz,                -- the note is made once, whatever happens to the upsert
    sales_accepted_at timestamptz,
    sales_qualified_at timestamptz,
    returned_at timestamptz,
    returned_reason text,
    closed_at timestamptz,
    last_error text,
    tries integer not null default 0,
    recorded_at timestamptz not null default now(),
    constraint pushed_has_its_crm_id check (status = 'pending' or (pushed_at is not null and crm_id is not null)),
    constraint a_return_has_its_reason check ((returned_at is null) = (returned_reason is null))
);
create index handoffs_pending on nurture.handoffs (handoff_id) where status = 'pending';

create table nurture.crm_links (
    crm text not null,
    lead_id bigint not null references nurture.leads (lead_id),
    crm_id text not null,
    recorded_at timestamptz not null default now(),
    primary key (crm, lead_id)
);
create index crm_links_by_crm_id on nurture.crm_links (crm, crm_id);

create table nurture.opportunities (
    crm text not null,
    crm_opportunity_id text not null,
    lead_id bigint references nurture.leads (lead_id),
    product text,
    name text not null,
    stage text not null,
    amount numeric,
    currency text check (currency ~ '^[A-Z]{3}$'),
    opened_at timestamptz not null,
    won_at timestamptz,
    lost_at timestamptz,
    modified_at timestamptz not null,
    recorded_at timestamptz not null default now(),
    primary key (crm, crm_opportunity_id),
    constraint money_has_its_currency check ((amount is null) = (currency is null)),
    constraint not_won_and_lost check (won_at is null or lost_at is null)
);
create index opportunities_by_lead on nurture.opportunities (lead_id);

create table nurture.daily_facts (
    product text not null,
    scenario text not null,              -- '': of the plan
    email text not null,
    day date not null,                   -- of the product's zone
    accepted integer not null default 0,
    delivered integer not null default 0,
    bounced integer not null default 0,
    opened integer not null default 0,   -- messages opened by a person
    clicked integer not null default 0,
    replied integer not null default 0,
    unsubscribed integer not null default 0,
    complained integer not null default 0,
    recorded_at timestamptz not null default now(),
    primary key (product, scenario, email, day)
);

-- A month's partitions of events and raw events, made ahead of time; existing ones are left alone. A month whose rows
-- lie in the default partition already stays there.
create function nurture.ensure_month(month date) returns integer language plpgsql as $$
declare
    first date := date_trunc('month', month)::date;
    last date := (first + interval '1 month')::date;
    suffix text := to_char(first, 'YYYYMM');
    made integer := 0;
begin
    if to_regclass('nurture.events_' || suffix) is null
        and not exists (select from nurture.events_default where occurred_at >= first and occurred_at < last) then
        execute format('create table nurture.%I partition of nurture.events for values from (%L) to (%L)',
            'events_' || suffix, first::timestamp at time zone 'UTC', last::timestamp at time zone 'UTC');
        made := made + 1;
    end if;
    if to_regclass('nurture.raw_events_' || suffix) is null
        and not exists (select from nurture.raw_events_default where received_at >= first and received_at < last) then
        execute format('create table nurture.%I partition of nurture.raw_events for values from (%L) to (%L)',
            'raw_events_' || suffix, first::timestamp at time zone 'UTC', last::timestamp at time zone 'UTC');
        made := made + 1;
    end if;
    return made;
end $$;
