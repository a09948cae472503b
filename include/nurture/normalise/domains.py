"""Domains: what a mistyped one may mean. A proposal for a person to judge, never applied."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache

from rapidfuzz.distance import OSA

from nurture.normalise.texts import REMEMBERED

SHORTEST = 5  # letters of a name that one slip leaves recognisable: aol.com is a slip of too many others
RARE = 2  # records with a domain that may be a slip
TIMES = 10  # as often as the slip stands what was meant
# Names of mailboxes only, under which no company stands: whatever follows them, it is not one.
_MAIL_ONLY = frozenset(
    {"gmail", "googlemail", "yahoo", "ymail", "hotmail", "outlook", "icloud", "docomo", "ezweb", "rocketmail"}
)


class Slips:
    """Domains that are known, found again from one slip of the keys: a letter too many, missing, wrong or swapped."""

    def __init__(self, known: Iterable[str]) -> None:
        """Take the domains that are spelt right."""
        self._by_part: dict[str, list[str]] = {}
        for domain in sorted(known):
            if len(domain.partition(".")[0]) >= SHORTEST:
                for part in _parts(domain):
                    self._by_part.setdefault(part, []).append(domain)

    def near(self, domain: str) -> list[str]:
        """Return the known domains that are one slip away."""
        found = {other for part in _parts(domain) for other in self._by_part.get(part, ())}
        return sorted(other for other in found if OSA.distance(domain, other, score_cutoff=1) == 1)


@lru_cache(REMEMBERED)
def freemail_meant(host: str, freemail: frozenset[str]) -> str | None:
    """Return the freemail domain that a host is a slip of (gmial.com, yahoo.co.jo, ymail.co.jp), or None."""
    if host in freemail:
        return None
    name, _, ending = host.partition(".")
    # Another first letter makes another word (fifty.com) rather than a slip, but of names that are nothing but mail's.
    near = [
        other for other in _slips(freemail).near(host)
        if other[0] == host[0] or other.partition(".")[0] in _MAIL_ONLY
    ]  # fmt: skip
    if not near and name in _MAIL_ONLY:
        near = [other for other in freemail if other.partition(".")[0] == name]
    last = ending.rpartition(".")[2]
    return min(near, key=lambda other: (not other.endswith(last), OSA.distance(host, other), other), default=None)


def company_meant(counts: Mapping[str, int], companies: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Return rare domains that are one slip from a frequent one of the same company, each with that one.

    `counts` are records by domain, `companies` the names of companies that stand beside each domain.
    """
    slips = Slips(domain for domain, count in counts.items() if count >= TIMES)
    found: dict[str, str] = {}
    for domain, count in counts.items():
        if count > RARE:
            continue
        beside = set(companies.get(domain, ()))
        near = [
            other for other in slips.near(domain)
            if counts[other] >= TIMES * count and (not beside or beside & set(companies.get(other, ())))
        ]  # fmt: skip
        if near:
            found[domain] = max(near, key=lambda other: (counts[other], other))
    return found


@lru_cache(4)
def _slips(known: frozenset[str]) -> Slips:
    return Slips(known)


def _parts(domain: str) -> Iterator[str]:
    """Yield a domain, and it without one letter: two domains a slip apart have one of these in common."""
    yield domain
    for at in range(len(domain)):
        yield domain[:at] + domain[at + 1 :]
