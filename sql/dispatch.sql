-- name: expire
-- Later than send_within, or than its email's last day, a planned message is not sent any more.
with expired as (
    update messages
    set status = 'expired', ended_reason = 'expired'
    where
        messages.product = %(product)s::text
        and messages.sent_at is null
        and messages.ended_reason is null
        and (messages.expires_at <= %(at)s::timestamptz or messages.email = any(%(past_emails)s::text []))
        and messages.due_at <= %(as_of)s::timestamptz
    returning messages.message_id, messages.email
),

explained as (
    insert into decisions (message_id, outcome, reason, at)
    select
        expired.message_id,
        'never',
        case when expired.email = any(%(past_emails)s::text []) then 'the email has expired' else 'expired' end,
        %(at)s::timestamptz
    from expired
)

select count(*) from expired;

-- name: wait_until_open
-- Out of business hours nothing of the product is due before the next opening.
with moved as (
    update messages
    set due_at = %(until)s::timestamptz
    where
        messages.product = %(product)s::text
        and messages.sent_at is null
        and messages.ended_reason is null
        and messages.due_at <= %(as_of)s::timestamptz
    returning messages.message_id
),

explained as (
    insert into decisions (message_id, outcome, reason, until, at)
    select
        moved.message_id,
        'not_now',
        'outside business hours',
        %(until)s::timestamptz,
        %(at)s::timestamptz
    from moved
    where not exists (
        select from decisions
        where
            decisions.message_id = moved.message_id
            and decisions.reason = 'outside business hours'
            and decisions.decision_id
            = (select max(newest.decision_id) from decisions as newest where newest.message_id = moved.message_id)
    )
)

select count(*) from moved;

-- name: due_emails
-- Which emails of the product are due, the longest waiting first.
select
    messages.email,
    count(*) as due
from messages
where
    messages.product = %(product)s::text
    and messages.sent_at is null
    and messages.ended_reason is null
    and messages.due_at <= %(as_of)s::timestamptz
group by messages.email
order by min(messages.due_at), messages.email;

-- name: due_occasions
-- For which occasions an email is due in a variant, the longest waiting first: a request is of one occasion.
select messages.occasion
from messages
left join chosen on messages.message_id = chosen.message_id
where
    messages.product = %(product)s::text
    and messages.email = %(email)s::text
    and (%(variant)s::text is null or chosen.variant = %(variant)s::text)
    and messages.sent_at is null
    and messages.ended_reason is null
    and messages.due_at <= %(as_of)s::timestamptz
group by messages.occasion
order by min(messages.due_at), messages.occasion;

-- name: keep_content
-- The rendered words, once.
insert into contents (content_hash, product, email, subject, text, html)
values (
    %(content_hash)s::text, %(product)s::text, %(email)s::text, %(subject)s::text, %(text)s::text, %(html)s::text
)
on conflict (content_hash) do nothing;

-- name: create_claim
-- What this claim holds: one row a message, gone with the transaction's end.
create temporary table if not exists claim (
    message_id bigint primary key,
    due_at timestamptz,
    person_id bigint not null,
    account_id bigint,
    address_id bigint not null,
    address text not null,
    domain text not null,
    mail_type text not null,
    occasion_mark text not null,
    unmailable_reason text,
    position integer not null,
    consent_id bigint,
    outcome text,
    reason text,
    until timestamptz
) on commit delete rows;

-- name: lock_due
-- Take due messages of one batch, in their order from where the last claim ended; what another worker holds is left to
-- it. A message whose values are too long for substitution tags goes alone, in a pass of its own.
insert into claim (
    message_id, due_at, person_id, account_id, address_id, address, domain, mail_type, occasion_mark,
    unmailable_reason, position
)
select
    locked.message_id,
    locked.due_at,
    locked.person_id,
    locked.account_id,
    locked.address_id,
    locked.address,
    locked.domain,
    locked.mail_type,
    %(occasion_mark)s::text,
    locked.unmailable_reason,
    row_number() over ()
from (
    select
        messages.message_id,
        messages.due_at,
        people.lead_id as person_id,
        people.account_id,
        addresses.address_id,
        addresses.address,
        addresses.domain,
        messages.mail_type,
        addresses.unmailable_reason
    from messages
    inner join leads as originals on messages.lead_id = originals.lead_id
    inner join leads as people on coalesce(originals.merged_into, originals.lead_id) = people.lead_id
    inner join addresses on messages.address_id = addresses.address_id
    left join chosen on messages.message_id = chosen.message_id
    where
        messages.product = %(product)s::text
        and messages.email = %(email)s::text
        and messages.occasion = %(occasion)s::text
        and (%(variant)s::text is null or chosen.variant = %(variant)s::text)
        and messages.sent_at is null
        and messages.ended_reason is null
        and messages.due_at <= %(as_of)s::timestamptz
        and (messages.due_at, messages.message_id) > (%(after)s::timestamptz, %(after_id)s::bigint)
        and (octet_length(concat(people.name, people.company)) > %(long)s::integer) = %(is_alone)s::boolean
    order by messages.due_at asc, messages.message_id asc
    limit %(at_most)s::integer
    for no key update of messages skip locked
) as locked;

-- name: last_taken
-- Where this claim ended.
select
    claim.due_at,
    claim.message_id
from claim
order by claim.position desc
limit 1;

-- name: open_request
-- The request, its members and the spent budget in one: committed before the call (N2).
with request as (
    insert into send_requests (
        product, email, variant, content_hash, sending_domain, mark, member_count, at, is_probe
    )
    select
        %(product)s::text,
        %(email)s::text,
        %(variant)s::text,
        %(content_hash)s::text,
        %(domain)s::text,
        %(mark)s::text,
        count(*),
        %(at)s::timestamptz,
        %(is_probe)s::boolean
    from claim
    where claim.outcome is null
    having count(*) > 0
    returning send_requests.request_id, send_requests.member_count
),

members as (
    insert into send_attempts (request_id, message_id)
    select
        request.request_id,
        claim.message_id
    from request
    cross join claim
    where claim.outcome is null
),

sending as (
    update messages
    set
        status = 'sending',
        request_id = request.request_id,
        content_hash = %(content_hash)s::text,
        variant = %(variant)s::text,
        consent_id = claim.consent_id,
        sent_at = %(at)s::timestamptz
    from request
    cross join claim
    where claim.outcome is null and messages.message_id = claim.message_id
),

spent as (
    update budgets
    set claimed = budgets.claimed + request.member_count
    from request
    where
        budgets.day = %(day)s::date
        and (
            (budgets.scope = 'product' and budgets.key = %(product)s::text)
            or (budgets.scope = 'domain' and budgets.key = %(domain)s::text)
        )
)

select
    request.request_id,
    claim.message_id,
    claim.address,
    claim.occasion_mark,
    leads.name,
    leads.company
from request
cross join claim
inner join leads on claim.person_id = leads.lead_id
where claim.outcome is null
order by claim.position;

-- name: next_moment
-- When the next planned message of the product is due; null when none is.
select min(messages.due_at)
from messages
where
    messages.product = %(product)s::text
    and messages.sent_at is null
    and messages.ended_reason is null;
