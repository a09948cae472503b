"""Spread: one question asked of many things in as many processes as there are cores, answered in their order."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

ThingT = TypeVar("ThingT")
AnswerT = TypeVar("AnswerT")

FEW = 8  # things for which a second process (0.1 s) does not pay


def spread(question: Callable[[ThingT], AnswerT], things: Sequence[ThingT]) -> Iterator[AnswerT]:
    """Yield the answer for each thing; the question and its answers must be picklable where there are many things.

    The processes are forked, so that nothing is imported anew; a system without `fork` does with one.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if len(things) <= FEW or cores == 1 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(question, things)
        return
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("fork")) as pool:
        yield from pool.map(question, things)  # one by one: portions would leave a core without work at the end
