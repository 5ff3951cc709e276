"""The results of a measurement: a JSON object in each line."""

import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median

import msgspec


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One figure.

    Attributes:
        bench: its name, `room.what`.
        value: in `unit`; the median of several runs.
        bar: the required value; empty if there is none. peer: name, version and value of another
            program in the same run. ratio: value divided by that of the peer.
    """

    bench: str
    value: float
    unit: str
    bar: str = ""
    peer: Mapping[str, float] = {}
    ratio: float | None = None

    def line(self) -> str:
        """Return the line of JSON, with the machine and the versions."""
        form = {
            **msgspec.structs.asdict(self),
            "value": float(f"{self.value:.4g}"),
            "machine": machine(),
            "versions": versions(),
        }
        return msgspec.json.encode(form).decode()


def machine() -> str:
    """Processor and cores."""
    cpu = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].split(":", 1)[1].strip() if names else cpu
    return f"{cpu}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def versions() -> dict[str, str]:
    """Of Python and of the libraries that matter for speed."""
    libraries = ("aiomqtt", "msgspec", "numpy", "pymodbus", "uvloop")
    return {"python": sys.version.split()[0], **{name: version(name) for name in libraries}}


def seconds(work: Callable[[], object], times: int = 5) -> float:
    """The median time of a piece of work, once tried before it counts."""
    work()
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return median(taken)


def least_cpu_s(work: Callable[[], object], times: int = 15) -> float:
    """The least CPU time of several runs of a piece of work, once tried before it counts."""
    work()
    taken = []
    for _ in range(times):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return min(taken)
