-- name: plan
-- Who is due a mail gets its message planned, once an occasion, whatever id the person had (N1): who stands at a step
-- of a journey, or the members of a plan entry's segment. The loser of one mailbox, and who has had the mail where it
-- is never sent twice, are written down with the reason.
with moments as (
    select
        asked.step_at,
        asked.due_at,
        asked.expires_at
    from
        jsonb_to_recordset(%(moments)s::jsonb)
        as asked (step_at timestamptz, due_at timestamptz, expires_at timestamptz)
),

wanted as (
    select
        enrollments.enrollment_id,
        enrollments.lead_id,
        lead_now.current_lead_id as person_id,
        enrollments.enrolled_at as since,
        moments.due_at,
        moments.expires_at,
        'scenario/' || enrollments.scenario || '/' || %(step)s::text || '/' || enrollments.occurrence as occasion
    from enrollments
    inner join lead_now on enrollments.lead_id = lead_now.lead_id
    inner join moments on enrollments.step_at = moments.step_at
    where
        enrollments.product = %(product)s::text
        and enrollments.scenario = %(scenario)s::text
        and enrollments.definition_hash = %(definition_hash)s::text
        and enrollments.step = %(step)s::text
        and enrollments.ended_at is null
        and not enrollments.is_held_out
    union all
    select
        null,
        segment_members.lead_id,
        segment_members.lead_id,
        segment_members.joined_at,
        moments.due_at,
        moments.expires_at,
        'plan/' || %(step)s::text
    from segment_members
    inner join leads on segment_members.lead_id = leads.lead_id
    cross join moments
    where
        %(scenario)s::text is null
        and segment_members.product = %(product)s::text
        and segment_members.segment = %(segment)s::text
        and segment_members.left_at is null
        and leads.merged_into is null
),

occasions as (
    select distinct wanted.occasion from wanted
),

used as (
    select
        messages.occasion,
        messages.address_id,
        lead_now.current_lead_id,
        coalesce(messages.ended_reason, '') <> 'same mailbox' as has_its_mailbox
    from messages
    inner join lead_now on messages.lead_id = lead_now.lead_id
    where
        messages.product = %(product)s::text
        and messages.occasion in (select occasions.occasion from occasions)
        and messages.ended_reason is distinct from 'merged'
),

had as (
    select distinct lead_now.current_lead_id
    from messages
    inner join lead_now on messages.lead_id = lead_now.lead_id
    where
        %(never_twice)s::boolean
        and messages.product = %(product)s::text
        and messages.email = %(email)s::text
        and messages.status in ('sending', 'unknown', 'accepted')
),

addressed as (
    select
        wanted.*,
        lead_addresses.address_id,
        row_number() over (partition by lead_addresses.address_id, wanted.occasion order by wanted.lead_id) as place,
        had.current_lead_id is not null as has_had_it
    from wanted
    inner join lead_addresses on wanted.person_id = lead_addresses.lead_id and lead_addresses.is_primary
    left join had on wanted.person_id = had.current_lead_id
    where not exists (
        select from used
        where used.current_lead_id = wanted.person_id and used.occasion = wanted.occasion
    )
),

judged as (
    select
        addressed.*,
        case
            when
                addressed.place > 1
                or exists (
                    select from used
                    where
                        used.address_id = addressed.address_id
                        and used.occasion = addressed.occasion
                        and used.has_its_mailbox
                )
                then 'same mailbox'
            when addressed.has_had_it then 'had this mail already'
        end as never
    from addressed
),

planned as (
    insert into messages (
        product, occasion, scenario, step, enrollment_id, lead_id, address_id, email, mail_type, definition_hash,
        reason, planned_at, first_due_at, due_at, expires_at, status, ended_reason
    )
    select
        %(product)s::text,
        judged.occasion,
        %(scenario)s::text,
        %(step)s::text,
        judged.enrollment_id,
        judged.lead_id,
        judged.address_id,
        %(email)s::text,
        %(mail_type)s::text,
        %(definition_hash)s::text,
        'in ' || %(segment)s::text || ' since ' || to_char(judged.since at time zone %(zone)s::text, 'YYYY-MM-DD'),
        %(as_of)s::timestamptz,
        judged.due_at,
        judged.due_at,
        judged.expires_at,
        case when judged.never is null then 'planned' else 'cancelled' end,
        judged.never
    from judged
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
    count(*) filter (where planned.ended_reason = 'same mailbox') as same_mailbox,
    count(*) filter (where planned.ended_reason = 'had this mail already') as had_it
from planned;

-- name: know_messages
-- After many rows the planner must know of them: an estimate of one row makes the next joins quadratic.
analyze messages;
