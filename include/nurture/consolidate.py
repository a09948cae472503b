"""Consolidate: make one lead of a person's many records, by guarded keys and by likeness, and nobody's of a guess.

What `nurture.matching` decides is written here: leads, merges, why each record was joined, and what a person must
decide. A batch is compared with the records that share a key or a block with it, never with all.

What was decided is judged again when what it rested on has changed: records whose company turned out to be another's,
whose name is readable by now, or whose lead was two people's; and a lead that was made while a key looked like one
person's, or by likeness before a key said otherwise: what nothing else joins is parted, the id stays with most of the
records, and no fact moves. So the order of arrival hardly matters.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np
import sqlalchemy as sa

from nurture import assigning, db, merges, splits
from nurture.collecting import without_collecting
from nurture.matching import companies
from nurture.matching.blocks import Blocks, blocks_of, unread, unread_block
from nurture.matching.candidates import Row, row_of, written_in
from nurture.matching.clusters import Cluster
from nurture.matching.likeness import REVIEWS_PER_1000
from nurture.matching.people import Decision, decide, learn_from
from nurture.matching.rarity import Rarity
from nurture.matching.readings import Readings
from nurture.progress import Progress, untold

NOTHING = np.zeros(0, dtype=np.int64)
BATCH = 1_000_000  # records decided at once: memory grows with it, and time with the number of batches
LARGE = 5_000  # records: a batch for which the database may take more memory
FEW = 1_000  # records: what is known of all names would take longer to load than to ask for theirs
ENOUGH_ANSWERS = 30  # all no, and a kind of evidence is not asked about again: at most 1 in 10 is a yes (95 %)
_KINDS = {"mailbox": "email", "mobile": "mobile"}


def consolidate(conn: sa.Connection, as_of: datetime, key: bytes = b"", progress: Progress = untold) -> dict[str, int]:
    """Give every record that has happened by `as_of` its lead; return counts.

    A batch of up to `assigning.PORTION` records is a transaction. Of a larger one the decision is, and then each step
    of each portion: stopped after the decision, the next call goes on from there. `key` is that of the hashes that
    erasures left; it is needed when there are any. `progress` is told each step. Counts: records, new_leads,
    merged_leads, of what was decided here. Run twice it finds nothing to do.
    """
    totals = {"records": 0, "new_leads": 0, "merged_leads": 0}
    while True:
        assigning.go_on(conn, as_of, key, progress)
        with without_collecting():
            counts = _consolidate_batch(conn, as_of, key, progress)
        conn.commit()
        if counts is None:
            return totals
        for name, number in counts.items():
            totals[name] += number


def _consolidate_batch(conn: sa.Connection, as_of: datetime, key: bytes, progress: Progress) -> dict[str, int] | None:
    sql = db.statements("consolidate")
    db.run(conn, sql.lock)
    new = _new(conn, as_of, progress)
    again: set[int] = set(db.run(conn, db.statements("matching").take_records_to_judge).scalars())
    if not new and not again:
        return None
    if len(new) >= LARGE:
        db.run(conn, sql.sort_in_memory)
    progress("people are decided", 0, len(new))
    is_first = not db.run(conn, sql.any_known).scalar_one()
    new = _with_accounts(conn, new, is_first=is_first)
    rows, decision = _decide(conn, new, again, is_first=is_first)
    progress("people are decided", len(new), len(new))
    lead_of, made, survivors, moved = _lead_of(conn, rows, decision, as_of)
    if moved:
        splits.part(conn, moved, lead_of, decision.shared, as_of)
    db.run(conn, sql.create_told)
    db.copy_rows(conn, sql.copy_told, splits.identities(new, lead_of, decision.shared))
    db.run(conn, sql.insert_identities, as_of=as_of)
    _explain(conn, decision)
    batch = [
        assigning.Assigned(row.record_id, lead_of[row.record_id], row.account or None, row.lead_id is None)
        for row in (*new, *moved)
    ]
    if len(batch) > assigning.PORTION:
        assigning.keep(conn, batch)
    else:
        assigning.write(conn, batch, as_of, key)
        db.run(conn, db.statements("merges").drop_batch)
    # Merged by what the batch taught, or parted by it.
    if unfilled := (set(survivors) - {lead_of[row.record_id] for row in new}) | {row.lead_id for row in moved}:
        merges.fill_again(conn, sorted(filter(None, unfilled)), as_of)
    return {"records": len(new), "new_leads": made, "merged_leads": len(survivors)}


def _new(conn: sa.Connection, as_of: datetime, progress: Progress) -> list[Row]:
    """Return the records of the batch, the oldest first."""
    sql = db.statements("consolidate")
    new: list[Row] = []
    if waiting := min(BATCH, db.run(conn, sql.waiting, as_of=as_of).scalar_one()):
        # Asked for one, the planner would walk through all that there are in the order of time: 3 s of a million.
        for record in db.stream(conn, sql.new_records, as_of=as_of, at_most=BATCH):
            if len(new) % 10_000 == 0:
                progress("records are read", len(new), waiting)
            new.append(row_of(*record))
    return new


def _with_accounts(conn: sa.Connection, new: list[Row], *, is_first: bool) -> list[Row]:
    """Return the new rows, each with its account's key, and keep what they say of companies."""
    sql = db.statements("matching")
    keys = set() if is_first else {key for row in new for key in companies.keys_of(row)}

    def said_of(keys: set[tuple[str, str]]) -> list[companies.Evidence]:
        asked = db.json_rows({"kind": kind, "value": value} for kind, value in sorted(keys))
        return [tuple(row) for row in db.run(conn, sql.account_evidence, keys=asked)] if keys else []

    known = said_of(keys)
    known += said_of({("account", account) for _, _, account, _ in known})
    accounts, evidence = companies.assign(new, known)
    db.insert_values(conn, sql.add_account_evidence, sorted(evidence))
    return [row._replace(account=accounts.get(row.record_id, "")) for row in new]


def _decide(conn: sa.Connection, new: list[Row], again: set[int], *, is_first: bool) -> tuple[list[Row], Decision]:
    """Return the new rows with those that they or those judged again could match, and whose they all are."""
    sql = db.statements("matching")
    readings, rarity = Readings(), Rarity()
    written = written_in(new) if len(new) < FEW else None
    _recall(conn, readings, rarity, written)
    learn_from(new, readings, rarity)
    if newly_known := readings.newly_known():
        found_by = [unread_block(*part) for part in newly_known]
        again |= set(db.run(conn, sql.records_of_blocks, blocks=found_by).scalars())

    def recall(known: list[Row]) -> list[Row]:
        if written is not None and known:
            missing = written_in(known) - written
            _recall(conn, readings, rarity, missing)
            written.update(missing)
        return known

    blocks = blocks_of(new, readings)
    judged = recall(_known(conn, again)) if again else []
    judged = [row for row in judged if row.record_id in again]
    asked = blocks.after(blocks_of(judged, readings), len(judged))
    old = [] if is_first else recall(_known(conn, {row.record_id for row in [*new, *judged]}, asked))
    rows = [*old, *new]
    sizes = db.run(conn, sql.account_sizes, accounts=sorted({row.account for row in rows if row.account}))
    rarity.know_sizes(map(tuple, sizes))
    if old:
        blocks = blocks.after(blocks_of(old, readings), len(old))
    shared = (
        [
            ("mailbox" if kind == "email" else kind, value)
            for kind, value in db.run(
                conn, db.statements("splits").known_shared, leads=sorted({row.lead_id for row in old if row.lead_id})
            )
        ]
        if old
        else []
    )
    reviews = db.run(conn, sql.known_reviews, records=[row.record_id for row in old]).all() if old else []
    decision = decide(
        rows,
        readings,
        rarity,
        blocks,
        apart=[(one, two) for one, two, answer in reviews if answer == "no"],
        same=[(one, two) for one, two, answer in reviews if answer == "yes"],
        asked=[(one, two) for one, two, _ in reviews],
        known_shared=shared,
        again=again,
        held=lambda records: [
            (one, two, rule) for one, two, rule in db.run(conn, db.statements("splits").held_by, records=records)
        ],
    )
    if learned := readings.learned():
        db.insert_values(conn, sql.add_name_readings, sorted(learned))
    if counted := rarity.learned():
        db.insert_values(conn, sql.add_name_parts, sorted(counted))
    _keep(conn, rows, again, blocks, decision, readings)
    return rows, decision


def _recall(conn: sa.Connection, readings: Readings, rarity: Rarity, written: set[str] | None) -> None:
    """Take in what earlier records show of these parts of names, or of all."""
    sql = db.statements("matching")
    asked = None if written is None else sorted(written)
    readings.know(tuple(row) for row in db.run(conn, sql.name_readings, written=asked))
    rarity.know(tuple(row) for row in db.run(conn, sql.name_parts, written=asked))


def _known(conn: sa.Connection, records: Iterable[int], blocks: Blocks | None = None) -> list[Row]:
    """Return all records of the leads of these, and those with which those of these blocks could be one person's."""
    numbers, most = blocks.asked() if blocks else (NOTHING, NOTHING)
    asked = {"blocks": numbers.tolist(), "most": most.tolist(), "records": sorted(records)}
    return [row_of(*record) for record in db.run(conn, db.statements("matching").known_records, **asked)]


def _keep(
    conn: sa.Connection, rows: Sequence[Row], again: set[int], blocks: Blocks, decision: Decision, readings: Readings
) -> None:  # fmt: skip
    """Keep by what the rows' people are found again: each block of a person once, in the order of the index.

    What is known and not judged again was kept when it came.
    """
    sql = db.statements("matching")
    person = {record: cluster.root for cluster in decision.people for record in cluster.records}
    records = np.array([row.record_id for row in rows], dtype=np.int64)
    people = np.array([person[row.record_id] for row in rows], dtype=np.int64)[blocks.row]
    numbers = blocks.kept()
    order = np.lexsort((blocks.row, people, numbers))
    numbers, people, places = numbers[order], people[order], blocks.row[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (numbers[1:] != numbers[:-1]) | (people[1:] != people[:-1])
    is_new = np.array([row.lead_id is None for row in rows], dtype=bool)
    is_judged = np.array([row.record_id in again for row in rows], dtype=bool) & ~is_new
    new = first & is_new[places]
    found = [(numbers[new], places[new])]
    if is_judged.any():
        judged = first & is_judged[places]
        db.run(conn, sql.add_match_keys, blocks=numbers[judged].tolist(), records=records[places[judged]].tolist())
    numbers, places = (np.array(found, dtype=np.int64) for found in unread(rows, readings))
    found.append((numbers[is_new[places]], places[is_new[places]]))
    numbers, places = map(np.concatenate, zip(*found, strict=True))
    db.copy_rows(conn, sql.copy_match_keys, zip(numbers.tolist(), records[places].tolist(), strict=True))


def _lead_of(
    conn: sa.Connection, rows: Sequence[Row], decision: Decision, as_of: datetime
) -> tuple[dict[int, int], int, list[int], list[Row]]:
    """Make the new leads and the merges.

    Return each record's lead, how many were made, each merge's survivor, and the known records that leave their lead.
    """
    sql = db.statements("consolidate")
    place = {row.record_id: at for at, row in enumerate(rows)}
    people = sorted(decision.people, key=lambda person: min(place[record] for record in person.records))
    found = _leads_of(people, rows)
    rules: dict[int, set[str]] = {}
    for edge in decision.edges:
        rules.setdefault(edge.one, set()).add(edge.rule)
        rules.setdefault(edge.two, set()).add(edge.rule)
    new_ids = db.run(conn, sql.new_lead_ids, how_many=sum(not leads for leads in found)).scalars().all()
    db.copy_rows(conn, sql.copy_leads, ((lead_id,) for lead_id in new_ids))
    unused = iter(new_ids)
    lead_of: dict[int, int] = {}
    rounds: list[list[tuple[int, int, str]]] = []  # a survivor once in each
    moved: list[Row] = []
    for person, leads in zip(people, found, strict=True):
        survivor = leads[0] if leads else next(unused)
        lead_of.update(dict.fromkeys(person.records, survivor))
        for at, other in enumerate(leads[1:]):
            why = sorted(set().union(*(rules.get(record, set()) for record in person.records)) - {"lead"})
            rounds += [[]] if at == len(rounds) else []
            rounds[at].append((survivor, other, ", ".join(why)))
        if decision.judged_again:
            here = (rows[place[record]] for record in person.records)
            moved += [row for row in here if row.lead_id is not None and row.lead_id not in leads]
    for pairs in rounds:
        merges.merge(conn, pairs, as_of)
    return lead_of, len(new_ids), [survivor for pairs in rounds for survivor, _, _ in pairs], moved


def _leads_of(people: Sequence[Cluster], rows: Sequence[Row]) -> list[list[int]]:
    """Return the leads of each person, the oldest first; one that was parted stays with most of its records."""
    lead_of = {row.record_id: row.lead_id for row in rows if row.lead_id is not None}
    counts = [Counter(lead_of[record] for record in person.records if record in lead_of) for person in people]
    best: dict[int, tuple[int, int]] = {}
    for at, count in enumerate(counts):
        for lead_id, number in count.items():
            best[lead_id] = max(best.get(lead_id, (0, 0)), (number, -at))
    return [sorted(lead for lead in count if best[lead] == (count[lead], -at)) for at, count in enumerate(counts)]


def _explain(conn: sa.Connection, decision: Decision) -> None:
    """Keep why records were joined, what a person must decide, and which keys are shared."""
    sql = db.statements("matching")
    edges = (
        (min(edge.one, edge.two), max(edge.one, edge.two), edge.rule, edge.weight)
        for edge in decision.edges if edge.rule not in ("lead", "record")
    )  # fmt: skip
    db.run(conn, sql.create_joined)
    db.copy_rows(conn, sql.copy_joined, edges)
    db.run(conn, sql.insert_match_edges)
    if decision.doubts:
        db.insert_values(
            conn,
            sql.insert_match_reviews,
            ((min(a, b), max(a, b), db.as_json(evidence)) for _, a, b, evidence in decision.doubts),
        )
        db.run(conn, sql.trim_reviews, per_1000=REVIEWS_PER_1000, enough=ENOUGH_ANSWERS)
    if decision.shared:
        keys = [{"kind": _KINDS[kind], "value": value} for kind, value in sorted(decision.shared)]
        db.run(conn, sql.mark_shared_identities, keys=db.json_rows(keys))
