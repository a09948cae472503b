"""Assigning: what was decided of a batch is written step by step; of a large one a stop loses no more than a piece.

A large batch's decision is kept first, and then written in portions of whole leads, each step and portion a transaction
of its own. Until all is written nothing else is decided, and nobody undoes, answers or erases.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from nurture import db, erasures
from nurture.progress import Progress

PORTION = 100_000  # records a transaction
NEWS = 100  # records: so many are news to the planner, if they are a tenth of all: else it believes a table empty
NEARLY_ALL = 0.87  # of the records with a name, as `companies` has it: a second bearer has 15 % of the first's at most


class Assigned(NamedTuple):
    """One record of a batch: whose it is, its account's key, and whether it had no lead before."""

    record_id: int
    lead_id: int
    account_key: str | None
    is_new: bool = True


class Given(NamedTuple):
    """What a step is given beside the batch."""

    conn: sa.Connection
    as_of: datetime
    key: bytes
    is_news: bool  # to the planner: so much has changed


def write(conn: sa.Connection, batch: Sequence[Assigned], as_of: datetime, key: bytes) -> None:
    """Write all steps of a batch in the transaction that decided it."""
    sql, stage = map(db.statements, ("assigning", "consolidate"))
    db.run(conn, stage.create_batch)
    db.copy_rows(conn, stage.copy_batch, batch)
    db.run(conn, stage.analyze_batch)
    known = db.run(conn, sql.known_count).scalar_one()
    given = Given(conn, as_of, key, is_news=len(batch) >= max(NEWS, known // 10))
    for _, step, _ in STEPS:
        step(given)


def keep(conn: sa.Connection, batch: Iterable[Assigned]) -> None:
    """Keep a large batch's decision, and which pieces of it are to be written."""
    sql = db.statements("assigning")
    sizes = [0]
    last = -1

    def portioned() -> Iterable[tuple[object, ...]]:
        nonlocal last
        for row in sorted(batch, key=lambda row: row.lead_id):
            if sizes[-1] >= PORTION and row.lead_id != last:
                sizes.append(0)
            sizes[-1] += 1
            last = row.lead_id
            yield (len(sizes) - 1, *row)

    db.copy_rows(conn, sql.copy_decided, portioned())
    pieces: list[tuple[int, int | None, int]] = []
    for step, (_, _, is_whole) in enumerate(STEPS):
        pieces += [(step, None, sum(sizes))] if is_whole else [(step, at, size) for at, size in enumerate(sizes)]
    db.insert_values(conn, sql.insert_pieces, pieces)


def go_on(conn: sa.Connection, as_of: datetime, key: bytes, progress: Progress) -> None:
    """Write what was decided and is not written yet, a piece a transaction."""
    sql, stage = map(db.statements, ("assigning", "consolidate"))
    while True:
        db.run(conn, stage.lock)
        piece = db.run(conn, sql.next_piece).one_or_none()
        if piece is None:
            return
        name, step, _ = STEPS[piece.step]
        progress(name, piece.done_count, piece.done_count + piece.left_count)
        db.run(conn, stage.sort_in_memory)
        db.run(conn, stage.create_batch)
        db.run(conn, sql.fill_batch, portion=piece.portion)
        db.run(conn, stage.analyze_batch)
        step(Given(conn, as_of, key, is_news=True))
        db.run(conn, sql.end_piece, piece_id=piece.piece_id)
        if piece.is_last:
            db.run(conn, sql.forget)
            db.run(conn, sql.forget_pieces)
        conn.commit()
        progress(name, piece.done_count + piece.record_count, piece.done_count + piece.left_count)


def _give_records(given: Given) -> None:
    stage = db.statements("consolidate")
    for statement in (stage.insert_events, db.statements("accounts").insert_accounts, stage.assign_records):
        db.run(given.conn, statement)


def _fill_companies(given: Given) -> None:
    """Give the accounts what their records say, and make one of those that the batch shows to be one company."""
    conn, sql = given.conn, db.statements("accounts")
    if given.is_news:
        db.run(conn, db.statements("consolidate").analyze_records)
    db.run(conn, sql.fill_accounts, joined=[])
    if pairs := db.run(conn, sql.same_accounts, nearly_all=NEARLY_ALL).all():
        for survivor, merged in pairs:
            db.run(conn, sql.merge_account, survivor=survivor, merged=merged)
        db.run(conn, sql.fill_accounts, joined=[survivor for survivor, _ in pairs])


def _link_mailboxes(given: Given) -> None:
    """Link the mailboxes, what they refused first: until then nobody can mail them."""
    stage = db.statements("consolidate")
    for statement in (stage.insert_addresses, stage.insert_opt_outs):
        db.run(given.conn, statement)
    erasures.refuse_again(given.conn, given.key)
    db.run(given.conn, stage.link_addresses)


def _fill_leads(given: Given) -> None:
    stage, sql = map(db.statements, ("consolidate", "survivorship"))
    for statement in (
        stage.mark_shared_addresses, stage.clear_primary_addresses, stage.choose_primary_addresses,
        stage.insert_consents,
    ):  # fmt: skip
        db.run(given.conn, statement)
    db.run(given.conn, sql.survive, as_of=given.as_of)
    for statement in (sql.inherit, sql.mark_for_rescoring):
        db.run(given.conn, statement)


def _analyze(given: Given) -> None:
    """Tell the planner what there is: what was analyzed while it was written would pass for empty, and take minutes."""
    if given.is_news:
        db.run(given.conn, db.statements("survivorship").analyze_leads)


# The steps in their order, and whether one is for the whole batch at once.
STEPS: tuple[tuple[str, Callable[[Given], None], bool], ...] = (
    ("records get their leads", _give_records, False),
    ("companies are filled", _fill_companies, True),
    ("mailboxes are linked", _link_mailboxes, False),
    ("tables are analyzed", _analyze, True),
    ("leads are filled", _fill_leads, False),
    ("tables are analyzed again", _analyze, True),
)
