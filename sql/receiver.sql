-- name: insert_raw_events
-- Keep every element of an array as it came, in its order; nothing here interprets it.
insert into raw_events (channel, payload)
select
    %(channel)s::text,
    elements.payload
from jsonb_array_elements(%(body)s::jsonb) as elements (payload);

-- name: insert_batch
-- The same for the `batch` of a tracking call.
insert into raw_events (channel, payload)
select
    'track',
    elements.payload
from jsonb_array_elements(%(body)s::jsonb -> 'batch') as elements (payload);

-- name: check_health
-- The receiver is healthy when it can write: the table is there and this is no standby.
select not pg_is_in_recovery() and to_regclass('raw_events') is not null as is_healthy;
