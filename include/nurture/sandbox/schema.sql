-- The sandbox's own durable store (SQLite, WAL). Moments are Unix seconds.

create table if not exists settings (
    name text primary key,
    value text not null
);

-- One POST /v3/mail/send; body is the request without its personalizations.
create table if not exists requests (
    request_no integer primary key,
    x_message_id text not null unique,
    accepted_at real not null,
    body text not null
);

-- One mail to one recipient.
create table if not exists messages (
    message_no integer primary key,
    request_no integer not null references requests (request_no),
    sg_message_id text not null unique,
    message_id text,                       -- custom_args.message_id, what an oracle counts by
    email text not null,                   -- as the request wrote it
    mailbox text not null,                 -- folded
    domain text not null,
    product text,
    subject text not null,                 -- as the recipient sees it
    accepted_at real not null,
    status text not null default 'processed',
    reason text,
    is_silent integer not null default 0,  -- lost inside the provider: no event, no log
    personalization text not null
);
create index if not exists messages_by_request on messages (request_no);
create index if not exists messages_by_message_id on messages (message_id);
create index if not exists messages_by_mailbox on messages (mailbox);
create index if not exists messages_by_domain on messages (domain, message_no);
create index if not exists messages_by_product on messages (product, message_no);
create index if not exists messages_by_time on messages (accepted_at);

-- What will happen, and when, on the sandbox's clock.
create table if not exists queue (
    queue_no integer primary key,
    due_at real not null,
    kind text not null,
    about integer not null,                -- request, message or contact
    detail text not null
);
create index if not exists queue_by_due on queue (due_at, queue_no);

-- The provider's events that have happened (what Logs shows).
create table if not exists events (
    event_no integer primary key,
    message_no integer not null references messages (message_no),
    sg_event_id text not null unique,
    happened_at real not null,
    body text not null
);
create index if not exists events_by_message on events (message_no);

-- What the receiver has not yet answered with 2xx.
create table if not exists outbox (
    outbox_no integer primary key,
    channel text not null,
    body text not null,
    made_at real not null,                 -- on the sandbox's clock: after 24 h an event is lost
    attempts integer not null default 0,
    next_at real not null default 0        -- on the machine's clock
);

create table if not exists suppressions (
    list text not null,
    mailbox text not null,
    email text not null,
    created integer not null,
    reason text,
    status text,
    ip text,
    primary key (list, mailbox)
);
create index if not exists suppressions_by_time on suppressions (list, created);

-- Personas that somebody set by hand; everybody else's comes from the seed and the address.
create table if not exists people (
    mailbox text primary key,
    detail text not null
);

-- The CRM: contacts, notes, tasks, deals.
create table if not exists crm_objects (
    object_id integer primary key,
    object_type text not null,
    properties text not null,
    created_at real not null,
    updated_at real not null,
    is_archived integer not null default 0
);
create index if not exists crm_by_type on crm_objects (object_type, updated_at);
create unique index if not exists crm_contacts_by_email
on crm_objects (json_extract(properties, '$.email'))
where object_type = 'contacts' and is_archived = 0;
create unique index if not exists crm_contacts_by_lead
on crm_objects (json_extract(properties, '$.nurture_lead_id'))
where object_type = 'contacts' and is_archived = 0;

create table if not exists crm_associations (
    from_id integer not null,
    to_id integer not null,
    type_id integer not null,
    primary key (from_id, to_id, type_id)
);
create index if not exists crm_associations_by_target on crm_associations (to_id);
