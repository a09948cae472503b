-- Segments over time: what each refresh found, and whose facts changed since the one before.
create table nurture.segment_refreshes (
    product text not null,
    segment text not null,
    as_of timestamptz not null,
    definition_hash text not null references nurture.definitions (definition_hash), -- the condition, its target in full
    zone text not null,
    is_full boolean not null,            -- everybody was looked at, not only who changed
    size integer not null,
    joined integer not null,             -- since the refresh before
    departed integer not null,
    snapshot pg_snapshot,                -- what was known when it began; null: nothing can build on it
    cluster bigint not null,             -- whose snapshot it is: a restored database begins with a full refresh
    recorded_at timestamptz not null default now(),
    primary key (product, segment, as_of)
);
create index segment_members_left on nurture.segment_members (product, segment, left_at) where left_at is not null;
create index leads_merged on nurture.leads (lead_id, merged_into) where merged_into is not null;
create index source_records_by_time on nurture.source_records (occurred_at);

-- Whose facts changed, and which; written by triggers, so that no writer can forget it. Rows are added and, after
-- eight days, deleted; a reader takes those that its last snapshot did not see, which no later commit can slip past.
create table nurture.lead_changes (
    lead_id bigint not null,
    product text not null,               -- '*': every product
    kind text not null check (kind in ('lead', 'consent', 'lifecycle', 'signal', 'score')),
    counts_from timestamptz not null default '-infinity', -- when the fact happened: it may lie ahead of a run's as_of
    xact xid8 not null default pg_current_xact_id(),
    recorded_at timestamptz not null default now()
);
create index lead_changes_by_age on nurture.lead_changes using brin (recorded_at);

create function nurture.note_lead_changes() returns trigger language plpgsql as $$
begin
    case tg_table_name
        when 'leads' then
            insert into nurture.lead_changes (lead_id, product, kind)
            select changed.lead_id, '*', 'lead' from changed;
        when 'consents' then
            insert into nurture.lead_changes (lead_id, product, kind, counts_from)
            select distinct changed.lead_id, '*', 'consent', changed.occurred_at from changed;
        when 'signals' then
            insert into nurture.lead_changes (lead_id, product, kind)
            select distinct changed.lead_id, changed.product, 'signal' from changed;
        when 'scores' then
            insert into nurture.lead_changes (lead_id, product, kind, counts_from)
            select changed.lead_id, changed.product, 'score', changed.scored_at from changed;
        when 'handoffs' then
            insert into nurture.lead_changes (lead_id, product, kind)
            select qualifications.lead_id, qualifications.product, 'lifecycle'
            from changed
            inner join nurture.qualifications on changed.qualification_id = qualifications.qualification_id;
        else
            insert into nurture.lead_changes (lead_id, product, kind)
            select changed.lead_id, coalesce(changed.product, '*'), 'lifecycle'
            from changed
            where changed.lead_id is not null;
    end case;
    return null;
end $$;

-- Also whom an undone merge or a change of employer leaves behind.
create function nurture.note_whom_a_lead_left() returns trigger language plpgsql as $$
begin
    insert into nurture.lead_changes (lead_id, product, kind)
    select left_behind.lead_id, '*', 'lead'
    from unnest(array[old.merged_into, new.merged_into]) as left_behind (lead_id)
    where left_behind.lead_id is not null
    union all
    select colleagues.lead_id, '*', 'lead'
    from nurture.leads as colleagues
    where colleagues.account_id = old.account_id;
    return null;
end $$;
create trigger note_whom_a_lead_left after update of merged_into, account_id on nurture.leads
for each row when (
    old.merged_into is distinct from new.merged_into
    or (old.account_id is not null and old.account_id is distinct from new.account_id)
) execute function nurture.note_whom_a_lead_left();

do $$
declare
    noted text;
begin
    foreach noted in array array[
        'leads', 'consents', 'signals', 'scores', 'qualifications', 'handoffs', 'opportunities'
    ] loop
        execute format('create trigger note_inserted after insert on nurture.%I referencing new table as changed'
            ' for each statement execute function nurture.note_lead_changes()', noted);
        execute format('create trigger note_updated after update on nurture.%I referencing new table as changed'
            ' for each statement execute function nurture.note_lead_changes()', noted);
        execute format('create trigger note_deleted after delete on nurture.%I referencing old table as changed'
            ' for each statement execute function nurture.note_lead_changes()', noted);
    end loop;
end $$;
