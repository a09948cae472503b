"""The frame of the command line: one module a noun, errors in one line with the mend, a quiet Ctrl-C.

A module of commands imports what it needs inside its functions, so that `nurture --help` stays quick.
"""

import sys

import typer

from nurture.cli import bench, check, demo, explain, land, leads, plan, preview, run, segments, sends, simulate, stack
from nurture.problem import Problem

app = typer.Typer(
    help="Marketing automation for B2B lead nurturing, as code.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Commands that stand at the top, in the order of the help: add a module's `app` here.
for commands in (stack.app, demo.app, check.app, preview.app, simulate.app, explain.app, land.app, run.app):
    app.add_typer(commands)

# Commands below a noun, such as `nurture leads review`: ("leads", leads.app).
NOUNS: tuple[tuple[str, typer.Typer], ...] = (
    ("leads", leads.leads),
    ("plan", plan.plan),
    ("segments", segments.segments),
    ("sends", sends.sends),
    ("bench", bench.bench),
)
for noun, commands in NOUNS:
    app.add_typer(commands, name=noun)


def main() -> None:
    """Run the command line: exit 1 with one line on standard error for a Problem or a lost database, 130 for Ctrl-C."""
    try:
        app()
    except SystemExit:  # how a command ends: the driver's error is not looked for, which would import SQLAlchemy
        raise
    except Problem as problem:
        typer.echo(f"nurture: {problem}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except _database_is_gone() as error:
        why = str(error).splitlines()[0]
        typer.echo(f"nurture: the database does not answer: {why}; once it does, run the same command again", err=True)
        sys.exit(1)


def _database_is_gone() -> type[Exception]:
    """Return the driver's error; what it is imported from is known only when something failed."""
    from sqlalchemy.exc import OperationalError

    return OperationalError
