-- name: withdraw_removed
-- What was planned for an entry that the plan no longer has is not sent.
with cancelled as (
    update messages
    set status = 'cancelled', ended_reason = 'withdrawn'
    where
        messages.product = %(product)s::text
        and messages.scenario is null
        and messages.sent_at is null
        and messages.ended_reason is null
        and not (messages.step = any(%(entries)s::text []))
    returning messages.message_id
),

explained as (
    insert into decisions (message_id, outcome, reason, at)
    select
        cancelled.message_id,
        'never',
        'withdrawn',
        %(as_of)s::timestamptz
    from cancelled
)

select count(*) from cancelled;

-- name: entries_waiting
-- Which entries have messages that are planned and not sent.
select distinct messages.step
from messages
where
    messages.product = %(product)s::text
    and messages.scenario is null
    and messages.sent_at is null
    and messages.ended_reason is null;

-- name: follow_entry
-- What is planned and not sent follows its entry when that was changed: its date, its mail, its mail type.
update messages
set
    email = %(email)s::text,
    variant = case when messages.email = %(email)s::text then messages.variant end,
    mail_type = %(mail_type)s::text,
    definition_hash = %(definition_hash)s::text,
    first_due_at = %(due_at)s::timestamptz,
    due_at = %(due_at)s::timestamptz,
    expires_at = %(expires_at)s::timestamptz
where
    messages.product = %(product)s::text
    and messages.occasion = 'plan/' || %(entry)s::text
    and messages.sent_at is null
    and messages.ended_reason is null
    and messages.definition_hash <> %(definition_hash)s::text;

-- name: count_entries
-- What became of the mails of each entry.
select
    messages.step as entry,
    count(*) filter (where messages.status = 'accepted') as sent,
    count(*) filter (where messages.status in ('planned', 'sending', 'unknown')) as waiting,
    count(*) filter (where messages.status in ('refused', 'cancelled', 'expired')) as not_sent
from messages
where messages.product = %(product)s::text and messages.scenario is null
group by messages.step;

-- name: segment_sizes
-- How many are in each segment of the product now.
select
    segment_members.segment,
    count(*) as size
from segment_members
where segment_members.product = %(product)s::text and segment_members.left_at is null
group by segment_members.segment;
