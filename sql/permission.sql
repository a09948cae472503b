-- name: open_budgets
-- The day's budgets of the product and of the sending domain have their rows.
insert into budgets (scope, key, day)
values ('product', %(product)s::text, %(day)s::date), ('domain', %(domain)s::text, %(day)s::date)
on conflict (scope, key, day) do nothing;

-- name: spent_budgets
-- What was claimed today; nobody else claims until this claim is committed.
select
    budgets.scope,
    budgets.claimed
from budgets
where
    budgets.day = %(day)s::date
    and (
        (budgets.scope = 'product' and budgets.key = %(product)s::text)
        or (budgets.scope = 'domain' and budgets.key = %(domain)s::text)
    );

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

acts_just_in as (
    select distinct on (claim.message_id, acts_not_taken.product, acts_not_taken.mail_type)
        claim.message_id,
        acts_not_taken.product,
        acts_not_taken.mail_type,
        acts_not_taken.is_refusal
    from acts_not_taken
    inner join claim
        on acts_not_taken.address_id = claim.address_id or acts_not_taken.person_id = claim.person_id
    where
        acts_not_taken.product in ('*', %(product)s::text)
        and acts_not_taken.mail_type in ('*', claim.mail_type)
    order by
        claim.message_id asc, acts_not_taken.product asc, acts_not_taken.mail_type asc,
        acts_not_taken.raw_event_id desc
),

standing as (
    select
        ids.message_id,
        ids.mail_type as asked,
        opt_outs.product,
        opt_outs.mail_type,
        opt_outs.told_provider_at is not null as is_told
    from ids
    inner join opt_outs on ids.lead_id = opt_outs.lead_id
    where opt_outs.ended_at is null
    union all
    select
        claim.message_id,
        claim.mail_type as asked,
        opt_outs.product,
        opt_outs.mail_type,
        opt_outs.told_provider_at is not null as is_told
    from claim
    inner join opt_outs on claim.address_id = opt_outs.address_id
    where opt_outs.ended_at is null
    union all
    -- ended, but the provider, who was told, would drop the mail until it is told again
    select
        claim.message_id,
        claim.mail_type as asked,
        opt_outs.product,
        opt_outs.mail_type,
        true as is_told
    from claim
    inner join opt_outs on claim.address_id = opt_outs.address_id
    where opt_outs.ended_at is not null and opt_outs.told_provider_at is not null
),

refusals as (
    select
        standing.message_id,
        min(standing.product || ' × ' || standing.mail_type) as cell
    from standing
    left join acts_just_in
        on
            standing.message_id = acts_just_in.message_id
            and standing.product = acts_just_in.product
            and standing.mail_type = acts_just_in.mail_type
    where
        standing.product in ('*', %(product)s::text)
        and standing.mail_type in ('*', standing.asked)
        and (standing.is_told or coalesce(acts_just_in.is_refusal, true))
    group by standing.message_id
),

refusals_just_in as (
    select distinct acts_just_in.message_id
    from acts_just_in
    where acts_just_in.is_refusal
),

bases as (
    select
        wanted.basis,
        wanted.lasts
    from jsonb_to_recordset(%(bases)s::jsonb) as wanted (basis text, lasts interval)
),

permits as (
    select distinct on (claim.message_id)
        claim.message_id,
        consents.consent_id,
        bases.basis is not null
        and (bases.lasts is null or consents.occurred_at > %(at)s::timestamptz - bases.lasts) as is_valid
    from claim
    inner join consents on claim.address_id = consents.address_id
    left join bases on consents.basis = bases.basis
    order by claim.message_id asc, is_valid desc, consents.occurred_at desc, consents.consent_id desc
),

exclusions as (
    select
        wanted.list,
        wanted.kind,
        wanted.value
    from jsonb_to_recordset(%(exclusions)s::jsonb) as wanted (list text, kind text, value text)
),

excluded as (
    select
        claim.message_id,
        min(exclusions.list) as list
    from claim
    inner join exclusions
        on
            (exclusions.kind = 'address' and claim.address = exclusions.value)
            or (
                exclusions.kind = 'domain'
                and (claim.domain = exclusions.value or right(claim.domain, length(exclusions.value) + 1)
                = '.' || exclusions.value)
            )
    group by claim.message_id
),

-- asked lead by lead: while statistics say that nothing was sent yet, a join of the two reads everything that was sent
-- since for each message of the claim (12 million rows for 700)
sent as (
    select
        ids.message_id,
        sum(recent.number_sent) as number_sent,
        min(recent.oldest_at) as oldest_at
    from ids
    cross join lateral (
        select
            count(*) as number_sent,
            min(earlier.sent_at) as oldest_at
        from messages as earlier
        where
            earlier.lead_id = ids.lead_id
            and earlier.status in ('sending', 'unknown', 'accepted')
            and earlier.sent_at > %(at)s::timestamptz - %(span)s::interval
    ) as recent
    group by ids.message_id
),

colleagues as (
    select
        members.account_id,
        count(distinct coalesce(members.merged_into, members.lead_id)) as number_mailed,
        min(earlier.sent_at) as oldest_at
    from leads as members
    inner join messages as earlier on members.lead_id = earlier.lead_id
    where
        %(account_people)s::integer is not null
        and members.account_id in (select claim.account_id from claim)
        and earlier.status in ('sending', 'unknown', 'accepted')
        and earlier.sent_at > %(at)s::timestamptz - %(account_span)s::interval
    group by members.account_id
),

permitted as (
    select
        claim.message_id,
        claim.person_id,
        claim.address_id,
        claim.account_id,
        claim.position,
        permits.consent_id,
        coalesce(sent.number_sent, 0) as number_sent,
        coalesce(sent.oldest_at, %(at)s::timestamptz) + %(span)s::interval as free_at,
        coalesce(colleagues.number_mailed, 0) as number_mailed,
        coalesce(colleagues.oldest_at, %(at)s::timestamptz) + %(account_span)s::interval as account_free_at,
        case
            when sent_before_restore.address_id is not null then 'sent before the restore'
            when suppressions.address_id is not null then 'suppressed: ' || suppressions.reason
            when refusals.cell is not null then 'opted out of ' || refusals.cell
            when refusals_just_in.message_id is not null then 'opted out just now'
            when claim.unmailable_reason is not null then 'cannot be mailed: ' || claim.unmailable_reason
            when excluded.list is not null then 'excluded: ' || excluded.list
            when permits.message_id is null then 'no consent'
            when not permits.is_valid then 'consent lapsed'
        end as never
    from claim
    left join suppressions on claim.address_id = suppressions.address_id
    left join refusals on claim.message_id = refusals.message_id
    left join refusals_just_in on claim.message_id = refusals_just_in.message_id
    left join permits on claim.message_id = permits.message_id
    left join excluded on claim.message_id = excluded.message_id
    left join sent on claim.message_id = sent.message_id
    left join colleagues on claim.account_id = colleagues.account_id
    left join sent_before_restore
        on
            claim.occasion_mark = sent_before_restore.occasion_mark
            and claim.address_id = sent_before_restore.address_id
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
                permitted.account_id is not null
                and permitted.number_mailed
                + count(*) filter (where permitted.never is null)
                    over (partition by permitted.account_id order by permitted.position)
                > %(account_people)s::integer
                then 'enough people of the company'
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
),

placed as (
    -- who has a mail that only the day's budget stops keeps the place of it: the next one waits until tomorrow, too
    select
        budgeted.*,
        bool_or(budgeted.is_over) over (partition by budgeted.person_id) as waits_for_budget
    from budgeted
)

update claim
set
    consent_id = placed.consent_id,
    outcome = case
        when placed.never is not null then 'never'
        when placed.not_now is not null or placed.is_over then 'not_now'
    end,
    reason = coalesce(placed.never, placed.not_now, case when placed.is_over then %(budget_reason)s::text end),
    until = case
        when placed.never is not null then null
        when placed.not_now = 'frequency cap' and placed.waits_for_budget then %(tomorrow)s::timestamptz
        when placed.not_now = 'frequency cap' then placed.free_at
        when placed.not_now = 'enough people of the company' then placed.account_free_at
        when placed.is_over then %(tomorrow)s::timestamptz
    end
from placed
where claim.message_id = placed.message_id;

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
