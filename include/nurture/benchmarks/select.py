"""Select: segments, planning, `nurture check` and the DAGs of fifty products, over a million leads.

The conditions are measured as a marketer writes them; what is planned is half of all leads at once.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from nurture import db, plan, segments
from nurture.benchmarks import world
from nurture.benchmarks.measuring import Bench
from nurture.definitions.conditions import Condition
from nurture.definitions.load import include_root, load_products
from nurture.definitions.products import PlanEntry, Product

PRODUCTS = 50
# Three attributes and two behaviours, as the budget says.
ASKED = {
    "all": [
        {"industry": ["manufacturing", "logistics", "wholesale"]}, {"employees": {"min": 50}},
        {"title": ["manager", "director", "executive"]},
        {"any": [{"visited": "/pricing*", "within": "90 days"}, {"clicked": {"mail_type": "case_study"},
        "within": "180 days"}]},
    ]
}  # fmt: skip
HALF = {"region": ["kanto", "chubu"]}
_PARSE = """
import airflow.sdk, runpy, sys, time
from nurture import tasks, pipeline
begun, cpu = time.perf_counter(), time.process_time()
found = runpy.run_path(sys.argv[1])
dags = sum(type(one).__name__ == "DAG" for name, one in found.items() if name.startswith("nurture_"))
print(dags, time.perf_counter() - begun, time.process_time() - cpu)
"""


def run(bench: Bench) -> None:
    """Build the world, and measure what reads it."""
    loaded = load_products()
    product = next(iter(loaded.products.values()))
    with bench.engine().connect() as conn:
        made = world.build(bench, conn, tuple(loaded.products), tuple(product.emails))
        bench.figures |= {"leads": made.leads, "signals": made.signals}
        one = with_segments(product, {"asked": ASKED})
        _refresh(bench, conn, one, 0, "one segment, from nobody", 10)
        _refresh(bench, conn, one, 0, "the same again", 10)
        day = (made.until + timedelta(days=1)).date()
        db.run(conn, db.statements("benchmarks").add_a_day, product=product.product, day=day, seed=bench.seed)
        conn.commit()
        _refresh(bench, conn, one, 1, "after a day's change", 2)
        _refresh(bench, conn, with_segments(product, _twenty()), 1, "20 segments", 60)
        _plan(bench, conn, with_segments(product, {"half": HALF}))
    _definitions(bench)


def with_segments(product: Product, asked: Mapping[str, Any]) -> Product:
    """Return a product with these segments in the place of its own, and no scenarios."""
    read: TypeAdapter[Any] = TypeAdapter(Condition)
    parsed = {name: read.validate_python(condition) for name, condition in asked.items()}
    return product.model_copy(update={"segments": parsed, "scenarios": {}})


def _refresh(bench: Bench, conn: sa.Connection, product: Product, days: int, name: str, budget: float) -> None:
    with bench.phase(name, bench.rows, budget=budget):
        counts = segments.refresh(conn, product, world.UNTIL + timedelta(days=days))
    bench.figures[name] = {key: counts[key] for key in ("members", "joined", "departed")}


def _twenty() -> dict[str, Any]:
    """Return twenty segments: attributes, behaviours, and what is built on others."""
    found: dict[str, Any] = {}
    for number in range(5):
        days = f"{30 + 30 * number} days"
        found |= {
            f"looked_{number}": {"any": [{"visited": "/pricing*", "within": days}, {"submitted": "document_request",
            "within": days}]},
            f"read_{number}": {"all": [{"clicked": True, "within": days}], "none": [{"lifecycle": ["customer",
            "opportunity"]}]},
            f"often_{number}": {"all": [{"visited": True, "times": 2 + number}, {"department": ["it",
            "general_affairs"]}]},
            f"rest_{number}": {"all": [{"region": "kanto"}],
            "none": [{"segment": f"looked_{number}"}, {"segment": f"read_{number}"}]},
        }  # fmt: skip
    return found


def _plan(bench: Bench, conn: sa.Connection, product: Product) -> None:
    segments.refresh(conn, product, world.UNTIL)
    email = next(iter(product.emails))
    entry = PlanEntry.model_validate(
        {"name": "half_of_all", "date": world.UNTIL.date(), "email": email, "to": "half", "mail_type": "know_how"}
    )
    asked = product.model_copy(update={"plan": [entry]})
    calendar = load_products().company.calendars[product.calendar]
    with bench.phase("plan a mail to half of all", bench.rows // 2, budget=30):
        counts = plan.plan_due(conn, asked, calendar, world.UNTIL + timedelta(hours=10))
    bench.figures["planned"] = counts["planned"]


def _definitions(bench: Bench) -> None:
    """Check and parse fifty copies of the products of this checkout, each in a process of its own, as people do."""
    root = bench.folder / "include"
    shutil.copytree(include_root(), root, ignore=shutil.ignore_patterns("nurture", "products", "__pycache__"))
    folders = [folder for folder in sorted((include_root() / "products").iterdir()) if folder.is_dir()]
    for number in range(PRODUCTS):
        _copy(folders[number % len(folders)], root / "products", number)
    environment = {**os.environ, "NURTURE_INCLUDE": str(root), "AIRFLOW_HOME": str(bench.folder / "airflow")}
    with bench.phase(f"check {PRODUCTS} products", PRODUCTS, budget=3):
        done = subprocess.run(
            [sys.executable, "-m", "nurture.cli", "check"], env=environment, capture_output=True, text=True, check=False
        )
    told = done.stdout.splitlines()
    bench.figures["check"] = next((line for line in told if line.startswith("In order")), done.stderr)
    dags = Path(__file__).parents[3] / "dags" / "nurture_products.py"
    if not dags.exists():
        return
    with bench.phase(f"parse {PRODUCTS} DAGs, with Airflow's start", PRODUCTS):
        done = subprocess.run(
            [sys.executable, "-c", _PARSE, str(dags)], env=environment, capture_output=True, text=True, check=True
        )
    parsed, seconds, cpu = done.stdout.split()[-3:]
    bench.figures["parse"] = {"dags": int(parsed), "seconds": float(seconds), "cpu_seconds": float(cpu), "budget": 2}


def _copy(folder: Path, products: Path, number: int) -> None:
    """Copy a product under another name, its mails in other letters: nothing of them is compiled once for two."""
    name = f"{folder.name}_{number:02d}"
    shutil.copytree(folder, products / name)
    for template in [*(products / name).rglob("*.mjml"), *(products / name).rglob("*.txt")]:
        template.write_text(f"{template.read_text('utf-8')}{{# {name} #}}", "utf-8")
    page = products / name / "product.yaml"
    page.write_text(page.read_text("utf-8").replace(f"product: {folder.name}", f"product: {name}", 1), "utf-8")
