-- name: raise_alert
-- A trouble that people should hear of, once while it lasts.
insert into alerts (kind, key, product, what, mend, raised_at)
values (
    %(kind)s::text, %(key)s::text, %(product)s::text, %(what)s::text, %(mend)s::text, %(at)s::timestamptz
)
on conflict (kind, key) where ended_at is null do nothing
returning alerts.alert_id;

-- name: end_alert
-- The trouble is over; should it come back, it is told again.
update alerts
set ended_at = %(at)s::timestamptz
where alerts.kind = %(kind)s::text and alerts.key = %(key)s::text and alerts.ended_at is null;

-- name: end_others
-- Of the kinds that were looked for, what was not found any more is over.
update alerts
set ended_at = %(at)s::timestamptz
where
    alerts.ended_at is null
    and alerts.kind = any(%(kinds)s::text [])
    and not exists (
        select from jsonb_to_recordset(%(found)s::jsonb) as found (kind text, key text)
        where found.kind = alerts.kind and found.key = alerts.key
    );

-- name: open_alerts
-- The troubles of now; those that a channel has not told yet, where it is named.
select
    alerts.alert_id,
    alerts.kind,
    alerts.product,
    alerts.what,
    alerts.mend,
    alerts.raised_at,
    alerts.told_at
from alerts
where
    alerts.ended_at is null
    and (%(channel)s::text is null or %(channel)s::text <> all(alerts.told_by))
order by alerts.raised_at, alerts.alert_id;

-- name: told
-- A channel took these.
update alerts
set
    told_by = array_append(alerts.told_by, %(channel)s::text),
    told_at = coalesce(alerts.told_at, %(at)s::timestamptz)
where alerts.alert_id = any(%(alert_ids)s::bigint []);
