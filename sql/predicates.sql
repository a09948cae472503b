-- name: create_audience
-- Who meets the condition at hand; filled by a predicate, emptied at each commit.
create temporary table if not exists audience (lead_id bigint primary key) on commit delete rows;

-- name: clear_audience
-- The next condition starts from nobody.
truncate audience;
