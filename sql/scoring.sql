-- name: create_to_score
-- Whom this rescoring concerns, and the fit that the product's rules give each.
create temporary table if not exists to_score (
    lead_id bigint primary key,
    fit integer not null default 0
) on commit delete rows;

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
update to_score
set fit = to_score.fit + %(points)s::integer
from audience
where to_score.lead_id = audience.lead_id;

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

matched as (
    select
        to_score.lead_id,
        signals.day,
        signals.count,
        (
            select rules.position
            from rules
            where
                rules.kind = signals.kind
                and (rules.mail_type is null or rules.mail_type = signals.mail_type)
                and (rules.subject is null or signals.subject like rules.subject)
            order by rules.position
            limit 1
        ) as position
    from to_score
    inner join lead_now on to_score.lead_id = lead_now.current_lead_id
    inner join signals on lead_now.lead_id = signals.lead_id
    where
        signals.product = %(product)s::text
        and signals.day <= (%(as_of)s::timestamptz at time zone %(zone)s::text)::date
),

by_day as (
    select
        matched.lead_id,
        matched.position,
        matched.day,
        least(sum(matched.count) * rules.points, rules.per_day) as points
    from matched
    inner join rules on matched.position = rules.position
    group by matched.lead_id, matched.position, matched.day, rules.points, rules.per_day
),

factors as (
    select
        days.day,
        power(
            0.5::numeric,
            ((%(as_of)s::timestamptz at time zone %(zone)s::text)::date - days.day)::numeric
            / %(half_life_days)s::numeric
        ) as factor
    from (select distinct by_day.day from by_day) as days
),

by_rule as (
    select
        by_day.lead_id,
        least(sum(by_day.points * factors.factor), rules.at_most) as points
    from by_day
    inner join factors on by_day.day = factors.day
    inner join rules on by_day.position = rules.position
    group by by_day.lead_id, by_day.position, rules.at_most
),

engagements as (
    select
        by_rule.lead_id,
        round(sum(by_rule.points))::integer as engagement
    from by_rule
    group by by_rule.lead_id
),

scored as (
    select
        to_score.lead_id,
        to_score.fit,
        coalesce(engagements.engagement, 0) as engagement
    from to_score
    left join engagements on to_score.lead_id = engagements.lead_id
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
