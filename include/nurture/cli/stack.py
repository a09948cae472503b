"""Commands of the local stack: up, down, status, migrate, airflow."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from nurture.problem import Problem

app = typer.Typer()

HomeOption = Annotated[
    Path | None, typer.Option("--home", envvar="NURTURE_HOME", help="The stack's folder.", show_default=".nurture")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print what a program can read.")]


@app.command()
def up(
    home: HomeOption = None,
    ports: Annotated[str, typer.Option(help="`auto` takes free ports where the usual ones are taken.")] = "kept",
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay until Ctrl-C.")] = False,
    without_airflow: Annotated[bool, typer.Option("--without-airflow", help="Only the database and edges.")] = False,
) -> None:
    """Start PostgreSQL, Airflow, the receiver and the sandbox; return when all are healthy."""
    import logging

    from nurture.stack import control

    if ports not in ("kept", "auto"):
        raise Problem(f"--ports is `auto` or left out, not {ports}")
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO if foreground else logging.WARNING)
    control.up(_home(home), typer.echo, ports=ports, foreground=foreground, with_airflow=not without_airflow)


@app.command()
def down(home: HomeOption = None) -> None:
    """Stop the stack in order; what it holds is kept for the next `up`."""
    from nurture.stack import control

    typer.echo("The stack is down." if control.down(_home(home)) else "The stack was not up.")


@app.command()
def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Say how each part of the stack is; exit 1 unless all are healthy."""
    from nurture.stack import control

    found = control.status(_home(home))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        for name, part in found["parts"].items():
            typer.echo(f"{name:<14} {part['health']:<10} {part['url']:<34} {part['version'] or ''}".rstrip())
    if any(part["health"] != "healthy" for part in found["parts"].values()):
        sys.exit(1)


@app.command()
def migrate(
    home: HomeOption = None,
    with_airflow: Annotated[
        bool,
        typer.Option("--with-airflow", help="Airflow's database too, and its first user (AIRFLOW_ADMIN_PASSWORD)."),
    ] = False,
) -> None:
    """Bring the database `nurture` to this version's tables (NURTURE_DSN, else the running stack's)."""
    from nurture import db
    from nurture.stack.parts import dsn_of

    for name in db.migrate(dsn_of(home)) or ["Nothing to migrate."]:
        typer.echo(name)
    if with_airflow:
        from nurture.stack import airflow

        password = os.environ.get("AIRFLOW_ADMIN_PASSWORD")
        address = os.environ.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
        if not password or not address:
            raise Problem(
                "set AIRFLOW_ADMIN_PASSWORD and AIRFLOW__DATABASE__SQL_ALCHEMY_CONN, as docker-compose.yml does"
            )
        airflow.create_database(address)
        airflow.prepare(password)
        typer.echo("Airflow's database is at this version.")


@app.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
)
def airflow(context: typer.Context) -> None:
    """Run Airflow's own command line in the stack's environment: `nurture airflow dags list`.

    Another stack than the checkout's own is named by NURTURE_HOME.
    """
    from nurture.stack.parts import Stack

    home = os.environ.get("NURTURE_HOME")
    stack = Stack.at(Path(home) if home else None)
    if not stack.database().running:
        raise Problem("the stack is down: `nurture up`")
    sys.stdout.flush()
    quiet = {"PYTHONWARNINGS": "ignore"}  # of what Airflow lacks for pictures of graphs in a terminal
    os.execve(sys.executable, [sys.executable, "-m", "airflow", *context.args], {**stack.environment(), **quiet})


def _home(folder: Path | None):
    from nurture.stack.home import DEFAULT_HOME, Home

    return Home((folder or DEFAULT_HOME).absolute())
