-- name: create_audience
-- Who meets the condition at hand; filled by a predicate, emptied at each commit.
create temporary table if not exists audience (lead_id bigint not null) on commit delete rows;

-- name: clear_audience
-- The next condition starts from nobody.
truncate audience;

-- name: allow_memory
-- A condition's sets are hashed whole: beyond work_mem a set under `any` or `none` would be searched for each lead.
-- 256 MB hold about four million ids; the transaction's end gives it back.
select set_config('work_mem', '256MB', true);

-- name: read_by_page
-- Of everybody the signals of a window are read page by page and not one by one, in two thirds of the time: the planner
-- does so where a page costs more than the stack's 1.1.
select set_config('random_page_cost', '4', true);

-- name: read_as_before
-- What follows looks up few.
reset random_page_cost;

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
