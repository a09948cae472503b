-- name: begin_landing
-- A file is taken once, by its content; whoever is second waits here and gets no row.
insert into landings (source, file, content_hash, as_of)
values (%(source)s::text, %(file)s::text, %(content_hash)s::text, %(as_of)s::timestamptz)
on conflict (source, content_hash) do nothing
returning landing_id;

-- name: earlier_landing
-- What the same file gave when it was taken.
select
    landings.landed_count,
    landings.recorded_at
from landings
where landings.source = %(source)s::text and landings.content_hash = %(content_hash)s::text;

-- name: create_arriving
-- The rows of the chunk that is under way.
create temporary table arriving (
    line integer not null,
    source_key text not null,
    content_hash text not null,
    payload jsonb not null,
    fields jsonb not null,
    keys jsonb not null,
    facts jsonb not null,
    occurred_at timestamptz
) on commit drop;

-- name: copy_arriving
-- No character below a space stands raw in JSON or in a key, so two of them serve as marks and nothing is escaped.
copy arriving (line, source_key, content_hash, payload, fields, keys, facts, occurred_at)
from stdin with (format csv, delimiter E'\x02', quote E'\x01');

-- name: insert_records
-- A row that is known with this content is not taken again; a known key with other content is a new version.
insert into source_records (
    source, source_key, content_hash, landing_id, line, precedence, channel, payload, fields, keys, facts, occurred_at
)
select
    %(source)s::text,
    arriving.source_key,
    arriving.content_hash,
    %(landing_id)s::bigint,
    arriving.line,
    %(precedence)s::smallint,
    %(channel)s::text,
    arriving.payload,
    arriving.fields,
    arriving.keys,
    arriving.facts,
    coalesce(arriving.occurred_at, %(as_of)s::timestamptz)
from arriving
order by arriving.line
on conflict (source, source_key, content_hash) do nothing;

-- name: empty_arriving
-- Ready for the next chunk.
truncate arriving;

-- name: insert_rejected
-- Rows that could not be read, with their bytes.
insert into rejected_records (landing_id, source, file, line, reason, raw) values %(values)s;

-- name: finish_landing
-- How many rows the file gave.
update landings
set landed_count = %(landed)s::integer, rejected_count = %(rejected)s::integer
where landings.landing_id = %(landing_id)s::bigint;

-- name: rejections
-- What was rejected, newest file first; of one file's name or of any.
select
    rejected_records.source,
    rejected_records.file,
    rejected_records.line,
    rejected_records.reason,
    rejected_records.raw,
    rejected_records.recorded_at
from rejected_records
where %(file)s::text is null or rejected_records.file = %(file)s::text
order by rejected_records.landing_id desc, rejected_records.line asc
limit %(at_most)s::integer;
