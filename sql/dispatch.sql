-- name: expire
-- Later than send_within, or than its email's last day, a planned message is not sent any more.
with expired as (
    update messages
    set status = 'expired', ended_reason = 'expired'
    where
        messages.product = %(product)s::text
        and messages.status = 'planned'
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
        and messages.status = 'planned'
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
    and messages.status = 'planned'
    and messages.due_at <= %(as_of)s::timestamptz
group by messages.email
order by min(messages.due_at), messages.email;

-- name: recent_requests
-- The product's newest requests that say whether the provider answers; a refusal does not say that it sends (N3).
select
    send_requests.status,
    send_requests.is_probe,
    send_requests.at,
    send_requests.member_count
from send_requests
where send_requests.product = %(product)s::text and send_requests.status in ('accepted', 'unknown', 'settled')
order by send_requests.request_id desc
limit 2;

-- name: stranded
-- How many messages of the product nobody knows of.
select coalesce(sum(send_requests.member_count), 0) as unknown
from send_requests
where send_requests.product = %(product)s::text and send_requests.status = 'unknown';

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
    person_id bigint not null,
    address_id bigint not null,
    address text not null,
    domain text not null,
    mail_type text not null,
    unmailable_reason text,
    position integer not null,
    outcome text,
    reason text,
    until timestamptz
) on commit delete rows;

-- name: lock_due
-- Take due messages of one email and variant with their people and addresses; what another worker holds is left.
insert into claim (message_id, person_id, address_id, address, domain, mail_type, unmailable_reason, position)
select
    locked.message_id,
    locked.person_id,
    locked.address_id,
    locked.address,
    locked.domain,
    locked.mail_type,
    locked.unmailable_reason,
    row_number() over ()
from (
    select
        messages.message_id,
        people.lead_id as person_id,
        addresses.address_id,
        addresses.address,
        addresses.domain,
        messages.mail_type,
        addresses.unmailable_reason
    from messages
    inner join leads as originals on messages.lead_id = originals.lead_id
    inner join leads as people on coalesce(originals.merged_into, originals.lead_id) = people.lead_id
    inner join addresses on messages.address_id = addresses.address_id
    where
        messages.product = %(product)s::text
        and messages.email = %(email)s::text
        and (%(variant)s::text is null or messages.variant = %(variant)s::text)
        and messages.status = 'planned'
        and messages.due_at <= %(as_of)s::timestamptz
    order by messages.due_at asc, messages.message_id asc
    limit %(at_most)s::integer
    for no key update of messages, people, addresses skip locked
) as locked;

-- name: open_budget
-- The day's budget of the product has its row.
insert into budgets (scope, key, day)
values ('product', %(product)s::text, %(day)s::date)
on conflict (scope, key, day) do nothing;

-- name: lock_budget
-- Nobody else spends from the day's budget until this claim is committed.
select budgets.claimed
from budgets
where budgets.scope = 'product' and budgets.key = %(product)s::text and budgets.day = %(day)s::date
for no key update;

-- name: judge
-- Permission at the last moment (N4), in a statement of its own so that it sees what others committed meanwhile.
with ids as (
    select
        claim.message_id,
        claim.mail_type,
        leads.lead_id
    from claim
    inner join leads on claim.person_id = coalesce(leads.merged_into, leads.lead_id)
),

cells as (
    select
        ids.message_id,
        ids.mail_type,
        opt_outs.product as refused_product,
        opt_outs.mail_type as refused_mail_type
    from ids
    inner join opt_outs on ids.lead_id = opt_outs.lead_id
    where opt_outs.ended_at is null
    union all
    select
        claim.message_id,
        claim.mail_type,
        opt_outs.product,
        opt_outs.mail_type
    from claim
    inner join opt_outs on claim.address_id = opt_outs.address_id
    where opt_outs.ended_at is null
),

refusals as (
    select
        cells.message_id,
        min(cells.refused_product || ' × ' || cells.refused_mail_type) as cell
    from cells
    where
        cells.refused_product in ('*', %(product)s::text)
        and cells.refused_mail_type in ('*', cells.mail_type)
    group by cells.message_id
),

refusals_just_in as (
    select distinct claim.message_id
    from raw_events
    inner join messages as refused on (raw_events.payload ->> 'message_id')::bigint = refused.message_id
    inner join leads on refused.lead_id = leads.lead_id
    inner join claim
        on
            refused.address_id = claim.address_id
            or claim.person_id = coalesce(leads.merged_into, leads.lead_id)
    where
        raw_events.channel = 'unsubscribe'
        and raw_events.taken_at is null
        and (
            raw_events.payload ->> 'scope' = 'everything'
            or refused.product = %(product)s::text
            and (raw_events.payload ->> 'scope' = 'product' or refused.mail_type = claim.mail_type)
        )
),

sent as (
    select
        ids.message_id,
        count(*) as number_sent,
        min(earlier.sent_at) as oldest_at
    from ids
    inner join messages as earlier on ids.lead_id = earlier.lead_id
    where
        earlier.status in ('sending', 'unknown', 'accepted')
        and earlier.sent_at > %(at)s::timestamptz - %(span)s::interval
    group by ids.message_id
),

permitted as (
    select
        claim.message_id,
        claim.person_id,
        claim.address_id,
        claim.position,
        coalesce(sent.number_sent, 0) as number_sent,
        coalesce(sent.oldest_at, %(at)s::timestamptz) + %(span)s::interval as free_at,
        case
            when suppressions.address_id is not null then 'suppressed: ' || suppressions.reason
            when refusals.cell is not null then 'opted out of ' || refusals.cell
            when refusals_just_in.message_id is not null then 'opted out just now'
            when claim.unmailable_reason is not null then 'cannot be mailed: ' || claim.unmailable_reason
            when
                claim.domain = any(%(excluded_domains)s::text [])
                or claim.address = any(%(excluded_addresses)s::text [])
                then 'excluded'
            when not exists (
                select from consents
                where consents.address_id = claim.address_id
            ) then 'no consent'
        end as never
    from claim
    left join suppressions on claim.address_id = suppressions.address_id
    left join refusals on claim.message_id = refusals.message_id
    left join refusals_just_in on claim.message_id = refusals_just_in.message_id
    left join sent on claim.message_id = sent.message_id
),

judged as (
    select
        permitted.*,
        case
            when
                permitted.number_sent
                + count(*) filter (where permitted.never is null)
                    over (partition by permitted.person_id order by permitted.position)
                > %(mails)s::integer
                then 'frequency cap'
            when
                count(*) filter (where permitted.never is null)
                    over (partition by permitted.address_id order by permitted.position)
                > 1
                then 'one at a time for a mailbox'
        end as not_now
    from permitted
),

budgeted as (
    select
        judged.*,
        judged.never is null
        and judged.not_now is null
        and sum(case when judged.never is null and judged.not_now is null then 1 else 0 end)
            over (order by judged.position)
        > %(budget)s::integer as is_over
    from judged
)

update claim
set
    outcome = case
        when budgeted.never is not null then 'never'
        when budgeted.not_now is not null or budgeted.is_over then 'not_now'
    end,
    reason = coalesce(budgeted.never, budgeted.not_now, case when budgeted.is_over then 'daily budget' end),
    until = case
        when budgeted.never is not null then null
        when budgeted.not_now = 'frequency cap' then budgeted.free_at
        when budgeted.not_now is not null then %(at)s::timestamptz + interval '1 minute'
        when budgeted.is_over then %(tomorrow)s::timestamptz
    end
from budgeted
where claim.message_id = budgeted.message_id and coalesce(budgeted.never, budgeted.not_now) is not null
or claim.message_id = budgeted.message_id and budgeted.is_over;

-- name: turn_down
-- A never ends the message, a not-now moves it; each says why, once (N5).
with ended as (
    update messages
    set status = 'cancelled', ended_reason = claim.reason
    from claim
    where messages.message_id = claim.message_id and claim.outcome = 'never'
    returning messages.message_id
),

moved as (
    update messages
    set due_at = claim.until
    from claim
    where messages.message_id = claim.message_id and claim.outcome = 'not_now'
    returning messages.message_id
),

explained as (
    insert into decisions (message_id, outcome, reason, until, at)
    select
        claim.message_id,
        claim.outcome,
        claim.reason,
        claim.until,
        %(at)s::timestamptz
    from claim
    where
        claim.outcome is not null
        and not exists (
            select from decisions
            where
                decisions.message_id = claim.message_id
                and decisions.outcome = claim.outcome
                and decisions.reason = claim.reason
                and decisions.decision_id
                = (select max(newest.decision_id) from decisions as newest where newest.message_id = claim.message_id)
        )
)

select
    (select count(*) from ended) as never,
    (select count(*) from moved) as not_now;

-- name: open_request
-- The request, its members and the spent budget in one: committed before the call (N2).
with request as (
    insert into send_requests (product, email, content_hash, mark, member_count, at, is_probe)
    select
        %(product)s::text,
        %(email)s::text,
        %(content_hash)s::text,
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
        sent_at = %(at)s::timestamptz
    from request
    cross join claim
    where claim.outcome is null and messages.message_id = claim.message_id
),

spent as (
    update budgets
    set claimed = budgets.claimed + request.member_count
    from request
    where budgets.scope = 'product' and budgets.key = %(product)s::text and budgets.day = %(day)s::date
)

select
    request.request_id,
    claim.message_id,
    claim.address,
    leads.name,
    leads.company
from request
cross join claim
inner join leads on claim.person_id = leads.lead_id
where claim.outcome is null
order by claim.position;

-- name: record_accepted
-- The provider took the request.
with answered as (
    update send_requests
    set
        status = 'accepted',
        answer = %(answer)s::text,
        answered_at = %(at)s::timestamptz,
        provider_request_id = %(provider_request_id)s::text
    where send_requests.request_id = %(request_id)s::bigint and send_requests.status = 'in_flight'
    returning send_requests.request_id
)

update messages
set status = 'accepted', accepted_at = %(at)s::timestamptz
from answered
where messages.request_id = answered.request_id and messages.status = 'sending';

-- name: record_unknown
-- Nobody knows what became of the request (N3).
with answered as (
    update send_requests
    set status = 'unknown', answer = %(answer)s::text, answered_at = %(at)s::timestamptz
    where send_requests.request_id = %(request_id)s::bigint and send_requests.status = 'in_flight'
    returning send_requests.request_id
)

update messages
set status = 'unknown'
from answered
where messages.request_id = answered.request_id and messages.status = 'sending';

-- name: record_not_sent
-- The provider said no, or was not reached: the bad recipients are refused, the rest is planned as before.
with answered as (
    update send_requests
    set
        status = case when cardinality(%(refused)s::bigint []) > 0 then 'refused' else 'returned' end,
        answer = %(answer)s::text,
        answered_at = %(at)s::timestamptz
    where send_requests.request_id = %(request_id)s::bigint and send_requests.status = 'in_flight'
    returning send_requests.request_id, send_requests.product, send_requests.member_count
),

refused as (
    update messages
    set status = 'refused'
    from answered
    where
        messages.request_id = answered.request_id
        and messages.status = 'sending'
        and messages.message_id = any(%(refused)s::bigint [])
    returning messages.message_id
),

returned as (
    update messages
    set status = 'planned', request_id = null, content_hash = null, sent_at = null
    from answered
    where
        messages.request_id = answered.request_id
        and messages.status = 'sending'
        and not (messages.message_id = any(%(refused)s::bigint []))
    returning messages.message_id
),

given_back as (
    update budgets
    set claimed = greatest(budgets.claimed - (select count(*) from returned), 0)
    from answered
    where budgets.scope = 'product' and budgets.key = answered.product and budgets.day = %(day)s::date
),

explained as (
    insert into decisions (message_id, outcome, reason, at)
    select
        refused.message_id,
        'never',
        'refused: ' || %(answer)s::text,
        %(at)s::timestamptz
    from refused
)

select
    (select count(*) from refused) as refused,
    (select count(*) from returned) as returned;

-- name: next_moment
-- When the next planned message of the product is due; null when none is.
select min(messages.due_at)
from messages
where messages.product = %(product)s::text and messages.status = 'planned';
