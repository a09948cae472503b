-- name: suppress
-- An address that does not exist, or whose owner complained, is not mailed again.
insert into suppressions (address_id, reason, evidence, occurred_at)
select distinct on (incoming.address_id)
    incoming.address_id,
    case incoming.type
        when 'complained' then 'complained'
        when 'bounced' then 'bounced'
        else
            case
                when incoming.detail ilike '%%spam report%%' then 'complained'
                when incoming.detail ilike '%%unsubscribed%%' then 'global_unsubscribe'
                when incoming.detail ilike '%%invalid%%' then 'invalid'
                else 'bounced'
            end
    end,
    incoming.type || ': ' || coalesce(incoming.detail, ''),
    incoming.occurred_at
from incoming
where
    incoming.is_new
    and incoming.address_id is not null
    and (
        incoming.type in ('bounced', 'complained')
        or incoming.type = 'rejected'
        -- "Invalid" is the address; "Invalid SMTPAPI header" is our own fault.
        and incoming.detail ~* '(bounced address|spam report|unsubscribed address|^invalid$)'
    )
order by incoming.address_id asc, (incoming.type = 'complained') desc, incoming.occurred_at asc
on conflict (address_id) do nothing;

-- name: allow
-- A cell's opt-outs end by the person's own later act for that cell, with its evidence (N13); a complaint's never.
with allowed as (
    select
        incoming.raw_event_id,
        incoming.address_id,
        lead_now.current_lead_id as person_id,
        case when incoming.scope = 'everything' then '*' else incoming.product end as product,
        case when incoming.scope in ('everything', 'product') then '*' else incoming.mail_type end as mail_type,
        incoming.occurred_at
    from incoming
    inner join lead_now on incoming.lead_id = lead_now.lead_id
    where incoming.is_new and incoming.type = 'allowed'
),

ends as (
    select distinct on (opt_outs.opt_out_id)
        opt_outs.opt_out_id,
        allowed.raw_event_id,
        allowed.occurred_at
    from allowed
    inner join opt_outs
        on
            allowed.product = opt_outs.product
            and allowed.mail_type = opt_outs.mail_type
            and allowed.occurred_at >= opt_outs.occurred_at
    left join lead_now on opt_outs.lead_id = lead_now.lead_id
    where
        opt_outs.ended_at is null
        and opt_outs.how <> 'complaint'
        and (opt_outs.address_id = allowed.address_id or lead_now.current_lead_id = allowed.person_id)
    order by opt_outs.opt_out_id asc, allowed.occurred_at desc
)

update opt_outs
set ended_at = ends.occurred_at, ended_evidence = 'raw event ' || ends.raw_event_id || ', on the preference page'
from ends
where opt_outs.opt_out_id = ends.opt_out_id;

-- name: opt_out
-- A refusal holds for the lead and for the address through which it came (N13); a complaint is one of everything. One
-- that the same batch takes back is kept as ended.
with refused as (
    select
        incoming.lead_id,
        incoming.address_id,
        case
            when incoming.type = 'complained' or incoming.channel = 'sendgrid' then '*'
            when incoming.scope = 'everything' or incoming.product = '' then '*'
            else incoming.product
        end as product,
        case
            when incoming.type = 'complained' or incoming.channel = 'sendgrid' then '*'
            when incoming.scope in ('everything', 'product') or incoming.mail_type = '' then '*'
            else incoming.mail_type
        end as mail_type,
        case
            when incoming.type = 'complained' then 'complaint'
            else coalesce(nullif(incoming.detail, ''), 'provider')
        end as how,
        incoming.raw_event_id,
        incoming.occurred_at
    from incoming
    where
        incoming.is_new
        and incoming.type in ('complained', 'unsubscribed')
        and (incoming.lead_id is not null or incoming.address_id is not null)
),

taken_back as (
    select
        refused.*,
        later.occurred_at as ended_at,
        later.raw_event_id as ended_by
    from refused
    left join lateral (
        select
            incoming.occurred_at,
            incoming.raw_event_id
        from incoming
        where
            incoming.is_new
            and incoming.type = 'allowed'
            and refused.how <> 'complaint'
            and (incoming.address_id = refused.address_id or incoming.lead_id = refused.lead_id)
            and refused.product = case when incoming.scope = 'everything' then '*' else incoming.product end
            and refused.mail_type
            = case when incoming.scope in ('everything', 'product') then '*' else incoming.mail_type end
            and (incoming.occurred_at, incoming.raw_event_id) > (refused.occurred_at, refused.raw_event_id)
        order by incoming.occurred_at, incoming.raw_event_id
        limit 1
    ) as later on true
)

insert into opt_outs (
    lead_id, address_id, product, mail_type, how, evidence, occurred_at, ended_at, ended_evidence
)
select distinct on (
        taken_back.lead_id, taken_back.address_id, taken_back.product, taken_back.mail_type, taken_back.ended_at
    )
    taken_back.lead_id,
    taken_back.address_id,
    taken_back.product,
    taken_back.mail_type,
    taken_back.how,
    'raw event ' || taken_back.raw_event_id,
    taken_back.occurred_at,
    taken_back.ended_at,
    'raw event ' || taken_back.ended_by || ', on the preference page'
from taken_back
order by
    taken_back.lead_id asc, taken_back.address_id asc, taken_back.product asc, taken_back.mail_type asc,
    taken_back.ended_at asc, taken_back.occurred_at asc
on conflict (lead_id, address_id, product, mail_type) where ended_at is null do nothing;

-- name: upsert_suppressions
-- What the account's own lists say, for what the webhook missed; a shrinking list ends nothing.
insert into suppressions (address_id, reason, evidence, occurred_at)
select
    addresses.address_id,
    %(reason)s::text,
    'the provider''s list',
    min(to_timestamp(listed.created))
from jsonb_to_recordset(%(rows)s::jsonb) as listed (email text, created numeric)
inner join addresses on lower(listed.email) = addresses.address
where
    %(reason)s::text <> 'global_unsubscribe'
    or not exists (
        -- on that list through us: the cell says it, and can end by the person's own act
        select from opt_outs
        where opt_outs.address_id = addresses.address_id and opt_outs.told_provider_at is not null
    )
group by addresses.address_id
on conflict (address_id) do nothing;

-- name: refusals_of_everything
-- Who refused everything and stands on none of the provider's lists through us yet.
select
    opt_outs.opt_out_id,
    addresses.address
from opt_outs
inner join addresses on opt_outs.address_id = addresses.address_id
where
    opt_outs.product = '*'
    and opt_outs.mail_type = '*'
    and opt_outs.how <> 'provider'
    and opt_outs.ended_at is null
    and opt_outs.told_provider_at is null
order by opt_outs.opt_out_id
limit 1000;

-- name: ended_refusals_of_everything
-- Who refused everything, was put on the provider's list by us, and has taken it back since.
select
    array_agg(opt_outs.opt_out_id) as opt_out_ids,
    addresses.address
from opt_outs
inner join addresses on opt_outs.address_id = addresses.address_id
where
    opt_outs.ended_at is not null
    and opt_outs.told_provider_at is not null
    and not exists (
        select from opt_outs as others
        where
            others.address_id = opt_outs.address_id
            and others.product = '*'
            and others.mail_type = '*'
            and others.ended_at is null
    )
group by addresses.address
order by addresses.address
limit 1000;

-- name: mark_untold
-- The provider's list has them no more.
update opt_outs
set told_provider_at = null
where opt_outs.opt_out_id = any(%(opt_out_ids)s::bigint []);

-- name: mark_told
-- The provider knows.
update opt_outs
set told_provider_at = %(at)s::timestamptz
where opt_outs.opt_out_id = any(%(opt_out_ids)s::bigint []);

-- name: record_crm_refusals
-- Whoever the CRM says wants no mail at all refuses everything, as a lead and by the address. The CRM says so for ever:
-- it is believed once, so that the person's own later act is not undone by it (N13).
insert into opt_outs (lead_id, address_id, product, mail_type, how, evidence, occurred_at)
select distinct on (lead_now.current_lead_id, addresses.address_id)
    lead_now.current_lead_id,
    addresses.address_id,
    '*',
    '*',
    'rep',
    'contact ' || refused.crm_id || ' of ' || %(crm)s::text || ' wants no mail at all',
    refused.at
from jsonb_to_recordset(%(refused)s::jsonb) as refused (crm_id text, address text, at timestamptz)
left join addresses on lower(refused.address) = addresses.address
left join crm_links on crm_links.crm = %(crm)s::text and refused.crm_id = crm_links.crm_id
left join lead_now on crm_links.lead_id = lead_now.lead_id
where
    coalesce(lead_now.current_lead_id, addresses.address_id) is not null
    and not exists (
        select from opt_outs
        where
            opt_outs.how = 'rep'
            and opt_outs.product = '*'
            and opt_outs.mail_type = '*'
            and opt_outs.lead_id is not distinct from lead_now.current_lead_id
            and opt_outs.address_id is not distinct from addresses.address_id
    )
order by lead_now.current_lead_id asc, addresses.address_id asc, refused.at asc
on conflict (lead_id, address_id, product, mail_type) where ended_at is null do nothing;
