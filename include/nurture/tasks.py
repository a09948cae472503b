"""Tasks: the stages as Airflow runs them. The one module that knows Airflow.

What a task returns to XCom is counts, never rows and never a person's data (N9).
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from airflow.sdk import DAG, Connection, Param, TaskGroup, get_current_context, task
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from sqlalchemy.exc import OperationalError

from nurture import alerts, approvals, connections, db, dispatch, events, handoff, refusals, runs
from nurture.answers import Refused, Unanswered
from nurture.definitions.load import BrokenDefinition, load_products, load_sources
from nurture.definitions.products import Product
from nurture.pipeline import Counts, Edges, Work
from nurture.problem import Problem

log = logging.getLogger(__name__)
# When the DAGs that serve all products run: name to (cron, time zone).
SCHEDULES = {"nurture_pulse": ("*/5 * * * *", "UTC"), "nurture_care": ("0 4 * * *", "Asia/Tokyo")}
YES, NO = "Approve", "Reject"
WHY = "why"  # the XCom in which a failed task keeps its reason for `finish`
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
        "on_failure_callback": tell_failure,
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
        try:
            return run_one(function, product, room)
        except (Problem, dispatch.Stopped, Refused, Unanswered) as known:
            context: Any = get_current_context()
            context["ti"].xcom_push(WHY, str(known))
            raise

    return run()


def add_begin(product: str | None = None) -> Any:
    """Make the first task of a DAG; what it gives is for `add_end`."""
    return task(begin)(product)


def add_end(dag: DAG, begun: Any) -> None:
    """Make a DAG's last tasks: the record of its end, the alerts, and the run's failure if any of its tasks failed."""
    leaves = [found for found in dag.tasks if not found.downstream_task_ids]
    with dag:
        end: Any = task(trigger_rule="all_done")(finish)(begun)
        leaves >> end >> task(trigger_rule="all_done")(tell)()
        verdict: Any = task(trigger_rule="one_failed", retries=0)(every_stage_succeeded)()
        [found for found in dag.tasks if found.task_id != "every_stage_succeeded"] >> verdict


@dataclass(frozen=True)
class Run:
    """What the run that a task belongs to says of time and permission (N6, N7)."""

    dag: str
    name: str
    kind: str
    as_of: datetime
    at: datetime
    is_dry: bool

    @classmethod
    def current(cls) -> "Run":
        """Read the running task's context."""
        return cls.of(get_current_context())

    @classmethod
    def of(cls, context: Any) -> "Run":
        """Read a context; a manual run's param `at` sets both clocks."""
        dag_run, params = context["dag_run"], context["params"]
        kind = KINDS.get(getattr(dag_run.run_type, "value", dag_run.run_type), "manual")
        asked = db.moment(params["at"]) if kind == "manual" and params.get("at") else None
        as_of = context["data_interval_end"] if kind in ("scheduled", "backfill") else asked or dag_run.run_after
        return cls(dag_run.dag_id, dag_run.run_id, kind, as_of, asked or datetime.now(UTC), bool(params.get("dry_run")))

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
            counts = function(
                Work(conn, loaded, load_sources(), edges(), run.as_of, run.at, live, product, progress=_progress)
            )
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
        return runs.begin(conn, run.dag, product, run.as_of, run.kind, run.name)


def finish(begun: int) -> None:
    """Record that this run has ended, and what failed in it.

    `begun` is what `begin` returned (Airflow keeps the name run_id for itself).
    """
    context: Any = get_current_context()
    ti = context["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])[ti.run_id]
    failed = sorted(name for name, state in states.items() if state == "failed" and name != "every_stage_succeeded")
    unknown = "it was killed or broke off, as its log says"
    with database() as conn:
        runs.finish(conn, begun, {name: ti.xcom_pull(task_ids=name, key=WHY) or unknown for name in failed})


def every_stage_succeeded() -> None:
    """Fail the run: this task runs only when another has failed, which Airflow alone would call a success."""
    raise AirflowFailException("a stage failed: see the red task of this run")


def tell() -> Counts:
    """Look for troubles, and tell people those of which they have not heard."""
    if Run.current().is_dry:
        return {}
    with database() as conn:
        counts = tell_troubles(conn)
    say(counts)
    return counts


def tell_failure(context: Any) -> None:
    """Tell people of a failed run, also where its own last tasks were killed: Airflow's dag-processor calls this.

    Without a database nothing remembers what was told, so only the first failure in a row is.
    """
    dag, name, why = context["dag"].dag_id, context["run_id"], f"Airflow says {context.get('reason')}"
    try:
        with database() as conn:
            if not runs.fail(conn, dag, name, why) and "dag_run" in context and not (run := Run.of(context)).is_dry:
                runs.begin(conn, dag, None, run.as_of, run.kind, name)
                runs.fail(conn, dag, name, why)
            tell_troubles(conn)
    except OperationalError:
        before = context["ti"].get_previous_dagrun() if "ti" in context else None
        if before is None or before.state != "failed":
            what = f"{dag} failed: {why}; nothing is planned, sent or recorded meanwhile, and nothing is lost"
            mend = "nurture status, then nurture up; with a server of your own see whether it answers"
            lost = alerts.Alert(0, "database", None, what, mend, datetime.now(UTC))
            for notify in channels().values():
                notify(alerts.letter([lost], conf.get("api", "base_url", fallback="")))


def tell_troubles(conn: sa.Connection) -> Counts:
    """Look for troubles at this moment, and tell each channel those that it has not told."""
    from nurture import troubles

    runs.enter(conn, "alerts")  # two runs that end together tell a trouble once
    at = datetime.now(UTC)
    counts = troubles.look(conn, load_products().products, SCHEDULES, at)
    conn.commit()
    for alert in alerts.open_alerts(conn):
        log.warning("%s; mend: %s", alert.what, alert.mend)
    counts["told"] = 0
    failures: list[str] = []
    for channel, notify in channels().items():
        if untold := alerts.open_alerts(conn, channel):
            try:
                notify(alerts.letter(untold, conf.get("api", "base_url", fallback="")))
            except (OSError, ValueError, AirflowException) as error:  # smtplib's errors are OSErrors
                failures.append(f"alerts did not leave by {channel}: {error}")
                continue
            alerts.told(conn, channel, untold, at)
            conn.commit()
            counts["told"] += len(untold)
    if failures:
        raise Problem("; ".join(failures))
    return counts


def channels(env: Mapping[str, str] = os.environ) -> dict[str, Callable[[alerts.Letter], None]]:
    """Return how people are told: by mail to NURTURE_ALERTS_TO, and through the Connection NURTURE_ALERTS_APPRISE.

    A notifier is asked by its `notify`: called as a function it would render the words as Jinja and swallow its errors.
    """
    found: dict[str, Callable[[alerts.Letter], None]] = {}
    if to := [address.strip() for address in env.get("NURTURE_ALERTS_TO", "").split(",") if address.strip()]:

        def mail(letter: alerts.Letter) -> None:
            from airflow.providers.smtp.notifications.smtp import SmtpNotifier

            SmtpNotifier(to=to, subject=letter.subject, html_content=letter.html).notify({})

        found["mail"] = mail
    if connection := env.get("NURTURE_ALERTS_APPRISE"):

        def apprise(letter: alerts.Letter) -> None:
            from airflow.providers.apprise.notifications.apprise import AppriseNotifier
            from apprise import Apprise

            notifier = AppriseNotifier(body=letter.text, title=letter.subject, apprise_conn_id=connection)
            services, hook = Apprise(), notifier.hook
            hook.set_config_from_conn(hook.get_connection(connection), services)
            if not services.notify(body=letter.text, title=letter.subject):  # the hook drops this answer
                raise OSError(f"a service of the Connection {connection} did not take them")

        found["apprise"] = apprise
    return found


def add_approval(dag: DAG, product: Product) -> None:
    """Make the leaf that waits in Airflow's UI for a person's yes, where the product wants one; nothing waits for it.

    One question a content; none, and it is skipped.
    """
    if not product.approval.asks:
        return
    from airflow.providers.standard.operators.hitl import HITLOperator  # 40 ms, for the products that ask

    class Question(HITLOperator):
        """Parks without a worker until a person answers in Required Actions; no answer in time is a no."""

        def __init__(self, *, approval_id: int, **options: Any) -> None:
            super().__init__(**options)
            self.approval_id = approval_id

        def execute(self, context: Any) -> Any:
            """Ask, unless the question was answered elsewhere."""
            with database() as conn:
                waiting = approvals.waiting(conn, product.product)
            asked = next((one for one in waiting if one.approval_id == self.approval_id), None)
            if asked is None:
                raise AirflowSkipException(f"question {self.approval_id} is answered already")
            from nurture.proofread import proofread

            known = load_products().products[product.product]
            findings = proofread(known, asked.email) if asked.email in known.emails else []
            self.subject, self.body = approvals.question(known, asked, [str(finding) for finding in findings])
            return super().execute(context)

        def execute_complete(self, context: Any, event: dict[str, Any]) -> Counts:
            """Keep the answer."""
            said = "yes" if super().execute_complete(context, event)["chosen_options"] == [YES] else "no"
            who = (event["responded_by_user"] or {}).get("name") or "nobody in time"
            with database() as conn:
                kept = approvals.answer(conn, self.approval_id, said, who, Run.of(context).at)
                conn.commit()
            return {said: int(kept)}

    @task(trigger_rule="all_done")
    def waiting() -> list[int]:
        run = Run.current()
        with database() as conn:
            if not run.is_live(conn):
                return []
            shown = approvals.show(conn, product.product, f"{run.dag} {run.name}", run.at)
            conn.commit()
        return shown

    with dag, TaskGroup("approval"):
        asked: Any = waiting()
        dag.get_task("dispatch.send") >> asked
        Question.partial(
            task_id="answer", subject=f"{product.name}: a mail waits", options=[YES, NO], defaults=[NO],
            response_timeout=approvals.ANSWERED_WITHIN,
        ).expand(approval_id=asked)  # fmt: skip


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


def _progress(step: str, done: int, total: int) -> None:
    if total >= 20_000:
        log.info("%s: %s of %s", step, f"{done:,}", f"{total:,}")


def say(counts: Counts) -> None:
    """Write the counts to the task's log."""
    log.info(", ".join(f"{number:,} {name}" for name, number in counts.items()) or "nothing to count")
