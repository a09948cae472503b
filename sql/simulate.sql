-- name: rejoin
-- Who left a segment after the play begins is still a member.
update segment_members
set left_at = null
where segment_members.left_at is not null;

-- name: walk_again
-- Who went on after the play begins stands where the last mail by then put them, or at the first step.
with last_mails as (
    select distinct on (messages.enrollment_id)
        messages.enrollment_id,
        messages.step,
        messages.planned_at
    from messages
    where messages.enrollment_id is not null
    order by messages.enrollment_id asc, messages.planned_at desc
),

standing as (
    select
        enrollments.enrollment_id,
        coalesce(
            last_mails.step,
            definitions.body #>> '{journey, 0, name}',
            definitions.body #>> '{journey, 0, email}'
        ) as step,
        coalesce(last_mails.planned_at, enrollments.enrolled_at) as step_at
    from enrollments
    inner join definitions on enrollments.definition_hash = definitions.definition_hash
    left join last_mails on enrollments.enrollment_id = last_mails.enrollment_id
    where
        enrollments.ended_at >= %(begins_at)s::timestamptz
        or enrollments.ended_at is null and enrollments.step_at >= %(begins_at)s::timestamptz
)

update enrollments
set ended_at = null, ended_reason = null, step = standing.step, step_at = standing.step_at
from standing
where enrollments.enrollment_id = standing.enrollment_id;

-- name: unsend
-- What was sent, or ended, after the play begins is planned as it was at first.
update messages
set
    status = 'planned',
    ended_reason = null,
    due_at = messages.first_due_at,
    request_id = null,
    content_hash = null,
    sent_at = null,
    accepted_at = null
where
    messages.sent_at >= %(begins_at)s::timestamptz
    or messages.status in ('cancelled', 'expired')
    and exists (
        select from nurture.decisions as told
        where
            told.message_id = messages.message_id
            and told.outcome = 'never'
            and told.at >= %(begins_at)s::timestamptz
    );

-- name: requalify
-- A qualification that ended after the play begins is open.
update qualifications
set ended_at = null, ended_reason = null
where qualifications.ended_at >= %(begins_at)s::timestamptz;

-- name: untell
-- What sales said of a hand-off after the play begins is not known yet.
update handoffs
set
    sales_accepted_at = case
        when handoffs.sales_accepted_at < %(begins_at)s::timestamptz then handoffs.sales_accepted_at
    end,
    sales_qualified_at = case
        when handoffs.sales_qualified_at < %(begins_at)s::timestamptz then handoffs.sales_qualified_at
    end
where handoffs.sales_accepted_at >= %(begins_at)s::timestamptz
or handoffs.sales_qualified_at >= %(begins_at)s::timestamptz;

-- name: unwalk
-- Up to where a stage remembers having gone, it has not gone yet: it looks at everybody again.
update walks
set walked_at = %(begins_at)s::timestamptz
where walks.walked_at > %(begins_at)s::timestamptz;

-- name: say_yes
-- What waits for a person's yes gets it.
update approvals
set answer = 'yes', answered_by = 'simulation', answered_at = %(at)s::timestamptz
where approvals.answer is null;

-- name: mark_signals
-- Who did something on the days since the last rescoring is scored anew.
insert into score_marks (lead_id, product)
select distinct
    signals.lead_id,
    signals.product
from signals
where
    signals.product = %(product)s::text
    and signals.day > %(after)s::date
    and signals.day <= %(day)s::date
on conflict (lead_id, product) do nothing;

-- name: leave_the_cold
-- Warmth only falls while nobody does anything: who is below every number that a condition asks for is not looked at
-- again before a new signal.
update scores
set recheck_at = null
where
    scores.product = %(product)s::text
    and scores.recheck_at is not null
    and (%(engagement)s::integer is null or scores.engagement < %(engagement)s::integer)
    and (%(score)s::integer is null or scores.score < %(score)s::integer);

-- name: enrolled
-- Who was enrolled, by scenario and day.
select
    enrollments.scenario,
    (enrollments.enrolled_at at time zone %(zone)s::text)::date as day,
    count(*) as enrolled,
    count(*) filter (where enrollments.is_held_out) as held_out
from enrollments
where
    enrollments.product = %(product)s::text
    and enrollments.enrolled_at >= %(since)s::timestamptz
    and enrollments.enrolled_at < %(until)s::timestamptz
group by enrollments.scenario, day
order by enrollments.scenario, day;

-- name: ended
-- Whose enrollment ended, by scenario and reason.
select
    enrollments.scenario,
    enrollments.ended_reason as reason,
    count(*) as ended
from enrollments
where
    enrollments.product = %(product)s::text
    and enrollments.ended_at >= %(since)s::timestamptz
    and enrollments.ended_at < %(until)s::timestamptz
group by enrollments.scenario, enrollments.ended_reason
order by enrollments.scenario, enrollments.ended_reason;

-- name: under_way
-- Who is under way at the end, by scenario.
select
    enrollments.scenario,
    count(*) as under_way
from enrollments
where enrollments.product = %(product)s::text and enrollments.ended_at is null
group by enrollments.scenario
order by enrollments.scenario;

-- name: mails
-- The mails of each day, by what they are and whose domain they go to.
select
    (messages.accepted_at at time zone %(zone)s::text)::date as day,
    coalesce(messages.scenario, '') as scenario,
    messages.step,
    messages.email,
    messages.mail_type,
    addresses.domain,
    count(*) as mails
from messages
inner join addresses on messages.address_id = addresses.address_id
where
    messages.product = %(product)s::text
    and messages.status = 'accepted'
    and messages.accepted_at >= %(since)s::timestamptz
    and messages.accepted_at < %(until)s::timestamptz
group by day, coalesce(messages.scenario, ''), messages.step, messages.email, messages.mail_type, addresses.domain
order by day, scenario, messages.step, messages.email, messages.mail_type, addresses.domain;

-- name: people_mailed
-- Who gets a mail at all.
select distinct lead_now.current_lead_id
from messages
inner join lead_now on messages.lead_id = lead_now.lead_id
where
    messages.product = %(product)s::text
    and messages.status = 'accepted'
    and messages.accepted_at >= %(since)s::timestamptz
    and messages.accepted_at < %(until)s::timestamptz;

-- name: caps
-- What held mails back, and what became of those mails.
with held as (
    select distinct
        decisions.message_id,
        decisions.outcome,
        decisions.reason
    from decisions
    inner join messages on decisions.message_id = messages.message_id
    where
        messages.product = %(product)s::text
        and decisions.at >= %(since)s::timestamptz
        and decisions.at < %(until)s::timestamptz
)

select
    held.outcome,
    held.reason,
    count(*) as mails,
    count(*) filter (where messages.status = 'accepted') as sent_later,
    count(*) filter (where messages.status = 'planned') as waiting,
    count(*) filter (where messages.status in ('cancelled', 'expired')) as never_sent
from held
inner join messages on held.message_id = messages.message_id
group by held.outcome, held.reason
order by mails desc, held.outcome asc, held.reason asc;

-- name: ready
-- Who was found ready for sales, by day.
select
    (qualifications.qualified_at at time zone %(zone)s::text)::date as day,
    count(*) as qualified
from qualifications
where
    qualifications.product = %(product)s::text
    and qualifications.qualified_at >= %(since)s::timestamptz
    and qualifications.qualified_at < %(until)s::timestamptz
group by day
order by day;

-- name: handed
-- Who was handed over to sales, by day.
select
    (handoffs.created_at at time zone %(zone)s::text)::date as day,
    count(*) as handed_off
from handoffs
inner join qualifications on handoffs.qualification_id = qualifications.qualification_id
where
    qualifications.product = %(product)s::text
    and handoffs.created_at >= %(since)s::timestamptz
    and handoffs.created_at < %(until)s::timestamptz
group by day
order by day;

-- name: members
-- How large each segment is at the end.
select
    segment_members.segment,
    count(*) as members
from segment_members
where segment_members.product = %(product)s::text and segment_members.left_at is null
group by segment_members.segment
order by segment_members.segment;
