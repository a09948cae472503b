"""Trial: strike, mend, run on until nothing moves, and compare the ledger with what the sandbox has taken."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from nurture import db, settlement
from nurture.benchmarks.crash import parts
from nurture.benchmarks.crash.crew import Crew, Trial
from nurture.benchmarks.crash.parts import Parts

FIRST_DAY = datetime(2026, 11, 16, 1, tzinfo=UTC)
OCCASIONS = 10
# Minutes after a trial's first attempt: at 2 what is in flight is given up, at 60 the last message is due, and from
# then on what is absent may be sent again. A quarter of an hour lies between: a probe is due again (N3).
MINUTES = (0, 2, 60, 76, 92, 108, 124, 140, 156, 172, 188)
OPEN = {"planned", "sending", "unknown"}


def play(stack: Parts, trial: Trial, messages: int, policy: parts.Policy, windows: list[float]) -> None:
    """Strike, mend, run on until nothing moves, let a person decide what is held, and compare."""
    at, step = FIRST_DAY + timedelta(days=trial.number), f"trial_{trial.number}"
    product, engine = parts.product(policy), db.engine(stack.dsn)
    sql = db.statements("crash")
    with engine.connect() as conn:
        db.run(conn, sql.define, product=product.product)
        before = conn.exec_driver_sql("select coalesce(max(message_id), 0) from messages").scalar_one()
        db.run(
            conn, sql.add_messages,
            product=product.product, step=step, messages=messages, occasions=OCCASIONS, emails=list(parts.EMAILS),
            at=at,
        )  # fmt: skip
        conn.commit()
    crew = Crew(stack, trial, policy, windows)
    _run_on(stack, crew, at, step)
    ledger = _ledger(engine, step)
    trial.held = sum(status == "unknown" and listed for status, listed, _ in ledger.values())
    if policy == "hold" and trial.held:
        _decide(stack, engine, before, at + timedelta(hours=4))
        _run_on(stack, crew, at + timedelta(hours=4), step, MINUTES[2:])
        ledger = _ledger(engine, step)
    taken = stack.taken(before)
    trial.duplicates = max(sum(number - 1 for number in found.values()) for found in taken)
    trial.lost = sum(
        message not in taken.messages and not (status in ("planned", "unknown") or is_explained)
        for message, (status, _, is_explained) in ledger.items()
    )
    trial.unsettled = sum(
        status in OPEN or (message in taken.messages and status != "accepted")
        for message, (status, _, _) in ledger.items()
    )


def _ledger(engine: sa.Engine, step: str) -> dict[int, tuple[str, bool, bool]]:
    with engine.connect() as conn:
        rows = db.run(conn, db.statements("crash").ledger, step=step).all()
    return {row.message_id: (row.status, row.is_listed, row.is_explained) for row in rows}


def _run_on(stack: Parts, crew: Crew, at: datetime, step: str, moments: tuple[int, ...] = MINUTES) -> None:
    """Attempt again at later and later moments, until all is settled or nothing moves."""
    engine, earlier = db.engine(stack.dsn), []
    for minutes in moments:
        stack.mend()
        stack.set_clock(at + timedelta(minutes=minutes))
        crew.attempt(at + timedelta(minutes=minutes))
        stack.mend()
        found = _ledger(engine, step)
        is_open = bool({status for status, _, _ in found.values()} & OPEN)
        if minutes >= 60 and (not is_open or earlier[-2:] == [found, found]):  # evidence of one run is the next one's
            return
        earlier.append(found)


def _decide(stack: Parts, engine: sa.Engine, before: int, at: datetime) -> None:
    """Do what a person does who asks the provider: say of each held request whether it was taken."""
    taken = stack.taken(before)
    with engine.connect() as conn:
        for request in db.run(conn, db.statements("crash").held_requests).all():
            answer = "accepted" if request.message_id in taken.messages else "planned"
            settlement.settle_by_hand(conn, request.request_id, answer, "benchmark", at)
