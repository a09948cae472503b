"""Likeness: clusters side by side: what joins them by rule, what is worth a question, and what is neither."""

from collections import Counter
from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

from nurture.matching.clusters import Cluster, Doubt, Edge, People, have_two_desks, have_two_mobiles, is_near, join
from nurture.matching.likely import Pairs
from nurture.matching.names import Agreement
from nurture.matching.rarity import Rarity

REVIEWS_PER_1000 = 8
ROUNDS = 3
WORTH_ASKING_ALONE = 3.0
# So many namesakes expected in a company, and a name there is no evidence. Measured: of pairs with two mailboxes below
# the first, all of 110 were one person; above it, 4 of 5.
NAMESAKES_WITH_TWO_MAILBOXES = 0.001
NAMESAKES = 0.05


class Look(NamedTuple):
    """What two clusters have in common and what parts them."""

    agreement: Agreement
    same_company: bool
    same_phone: bool
    same_mobile: bool
    same_mailbox: bool
    near_mailbox: bool
    two_desks: bool
    two_mobiles: bool
    two_mailboxes: bool
    namesakes: float

    def evidence(self) -> dict[str, object]:
        """Return what a person is shown."""
        return {**self._asdict(), "agreement": self.agreement.name.lower(), "namesakes": round(self.namesakes, 4)}

    def rule(self) -> str:
        """Return the rule by which they are one person's, '' where none holds."""
        if self.near_mailbox and self.agreement >= Agreement.COMPATIBLE and not self.two_mobiles:
            return "mailbox_slip"
        if self.agreement == Agreement.RENAMED and self.same_mobile and self.same_company:
            return "renamed"
        if self.two_desks or self.two_mobiles:
            return ""
        if self.namesakes > (NAMESAKES_WITH_TWO_MAILBOXES if self.two_mailboxes else NAMESAKES):
            return ""  # 伊藤 悠平 at work and 伊藤 悠平 at home may be two
        if self.agreement == Agreement.SAME and (self.same_company or self.same_phone):
            return "name_company"
        if self.agreement == Agreement.COMPATIBLE and self.same_company and not self.two_mailboxes:
            return "initial_company"
        return ""


class Looks:
    """How pairs of clusters look, each looked at once as long as neither grows."""

    def __init__(self, people: People) -> None:
        """Begin with nobody looked at."""
        self.people = people
        self._found: dict[tuple[int, int, int, int], Look | None] = {}

    def of(self, one: Cluster, two: Cluster) -> Look | None:
        """Return what `look` does."""
        key = (one.root, two.root, len(one.records), len(two.records))
        if key in self._found:
            return self._found[key]
        found = self._found[key] = look(self.people, one, two)
        return found


def look(people: People, one: Cluster, two: Cluster) -> Look | None:
    """Return how two clusters look side by side, or None where their names or a person's word part them."""
    names = people.likeness(one, two)
    if names.worst == Agreement.CONFLICT or people.are_apart(one, two):
        return None
    mobiles = one.mobiles & two.mobiles
    # What several people have, a team's mailbox or a rep's number, tells nobody apart either.
    one_mailboxes, two_mailboxes = (
        {mailbox for mailbox in side.mailboxes if ("mailbox", mailbox) not in people.shared} for side in (one, two)
    )
    one_mobiles, two_mobiles = (
        {mobile for mobile in side.mobiles if ("mobile", mobile) not in people.shared} for side in (one, two)
    )
    return Look(
        agreement=names.best if names.worst > Agreement.RENAMED else names.worst,
        same_company=bool(one.accounts & two.accounts),
        same_phone=bool(one.phones & two.phones),
        same_mobile=bool(mobiles),
        same_mailbox=bool(one.mailboxes & two.mailboxes),
        near_mailbox=any(
            is_near(a, b) and not _are_two_companies(people.rarity, a, b)
            for a in one_mailboxes for b in two_mailboxes
        ),
        two_desks=have_two_desks(one_mailboxes, two_mailboxes),
        two_mobiles=not mobiles and have_two_mobiles(one_mobiles, two_mobiles),
        two_mailboxes=bool(one_mailboxes and two_mailboxes and not one_mailboxes & two_mailboxes),
        namesakes=min(
            (
                people.rarity.namesakes(
                    name, one.accounts & two.accounts, people.readings, len(one.records) + len(two.records)
                )
                for name in one.names | two.names
            ),
            default=1.0,
        ),
    )  # fmt: skip


def _are_two_companies(rarity: Rarity, one: str, two: str) -> bool:
    """Tell whether two mailboxes are at two domains that several records have each: sato@abc and sato@abd."""
    hosts = {one.rpartition("@")[2], two.rpartition("@")[2]}
    return len(hosts) > 1 and all(rarity.size(f"domain:{host}") > 2 for host in hosts)


LIKENESS = {"mailbox_slip": 12.0, "name_company": 9.0, "initial_company": 6.0, "renamed": 11.0}  # weight by rule


def join_by_likeness(looks: Looks, pairs: Pairs, edges: list[Edge]) -> None:
    """Join clusters whose names, companies and mailboxes are alike, the surest first.

    What was joined may bridge what was not (a reading, a mailbox, a mobile number): whoever changed is looked at again.
    """
    changed: set[int] | None = None
    for _ in range(ROUNDS):
        before = len(edges)
        pairs, changed = _join_once(looks, pairs, changed, edges)
        if len(edges) == before:
            return


def _join_once(
    looks: Looks, pairs: Pairs, changed: set[int] | None, edges: list[Edge]
) -> tuple[Pairs, set[int]]:  # fmt: skip
    """Join what is alike among the pairs with somebody who changed; return the pairs that are left, and who changed."""
    people = looks.people
    seen: set[tuple[int, int]] = set()
    found: list[tuple[float, int, int, str]] = []
    alike: dict[int, set[int]] = {}
    left: Pairs = []
    for a, b in pairs:
        one, two = people.of(a), people.of(b)
        roots = (min(one.root, two.root), max(one.root, two.root))
        if one is two or roots in seen:
            continue
        seen.add(roots)
        left.append((a, b))
        if changed is not None and one.root not in changed and two.root not in changed:
            continue
        looked = looks.of(one, two)
        if looked is None or not (rule := looked.rule()):
            continue
        weight = LIKENESS[rule] + looked.agreement + looked.same_company + looked.same_phone
        found.append((weight, a, b, rule))
        if rule.endswith("_company"):
            alike.setdefault(roots[0], set()).add(roots[1])
            alike.setdefault(roots[1], set()).add(roots[0])
    found.sort(key=lambda each: (-each[0], each[1], each[2]))
    moved: set[int] = set()
    for weight, a, b, rule in found:
        one, two = people.of(a), people.of(b)
        if one is two:
            continue
        looked = looks.of(one, two)
        if looked is None or not looked.rule():
            continue
        is_torn = rule.endswith("_company") and (_is_torn(looks, one, two, alike) or _is_torn(looks, two, one, alike))
        if is_torn:
            moved |= {one.root, two.root}  # who tears them may be one of them by the next round
        elif join(people, Edge(weight, a, b, rule), edges, vetoed=rule != "renamed"):
            moved |= {one.root, two.root}
    return left, moved


def _is_torn(looks: Looks, one: Cluster, two: Cluster, alike: dict[int, set[int]]) -> bool:
    """Tell whether `one` is as like others who are certainly not `two`, or not each other: homonyms in one company."""
    people = looks.people
    found = {people.of(other).root: people.of(other) for record in one.records for other in alike.get(record, ())}
    others = [third for third in found.values() if third is not one and third is not two]
    return any(_are_two(looks, third, fourth) for third, fourth in combinations([two, *others], 2))


def _are_two(looks: Looks, one: Cluster, two: Cluster) -> bool:
    looked = looks.of(one, two)
    return looked is None or looked.two_desks or looked.two_mobiles


def doubtful(looks: Looks, pairs: Pairs) -> list[Doubt]:
    """Return the pairs of clusters that could be one person's and were not joined."""
    people = looks.people
    doubts: list[Doubt] = []
    seen: set[tuple[int, int]] = set()
    names: Counter[str] = Counter(name.key for cluster in people.all() for name in cluster.names)
    for a, b in pairs:
        one, two = people.of(a), people.of(b)
        roots = (min(one.root, two.root), max(one.root, two.root))
        if one is two or roots in seen:
            continue
        seen.add(roots)
        looked = looks.of(one, two)
        if looked is None:
            continue
        weight = _doubt(looked, min((names[name.key] for name in one.names), default=99))
        if weight > 0:
            doubts.append(Doubt(weight, min(a, b), max(a, b), {"weight": weight, **looked.evidence()}))
    return doubts


def _doubt(looked: Look, bearers: int) -> float:
    """Return how much a pair that no rule joined deserves a question, 0 for none."""
    agreement = looked.agreement
    if looked.near_mailbox or (looked.same_mailbox and agreement == Agreement.RENAMED):
        return 6.0 + agreement
    if looked.same_mobile:
        return 6.0 + agreement
    if looked.two_desks:
        return 0.0
    if agreement >= Agreement.SLIP and (looked.same_company or looked.same_phone):
        return 3.0 + agreement - 2.0 * looked.two_mobiles + looked.same_phone
    if agreement == Agreement.SAME and bearers <= 2 and not looked.two_mobiles:
        return 1.0
    return 0.0


def worth_asking(
    people: People, doubts: list[Doubt], asked_before: Iterable[tuple[int, int]], how_many: int
) -> list[Doubt]:
    """Return the best questions, one a pair of people, so many as somebody can answer; none that was asked before."""
    asked: set[tuple[int, int]] = set()
    for a, b in asked_before:
        one, two = people.of(a), people.of(b)
        asked.add((min(one.root, two.root), max(one.root, two.root)))
    kept: list[Doubt] = []
    for doubt in sorted(doubts, key=lambda doubt: (-doubt.weight, doubt.one, doubt.two)):
        one, two = people.of(doubt.one), people.of(doubt.two)
        roots = (min(one.root, two.root), max(one.root, two.root))
        if one is two or roots in asked or people.are_apart(one, two):
            continue
        asked.add(roots)
        kept.append(doubt)
    if not how_many:  # of few records one thing may be asked, if it is more than a name
        return [doubt for doubt in kept[:1] if doubt.weight >= WORTH_ASKING_ALONE]
    return kept[:how_many]
