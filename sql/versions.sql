-- name: keep
-- Keep a part of a definition under its hash, once.
insert into definitions (definition_hash, product, part, name, body)
values (%(definition_hash)s::text, %(product)s::text, %(part)s::text, %(name)s::text, %(body)s::jsonb)
on conflict (definition_hash) do nothing;

-- name: read
-- A kept part, as it ran.
select definitions.body
from definitions
where definitions.definition_hash = %(definition_hash)s::text;
