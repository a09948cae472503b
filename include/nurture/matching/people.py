"""People: which records are one person's, which might be, and which keys several people share."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from nurture.matching.blocks import Blocks
from nurture.matching.candidates import Row, learn, local_words
from nurture.matching.clusters import Cluster, Doubt, Edge, People, fits, join
from nurture.matching.likely import likely
from nurture.matching.likeness import LIKENESS, REVIEWS_PER_1000, Looks, doubtful, join_by_likeness, worth_asking
from nurture.matching.names import Agreement, Name, compare, is_read_so
from nurture.matching.rarity import Rarity
from nurture.matching.readings import Readings, canonical

_CRM_ID = 30.0
MOST_NAMES = 2  # a key with more names than a holder and a successor identifies nobody


class Decision(NamedTuple):
    """What the records say: people, the edges that joined them, what is in doubt, and the keys that are shared."""

    people: list[Cluster]
    edges: list[Edge]
    doubts: list[Doubt]
    shared: set[tuple[str, str]]  # kind, value
    judged_again: set[int]  # leads of which this batch has shown that they may be several people


def learn_from(rows: Iterable[Row], readings: Readings, rarity: Rarity) -> None:
    """Count what new rows show of readings and of the frequency of names."""
    names: dict[int, tuple[Name, int]] = {}
    for row in rows:
        if row.name is not None:
            learn(row, readings)
            names[id(row.name)] = (row.name, names.get(id(row.name), (row.name, 0))[1] + 1)
    for name, times in names.values():
        rarity.learn(name, times)


def decide(
    rows: Sequence[Row],
    readings: Readings,
    rarity: Rarity,
    blocks: Blocks,
    apart: Collection[tuple[int, int]] = (),
    same: Collection[tuple[int, int]] = (),
    asked: Collection[tuple[int, int]] = (),
    known_shared: Collection[tuple[str, str]] = (),
    again: Collection[int] = (),
    held: Callable[[list[int]], Iterable[tuple[int, int, str]]] = lambda _: (),
) -> Decision:
    """Return the people of these records; rows of one lead or of one key are one from the beginning.

    `blocks` are the rows' own; `apart` are pairs of records that a person has said apart, `same` those said to be one
    person's, `asked` all that somebody was asked about. `known_shared` are keys that several people had before, `again`
    are known records that are judged as if they were new, and `held` returns by which records and rules the leads of
    these records were joined: a lead is judged again when a key that joined it turns out to be shared, or when likeness
    joined it to somebody whom the key of a new record contradicts. The new rows, which have no lead, are to have been
    learned from.
    """
    apart = set(apart)
    people = People(rows, apart, readings, rarity)
    edges: list[Edge] = []
    doubts: list[Doubt] = []
    keyed, people.shared = _by_keys(rows, readings, again)
    contradicted = _contradicted(rows, keyed, people)
    judged_again = _judged_again(rows, people.shared) | contradicted
    for edge in _given(rows, judged_again):
        join(people, edge, edges, vetoed=False)
    if judged_again:
        by_record = {row.record_id: row for row in rows if row.lead_id in judged_again}
        for one, two, rule in held(list(by_record)):
            if rule in LIKENESS and by_record[one].lead_id in contradicted:
                continue
            if (rule, getattr(by_record[one], rule, "")) not in people.shared:
                join(people, Edge(100, one, two, "lead"), edges, vetoed=False)
    people.shared |= set(known_shared)
    for one, two in same:
        people.vouch(one, two)
    for edge in sorted([*keyed, *_by_crm_ids(rows)], key=lambda edge: (-edge.weight, edge.one, edge.two)):
        join(people, edge, edges, doubts=doubts)
    pairs = likely(people, rows, blocks, again)
    looks = Looks(people)
    join_by_likeness(looks, pairs, edges)
    doubts += doubtful(looks, pairs)
    questions = worth_asking(people, doubts, asked, rarity.records * REVIEWS_PER_1000 // 1000)
    return Decision(people.all(), edges, questions, people.shared, judged_again)


def _judged_again(rows: Sequence[Row], shared: Collection[tuple[str, str]]) -> set[int]:
    """Return the leads of which two records have a key that several people share."""
    seen: set[tuple[int, str, str]] = set()
    found: set[int] = set()
    for row in rows if shared else ():
        for key in (("mailbox", row.mailbox), ("mobile", row.mobile)):
            if row.lead_id is not None and key in shared:
                if (row.lead_id, *key) in seen:
                    found.add(row.lead_id)
                seen.add((row.lead_id, *key))
    return found


def _contradicted(rows: Sequence[Row], keyed: Sequence[Edge], people: People) -> set[int]:
    """Return the leads whom a key would join to somebody of the same name, if they bore no other name as well."""
    leads: dict[int, set[Name]] = {}
    named: dict[int, tuple[int | None, Name]] = {}
    for row in rows:
        if row.name is not None:
            named[row.record_id] = (row.lead_id, row.name)
            if row.lead_id is not None:
                leads.setdefault(row.lead_id, set()).add(row.name)
    found: set[int] = set()
    for edge in keyed if leads else ():
        if edge.one not in named or edge.two not in named:
            continue
        (one, name), (two, other) = named[edge.one], named[edge.two]
        names = {name} if one is None else leads[one]
        others = {other} if two is None else leads[two]
        if (one is not None and one == two) or len(names) == 1 == len(others):
            continue
        if people.compare(name, other) < Agreement.UNKNOWN:
            continue
        if any(people.compare(a, b) == Agreement.CONFLICT for a in names for b in others):
            found |= {lead for lead, borne in ((one, names), (two, others)) if lead is not None and len(borne) > 1}
    return found


def _given(rows: Sequence[Row], again: Collection[int]) -> Iterator[Edge]:
    """Yield what needs no judgement: versions of one row, records of one lead that is not judged again."""
    for rule, key_of in (
        ("lead", lambda row: None if row.lead_id in again else row.lead_id), ("record", lambda row: row.source_key),
    ):  # fmt: skip
        first: dict[object, int] = {}
        for row in rows:
            if key := key_of(row):
                one = first.setdefault(key, row.record_id)
                if one != row.record_id:
                    yield Edge(100, one, row.record_id, rule)


def _by_crm_ids(rows: Sequence[Row]) -> Iterator[Edge]:
    """Yield the edges of CRM ids: each name's first record with the id's first, and the others with their name's."""
    firsts: dict[str, int] = {}
    of_name: dict[tuple[str, str], int] = {}
    for row in rows:
        if row.crm_id:
            first = firsts.setdefault(row.crm_id, row.record_id)
            one = of_name.setdefault((row.crm_id, row.name.key if row.name else ""), row.record_id)
            if row.record_id != first:
                yield Edge(_CRM_ID, first if one == row.record_id else one, row.record_id, "crm_id")


def _by_keys(
    rows: Sequence[Row], readings: Readings, again: Collection[int]
) -> tuple[list[Edge], set[tuple[str, str]]]:  # fmt: skip
    """Return the edges of mailboxes and mobile numbers, and those keys that several people share.

    A key that no row has that is judged now was judged when the last that has it came, and of its rows not all may be
    here.
    """
    edges: list[Edge] = []
    shared: set[tuple[str, str]] = set()
    for kind, weight in (("mailbox", 20.0), ("mobile", 19.0)):
        groups: dict[str, list[Row]] = {}
        for row in rows:
            if value := getattr(row, kind):
                groups.setdefault(value, []).append(row)
        for value, members in groups.items():
            if len(members) == 1 or all(row.lead_id is not None and row.record_id not in again for row in members):
                continue
            holders = _holders(members, value if kind == "mailbox" else "", readings)
            if len(holders) > MOST_NAMES:
                shared.add((kind, value))
                continue
            nameless = [row for row in members if row.name is None] if kind == "mailbox" else []
            for holder in holders:
                named = [row for row in members if row.name in holder]
                first = named[0]
                for row in named[1:]:
                    agreement = max(compare(row.name, other, readings) for other in holder if row.name and other)
                    edges.append(Edge(weight + agreement, first.record_id, row.record_id, kind))
            if nameless and len(holders) <= 1:
                one = next((row for row in members if row.name), nameless[0])
                edges += [
                    Edge(weight, one.record_id, row.record_id, kind) for row in nameless if row is not one
                ]  # fmt: skip
            if len(holders) > 1:
                shared.add((kind, value))
    return edges, shared


def _holders(members: Sequence[Row], mailbox: str, readings: Readings) -> list[set[Name]]:
    """Return the names on a key, those that can be one person's together; a name that could be two's is nobody's."""
    counts = Counter(row.name for row in members if row.name)
    names = sorted(counts, key=lambda name: (-len(name.forms), -len(name.words or name.first), -counts[name], name.key))
    holders: list[set[Name]] = []
    for name in names:
        fitting: list[tuple[Agreement, int]] = []
        for at, holder in enumerate(holders):
            found = [_on_key(name, other, mailbox, readings) for other in holder]
            if min(found) >= Agreement.UNKNOWN:
                fitting.append((max(found), at))
        if not fitting:
            holders.append({name})
            continue
        best = max(fitting)
        if sum(agreement == best[0] for agreement, _ in fitting) == 1:
            holders[best[1]].add(name)
    return holders


def _on_key(name: Name, other: Name, mailbox: str, readings: Readings) -> Agreement:
    """Return how two names on one key agree; a reading that the mailbox contradicts is a successor's."""
    found = compare(name, other, readings)
    if found == Agreement.UNKNOWN and mailbox and (name.script == "han") != (other.script == "han"):
        spoken = other if name.script == "han" else name
        kanji = name if name.script == "han" else other
        known = fits(mailbox, spoken) == Agreement.SAME or _begins(mailbox, spoken)
        if not known and not is_read_so(kanji, spoken, readings):
            return Agreement.CONFLICT
    return found


def _begins(mailbox: str, spoken: Name) -> bool:
    """Tell whether some part of a name stands in the mailbox's local part."""
    local = canonical("".join(local_words(mailbox.partition("@")[0])))
    return not local or any(len(word) > 1 and word[:4] in local for word in spoken.parts) or not spoken.parts
