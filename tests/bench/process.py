"""CPU time and memory of another process, as counted by the kernel, and its CPU cores."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self


class Cores(NamedTuple):
    """CPU cores of processes.

    Attributes:
        subject: core of the measured process.
        others: core of all others; the same one if the machine has only one.
    """

    subject: frozenset[int]
    others: frozenset[int]

    @classmethod
    def of_this_machine(cls) -> Self:
        """Those that this process may use."""
        first, *others = sorted(os.sched_getaffinity(0))
        return cls(frozenset({first}), frozenset(others or {first}))


@contextmanager
def running_on(cores: frozenset[int]) -> Iterator[None]:
    """This process, and those that it starts meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def going_on(pid: int) -> Iterator[None]:
    """Let a stopped process run inside the block."""
    os.kill(pid, signal.SIGCONT)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGSTOP)


def cpu_s(pid: int) -> float:
    """User and system time of a process with all its threads, those that ended too [s]."""
    # The id of the clock behind clock_getcpuclockid(3); proc(5) has the same in steps of 10 ms.
    return time.clock_gettime((~pid << 3) | 2)


def resident_mb(pid: int) -> float:
    """Memory that a process holds [MB]."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise ValueError("no VmRSS")


def highest_resident_mb(pid: int) -> float:
    """The most memory that a process has held so far [MB]."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise ValueError("no VmHWM")
