"""Companies: which company a record is of: by its number, its domain, or its name and place; freemail is none."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rapidfuzz.distance import OSA

from nurture.matching.candidates import Row

Evidence = tuple[str, str, str, int]  # kind, value, account key, how many records say so
_OF_ONE = 2  # names of companies on one mailbox: its holder moved, or a slip
_SMALL = 0.15  # a name that so few of a domain's records bear is a slip or somebody's former employer


def assign(rows: Sequence[Row], known: Iterable[Evidence] = ()) -> tuple[dict[int, str], list[Evidence]]:
    """Return each record's account key ('' where nothing says), and the evidence of these records for keeping.

    An account is known by its domain; one that no record gives a domain, by its name, and by its place where the
    name alone is several companies'. `known` is the evidence of earlier records about the keys of these.
    """
    said: dict[tuple[str, str], Counter[str]] = {}
    for kind, value, account, count in known:
        said.setdefault((kind, value), Counter())[account] += count
    added: dict[tuple[str, str], Counter[str]] = {}
    found: dict[int, str] = {}
    if borrowed := _borrowed(rows, said):
        rows = [row._replace(domain="") if (row.domain, row.company) in borrowed else row for row in rows]
    alike: dict[tuple[str, ...], list[Row]] = {}  # who says the same is told once
    for row in rows:
        alike.setdefault((row.domain, row.company, row.corporate_number, row.phone, row.place), []).append(row)

    def tell(members: list[Row], account: str) -> None:
        for row in members:
            found[row.record_id] = account
        for key in (*keys_of(members[0]), ("account", account)):
            for counts in (added, said):
                by_account = counts.get(key)
                if by_account is None:
                    by_account = counts[key] = Counter()
                by_account[account] = by_account.get(account, 0) + len(members)

    aliases = _misspelt(rows, said)
    rest: list[list[Row]] = []
    for members in alike.values():
        domain = members[0].domain
        if domain and domain not in aliases:
            owners = said.get(("domain", domain))
            tell(members, _most(owners) if owners else f"domain:{domain}")
        else:
            rest.append(members)

    def surest_first(members: list[Row]) -> tuple[bool, bool, bool, int]:
        row = members[0]
        return not row.corporate_number, not _by_phone(row, said), not row.phone, row.record_id

    for members in sorted(rest, key=surest_first):
        row = members[0]
        if row.domain:
            tell(members, aliases[row.domain])
        elif account := _by_keys(row, said):
            tell(members, account)
        elif row.company:
            tell(members, f"company:{row.company}")
    return found, [(*key, account, count) for key, counts in added.items() for account, count in counts.items()]


def keys_of(row: Row) -> list[tuple[str, str]]:
    """Return by what a row is a company's."""
    found = [
        ("domain", row.domain), ("company", row.company), ("corporate_number", row.corporate_number),
        ("phone", row.phone),
        ("place", f"{row.company}@{row.place}" if row.company and row.place else ""),
    ]  # fmt: skip
    return [(kind, value) for kind, value in found if value]


def _by_keys(row: Row, said: dict[tuple[str, str], Counter[str]]) -> str:
    """Return the account that the row's number, name and place point to; '' where they do not or disagree."""
    numbered = said.get(("corporate_number", row.corporate_number)) if row.corporate_number else None
    if numbered and (account := _one(numbered)):
        return account
    named = said.get(("company", row.company)) if row.company else None
    phoned = said.get(("phone", row.phone)) if row.phone else None
    if not row.company:
        return _one(phoned) if phoned and sum(phoned.values()) > 1 else ""
    if not named:
        # A name nobody else bears: a slip of a company's that has this switchboard, else a company of its own.
        return _by_phone(row, said)
    if (account := _one(named)) and not _is_former(row.company, account, said):
        return account
    likely = {account for account, count in named.items() if count >= _SMALL * sum(named.values())}
    for kind, value in (("phone", row.phone), ("place", f"{row.company}@{row.place}")):
        by_kind = said.get((kind, value))
        if by_kind:
            agreeing = Counter({account: count for account, count in by_kind.items() if account in likely})
            if agreeing and (account := _one(agreeing)):
                return account
    return f"company:{row.company}@{row.place}" if row.place else f"company:{row.company}"


def _is_former(company: str, account: str, said: dict[tuple[str, str], Counter[str]]) -> bool:
    """Tell whether so few of a company's records bear a name that it is somebody's former employer's.

    A name in Latin letters may be how the company writes its own abroad.
    """
    size = said.get(("account", account), Counter())[account]
    return not company.isascii() and said["company", company][account] <= _SMALL * size


def _by_phone(row: Row, said: dict[tuple[str, str], Counter[str]]) -> str:
    """Return the account that several records show to have the row's switchboard, or ''."""
    phoned = said.get(("phone", row.phone)) if row.phone else None
    return _one(phoned) if phoned and sum(phoned.values()) > 2 else ""


def _one(counts: Counter[str]) -> str:
    """Return the account that nearly all records name, or ''."""
    if len(counts) == 1:
        return next(iter(counts))
    (account, count), *others = counts.most_common(2)
    return account if not others or others[0][1] <= _SMALL * count else ""


def _most(counts: Counter[str]) -> str:
    return min(counts, key=lambda account: (-counts[account], account))


def _borrowed(rows: Sequence[Row], said: dict[tuple[str, str], Counter[str]]) -> set[tuple[str, str]]:
    """Return the domains, each with the company of a record, that are not that company's: a rep's or an agency's.

    A mailbox whose records bear several companies' names is nobody's of them, but of the company that other mailboxes
    of its domain name.
    """
    named: dict[str, set[str]] = {}
    for row in rows:
        if row.mailbox and row.domain and row.company:
            named.setdefault(row.mailbox, set()).add(row.company)
    lent = {mailbox for mailbox, companies in named.items() if len(companies) > _OF_ONE}
    if not lent:
        return set()
    own = {(row.domain, row.company) for row in rows if row.domain and row.mailbox not in lent}
    return {
        (row.domain, row.company) for row in rows
        if row.mailbox in lent and row.company and (row.domain, row.company) not in own
        and f"domain:{row.domain}" not in said.get(("company", row.company), ())
    }  # fmt: skip


def _misspelt(rows: Sequence[Row], said: dict[tuple[str, str], Counter[str]]) -> dict[str, str]:
    """Return domains that are a slip of another one: seen once or twice, a letter away, at the same company."""
    seen: Counter[str] = Counter(row.domain for row in rows if row.domain)
    beside: dict[tuple[str, str], set[str]] = {}
    of: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        if row.domain:
            for key in (("company", row.company), ("phone", row.phone)):
                if key[1]:
                    beside.setdefault(key, set()).add(row.domain)
                    of.setdefault(row.domain, set()).add(key)
    aliases: dict[str, str] = {}
    for domain, count in seen.items():
        if count > 2 or ("domain", domain) in said:
            continue
        for key in sorted(of.get(domain, ())):
            near = [
                other for other in beside[key]
                if other != domain and seen[other] > 2 * count and OSA.distance(domain, other, score_cutoff=2) <= 2
            ]  # fmt: skip
            known = [
                account for account in said.get(key, ())
                if account.startswith("domain:") and OSA.distance(domain, account[7:], score_cutoff=2) <= 2
            ]  # fmt: skip
            if near or known:
                aliases[domain] = f"domain:{max(near, key=lambda other: (seen[other], other))}" if near else known[0]
                break
    return aliases
