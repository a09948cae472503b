-- name: is_unfinished
-- Whether a consolidation was stopped after its decision.
select exists (select from pieces);

-- name: known_count
-- How many records with a name there are.
select coalesce(max(name_parts.record_count), 0) as record_count
from name_parts
where name_parts.part = 'all' and name_parts.written = '';

-- name: copy_decided
-- What a large batch decided, kept until it is written.
copy decided (portion, record_id, lead_id, account_key, is_new) from stdin;

-- name: insert_pieces
-- What is to be written of it, in order.
insert into pieces (step, portion, record_count) values %(values)s;

-- name: next_piece
-- What is to be written next, and how far its step is.
select
    pieces.piece_id,
    pieces.step,
    pieces.portion,
    pieces.record_count,
    steps.done_count,
    steps.left_count,
    steps.is_last
from pieces
cross join lateral (
    select
        coalesce(sum(others.record_count) filter (where others.written_at is not null), 0)::integer as done_count,
        sum(others.record_count) filter (where others.written_at is null)::integer as left_count,
        not exists (
            select from pieces as later
            where later.written_at is null and later.piece_id <> pieces.piece_id
        ) as is_last
    from pieces as others
    where others.step = pieces.step
) as steps
where pieces.written_at is null
order by pieces.piece_id
limit 1;

-- name: fill_batch
-- A portion of what was decided, or all of it, as the steps see it.
insert into batch (record_id, lead_id, account_key, is_new)
select
    decided.record_id,
    decided.lead_id,
    decided.account_key,
    decided.is_new
from decided
where decided.portion = coalesce(%(portion)s::integer, decided.portion);

-- name: end_piece
-- It is written.
update pieces
set written_at = now()
where pieces.piece_id = %(piece_id)s::bigint;

-- name: forget
-- All is written.
truncate decided;

-- name: forget_pieces
-- Nothing is left to do.
delete from pieces;
