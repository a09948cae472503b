"""Merges: two leads become one by a redirect, and an undo gives back two as if they had never been one."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from nurture import db
from nurture.unfinished import wait_until_consolidated


class Undone(NamedTuple):
    """Two leads that were one."""

    survivor: int
    merged: int


def merge(conn: sa.Connection, pairs: Iterable[tuple[int, int, str]], as_of: datetime) -> int:
    """Redirect the younger lead of each pair to the older, and keep what that ended; return how many were merged.

    A pair is (survivor, merged, reason); no survivor is in two. The survivors are to be filled again by who calls: with
    the batch that brought the merges, or by `fill_again`.
    """
    asked = db.json_rows({"survivor": survivor, "merged": merged, "reason": why} for survivor, merged, why in pairs)
    return db.count(conn, db.statements("merges").merge, pairs=asked, as_of=as_of)


def undo(conn: sa.Connection, lead_id: int, who: str, at: datetime) -> Undone | None:
    """Undo the newest merge of a lead, or return None where it has none.

    Undone at once, every table is as it was before. What happened meanwhile stays whose it was: messages and events
    name their own lead. A record that came meanwhile goes with the record that it was joined to; refusals hold for
    both; whoever may score otherwise is marked; whom their records could be is judged again if any came meanwhile; and
    the two are never joined or proposed again. A lead that was merged later stays where it went.
    """
    sql = db.statements("unmerge")
    wait_until_consolidated(conn)
    merge = db.run(conn, sql.newest_merge, lead_id=lead_id).one_or_none()
    if merge is None:
        return None
    db.run(conn, sql.remove_redirect, merge_id=merge.merge_id, merged=merge.merged_id, at=at)
    current = db.run(conn, db.statements("merges").current_lead, lead_id=merge.survivor_id).scalar_one()
    both = {"survivor": current, "merged": merge.merged_id}
    is_rescored = db.run(conn, sql.is_rescored, survivor=current).scalar_one()
    records = db.run(conn, sql.records_of_both, **both).all()
    known = {*merge.did.get("survivor_records", ()), *merge.did.get("merged_records", ())}
    new = {each.record_id for each in records if each.record_id not in known and each.lead_id == merge.survivor_id}
    edges = db.run(conn, sql.edges_among, records=[each.record_id for each in records]).all()
    theirs, crossing = _parted(records, new, merge.merged_id, edges)
    if crossing:
        db.run(conn, sql.deactivate_edges, edges=crossing)
    if theirs:
        db.run(conn, sql.give_records, survivor=merge.survivor_id, merged=merge.merged_id, records=sorted(theirs))
    db.run(conn, sql.say_apart, **both, answered_by=who, at=at)
    db.run(conn, sql.share_refusals, **both, merged_at=merge.merged_at)
    db.run(conn, sql.resume, merge_id=merge.merge_id)
    sides: dict[int, set[int]] = {current: set(), merge.merged_id: set()}
    for each in records:
        sides[merge.merged_id if each.record_id in theirs else each.current_lead_id].add(each.record_id)
    changed = [merge.merged_id] if sides[merge.merged_id] != set(merge.did.get("merged_records", ())) else []
    if current == merge.survivor_id and sides[current] == set(merge.did.get("survivor_records", ())):
        _restore(conn, merge.merge_id, current)
    else:
        changed.append(current)
    fill_again(conn, changed, at)
    everybody = [each.record_id for each in records]
    db.run(conn, sql.judge_again, records=everybody, got_more=bool(new), merged_at=merge.merged_at)
    if is_rescored:
        _mark(conn, both.values())
    return Undone(**both)


def fill_again(conn: sa.Connection, leads: Sequence[int], at: datetime) -> None:
    """Make the leads' mailboxes and attributes of all their records anew, and mark them for rescoring."""
    sql, stage, survivorship = map(db.statements, ("merges", "consolidate", "survivorship"))
    _open_batch(conn, leads)
    for statement in (
        sql.unlink_addresses, sql.link_addresses, stage.mark_shared_addresses, stage.clear_primary_addresses,
        stage.choose_primary_addresses,
    ):  # fmt: skip
        db.run(conn, statement)
    db.run(conn, survivorship.survive, as_of=at)
    for statement in (survivorship.inherit, survivorship.mark_for_rescoring, sql.drop_batch):
        db.run(conn, statement)


def _restore(conn: sa.Connection, merge_id: int, survivor: int) -> None:
    """Make the survivor what it was before the merge; what its company learned meanwhile it learns, too."""
    sql, again, survivorship = map(db.statements, ("unmerge", "merges", "survivorship"))
    _open_batch(conn, [survivor])
    db.run(conn, sql.restore_survivor, merge_id=merge_id)
    db.run(conn, again.unlink_addresses)
    db.run(conn, again.link_addresses)
    db.run(conn, sql.clear_primary, lead_id=survivor)
    db.run(conn, sql.restore_primary, merge_id=merge_id)
    db.run(conn, sql.unmark, merge_id=merge_id)
    db.run(conn, survivorship.inherit)
    db.run(conn, again.drop_batch)


def _mark(conn: sa.Connection, leads: Iterable[int]) -> None:
    _open_batch(conn, leads)
    db.run(conn, db.statements("survivorship").mark_for_rescoring)
    db.run(conn, db.statements("merges").drop_batch)


def _open_batch(conn: sa.Connection, leads: Iterable[int]) -> None:
    stage = db.statements("consolidate")
    found = db.run(conn, db.statements("merges").records_of, leads=list(leads)).all()
    db.run(conn, stage.create_batch)
    db.copy_rows(conn, stage.copy_batch, ((record_id, lead_id, None, False) for record_id, lead_id in found))
    db.run(conn, stage.analyze_batch)


def _parted(
    records: Iterable[Any], new: set[int], merged: int, edges: Iterable[Any]
) -> tuple[set[int], list[int]]:  # fmt: skip
    """Return the `new` records that belong to the merged lead, and the edges that joined the two, by number.

    The surest edge decides where a record goes; one that no edge holds stays with the survivor.
    """
    survivors, theirs = -1, -2
    side = {
        each.record_id: theirs if each.current_lead_id == merged else survivors
        for each in records if each.record_id not in new
    }  # fmt: skip

    def root(at: int) -> int:
        while side.get(at, at) != at:
            at = side[at]
        return at

    versions: dict[str, int] = {}
    pairs = [(0, each.record_id, versions.setdefault(each.source_key, each.record_id)) for each in records]
    crossing: list[int] = []
    for edge_id, one, other in (*pairs, *((edge.edge_id, edge.record_a, edge.record_b) for edge in edges)):
        two = {root(one), root(other)}
        if two == {survivors, theirs}:
            crossing.append(edge_id)
        elif len(two) == 2:
            side[max(two)] = min(two)
    return {record_id for record_id in new if root(record_id) == theirs}, crossing
