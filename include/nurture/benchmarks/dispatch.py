"""Dispatch: how fast due messages become accepted ones, ledger, permission and rendering included.

Beside it, in the same run, the usual way: the same library, one call a lead, as Airflow's provider for SendGrid does.
"""

import uuid
from datetime import timedelta
from itertools import count
from typing import Any

import sqlalchemy as sa

from nurture import db, dispatch
from nurture.answers import Unanswered
from nurture.benchmarks import world
from nurture.benchmarks.crash.parts import Parts
from nurture.benchmarks.measuring import Bench
from nurture.definitions.limits import Limits
from nurture.definitions.load import load_products
from nurture.definitions.products import Product
from nurture.sendgrid import SendGrid

ONE_BY_ONE = 300  # leads that are mailed in the usual way


def run(bench: Bench, *, over_http: bool = True) -> None:
    """Send one mail to every lead: to nobody, to the sandbox over HTTP, and one call a lead."""
    loaded = load_products()
    product = next(iter(loaded.products.values()))
    product = product.model_copy(update={"calendar": "always", "limits": Limits(mails_per_day=100_000_000)})
    company = loaded.company.model_copy(update={"sending_domains": {}})
    email = min(product.emails)
    at = world.UNTIL + timedelta(hours=12)
    with bench.engine().connect() as conn:
        world.build(bench, conn, tuple(loaded.products), tuple(product.emails), signals_a_lead=0)
        sql = db.statements("benchmarks")
        for entry, name, send in _ways(bench, over_http):
            mail_type = "know_how"
            planned = db.count(
                conn, sql.add_messages, product=product.product, entry=entry, email=email, mail_type=mail_type,
                until=world.UNTIL,
            )  # fmt: skip
            conn.commit()
            conn.execute(sa.text("analyze messages"))
            conn.commit()
            with bench.phase(name, planned):
                found = dispatch.send_due(conn, product, company, at, at, send, _links())
            bench.figures[name] = {key: number for key, number in found.items() if number}
            at += timedelta(days=30)  # past the frequency cap
    if over_http:
        _one_by_one(bench, product)


def _links() -> dispatch.Links:
    return dispatch.Links("https://receiver.example", uuid.uuid4().bytes)


def _ways(bench: Bench, over_http: bool) -> Any:
    """Yield (plan entry, what is measured, the function that sends)."""
    number = count()
    yield "to_nobody", "ledger, permission and rendering alone", lambda _: f"request{next(number)}"
    if not over_http:
        return
    stack = Parts(bench.folder / "sandbox_of_dispatch")
    stack.start()
    try:
        account = SendGrid("SG.crash", f"http://127.0.0.1:{stack.sandbox_port}")
        yield "to_the_sandbox", "and over HTTP to the sandbox", account.send
    finally:
        stack.stop()


def _one_by_one(bench: Bench, product: Product) -> None:
    """Mail some leads with one call each, without a ledger: what the ratio is taken to."""
    stack = Parts(bench.folder / "sandbox_of_one_by_one")
    stack.start()
    try:
        account = SendGrid("SG.crash", f"http://127.0.0.1:{stack.sandbox_port}")
        with bench.phase("the usual way: one call a lead", ONE_BY_ONE) as advance:
            for number in range(ONE_BY_ONE):
                body = {
                    "personalizations": [{"to": [{"email": f"lead{number}@one.example"}]}],
                    "from": {"email": product.sender.email}, "subject": "件名",
                    "content": [{"type": "text/html", "value": "<p>本文</p>" * 400}],
                }  # fmt: skip
                try:
                    account.send(body)
                except Unanswered as error:
                    bench.say(str(error))
                advance(1)
    finally:
        stack.stop()
    rates = [phase.rows_per_second or 1 for phase in bench.phases[-2:]]
    bench.figures["times_the_usual_way"] = round(rates[0] / rates[1], 1)
