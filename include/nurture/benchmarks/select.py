"""Select: segments, planning, `nurture check` and the DAGs of fifty products, over a million leads."""

from nurture.benchmarks import world
from nurture.benchmarks.measuring import Bench


def run(bench: Bench) -> None:
    """Build the world and measure what reads it."""
    engine = bench.engine()
    with engine.connect() as conn:
        made = world.build(bench, conn)
        bench.figures |= {"leads": made.leads, "signals": made.signals}
    engine.dispose()
