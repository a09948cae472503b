-- name: qualify
-- Who meets the product's condition is ready, unless a qualification is open, ended too lately, or sales has them.
with candidates as (
    select
        leads.lead_id,
        scores.fit,
        scores.engagement,
        scores.definition_hash as scoring_hash
    from audience
    inner join leads on audience.lead_id = leads.lead_id
    left join lateral (
        select
            newest.fit,
            newest.engagement,
            newest.definition_hash
        from scores as newest
        where
            newest.product = %(product)s::text
            and newest.lead_id = leads.lead_id
            and newest.scored_at <= %(as_of)s::timestamptz
        order by newest.scored_at desc
        limit 1
    ) as scores on true
    where
        not exists (
            select from qualifications
            inner join lead_now on qualifications.lead_id = lead_now.lead_id
            where
                lead_now.current_lead_id = leads.lead_id
                and qualifications.product = %(product)s::text
                and (qualifications.ended_at is null or qualifications.ended_at > %(again_before)s::timestamptz)
        )
        and not exists (
            select from lead_lifecycle
            where
                lead_lifecycle.lead_id = leads.lead_id
                and lead_lifecycle.product = %(product)s::text
                and lead_lifecycle.lifecycle in ('opportunity', 'customer')
        )
        and not exists (
            select from opt_outs
            inner join lead_now on opt_outs.lead_id = lead_now.lead_id
            where
                lead_now.current_lead_id = leads.lead_id
                and opt_outs.product in ('*', %(product)s::text)
                and opt_outs.mail_type = '*'
                and opt_outs.how = 'complaint'
                and opt_outs.ended_at is null
        )
)

insert into qualifications (
    lead_id, product, qualified_at, fit, engagement, score, definition_hash, scoring_hash
)
select
    candidates.lead_id,
    %(product)s::text,
    %(as_of)s::timestamptz,
    coalesce(candidates.fit, 0),
    coalesce(candidates.engagement, 0),
    coalesce(candidates.fit, 0) + coalesce(candidates.engagement, 0),
    %(definition_hash)s::text,
    candidates.scoring_hash
from candidates
on conflict (lead_id, product) where ended_at is null do nothing;

-- name: would_qualify
-- Who would have been ready at a past moment and was not recorded so; changes nothing (N7).
select count(*) as would_qualify
from audience
where
    not exists (
        select from qualifications
        inner join lead_now on qualifications.lead_id = lead_now.lead_id
        where
            lead_now.current_lead_id = audience.lead_id
            and qualifications.product = %(product)s::text
            and qualifications.qualified_at <= %(as_of)s::timestamptz
    );

-- name: create_handoffs
-- The warmest first, as many as sales can take in a week; each with the dossier that the rep reads before calling.
with taken as (
    select count(*) as number_taken
    from handoffs
    inner join qualifications on handoffs.qualification_id = qualifications.qualification_id
    where
        qualifications.product = %(product)s::text
        and handoffs.created_at > %(at)s::timestamptz - interval '7 days'
),

waiting as (
    select
        qualifications.qualification_id,
        lead_now.current_lead_id as lead_id,
        qualifications.qualified_at,
        qualifications.fit,
        qualifications.engagement,
        qualifications.score,
        row_number() over (
            order by qualifications.score desc, qualifications.qualified_at asc, qualifications.qualification_id asc
        ) as place
    from qualifications
    inner join lead_now on qualifications.lead_id = lead_now.lead_id
    where
        qualifications.product = %(product)s::text
        and qualifications.ended_at is null
        and qualifications.qualified_at <= %(at)s::timestamptz
        and not exists (
            select from handoffs where handoffs.qualification_id = qualifications.qualification_id
        )
)

insert into handoffs (qualification_id, crm, dossier, created_at)
select
    waiting.qualification_id,
    %(crm)s::text,
    jsonb_build_object(
        'product', %(product)s::text,
        'score', waiting.score,
        'fit', waiting.fit,
        'engagement', waiting.engagement,
        'qualified_at', waiting.qualified_at,
        'lead', jsonb_build_object(
            'name', leads.name,
            'company', leads.company,
            'department', leads.department,
            'title', leads.title,
            'phone', coalesce(leads.mobile, leads.phone),
            'industry', leads.industry,
            'employees', leads.employees,
            'region', leads.region
        ),
        'first_touch', leads.first_touch || jsonb_build_object(
            'source', leads.first_source, 'channel', leads.first_channel, 'at', leads.first_seen_at
        ),
        'did', coalesce(
            (
                select jsonb_agg(done.line order by done.day desc, done.line asc)
                from (
                    select
                        signals.day,
                        to_char(signals.day, 'YYYY-MM-DD') || ' ' || signals.kind || ' ' || signals.subject
                        || case when signals.count > 1 then ' ×' || signals.count else '' end as line
                    from signals
                    inner join lead_now as theirs on signals.lead_id = theirs.lead_id
                    where theirs.current_lead_id = leads.lead_id and signals.product = %(product)s::text
                    order by signals.day desc
                    limit 20
                ) as done
            ),
            '[]'::jsonb
        )
    ),
    %(at)s::timestamptz
from waiting
inner join leads on waiting.lead_id = leads.lead_id
cross join taken
where %(per_week)s::integer is null or waiting.place <= %(per_week)s::integer - taken.number_taken
on conflict (qualification_id) do nothing;

-- name: pending
-- The hand-offs that are not in the CRM yet; another worker's are left to it.
select
    handoffs.handoff_id,
    handoffs.dossier,
    handoffs.crm_id,
    handoffs.noted_at,
    lead_now.current_lead_id as lead_id,
    addresses.address,
    (
        select min(crm_links.crm_id)
        from crm_links
        inner join lead_now as theirs on crm_links.lead_id = theirs.lead_id
        where theirs.current_lead_id = lead_now.current_lead_id and crm_links.crm = handoffs.crm
    ) as known_crm_id,
    leads.last_name,
    leads.first_name
from handoffs
inner join qualifications on handoffs.qualification_id = qualifications.qualification_id
inner join lead_now on qualifications.lead_id = lead_now.lead_id
inner join leads on lead_now.current_lead_id = leads.lead_id
left join lead_addresses on leads.lead_id = lead_addresses.lead_id and lead_addresses.is_primary
left join addresses on lead_addresses.address_id = addresses.address_id
where
    handoffs.status = 'pending'
    and qualifications.product = %(product)s::text
    and qualifications.ended_at is null
order by handoffs.handoff_id
limit 1 offset %(passed)s
for no key update of handoffs skip locked;

-- name: record_contact
-- The contact is in the CRM: its id is kept at once, so that a retry finds it.
with linked as (
    insert into crm_links (crm, lead_id, crm_id)
    values (%(crm)s::text, %(lead_id)s::bigint, %(crm_id)s::text)
    on conflict (crm, lead_id) do update
    set crm_id = excluded.crm_id
    where crm_links.crm_id <> excluded.crm_id
)

update handoffs
set crm_id = %(crm_id)s::text
where handoffs.handoff_id = %(handoff_id)s::bigint;

-- name: record_pushed
-- The contact and its note are in the CRM: one hand-off a qualification (N12).
update handoffs
set
    status = 'pushed',
    pushed_at = %(at)s::timestamptz,
    noted_at = coalesce(handoffs.noted_at, %(at)s::timestamptz),
    last_error = null,
    tries = handoffs.tries + 1
where handoffs.handoff_id = %(handoff_id)s::bigint and handoffs.status = 'pending';

-- name: record_failure
-- It stays pending, with the reason.
update handoffs
set last_error = %(reason)s::text, tries = handoffs.tries + 1
where handoffs.handoff_id = %(handoff_id)s::bigint;

-- name: links
-- Whose contacts the CRM's are.
select
    crm_links.crm_id,
    lead_now.current_lead_id as lead_id
from crm_links
inner join lead_now on crm_links.lead_id = lead_now.lead_id
where crm_links.crm = %(crm)s::text;

-- name: newest_change
-- Up to where the CRM's deals are known.
select max(opportunities.modified_at) as modified_at
from opportunities
where opportunities.crm = %(crm)s::text;

-- name: upsert_opportunities
-- What the CRM says of its deals; the newest word holds.
insert into opportunities (
    crm, crm_opportunity_id, lead_id, product, name, stage, amount, currency, opened_at, won_at, lost_at, modified_at
)
select distinct on (deals.crm_opportunity_id)
    %(crm)s::text,
    deals.crm_opportunity_id,
    lead_now.current_lead_id,
    deals.product,
    deals.name,
    deals.stage,
    deals.amount,
    case when deals.amount is not null then coalesce(deals.currency, 'JPY') end,
    deals.opened_at,
    case when deals.is_won then deals.closed_at end,
    case when deals.is_closed and not deals.is_won then deals.closed_at end,
    deals.modified_at
from jsonb_to_recordset(%(deals)s::jsonb) as deals (
    crm_opportunity_id text,
    crm_id text,
    product text,
    name text,
    stage text,
    amount numeric,
    currency text,
    opened_at timestamptz,
    closed_at timestamptz,
    is_closed boolean,
    is_won boolean,
    modified_at timestamptz
)
left join crm_links on deals.crm_id = crm_links.crm_id and crm_links.crm = %(crm)s::text
left join lead_now on crm_links.lead_id = lead_now.lead_id
order by deals.crm_opportunity_id asc, deals.modified_at desc
on conflict (crm, crm_opportunity_id) do update
set
    lead_id = coalesce(excluded.lead_id, opportunities.lead_id),
    product = coalesce(excluded.product, opportunities.product),
    name = excluded.name,
    stage = excluded.stage,
    amount = excluded.amount,
    currency = excluded.currency,
    won_at = excluded.won_at,
    lost_at = excluded.lost_at,
    modified_at = excluded.modified_at
where opportunities.modified_at < excluded.modified_at;

-- name: record_outcomes
-- What sales did with the hand-offs: took on, judged real, gave back.
with told as (
    select distinct on (outcomes.crm_id)
        outcomes.crm_id,
        outcomes.sales_accepted_at,
        outcomes.sales_qualified_at,
        outcomes.returned_at,
        outcomes.returned_reason
    from jsonb_to_recordset(%(outcomes)s::jsonb) as outcomes (
        crm_id text,
        sales_accepted_at timestamptz,
        sales_qualified_at timestamptz,
        returned_at timestamptz,
        returned_reason text
    )
    order by outcomes.crm_id
),

changed as (
    update handoffs
    set
        status = case
            when told.returned_at is not null then 'returned'
            when told.sales_accepted_at is not null then 'sales_accepted'
            else handoffs.status
        end,
        sales_accepted_at = coalesce(handoffs.sales_accepted_at, told.sales_accepted_at),
        sales_qualified_at = coalesce(handoffs.sales_qualified_at, told.sales_qualified_at),
        returned_at = told.returned_at,
        returned_reason = case
            when told.returned_at is not null then coalesce(told.returned_reason, 'no reason given')
        end
    from told, qualifications
    where
        handoffs.crm = %(crm)s::text
        and handoffs.crm_id = told.crm_id
        and handoffs.status in ('pushed', 'sales_accepted')
        and handoffs.qualification_id = qualifications.qualification_id
        and coalesce(told.returned_at, told.sales_qualified_at, told.sales_accepted_at) >= handoffs.created_at
        and (
            told.returned_at is not null
            or handoffs.sales_accepted_at is null and told.sales_accepted_at is not null
            or handoffs.sales_qualified_at is null and told.sales_qualified_at is not null
        )
    returning handoffs.qualification_id, handoffs.returned_at
),

ended as (
    update qualifications
    set ended_at = greatest(changed.returned_at, qualifications.qualified_at), ended_reason = 'returned'
    from changed
    where
        qualifications.qualification_id = changed.qualification_id
        and changed.returned_at is not null
        and qualifications.ended_at is null
)

select count(*) from changed;

-- name: close_handoffs
-- A deal that was won or lost closes the hand-off that it came from, and its qualification.
with decided as (
    select
        qualifications.qualification_id,
        max(coalesce(opportunities.won_at, opportunities.lost_at)) as closed_at
    from qualifications
    inner join handoffs on qualifications.qualification_id = handoffs.qualification_id
    inner join lead_now on qualifications.lead_id = lead_now.lead_id
    inner join lead_now as theirs on lead_now.current_lead_id = theirs.current_lead_id
    inner join opportunities on theirs.lead_id = opportunities.lead_id
    where
        qualifications.ended_at is null
        and opportunities.product = qualifications.product
        and opportunities.opened_at >= qualifications.qualified_at
        and coalesce(opportunities.won_at, opportunities.lost_at) is not null
        and handoffs.status in ('pushed', 'sales_accepted')
    group by qualifications.qualification_id
),

closed as (
    update handoffs
    set status = 'closed', closed_at = decided.closed_at
    from decided
    where handoffs.qualification_id = decided.qualification_id
)

update qualifications
set ended_at = greatest(decided.closed_at, qualifications.qualified_at), ended_reason = 'closed'
from decided
where qualifications.qualification_id = decided.qualification_id;
