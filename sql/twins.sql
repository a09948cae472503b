-- name: set_clock
-- Where the play's clock stands: what happened later is not so yet.
select set_config('nurture.at', (%(at)s::timestamptz)::text, false);

-- name: give_room
-- Memory for the twins; it cannot be changed once a session has made its first.
select set_config('temp_buffers', '64MB', false);

-- name: remember
-- A setting of this connection that the views below read.
select set_config(%(name)s::text, %(value)s::text, false);

-- name: create_view_definitions
-- What the views say, before anything stands before their tables.
create temporary table view_definitions as
select
    pg_class.oid::bigint as place,
    pg_class.relname::text as name,
    pg_get_viewdef(pg_class.oid) as definition
from pg_class
where pg_class.relnamespace = 'nurture'::regnamespace and pg_class.relkind = 'v';

-- name: make_twins
-- Before each table that a stage writes or locks stands an empty one with its rules, for this connection alone: what is
-- temporary is found first.
do $$
declare
    original text;
begin
    for original in
        select quote_ident(pg_class.relname)
        from pg_class
        where
            pg_class.relnamespace = 'nurture'::regnamespace
            and pg_class.relkind = 'r'
            and not pg_class.relispartition
            and pg_class.relname <> all(%(only_read)s::text [])
    loop
        execute 'create temporary table ' || original || ' (like nurture.' || original
            || ' including all excluding indexes)';
    end loop;
end $$;

-- name: hide_what_comes
-- Before what people and sales said stands what they had said by the play's clock: a later row is not there, a later
-- end, win or loss has not happened.
do $$
declare
    original record;
    columns text;
begin
    for original in
        select
            pg_class.oid,
            quote_ident(pg_class.relname) as name,
            case pg_class.relname when 'opportunities' then 'opened_at' else 'occurred_at' end as told_at
        from pg_class
        where
            pg_class.relnamespace = 'nurture'::regnamespace
            and pg_class.relname in ('opt_outs', 'suppressions', 'opportunities')
    loop
        select
            string_agg(
                case
                    when pg_attribute.attname in ('ended_at', 'won_at', 'lost_at')
                        then
                            'case when ' || pg_attribute.attname || ' <= current_setting(''nurture.at'')::timestamptz then '
                            || pg_attribute.attname || ' end as ' || pg_attribute.attname
                    else quote_ident(pg_attribute.attname)
                end,
                ', ' order by pg_attribute.attnum
            )
        into columns
        from pg_attribute
        where
            pg_attribute.attrelid = original.oid
            and pg_attribute.attnum > 0
            and not pg_attribute.attisdropped;
        execute 'create temporary view ' || original.name || ' as select ' || columns || ' from nurture.'
            || original.name || ' where ' || original.told_at || ' <= current_setting(''nurture.at'')::timestamptz';
    end loop;
end $$;

-- name: lay_views
-- The schema's views once more, over the twins.
do $$
declare
    view record;
begin
    for view in select name, definition from view_definitions order by place
    loop
        execute 'create temporary view ' || quote_ident(view.name) || ' as ' || view.definition;
    end loop;
end $$;

-- name: members_that_matter
-- Who was a member when the play begins.
create temporary view kept_segment_members as
select told.* -- noqa: AM04
from nurture.segment_members as told
where
    told.product = any(string_to_array(current_setting('nurture.products'), ','))
    and told.joined_at < current_setting('nurture.at')::timestamptz
    and (told.left_at is null or told.left_at >= current_setting('nurture.at')::timestamptz);

-- name: enrollments_that_matter
-- Every earlier enrollment: re-entry asks for them.
create temporary view kept_enrollments as
select told.* -- noqa: AM04
from nurture.enrollments as told
where
    told.product = any(string_to_array(current_setting('nurture.products'), ','))
    and told.enrolled_at < current_setting('nurture.at')::timestamptz;

-- name: messages_that_matter
-- Every mail of the products that are played, because none is sent twice; of the others what counts against a budget.
create temporary view kept_messages as
select told.* -- noqa: AM04
from nurture.messages as told
where
    told.planned_at < current_setting('nurture.at')::timestamptz
    and (
        told.product = any(string_to_array(current_setting('nurture.products'), ','))
        or told.sent_at > current_setting('nurture.remembered')::timestamptz
    );

-- name: requests_that_matter
-- Which words were sent before: they wait for nobody's yes. What nobody knows of is supposed to be settled.
create temporary view kept_send_requests as
select told.* -- noqa: AM04
from nurture.send_requests as told
where told.at < current_setting('nurture.at')::timestamptz and told.status in ('accepted', 'settled');

-- name: decisions_that_matter
-- Why what is open waits: a reason that does not change is not written again.
create temporary view kept_decisions as
select told.* -- noqa: AM04
from nurture.decisions as told
inner join nurture.messages on told.message_id = nurture.messages.message_id
where
    told.at < current_setting('nurture.at')::timestamptz
    and (
        nurture.messages.status = 'planned'
        or nurture.messages.sent_at >= current_setting('nurture.at')::timestamptz
    );

-- name: scores_that_matter
-- The newest score of each lead when the play begins.
create temporary view kept_scores as
select distinct on (told.product, told.lead_id) told.* -- noqa: AM04
from nurture.scores as told
where
    told.product = any(string_to_array(current_setting('nurture.products'), ','))
    and told.scored_at < current_setting('nurture.at')::timestamptz
order by told.product asc, told.lead_id asc, told.scored_at desc;

-- name: qualifications_that_matter
-- Who was found ready before the play begins.
create temporary view kept_qualifications as
select told.* -- noqa: AM04
from nurture.qualifications as told
where told.qualified_at < current_setting('nurture.at')::timestamptz;

-- name: handoffs_that_matter
-- What was handed over before the play begins.
create temporary view kept_handoffs as
select told.* -- noqa: AM04
from nurture.handoffs as told
where told.created_at < current_setting('nurture.at')::timestamptz;

-- name: fill_twins
-- Each twin gets the rows that matter, or all of them.
do $$
declare
    twin record;
    columns text;
begin
    for twin in
        select
            twins.oid,
            quote_ident(twins.relname) as name,
            case
                when kept.oid is null then 'nurture.' || quote_ident(twins.relname)
                else quote_ident(kept.relname)
            end as origin
        from pg_class as twins
        inner join pg_class as originals
            on twins.relname = originals.relname and originals.relnamespace = 'nurture'::regnamespace
        left join pg_class as kept
            on kept.relname = 'kept_' || twins.relname and kept.relnamespace = twins.relnamespace
        where
            twins.relnamespace = pg_my_temp_schema()
            and twins.relkind = 'r'
            and twins.relname <> all(%(left_empty)s::text [])
    loop
        select string_agg(quote_ident(pg_attribute.attname), ', ' order by pg_attribute.attnum) into columns
        from pg_attribute
        where
            pg_attribute.attrelid = twin.oid
            and pg_attribute.attnum > 0
            and pg_attribute.attgenerated = ''
            and not pg_attribute.attisdropped;
        execute 'insert into ' || twin.name || ' (' || columns || ') overriding system value select ' || columns
            || ' from ' || twin.origin;
    end loop;
end $$;

-- name: index_twins
-- What finds a row and what refuses a second one, as on the originals; new ids come after the old.
do $$
declare
    made record;
begin
    for made in
        select replace(pg_get_indexdef(pg_index.indexrelid), ' ON nurture.', ' ON pg_temp.') as definition
        from pg_index
        inner join pg_class as originals on pg_index.indrelid = originals.oid
        inner join pg_class as twins
            on originals.relname = twins.relname and twins.relnamespace = pg_my_temp_schema()
        where originals.relnamespace = 'nurture'::regnamespace and twins.relkind = 'r'
    loop
        execute made.definition;
    end loop;

    for made in
        select
            twins.relname as name,
            pg_attribute.attname as key
        from pg_attribute
        inner join pg_class as twins on pg_attribute.attrelid = twins.oid
        where
            twins.relnamespace = pg_my_temp_schema()
            and twins.relkind = 'r'
            and pg_attribute.attidentity <> ''
    loop
        execute 'select setval(pg_get_serial_sequence(' || quote_literal('pg_temp.' || quote_ident(made.name)) || ', '
            || quote_literal(made.key) || '), (select coalesce(max(' || quote_ident(made.key) || '), 0) + 1 from '
            || quote_ident(made.name) || '))';
    end loop;
end $$;

-- name: lay_triggers
-- What a change of an original notes elsewhere, a change of its twin notes in the twin of that.
do $$
declare
    made record;
begin
    for made in
        select
            pg_trigger.tgfoid as function,
            pg_get_triggerdef(pg_trigger.oid) as definition,
            row_number() over (partition by pg_trigger.tgfoid order by pg_trigger.oid) = 1 as is_first
        from pg_trigger
        inner join pg_class as originals on pg_trigger.tgrelid = originals.oid
        inner join pg_class as twins
            on originals.relname = twins.relname and twins.relnamespace = pg_my_temp_schema()
        where
            originals.relnamespace = 'nurture'::regnamespace
            and twins.relkind = 'r'
            and not pg_trigger.tgisinternal
            and pg_trigger.tgconstraint = 0
        order by is_first desc
    loop
        if made.is_first then
            execute replace(
                replace(pg_get_functiondef(made.function), 'FUNCTION nurture.', 'FUNCTION pg_temp.'), 'nurture.', ''
            );
        end if;
        execute regexp_replace(
            replace(made.definition, ' ON nurture.', ' ON pg_temp.'),
            'EXECUTE FUNCTION (nurture\.)?',
            'EXECUTE FUNCTION pg_temp.'
        );
    end loop;
end $$;

-- name: sum_up
-- What the planner knows of each twin that has grown: of an empty one it had better know nothing and guess by its
-- size.
do $$
declare
    twin text;
begin
    for twin in
        select quote_ident(pg_class.relname)
        from pg_class
        where
            pg_class.relnamespace = pg_my_temp_schema()
            and pg_class.relkind = 'r'
            and pg_relation_size(pg_class.oid) / 8192 > 1.3 * pg_class.relpages + 20
    loop
        execute 'analyze pg_temp.' || twin;
    end loop;
end $$;

-- name: leave
-- Nothing stays.
discard temp;
