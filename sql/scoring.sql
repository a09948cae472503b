-- name: create_to_score
-- Whom this rescoring concerns.
create temporary table if not exists to_score (lead_id bigint primary key) on commit delete rows;

-- name: create_fits
-- The points that each rule of fit gives: rows that are added cost a fifth of an update of as many.
create temporary table if not exists fits (lead_id bigint not null, points integer not null) on commit delete rows;

-- name: everybody
-- A full run concerns every lead that is somebody's own.
insert into to_score (lead_id)
select leads.lead_id
from leads
where leads.merged_into is null;

-- name: the_marked
-- An incremental run concerns the leads with new or re-judged signals, changed attributes, or whose time has come.
insert into to_score (lead_id)
select score_marks.lead_id
from score_marks
inner join leads on score_marks.lead_id = leads.lead_id
where score_marks.product in ('*', %(product)s::text) and leads.merged_into is null
union
select current_scores.lead_id
from current_scores
inner join leads on current_scores.lead_id = leads.lead_id
where
    current_scores.product = %(product)s::text
    and current_scores.recheck_at <= %(as_of)s::timestamptz
    and leads.merged_into is null;

-- name: add_fit
-- The audience of a fit rule gets its points.
insert into fits (lead_id, points)
select
    to_score.lead_id,
    %(points)s::integer
from to_score
inner join audience on to_score.lead_id = audience.lead_id;

-- name: score_leads
-- Engagement: points accrue by day (count × points, at most per_day), halve every half-life in whole days, never
-- exceed the rule's at_most; the sum over rules is rounded once. A row only where the score changed.
with rules as (
    select
        listed.position,
        listed.rule ->> 'kind' as kind,
        listed.rule ->> 'mail_type' as mail_type,
        listed.rule ->> 'subject' as subject,
        (listed.rule ->> 'points')::numeric as points,
        (listed.rule ->> 'per_day')::numeric as per_day,
        (listed.rule ->> 'at_most')::numeric as at_most
    from jsonb_array_elements(%(rules)s::jsonb) with ordinality as listed (rule, position)
),

concerned as (
    select
        lead_now.lead_id,
        to_score.lead_id as person_id
    from to_score
    inner join lead_now on to_score.lead_id = lead_now.current_lead_id
),

-- Written once, read by each as if it stood there.
told as not materialized (
    select
        concerned.person_id,
        signals.day,
        signals.kind,
        signals.mail_type,
        signals.subject,
        signals.count
    from concerned
    inner join signals on concerned.lead_id = signals.lead_id
    where
        signals.product = %(product)s::text
        and signals.day <= (%(as_of)s::timestamptz at time zone %(zone)s::text)::date
),

-- There are few things that one can do: the rule of each is looked for once, not once a signal. One word for each, for
-- of three that must agree the planner expects a handful of rows, and then compares each day with each.
acts as materialized (
    select
        done.kind || ' ' || done.mail_type || ' ' || done.subject as act,
        done.since,
        (
            select rules.position
            from rules
            where
                rules.kind = done.kind
                and (rules.mail_type is null or rules.mail_type = done.mail_type)
                and (rules.subject is null or done.subject like rules.subject)
            order by rules.position
            limit 1
        ) as position
    from (
        select
            told.kind,
            told.mail_type,
            told.subject,
            min(told.day) as since
        from told
        group by told.kind, told.mail_type, told.subject
    ) as done
),

by_day as (
    select
        told.person_id,
        acts.position,
        told.day,
        sum(told.count) as count
    from told
    inner join acts on told.kind || ' ' || told.mail_type || ' ' || told.subject = acts.act
    where acts.position is not null
    group by told.person_id, acts.position, told.day
),

factors as materialized (
    select
        today.day - days.ago as day,
        power(0.5::numeric, days.ago::numeric / %(half_life_days)s::numeric) as factor
    from (select (%(as_of)s::timestamptz at time zone %(zone)s::text)::date as day) as today
    cross join lateral generate_series(0, today.day - (select min(acts.since) from acts)) as days (ago)
),

by_rule as (
    select
        by_day.person_id,
        least(sum(least(by_day.count * rules.points, rules.per_day) * factors.factor), rules.at_most) as points
    from by_day
    inner join factors on by_day.day = factors.day
    inner join rules on by_day.position = rules.position
    group by by_day.person_id, by_day.position, rules.at_most
),

engagements as (
    select
        by_rule.person_id,
        round(sum(by_rule.points))::integer as engagement
    from by_rule
    group by by_rule.person_id
),

fit as (
    select
        fits.lead_id,
        sum(fits.points)::integer as points
    from fits
    group by fits.lead_id
),

scored as (
    select
        to_score.lead_id,
        coalesce(fit.points, 0) as fit,
        coalesce(engagements.engagement, 0) as engagement
    from to_score
    left join fit on to_score.lead_id = fit.lead_id
    left join engagements on to_score.lead_id = engagements.person_id
)

insert into scores (product, lead_id, scored_at, fit, engagement, definition_hash, recheck_at)
select
    %(product)s::text,
    scored.lead_id,
    %(as_of)s::timestamptz,
    scored.fit,
    scored.engagement,
    %(definition_hash)s::text,
    case
        when scored.engagement > 0
            then
                ((%(as_of)s::timestamptz at time zone %(zone)s::text)::date + 1)::timestamp at time zone %(zone)s::text
    end
from scored
left join lateral (
    select
        scores.fit,
        scores.engagement
    from scores
    where
        scores.product = %(product)s::text
        and scores.lead_id = scored.lead_id
        and scores.scored_at <= %(as_of)s::timestamptz
    order by scores.scored_at desc
    limit 1
) as newest on true
where (newest.fit, newest.engagement) is distinct from (scored.fit, scored.engagement)
on conflict (product, lead_id, scored_at) do update
set
    fit = excluded.fit,
    engagement = excluded.engagement,
    definition_hash = excluded.definition_hash,
    recheck_at = excluded.recheck_at
where %(rewrite)s::boolean;

-- name: clear_marks
-- What was marked is scored; a mark of every product is left for the others until they have run, too.
delete from score_marks
using to_score
where
    score_marks.lead_id = to_score.lead_id
    and score_marks.product = %(product)s::text;

-- name: spread_marks
-- A mark of every product becomes one of each, so that each product clears its own.
with spread as (
    delete from score_marks
    where score_marks.product = '*'
    returning score_marks.lead_id
)

insert into score_marks (lead_id, product)
select
    spread.lead_id,
    products.product
from spread
cross join unnest(%(products)s::text []) as products (product)
on conflict (lead_id, product) do nothing;

-- name: size
-- How many this rescoring concerns.
select count(*) from to_score;
