"""Crash: whoever is killed at whichever point, no mail is sent twice and none is lost.

Each trial plans messages, starts workers at once, kills one of them, PostgreSQL or the sandbox, or cuts a connection,
at one point of the protocol; then everything is started again and run on with later moments until nothing moves, and
the sandbox's store is compared with the ledger.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nurture.benchmarks.crash import wire
from nurture.benchmarks.crash.crew import FIRST, Trial
from nurture.benchmarks.crash.parts import Parts, Policy
from nurture.benchmarks.crash.trial import play
from nurture.benchmarks.measuring import Bench

POINTS = ("before claim", "before commit", "after commit", *wire.POINTS, "before recording", "settling")
VICTIMS = ("worker", "postgres", "sandbox", "connection")
WORKERS = (1, 2, 4)


@dataclass
class Crash:
    """What came of all trials."""

    trials: list[Trial] = field(default_factory=list)
    windows: list[float] = field(default_factory=list)  # seconds from a claim's commit to its call

    def total(self, name: str) -> int:
        """Return a number summed over the trials."""
        return sum(getattr(trial, name) for trial in self.trials)


def run(bench: Bench, trials: int, messages: int, policy: Policy, workers: int | None) -> None:
    """Run so many trials; leave their sums as the benchmark's figures, also when it is ended early."""
    crash = Crash()
    with bench.phase(f"{trials} trials", trials * messages) as advance, running(bench.folder / "crash") as stack:
        try:
            for trial in drawn(trials, bench.seed, workers):
                play(stack, trial, messages, policy, crash.windows)
                crash.trials.append(trial)  # one that Ctrl-C ended proves nothing
                advance(messages)
                bench.figures |= figures(crash, messages, policy)
        finally:
            bench.figures |= figures(crash, messages, policy)


def figures(crash: Crash, messages: int, policy: Policy) -> dict[str, Any]:
    """Return the sums, and each trial with what it found."""
    windows = sorted(crash.windows) or [0.0]
    sums = {name: crash.total(name) for name in ("duplicates", "lost", "unsettled", "held")}
    return {
        "trials": len(crash.trials), "messages": messages, "policy": policy, **sums,
        "not_struck": sum(not trial.struck for trial in crash.trials),
        "claim_to_call_ms": {
            "median": round(windows[len(windows) // 2] * 1_000, 1), "largest": round(windows[-1] * 1_000, 1),
        },
        "each": [asdict(trial) for trial in crash.trials],
    }  # fmt: skip


def drawn(trials: int, seed: int, workers: int | None = None, first: int = 1) -> Iterator[Trial]:
    """Yield trials, each point once before any comes again; who is struck, and when, is drawn.

    A point that comes again has another crew and another victim, until it had them all: 24 trials have each point with
    each number of workers. `first` numbers the first one: two series on one stack have numbers of their own.
    """
    chance = random.Random(seed)
    left: dict[object, list[Any]] = {}

    def _next(what: object, choices: Sequence[Any]) -> Any:
        """Draw what did not come since all of them did."""
        left[what] = left.get(what) or chance.sample(choices, len(choices))
        return left[what].pop()

    for number in range(first, first + trials):
        point = _next("point", POINTS)
        victim, crew = _next(("victim", point), VICTIMS), workers or _next(("crew", point), WORKERS)
        if point == "settling":
            point = _next("settling", tuple(FIRST))
        nth = chance.randint(1, 2) if crew < 4 and point not in FIRST else 1
        yield Trial(number, point, victim, crew, nth)


@contextmanager
def running(folder: Path, *, fast: bool = False) -> Iterator[Parts]:
    """Give a running stack, and remove its processes at the end."""
    folder.mkdir(parents=True)
    stack = Parts(folder, fast=fast)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
