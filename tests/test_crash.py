"""Crash: killed at any point of the protocol, no mail is sent twice and none is lost (N2, N3)."""

import itertools
from collections.abc import Iterator

import pytest

from nurture.benchmarks import crash
from nurture.benchmarks.crash.crew import FIRST
from nurture.benchmarks.crash.parts import Parts, Policy
from nurture.benchmarks.crash.trial import play

MESSAGES = 300
POINTS = len(crash.POINTS)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with crash.running(tmp_path_factory.mktemp("crash") / "parts", fast=True) as running:
        yield running


@pytest.mark.parametrize(
    ("policy", "seed", "numbers"), [("hold", 4, range(1, 5)), ("resend_when_absent", 5, range(101, 101 + POINTS))]
)
def test_g2_n2_n3_whoever_is_killed_where_nothing_goes_twice_and_nothing_is_lost(
    parts: Parts, policy: Policy, seed: int, numbers: range
):
    found = crash.Crash(list(crash.drawn(len(numbers), seed, workers=2, first=numbers.start)))
    for trial in found.trials:
        play(parts, trial, MESSAGES, policy, found.windows)
    figures = crash.figures(found, MESSAGES, policy)
    sums = {name: figures[name] for name in ("duplicates", "lost", "unsettled", "not_struck")}
    assert sums == {"duplicates": 0, "lost": 0, "unsettled": 0, "not_struck": 0}, figures["each"]
    assert figures["held"] == 0 or policy == "hold"


def point(trial: crash.Trial) -> str:
    return "settling" if trial.point in FIRST else trial.point


def test_a_seed_draws_the_same_trials_again_and_every_point_before_any_comes_twice():
    drawn = list(crash.drawn(POINTS, 7))
    assert drawn == list(crash.drawn(POINTS, 7)) != list(crash.drawn(POINTS, 8))
    assert {point(trial) for trial in drawn} == set(crash.POINTS)
    pairs = {(point(trial), trial.workers) for trial in crash.drawn(3 * POINTS, 7)}
    assert pairs == set(itertools.product(crash.POINTS, crash.WORKERS))
    struck = {(point(trial), trial.victim) for trial in crash.drawn(4 * POINTS, 7)}
    assert struck == set(itertools.product(crash.POINTS, crash.VICTIMS))
