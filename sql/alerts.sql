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
