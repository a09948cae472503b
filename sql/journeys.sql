-- name: enroll
-- Who is in the audience begins the journey: once, or again when re-entry allows it; the newest run only (N7).
-- A person's earlier enrollments count under all of their ids, but for one that a merge ended before it sent anything.
-- Without a mailbox nobody is enrolled, nor who has reached the goal already (in `audience`).
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
        and not exists (select from audience where audience.lead_id = leads.lead_id)
),

earlier as (
    select
        lead_now.current_lead_id as lead_id,
        max(enrollments.occurrence) as occurrence,
        bool_or(enrollments.ended_at is null) as is_walking,
        bool_and(
            enrollments.ended_reason is not distinct from 'merged'
            and not exists (
                select from messages
                where
                    messages.enrollment_id = enrollments.enrollment_id
                    and messages.status in ('sending', 'unknown', 'accepted')
            )
        ) as is_as_if_never,
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
    or earlier.is_as_if_never
    or (
        not earlier.is_walking
        and %(reenter_before)s::timestamptz is not null
        and earlier.ended_at <= %(reenter_before)s::timestamptz
    )
order by members.lead_id asc
on conflict do nothing;

-- name: know_enrollments
-- After many rows the planner must know of them: an estimate of one row makes the next joins quadratic.
analyze enrollments;

-- name: last_walk
-- Up to when the product's journeys were walked; no row before the first time.
select walks.walked_at
from walks
where walks.product = %(product)s::text;

-- name: keep_walk
-- The product's journeys are walked up to here, by this definition of the product.
insert into walks (product, walked_at, definition_hash)
values (%(product)s::text, %(as_of)s::timestamptz, %(definition_hash)s::text)
on conflict (product) do update
set walked_at = excluded.walked_at, definition_hash = excluded.definition_hash
where walks.walked_at <= excluded.walked_at;

-- name: exit_those_who_are_done
-- End the walks of who reached the goal (in `audience`), is ready for sales, refused the product, cannot be mailed, or
-- left the audience where leaving it ends the walk; and what was planned for them (N5).
with walking as (
    select
        enrollments.enrollment_id,
        lead_now.current_lead_id
    from enrollments
    inner join lead_now on enrollments.lead_id = lead_now.lead_id
    where
        enrollments.product = %(product)s::text
        and enrollments.scenario = %(scenario)s::text
        and enrollments.definition_hash = %(definition_hash)s::text
        and enrollments.ended_at is null
        and enrollments.enrolled_at <= %(as_of)s::timestamptz
),

qualified as (
    select distinct lead_now.current_lead_id
    from qualifications
    inner join lead_now on qualifications.lead_id = lead_now.lead_id
    where
        qualifications.product = %(product)s::text
        and qualifications.qualified_at <= %(as_of)s::timestamptz
        and (qualifications.ended_at is null or qualifications.ended_at > %(as_of)s::timestamptz)
),

refusing as (
    select distinct lead_now.current_lead_id
    from opt_outs
    inner join lead_now on opt_outs.lead_id = lead_now.lead_id
    where
        opt_outs.product in ('*', %(product)s::text)
        and opt_outs.mail_type = '*'
        and opt_outs.occurred_at <= %(as_of)s::timestamptz
        and (opt_outs.ended_at is null or opt_outs.ended_at > %(as_of)s::timestamptz)
),

suppressed as (
    select distinct lead_addresses.lead_id
    from suppressions
    inner join lead_addresses on suppressions.address_id = lead_addresses.address_id and lead_addresses.is_primary
    where suppressions.occurred_at <= %(as_of)s::timestamptz
),

members as (
    select distinct lead_now.current_lead_id
    from segment_members
    inner join lead_now on segment_members.lead_id = lead_now.lead_id
    where
        segment_members.product = %(product)s::text
        and segment_members.segment = %(scenario)s::text
        and segment_members.joined_at <= %(as_of)s::timestamptz
        and (segment_members.left_at is null or segment_members.left_at > %(as_of)s::timestamptz)
),

leaving as (
    select
        walking.enrollment_id,
        case
            when audience.lead_id is not null then 'converted'
            when qualified.current_lead_id is not null then 'qualified'
            when refusing.current_lead_id is not null then 'opted_out'
            when suppressed.lead_id is not null then 'suppressed'
            when %(leaves)s::boolean and members.current_lead_id is null then 'left_segment'
        end as reason
    from walking
    left join audience on walking.current_lead_id = audience.lead_id
    left join qualified on walking.current_lead_id = qualified.current_lead_id
    left join refusing on walking.current_lead_id = refusing.current_lead_id
    left join suppressed on walking.current_lead_id = suppressed.lead_id
    left join members on walking.current_lead_id = members.current_lead_id
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

-- name: pass_waits_for
-- Past a wait for something goes who met the condition (in `audience`), now, and whose time is over, from that moment.
update enrollments
set
    step = case when outcome.has_met_it then %(then_step)s::text else %(else_step)s::text end,
    step_at = case when outcome.has_met_it then %(as_of)s::timestamptz else outcome.over_at end
from (
    select
        standing.enrollment_id,
        audience.lead_id is not null as has_met_it,
        moments.over_at
    from enrollments as standing
    inner join lead_now on standing.lead_id = lead_now.lead_id
    inner join
        jsonb_to_recordset(%(moments)s::jsonb) as moments (step_at timestamptz, over_at timestamptz)
        on standing.step_at = moments.step_at
    left join audience on lead_now.current_lead_id = audience.lead_id
    where
        standing.product = %(product)s::text
        and standing.scenario = %(scenario)s::text
        and standing.definition_hash = %(definition_hash)s::text
        and standing.step = %(step)s::text
        and standing.ended_at is null
) as outcome
where
    enrollments.enrollment_id = outcome.enrollment_id
    and (outcome.has_met_it or outcome.over_at <= %(as_of)s::timestamptz);

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
