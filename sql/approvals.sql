-- name: ask
-- Content that waits for a person's yes, with the audience that it would have; an open question is not asked twice.
insert into approvals (product, email, content_hash, reason, audience_size, asked_at)
values (
    %(product)s::text, %(email)s::text, %(content_hash)s::text, %(reason)s::text, %(audience_size)s::integer,
    %(at)s::timestamptz
)
on conflict (product, content_hash, reason) where answer is null do update
set audience_size = excluded.audience_size;

-- name: standing
-- What is known of a content: whether it was ever sent, and the newest answer to each question about it.
select
    exists (
        select from send_requests
        where send_requests.content_hash = %(content_hash)s::text and send_requests.status in ('accepted', 'settled')
    ) as was_sent,
    newest.reason,
    newest.audience_size,
    newest.answer,
    newest.answered_at
from (values (1)) as one (row)
left join lateral ( -- noqa: ST05
    select distinct on (approvals.reason)
        approvals.reason,
        approvals.audience_size,
        approvals.answer,
        approvals.answered_at
    from approvals
    where approvals.product = %(product)s::text and approvals.content_hash = %(content_hash)s::text
    order by approvals.reason asc, approvals.approval_id desc
) as newest on true;

-- name: open_approvals
-- What waits for an answer, of a product or of all, the longest waiting first.
select
    approvals.approval_id,
    approvals.product,
    approvals.email,
    approvals.content_hash,
    approvals.reason,
    approvals.audience_size,
    approvals.asked_at,
    contents.subject,
    contents.text
from approvals
inner join contents on approvals.content_hash = contents.content_hash
where approvals.answer is null and (%(product)s::text is null or approvals.product = %(product)s::text)
order by approvals.asked_at, approvals.approval_id;

-- name: answer
-- A person's answer; it stands.
update approvals
set answer = %(answer)s::text, answered_by = %(who)s::text, answered_at = %(at)s::timestamptz
where approvals.approval_id = %(approval_id)s::bigint and approvals.answer is null;

-- name: show
-- Questions that a run puts to people: those that no other run does, or did until its time was over. A run that is
-- tried again takes its own.
update approvals
set shown_in = %(shown_in)s::text, shown_until = %(until)s::timestamptz
where
    approvals.product = %(product)s::text
    and approvals.answer is null
    and (
        approvals.shown_in is null
        or approvals.shown_in = %(shown_in)s::text
        or approvals.shown_until <= %(at)s::timestamptz
    )
returning approvals.approval_id;
