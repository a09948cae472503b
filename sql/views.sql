-- Every number a person sees, and the one place where a merge is read across. Laid anew by each migration.
drop view if exists nurture.lead_now, nurture.lead_sources, nurture.current_scores, nurture.lead_lifecycle,
nurture.person_mail, nurture.product_overview, nurture.message_proofs,
nurture.review_kinds cascade;

-- The lead that an id means now.
create view nurture.lead_now as
select
    leads.lead_id,
    coalesce(leads.merged_into, leads.lead_id) as current_lead_id
from nurture.leads;

-- What a person said of a cell and nobody has taken in yet: by one click, on the preference page, or in a reply.
create view nurture.acts_not_taken as
select
    raw_events.raw_event_id,
    messages.address_id,
    lead_now.current_lead_id as person_id,
    case when raw_events.payload ->> 'scope' = 'everything' then '*' else messages.product end as product,
    case
        when raw_events.payload ->> 'scope' in ('everything', 'product') then '*'
        else coalesce(raw_events.payload ->> 'mail_type', messages.mail_type)
    end as mail_type,
    coalesce(raw_events.payload ->> 'act', 'refuse') = 'refuse' as is_refusal
from nurture.raw_events
inner join nurture.messages on (raw_events.payload ->> 'message_id')::bigint = messages.message_id
inner join nurture.lead_now on messages.lead_id = lead_now.lead_id
where raw_events.channel = 'unsubscribe' and raw_events.taken_at is null
union all
select
    raw_events.raw_event_id,
    addresses.address_id,
    null as person_id,
    '*' as product,
    '*' as mail_type,
    true as is_refusal
from nurture.raw_events
inner join nurture.addresses on raw_events.payload ->> 'address' = addresses.address
where
    raw_events.channel = 'inbound'
    and raw_events.taken_at is null
    and raw_events.payload ->> 'is_refusal' = 'true';

-- Every landed record, newest version, the lead that it belongs to now, and the company that it is of.
create view nurture.lead_sources as
select distinct on (source_records.source, source_records.source_key)
    source_records.source,
    source_records.source_key,
    current_leads.lead_id,
    coalesce(source_records.account_id, current_leads.account_id) as account_id
from nurture.source_records
inner join nurture.lead_now on source_records.lead_id = lead_now.lead_id
inner join nurture.leads as current_leads on lead_now.current_lead_id = current_leads.lead_id
order by source_records.source asc, source_records.source_key asc, source_records.record_id desc;

-- What was asked of two records, by kind: what they have in common, and how their names stand to each other.
create view nurture.review_kinds as
select
    match_reviews.review_id,
    match_reviews.answer,
    (match_reviews.evidence ->> 'weight')::numeric as weight,
    concat_ws(
        ' ',
        coalesce(match_reviews.evidence ->> 'rule', match_reviews.evidence ->> 'agreement'),
        match_reviews.evidence ->> 'names',
        (
            select string_agg(said.key, ' ' order by said.key)
            from jsonb_each(match_reviews.evidence) as said
            where said.value = 'true'::jsonb
        )
    ) as kind
from nurture.match_reviews;

-- The newest score of each lead and product.
create view nurture.current_scores as
select distinct on (scores.product, scores.lead_id)
    scores.product,
    scores.lead_id,
    scores.fit,
    scores.engagement,
    scores.score,
    scores.scored_at,
    scores.definition_hash,
    scores.recheck_at
from nurture.scores
order by scores.product asc, scores.lead_id asc, scores.scored_at desc;

-- Where a lead stands with a product, the furthest first; products are those that have touched anybody.
create view nurture.lead_lifecycle as
with deals as (
    select
        lead_now.current_lead_id as lead_id,
        opportunities.product,
        bool_or(opportunities.won_at is not null) as is_won,
        bool_or(opportunities.won_at is null and opportunities.lost_at is null) as is_open
    from nurture.opportunities
    inner join nurture.lead_now on opportunities.lead_id = lead_now.lead_id
    where opportunities.product is not null
    group by lead_now.current_lead_id, opportunities.product
),

handed as (
    select
        lead_now.current_lead_id as lead_id,
        qualifications.product,
        bool_or(handoffs.sales_qualified_at is not null and qualifications.ended_at is null) as is_sales_qualified,
        bool_or(handoffs.sales_accepted_at is not null and qualifications.ended_at is null) as is_sales_accepted,
        bool_or(qualifications.ended_at is null) as is_qualified
    from nurture.qualifications
    inner join nurture.lead_now on qualifications.lead_id = lead_now.lead_id
    left join nurture.handoffs on qualifications.qualification_id = handoffs.qualification_id
    group by lead_now.current_lead_id, qualifications.product
),

known as (
    select
        deals.lead_id,
        deals.product
    from deals
    union
    select
        handed.lead_id,
        handed.product
    from handed
)

select
    known.lead_id,
    known.product,
    case
        when deals.is_won then 'customer'
        when deals.is_open then 'opportunity'
        when handed.is_sales_qualified then 'sales_qualified'
        when handed.is_sales_accepted then 'sales_accepted'
        when handed.is_qualified then 'qualified'
        when deals.lead_id is not null then 'lost'
        else coalesce(leads.crm_lifecycle, 'lead')
    end as lifecycle
from known
inner join nurture.leads on known.lead_id = leads.lead_id
left join deals on known.lead_id = deals.lead_id and known.product = deals.product
left join handed on known.lead_id = handed.lead_id and known.product = handed.product;

-- One row a product: what a person asks first.
create view nurture.product_overview as
with mails as (
    select
        messages.product,
        count(*) filter (where messages.status = 'accepted') as accepted,
        count(*) filter (where messages.status = 'planned') as planned,
        count(*) filter (where messages.status = 'unknown') as unknown,
        count(*) filter (where messages.status = 'refused') as refused,
        count(*) filter (where messages.status in ('cancelled', 'expired')) as not_sent
    from nurture.messages
    group by messages.product
),

walking as (
    select
        enrollments.product,
        count(*) as enrolled,
        count(*) filter (where enrollments.ended_at is null) as walking
    from nurture.enrollments
    group by enrollments.product
),

passed_on as (
    select
        qualifications.product,
        count(*) as qualified,
        count(*) filter (where handoffs.pushed_at is not null) as handed_off,
        count(*) filter (where handoffs.sales_accepted_at is not null) as sales_accepted
    from nurture.qualifications
    left join nurture.handoffs on qualifications.qualification_id = handoffs.qualification_id
    group by qualifications.product
),

deals as (
    select
        opportunities.product,
        count(*) filter (where opportunities.won_at is not null) as won,
        sum(opportunities.amount) filter (where opportunities.won_at is not null) as revenue
    from nurture.opportunities
    group by opportunities.product
)

select
    walking.product,
    walking.enrolled,
    walking.walking,
    coalesce(mails.accepted, 0) as accepted,
    coalesce(mails.planned, 0) as planned,
    coalesce(mails.unknown, 0) as unknown,
    coalesce(mails.refused, 0) as refused,
    coalesce(mails.not_sent, 0) as not_sent,
    coalesce(passed_on.qualified, 0) as qualified,
    coalesce(passed_on.handed_off, 0) as handed_off,
    coalesce(passed_on.sales_accepted, 0) as sales_accepted,
    coalesce(deals.won, 0) as won,
    coalesce(deals.revenue, 0) as revenue
from walking
left join mails on walking.product = mails.product
left join passed_on on walking.product = passed_on.product
left join deals on walking.product = deals.product;

-- Every mail can be proven: which definition planned it for whom and why, with which words, by whose consent, when, by
-- which request, and what became of it. Opens and clicks are a person's, as the newest verdict says.
create view nurture.message_proofs as
select
    messages.message_id,
    messages.product,
    messages.occasion,
    messages.lead_id,
    lead_now.current_lead_id,
    addresses.address,
    messages.email,
    messages.mail_type,
    messages.reason,
    definitions.part as definition_part,
    definitions.name as definition_name,
    messages.definition_hash,
    messages.content_hash,
    contents.subject,
    agreed.consent_id,
    agreed.basis as consent_basis,
    agreed.evidence as consent_evidence,
    agreed.source as consent_source,
    agreed.occurred_at as consented_at,
    messages.status,
    messages.ended_reason,
    messages.planned_at,
    messages.first_due_at,
    messages.due_at,
    messages.expires_at,
    messages.sent_at,
    messages.request_id,
    send_requests.provider_request_id,
    messages.provider_message_id,
    messages.accepted_at,
    became.delivered_at,
    became.bounced_at,
    became.opened_at,
    became.clicked_at,
    became.replied_at,
    became.unsubscribed_at,
    became.complained_at
from nurture.messages
inner join nurture.lead_now on messages.lead_id = lead_now.lead_id
inner join nurture.addresses on messages.address_id = addresses.address_id
inner join nurture.definitions on messages.definition_hash = definitions.definition_hash
left join nurture.contents on messages.content_hash = contents.content_hash
left join nurture.send_requests on messages.request_id = send_requests.request_id
left join lateral (
    select
        consents.consent_id,
        consents.basis,
        consents.evidence,
        consents.source,
        consents.occurred_at
    from nurture.consents
    where
        consents.address_id = messages.address_id
        and consents.occurred_at <= coalesce(messages.sent_at, messages.planned_at)
    order by consents.occurred_at desc, consents.consent_id desc
    limit 1
) as agreed on true
left join lateral (
    select
        min(events.occurred_at) filter (where events.type = 'delivered') as delivered_at,
        min(events.occurred_at) filter (where events.type in ('bounced', 'blocked', 'rejected')) as bounced_at,
        min(events.occurred_at) filter (where events.type = 'opened' and not judged.is_machine) as opened_at,
        min(events.occurred_at) filter (where events.type = 'clicked' and not judged.is_machine) as clicked_at,
        min(events.occurred_at) filter (where events.type = 'replied') as replied_at,
        min(events.occurred_at) filter (where events.type = 'unsubscribed') as unsubscribed_at,
        min(events.occurred_at) filter (where events.type = 'complained') as complained_at
    from nurture.events
    left join lateral (
        select verdicts.is_machine
        from nurture.verdicts
        where verdicts.event_id = events.event_id
        order by verdicts.version desc
        limit 1
    ) as judged on true
    where events.message_id = messages.message_id
) as became on true;
