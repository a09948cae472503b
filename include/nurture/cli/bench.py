"""Commands below `nurture bench`: how good and how fast, each on a throw-away PostgreSQL of its own."""

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from nurture.benchmarks.measuring import Bench

bench = typer.Typer(help="How good and how fast, measured on a throw-away PostgreSQL.", no_args_is_help=True)

RowsOption = Annotated[int, typer.Option(min=1_000, help="How large; the budgets are meant for 1,000,000.")]
SeedOption = Annotated[int, typer.Option(help="Another seed, other people.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@bench.command()
def consolidate(
    rows: RowsOption = 1_000_000,
    batch: Annotated[int, typer.Option(min=10, help="Records that come after the first ones.")] = 10_000,
    seed: SeedOption = 1,
    splink: Annotated[bool, typer.Option("--splink", help="The same records through splink, for the ratio.")] = False,
    febrl: Annotated[bool, typer.Option("--febrl", help="FEBRL 3 and 4 instead, by our matcher.")] = False,
    patentsview: Annotated[bool, typer.Option("--patentsview", help="PatentsView's inventors instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Land and consolidate invented people from their files, a batch more, one more; judged by the truth."""

    def run(given: "Bench") -> None:
        from nurture.benchmarks import consolidate as benchmark
        from nurture.benchmarks import public_sets

        if febrl:
            public_sets.febrl(given)
        if patentsview:
            public_sets.patentsview(given)
        if not (febrl or patentsview):
            benchmark.run(given, batch, with_splink=splink)

    measured("consolidate", rows, seed, run, as_json=as_json)


@bench.command()
def select(rows: RowsOption = 1_000_000, seed: SeedOption = 1, as_json: JsonOption = False) -> None:
    """Refresh segments, plan messages, check 50 products and parse their DAGs."""
    from nurture.benchmarks import select as benchmark

    measured("select", rows, seed, benchmark.run, as_json=as_json)


@bench.command()
def traps(
    people: Annotated[int, typer.Option(min=100, help="Ordinary people a set, beside those of the traps.")] = 2_000,
    seed: SeedOption = 1,
    mix: Annotated[list[str] | None, typer.Option(help="Of which traps there are many; left out, each mix.")] = None,
    show: Annotated[str, typer.Option(metavar="TRAP", help="Print cases of this trap that went wrong.")] = "",
    at_most: Annotated[int, typer.Option(help="How many cases to print.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Judge consolidation trap by trap: who was found, and who was mixed."""
    from nurture.benchmarks import traps as benchmark

    measured(
        "traps", people, seed, lambda given: benchmark.run(given, tuple(mix or ()), show, at_most), as_json=as_json
    )


@bench.command()
def dispatch(
    rows: RowsOption = 100_000,
    seed: SeedOption = 1,
    http: Annotated[bool, typer.Option(help="Also send over HTTP to the sandbox, and one by one beside it.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Send one mail to every lead: ledger and permission alone, over HTTP, and the usual way beside it."""
    from nurture.benchmarks import dispatch as benchmark

    measured("dispatch", rows, seed, lambda given: benchmark.run(given, over_http=http), as_json=as_json)


@bench.command()
def crash(
    trials: Annotated[int, typer.Option(min=1, help="How many times something is killed.")] = 20,
    messages: Annotated[int, typer.Option(min=20, help="Planned messages a trial.")] = 10_000,
    workers: Annotated[int | None, typer.Option(min=1, max=8, help="At once; left out, 1, 2 or 4 by chance.")] = None,
    policy: Annotated[
        Literal["hold", "resend_when_absent"], typer.Option(help="What becomes of a message that nobody knows of.")
    ] = "hold",
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Kill workers, PostgreSQL or the sandbox, or cut connections, and count what was sent twice or lost."""
    from nurture.benchmarks import crash as benchmark

    measured(
        "crash", messages, seed, lambda given: benchmark.run(given, trials, messages, policy, workers), as_json=as_json
    )


def measured(name: str, rows: int, seed: int, run: "Callable[[Bench], None]", *, as_json: bool) -> None:
    """Run a benchmark and print its report; after Ctrl-C, what was measured until then."""
    from nurture.benchmarks.measuring import benchmark

    with benchmark(name, rows, seed) as given:
        stopped = False
        try:
            run(given)
        except KeyboardInterrupt:
            stopped = True
        report(given, as_json=as_json)
    if stopped:
        sys.exit(130)


def report(given: "Bench", *, as_json: bool) -> None:
    """Print what was measured, for a program or for a person."""
    from rich.console import Console

    if as_json:
        typer.echo(json.dumps(given.report(), ensure_ascii=False, indent=2))
        return
    console = Console(width=None if sys.stdout.isatty() else 120)
    for part in given.tables():
        console.print(part, highlight=False, soft_wrap=isinstance(part, str))
