"""Tasks: the stages as Airflow runs them. The one module that knows Airflow.

What a task returns to XCom is counts, never rows and never a person's data (N9).
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from airflow.sdk import DAG, Connection, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from nurture import connections, db, dispatch, events, handoff, refusals, runs
from nurture.definitions.load import BrokenDefinition, load_products, load_sources
from nurture.pipeline import Counts, Edges, Work
from nurture.problem import Problem

log = logging.getLogger(__name__)
KINDS = {"scheduled": "scheduled", "backfill": "backfill", "asset_triggered": "asset_triggered"}  # others are manual


def options(**others: Any) -> dict[str, Any]:
    """Return what every DAG is made with: its retries, and what a person may set when triggering it by hand."""
    at = Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="As if it were",
        description="A moment with its zone, such as 2026-11-20T10:00:00+09:00. Empty: now.",
    )
    dry_run = Param(
        False,
        type="boolean",
        title="Dry run",
        description="Mails nobody, enrolls nobody, hands nothing off; the log says what would have been.",
    )
    return {
        "start_date": datetime(2020, 1, 1, tzinfo=UTC),  # a manual run for a date before it does nothing, and is green
        "catchup": False,
        "max_active_runs": 1,
        "default_args": {"retries": 2, "retry_delay": timedelta(seconds=10), "retry_exponential_backoff": 2.0},
        "params": {"at": at, "dry_run": dry_run},
        **others,
    }


def operator(name: str, function: Callable[[Work], Counts], product: str = "", room: str = "") -> Any:
    """Make a task of a stage's function, which runs when the earlier tasks have ended, well or not.

    In a `room` it is alone: a backfill heeds no limit of Airflow's, and shared work finds nothing left the second time.
    """

    @task(task_id=name, trigger_rule="all_done")
    def run() -> Counts:
        return run_one(function, product, room)

    return run()


def add_begin(product: str | None = None) -> Any:
    """Make the first task of a DAG; what it gives is for `add_end`."""
    return task(begin)(product)


def add_end(dag: DAG, begun: Any) -> None:
    """Make the last two tasks of a DAG: the record of its end, and the run's failure if any of its tasks failed."""
    leaves = [found for found in dag.tasks if not found.downstream_task_ids]
    with dag:
        end: Any = task(trigger_rule="all_done")(finish)(begun)
        leaves >> end
        verdict: Any = task(trigger_rule="one_failed", retries=0)(every_stage_succeeded)()
        [found for found in dag.tasks if found.task_id != "every_stage_succeeded"] >> verdict


@dataclass(frozen=True)
class Run:
    """What the run that a task belongs to says of time and permission (N6, N7)."""

    dag: str
    kind: str
    as_of: datetime
    at: datetime
    is_dry: bool

    @classmethod
    def current(cls) -> "Run":
        """Read the running task's context; a manual run's param `at` sets both clocks."""
        context: Any = get_current_context()
        dag_run, params = context["dag_run"], context["params"]
        kind = KINDS.get(getattr(dag_run.run_type, "value", dag_run.run_type), "manual")
        asked = db.moment(params["at"]) if kind == "manual" and params.get("at") else None
        as_of = context["data_interval_end"] if kind in ("scheduled", "backfill") else asked or dag_run.run_after
        return cls(dag_run.dag_id, kind, as_of, asked or datetime.now(UTC), bool(params.get("dry_run")))

    def is_live(self, conn: sa.Connection) -> bool:
        """Say whether this run may change what is live: no backfill, no dry run, and none newer has begun."""
        live = self.kind != "backfill" and not self.is_dry and runs.is_newest(conn, self.dag, self.as_of)
        if not live:
            log.info("Not the newest live run: nobody is mailed, enrolled or handed off (N7)")
        return live


def run_one(function: Callable[[Work], Counts], product: str, room: str) -> Counts:
    """Run one function of the pipeline for the run that is under way, say what it counted, and return that."""
    run, loaded = Run.current(), load_products()
    if product in loaded.problems:
        raise BrokenDefinition(loaded.problems[product])
    with database() as conn:
        if room:
            runs.enter(conn, room)
        live = run.is_live(conn)
        try:
            counts = function(Work(conn, loaded, load_sources(), edges(), run.as_of, run.at, live, product))
        except dispatch.Stopped as stopped:
            say(stopped.counts)
            raise
    say(counts)
    if "files" in counts and counts["unreadable"]:
        raise Problem(f"{counts['unreadable']} files of the inbox cannot be read: `nurture land` says why")
    if counts.get("failed") and not counts.get("pushed"):
        raise Problem(f"the CRM took none of {counts['failed']} hand-offs: the table handoffs keeps the reasons")
    return counts


def begin(product: str | None = None) -> int:
    """Record that this run has begun; a dry run leaves no trace. Returns the run's id, or 0."""
    run = Run.current()
    if run.is_dry:
        return 0
    with database() as conn:
        return runs.begin(conn, run.dag, product, run.as_of, run.kind)


def finish(begun: int) -> None:
    """Record that this run has ended; `begun` is what `begin` returned (Airflow keeps the name run_id for itself)."""
    with database() as conn:
        runs.finish(conn, begun)


def every_stage_succeeded() -> None:
    """Fail the run: this task runs only when another has failed, which Airflow alone would call a success."""
    raise AirflowFailException("a stage failed: see the red task of this run")


def reconcile_suppressions(work: Work) -> Counts:
    """Take over what the provider's own lists hold."""
    return refusals.reconcile(work.conn, work.at, work.edges.sendgrid.suppressed)


def tell_refusals(work: Work) -> Counts:
    """Tell the provider who refused everything, and who took it back."""
    if not work.live:
        return {"refusals": 0}
    account = work.edges.sendgrid
    return refusals.tell(work.conn, work.at, account.suppress_everywhere, account.release_everywhere)


def ensure_partitions(work: Work) -> Counts:
    """Make the coming months' partitions."""
    return events.ensure_partitions(work.conn, work.at)


def pull_outcomes(work: Work) -> Counts:
    """Ask the CRM what became of what was handed off."""
    return handoff.pull_outcomes(work.conn, work.as_of, work.edges.crm)


@contextmanager
def database() -> Iterator[sa.Connection]:
    """Open the database of the Connection `nurture_db`."""
    found = Connection.get("nurture_db")
    address = sa.URL.create(
        "postgresql+psycopg2", found.login, found.password, found.host, found.port, found.schema or "nurture"
    )
    with db.engine(address.render_as_string(hide_password=False)).connect() as conn:
        yield conn


def edges() -> Edges:
    """Return the edges of the Connections `sendgrid_default` and `crm_hubspot`, and of those that sources name.

    An inbox such as s3://aws_default@bucket/leads is opened with that Connection's credentials.
    """
    sendgrid, crm = Connection.get("sendgrid_default"), Connection.get("crm_hubspot")
    made = Edges.of(os.environ, (sendgrid.host or "", sendgrid.password or ""), (crm.host or "", crm.password or ""))
    if "://" in (inbox := str(made.inbox)):
        from airflow.sdk import ObjectStoragePath  # it takes 0.5 s to import, and only an object store needs it

        made = replace(made, inbox=ObjectStoragePath(inbox))
    return replace(made, connection=address_of_connection)


def address_of_connection(name: str) -> str:
    """Return the address of the database that a Connection names."""
    found = Connection.get(name)
    kind, extra = found.conn_type or "", found.extra_dejson
    return connections.address_of(kind, found.host, found.login, found.password, found.port, found.schema, extra)


def say(counts: Counts) -> None:
    """Write the counts to the task's log."""
    log.info(", ".join(f"{number:,} {name}" for name, number in counts.items()) or "nothing to count")
