"""Restore: an older database sends nothing again that was sent after its backup."""

from datetime import timedelta

import sqlalchemy as sa
from builders import DAY, NOON, Provider, company, crowd, lead, message, rows, value
from sending import send, statuses

from nurture import holds, restore
from nurture.sendgrid import Logged

BACKUP_AT = NOON - timedelta(hours=6)


class Logs:
    """What the provider logged: the requests that it was given, by their members' addresses and arguments."""

    def __init__(self, provider: Provider) -> None:
        self.arguments = {
            f"request{number}.{place}": person["custom_args"] | {"email": person["to"][0]["email"]}
            for number, body in enumerate(provider.bodies)
            for place, person in enumerate(body["personalizations"])
        }
        self.asked = 0

    def listed(self, first, last) -> tuple[list[Logged], list]:
        return [Logged(told["email"], key, NOON) for key, told in self.arguments.items()], []

    def detail(self, sg_message_id: str) -> dict[str, str]:
        self.asked += 1
        return self.arguments[sg_message_id]


def sent_elsewhere(conn: sa.Connection, number: int) -> Logs:
    """Send to a crowd, then forget it as a restore does; return the provider's logs."""
    crowd(conn, number)
    provider = Provider()
    send(conn, provider)
    conn.exec_driver_sql(
        "update messages set status = 'planned', request_id = null, content_hash = null, consent_id = null,"
        " sent_at = null, accepted_at = null"
    )
    for table in ("send_attempts", "send_requests", "budgets"):
        conn.exec_driver_sql(f"delete from {table}")
    conn.commit()
    return Logs(provider)


def test_all_sending_is_held_until_a_person_resumes(conn: sa.Connection):
    logs = sent_elsewhere(conn, 3)
    restore.hold_after_restore(conn, BACKUP_AT, NOON)
    assert send(conn, Provider(), NOON + DAY) == {"not_now": 3}
    assert rows(conn, "select reason from decisions") == [("held: restored",)] * 3
    assert rows(conn, "select kind, ended_at from alerts") == [("held", None)]
    assert logs.asked == 0


def test_what_the_logs_know_is_not_sent_again_and_the_rest_is(conn: sa.Connection):
    logs = sent_elsewhere(conn, 3)
    late = message(conn, lead(conn, "late@lead.example"), occasion="plan/a")
    restore.hold_after_restore(conn, BACKUP_AT, NOON)
    for _ in range(2):  # stopped and begun again
        assert restore.take_in_sent(conn, BACKUP_AT, NOON, logs.listed, logs.detail) == (3, 1, [])
    assert logs.asked == 2  # one member tells of its whole request
    holds.resume(conn, "everything", "", "a person", NOON)
    provider = Provider()
    assert send(conn, provider) == {"never": 3, "accepted": 1}
    assert provider.posted == [late]
    assert statuses(conn).count("cancelled") == 3
    assert set(rows(conn, "select outcome, reason from decisions where outcome = 'never'")) == {
        ("never", "sent before the restore")
    }


def test_another_occasion_to_the_same_mailbox_is_sent(conn: sa.Connection):
    logs = sent_elsewhere(conn, 1)
    restore.take_in_sent(conn, BACKUP_AT, NOON, logs.listed, logs.detail)
    conn.exec_driver_sql("update messages set occasion = 'plan/b'")
    assert send(conn, Provider(), of=company()) == {"accepted": 1}


def test_no_new_message_takes_the_id_of_one_that_was_sent_after_the_backup(conn: sa.Connection):
    before = message(conn, lead(conn))
    restore.hold_after_restore(conn, BACKUP_AT, NOON)
    crowd(conn, 1)
    assert value(conn, "select max(message_id) from messages") > before + restore.IDS_AHEAD - 1
