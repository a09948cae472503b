-- What holds sending, what waits for a person's yes, and what people were alerted to.

-- A hold is looked at by every claim: a pause by a person, a breaker, the provider's own no, a restored database.
create table nurture.holds (
    hold_id bigint generated always as identity primary key,
    scope text not null check (scope in ('everything', 'product', 'domain')),
    key text not null default '',        -- the product, or the sending domain
    reason text not null check (
        reason in (
            'paused',                    -- by a person
            'stopped',                   -- a breaker: a rate passed its limit
            'rate limited',              -- 429: until the provider's moment
            'provider refused',          -- the key, the sender, the plan: until a person has mended it
            'restored',                  -- an older database: until what was sent since is known
            'no one-click'               -- nobody could refuse a mail: until the one-click URL works again
        )
    ),
    evidence text not null,              -- in one line: who and why, or the figures
    began_at timestamptz not null,
    until timestamptz,                   -- null: until a person resumes
    ended_at timestamptz,
    ended_by text,
    recorded_at timestamptz not null default now(),
    constraint everything_has_no_key check ((scope = 'everything') = (key = '')),
    constraint an_end_has_its_author check ((ended_at is null) = (ended_by is null))
);
create unique index one_open_hold on nurture.holds (scope, key, reason) where ended_at is null;

-- What the provider says it sent and this database does not know: sent after the backup that was restored.
create table nurture.sent_before_restore (
    occasion_mark text not null,
    address_id bigint not null references nurture.addresses (address_id),
    sent_at timestamptz not null,
    recorded_at timestamptz not null default now(),
    primary key (occasion_mark, address_id)
);

-- Content that waits for a person's yes; a corrected subject is new content.
create table nurture.approvals (
    approval_id bigint generated always as identity primary key,
    product text not null,
    email text not null,
    content_hash text not null references nurture.contents (content_hash),
    reason text not null check (reason in ('first send', 'audience')),
    audience_size integer not null check (audience_size > 0),
    asked_at timestamptz not null,
    shown_in text,                       -- the Airflow run whose leaf task puts it to people
    shown_until timestamptz,             -- when that task takes silence for a no
    answer text check (answer in ('yes', 'no')),
    answered_by text,
    answered_at timestamptz,
    recorded_at timestamptz not null default now(),
    constraint what_is_shown_has_its_end check ((shown_in is null) = (shown_until is null)),
    constraint an_answer_has_its_time check ((answer is null) = (answered_at is null)),
    constraint an_answer_has_its_author check ((answer is null) = (answered_by is null))
);
create unique index one_open_approval on nurture.approvals (product, content_hash, reason) where answer is null;
create index approvals_by_content on nurture.approvals (content_hash);

-- What people were told, once a trouble; it may be told again when it has ended and come back.
create table nurture.alerts (
    alert_id bigint generated always as identity primary key,
    kind text not null,
    key text not null,                   -- which trouble of the kind: a hold, a request, a plan entry, a run
    product text,
    what text not null,                  -- what, how many, why
    mend text not null,                  -- the command or page that mends it
    raised_at timestamptz not null,
    told_by text [] not null default '{}', -- the channels that took it: mail, apprise
    told_at timestamptz,                 -- when the first of them did
    ended_at timestamptz,
    recorded_at timestamptz not null default now(),
    constraint what_was_told_has_its_time check ((told_by = '{}') = (told_at is null))
);
create unique index one_open_alert on nurture.alerts (kind, key) where ended_at is null;
