-- name: find
-- Whose id this is now.
select
    lead_now.current_lead_id as lead_id,
    leads.account_id,
    leads.industry,
    leads.employees,
    leads.region,
    leads.first_source,
    leads.first_channel,
    leads.first_touch,
    leads.first_seen_at
from lead_now
inner join leads on lead_now.current_lead_id = leads.lead_id
where lead_now.lead_id = %(lead_id)s::bigint;

-- name: versions
-- What was known of a lead, and when, the oldest first.
select
    lead_versions.version,
    lead_versions.attributes,
    lead_versions.provenance,
    lead_versions.as_of,
    lead_versions.recorded_at
from lead_versions
where
    lead_versions.lead_id = %(lead_id)s::bigint
    and (%(as_of)s::timestamptz is null or lead_versions.as_of <= %(as_of)s::timestamptz)
order by lead_versions.version;

-- name: records
-- Every record of a person, the newest first.
select
    source_records.record_id,
    source_records.source,
    source_records.source_key,
    source_records.precedence,
    source_records.channel,
    source_records.fields,
    source_records.occurred_at,
    source_records.recorded_at
from source_records
inner join lead_now on source_records.lead_id = lead_now.lead_id
where lead_now.current_lead_id = %(lead_id)s::bigint
order by source_records.record_id desc;

-- name: addresses
-- A person's mailboxes, the primary one first.
select
    addresses.address_id,
    addresses.address,
    lead_addresses.is_primary,
    addresses.is_role,
    addresses.is_shared,
    addresses.unmailable_reason,
    suppressions.reason as suppressed,
    lead_addresses.first_seen_at,
    lead_addresses.last_seen_at
from lead_addresses
inner join addresses on lead_addresses.address_id = addresses.address_id
left join suppressions on addresses.address_id = suppressions.address_id
where lead_addresses.lead_id = %(lead_id)s::bigint
order by lead_addresses.is_primary desc, lead_addresses.last_seen_at desc, addresses.address_id asc;

-- name: consents
-- Evidence that a person may be mailed, under all ids.
select
    consents.basis,
    consents.evidence,
    consents.source,
    addresses.address,
    consents.occurred_at
from consents
inner join lead_now on consents.lead_id = lead_now.lead_id
left join addresses on consents.address_id = addresses.address_id
where lead_now.current_lead_id = %(lead_id)s::bigint
order by consents.occurred_at, consents.consent_id;

-- name: refusals
-- What a person refused, under all ids and through each mailbox.
select distinct
    opt_outs.opt_out_id,
    opt_outs.product,
    opt_outs.mail_type,
    opt_outs.how,
    opt_outs.evidence,
    opt_outs.occurred_at,
    opt_outs.ended_at
from opt_outs
left join lead_now on opt_outs.lead_id = lead_now.lead_id
left join lead_addresses
    on
        opt_outs.address_id = lead_addresses.address_id
        and lead_addresses.lead_id = %(lead_id)s::bigint
where lead_now.current_lead_id = %(lead_id)s::bigint or lead_addresses.lead_id is not null
order by opt_outs.occurred_at, opt_outs.opt_out_id;

-- name: merges_of
-- Which leads became this one, and which of those merges were undone.
select
    "merges".survivor_id,
    "merges".merged_id,
    "merges".reason,
    "merges".merged_at,
    "merges".undone_at
from "merges"
inner join lead_now as survivors on "merges".survivor_id = survivors.lead_id
inner join lead_now as merged on "merges".merged_id = merged.lead_id
where %(lead_id)s::bigint in (survivors.current_lead_id, merged.current_lead_id)
order by "merges".merge_id;

-- name: rows_as_they_came
-- Every row that told of a person.
select
    source_records.source,
    source_records.source_key,
    source_records.payload,
    source_records.occurred_at,
    source_records.recorded_at
from source_records
inner join lead_now on source_records.lead_id = lead_now.lead_id
where lead_now.current_lead_id = %(lead_id)s::bigint
order by source_records.record_id;

-- name: messages
-- What a person was or is to be mailed.
select
    messages.product,
    messages.occasion,
    messages.email,
    addresses.address,
    messages.status,
    messages.ended_reason,
    messages.sent_at,
    messages.content_hash
from messages
inner join lead_now on messages.lead_id = lead_now.lead_id
inner join addresses on messages.address_id = addresses.address_id
where lead_now.current_lead_id = %(lead_id)s::bigint
order by messages.message_id;

-- name: events
-- What a person did, and what the mail system did.
select
    events.type,
    events.product,
    events.subject,
    events.occurred_at,
    events.url,
    events.ip,
    events.user_agent
from events
inner join lead_now on events.lead_id = lead_now.lead_id
where lead_now.current_lead_id = %(lead_id)s::bigint
order by events.occurred_at, events.event_id;

-- name: scores
-- How warm a person was held to be, and when.
select
    scores.product,
    scores.scored_at,
    scores.fit,
    scores.engagement
from scores
inner join lead_now on scores.lead_id = lead_now.lead_id
where lead_now.current_lead_id = %(lead_id)s::bigint
order by scores.product, scores.scored_at;
