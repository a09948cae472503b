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

-- name: opt_out
-- A refusal holds for the lead and for the address through which it came (N13); a complaint is one of everything.
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
)

insert into opt_outs (lead_id, address_id, product, mail_type, how, evidence, occurred_at)
select distinct on (refused.lead_id, refused.address_id, refused.product, refused.mail_type)
    refused.lead_id,
    refused.address_id,
    refused.product,
    refused.mail_type,
    refused.how,
    'raw event ' || refused.raw_event_id,
    refused.occurred_at
from refused
order by
    refused.lead_id asc, refused.address_id asc, refused.product asc, refused.mail_type asc, refused.occurred_at asc
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

-- name: mark_told
-- The provider knows.
update opt_outs
set told_provider_at = %(at)s::timestamptz
where opt_outs.opt_out_id = any(%(opt_out_ids)s::bigint []);
