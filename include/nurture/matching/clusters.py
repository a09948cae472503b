"""Clusters: records joined best edge first into people, never two names, never what a person said apart."""

import re
from collections.abc import Callable, Collection, Iterable
from itertools import product
from typing import Any, NamedTuple

from rapidfuzz.distance import OSA

from nurture.matching.candidates import Row, local_words
from nurture.matching.names import Agreement, Name, compare
from nurture.matching.rarity import Rarity
from nurture.matching.readings import Readings, canonical

_NOTHING: frozenset[Any] = frozenset()
_NOT_DIGITS = re.compile(r"\D")


class Cluster:
    """The records that are one person's, and what they say together."""

    __slots__ = (
        "accounts",
        "is_renamed",
        "is_vouched",
        "lead_id",
        "mailboxes",
        "mobiles",
        "names",
        "phones",
        "records",
        "root",
    )

    def __init__(self, row: Row, alone: Callable[[Any], frozenset[Any]]) -> None:
        """Begin with one record; `alone` gives the set of one value, the same for all who say it."""
        self.root = row.record_id
        self.records = [row.record_id]
        self.lead_id = row.lead_id
        self.is_renamed = False
        self.is_vouched = False  # a person says that somebody bears all these names
        self.names: frozenset[Name] = alone(row.name) if row.name else _NOTHING
        self.mailboxes: frozenset[str] = alone(row.mailbox) if row.mailbox else _NOTHING
        self.mobiles: frozenset[str] = alone(row.mobile) if row.mobile else _NOTHING
        self.phones: frozenset[str] = alone(row.phone) if row.phone else _NOTHING
        self.accounts: frozenset[str] = alone(row.account) if row.account else _NOTHING

    def take(self, other: "Cluster") -> None:
        """Take another's records in."""
        self.records += other.records
        if other.lead_id is not None:
            self.lead_id = other.lead_id if self.lead_id is None else min(self.lead_id, other.lead_id)
        self.names |= other.names
        self.mailboxes |= other.mailboxes
        self.mobiles |= other.mobiles
        self.phones |= other.phones
        self.accounts |= other.accounts


class _Alone(dict[Any, frozenset[Any]]):
    """Sets of one value each, made once."""

    def __missing__(self, value: Any) -> frozenset[Any]:
        found = self[value] = frozenset((value,))
        return found


class Edge(NamedTuple):
    """Two records that are one person's, by which rule; the heavier the surer."""

    weight: float
    one: int
    two: int
    rule: str


class Doubt(NamedTuple):
    """Two records that a person must decide on, with what speaks for and against."""

    weight: float
    one: int
    two: int
    evidence: dict[str, object]


class Likeness(NamedTuple):
    """How two clusters' names stand to each other."""

    best: Agreement
    worst: Agreement


class People:
    """All clusters, and the pairs that a person has said apart."""

    def __init__(
        self, rows: Iterable[Row], cannot: Iterable[tuple[int, int]], readings: Readings, rarity: Rarity
    ) -> None:
        """Begin with every record alone."""
        self.readings = readings
        self._compared: dict[tuple[int, int], Agreement] = {}  # by the names' identity: the rows keep them alive
        self.rarity = rarity
        self.shared: set[tuple[str, str]] = set()  # mailboxes and mobile numbers that several people have
        alone = _Alone().__getitem__
        self._clusters = {row.record_id: Cluster(row, alone) for row in rows}
        self._parents = {record_id: record_id for record_id in self._clusters}
        self._apart: dict[int, set[int]] = {}
        for one, two in cannot:
            self._apart.setdefault(one, set()).add(two)
            self._apart.setdefault(two, set()).add(one)

    def of(self, record_id: int) -> Cluster:
        """Return the cluster that a record is in now."""
        parents = self._parents
        while parents[record_id] != record_id:
            parents[record_id] = parents[parents[record_id]]
            record_id = parents[record_id]
        return self._clusters[record_id]

    def all(self) -> list[Cluster]:
        """Return every cluster, the one with the oldest record first."""
        return [cluster for record_id, cluster in self._clusters.items() if self._parents[record_id] == record_id]

    def are_apart(self, one: Cluster, two: Cluster) -> bool:
        """Tell whether a person has said of any two of their records that they are two people's."""
        if not self._apart:
            return False
        fewer, more = sorted((one, two), key=lambda cluster: len(cluster.records))
        others = set(more.records)
        return any(not others.isdisjoint(self._apart.get(record, ())) for record in fewer.records)

    def vouch(self, one: int, two: int) -> None:
        """Believe a person's word that two records are one person's, whatever names they bear."""
        if (cluster := self.of(one)) is self.of(two):
            cluster.is_vouched = True

    def join(self, one: Cluster, two: Cluster) -> Cluster:
        """Make one cluster of two; the one with the smaller root stays."""
        one.is_renamed |= two.is_renamed or self.likeness(one, two).worst == Agreement.RENAMED
        two.is_renamed = one.is_renamed
        one.is_vouched = two.is_vouched = one.is_vouched or two.is_vouched
        kept, taken = (one, two) if one.root < two.root else (two, one)
        kept.take(taken)
        self._parents[taken.root] = kept.root
        del self._clusters[taken.root]
        return kept

    def likeness(self, one: Cluster, two: Cluster) -> Likeness:
        """Return the best and the worst agreement of their names; unknown where either has none."""
        if len(one.names) == 1 == len(two.names):
            (a,), (b,) = one.names, two.names
            found = [self.agreement(a, b, one, two)]
        else:
            found = [self.agreement(a, b, one, two) for a, b in product(one.names, two.names)]
        if (one.is_renamed or two.is_renamed) and max(found, default=Agreement.UNKNOWN) > Agreement.RENAMED:
            found = [agreement for agreement in found if agreement != Agreement.RENAMED]  # they bore both
        if (one.is_vouched or two.is_vouched) and max(found, default=Agreement.CONFLICT) >= Agreement.COMPATIBLE:
            found = [agreement for agreement in found if agreement > Agreement.RENAMED]
        best, worst = max(found, default=Agreement.UNKNOWN), min(found, default=Agreement.UNKNOWN)
        if worst == Agreement.SLIP < best:
            written = [
                self.agreement(a, b, one, two)
                for a, b in product(one.names, two.names)
                if a.script == b.script == "han"
            ]
            best = max(written, default=best)  # 裕介 and 勇介 are read alike: what is written decides
        return Likeness(best, worst)

    def compare(self, a: Name, b: Name) -> Agreement:
        """Return how two names stand to each other, asked once."""
        key = (id(a), id(b))
        found = self._compared.get(key)
        if found is None:
            found = self._compared[key] = compare(a, b, self.readings)
        return found

    def agreement(self, a: Name, b: Name, one: Cluster, two: Cluster) -> Agreement:
        """Return how two names stand to each other, their mailboxes asked where nothing else bridges the scripts."""
        found = self.compare(a, b)
        if found != Agreement.UNKNOWN or (a.script == "han") == (b.script == "han"):
            return found
        spoken, mailboxes = (b, one.mailboxes) if a.script == "han" else (a, two.mailboxes)
        return max((fits(mailbox, spoken) for mailbox in mailboxes), default=found)


def fits(mailbox: str, spoken: Name) -> Agreement:
    """Return how a mailbox's local part agrees with a name's reading: taro.tanaka@ is 'Taro Tanaka' or タナカタロウ."""
    words = local_words(mailbox.partition("@")[0])
    if len(words) == 2 and all(len(word) > 1 for word in words):
        joined = {canonical("".join(words)), canonical("".join(words[::-1]))}
        if joined & spoken.forms:
            return Agreement.SAME
    return Agreement.UNKNOWN


def is_near(one: str, two: str) -> bool:
    """Tell whether two mailboxes are one with a slip of the keys: a letter in the local part or in the domain.

    Another number is no slip: kazuki.masuda2@ is how a company tells namesakes apart.
    """
    if one == two:
        return True
    (local, _, host), (other, _, domain) = one.partition("@"), two.partition("@")
    if host == domain:
        if _NOT_DIGITS.sub("", local) != _NOT_DIGITS.sub("", other):
            return False
        return min(len(local), len(other)) > 4 and OSA.distance(local, other, score_cutoff=1) <= 1
    if _NOT_DIGITS.sub("", host) != _NOT_DIGITS.sub("", domain):
        return False
    return local == other and len(local) > 3 and OSA.distance(host, domain, score_cutoff=2) <= 2


def have_two_mobiles(one: Collection[str], two: Collection[str]) -> bool:
    """Tell whether these are two people's mobile numbers: none is in common, and none a slip of a digit away."""
    if not one or not two:
        return False
    return not any(OSA.distance(number, other, score_cutoff=1) <= 1 for number, other in product(one, two))


def have_two_desks(one: Collection[str], two: Collection[str]) -> bool:
    """Tell whether these are mailboxes of two at one domain, none of which is a slip of another's."""
    if any(is_near(mailbox, other) for mailbox, other in product(one, two)):
        return False
    domains = {mailbox.rpartition("@")[2] for mailbox in one}
    return any(mailbox.rpartition("@")[2] in domains for mailbox in two)


def join(
    people: "People", edge: Edge, edges: list[Edge], *, vetoed: bool = True, doubts: list[Doubt] | None = None
) -> bool:
    """Join the clusters of an edge's records unless their names or a person's word part them; tell whether it did.

    A refusal of names that are not one person's is kept as a doubt where `doubts` is given. Under one CRM id a new
    surname is a marriage; two people's names are an id that was given away.
    """
    one, two = people.of(edge.one), people.of(edge.two)
    if one is two:
        return False
    if edge.rule != "lead" and people.are_apart(one, two):
        return False
    least = Agreement.RENAMED if edge.rule == "crm_id" else Agreement.UNKNOWN
    if vetoed and people.likeness(one, two).worst < least:
        if doubts is not None:
            doubts.append(
                Doubt(edge.weight, edge.one, edge.two, {"weight": edge.weight, "rule": edge.rule, "names": "conflict"})
            )
        return False
    people.join(one, two)
    edges.append(edge)
    return True
