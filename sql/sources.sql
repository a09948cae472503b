-- name: lock_source
-- The files of one source land one after another, so that each sees which versions the one before it left.
select pg_advisory_xact_lock(7310004, hashtext(%(source)s::text));

-- name: begin_landing
-- A file is taken once, by its content, and again when its source is read in another way; otherwise there is no row.
insert into landings as known (source, file, content_hash, reading_hash, as_of)
values (
    %(source)s::text, %(file)s::text, %(content_hash)s::text, %(reading_hash)s::text, %(as_of)s::timestamptz
)
on conflict (source, content_hash) do update
set reading_hash = excluded.reading_hash
where known.reading_hash <> excluded.reading_hash
returning known.landing_id, known.as_of, known.recorded_at < now() as was_taken;

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
-- A row is a new version when it says something else than the newest of its key, also when an earlier one said that
-- already (A, B, A). Not so what was delivered late: a line before the newest version's own, or a content that is
-- known and whose date is older than the newest version's.
with candidates as (
    select
        arriving.line,
        arriving.source_key,
        arriving.content_hash,
        newest.content_hash as newest_hash
    from arriving
    left join lateral (
        select
            source_records.landing_id,
            source_records.line,
            source_records.content_hash,
            source_records.occurred_at
        from source_records
        where source_records.source = %(source)s::text and source_records.source_key = arriving.source_key
        order by source_records.source asc, source_records.source_key asc, source_records.record_id desc
        limit 1
    ) as newest on true
    left join lateral (
        select true as is_known
        from source_records
        where
            source_records.source = %(source)s::text
            and source_records.source_key = arriving.source_key
            and source_records.content_hash = arriving.content_hash
        order by source_records.record_id desc
        limit 1
    ) as earlier on arriving.occurred_at < newest.occurred_at
    where
        earlier.is_known is null
        and (
            newest.landing_id is null
            or (newest.landing_id, newest.line) <= (%(landing_id)s::bigint, arriving.line)
        )
),

versions as (
    select
        candidates.line,
        candidates.content_hash,
        lag(candidates.content_hash, 1, candidates.newest_hash)
            over (partition by candidates.source_key order by candidates.line) as hash_before
    from candidates
)

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
from versions
inner join arriving on versions.line = arriving.line
where versions.hash_before is distinct from versions.content_hash
order by arriving.line;

-- name: empty_arriving
-- Ready for the next chunk.
truncate arriving;

-- name: drop_arriving
-- Another file may come in the same transaction.
drop table arriving;

-- name: forget_rejected
-- A file that is taken again says anew which of its rows cannot be read.
delete from rejected_records where rejected_records.landing_id = %(landing_id)s::bigint;

-- name: insert_rejected
-- Rows that could not be read, with their bytes.
insert into rejected_records (landing_id, source, file, line, reason, raw) values %(values)s;

-- name: finish_landing
-- How many rows the file gave, over all its readings.
update landings
set landed_count = landings.landed_count + %(landed)s::integer, rejected_count = %(rejected)s::integer
where landings.landing_id = %(landing_id)s::bigint;

-- name: read_until
-- Up to where a query was read, in the same reading, by the landing before this one.
select landings.read_until
from landings
where
    landings.source = %(source)s::text
    and landings.reading_hash = %(reading_hash)s::text
    and landings.read_until is not null
order by landings.landing_id desc
limit 1;

-- name: keep_read_until
-- From where the next landing of this query goes on.
update landings
set read_until = %(read_until)s::text
where landings.source = %(source)s::text and landings.content_hash = %(content_hash)s::text;

-- name: forget_repeated_rejections
-- A query shows the same broken row at every landing; it is kept once.
delete from rejected_records
using rejected_records as earlier
where
    rejected_records.source = %(source)s::text
    and rejected_records.landing_id = (
        select max(landings.landing_id) from landings where landings.source = %(source)s::text
    )
    and earlier.source = rejected_records.source
    and earlier.landing_id < rejected_records.landing_id
    and earlier.reason = rejected_records.reason
    and earlier.raw = rejected_records.raw;

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

-- name: proposed_addresses
-- Addresses that look like a slip of a freemail domain, of one file's name or of any; newest versions only.
select
    landings.file,
    source_records.line,
    source_records.source,
    source_records.source_key,
    source_records.fields ->> 'email' as address,
    source_records.facts ->> 'proposed_email' as proposed
from source_records
inner join landings on source_records.landing_id = landings.landing_id
where
    source_records.facts ? 'proposed_email'
    and (%(file)s::text is null or landings.file = %(file)s::text)
    and not exists (
        select from source_records as newer
        where
            newer.source = source_records.source
            and newer.source_key = source_records.source_key
            and newer.record_id > source_records.record_id
    )
order by source_records.record_id
limit %(at_most)s::integer;

-- name: company_domains
-- How often a company's domain stands beside a company's name.
select
    source_records.keys ->> 'domain' as domain,
    source_records.keys ->> 'company' as company,
    count(*) as record_count
from source_records
where source_records.keys ? 'domain'
group by source_records.keys ->> 'domain', source_records.keys ->> 'company';

-- name: records_of_domains
-- The records with one of these domains, of one file's name or of any; newest versions only.
select
    landings.file,
    source_records.line,
    source_records.source,
    source_records.source_key,
    source_records.fields ->> 'email' as address,
    source_records.keys ->> 'domain' as domain
from source_records
inner join landings on source_records.landing_id = landings.landing_id
where
    source_records.keys ->> 'domain' = any(%(domains)s::text [])
    and (%(file)s::text is null or landings.file = %(file)s::text)
    and not exists (
        select from source_records as newer
        where
            newer.source = source_records.source
            and newer.source_key = source_records.source_key
            and newer.record_id > source_records.record_id
    )
order by source_records.record_id
limit %(at_most)s::integer;
