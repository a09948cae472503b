-- name: create_audience
-- Who meets the condition at hand; filled by a predicate, emptied at each commit.
create temporary table if not exists audience (lead_id bigint primary key) on commit delete rows;

-- name: clear_audience
-- The next condition starts from nobody.
truncate audience;

-- name: allow_memory
-- A condition's sets are hashed whole: beyond work_mem a set under `any` or `none` would be searched for each lead.
-- 256 MB hold about four million ids; the transaction's end gives it back.
select set_config('work_mem', '256MB', true);

-- name: create_few
-- Of whom a refresh has to look at, those whom nothing in their own row excludes: every id of each person.
create temporary table if not exists few (
    lead_id bigint primary key,
    current_lead_id bigint not null
) on commit delete rows;

-- name: clear_few
-- The next condition leaves others.
truncate few;

-- name: analyze_few
-- The planner is to know how few they are: it looks up their facts one by one, not everybody's.
analyze few;
