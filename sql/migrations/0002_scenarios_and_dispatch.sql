-- Segments, enrollments, messages, and the ledger of requests.
create table nurture.definitions (
    definition_hash text primary key,
    product text not null,
    part text not null check (part in ('product', 'segment', 'scenario', 'plan', 'scoring', 'qualification', 'email')),
    name text not null,
    body jsonb not null,
    recorded_at timestamptz not null default now()
);

-- What most other rows refer to is kept for ever: a merge redirects a lead, an erasure empties it.
create function nurture.keep_for_ever() returns trigger language plpgsql as $$
begin
    raise exception '% are kept for ever', tg_table_name;
end $$;
create trigger kept_for_ever before delete on nurture.leads
for each statement execute function nurture.keep_for_ever();
create trigger kept_for_ever before delete on nurture.addresses
for each statement execute function nurture.keep_for_ever();
create trigger kept_for_ever before delete on nurture.definitions
for each statement execute function nurture.keep_for_ever();

-- References that are written by the hundred thousand are looked up for all rows of a statement at once, given as pairs
-- of a column and its table. An enforced foreign key looks each row up by itself and writes a lock into what it finds:
-- 12 of the 20 us of a membership. Planned anew each time, for the first statement of a session may be the smallest.
create function nurture.look_up_references() returns trigger language plpgsql as $$
declare
    missing text;
begin
    for place in 0 .. tg_nargs - 2 by 2 loop
        execute format(
            'select added.%1$I from added'
            ' where not exists (select from nurture.%2$I as known where known.%1$I = added.%1$I) limit 1',
            tg_argv[place], tg_argv[place + 1]
        ) into missing;
        if missing is not null then
            raise foreign_key_violation using message = format(
                '%s: there is no %s %s in %s', tg_table_name, tg_argv[place], missing, tg_argv[place + 1]
            );
        end if;
    end loop;
    return null;
end $$;

create table nurture.segment_members (
    product text not null,
    segment text not null,
    lead_id bigint not null references nurture.leads (lead_id) not enforced,
    definition_hash text not null references nurture.definitions (definition_hash) not enforced,
    joined_at timestamptz not null,
    left_at timestamptz,
    recorded_at timestamptz not null default now(),
    constraint nobody_leaves_before_joining check (left_at >= joined_at)
);
create unique index one_open_membership on nurture.segment_members (product, segment, lead_id) where left_at is null;
create index segment_members_by_lead on nurture.segment_members (lead_id);
create trigger look_up_references after insert on nurture.segment_members referencing new table as added
for each statement execute function nurture.look_up_references('lead_id', 'leads', 'definition_hash', 'definitions');

create table nurture.enrollments (
    enrollment_id bigint generated always as identity primary key,
    product text not null,
    scenario text not null,
    lead_id bigint not null references nurture.leads (lead_id),
    occurrence integer not null check (occurrence > 0),
    definition_hash text not null references nurture.definitions (definition_hash),
    enrolled_at timestamptz not null,
    is_held_out boolean not null,        -- walks the journey unsent, to be compared with
    step text not null,                  -- the step at which the lead stands
    step_at timestamptz not null,        -- since when
    ended_at timestamptz,
    ended_reason text check (
        ended_reason in (
            'completed', 'qualified', 'converted', 'opted_out', 'suppressed', 'left_segment', 'merged', 'erased',
            'withdrawn'
        )
    ),
    recorded_at timestamptz not null default now(),
    constraint an_end_has_its_reason check ((ended_at is null) = (ended_reason is null)),
    unique (product, scenario, lead_id, occurrence)
);
create unique index one_open_enrollment on nurture.enrollments (product, scenario, lead_id) where ended_at is null;
create index enrollments_standing on nurture.enrollments (product, scenario, step) where ended_at is null;
create index enrollments_by_lead on nurture.enrollments (lead_id);

-- Up to when a product's journeys were walked, and by which definition: days that were missed are made up one by one.
create table nurture.walks (
    product text primary key,
    walked_at timestamptz not null,
    definition_hash text not null references nurture.definitions (definition_hash)
);

-- Every rendered subject, text and html, once; the marks of a batch's tags replaced by fixed ones.
create table nurture.contents (
    content_hash text primary key,
    product text not null,
    email text not null,
    subject text not null,
    text text not null,
    html text not null,
    recorded_at timestamptz not null default now()
);

create table nurture.messages (
    message_id bigint generated always as identity primary key,
    product text not null,
    occasion text not null,              -- scenario/<name>/<step>/<occurrence>, or plan/<entry>: for ever (N1)
    scenario text,                       -- null: of the plan
    step text not null,                  -- the step's or the plan entry's name
    enrollment_id bigint references nurture.enrollments (enrollment_id),
    lead_id bigint not null references nurture.leads (lead_id) not enforced,
    address_id bigint not null references nurture.addresses (address_id) not enforced,
    email text not null,
    variant text,                        -- its email's blocks that it showed, as `a+b`, or `-`; of those claimed
    mail_type text not null check (mail_type in ('know_how', 'event', 'case_study', 'product_news', 'download')),
    definition_hash text not null references nurture.definitions (definition_hash) not enforced,
    reason text not null,                -- why this lead: the segment, and since when
    planned_at timestamptz not null,     -- the run's as_of
    first_due_at timestamptz not null,
    due_at timestamptz not null,
    expires_at timestamptz not null,     -- first_due_at plus send_within
    status text not null default 'planned' check (
        status in (
            'planned',                   -- planning, or sending -> planned when it was certainly not sent
            'sending',                   -- claimed: its request is committed
            'accepted',                  -- the provider took it
            'refused',                   -- the provider said no to this one
            'unknown',                   -- nobody knows; settled later (N3)
            'cancelled',                 -- never, and why stands in decisions
            'expired'                    -- later than send_within
        )
    ),
    ended_reason text,                   -- of cancelled and expired
    request_id bigint,                   -- the newest request it was in
    content_hash text,                   -- of contents
    consent_id bigint,                   -- of consents: the evidence that permitted it
    sent_at timestamptz,                 -- the clock of the attempt that claimed it
    accepted_at timestamptz,
    provider_message_id text,
    recorded_at timestamptz not null default now(),
    constraint accepted_has_accepted_at check ((status = 'accepted') = (accepted_at is not null)),
    constraint an_end_has_its_reason check ((status in ('cancelled', 'expired')) = (ended_reason is not null)),
    constraint planned_is_neither_sent_nor_ended check (
        (status = 'planned') = (sent_at is null and ended_reason is null)
    ),
    constraint what_was_claimed_has_its_request check (
        status in ('planned', 'cancelled', 'expired')
        or (request_id is not null and content_hash is not null and sent_at is not null)
    ),
    unique (product, occasion, lead_id)
) with (fillfactor = 70);
create trigger look_up_references after insert on nurture.messages referencing new table as added
for each statement execute function
nurture.look_up_references('lead_id', 'leads', 'address_id', 'addresses', 'definition_hash', 'definitions');
-- The loser of one mailbox and the merged keep their rows and reasons; a mailbox gets an occasion once (N1). It comes
-- first, so that this index also finds what was sent to one.
create unique index one_message_a_mailbox on nurture.messages (address_id, product, occasion)
where ended_reason is null or ended_reason not in ('same mailbox', 'merged');
-- No index has to do with the status, the request or the variant: an answer then writes to no index. Who was in a
-- request stands in send_attempts.
create index messages_due on nurture.messages (product, email, occasion, due_at, message_id)
where sent_at is null and ended_reason is null;
create index messages_by_lead on nurture.messages (lead_id, sent_at desc);
create index messages_by_enrollment on nurture.messages (enrollment_id) where enrollment_id is not null;

-- Why a planned message was not sent: one row when the reason changes (N5).
create table nurture.decisions (
    decision_id bigint generated always as identity primary key,
    message_id bigint not null references nurture.messages (message_id),
    outcome text not null check (outcome in ('not_now', 'never')),
    reason text not null check (reason <> ''),
    until timestamptz,                   -- of a not_now; null: until somebody acts (paused, stopped, not approved)
    at timestamptz not null,
    recorded_at timestamptz not null default now(),
    constraint a_never_has_no_until check (outcome = 'not_now' or until is null)
);
create index decisions_by_message on nurture.decisions (message_id, decision_id desc);

create table nurture.send_requests (
    request_id bigint generated always as identity primary key,
    product text not null,
    email text not null,
    variant text,                        -- as its messages have it
    content_hash text not null references nurture.contents (content_hash),
    sending_domain text not null,
    mark text not null,                  -- the random mark of the batch's substitution tags
    member_count integer not null check (member_count > 0),
    status text not null default 'in_flight' check (
        status in (
            'in_flight',                 -- committed before the call (N2)
            'accepted',                  -- 202
            'refused',                   -- the provider said no
            'returned',                  -- certainly not sent: its members are planned again
            'unknown',                   -- an ambiguous answer, or none
            'settled'                    -- was unknown; evidence, policy or a person decided
        )
    ),
    at timestamptz not null,             -- the clock of the attempt
    is_probe boolean not null default false,
    answer text,                         -- what came back, in one line, nothing personal
    answered_at timestamptz,             -- for the one that was given up: when it was
    answer_number bigint,                -- the newest request's when it was answered or settled: which came later
    provider_request_id text,
    settled_at timestamptz,
    settled_by text,
    recorded_at timestamptz not null default now(),
    constraint an_answer_has_its_time check ((status = 'in_flight') = (answered_at is null)),
    constraint a_settlement_has_its_time check ((status = 'settled') = (settled_at is not null)),
    constraint a_settlement_has_its_author check ((settled_at is null) = (settled_by is null))
);
create index send_requests_open on nurture.send_requests (status) where status in ('in_flight', 'unknown');
create index send_requests_by_answer on nurture.send_requests (product, (coalesce(answer_number, request_id)) desc);
create unique index send_requests_by_provider_id on nurture.send_requests (provider_request_id);

-- No foreign keys here and from messages to their request, content and evidence: one statement writes them all, the
-- trigger below counts the members, and five checks a message took half of a claim's time.
create table nurture.send_attempts (
    request_id bigint not null,
    message_id bigint not null,
    primary key (request_id, message_id)
);

-- A request is committed with all its members or not at all.
create function nurture.a_request_has_its_members() returns trigger language plpgsql as $$
begin
    if (select count(*) from nurture.send_attempts where request_id = new.request_id) <> new.member_count then
        raise exception 'request % has not its % members', new.request_id, new.member_count;
    end if;
    return null;
end $$;
create constraint trigger a_request_has_its_members after insert on nurture.send_requests
deferrable initially deferred for each row execute function nurture.a_request_has_its_members();

-- What a product, and a sending domain, has sent on a day of its zone; the row is the lock of concurrent claims.
create table nurture.budgets (
    scope text not null check (scope in ('product', 'domain')),
    key text not null,
    day date not null,
    claimed integer not null default 0 check (claimed >= 0),
    primary key (scope, key, day)
);

-- The first moment from due_at on at which one more mail keeps every window of a span at `mails` or fewer, among the
-- moments taken already, past and coming. How planning forecasts the frequency budget.
create function nurture.free_at(due_at timestamptz, taken timestamptz [], mails integer, span interval)
returns timestamptz language sql immutable as $$
    select min(candidates.moment)
    from (
        select due_at as moment
        union all
        select unnested.moment + span
        from unnest(taken) as unnested (moment)
        where unnested.moment + span > due_at
    ) as candidates
    where not exists (
        select from (
            select candidates.moment
            union all
            select later.moment
            from unnest(taken) as later (moment)
            where later.moment > candidates.moment and later.moment < candidates.moment + span
        ) as ends
        where (
            select count(*)
            from unnest(taken) as within (moment)
            where within.moment > ends.moment - span and within.moment <= ends.moment
        ) >= mails
    )
$$;

-- The places of several mails of one lead, in their turn: each takes its own from those behind it.
create function nurture.places_in_turn(wanted timestamptz [], sent timestamptz [], mails integer, span interval)
returns timestamptz [] language plpgsql immutable as $$
declare
    taken timestamptz [] := sent;
    place timestamptz;
    places timestamptz [] := '{}';
begin
    foreach place in array wanted loop
        if cardinality(taken) >= mails then
            place := nurture.free_at(place, taken, mails, span);
        end if;
        taken := taken || place;
        places := places || place;
    end loop;
    return places;
end $$;
