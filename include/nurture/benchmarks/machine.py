"""The machine: what it is, and what this program and a PostgreSQL server take of it."""

import os
import platform
import threading
import time
from pathlib import Path

import psutil

from nurture.stack.postgres import Postgres

_EVERY = 0.25  # seconds between two looks at memory


def described(server: Postgres) -> dict[str, object]:
    """Return what a figure must be read with: cores, memory, processor, versions, how busy it was before."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "processor": _processor(),
        "python": platform.python_version(),
        "postgresql": server.version,
        "load_before": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


class Meter:
    """Watch this program with its children, and a server with its backends: CPU seconds, and memory at its highest."""

    def __init__(self, server: Postgres) -> None:
        """Watch nothing before `start`."""
        pid = server.pid
        if pid is None:
            raise ValueError("the server does not run")
        self._postmaster = psutil.Process(pid)
        self._self = psutil.Process()
        self._stopped = threading.Event()
        self._watch = threading.Thread(target=self._look, name="meter", daemon=True)
        self._watched = 0.0  # CPU seconds that the watch itself took: 8 ms a look, on a machine with many processes
        self.peak = 0  # bytes, of this program and its children
        self.postgres_peak = 0  # bytes: what the backends have alone, and the shared buffers that one has touched

    def start(self) -> None:
        """Begin to watch memory."""
        self._watch.start()

    def stop(self) -> None:
        """End the watch; the peaks stay."""
        self._stopped.set()
        self._watch.join()

    def forget_peaks(self) -> None:
        """Begin a phase of its own."""
        self.peak = self.postgres_peak = 0

    def cpu(self) -> float:
        """Return the CPU seconds of this program, without this watch, and of its children that have ended."""
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system - self._watched

    def postgres_cpu(self) -> float:
        """Return the CPU seconds of the server and of all its backends, those that have ended too."""
        own = self._postmaster.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for backend in self._postmaster.children():
            try:
                times = backend.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total

    def _look(self) -> None:
        while not self._stopped.wait(_EVERY):
            try:
                backends = [self._postmaster, *self._postmaster.children()]
                ours = [self._self, *self._self.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            served = {process.pid for process in backends}
            self.peak = max(self.peak, sum(_resident(process) for process in ours if process.pid not in served))
            alone, shared = zip(*map(_parts, backends), strict=True)
            self.postgres_peak = max(self.postgres_peak, sum(alone) + max(shared))
            self._watched = time.thread_time()


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def _parts(process: psutil.Process) -> tuple[int, int]:
    """Return what a process holds alone and what it shares; where the system does not tell them apart, all is its."""
    try:
        memory = process.memory_info()
    except psutil.NoSuchProcess:
        return 0, 0
    shared = getattr(memory, "shared", 0)
    return memory.rss - shared, shared
