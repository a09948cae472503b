-- name: versions_walked
-- Under which versions of a scenario somebody is still walking.
select distinct enrollments.definition_hash
from enrollments
where
    enrollments.product = %(product)s::text
    and enrollments.scenario = %(scenario)s::text
    and enrollments.ended_at is null;

-- name: withdraw_removed
-- A scenario that the product no longer has ends its walks, and what was planned for them.
with ended as (
    update enrollments
    set ended_at = greatest(%(as_of)s::timestamptz, enrollments.enrolled_at), ended_reason = 'withdrawn'
    where
        enrollments.product = %(product)s::text
        and not (enrollments.scenario = any(%(scenarios)s::text []))
        and enrollments.ended_at is null
    returning enrollments.enrollment_id, enrollments.ended_reason
),

cancelled as (
    update messages
    set status = 'cancelled', ended_reason = ended.ended_reason
    from ended
    where messages.enrollment_id = ended.enrollment_id and messages.status = 'planned'
    returning messages.message_id, messages.ended_reason
),

explained as (
    insert into decisions (message_id, outcome, reason, at)
    select
        cancelled.message_id,
        'never',
        cancelled.ended_reason,
        %(as_of)s::timestamptz
    from cancelled
)

select ended.ended_reason from ended;

-- name: withdraw
-- A changed definition stops those under way, or those whose step it no longer has, and what was planned for them.
with ended as (
    update enrollments
    set ended_at = greatest(%(as_of)s::timestamptz, enrollments.enrolled_at), ended_reason = 'withdrawn'
    where
        enrollments.product = %(product)s::text
        and enrollments.scenario = %(scenario)s::text
        and enrollments.definition_hash = %(old_hash)s::text
        and enrollments.ended_at is null
        and not (enrollments.step = any(%(steps_kept)s::text []))
    returning enrollments.enrollment_id, enrollments.ended_reason
),

cancelled as (
    update messages
    set status = 'cancelled', ended_reason = ended.ended_reason
    from ended
    where messages.enrollment_id = ended.enrollment_id and messages.status = 'planned'
    returning messages.message_id, messages.ended_reason
)

insert into decisions (message_id, outcome, reason, at)
select
    cancelled.message_id,
    'never',
    cancelled.ended_reason,
    %(as_of)s::timestamptz
from cancelled;

-- name: move_on
-- A changed definition takes those under way to its step of the same name, and what is planned for them with it:
-- another mail takes the place of the old one, and where the step sends none any more, nothing is sent (N5).
with moved as (
    update enrollments
    set definition_hash = %(new_hash)s::text
    where
        enrollments.product = %(product)s::text
        and enrollments.scenario = %(scenario)s::text
        and enrollments.definition_hash = %(old_hash)s::text
        and enrollments.ended_at is null
    returning enrollments.enrollment_id
),

mails as (
    select
        asked.step,
        asked.email,
        asked.mail_type
    from jsonb_to_recordset(%(mails)s::jsonb) as asked (step text, email text, mail_type text)
),

followed as (
    update messages
    set
        email = mails.email,
        mail_type = mails.mail_type,
        definition_hash = %(new_hash)s::text
    from moved
    cross join mails
    where
        messages.enrollment_id = moved.enrollment_id
        and messages.status = 'planned'
        and messages.step = mails.step
        and (messages.email <> mails.email or messages.mail_type <> mails.mail_type)
),

cancelled as (
    update messages
    set status = 'cancelled', ended_reason = 'withdrawn'
    from moved
    where
        messages.enrollment_id = moved.enrollment_id
        and messages.status = 'planned'
        and messages.step not in (select mails.step from mails)
    returning messages.message_id
)

insert into decisions (message_id, outcome, reason, at)
select
    cancelled.message_id,
    'never',
    'withdrawn',
    %(as_of)s::timestamptz
from cancelled;
