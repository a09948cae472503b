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
