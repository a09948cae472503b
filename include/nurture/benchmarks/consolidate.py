"""Consolidate: a million records of invented people from their files to leads, then a batch more, then one.

The people are the demo's, from a seed, with the truth beside them. What comes last by its own date is the batch and the
one record, so that all lies in the database as it would have been landed day by day.
"""

from collections.abc import Callable
from datetime import date, timedelta

from nurture import db
from nurture.benchmarks import judging, peers
from nurture.benchmarks.measuring import FULL, Advance, Bench
from nurture.consolidate import consolidate
from nurture.definitions.load import load_sources
from nurture.demo.files import write_files
from nurture.demo.people import DAYS, midnight
from nurture.sources import land_inbox

RECORDS_A_PERSON = 2.29
UNTIL = date(2026, 11, 20)


def run(bench: Bench, batch: int = 10_000, *, with_splink: bool = False) -> None:
    """Write the files, land them, consolidate from empty, then `batch` records, then one; judge the outcome."""
    people = round((bench.rows + batch) / RECORDS_A_PERSON)
    with bench.phase("write the files", bench.rows + batch):
        write_files(bench.folder / "inbox", people, bench.seed, UNTIL, with_truth=True)
    engine = bench.engine()
    with engine.connect() as conn:
        begun = midnight(UNTIL) - timedelta(days=DAYS + 1)  # of rows without a date of their own: the oldest
        with bench.phase("land them", bench.rows + batch) as advance:
            landed = land_inbox(
                conn, load_sources(), str(bench.folder / "inbox"), begun, progress=_counted(advance)
            )["landed"]  # fmt: skip
        conn.exec_driver_sql("analyze source_records")
        conn.commit()
        moments = db.run(
            conn, db.statements("benchmarks").cuts, places=[landed - 2, landed - 2 - batch]
        ).scalars().all()  # fmt: skip
        first, second = sorted(moments)
        for name, as_of, budget in (
            ("consolidate from empty", first, 75.0), (f"{batch:,} more", second, 5.0),
            ("one more", midnight(UNTIL), 0.05),
        ):  # fmt: skip
            waiting = db.run(conn, db.statements("consolidate").waiting, as_of=as_of).scalar_one()
            with bench.phase(name, waiting, budget=budget):
                consolidate(conn, as_of)
        with bench.phase("nothing more"):
            consolidate(conn, midnight(UNTIL))
        truth = judging.read_truth(bench.folder / "inbox")
        judged = judging.judge(conn, truth)
        bench.figures |= judged.figures() | {"people": people, "landed": landed}
        wall = {phase.name: phase.wall_seconds for phase in bench.phases}
        bench.figures["seconds_from_files"] = round(wall["land them"] + wall["consolidate from empty"], 1)
        if with_splink:
            bench.figures["splink"] = peers.splink(bench, conn, truth)
            ours, theirs = wall["consolidate from empty"], bench.phases[-1].wall_seconds
            bench.figures["splink"]["times_our_seconds"] = round(theirs / ours, 2)
    engine.dispose()
    if bench.rows < FULL:
        bench.say(f"The budgets are meant for {FULL:,} rows: homonyms grow with the square.")


def _counted(advance: Advance) -> Callable[[str, int], None]:
    """Return what landing reports to, as how many rows more: it says how many of the file it has."""
    seen: dict[str, int] = {}

    def note(file: str, rows: int) -> None:
        advance(rows - seen.get(file, 0))
        seen[file] = rows

    return note
