-- name: ids_of_person
-- Every id of a person, merged ones too.
select theirs.lead_id
from lead_now as asked
inner join lead_now as theirs on asked.current_lead_id = theirs.current_lead_id
where asked.lead_id = %(lead_id)s::bigint
order by theirs.lead_id;

-- name: addresses_of_person
-- A person's mailboxes, and whether somebody else has each, too.
select
    addresses.address_id,
    addresses.address,
    bool_or(not (others.lead_id = any(%(leads)s::bigint []))) as is_somebody_elses
from lead_addresses as theirs
inner join addresses on theirs.address_id = addresses.address_id
inner join lead_addresses as others on theirs.address_id = others.address_id
where theirs.lead_id = any(%(leads)s::bigint [])
group by addresses.address_id, addresses.address
order by addresses.address_id;

-- name: refusals_of_person
-- The cells that a person or a mailbox of theirs has refused.
select
    opt_outs.product,
    opt_outs.mail_type,
    min(opt_outs.occurred_at) as refused_at
from opt_outs
where
    opt_outs.ended_at is null
    and (
        opt_outs.lead_id = any(%(leads)s::bigint []) or opt_outs.address_id = any(%(addresses)s::bigint [])
    )
group by opt_outs.product, opt_outs.mail_type;

-- name: keep_hashes
-- What stays of the mailboxes; whoever is erased twice refused since the first time.
insert into erasures (address_hash, product, mail_type, refused_at, erased_at) values %(values)s
on conflict (address_hash, product, mail_type) do nothing;

-- name: end_everything
-- Nothing goes on for who is erased: enrollments, qualifications, memberships and planned messages end.
with ended_enrollments as (
    update enrollments
    set ended_at = greatest(%(at)s::timestamptz, enrollments.enrolled_at), ended_reason = 'erased'
    where enrollments.lead_id = any(%(leads)s::bigint []) and enrollments.ended_at is null
),

ended_qualifications as (
    update qualifications
    set ended_at = greatest(%(at)s::timestamptz, qualifications.qualified_at), ended_reason = 'erased'
    where qualifications.lead_id = any(%(leads)s::bigint []) and qualifications.ended_at is null
),

left_segments as (
    update segment_members
    set left_at = greatest(%(at)s::timestamptz, segment_members.joined_at)
    where segment_members.lead_id = any(%(leads)s::bigint []) and segment_members.left_at is null
),

cancelled as (
    update messages
    set status = 'cancelled', ended_reason = 'erased'
    where messages.lead_id = any(%(leads)s::bigint []) and messages.status = 'planned'
    returning messages.message_id
)

insert into decisions (message_id, outcome, reason, at)
select
    cancelled.message_id,
    'never',
    'erased',
    %(at)s::timestamptz
from cancelled;

-- name: erase_records
-- The rows that told of the person say nothing any more; that there were such rows stays.
with erased as (
    update source_records
    set
        source_key = 'erased ' || source_records.record_id,
        content_hash = 'erased ' || source_records.record_id,
        payload = '{}',
        fields = '{}',
        keys = '{}',
        facts = '{}'
    where source_records.lead_id = any(%(leads)s::bigint [])
    returning source_records.record_id
),

unmatched as (
    delete from match_keys
    using erased
    where match_keys.record_id = erased.record_id
),

unasked as (
    delete from match_reviews
    using erased
    where match_reviews.answer is null and erased.record_id in (match_reviews.record_a, match_reviews.record_b)
)

select count(*) as record_count from erased;

-- name: erase_rejected
-- Rows that could not be read and hold one of the mailboxes lose their bytes.
update rejected_records
set raw = ''
from unnest(%(mailboxes)s::text []) as theirs (address)
where strpos(lower(encode(rejected_records.raw, 'escape')), theirs.address) > 0;

-- name: erase_raw_events
-- What came in about the person is emptied; what was made of it keeps its counts.
update raw_events
set
    payload = '{"erased": true}',
    problem = case when raw_events.taken_at is null then 'erased' else raw_events.problem end,
    taken_at = coalesce(raw_events.taken_at, %(at)s::timestamptz)
where
    raw_events.raw_event_id in (
        select events.raw_event_id from events where events.lead_id = any(%(leads)s::bigint [])
    )
    or raw_events.payload ->> 'message_id' in (
        select messages.message_id::text from messages where messages.lead_id = any(%(leads)s::bigint [])
    )
    or raw_events.payload ->> 'lead_id' = any(%(leads)s::bigint []::text [])
    or exists (
        select from unnest(%(mailboxes)s::text []) as theirs (address)
        where strpos(lower(raw_events.payload::text), theirs.address) > 0
    );

-- name: erase_lead
-- Nothing is known of the person any more; the ids stay, for what was sent and counted.
with forgotten as (
    delete from lead_versions
    where lead_versions.lead_id = any(%(leads)s::bigint [])
),

unidentified as (
    delete from identities
    where identities.lead_id = any(%(leads)s::bigint [])
),

merged as (
    update "merges"
    set did = '{}'
    where "merges".survivor_id = any(%(leads)s::bigint []) or "merges".merged_id = any(%(leads)s::bigint [])
),

seen as (
    update events
    set user_agent = null, ip = null, url = null, detail = null
    where events.lead_id = any(%(leads)s::bigint [])
),

agreed as (
    update consents
    set evidence = 'erased'
    where consents.lead_id = any(%(leads)s::bigint [])
),

refused as (
    update opt_outs
    set evidence = 'erased'
    where opt_outs.lead_id = any(%(leads)s::bigint [])
),

handed as (
    update handoffs
    set dossier = '{}'
    from qualifications
    where
        handoffs.qualification_id = qualifications.qualification_id
        and qualifications.lead_id = any(%(leads)s::bigint [])
),

unlinked as (
    delete from lead_addresses
    where lead_addresses.lead_id = any(%(leads)s::bigint [])
)

update leads
set
    account_id = null,
    name = null,
    last_name = null,
    first_name = null,
    kana = null,
    company = null,
    department = null,
    department_function = null,
    title = null,
    title_level = null,
    phone = null,
    mobile = null,
    postal_code = null,
    region = null,
    industry = null,
    employees = null,
    crm_lifecycle = null,
    owner = null,
    first_touch = '{}'
where leads.lead_id = any(%(leads)s::bigint []);

-- name: erase_addresses
-- A mailbox that nobody else has is a name without a place, and mailed never again.
with erased as (
    update addresses
    set address = 'erased-' || addresses.address_id || '@erased.invalid', domain = 'erased.invalid'
    where addresses.address_id = any(%(addresses)s::bigint [])
    returning addresses.address_id
)

insert into suppressions (address_id, reason, evidence, occurred_at)
select
    erased.address_id,
    'erased',
    'erased',
    %(at)s::timestamptz
from erased
on conflict (address_id) do update
set evidence = 'erased';

-- name: forget_crm_links
-- The CRM has the person under these ids; it is to be told by who asked for the erasure.
delete from crm_links
where crm_links.lead_id = any(%(leads)s::bigint [])
returning crm_links.crm, crm_links.crm_id;

-- name: any_erasures
-- Whether anybody was ever erased.
select exists (select from erasures) as is_any;

-- name: addresses_of_batch
-- The mailboxes that a batch names.
select distinct
    addresses.address_id,
    addresses.address
from batch
inner join source_records on batch.record_id = source_records.record_id
inner join addresses on lower(source_records.fields ->> 'email') = addresses.address;

-- name: refuse_again
-- A mailbox that comes back after an erasure comes back with what it had refused; only its owner's own act ends that.
insert into opt_outs (address_id, product, mail_type, how, evidence, occurred_at)
select
    returned.address_id,
    erasures.product,
    erasures.mail_type,
    'erasure',
    'refused before an erasure',
    erasures.refused_at
from jsonb_to_recordset(%(returned)s::jsonb) as returned (address_id bigint, address_hash text)
inner join erasures on returned.address_hash = erasures.address_hash
where not exists (
    select from opt_outs as known
    where
        known.address_id = returned.address_id
        and known.product = erasures.product
        and known.mail_type = erasures.mail_type
        and known.how = 'erasure'
);
