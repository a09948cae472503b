-- name: enroll
-- Who is in the audience begins the journey: once, or again when re-entry allows it; the newest run only (N7).
-- A person's earlier enrollments count under all of their ids. Without a mailbox nobody is enrolled.
with members as (
    select segment_members.lead_id
    from segment_members
    inner join leads on segment_members.lead_id = leads.lead_id
    where
        segment_members.product = %(product)s::text
        and segment_members.segment = %(scenario)s::text
        and segment_members.left_at is null
        and leads.merged_into is null
        and exists (
            select from lead_addresses
            where lead_addresses.lead_id = leads.lead_id and lead_addresses.is_primary
        )
),

earlier as (
    select
        lead_now.current_lead_id as lead_id,
        max(enrollments.occurrence) as occurrence,
        bool_or(enrollments.ended_at is null) as is_walking,
        max(enrollments.ended_at) as ended_at
    from enrollments
    inner join lead_now on enrollments.lead_id = lead_now.lead_id
    where enrollments.product = %(product)s::text and enrollments.scenario = %(scenario)s::text
    group by lead_now.current_lead_id
)

insert into enrollments (
    product, scenario, lead_id, occurrence, definition_hash, enrolled_at, is_held_out, step, step_at
)
select
    %(product)s::text,
    %(scenario)s::text,
    members.lead_id,
    coalesce(earlier.occurrence, 0) + 1,
    %(definition_hash)s::text,
    %(as_of)s::timestamptz,
    (
        ('x' || left(md5(%(product)s::text || '/' || %(scenario)s::text || '/' || members.lead_id), 8))::bit(32)::bigint
        / 4294967296.0
    ) < %(holdout)s::numeric,
    %(first_step)s::text,
    %(as_of)s::timestamptz
from members
left join earlier on members.lead_id = earlier.lead_id
where
    earlier.lead_id is null
    or (
        not earlier.is_walking
        and %(reenter_before)s::timestamptz is not null
        and earlier.ended_at <= %(reenter_before)s::timestamptz
    )
on conflict do nothing;

-- name: exit_those_who_are_done
-- End the enrollments of who qualified, refused the product, cannot be mailed, or left the audience.
with leaving as (
    select
        enrollments.enrollment_id,
        case
            when exists (
                select from qualifications
                inner join lead_now as theirs on qualifications.lead_id = theirs.lead_id
                where
                    theirs.current_lead_id = lead_now.current_lead_id
                    and qualifications.product = enrollments.product
                    and qualifications.ended_at is null
            ) then 'qualified'
            when exists (
                select from opt_outs
                inner join lead_now as theirs on opt_outs.lead_id = theirs.lead_id
                where
                    theirs.current_lead_id = lead_now.current_lead_id
                    and opt_outs.product in ('*', enrollments.product)
                    and opt_outs.mail_type = '*'
                    and opt_outs.ended_at is null
                    and opt_outs.occurred_at <= %(as_of)s::timestamptz
            ) then 'opted_out'
            when exists (
                select from lead_addresses
                inner join suppressions on lead_addresses.address_id = suppressions.address_id
                where
                    lead_addresses.lead_id = lead_now.current_lead_id
                    and lead_addresses.is_primary
                    and suppressions.occurred_at <= %(as_of)s::timestamptz
            ) then 'suppressed'
            when not exists (
                select from segment_members
                where
                    segment_members.product = enrollments.product
                    and segment_members.segment = enrollments.scenario
                    and segment_members.lead_id = lead_now.current_lead_id
                    and segment_members.left_at is null
            ) then 'left_segment'
        end as reason
    from enrollments
    inner join lead_now on enrollments.lead_id = lead_now.lead_id
    where
        enrollments.product = %(product)s::text
        and enrollments.ended_at is null
        and enrollments.enrolled_at <= %(as_of)s::timestamptz
),

ended as (
    update enrollments
    set ended_at = %(as_of)s::timestamptz, ended_reason = leaving.reason
    from leaving
    where enrollments.enrollment_id = leaving.enrollment_id and leaving.reason is not null
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

-- name: versions_walked
-- Under which versions of a scenario somebody is still walking.
select distinct enrollments.definition_hash
from enrollments
where
    enrollments.product = %(product)s::text
    and enrollments.scenario = %(scenario)s::text
    and enrollments.ended_at is null;

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
-- A changed definition takes those under way to its step of the same name.
update enrollments
set definition_hash = %(new_hash)s::text
where
    enrollments.product = %(product)s::text
    and enrollments.scenario = %(scenario)s::text
    and enrollments.definition_hash = %(old_hash)s::text
    and enrollments.ended_at is null;

-- name: arrivals
-- Since which moments people stand at a step; a calendar turns each into when it is over or when a mail is due.
select distinct enrollments.step_at
from enrollments
where
    enrollments.product = %(product)s::text
    and enrollments.scenario = %(scenario)s::text
    and enrollments.definition_hash = %(definition_hash)s::text
    and enrollments.step = %(step)s::text
    and enrollments.ended_at is null
    and enrollments.step_at <= %(as_of)s::timestamptz;

-- name: plan_emails
-- Who stands at an email gets its message planned, once an occasion, whatever id the person had (N1).
-- The loser of one mailbox is written down with its reason and walks on unsent.
with moments as (
    select
        asked.step_at,
        asked.due_at,
        asked.expires_at
    from
        jsonb_to_recordset(%(moments)s::jsonb)
        as asked (step_at timestamptz, due_at timestamptz, expires_at timestamptz)
),

standing as (
    select
        enrollments.enrollment_id,
        lead_now.current_lead_id,
        enrollments.lead_id,
        enrollments.occurrence,
        enrollments.enrolled_at,
        lead_addresses.address_id,
        moments.due_at,
        moments.expires_at,
        'scenario/' || enrollments.scenario || '/' || %(step)s::text || '/' || enrollments.occurrence as occasion
    from enrollments
    inner join lead_now on enrollments.lead_id = lead_now.lead_id
    inner join lead_addresses on lead_now.current_lead_id = lead_addresses.lead_id and lead_addresses.is_primary
    inner join moments on enrollments.step_at = moments.step_at
    where
        enrollments.product = %(product)s::text
        and enrollments.scenario = %(scenario)s::text
        and enrollments.definition_hash = %(definition_hash)s::text
        and enrollments.step = %(step)s::text
        and enrollments.ended_at is null
        and not enrollments.is_held_out
        and not exists (
            select from messages
            inner join lead_now as theirs on messages.lead_id = theirs.lead_id
            where
                theirs.current_lead_id = lead_now.current_lead_id
                and messages.product = %(product)s::text
                and messages.occasion
                = 'scenario/' || enrollments.scenario || '/' || %(step)s::text || '/' || enrollments.occurrence
        )
),

ranked as (
    select
        standing.*,
        row_number() over (partition by standing.address_id, standing.occasion order by standing.lead_id) > 1
        or exists (
            select from messages
            where
                messages.product = %(product)s::text
                and messages.occasion = standing.occasion
                and messages.address_id = standing.address_id
        ) as is_same_mailbox
    from standing
),

planned as (
    insert into messages (
        product, occasion, scenario, step, enrollment_id, lead_id, address_id, email, mail_type, definition_hash,
        reason, planned_at, first_due_at, due_at, expires_at, status, ended_reason
    )
    select
        %(product)s::text,
        ranked.occasion,
        %(scenario)s::text,
        %(step)s::text,
        ranked.enrollment_id,
        ranked.lead_id,
        ranked.address_id,
        %(email)s::text,
        %(mail_type)s::text,
        %(definition_hash)s::text,
        'in ' || %(scenario)s::text || ' since '
        || to_char(ranked.enrolled_at at time zone %(zone)s::text, 'YYYY-MM-DD'),
        %(as_of)s::timestamptz,
        ranked.due_at,
        ranked.due_at,
        ranked.expires_at,
        case when ranked.is_same_mailbox then 'cancelled' else 'planned' end,
        case when ranked.is_same_mailbox then 'same mailbox' end
    from ranked
    on conflict do nothing
    returning messages.message_id, messages.ended_reason
),

explained as (
    insert into decisions (message_id, outcome, reason, at)
    select
        planned.message_id,
        'never',
        planned.ended_reason,
        %(as_of)s::timestamptz
    from planned
    where planned.ended_reason is not null
)

select
    count(*) filter (where planned.ended_reason is null) as planned,
    count(*) filter (where planned.ended_reason is not null) as same_mailbox
from planned;

-- name: pass_emails
-- Past an email goes who was sent it, from when the provider took it, and who will never be; unknown waits.
update enrollments
set step = %(next_step)s::text, step_at = outcome.passed_at
from (
    select
        standing.enrollment_id,
        case
            when standing.is_held_out then standing.step_at
            when messages.message_id is null then %(as_of)s::timestamptz -- had it under another id, or no mailbox
            -- not in the run that sent it: the same as_of twice would walk on and mail again
            when messages.status = 'accepted' and messages.accepted_at < %(as_of)s::timestamptz
                then messages.accepted_at
            when messages.status in ('refused', 'cancelled', 'expired') then %(as_of)s::timestamptz
        end as passed_at
    from enrollments as standing
    left join messages
        on
            standing.enrollment_id = messages.enrollment_id
            and messages.step = %(step)s::text
    where
        standing.product = %(product)s::text
        and standing.scenario = %(scenario)s::text
        and standing.definition_hash = %(definition_hash)s::text
        and standing.step = %(step)s::text
        and standing.ended_at is null
) as outcome
where
    enrollments.enrollment_id = outcome.enrollment_id
    and outcome.passed_at <= %(as_of)s::timestamptz;

-- name: pass_waits
-- Past a wait goes whose time is over, from the moment at which it was over.
update enrollments
set step = %(next_step)s::text, step_at = moments.over_at
from jsonb_to_recordset(%(moments)s::jsonb) as moments (step_at timestamptz, over_at timestamptz)
where
    enrollments.product = %(product)s::text
    and enrollments.scenario = %(scenario)s::text
    and enrollments.definition_hash = %(definition_hash)s::text
    and enrollments.step = %(step)s::text
    and enrollments.ended_at is null
    and enrollments.step_at = moments.step_at
    and moments.over_at <= %(as_of)s::timestamptz;

-- name: pass_branches
-- Who meets the condition goes one way, who does not the other.
update enrollments
set
    step = case
        when exists (
            select from audience
            inner join lead_now on audience.lead_id = lead_now.current_lead_id
            where lead_now.lead_id = enrollments.lead_id
        ) then %(then_step)s::text
        else %(else_step)s::text
    end
where
    enrollments.product = %(product)s::text
    and enrollments.scenario = %(scenario)s::text
    and enrollments.definition_hash = %(definition_hash)s::text
    and enrollments.step = %(step)s::text
    and enrollments.ended_at is null
    and enrollments.step_at <= %(as_of)s::timestamptz;

-- name: complete
-- Who has come to the end has completed the journey.
update enrollments
set ended_at = greatest(enrollments.step_at, enrollments.enrolled_at), ended_reason = 'completed'
where
    enrollments.product = %(product)s::text
    and enrollments.scenario = %(scenario)s::text
    and enrollments.definition_hash = %(definition_hash)s::text
    and enrollments.step = %(end_step)s::text
    and enrollments.ended_at is null
    and enrollments.step_at <= %(as_of)s::timestamptz;
