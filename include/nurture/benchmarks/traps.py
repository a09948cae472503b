"""Traps: sets of the samples' kinds with other traps, consolidated and judged trap by trap."""

from nurture.benchmarks import judging
from nurture.benchmarks.measuring import Bench
from nurture.benchmarks.trap_files import MIXES, UNTIL, write_traps
from nurture.consolidate import consolidate
from nurture.definitions.load import load_sources
from nurture.demo.people import midnight
from nurture.problem import Problem
from nurture.sources import land_inbox


def run(bench: Bench, mixes: tuple[str, ...] = (), show: str = "", at_most: int = 5) -> None:
    """Judge one set a mix, of `bench.rows` ordinary people each; print cases of one trap if it is named."""
    for mix in mixes or tuple(MIXES):
        if mix not in MIXES:
            raise Problem(f"there is no mix {mix!r}: {', '.join(MIXES)}")
        folder = bench.folder / mix
        cast = write_traps(folder, bench.rows, bench.seed, mix)
        with bench.engine(f"bench_{mix}").connect() as conn:
            with bench.phase(f"{mix}: consolidate", len(cast.records)):
                land_inbox(conn, load_sources(), str(folder), midnight(UNTIL))
                consolidate(conn, midnight(UNTIL))
            judged = judging.judge(conn, judging.read_truth(folder))
            bench.figures[mix] = judged.figures() | {"traps": judged.flags}
            for line in judging.examples(conn, judged, show, at_most) if show else ():
                bench.say(line)
