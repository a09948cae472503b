"""Budget: one lead has one frequency budget across products; planning forecasts who gets a place in it, and when.

The claim in dispatch judges by the same budget at the last moment, and has the last word (N4).
"""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from nurture import db
from nurture.definitions.products import Company, Product


def forecast(
    conn: sa.Connection, product: Product, company: Company, products: Mapping[str, Product], as_of: datetime
) -> int:
    """Move the planned mails for which there is no place yet; return how many.

    For the people for whom `product` planned something at `as_of`, whoever's the mails are: the product with the
    smaller priority comes first. What is moved is not dropped: it becomes too late by as much later.
    """
    moved = db.run(
        conn, db.statements("budget").forecast,
        product=product.product, as_of=as_of, mails=company.frequency.mails, span=company.frequency.within.span(),
        priorities=db.as_json({name: other.priority for name, other in products.items()}),
    ).scalar_one()  # fmt: skip
    conn.commit()
    return moved
