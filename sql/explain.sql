-- name: by_address
-- Whose mailbox an address is.
select distinct lead_now.current_lead_id
from addresses
inner join lead_addresses on addresses.address_id = lead_addresses.address_id
inner join lead_now on lead_addresses.lead_id = lead_now.lead_id
where addresses.address = lower(%(address)s::text)
order by lead_now.current_lead_id;

-- name: person
-- The lead that an id means now, under all of its ids.
select
    leads.lead_id,
    leads.account_id,
    leads.name,
    leads.company,
    leads.department,
    leads.title,
    leads.industry,
    leads.employees,
    leads.region,
    leads.department_function,
    leads.title_level,
    leads.crm_lifecycle,
    leads.first_source,
    leads.first_channel,
    leads.first_seen_at,
    (
        select array_agg(theirs.lead_id order by theirs.lead_id)
        from lead_now as theirs
        where theirs.current_lead_id = leads.lead_id
    ) as lead_ids
from lead_now
inner join leads on lead_now.current_lead_id = leads.lead_id
where lead_now.lead_id = %(lead_id)s::bigint;

-- name: addresses
-- The person's mailboxes, and whether one must not be mailed at all.
select
    addresses.address,
    bool_or(lead_addresses.is_primary) as is_primary,
    addresses.unmailable_reason,
    suppressions.reason as suppressed,
    suppressions.occurred_at as suppressed_at
from lead_addresses
inner join addresses on lead_addresses.address_id = addresses.address_id
left join suppressions on addresses.address_id = suppressions.address_id
where lead_addresses.lead_id = any(%(lead_ids)s::bigint [])
group by
    addresses.address, addresses.unmailable_reason, suppressions.reason, suppressions.occurred_at
order by is_primary desc, addresses.address asc;

-- name: joined
-- Which leads were found to be this person, and why.
select
    "merges".survivor_id,
    "merges".merged_id,
    "merges".reason,
    "merges".as_of,
    "merges".undone_at
from "merges"
where
    "merges".survivor_id = any(%(lead_ids)s::bigint [])
    or "merges".merged_id = any(%(lead_ids)s::bigint [])
order by "merges".merge_id;

-- name: consents
-- On what evidence the person may be mailed.
select
    consents.basis,
    consents.evidence,
    consents.source,
    consents.occurred_at,
    addresses.address
from consents
left join addresses on consents.address_id = addresses.address_id
where
    consents.lead_id = any(%(lead_ids)s::bigint [])
    or consents.address_id in (
        select lead_addresses.address_id
        from lead_addresses
        where lead_addresses.lead_id = any(%(lead_ids)s::bigint [])
    )
order by consents.occurred_at, consents.consent_id;

-- name: refusals
-- What the person refused, for this product or for all.
select
    opt_outs.product,
    opt_outs.mail_type,
    opt_outs.how,
    opt_outs.occurred_at,
    opt_outs.ended_at
from opt_outs
where
    opt_outs.product in ('*', %(product)s::text)
    and (
        opt_outs.lead_id = any(%(lead_ids)s::bigint [])
        or opt_outs.address_id in (
            select lead_addresses.address_id
            from lead_addresses
            where lead_addresses.lead_id = any(%(lead_ids)s::bigint [])
        )
    )
order by opt_outs.occurred_at, opt_outs.opt_out_id;

-- name: memberships
-- Which segments the person joined and left.
select
    segment_members.segment,
    segment_members.joined_at,
    segment_members.left_at,
    segment_members.definition_hash
from segment_members
where
    segment_members.product = %(product)s::text
    and segment_members.lead_id = any(%(lead_ids)s::bigint [])
order by segment_members.joined_at, segment_members.segment;

-- name: enrollments
-- The scenarios that the person walks or walked.
select
    enrollments.scenario,
    enrollments.occurrence,
    enrollments.enrolled_at,
    enrollments.is_held_out,
    enrollments.step,
    enrollments.step_at,
    enrollments.ended_at,
    enrollments.ended_reason,
    enrollments.definition_hash,
    enrollments.lead_id
from enrollments
where
    enrollments.product = %(product)s::text
    and enrollments.lead_id = any(%(lead_ids)s::bigint [])
order by enrollments.enrolled_at, enrollments.enrollment_id;

-- name: mails
-- Every mail that was planned for the person, with its proof and with each reason for which it was not sent at once.
select
    message_proofs.message_id,
    message_proofs.occasion,
    message_proofs.lead_id,
    message_proofs.address,
    message_proofs.email,
    message_proofs.mail_type,
    message_proofs.reason,
    message_proofs.definition_part,
    message_proofs.definition_name,
    message_proofs.definition_hash,
    message_proofs.content_hash,
    message_proofs.subject,
    message_proofs.consent_basis,
    message_proofs.consent_evidence,
    message_proofs.consent_source,
    message_proofs.consented_at,
    message_proofs.status,
    message_proofs.ended_reason,
    message_proofs.planned_at,
    message_proofs.first_due_at,
    message_proofs.due_at,
    message_proofs.expires_at,
    message_proofs.sent_at,
    message_proofs.request_id,
    message_proofs.provider_request_id,
    message_proofs.provider_message_id,
    message_proofs.accepted_at,
    message_proofs.delivered_at,
    message_proofs.bounced_at,
    message_proofs.opened_at,
    message_proofs.clicked_at,
    message_proofs.replied_at,
    message_proofs.unsubscribed_at,
    message_proofs.complained_at,
    (
        select
            jsonb_agg(
                jsonb_build_object(
                    'outcome', decisions.outcome, 'reason', decisions.reason, 'at', decisions.at,
                    'until', decisions.until
                )
                order by decisions.decision_id
            )
        from decisions
        where decisions.message_id = message_proofs.message_id
    ) as decisions
from message_proofs
where
    message_proofs.product = %(product)s::text
    and message_proofs.lead_id = any(%(lead_ids)s::bigint [])
order by coalesce(message_proofs.sent_at, message_proofs.first_due_at), message_proofs.message_id;

-- name: did
-- What the person did, by day; machines are not counted.
select
    signals.day,
    signals.kind,
    signals.subject,
    signals.mail_type,
    sum(signals.count)::integer as times
from signals
where
    signals.product = %(product)s::text
    and signals.lead_id = any(%(lead_ids)s::bigint [])
    and signals.day <= %(today)s::date
group by signals.day, signals.kind, signals.subject, signals.mail_type
order by signals.day desc, signals.kind asc, signals.subject asc;

-- name: newest_score
-- The person's score, and which rules made it.
select
    scores.scored_at,
    scores.fit,
    scores.engagement,
    scores.score,
    scores.definition_hash
from scores
where
    scores.product = %(product)s::text
    and scores.lead_id = any(%(lead_ids)s::bigint [])
    and scores.scored_at <= %(at)s::timestamptz
order by scores.scored_at desc
limit 1;

-- name: score_lines
-- What each rule gives the person for what was done: as scoring counts it, rule by rule, before rounding.
with rules as (
    select
        listed.position,
        listed.rule ->> 'kind' as kind,
        listed.rule ->> 'mail_type' as mail_type,
        listed.rule ->> 'subject' as subject,
        (listed.rule ->> 'points')::numeric as points,
        (listed.rule ->> 'per_day')::numeric as per_day,
        (listed.rule ->> 'at_most')::numeric as at_most
    from jsonb_array_elements(%(rules)s::jsonb) with ordinality as listed (rule, position)
),

matched as (
    select
        signals.day,
        signals.count,
        (
            select rules.position
            from rules
            where
                rules.kind = signals.kind
                and (rules.mail_type is null or rules.mail_type = signals.mail_type)
                and (rules.subject is null or signals.subject like rules.subject)
            order by rules.position
            limit 1
        ) as position
    from signals
    where
        signals.product = %(product)s::text
        and signals.lead_id = any(%(lead_ids)s::bigint [])
        and signals.day <= %(today)s::date
),

by_day as (
    select
        matched.position,
        matched.day,
        sum(matched.count) as times,
        least(sum(matched.count) * rules.points, rules.per_day)
        * power(0.5::numeric, (%(today)s::date - matched.day)::numeric / %(half_life_days)s::numeric) as points
    from matched
    inner join rules on matched.position = rules.position
    group by matched.position, matched.day, rules.points, rules.per_day
)

select
    by_day.position::integer as position,
    sum(by_day.times)::integer as times,
    max(by_day.day) as last_day,
    sum(by_day.points) as points_so_far,
    least(sum(by_day.points), rules.at_most) as points
from by_day
inner join rules on by_day.position = rules.position
group by by_day.position, rules.at_most
order by by_day.position;

-- name: qualifications
-- When the person was found ready for sales, and what sales did.
select
    qualifications.qualified_at,
    qualifications.fit,
    qualifications.engagement,
    qualifications.score,
    qualifications.ended_at,
    qualifications.ended_reason,
    handoffs.crm,
    handoffs.status,
    handoffs.created_at,
    handoffs.pushed_at,
    handoffs.sales_accepted_at,
    handoffs.sales_qualified_at,
    handoffs.returned_at,
    handoffs.returned_reason,
    handoffs.closed_at,
    handoffs.last_error
from qualifications
left join handoffs on qualifications.qualification_id = handoffs.qualification_id
where
    qualifications.product = %(product)s::text
    and qualifications.lead_id = any(%(lead_ids)s::bigint [])
order by qualifications.qualified_at;

-- name: lifecycle
-- Where the person stands with the product.
select coalesce(
    (
        select lead_lifecycle.lifecycle
        from lead_lifecycle
        where lead_lifecycle.lead_id = %(lead_id)s::bigint and lead_lifecycle.product = %(product)s::text
    ),
    (select leads.crm_lifecycle from leads where leads.lead_id = %(lead_id)s::bigint),
    'lead'
) as lifecycle;

-- name: sources
-- Where the person was met.
select
    source_records.source,
    source_records.channel,
    min(source_records.occurred_at) as occurred_at
from source_records
where source_records.lead_id = any(%(lead_ids)s::bigint [])
group by source_records.source, source_records.channel
order by occurred_at, source_records.source;

-- name: narrow_leads
-- For the questions below there are only the person and the colleagues, so that each is answered at once.
create temporary view leads as
select told.* -- noqa: AM04
from nurture.leads as told
where
    told.lead_id = any(string_to_array(current_setting('nurture.lead_ids'), ',')::bigint [])
    or told.account_id = nullif(current_setting('nurture.account_id'), '')::bigint;

-- name: narrow_signals
-- What the person did.
create temporary view signals as
select told.* -- noqa: AM04
from nurture.signals as told
where told.lead_id = any(string_to_array(current_setting('nurture.lead_ids'), ',')::bigint []);

-- name: narrow_source_records
-- Where the person was met.
create temporary view source_records as
select told.* -- noqa: AM04
from nurture.source_records as told
where told.lead_id = any(string_to_array(current_setting('nurture.lead_ids'), ',')::bigint []);

-- name: narrow_segment_members
-- The person's memberships.
create temporary view segment_members as
select told.* -- noqa: AM04
from nurture.segment_members as told
where told.lead_id = any(string_to_array(current_setting('nurture.lead_ids'), ',')::bigint []);

-- name: narrow_scores
-- The person's scores.
create temporary view scores as
select told.* -- noqa: AM04
from nurture.scores as told
where told.lead_id = any(string_to_array(current_setting('nurture.lead_ids'), ',')::bigint []);

-- name: remember
-- Who the person is, for the views above.
select
    set_config('nurture.lead_ids', %(lead_ids)s::text, false),
    set_config('nurture.account_id', %(account_id)s::text, false);

-- name: leave
-- The narrow views are gone.
discard temp;
