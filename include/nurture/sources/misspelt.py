"""Misspelt: addresses that look mistyped, with what they may mean; nothing is changed by it."""

from collections import Counter
from typing import NamedTuple

import sqlalchemy as sa

from nurture import db
from nurture.normalise.domains import company_meant


class Slip(NamedTuple):
    """A record whose address looks mistyped."""

    file: str
    line: int
    source: str
    source_key: str
    address: str
    proposed: str


def misspelt(conn: sa.Connection, file: str | None = None, at_most: int = 1_000) -> list[Slip]:
    """Return the records whose domain is a slip of freemail's, or of a frequent one of the same company."""
    sql = db.statements("sources")
    wanted = {"file": file, "at_most": at_most}
    found = [Slip(*row) for row in db.run(conn, sql.proposed_addresses, **wanted)]
    counts: Counter[str] = Counter()
    companies: dict[str, set[str]] = {}
    for domain, company, count in db.run(conn, sql.company_domains):
        counts[domain] += count
        if company:
            companies.setdefault(domain, set()).add(company)
    meant = company_meant(counts, companies)
    if meant:
        for row in db.run(conn, sql.records_of_domains, domains=sorted(meant), **wanted):
            proposed = row.address.removesuffix(row.domain) + meant[row.domain]
            found.append(Slip(row.file, row.line, row.source, row.source_key, row.address, proposed))
    return found[:at_most]
